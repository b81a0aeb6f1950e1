// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, Phase, Request, Verdict} from "../../src/NotaryTypes.sol";
import {Account, Order, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {HashLib} from "../../src/libraries/HashLib.sol";
import {Leaves} from "../helpers/Leaves.sol";
import {NotaryTest} from "../helpers/NotaryTest.sol";

/// @notice Attacks that need more than one call; README.md lists them with the others.
contract AttacksTest is NotaryTest {
    address private immutable bot = address(0xB07);

    /// @dev One party is provider, consumer and all drawn validators, and has itself slashed: it loses half of the slash and
    /// more, whatever the fee.
    function testFuzz_selfChallenge(uint64 fee) external {
        fee = uint64(bound(fee, MIN_FEE, 4 * DOLLAR));
        (Order memory order, bytes32 subject) = committedLease(1);
        Request memory request = aRequest(subject, market.rootOf(subject));
        request.fee = fee;
        address[5] memory party = [consumer, provider, address(0), address(0), address(0)];
        uint64 reserve = market.reserveOf(subject);
        uint256 escrow = market.escrowOf(subject);
        uint256 before = wealth(party);
        bytes32 id = open(request, order);
        draw(request, id);
        for (uint256 i = 0; i < 3; i++) {
            party[2 + i] = drawnOf(id)[i];
            before += VALIDATOR_STAKE;
        }
        allSay(id, [Finding.Differs, Finding.Differs, Finding.Differs]);
        conclude(request, order);
        assertVerdict(id, Verdict.Failed);
        vm.assertGe(before + escrow - wealth(party), reserve / 2, "lost");
    }

    function wealth(address[5] memory party) private view returns (uint256 sum) {
        for (uint256 i = 0; i < 5; i++) {
            if (party[i] == address(0)) continue;
            Account memory here = market.account(party[i]);
            Account memory there = ownedBy(party[i]);
            sum += uint256(here.balance) + here.stake + there.balance + there.stake;
        }
    }

    /// @dev Whoever opens proofs without need pays honest validators in full for each, and the provider is paid as ever.
    function test_spamPays() external {
        uint256 earned = 0;
        uint256 before = ownedBy(consumer).balance;
        for (uint64 i = 1; i <= 20; i++) {
            (Order memory order, bytes32 subject) = committedLease(i);
            Request memory request = aRequest(subject, market.rootOf(subject));
            bytes32 id = open(request, order);
            draw(request, id);
            allSay(id, [Finding.Same, Finding.Same, Finding.Same]);
            vm.warp(uint256(proofOf(id).deadline) + 1);
            vm.prank(stranger);
            notary.conclude(request, order);
            assertState(subject, State.Settled);
        }
        for (uint256 i = 0; i < 7; i++) {
            earned += ownedBy(validators[i]).balance;
            vm.assertEq(ownedBy(validators[i]).stake, VALIDATOR_STAKE, "stake");
        }
        vm.assertEq(earned, 20 * 3 * SHARE, "earned");
        vm.assertEq(before - ownedBy(consumer).balance, earned, "paid");
        // And nobody can be made to work for less than the least fee: see test_open_unsound.
    }

    /// @dev A bot sends first whatever it sees. What it may send does what was meant; the rest is refused; it earns nothing.
    function test_frontRun() external {
        fundAtNotary(bot, 100 * DOLLAR);
        (Order memory order, bytes32 subject) = committedLease(1);
        Request memory request = aRequest(subject, market.rootOf(subject));
        refused(abi.encodeCall(notary.open, (request, order, CONTACT)));
        request.consumer = bot;
        refused(abi.encodeCall(notary.open, (request, order, CONTACT)));
        request.consumer = consumer;
        bytes32 id = open(request, order);
        passDrawBlock(id);
        vm.prank(bot);
        notary.draw(request);
        address[] memory who = drawnOf(id);
        for (uint256 i = 0; i < 3; i++) {
            bytes32 hash = HashLib.finding(id, who[i], Finding.Same, RESULT, SALT);
            refused(abi.encodeCall(notary.commitFinding, (id, hash)));
            vm.prank(who[i]);
            notary.commitFinding(id, hash);
        }
        for (uint256 i = 0; i < 3; i++) {
            refused(abi.encodeCall(notary.revealFinding, (id, Finding.Same, RESULT, SALT)));
            reveal(id, who[i], Finding.Same, RESULT);
        }
        refused(abi.encodeCall(notary.conclude, (request, order)));
        vm.warp(uint256(proofOf(id).deadline) + 1);
        vm.prank(bot);
        notary.conclude(request, order);
        assertState(subject, State.Settled);
        vm.assertEq(ownedBy(bot).balance, 100 * DOLLAR, "earned");
    }

    function refused(bytes memory call) private {
        vm.prank(bot);
        (bool isTaken,) = address(notary).call(call);
        vm.assertTrue(!isTaken, "a copy was taken");
    }

    /// @dev A signature of an agent that somebody else brings first opens a proof of its own, at its cost, and stops nobody.
    function test_frontRun_signedRoot() external {
        fundAtNotary(bot, 100 * DOLLAR);
        (Request memory request, bytes memory signature) = aSignedRequest(keccak256("elsewhere"));
        Request memory copy = aRequest(request.subject, request.root);
        (copy.consumer, copy.provider) = (bot, address(0));
        vm.prank(bot);
        notary.openSigned(copy, signature, CONTACT);
        assertPhase(openSigned(request, signature), Phase.Opened);
        vm.assertEq(ownedBy(bot).balance, 100 * DOLLAR - 3 * SHARE, "its cost");
    }

    /// @dev A provider that commits to another root than it was asked about, or whose lease it is not, is not judged by that.
    function test_verdictOfAnotherRoot() external {
        (Order memory order, bytes32 subject) = committedLease(1);
        bytes32[] memory other = Leaves.ofJob(keccak256("another job"), SEGMENTS + 1);
        Request memory request = aRequest(subject, Leaves.root(other));
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongSubject.selector, subject));
        notary.open(request, order, CONTACT);
        // Nor by an agent's signature, even under the lease's own name: such a verdict moves nothing in the market.
        request.provider = address(0);
        bytes memory signature = sign(AGENT_KEY, notary.commitmentDigest(subject, request.root, request.leafCount));
        bytes32 id = openSigned(request, signature);
        draw(request, id);
        allSay(id, [Finding.Differs, Finding.Differs, Finding.Differs]);
        vm.prank(consumer);
        notary.concludeSigned(request);
        assertState(subject, State.Committed);
        vm.assertEq(market.account(provider).stake, 500 * DOLLAR, "stake");
    }

    /// @dev All validators silent, one by one: they lose stake to the insurance account, and nobody who could silence them
    /// gains. The fee that was not earned goes back.
    function test_silencedValidators() external {
        (Request memory request, Order memory order, bytes32 id) = drawnProof();
        uint64 before = ownedBy(consumer).balance;
        allSay(id, [Finding.None, Finding.None, Finding.None]);
        conclude(request, order);
        vm.assertEq(ownedBy(insurance).balance, 3 * STAKE_PER_PROOF, "insurance");
        vm.assertEq(ownedBy(consumer).balance - before, 3 * SHARE, "fee");
        assertState(request.subject, State.Committed);
        skipDeadline(request.subject);
        market.expire(order);
        assertState(request.subject, State.Settled);
    }
}
