// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, Outcome, Phase, Request, Verdict} from "../../src/NotaryTypes.sol";
import {Account, Order, State} from "../../src/Types.sol";
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
        check([DIFFERS, WITHHELD, WITHHELD], Verdict.Failed, State.Slashed, 3);
        check([SAME, SAME, DIFFERS], Verdict.Disputed, State.Refunded, 3);
        check([SAME, DIFFERS, DIFFERS], Verdict.Disputed, State.Refunded, 3);
        check([WITHHELD, SAME, SILENT], Verdict.Disputed, State.Refunded, 2);
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
        _before = at(consumer).balance;
        _insured = at(insurance).balance;
        for (uint256 i = 0; i < 3; i++) {
            _owned[i] = at(drawnOf(id)[i]);
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
        vm.assertEq(at(consumer).balance - _before, outcome.feeBack, "consumer");
        uint64 lost = (3 - spoke) * STAKE_PER_PROOF + dust(outcome, findings);
        vm.assertEq(at(insurance).balance - _insured, lost, "insurance");
    }

    function checkStakes(bytes32 id, Finding[3] memory findings) private {
        for (uint256 i = 0; i < 3; i++) {
            bool isSilent = findings[i] == SILENT;
            address who = drawnOf(id)[i];
            vm.assertEq(_owned[i].stake - at(who).stake, isSilent ? STAKE_PER_PROOF : 0, "stake");
            vm.assertEq(at(who).reserved, _owned[i].reserved - STAKE_PER_PROOF, "reserved");
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
}
