// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, Request, Verdict} from "../NotaryTypes.sol";
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

    /* VALIDATORS */

    /// @notice `validator` may be drawn for proofs opened from this block on.
    event ValidatorJoined(address indexed validator, uint256 seat, uint32 units);

    /// @notice `validator` is drawn for no proof opened after this block: it asked for that, or its stake fell below its
    /// units.
    event ValidatorLeft(address indexed validator, uint256 seat);

    /// @notice The seat is free, and the units bind no stake any more.
    event ValidatorDeparted(address indexed validator, uint256 seat);

    /// @notice `validator` lost `amount` of its stake to the insurance account.
    event ValidatorSlashed(bytes32 indexed id, address indexed validator, uint64 amount);

    /* PROOFS */

    /// @notice `market` is the one that this notary judges for.
    event Bound(address indexed market);

    /// @notice The fee is paid, and the hash of `drawBlock` draws. `agent` signed the root, zero where the lease's provider
    /// committed to it in the market; `contact` says where the states are.
    event ProofOpened(
        bytes32 indexed id,
        address indexed consumer,
        bytes32 indexed subject,
        Request request,
        uint40 drawBlock,
        address agent,
        bytes contact
    );

    /// @notice The hash of the block was gone; that of `drawBlock` draws.
    event ProofDelayed(bytes32 indexed id, uint40 drawBlock);

    /// @notice `validators` commit to what they found by `deadline`.
    event ProofDrawn(bytes32 indexed id, bytes32 seed, address[] validators, uint40 deadline);

    /// @notice `validator` has found something.
    event FindingCommitted(bytes32 indexed id, address indexed validator);

    /// @notice What `validator` had found.
    event FindingRevealed(bytes32 indexed id, address indexed validator, Finding finding, bytes32 result);

    /// @notice The leaf at `position` was planted, and was among those that were checked.
    event CanaryOpened(bytes32 indexed id, uint32 position);

    /// @notice The consumer has signed for all states that it then did not open.
    event ProofExcused(bytes32 indexed id);

    /// @notice The verdict, what of the fee went to validators and what back to the consumer, what the provider lost and
    /// what of that the consumer got.
    event ProofConcluded(
        bytes32 indexed id, Verdict verdict, uint64 feePaid, uint64 feeBack, uint64 slashed, uint64 toConsumer
    );

    /// @notice Nobody drew in time, and the consumer has its fee back.
    event ProofAbandoned(bytes32 indexed id, uint64 feeBack);

    /* LOGS */

    /// @notice The log of `sender` with this name has come this far.
    event Anchored(address indexed sender, bytes32 indexed log, uint64 size, bytes32 root);
}
