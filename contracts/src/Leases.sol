// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Offers} from "./Offers.sol";
import {Cause, Config, Lease, Offer, OfferId, Order, Penalty, State} from "./Types.sol";
import {ILeases} from "./interfaces/ILeases.sol";
import {ChargeLib} from "./libraries/ChargeLib.sol";
import {ErrorsLib} from "./libraries/ErrorsLib.sol";
import {EventsLib} from "./libraries/EventsLib.sol";
import {HashLib} from "./libraries/HashLib.sol";
import {OfferIdLib} from "./libraries/OfferIdLib.sol";
import {PackLib} from "./libraries/PackLib.sol";

/// @title Leases
/// @notice The state machine of a lease; `contracts/README.md` has it as a table.
/// @dev A lease is two slots: its progress, and its root. All that was agreed stands in the order, which every call brings
/// and whose hash is the lease's id.
abstract contract Leases is Offers, EIP712, Pausable, ILeases {
    using OfferIdLib for OfferId;
    using PackLib for Lease;
    using PackLib for uint256;
    using SafeCast for uint256;

    /* CONSTANTS */

    /// @dev The longest lease, which bounds how long stake can be bound: a year.
    uint32 internal constant SPAN_MAX = 365 days;
    /// @dev The longest that an order may wait for acceptance.
    uint32 internal constant WAIT_MAX = 7 days;

    /* IMMUTABLES */

    /// @inheritdoc ILeases
    uint32 public immutable reserveBps;
    /// @inheritdoc ILeases
    uint32 public immutable commitWindow;
    /// @inheritdoc ILeases
    uint32 public immutable verdictWindow;
    /// @inheritdoc ILeases
    uint32 public immutable disputeWindow;

    /* STORAGE */

    /// @dev A `Lease`, packed.
    mapping(bytes32 id => uint256) private _leases;
    mapping(bytes32 id => bytes32) private _roots;

    /* CONSTRUCTOR */

    constructor(Config memory config) {
        if (config.commitWindow == 0 || config.verdictWindow == 0 || config.disputeWindow == 0) {
            revert ErrorsLib.ZeroValue();
        }
        reserveBps = config.reserveBps;
        commitWindow = config.commitWindow;
        verdictWindow = config.verdictWindow;
        disputeWindow = config.disputeWindow;
    }

    /* CREATION */

    /// @inheritdoc ILeases
    function createLease(Order calldata order, bytes calldata contact) external returns (bytes32 id) {
        if (msg.sender != order.consumer) revert ErrorsLib.Unauthorized(msg.sender);
        id = leaseId(order);
        _create(id, order, contact);
    }

    /// @inheritdoc ILeases
    function createLeaseFor(Order calldata order, bytes calldata contact, bytes calldata signature)
        external
        returns (bytes32 id)
    {
        id = leaseId(order);
        if (!SignatureChecker.isValidSignatureNow(order.consumer, id, signature)) {
            revert ErrorsLib.WrongSignature(order.consumer);
        }
        _create(id, order, contact);
    }

    /// @inheritdoc ILeases
    function cancel(Order calldata order) external {
        bytes32 id = leaseId(order);
        Lease memory found = _leases[id].toLease();
        if (msg.sender == order.consumer) {
            if (found.state != State.None && found.state != State.Open) revert ErrorsLib.WrongState(id, found.state);
            _cancel(id, order, found, Cause.Consumer);
        } else {
            if (msg.sender != order.offer.provider()) revert ErrorsLib.Unauthorized(msg.sender);
            if (found.state != State.Open) revert ErrorsLib.WrongState(id, found.state);
            _cancel(id, order, found, Cause.Provider);
        }
    }

    /* RUNNING */

    /// @inheritdoc ILeases
    function accept(Order calldata order) external whenNotPaused {
        (bytes32 id, Lease memory found) = _find(order, State.Open);
        address provider = order.offer.provider();
        if (msg.sender != provider) revert ErrorsLib.Unauthorized(msg.sender);
        if (block.timestamp > found.deadline) revert ErrorsLib.TooLate(found.deadline);

        found.state = State.Active;
        found.startedAt = uint40(block.timestamp);
        found.deadline = found.startedAt + found.span + commitWindow;
        _leases[id] = found.pack();
        _take(order.offer, order.units, found.span);
        uint64 reserved = _backing(found);
        _reserve(provider, reserved);
        emit EventsLib.LeaseAccepted(id, reserved);
    }

    /// @inheritdoc ILeases
    function extend(Order calldata order, uint32 extra) external {
        (bytes32 id, Lease memory found) = _find(order, State.Active);
        if (msg.sender != order.consumer) revert ErrorsLib.Unauthorized(msg.sender);
        if (extra == 0) revert ErrorsLib.ZeroValue();
        _requireRunning(found);
        uint256 span = uint256(found.span) + extra;
        if (span > SPAN_MAX) revert ErrorsLib.TooLong(span, SPAN_MAX);
        uint64 paid = _escrow(found);
        uint64 reserved = _backing(found);

        // At most `SPAN_MAX`, which fits.
        found.span = uint32(span);
        found.deadline += extra;
        _leases[id] = found.pack();
        _requireOver(_availableOffer(order.offer), found.startedAt, found.span);
        paid = _escrow(found) - paid;
        reserved = _backing(found) - reserved;
        _reserve(order.offer.provider(), reserved);
        emit EventsLib.LeaseExtended(id, found.span, paid, reserved);
        _collect(order.consumer, paid);
    }

    /// @inheritdoc ILeases
    function end(Order calldata order) external {
        (bytes32 id, Lease memory found) = _find(order, State.Active);
        bool byConsumer = msg.sender == order.consumer;
        if (!byConsumer && msg.sender != order.offer.provider()) revert ErrorsLib.Unauthorized(msg.sender);
        _requireRunning(found);

        uint64 refunded = _stop(found, State.Ended, commitWindow);
        _leases[id] = found.pack();
        _credit(order.consumer, refunded);
        emit EventsLib.LeaseEnded(id, found.used, refunded, byConsumer ? Cause.Consumer : Cause.Provider);
    }

    /// @inheritdoc ILeases
    function commit(Order calldata order, bytes32 root, uint32 leafCount) external {
        (bytes32 id, Lease memory found) = _findUncommitted(order);
        if (msg.sender != order.offer.provider()) revert ErrorsLib.Unauthorized(msg.sender);
        _commit(id, order, found, root, leafCount, msg.sender);
    }

    /// @inheritdoc ILeases
    function commitSigned(
        Order calldata order,
        bytes32 root,
        uint32 leafCount,
        bytes calldata delegation,
        bytes calldata signature
    ) external {
        (bytes32 id, Lease memory found) = _findUncommitted(order);
        address provider = order.offer.provider();
        // An agent signs its running root again and again, so only the provider may end a lease with one.
        if (msg.sender != provider && found.state == State.Active) {
            uint40 over = found.startedAt + found.span;
            if (block.timestamp < over) revert ErrorsLib.TooEarly(over);
        }
        address agent = ECDSA.recoverCalldata(commitmentDigest(id, root, leafCount), signature);
        if (!SignatureChecker.isValidSignatureNow(provider, delegationDigest(id, agent), delegation)) {
            revert ErrorsLib.WrongSignature(provider);
        }
        _commit(id, order, found, root, leafCount, agent);
    }

    /* OUTCOME */

    /// @inheritdoc ILeases
    function settle(Order calldata order) external {
        (bytes32 id, Lease memory found) = _findCommitted(order);
        bool byConsumer = msg.sender == order.consumer && found.state == State.Committed;
        if (!byConsumer && msg.sender != verifier()) revert ErrorsLib.Unauthorized(msg.sender);
        _settle(id, order, found, byConsumer ? Cause.Consumer : Cause.Verifier);
    }

    /// @inheritdoc ILeases
    function refund(Order calldata order) external {
        bytes32 id = leaseId(order);
        Lease memory found = _leases[id].toLease();
        if (found.state == State.Active || found.state == State.Ended) {
            if (msg.sender != order.offer.provider()) revert ErrorsLib.Unauthorized(msg.sender);
            _refund(id, order, found, Cause.Provider);
        } else {
            (id, found) = _findCommitted(order);
            if (msg.sender != verifier()) revert ErrorsLib.Unauthorized(msg.sender);
            _refund(id, order, found, Cause.Verifier);
        }
    }

    /// @inheritdoc ILeases
    function dispute(Order calldata order) external {
        (bytes32 id, Lease memory found) = _find(order, State.Committed);
        if (msg.sender != verifier()) revert ErrorsLib.Unauthorized(msg.sender);
        if (block.timestamp > found.deadline) revert ErrorsLib.TooLate(found.deadline);
        found.state = State.Disputed;
        found.deadline = uint40(block.timestamp) + disputeWindow;
        _leases[id] = found.pack();
        emit EventsLib.LeaseDisputed(id, found.deadline);
    }

    /// @inheritdoc ILeases
    function slash(Order calldata order, Penalty calldata penalty) external {
        (bytes32 id, Lease memory found) = _findCommitted(order);
        if (msg.sender != verifier()) revert ErrorsLib.Unauthorized(msg.sender);
        uint64 reserved = _backing(found);
        if (penalty.amount == 0 || penalty.challenger == address(0)) revert ErrorsLib.ZeroValue();
        if (penalty.amount > reserved) revert ErrorsLib.PenaltyTooHigh(penalty.amount, reserved);
        uint256 shares = uint256(penalty.toConsumer) + penalty.toChallenger;
        if (shares > penalty.amount / 2) revert ErrorsLib.SharesTooHigh(shares, penalty.amount / 2);

        uint64 refunded = _escrow(found);
        // The shares are at most half of an amount of 64 bits.
        uint64 toInsurance = penalty.amount - uint64(shares);
        _close(id, order, found, State.Slashed, penalty.amount, 0);
        _credit(order.consumer, refunded + penalty.toConsumer);
        _credit(penalty.challenger, penalty.toChallenger);
        _credit(insurance, toInsurance);
        emit EventsLib.LeaseSlashed(id, refunded, penalty, toInsurance);
    }

    /// @inheritdoc ILeases
    function expire(Order calldata order) external {
        bytes32 id = leaseId(order);
        Lease memory found = _leases[id].toLease();
        State state = found.state;
        if (state == State.None || state >= State.Cancelled) revert ErrorsLib.WrongState(id, state);
        if (block.timestamp <= found.deadline) revert ErrorsLib.TooEarly(found.deadline);
        if (state == State.Open) _cancel(id, order, found, Cause.Time);
        else if (state == State.Committed) _settle(id, order, found, Cause.Time);
        else _refund(id, order, found, Cause.Time);
    }

    /* VIEWS */

    /// @inheritdoc ILeases
    function leaseId(Order calldata order) public view returns (bytes32) {
        return _hashTypedDataV4(HashLib.order(order));
    }

    /// @inheritdoc ILeases
    function lease(bytes32 id) external view returns (Lease memory) {
        return _leases[id].toLease();
    }

    /// @inheritdoc ILeases
    function rootOf(bytes32 id) external view returns (bytes32) {
        return _roots[id];
    }

    /// @inheritdoc ILeases
    function escrowOf(bytes32 id) external view returns (uint64) {
        return _escrow(_leases[id].toLease());
    }

    /// @inheritdoc ILeases
    function reserveOf(bytes32 id) external view returns (uint64) {
        return _reserved(_leases[id].toLease());
    }

    /// @inheritdoc ILeases
    function charge(uint64 rate, uint32 used) external pure returns (uint64) {
        return ChargeLib.charge(rate, used);
    }

    /// @inheritdoc ILeases
    function delegationDigest(bytes32 id, address agent) public view returns (bytes32) {
        return _hashTypedDataV4(HashLib.delegation(id, agent));
    }

    /// @inheritdoc ILeases
    function commitmentDigest(bytes32 id, bytes32 root, uint32 leafCount) public view returns (bytes32) {
        return _hashTypedDataV4(HashLib.commitment(id, root, leafCount));
    }

    /// @dev The party whose verdicts count.
    function verifier() public view virtual returns (address);

    /* TRANSITIONS */

    function _create(bytes32 id, Order calldata order, bytes calldata contact) private whenNotPaused {
        uint256 word = _leases[id];
        if (word != 0) revert ErrorsLib.WrongState(id, word.toLease().state);
        uint64 rate = _rate(order);
        if (keccak256(contact) != order.contactHash) revert ErrorsLib.WrongContact(order.contactHash);

        uint64 escrow = ChargeLib.charge(rate, order.span);
        _leases[id] = Lease({
            state: State.Open,
            rate: rate,
            span: order.span,
            used: 0,
            startedAt: 0,
            deadline: order.acceptBy,
            leafCount: 0
        }).pack();
        emit EventsLib.LeaseCreated(id, order.consumer, order.offer, escrow, order, contact);
        _collect(order.consumer, escrow);
    }

    function _cancel(bytes32 id, Order calldata order, Lease memory found, Cause cause) private {
        uint64 refunded = _escrow(found);
        found.state = State.Cancelled;
        _leases[id] = found.pack();
        if (refunded != 0) _credit(order.consumer, refunded);
        emit EventsLib.LeaseCancelled(id, refunded, cause);
    }

    function _commit(
        bytes32 id,
        Order calldata order,
        Lease memory found,
        bytes32 root,
        uint32 leafCount,
        address signer
    ) private {
        if (block.timestamp > found.deadline) revert ErrorsLib.TooLate(found.deadline);
        if (root == 0 || leafCount == 0) revert ErrorsLib.ZeroValue();
        uint64 refunded = _stop(found, State.Committed, verdictWindow);
        found.leafCount = leafCount;
        _leases[id] = found.pack();
        _roots[id] = root;
        if (refunded != 0) _credit(order.consumer, refunded);
        emit EventsLib.LeaseCommitted(id, root, leafCount, signer, found.used, refunded);
    }

    function _settle(bytes32 id, Order calldata order, Lease memory found, Cause cause) private {
        uint64 paid = ChargeLib.charge(found.rate, found.used);
        _close(id, order, found, State.Settled, 0, paid);
        emit EventsLib.LeaseSettled(id, paid, cause);
    }

    function _refund(bytes32 id, Order calldata order, Lease memory found, Cause cause) private {
        uint64 refunded = _escrow(found);
        _close(id, order, found, State.Refunded, 0, 0);
        _credit(order.consumer, refunded);
        emit EventsLib.LeaseRefunded(id, refunded, cause);
    }

    /// @dev Ends a lease that was accepted: its units, its stake and the provider's money.
    function _close(bytes32 id, Order calldata order, Lease memory found, State state, uint64 slashed, uint64 paid)
        private
    {
        found.state = state;
        _leases[id] = found.pack();
        _giveBack(order.offer, order.units);
        _release(order.offer.provider(), _backing(found), slashed, paid);
    }

    /// @dev Fixes the seconds to pay for, unless they are, and returns what the consumer gets back of the escrow. Changes
    /// `found` only; the caller stores it.
    function _stop(Lease memory found, State state, uint32 window) private view returns (uint64 refunded) {
        if (found.state == State.Active) {
            uint64 escrow = _escrow(found);
            uint256 elapsed = block.timestamp - found.startedAt;
            found.used = elapsed < found.span ? uint32(elapsed) : found.span;
            refunded = escrow - ChargeLib.charge(found.rate, found.used);
        }
        found.state = state;
        found.deadline = uint40(block.timestamp) + window;
    }

    /* CHECKS */

    /// @dev The price for all units and one hour, if the offer and the order suit each other.
    function _rate(Order calldata order) private view returns (uint64) {
        (uint32 units, uint32 span, uint40 acceptBy) = (order.units, order.span, order.acceptBy);
        if (units == 0 || span == 0) revert ErrorsLib.ZeroValue();
        if (span > SPAN_MAX) revert ErrorsLib.TooLong(span, SPAN_MAX);
        if (block.timestamp > acceptBy) revert ErrorsLib.TooLate(acceptBy);
        uint256 wait = acceptBy - block.timestamp;
        if (wait > WAIT_MAX) revert ErrorsLib.TooLong(wait, WAIT_MAX);
        Offer memory found = _availableOffer(order.offer);
        if (found.pricePerHour > order.maxPricePerHour) {
            revert ErrorsLib.PriceTooHigh(found.pricePerHour, order.maxPricePerHour);
        }
        _requireUnits(order.offer, found, units);
        _requireOver(found, uint40(block.timestamp), span);
        return (uint256(found.pricePerHour) * units).toUint64();
    }

    function _find(Order calldata order, State state) private view returns (bytes32 id, Lease memory found) {
        id = leaseId(order);
        found = _leases[id].toLease();
        if (found.state != state) revert ErrorsLib.WrongState(id, found.state);
    }

    function _findUncommitted(Order calldata order) private view returns (bytes32 id, Lease memory found) {
        id = leaseId(order);
        found = _leases[id].toLease();
        if (found.state != State.Active && found.state != State.Ended) revert ErrorsLib.WrongState(id, found.state);
    }

    /// @dev A lease that a verdict may end: it has a commitment and its deadline has not passed.
    function _findCommitted(Order calldata order) private view returns (bytes32 id, Lease memory found) {
        id = leaseId(order);
        found = _leases[id].toLease();
        if (found.state != State.Committed && found.state != State.Disputed) {
            revert ErrorsLib.WrongState(id, found.state);
        }
        if (block.timestamp > found.deadline) revert ErrorsLib.TooLate(found.deadline);
    }

    function _requireRunning(Lease memory found) private view {
        uint40 over = found.startedAt + found.span;
        if (block.timestamp >= over) revert ErrorsLib.TooLate(over);
    }

    /// @dev The consumer's money in the lease.
    function _escrow(Lease memory found) private pure returns (uint64) {
        State state = found.state;
        if (state == State.Open || state == State.Active) return ChargeLib.charge(found.rate, found.span);
        if (state == State.None || state >= State.Cancelled) return 0;
        return ChargeLib.charge(found.rate, found.used);
    }

    /// @dev The stake behind the lease. It follows the seconds bought, so that an early end frees none of it.
    function _reserved(Lease memory found) private view returns (uint64) {
        State state = found.state;
        if (state < State.Active || state >= State.Cancelled) return 0;
        return _backing(found);
    }

    function _backing(Lease memory found) private view returns (uint64) {
        return ChargeLib.reserve(ChargeLib.charge(found.rate, found.span), reserveBps);
    }
}
