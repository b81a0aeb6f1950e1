// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cause, OfferId, OfferTerms, Order, Penalty} from "../Types.sol";

/// @title EventsLib
/// @notice One event for each transition. `id` of a lease event is the order's digest.
library EventsLib {
    /* ACCOUNTS */

    /// @notice `owner` paid `amount` into its balance, by a deposit or for a lease.
    event Deposited(address indexed owner, uint64 amount);

    /// @notice `owner` sent `amount` of its balance to `to`.
    event Withdrawn(address indexed owner, address indexed to, uint64 amount);

    /// @notice `provider` staked `amount` of its balance.
    event Staked(address indexed provider, uint64 amount);

    /// @notice `provider` asked for `amount` of its stake; `total` may be claimed from `releaseAt` on.
    event UnbondingStarted(address indexed provider, uint64 amount, uint64 total, uint40 releaseAt);

    /// @notice `amount` of former stake became balance.
    event Unbonded(address indexed provider, uint64 amount);

    /* OFFERS */

    /// @notice An offer is there; `spec` describes its hardware and hashes to `specHashOf(id)`.
    event OfferPosted(OfferId indexed id, address indexed provider, OfferTerms terms, bytes spec);

    /// @notice No further lease begins on the offer.
    event OfferWithdrawn(OfferId indexed id);

    /* LEASES */

    /// @notice `escrow` is paid in and the provider may accept; `contact` tells its agent where to report.
    event LeaseCreated(
        bytes32 indexed id, address indexed consumer, OfferId indexed offer, uint64 escrow, Order order, bytes contact
    );

    /// @notice The lease ended before acceptance; `refunded` went back to the consumer.
    event LeaseCancelled(bytes32 indexed id, uint64 refunded, Cause cause);

    /// @notice The provider accepted now and has `reserved` of its stake behind the lease.
    event LeaseAccepted(bytes32 indexed id, uint64 reserved);

    /// @notice The lease now lasts `span` seconds from its start, for `paid` more and `reserved` more stake.
    event LeaseExtended(bytes32 indexed id, uint32 span, uint64 paid, uint64 reserved);

    /// @notice Billing stopped at `used` seconds, and `refunded` went back to the consumer.
    event LeaseEnded(bytes32 indexed id, uint32 used, uint64 refunded, Cause cause);

    /// @notice `signer` committed to the work of `used` seconds; `refunded` went back to the consumer if this ended the
    /// lease.
    event LeaseCommitted(
        bytes32 indexed id, bytes32 root, uint32 leafCount, address signer, uint32 used, uint64 refunded
    );

    /// @notice The verifier found a mismatch.
    event LeaseDisputed(bytes32 indexed id, uint40 deadline);

    /// @notice The provider was paid.
    event LeaseSettled(bytes32 indexed id, uint64 paid, Cause cause);

    /// @notice The consumer has the escrow back.
    event LeaseRefunded(bytes32 indexed id, uint64 refunded, Cause cause);

    /// @notice The consumer has the escrow back, and the provider's stake was cut.
    event LeaseSlashed(bytes32 indexed id, uint64 refunded, Penalty penalty, uint64 toInsurance);

    /* ADMINISTRATION */

    /// @notice `next` may be put in place from `from` on.
    event VerifierScheduled(address indexed next, uint40 from);

    /// @notice `next` gives the verdicts from now on.
    event VerifierChanged(address indexed previous, address indexed next);
}
