// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, Outcome, Phase, Request, Verdict} from "../../src/NotaryTypes.sol";
import {Notary} from "../../src/Notary.sol";
import {Account, Config, Order, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {NotaryTest} from "../helpers/NotaryTest.sol";

contract ConcludeTest is NotaryTest {
    Finding private constant SAME = Finding.Same;
    Finding private constant DIFFERS = Finding.Differs;
    Finding private constant WITHHELD = Finding.Withheld;
    Finding private constant SILENT = Finding.None;

    uint64 private constant FEE_TOTAL = 3 * SHARE;

    /// @dev The rules of `crates/evidence/src/verdict.rs`, and what each does to the lease.
    function test_conclude_verdicts() external {
        check([SAME, SAME, SAME], Verdict.Passed, State.Settled, 3);
        check([SAME, SILENT, SAME], Verdict.Passed, State.Settled, 2);
        check([DIFFERS, DIFFERS, DIFFERS], Verdict.Failed, State.Slashed, 3);
        check([DIFFERS, SILENT, SILENT], Verdict.Failed, State.Slashed, 1);
        check([DIFFERS, WITHHELD, WITHHELD], Verdict.Disputed, State.Refunded, 3);
        check([SAME, SAME, DIFFERS], Verdict.Disputed, State.Refunded, 3);
        check([SAME, DIFFERS, DIFFERS], Verdict.Disputed, State.Refunded, 3);
        check([WITHHELD, SAME, SILENT], Verdict.Unknown, State.Refunded, 2);
        check([WITHHELD, WITHHELD, WITHHELD], Verdict.Unknown, State.Slashed, 3);
        check([WITHHELD, SILENT, WITHHELD], Verdict.Unknown, State.Slashed, 2);
        check([SILENT, SILENT, SILENT], Verdict.Unknown, State.Committed, 0);
    }

    uint64 private _salt = 100;

    function check(Finding[3] memory findings, Verdict verdict, State state, uint64 spoke) private {
        (Order memory order, bytes32 subject) = committedLease(++_salt);
        Request memory request = aRequest(subject, market.rootOf(subject));
        bytes32 id = open(request, order);
        draw(request, id);
        _before = ownedBy(consumer).balance;
        _insured = ownedBy(insurance).balance;
        for (uint256 i = 0; i < 3; i++) {
            _owned[i] = ownedBy(drawnOf(id)[i]);
        }
        allSay(id, findings);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        conclude(request, order);
        assertVerdict(id, verdict);
        assertState(subject, state);
        checkMoney(id, findings, spoke);
        checkStakes(id, findings);
    }

    uint64 private _before;
    uint64 private _insured;
    Account[3] private _owned;

    function checkMoney(bytes32 id, Finding[3] memory findings, uint64 spoke) private view {
        Outcome memory outcome = outcomeOf(id);
        vm.assertEq(outcome.feePaid, spoke * SHARE, "fee paid");
        vm.assertEq(outcome.feeBack, FEE_TOTAL - spoke * SHARE, "fee back");
        vm.assertEq(ownedBy(consumer).balance - _before, outcome.feeBack, "consumer");
        uint64 lost = (3 - spoke) * STAKE_PER_PROOF + dust(outcome, findings);
        vm.assertEq(ownedBy(insurance).balance - _insured, lost, "insurance");
    }

    function checkStakes(bytes32 id, Finding[3] memory findings) private {
        for (uint256 i = 0; i < 3; i++) {
            bool isSilent = findings[i] == SILENT;
            address who = drawnOf(id)[i];
            vm.assertEq(_owned[i].stake - ownedBy(who).stake, isSilent ? STAKE_PER_PROOF : 0, "stake");
            vm.assertEq(ownedBy(who).reserved, _owned[i].reserved - STAKE_PER_PROOF, "reserved");
            // Who lost stake has it again, so that there is somebody to draw next time.
            if (isSilent) again(who);
        }
    }

    function again(address who) private {
        fundAtNotary(who, STAKE_PER_PROOF);
        vm.prank(who);
        notary.stake(STAKE_PER_PROOF);
        vm.roll(block.number + 300);
        notary.depart(who);
        vm.prank(who);
        notary.join(1);
    }

    function dust(Outcome memory outcome, Finding[3] memory findings) private pure returns (uint64) {
        uint64 found = 0;
        for (uint256 i = 0; i < 3; i++) {
            if (findings[i] == DIFFERS) found++;
        }
        return found == 0 ? 0 : (outcome.slashed / 4) % found;
    }

    /* WHO, AND WHEN */

    function test_conclude_byConsumerAtOnce() external {
        (Request memory request, Order memory order, bytes32 id) = drawnProof();
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, id, Phase.Committing));
        conclude(request, order);
        allSay(id, [SAME, SAME, SAME]);
        uint40 deadline = proofOf(id).deadline;
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooEarly.selector, deadline));
        notary.conclude(request, order);
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.ProofConcluded(id, Verdict.Passed, 3 * SHARE, 0, 0, 0);
        notary.conclude(request, order);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, id, Phase.Concluded));
        conclude(request, order);
    }

    function test_conclude_byAnybodyLater() external {
        (Request memory request, Order memory order, bytes32 id) = drawnProof();
        allSay(id, [SAME, SAME, SAME]);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        vm.prank(stranger);
        notary.conclude(request, order);
        assertVerdict(id, Verdict.Passed);
    }

    function test_conclude_otherOrderOrRequest() external {
        (Request memory request, Order memory order, bytes32 id) = drawnProof();
        allSay(id, [SAME, SAME, SAME]);
        (Order memory another,) = committedLease(2);
        bytes memory wrong = abi.encodeWithSelector(ErrorsLib.WrongSubject.selector, request.subject);
        vm.expectRevert(wrong);
        conclude(request, another);
        vm.expectRevert(wrong);
        notary.concludeSigned(request);
        request.fee++;
        bytes32 none = notary.proofId(request);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, none, Phase.None));
        conclude(request, order);
        request.fee--;
        request.provider = address(0);
        vm.expectRevert(wrong);
        conclude(request, order);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, notary.proofId(request), Phase.None));
        notary.concludeSigned(request);
        assertPhase(id, Phase.Closing);
    }

    function test_concludeSigned() external {
        (Request memory request, bytes memory signature) = aSignedRequest(keccak256("elsewhere"));
        bytes32 id = openSigned(request, signature);
        draw(request, id);
        allSay(id, [DIFFERS, DIFFERS, DIFFERS]);
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.ProofConcluded(id, Verdict.Failed, 3 * SHARE, 0, 0, 0);
        notary.concludeSigned(request);
        assertVerdict(id, Verdict.Failed);
    }

    /* WHAT A VERDICT MOVES */

    /// @dev Validators that differ from one another show nothing about the provider: nobody is slashed.
    function test_conclude_differentDifferences() external {
        (Request memory request, Order memory order, bytes32 id) = drawnProof();
        allSay(id, [DIFFERS, DIFFERS, DIFFERS], [RESULT, RESULT, keccak256("another")]);
        conclude(request, order);
        assertVerdict(id, Verdict.Disputed);
        assertState(request.subject, State.Refunded);
        vm.assertTrue(proofOf(id).split, "split");
    }

    /// @dev The consumer has its fee back before anybody is rewarded; who found the difference shares a quarter; the insurance
    /// gets what is left.
    function test_conclude_slash() external {
        (Request memory request, Order memory order, bytes32 id) = drawnProof();
        uint64 reserve = market.reserveOf(request.subject);
        uint64 escrow = market.escrowOf(request.subject);
        (uint64 theirs, uint64 staked) = (balanceOf(consumer), market.account(provider).stake);
        address[] memory who = drawnOf(id);
        allSay(id, [DIFFERS, DIFFERS, DIFFERS]);
        conclude(request, order);
        Outcome memory outcome = outcomeOf(id);
        vm.assertEq(outcome.slashed, reserve, "the whole reserve");
        vm.assertEq(outcome.toConsumer, 3 * SHARE, "the fee");
        vm.assertEq(balanceOf(consumer) - theirs, escrow + 3 * SHARE, "consumer");
        vm.assertEq(staked - market.account(provider).stake, reserve, "provider");
        uint64 part = reserve / 4 / 3;
        vm.assertEq(ownedBy(who[0]).balance, SHARE + part, "who differed");
        vm.assertEq(ownedBy(who[1]).balance, SHARE + part, "who differed");
        vm.assertEq(ownedBy(who[2]).balance, SHARE + part, "who differed");
        vm.assertEq(balanceOf(insurance), reserve - reserve / 4 - 3 * SHARE, "insurance of the market");
        vm.assertEq(ownedBy(insurance).balance, reserve / 4 - 3 * part, "dust");
        vm.assertEq(market.account(address(notary)).balance, 0, "nothing stays there");
    }

    /// @dev A fee higher than a quarter of the reserve is not made up for in full: half of a slash is always lost.
    function test_conclude_slash_feeHigherThanAQuarter() external {
        (Order memory order, bytes32 subject) = committedLease(1);
        Request memory request = aRequest(subject, market.rootOf(subject));
        request.fee = DOLLAR;
        bytes32 id = open(request, order);
        draw(request, id);
        allSay(id, [DIFFERS, DIFFERS, DIFFERS]);
        uint64 reserve = market.reserveOf(subject);
        conclude(request, order);
        vm.assertEq(outcomeOf(id).toConsumer, reserve / 4, "to the consumer");
    }

    /// @dev The consumer took it back, time was faster, or another verifier judges by now: validators are paid all the same.
    function test_conclude_leaseMoves_noMore() external {
        for (uint64 i = 0; i < 3; i++) {
            (Order memory order, bytes32 subject) = committedLease(10 + i);
            Request memory request = aRequest(subject, market.rootOf(subject));
            bytes32 id = open(request, order);
            draw(request, id);
            allSay(id, [DIFFERS, DIFFERS, DIFFERS]);
            if (i == 0) {
                vm.prank(consumer);
                market.settle(order);
            } else if (i == 1) {
                skipDeadline(subject);
            } else {
                vm.prank(owner);
                market.scheduleVerifier(stranger);
                vm.warp(market.lease(subject).deadline);
                uint256 now_ = block.timestamp;
                vm.warp(now_ + market.verifierDelay());
                market.applyVerifier();
                vm.warp(now_);
            }
            uint256 staked = market.account(provider).stake;
            vm.prank(consumer);
            vm.expectEmit();
            emit EventsLib.ProofConcluded(id, Verdict.Failed, 3 * SHARE, 0, 0, 0);
            notary.conclude(request, order);
            vm.assertEq(market.account(provider).stake, staked, "stake");
            vm.assertEq(outcomeOf(id).feePaid, 3 * SHARE, "validators");
        }
    }

    /// @dev A lease whose price is so low that a tenth of its reserve is nothing, or that has no reserve.
    function test_conclude_nothingToSlash() external {
        Config memory free = config(address(dollar));
        Notary other = deployNotary(notaryConfig());
        free.verifier = address(other);
        free.reserveBps = 0;
        market = deployMarket(owner, free);
        other.bind(market);
        notary = other;
        fund(consumer, 100 * DOLLAR);
        fund(provider, 100 * DOLLAR);
        vm.prank(provider);
        market.stake(100 * DOLLAR);
        offerId = postOffer(1);
        fundAtNotary(consumer, 100 * DOLLAR);
        for (uint256 i = 0; i < 3; i++) {
            seat(validators[i], 1);
        }
        Finding[3][2] memory findings = [[DIFFERS, DIFFERS, DIFFERS], [WITHHELD, WITHHELD, WITHHELD]];
        for (uint64 i = 0; i < 2; i++) {
            (Order memory order, bytes32 subject) = committedLease(20 + i);
            Request memory request = aRequest(subject, market.rootOf(subject));
            bytes32 id = open(request, order);
            draw(request, id);
            allSay(id, findings[i]);
            vm.warp(uint256(proofOf(id).deadline) + 1);
            conclude(request, order);
            assertState(subject, State.Refunded);
            vm.assertEq(outcomeOf(id).slashed, 0, "slashed");
        }
    }
}
