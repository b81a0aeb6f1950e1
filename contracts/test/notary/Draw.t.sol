// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Drawn, Phase, Proof, Request, Seat} from "../../src/NotaryTypes.sol";
import {Order} from "../../src/Types.sol";
import {DrawLib} from "../../src/libraries/DrawLib.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {NotaryTest} from "../helpers/NotaryTest.sol";

contract DrawTest is NotaryTest {
    function expectedOf(Request memory request, bytes32 id) private view returns (bytes32 seed, address[] memory who) {
        seed = DrawLib.seedOf(blockhash(proofOf(id).drawBlock), request.jobHash, request.root);
        Seat[] memory all = notary.seats();
        uint64[] memory stakes = new uint64[](all.length);
        for (uint256 i = 0; i < all.length; i++) {
            stakes[i] = all[i].units * VALIDATOR_STAKE;
        }
        uint256[] memory positions = DrawLib.validators(seed, stakes, request.validators);
        who = new address[](positions.length);
        for (uint256 i = 0; i < who.length; i++) {
            who[i] = all[positions[i]].validator;
        }
    }

    function assertSame(address[] memory left, address[] memory right) private pure {
        vm.assertEq(keccak256(abi.encode(left)), keccak256(abi.encode(right)), "drawn");
    }

    function test_draw() external {
        (Request memory request,, bytes32 id) = openedProof();
        passDrawBlock(id);
        (bytes32 seed, address[] memory who) = expectedOf(request, id);
        uint40 deadline = uint40(block.timestamp) + FINDING_WINDOW;
        vm.prank(stranger);
        vm.expectEmit();
        emit EventsLib.ProofDrawn(id, seed, who, deadline);
        notary.draw(request);
        assertPhase(id, Phase.Committing);
        vm.assertEq(seedOf(id), seed, "seed");
        assertSame(drawnOf(id), who);
        for (uint256 i = 0; i < 3; i++) {
            vm.assertEq(ownedBy(who[i]).reserved, STAKE_PER_PROOF, "reserved");
        }
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, id, Phase.Committing));
        notary.draw(request);
    }

    /// @dev The randomness is that of a block after the commitment and after the opening: nobody can choose a root, a request
    /// or a moment by it.
    function test_draw_beforeItsBlock() external {
        (Request memory request,, bytes32 id) = openedProof();
        uint256 drawBlock = proofOf(id).drawBlock;
        vm.assertEq(drawBlock, block.number + DRAW_DELAY, "after the opening");
        for (; block.number <= drawBlock;) {
            vm.expectRevert(abi.encodeWithSelector(ErrorsLib.BlockNotReached.selector, drawBlock + 1));
            notary.draw(request);
            vm.roll(block.number + 1);
        }
        notary.draw(request);
    }

    /// @dev Another root or job has another seed, so grinding either tells nothing before the block is there.
    function testFuzz_draw_seedBindsWhatWasCommittedTo(bytes32 randomness, bytes32 job, bytes32 root, bytes32 other)
        external
        pure
    {
        vm.assume(other != randomness && other != job && other != root);
        bytes32 seed = DrawLib.seedOf(randomness, job, root);
        vm.assertTrue(seed != DrawLib.seedOf(other, job, root), "randomness");
        vm.assertTrue(seed != DrawLib.seedOf(randomness, other, root), "job");
        vm.assertTrue(seed != DrawLib.seedOf(randomness, job, other), "root");
    }

    function test_draw_hashIsGone() external {
        (Request memory request,, bytes32 id) = openedProof();
        vm.roll(uint256(proofOf(id).drawBlock) + 257);
        uint40 next = uint40(block.number) + DRAW_DELAY;
        vm.expectEmit();
        emit EventsLib.ProofDelayed(id, next);
        notary.draw(request);
        assertPhase(id, Phase.Opened);
        vm.assertEq(proofOf(id).drawBlock, next, "draw block");
        draw(request, id);
        assertPhase(id, Phase.Committing);
    }

    function test_draw_hashIsStillThere() external {
        (Request memory request,, bytes32 id) = openedProof();
        vm.roll(uint256(proofOf(id).drawBlock) + 256);
        notary.draw(request);
        assertPhase(id, Phase.Committing);
    }

    function test_draw_untilItsDeadline() external {
        (Request memory request,, bytes32 id) = openedProof();
        passDrawBlock(id);
        uint40 deadline = proofOf(id).deadline;
        vm.warp(uint256(deadline) + 1);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, deadline));
        notary.draw(request);
        vm.warp(deadline);
        notary.draw(request);
    }

    function test_draw_neverOpened() external {
        (Request memory request,, bytes32 id) = openedProof();
        request.salt++;
        id = notary.proofId(request);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, id, Phase.None));
        notary.draw(request);
    }

    function test_abandon() external {
        (Request memory request, Order memory order, bytes32 id) = openedProof();
        uint64 before = ownedBy(consumer).balance;
        uint40 deadline = proofOf(id).deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooEarly.selector, deadline));
        notary.abandon(request);
        vm.warp(uint256(deadline) + 1);
        vm.prank(stranger);
        vm.expectEmit();
        emit EventsLib.ProofAbandoned(id, 3 * SHARE);
        notary.abandon(request);
        vm.assertEq(ownedBy(consumer).balance - before, 3 * SHARE, "fee");
        bytes memory over = abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, id, Phase.Abandoned);
        vm.expectRevert(over);
        notary.abandon(request);
        vm.expectRevert(over);
        notary.draw(request);
        vm.expectRevert(over);
        conclude(request, order);
    }

    /// @dev Once the randomness can be known, coming, going, staking, unbonding and being drawn elsewhere change nothing.
    function testFuzz_draw_whatHappensLaterChangesNothing(uint256 luck) external {
        vm.roll(block.number + luck % 1_000);
        (Request memory request,, bytes32 id) = openedProof();
        (Request memory another, bytes memory signature) = aSignedRequest(keccak256("another"));
        bytes32 anotherId = openSigned(another, signature);
        vm.roll(uint256(proofOf(id).drawBlock) + 1);
        (, address[] memory expected) = expectedOf(request, id);
        for (uint256 i = 0; i < 7; i++) {
            uint256 what = (luck >> (8 * i + 16)) % 4;
            if (what == 0) {
                vm.prank(validators[i]);
                notary.leave();
            } else if (what == 1) {
                fundAtNotary(validators[i], 10 * VALIDATOR_STAKE);
                vm.prank(validators[i]);
                notary.stake(10 * VALIDATOR_STAKE);
            } else if (what == 2) {
                seat(address(uint160(0xB000 + i)), 5);
            }
        }
        if (luck % 2 == 0) draw(another, anotherId);
        notary.draw(request);
        assertSame(drawnOf(id), expected);
    }

    /// @dev Who leaves right after an opening stays drawable for it, however late the draw is made, and its seat stays its own.
    function test_draw_whoHasLeftIsDrawn() external {
        (Request memory request,, bytes32 id) = openedProof();
        vm.roll(uint256(proofOf(id).drawBlock) + 1);
        (, address[] memory expected) = expectedOf(request, id);
        for (uint256 i = 0; i < 7; i++) {
            vm.prank(validators[i]);
            notary.leave();
        }
        vm.roll(uint256(proofOf(id).drawBlock) + 256);
        for (uint256 i = 0; i < 7; i++) {
            vm.expectRevert();
            notary.depart(validators[i]);
        }
        notary.draw(request);
        assertSame(drawnOf(id), expected);
    }

    /// @dev A draw that is fixed anew runs over who is there then, and needs enough of them.
    function test_draw_fixedAnewAfterAllHaveLeft() external {
        (Request memory request,, bytes32 id) = openedProof();
        for (uint256 i = 0; i < 5; i++) {
            vm.prank(validators[i]);
            notary.leave();
        }
        vm.roll(uint256(proofOf(id).drawBlock) + 257);
        notary.draw(request);
        vm.roll(uint256(proofOf(id).drawBlock) + 1);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotEnoughValidators.selector, 2, 3));
        notary.draw(request);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        notary.abandon(request);
    }

    function test_draw_neverConsumerOrProvider() external {
        seat(provider, 40);
        fundAtNotary(consumer, 40 * VALIDATOR_STAKE);
        seat(consumer, 40);
        vm.roll(block.number + 1);
        (Order memory order, bytes32 subject) = committedLease(1);
        Request memory request = aRequest(subject, market.rootOf(subject));
        request.validators = 8;
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotEnoughValidators.selector, 7, 8));
        notary.open(request, order, CONTACT);
        request.validators = 7;
        bytes32 id = open(request, order);
        draw(request, id);
        address[] memory who = drawnOf(id);
        for (uint256 i = 0; i < 7; i++) {
            vm.assertTrue(who[i] != provider && who[i] != consumer, "drawn");
        }
    }

    /// @dev Keeping validators busy with other proofs does not keep them out of a draw; it only lowers what they have behind it.
    function test_draw_busyValidatorsAreDrawn() external {
        for (uint256 i = 0; i < 5; i++) {
            (Request memory busy, bytes memory signature) = aSignedRequest(keccak256(abi.encode(i)));
            busy.validators = 7;
            draw(busy, openSigned(busy, signature));
        }
        (Request memory request,, bytes32 id) = openedProof();
        draw(request, id);
        (,,, Drawn[] memory who) = notary.proof(id);
        vm.assertEq(who.length, 3, "drawn");
        for (uint256 i = 0; i < 3; i++) {
            vm.assertEq(who[i].reserved, 0, "its stake backs four other proofs");
            vm.assertEq(ownedBy(who[i].validator).reserved, VALIDATOR_STAKE, "all of it");
        }
    }

    /* THE RULES */

    function testFuzz_segments(bytes32 seed, uint32 count, uint32 sample) external view {
        count = uint32(bound(count, 0, 200));
        sample = uint32(bound(sample, 0, 60));
        uint32[] memory drawn_ = notary.draws().segments(seed, count, sample);
        vm.assertEq(drawn_.length, DrawLib.replayed(count, sample), "number");
        for (uint256 i = 1; i < drawn_.length; i++) {
            vm.assertTrue(drawn_[i] > drawn_[i - 1], "in order, each once");
        }
        if (count == 0) return;
        vm.assertEq(drawn_[0], 0, "first");
        vm.assertEq(drawn_[drawn_.length - 1], count - 1, "last");
    }

    function testFuzz_validators(bytes32 seed, uint64[] calldata stakes, uint256 wanted) external view {
        wanted = bound(wanted, 0, 9);
        uint256 holders = 0;
        for (uint256 i = 0; i < stakes.length; i++) {
            if (stakes[i] != 0) holders++;
        }
        uint256[] memory drawn_ = notary.draws().validators(seed, stakes, wanted);
        vm.assertEq(drawn_.length, wanted < holders ? wanted : holders, "number");
        for (uint256 i = 0; i < drawn_.length; i++) {
            vm.assertTrue(stakes[drawn_[i]] != 0, "stake");
            for (uint256 j = 0; j < i; j++) {
                vm.assertTrue(drawn_[i] != drawn_[j], "each once");
            }
        }
    }
}
