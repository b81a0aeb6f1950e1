// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Drawn, Finding, Phase, Proof, Request} from "../../src/NotaryTypes.sol";
import {Order} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {HashLib} from "../../src/libraries/HashLib.sol";
import {NotaryTest} from "../helpers/NotaryTest.sol";

contract FindingsTest is NotaryTest {
    function expectWrongPhase(bytes32 id, Phase phase) private {
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, id, phase));
    }

    function expectNothingToSay(address who) private {
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NothingToSay.selector, who));
    }

    function test_commitFinding() external {
        (,, bytes32 id) = drawnProof();
        address[] memory who = drawnOf(id);
        for (uint256 i = 0; i < 3; i++) {
            bytes32 hash = HashLib.finding(id, who[i], Finding.Same, RESULT, SALT);
            vm.prank(who[i]);
            vm.expectEmit();
            emit EventsLib.FindingCommitted(id, who[i]);
            notary.commitFinding(id, hash);
            vm.assertEq(proofOf(id).committed, i + 1, "committed");
        }
        // All have: they need not wait for the deadline.
        assertPhase(id, Phase.Revealing);
        vm.assertEq(proofOf(id).deadline, block.timestamp + REVEAL_WINDOW, "deadline");
    }

    function test_commitFinding_refused() external {
        (,, bytes32 id) = drawnProof();
        address[] memory who = drawnOf(id);
        expectNothingToSay(stranger);
        say(id, stranger, Finding.Same, RESULT);
        vm.prank(who[0]);
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        notary.commitFinding(id, 0);
        say(id, who[0], Finding.Same, RESULT);
        expectNothingToSay(who[0]);
        say(id, who[0], Finding.Differs, RESULT);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        expectWrongPhase(id, Phase.Revealing);
        say(id, who[1], Finding.Same, RESULT);
        expectWrongPhase(keccak256("none"), Phase.None);
        say(keccak256("none"), who[1], Finding.Same, RESULT);
    }

    function test_commitFinding_untilItsDeadline() external {
        (,, bytes32 id) = drawnProof();
        vm.warp(proofOf(id).deadline);
        say(id, drawnOf(id)[0], Finding.Same, RESULT);
    }

    function test_revealFinding() external {
        (,, bytes32 id) = drawnProof();
        address[] memory who = drawnOf(id);
        Finding[3] memory findings = [Finding.Same, Finding.Differs, Finding.Withheld];
        for (uint256 i = 0; i < 3; i++) {
            say(id, who[i], findings[i], bytes32(i));
        }
        for (uint256 i = 0; i < 3; i++) {
            vm.prank(who[i]);
            vm.expectEmit();
            emit EventsLib.FindingRevealed(id, who[i], findings[i], bytes32(i));
            notary.revealFinding(id, findings[i], bytes32(i), SALT);
            (,,, Drawn[] memory drawn) = notary.proof(id);
            vm.assertEq(uint256(drawn[i].finding), uint256(findings[i]), "finding");
            vm.assertEq(drawn[i].word, bytes32(i), "result");
        }
        Proof memory found = proofOf(id);
        vm.assertEq(found.same, 1, "same");
        vm.assertEq(found.differs, 1, "differs");
        vm.assertEq(found.withheld, 1, "withheld");
        assertPhase(id, Phase.Closing);
        vm.assertEq(found.deadline, block.timestamp + REVEAL_WINDOW, "deadline");
    }

    function test_revealFinding_refused() external {
        (,, bytes32 id) = drawnProof();
        address[] memory who = drawnOf(id);
        say(id, who[0], Finding.Same, RESULT);
        expectWrongPhase(id, Phase.Committing);
        reveal(id, who[0], Finding.Same, RESULT);
        say(id, who[1], Finding.Same, RESULT);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        expectNothingToSay(stranger);
        reveal(id, stranger, Finding.Same, RESULT);
        // Who committed to nothing has nothing to reveal.
        expectNothingToSay(who[2]);
        reveal(id, who[2], Finding.Same, RESULT);
        vm.expectRevert(ErrorsLib.WrongReveal.selector);
        reveal(id, who[0], Finding.Differs, RESULT);
        vm.expectRevert(ErrorsLib.WrongReveal.selector);
        reveal(id, who[0], Finding.Same, keccak256("another"));
        vm.expectRevert(ErrorsLib.WrongReveal.selector);
        vm.prank(who[0]);
        notary.revealFinding(id, Finding.Same, RESULT, keccak256("another"));
        reveal(id, who[0], Finding.Same, RESULT);
        expectNothingToSay(who[0]);
        reveal(id, who[0], Finding.Same, RESULT);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        expectWrongPhase(id, Phase.Closing);
        reveal(id, who[1], Finding.Same, RESULT);
    }

    /// @dev "Nothing" can be committed to, as any bytes can, and cannot be said.
    function test_revealFinding_nothing() external {
        (,, bytes32 id) = drawnProof();
        address[] memory who = drawnOf(id);
        say(id, who[0], Finding.None, RESULT);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        vm.expectRevert(ErrorsLib.WrongReveal.selector);
        reveal(id, who[0], Finding.None, RESULT);
    }

    function test_revealFinding_untilItsDeadline() external {
        (,, bytes32 id) = drawnProof();
        address who = drawnOf(id)[1];
        say(id, who, Finding.Same, RESULT);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        vm.warp(proofOf(id).deadline);
        reveal(id, who, Finding.Same, RESULT);
        // The one who committed has spoken: nothing more can be said.
        assertPhase(id, Phase.Closing);
    }

    /// @dev A validator sees another's hash, and nothing else, before all have committed or had their time; and that hash is
    /// worth nothing in its own name.
    function test_copiedFinding() external {
        (,, bytes32 id) = drawnProof();
        address[] memory who = drawnOf(id);
        bytes32 hash = HashLib.finding(id, who[0], Finding.Same, RESULT, SALT);
        vm.prank(who[0]);
        notary.commitFinding(id, hash);
        vm.prank(who[1]);
        notary.commitFinding(id, hash);
        expectWrongPhase(id, Phase.Committing);
        reveal(id, who[0], Finding.Same, RESULT);
        say(id, who[2], Finding.Same, RESULT);
        reveal(id, who[0], Finding.Same, RESULT);
        vm.expectRevert(ErrorsLib.WrongReveal.selector);
        reveal(id, who[1], Finding.Same, RESULT);
        reveal(id, who[2], Finding.Same, RESULT);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        (Request memory request, Order memory order) = theRequest();
        conclude(request, order);
        vm.assertEq(ownedBy(who[1]).stake, VALIDATOR_STAKE - STAKE_PER_PROOF, "the copier's stake");
        vm.assertEq(ownedBy(who[1]).balance, 0, "the copier's pay");
        vm.assertEq(ownedBy(who[0]).balance, SHARE, "the other's pay");
    }

    /// @dev Nor in another proof.
    function test_repeatedFinding() external {
        (,, bytes32 id) = drawnProof();
        (Request memory request, bytes memory signature) = aSignedRequest(keccak256("another"));
        request.validators = 7;
        bytes32 other = openSigned(request, signature);
        draw(request, other);
        address who = drawnOf(id)[0];
        bytes32 hash = HashLib.finding(id, who, Finding.Same, RESULT, SALT);
        vm.prank(who);
        notary.commitFinding(other, hash);
        vm.warp(uint256(proofOf(other).deadline) + 1);
        vm.expectRevert(ErrorsLib.WrongReveal.selector);
        reveal(other, who, Finding.Same, RESULT);
    }

    function theRequest() private view returns (Request memory request, Order memory order) {
        order = anOrder(1);
        order.acceptBy = NOW + 5 minutes;
        request = aRequest(market.leaseId(order), market.rootOf(market.leaseId(order)));
    }

    /// @dev However the time is spent, phases follow one another, and each ends.
    function testFuzz_phasesEndByThemselves(uint256 luck) external {
        (Request memory request, Order memory order, bytes32 id) = drawnProof();
        address[] memory who = drawnOf(id);
        for (uint256 i = 0; i < 3; i++) {
            if ((luck >> i) & 1 == 1) say(id, who[i], Finding((luck >> (8 + 2 * i)) % 3 + 1), RESULT);
        }
        skip((luck >> 32) % FINDING_WINDOW);
        if (proofOf(id).phase == Phase.Committing) vm.warp(uint256(proofOf(id).deadline) + 1);
        for (uint256 i = 0; i < 3; i++) {
            bool isSaid = (luck >> i) & 1 == 1 && (luck >> (3 + i)) & 1 == 1;
            if (isSaid && proofOf(id).phase == Phase.Revealing) {
                reveal(id, who[i], Finding((luck >> (8 + 2 * i)) % 3 + 1), RESULT);
            }
        }
        vm.warp(block.timestamp + REVEAL_WINDOW + EXCUSE_WINDOW + REVEAL_WINDOW + 1);
        Phase phase = proofOf(id).phase;
        vm.assertTrue(phase == Phase.Closing || phase == Phase.Excusing, "phase");
        vm.prank(stranger);
        notary.conclude(request, order);
        assertPhase(id, Phase.Concluded);
        for (uint256 i = 0; i < 3; i++) {
            vm.assertEq(ownedBy(who[i]).reserved, 0, "no stake stays reserved");
        }
    }
}
