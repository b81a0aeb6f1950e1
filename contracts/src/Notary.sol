// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Accounts} from "./Accounts.sol";
import {Anchor, NotaryConfig, Outcome, Proof, Request, Verdict} from "./NotaryTypes.sol";
import {Proofs} from "./Proofs.sol";
import {Lease, OfferId, Order, Penalty, State} from "./Types.sol";
import {Typed} from "./Typed.sol";
import {Validators} from "./Validators.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {INotary} from "./interfaces/INotary.sol";
import {IProofs} from "./interfaces/IProofs.sol";
import {ErrorsLib} from "./libraries/ErrorsLib.sol";
import {EventsLib} from "./libraries/EventsLib.sol";
import {OfferIdLib} from "./libraries/OfferIdLib.sol";

/// @title Notary
/// @notice Proofs, and what their verdicts do to the leases of one market. It has no owner.
contract Notary is Proofs, INotary {
    using OfferIdLib for OfferId;

    /* CONSTANTS */

    /// @dev The consumer gets at most this part of a slash, and so do the validators that found the difference.
    uint64 private constant SLASH_PARTS = 4;
    /// @dev For states kept back without an excuse, this part of the reserve is taken.
    uint64 private constant WITHHELD_PARTS = 10;

    /* IMMUTABLES */

    address private immutable _deployer;

    /* STORAGE */

    /// @inheritdoc INotary
    IMarket public market;
    mapping(address sender => mapping(bytes32 log => Anchor)) private _anchors;

    /* CONSTRUCTOR */

    constructor(NotaryConfig memory config)
        Typed("Waag Notary", "1")
        Accounts(config.token, config.insurance, config.stakePerUnit, config.unbondingPeriod)
        Validators(config)
        Proofs(config)
    {
        _deployer = msg.sender;
    }

    /// @inheritdoc INotary
    function bind(IMarket served) external {
        if (msg.sender != _deployer) revert ErrorsLib.Unauthorized(msg.sender);
        if (address(market) != address(0)) revert ErrorsLib.WrongMarket(address(market));
        if (served.verifier() != address(this) || served.token() != token()) {
            revert ErrorsLib.WrongMarket(address(served));
        }
        if (served.verdictWindow() < leadTime()) revert ErrorsLib.WrongConfig();
        market = served;
        emit EventsLib.Bound(address(served));
    }

    /* PROOFS OF LEASES OF THE MARKET */

    /// @inheritdoc IProofs
    function open(Request memory request, Order calldata order, bytes calldata contact) external returns (bytes32) {
        _requireOrder(request, order);
        bytes32 subject = request.subject;
        Lease memory lease = market.lease(subject);
        if (lease.state != State.Committed) revert ErrorsLib.WrongState(subject, lease.state);
        bool isCommitted = market.rootOf(subject) == request.root && lease.leafCount == request.leafCount;
        bool isSame = order.consumer == request.consumer && order.jobHash == request.jobHash
            && order.offer.provider() == request.provider;
        if (!isCommitted || !isSame) revert ErrorsLib.WrongSubject(subject);
        if (block.timestamp + leadTime() > lease.deadline) revert ErrorsLib.TooLate(lease.deadline - leadTime());
        return _open(request, address(0), contact);
    }

    /// @inheritdoc INotary
    function conclude(Request memory request, Order calldata order) external nonReentrant {
        _requireOrder(request, order);
        (bytes32 id, Proof memory found, Outcome memory outcome) = _conclude(request);
        IMarket served = market;
        bool isPending = _isPending(served, request.subject);
        // One that could open the states shows that they were handed over: then nobody is punished.
        bool isPunished = found.verdict == Verdict.Failed || (_isWithheld(found) && found.same == 0);
        if (isPending && isPunished) {
            uint64 reserve = served.reserveOf(request.subject);
            outcome.slashed = found.verdict == Verdict.Failed ? reserve : reserve / WITHHELD_PARTS;
            outcome.toConsumer = uint64(Math.min(outcome.feePaid, outcome.slashed / SLASH_PARTS));
        }
        _setOutcome(id, found.verdict, outcome);
        if (isPending) _judge(served, id, order, found, outcome);
    }

    /// @inheritdoc INotary
    function concludeSigned(Request memory request) external {
        if (request.provider != address(0)) revert ErrorsLib.WrongSubject(request.subject);
        (bytes32 id, Proof memory found, Outcome memory outcome) = _conclude(request);
        _setOutcome(id, found.verdict, outcome);
    }

    /* LOGS */

    /// @inheritdoc INotary
    function anchor(bytes32 log, uint64 size, bytes32 root) external {
        if (root == 0) revert ErrorsLib.ZeroValue();
        Anchor storage last = _anchors[msg.sender][log];
        if (size < last.size || (size == last.size && last.root != 0 && root != last.root)) {
            revert ErrorsLib.LogRewritten(log, last.size);
        }
        (last.size, last.root) = (size, root);
        emit EventsLib.Anchored(msg.sender, log, size, root);
    }

    /// @inheritdoc INotary
    function anchored(address sender, bytes32 log) external view returns (Anchor memory) {
        return _anchors[sender][log];
    }

    /* INTERNAL */

    /// @dev Does to the lease what follows from the findings.
    function _judge(IMarket served, bytes32 id, Order calldata order, Proof memory found, Outcome memory outcome)
        private
    {
        if (found.verdict == Verdict.Passed || (found.verdict == Verdict.Unknown && found.excused)) {
            served.settle(order);
        } else if (outcome.slashed != 0) {
            _slash(served, id, order, found, outcome);
        } else if (found.verdict != Verdict.Unknown || _isWithheld(found)) {
            served.refund(order);
        }
        // Nobody spoke: the lease is left to time.
    }

    function _slash(IMarket served, bytes32 id, Order calldata order, Proof memory found, Outcome memory outcome)
        private
    {
        uint64 reward = found.differs == 0 ? 0 : outcome.slashed / SLASH_PARTS;
        Penalty memory penalty = Penalty({
            amount: outcome.slashed, toConsumer: outcome.toConsumer, toChallenger: reward, challenger: address(this)
        });
        served.slash(order, penalty);
        if (reward == 0) return;
        // The market refuses tokens that deliver less than they were asked for.
        served.withdraw(reward, address(this));
        _rewardDiffering(id, found, reward);
    }

    /// @dev Some found the states kept back, none found a difference, and nobody had a receipt.
    function _isWithheld(Proof memory found) private pure returns (bool) {
        return found.verdict == Verdict.Unknown && found.withheld != 0 && !found.excused;
    }

    /// @dev Whether a verdict still moves the lease. The consumer may have settled it, or time; and another verifier may
    /// have been put in place.
    function _isPending(IMarket served, bytes32 subject) private view returns (bool) {
        Lease memory lease = served.lease(subject);
        bool awaitsVerdict = lease.state == State.Committed || lease.state == State.Disputed;
        return awaitsVerdict && block.timestamp <= lease.deadline && served.verifier() == address(this);
    }

    function _requireOrder(Request memory request, Order calldata order) private view {
        IMarket served = market;
        if (address(served) == address(0)) revert ErrorsLib.WrongMarket(address(0));
        bool isMarkets = request.provider != address(0) && served.leaseId(order) == request.subject;
        if (!isMarkets) revert ErrorsLib.WrongSubject(request.subject);
    }
}
