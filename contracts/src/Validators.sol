// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "./Accounts.sol";
import {NotaryConfig, Seat} from "./NotaryTypes.sol";
import {IValidators} from "./interfaces/IValidators.sol";
import {ErrorsLib} from "./libraries/ErrorsLib.sol";
import {EventsLib} from "./libraries/EventsLib.sol";
import {PackLib} from "./libraries/PackLib.sol";

/// @title Validators
/// @notice Who may be drawn.
/// @dev Whether and by how much a validator counts in a draw follows from seats and blocks alone, and for a proof opened in
/// a block both are final when the next one begins. Neither stake that comes and goes nor other proofs change it: who could
/// make honest validators ineligible, by keeping their stake busy, would choose the rest.
abstract contract Validators is Accounts, IValidators {
    using PackLib for Seat;
    using PackLib for uint256;

    /* CONSTANTS */

    /// @dev Each draw reads all seats.
    uint256 private constant SEATS_MAX = 256;
    /// @dev So many blocks back, their hashes are known.
    uint256 internal constant HASHES_KEPT = 256;

    /* IMMUTABLES */

    /// @inheritdoc IValidators
    uint32 public immutable drawDelay;
    /// @inheritdoc IValidators
    uint64 public immutable stakePerProof;

    /* STORAGE */

    /// @dev Each a `Seat`, packed.
    uint256[] private _seats;
    /// @dev The number of the seat, and 1.
    mapping(address validator => uint256) private _seatOf;
    /// @dev Validators that have not left.
    uint256 private _present;

    /* CONSTRUCTOR */

    constructor(NotaryConfig memory config) {
        if (config.drawDelay == 0 || config.stakePerProof == 0) revert ErrorsLib.ZeroValue();
        if (config.stakePerProof > config.stakePerUnit) revert ErrorsLib.WrongConfig();
        drawDelay = config.drawDelay;
        stakePerProof = config.stakePerProof;
    }

    /* COMING AND GOING */

    /// @inheritdoc IValidators
    function join(uint32 units) external {
        if (units == 0) revert ErrorsLib.ZeroValue();
        if (_seatOf[msg.sender] != 0) revert ErrorsLib.AlreadySeated(msg.sender);
        uint256 number = _freeSeat();
        _seats[number] = Seat({validator: msg.sender, units: units, from: uint32(block.number), until: 0}).pack();
        _seatOf[msg.sender] = number + 1;
        _present++;
        _offerMore(msg.sender, units);
        emit EventsLib.ValidatorJoined(msg.sender, number, units);
    }

    /// @inheritdoc IValidators
    function leave() external {
        if (!_isPresent(msg.sender)) revert ErrorsLib.NotSeated(msg.sender);
        _leave(msg.sender);
    }

    /// @inheritdoc IValidators
    function depart(address validator) external {
        uint256 number = _seatOf[validator];
        if (number == 0) revert ErrorsLib.NotSeated(validator);
        number--;
        Seat memory seat = _seats[number].toSeat();
        if (seat.until == 0) revert ErrorsLib.AlreadySeated(validator);
        uint256 lastDraw = uint256(seat.until) + drawDelay + HASHES_KEPT;
        if (block.number <= lastDraw) revert ErrorsLib.BlockNotReached(lastDraw + 1);
        delete _seats[number];
        delete _seatOf[validator];
        _offerLess(validator, seat.units);
        emit EventsLib.ValidatorDeparted(validator, number);
    }

    /* VIEWS */

    /// @inheritdoc IValidators
    function seats() external view returns (Seat[] memory all) {
        all = new Seat[](_seats.length);
        for (uint256 i = 0; i < all.length; i++) {
            all[i] = _seats[i].toSeat();
        }
    }

    /* FOR PROOFS */

    /// @dev Whether `wanted` validators can be drawn for a proof opened now, whoever leaves later.
    function _requireValidators(uint256 wanted, address consumer, address provider) internal view {
        uint256 eligible = _present;
        if (_isPresent(consumer)) eligible--;
        if (provider != consumer && _isPresent(provider)) eligible--;
        if (eligible < wanted) revert ErrorsLib.NotEnoughValidators(eligible, wanted);
    }

    /// @dev What each seat weighs in the draw for a proof whose draw was fixed in block `fixedAt`.
    function _weights(uint256 fixedAt, address consumer, address provider)
        internal
        view
        returns (address[] memory validators, uint64[] memory weights)
    {
        uint256 count = _seats.length;
        validators = new address[](count);
        weights = new uint64[](count);
        for (uint256 i = 0; i < count; i++) {
            Seat memory seat = _seats[i].toSeat();
            validators[i] = seat.validator;
            bool isThere = seat.from <= fixedAt && (seat.until == 0 || seat.until >= fixedAt);
            // An empty seat has no units.
            if (!isThere || seat.validator == consumer || seat.validator == provider) continue;
            // The stake sufficed for all units when the validator joined, so this fits.
            weights[i] = seat.units * stakePerUnit;
        }
    }

    /// @dev Frees `reserved` of a validator's stake and takes it. Whose stake does not cover its units any more leaves.
    function _forfeit(bytes32 id, address validator, uint64 reserved) internal {
        _release(validator, reserved, reserved, 0);
        emit EventsLib.ValidatorSlashed(id, validator, reserved);
        if (_isPresent(validator) && !_coversUnits(validator)) _leave(validator);
    }

    /* INTERNAL */

    function _leave(address validator) private {
        uint256 number = _seatOf[validator] - 1;
        Seat memory seat = _seats[number].toSeat();
        seat.until = uint32(block.number);
        _seats[number] = seat.pack();
        _present--;
        emit EventsLib.ValidatorLeft(validator, number);
    }

    function _isPresent(address who) private view returns (bool) {
        uint256 number = _seatOf[who];
        return number != 0 && _seats[number - 1].toSeat().until == 0;
    }

    /// @dev The first free seat, or a new one.
    function _freeSeat() private returns (uint256 number) {
        uint256 count = _seats.length;
        for (; number < count; number++) {
            if (_seats[number] == 0) return number;
        }
        if (count == SEATS_MAX) revert ErrorsLib.NoSeatFree();
        _seats.push();
    }
}
