// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Account, Unbonding} from "./Types.sol";
import {IAccounts} from "./interfaces/IAccounts.sol";
import {ErrorsLib} from "./libraries/ErrorsLib.sol";
import {EventsLib} from "./libraries/EventsLib.sol";
import {PackLib} from "./libraries/PackLib.sol";

/// @title Accounts
/// @notice Balances and stakes, and the only calls to the token: it comes in by `_pull` and goes out by `withdraw`.
abstract contract Accounts is ReentrancyGuardTransient, IAccounts {
    using PackLib for Account;
    using PackLib for uint256;
    using SafeERC20 for IERC20;

    /* IMMUTABLES */

    IERC20 private immutable _token;
    /// @inheritdoc IAccounts
    address public immutable insurance;
    /// @inheritdoc IAccounts
    uint64 public immutable stakePerUnit;
    /// @inheritdoc IAccounts
    uint32 public immutable unbondingPeriod;

    /* STORAGE */

    /// @dev An `Account`, packed.
    mapping(address owner => uint256) private _accounts;
    mapping(address provider => Unbonding) private _unbondings;

    /* CONSTRUCTOR */

    constructor(address token_, address insurance_, uint64 stakePerUnit_, uint32 unbondingPeriod_) {
        if (token_ == address(0) || insurance_ == address(0)) revert ErrorsLib.ZeroValue();
        if (unbondingPeriod_ == 0) revert ErrorsLib.ZeroValue();
        _token = IERC20(token_);
        insurance = insurance_;
        stakePerUnit = stakePerUnit_;
        unbondingPeriod = unbondingPeriod_;
    }

    /* MONEY */

    /// @inheritdoc IAccounts
    function deposit(uint64 amount) external {
        _deposit(amount);
    }

    /// @inheritdoc IAccounts
    function withdraw(uint64 amount, address to) external nonReentrant {
        if (amount == 0 || to == address(0)) revert ErrorsLib.ZeroValue();
        uint256 word = _accounts[msg.sender];
        uint64 balance = word.balance();
        if (balance < amount) revert ErrorsLib.InsufficientBalance(msg.sender, balance, amount);
        _accounts[msg.sender] = word - amount;
        emit EventsLib.Withdrawn(msg.sender, to, amount);
        _token.safeTransfer(to, amount);
    }

    /* STAKE */

    /// @inheritdoc IAccounts
    function stake(uint64 amount) external {
        if (amount == 0) revert ErrorsLib.ZeroValue();
        Account memory owned = _accounts[msg.sender].toAccount();
        if (owned.balance < amount) revert ErrorsLib.InsufficientBalance(msg.sender, owned.balance, amount);
        owned.balance -= amount;
        owned.stake += amount;
        _accounts[msg.sender] = owned.pack();
        emit EventsLib.Staked(msg.sender, amount);
    }

    /// @inheritdoc IAccounts
    function unbond(uint64 amount) external {
        if (amount == 0) revert ErrorsLib.ZeroValue();
        Account memory owned = _accounts[msg.sender].toAccount();
        uint256 needed = amount + _bound(owned);
        if (owned.stake < needed) revert ErrorsLib.InsufficientStake(msg.sender, owned.stake, needed);
        owned.stake -= amount;
        _accounts[msg.sender] = owned.pack();

        uint64 total = _unbondings[msg.sender].amount + amount;
        uint40 releaseAt = uint40(block.timestamp) + unbondingPeriod;
        _unbondings[msg.sender] = Unbonding({amount: total, releaseAt: releaseAt});
        emit EventsLib.UnbondingStarted(msg.sender, amount, total, releaseAt);
    }

    /// @inheritdoc IAccounts
    function claimUnbonded() external {
        Unbonding memory leaving = _unbondings[msg.sender];
        if (leaving.amount == 0 || block.timestamp < leaving.releaseAt) {
            revert ErrorsLib.NotReleased(leaving.releaseAt);
        }
        delete _unbondings[msg.sender];
        _credit(msg.sender, leaving.amount);
        emit EventsLib.Unbonded(msg.sender, leaving.amount);
    }

    /* VIEWS */

    /// @inheritdoc IAccounts
    function account(address owner) external view returns (Account memory) {
        return _accounts[owner].toAccount();
    }

    /// @inheritdoc IAccounts
    function unbonding(address owner) external view returns (Unbonding memory) {
        return _unbondings[owner];
    }

    /// @inheritdoc IAccounts
    function token() public view returns (address) {
        return address(_token);
    }

    /* FOR ALL */

    /// @dev Pulls `amount` of the caller's tokens into its balance.
    function _deposit(uint64 amount) internal {
        if (amount == 0) revert ErrorsLib.ZeroValue();
        _pull(msg.sender, amount);
        _credit(msg.sender, amount);
    }

    /* FOR OFFERS */

    /// @dev `provider` offers `units` more, for which its stake has to suffice.
    function _offerMore(address provider, uint32 units) internal {
        Account memory owned = _accounts[provider].toAccount();
        owned.offered += units;
        _requireStake(provider, owned);
        _accounts[provider] = owned.pack();
    }

    /// @dev `provider` offers `units` less.
    function _offerLess(address provider, uint32 units) internal {
        Account memory owned = _accounts[provider].toAccount();
        owned.offered -= units;
        _accounts[provider] = owned.pack();
    }

    /* FOR LEASES AND PROOFS */

    /// @dev Takes `amount` from the balance of `owner`, and what is missing there from its allowance.
    function _collect(address owner, uint64 amount) internal {
        Account memory owned = _accounts[owner].toAccount();
        uint64 own = owned.balance < amount ? owned.balance : amount;
        owned.balance -= own;
        _accounts[owner] = owned.pack();
        uint64 missing = amount - own;
        if (missing != 0) _pull(owner, missing);
    }

    /// @dev Nothing has to be accepted by the owner, so no payment can fail.
    function _credit(address owner, uint64 amount) internal {
        Account memory owned = _accounts[owner].toAccount();
        owned.balance += amount;
        _accounts[owner] = owned.pack();
    }

    /// @dev Puts `amount` more of the stake of `provider` behind a lease.
    function _reserve(address provider, uint64 amount) internal {
        Account memory owned = _accounts[provider].toAccount();
        owned.reserved += amount;
        _requireStake(provider, owned);
        _accounts[provider] = owned.pack();
    }

    /// @dev Puts up to `amount` of the stake of `provider` that backs nothing else yet behind a proof. How much there was.
    function _reserveUpTo(address provider, uint64 amount) internal returns (uint64 reserved) {
        Account memory owned = _accounts[provider].toAccount();
        uint64 free = owned.stake - owned.reserved;
        reserved = free < amount ? free : amount;
        owned.reserved += reserved;
        _accounts[provider] = owned.pack();
    }

    /// @dev Whether the stake of `provider` suffices for the units that it offers.
    function _coversUnits(address provider) internal view returns (bool) {
        Account memory owned = _accounts[provider].toAccount();
        return owned.stake >= uint256(owned.offered) * stakePerUnit;
    }

    /// @dev Frees `reserved` of the stake of `provider`, cuts `slashed` from it, and credits `paid`.
    function _release(address provider, uint64 reserved, uint64 slashed, uint64 paid) internal {
        Account memory owned = _accounts[provider].toAccount();
        owned.reserved -= reserved;
        owned.stake -= slashed;
        owned.balance += paid;
        _accounts[provider] = owned.pack();
    }

    /* INTERNAL */

    /// @dev The last effect of its callers. Guarded together with `withdraw`, so that nothing else moves the market's tokens
    /// between the two looks.
    function _pull(address owner, uint64 amount) private nonReentrant {
        uint256 before = _token.balanceOf(address(this));
        // `owner` is the caller, or has signed the order that this pays for.
        // slither-disable-next-line arbitrary-send-erc20
        _token.safeTransferFrom(owner, address(this), amount);
        uint256 held = _token.balanceOf(address(this));
        uint256 received = held - Math.min(before, held);
        if (received != amount) revert ErrorsLib.TokenDelivered(received, amount);
        if (held > type(uint64).max) revert ErrorsLib.TooMuchMoney(held);
        emit EventsLib.Deposited(owner, amount);
    }

    function _requireStake(address provider, Account memory owned) private view {
        uint256 needed = _bound(owned);
        if (owned.stake < needed) revert ErrorsLib.InsufficientStake(provider, owned.stake, needed);
    }

    /// @dev Stake that cannot leave: the more of what leases have reserved and what offers demand.
    function _bound(Account memory owned) private view returns (uint256) {
        return Math.max(owned.reserved, uint256(owned.offered) * stakePerUnit);
    }
}
