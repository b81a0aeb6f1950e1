// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Lease, Order, Penalty} from "../Types.sol";

/// @title ILeases
/// @notice The life of a lease. Every function names the lease by its order; `contracts/README.md` has the table of
/// states, who may move them, and until when.
/// @dev A party may act up to and including a deadline; `expire` works after it.
interface ILeases {
    /* CREATION */

    /// @notice The consumer pays the whole span into escrow and waits for the provider.
    /// @dev Takes the money from the caller's balance, and what is missing from its allowance.
    /// @param contact Where the agent reports to, and the pin of its certificate; must hash to `order.contactHash`.
    /// @return id See `leaseId`.
    function createLease(Order calldata order, bytes calldata contact) external returns (bytes32 id);

    /// @notice `createLease` by anybody who holds the consumer's EIP-712 signature of the order (ERC-1271 for contracts).
    function createLeaseFor(Order calldata order, bytes calldata contact, bytes calldata signature)
        external
        returns (bytes32 id);

    /// @notice Before acceptance: the consumer or the provider ends it, and the consumer has everything back. For an order
    /// that was signed and never created: the consumer makes it void.
    function cancel(Order calldata order) external;

    /* RUNNING */

    /// @notice The provider takes the order: units and stake are reserved, billing starts.
    function accept(Order calldata order) external;

    /// @notice The consumer buys `extra` seconds for a running lease, within the offer's window.
    function extend(Order calldata order, uint32 extra) external;

    /// @notice The consumer or the provider ends a running lease. Seconds not used are refunded at once; the provider has
    /// the commit window to claim the used ones.
    function end(Order calldata order) external;

    /// @notice The provider commits to its work, once. On a running lease this ends it too.
    function commit(Order calldata order, bytes32 root, uint32 leafCount) external;

    /// @notice `commit` with the signatures of the agent (EIP-712 `Commitment`) and of the provider that delegated to the
    /// agent's key (EIP-712 `Delegation`). Anybody may bring them once the lease is over; the provider also before.
    function commitSigned(
        Order calldata order,
        bytes32 root,
        uint32 leafCount,
        bytes calldata delegation,
        bytes calldata signature
    ) external;

    /* OUTCOME */

    /// @notice Pays the provider for the used seconds. By the consumer unless the lease is disputed, or by the verifier.
    function settle(Order calldata order) external;

    /// @notice Gives the consumer everything back. By the provider before it has committed, or by the verifier after.
    function refund(Order calldata order) external;

    /// @notice The verifier reports a mismatch and gets the dispute window for its verdict.
    function dispute(Order calldata order) external;

    /// @notice The verifier finds the work wrong: the consumer has everything back, the provider loses stake.
    function slash(Order calldata order, Penalty calldata penalty) external;

    /// @notice The exit by time, for anybody: once the deadline of its state has passed, an open lease is cancelled, one
    /// without commitment refunded, one with an undisputed commitment settled, a disputed one refunded.
    function expire(Order calldata order) external;

    /* VIEWS */

    /// @notice The EIP-712 digest of the order, which binds it to its consumer, this contract and this chain.
    function leaseId(Order calldata order) external view returns (bytes32);

    /// @notice What the chain keeps of a lease, all zero if it was never created. The order is in `LeaseCreated`.
    function lease(bytes32 id) external view returns (Lease memory);

    /// @notice The root that the provider committed to; it never changes after that.
    function rootOf(bytes32 id) external view returns (bytes32);

    /// @notice The consumer's money in the lease: the price of the span, then of the used seconds, then nothing.
    function escrowOf(bytes32 id) external view returns (uint64);

    /// @notice The provider's stake that backs the lease.
    function reserveOf(bytes32 id) external view returns (uint64);

    /// @notice What `used` seconds cost at `rate` an hour, rounded up once.
    function charge(uint64 rate, uint32 used) external pure returns (uint64);

    /// @notice The digest that the provider signs to let `agent` commit in its name.
    function delegationDigest(bytes32 id, address agent) external view returns (bytes32);

    /// @notice The digest that the agent signs to commit.
    function commitmentDigest(bytes32 id, bytes32 root, uint32 leafCount) external view returns (bytes32);

    /// @notice Stake reserved for a lease, in ten-thousandths of its price.
    function reserveBps() external view returns (uint32);

    /// @notice Seconds to commit after a lease is over.
    function commitWindow() external view returns (uint32);

    /// @notice Seconds for a verdict or a dispute after the commitment.
    function verdictWindow() external view returns (uint32);

    /// @notice Seconds for the verdict after a dispute.
    function disputeWindow() external view returns (uint32);
}
