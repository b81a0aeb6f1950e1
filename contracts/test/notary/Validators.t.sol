// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, NotaryConfig, Request, Seat} from "../../src/NotaryTypes.sol";
import {Order} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {NotaryTest} from "../helpers/NotaryTest.sol";

contract ValidatorsTest is NotaryTest {
    address private immutable newcomer = address(0x4E3);

    function join(address who, uint32 units) private {
        vm.prank(who);
        notary.join(units);
    }

    function leave(address who) private {
        vm.prank(who);
        notary.leave();
    }

    function lastDraw(address who) private view returns (uint256) {
        Seat[] memory all = notary.seats();
        for (uint256 i = 0; i < all.length; i++) {
            if (all[i].validator == who) return uint256(all[i].until) + DRAW_DELAY + 256;
        }
        revert("no seat");
    }

    function test_join() external {
        fundAtNotary(newcomer, 3 * VALIDATOR_STAKE);
        vm.prank(newcomer);
        notary.stake(3 * VALIDATOR_STAKE);
        vm.prank(newcomer);
        vm.expectEmit();
        emit EventsLib.ValidatorJoined(newcomer, 7, 3);
        notary.join(3);
        Seat memory taken = notary.seats()[7];
        vm.assertEq(taken.validator, newcomer, "validator");
        vm.assertEq(taken.units, 3, "units");
        vm.assertEq(taken.from, block.number, "from");
        vm.assertEq(taken.until, 0, "until");
        vm.assertEq(ownedBy(newcomer).offered, 3, "offered");
    }

    function test_join_refused() external {
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        join(newcomer, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ErrorsLib.InsufficientStake.selector, newcomer, 0, uint256(VALIDATOR_STAKE))
        );
        join(newcomer, 1);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.AlreadySeated.selector, validators[0]));
        join(validators[0], 1);
        // Nor while the seat it has left may still be drawn.
        leave(validators[0]);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.AlreadySeated.selector, validators[0]));
        join(validators[0], 1);
    }

    function test_join_seatsRunOut() external {
        for (uint160 i = 7; i < 256; i++) {
            seat(address(0xA0000 + i), 1);
        }
        fundAtNotary(newcomer, VALIDATOR_STAKE);
        vm.prank(newcomer);
        notary.stake(VALIDATOR_STAKE);
        vm.expectRevert(ErrorsLib.NoSeatFree.selector);
        join(newcomer, 1);
        leave(validators[3]);
        vm.roll(lastDraw(validators[3]) + 1);
        notary.depart(validators[3]);
        join(newcomer, 1);
        vm.assertEq(notary.seats()[3].validator, newcomer, "the first free seat");
        vm.assertEq(notary.seats().length, 256, "seats");
    }

    function test_leave() external {
        vm.prank(validators[2]);
        vm.expectEmit();
        emit EventsLib.ValidatorLeft(validators[2], 2);
        notary.leave();
        vm.assertEq(notary.seats()[2].until, block.number, "until");
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotSeated.selector, validators[2]));
        leave(validators[2]);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotSeated.selector, newcomer));
        leave(newcomer);
    }

    function test_depart() external {
        address who = validators[1];
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotSeated.selector, newcomer));
        notary.depart(newcomer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.AlreadySeated.selector, who));
        notary.depart(who);
        leave(who);
        uint256 last = lastDraw(who);
        vm.roll(last);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.BlockNotReached.selector, last + 1));
        notary.depart(who);
        // The units bind its stake until then.
        vm.prank(who);
        vm.expectRevert(
            abi.encodeWithSelector(
                ErrorsLib.InsufficientStake.selector, who, VALIDATOR_STAKE, uint256(VALIDATOR_STAKE) + 1
            )
        );
        notary.unbond(1);
        vm.roll(last + 1);
        vm.prank(stranger);
        vm.expectEmit();
        emit EventsLib.ValidatorDeparted(who, 1);
        notary.depart(who);
        vm.assertEq(notary.seats()[1].validator, address(0), "seat");
        vm.prank(who);
        notary.unbond(VALIDATOR_STAKE);
    }

    /// @dev Whoever is slashed below its units leaves, and whoever has stake to spare stays.
    function test_slashed_leaves() external {
        vm.prank(owner);
        dollar.mint(validators[0], STAKE_PER_PROOF);
        vm.prank(validators[0]);
        notary.deposit(STAKE_PER_PROOF);
        vm.prank(validators[0]);
        notary.stake(STAKE_PER_PROOF);
        Request memory request;
        bytes32 id;
        Order memory order;
        for (uint64 salt = 10;; salt++) {
            bytes32 subject;
            (order, subject) = committedLease(salt);
            request = aRequest(subject, market.rootOf(subject));
            id = open(request, order);
            draw(request, id);
            address[] memory who = drawnOf(id);
            if (who[0] == validators[0] || who[1] == validators[0] || who[2] == validators[0]) break;
            allSay(id, [Finding.Same, Finding.Same, Finding.Same]);
            conclude(request, order);
        }
        allSay(id, [Finding.None, Finding.None, Finding.None]);
        conclude(request, order);
        Seat[] memory all = notary.seats();
        for (uint256 i = 0; i < 7; i++) {
            bool isDrawn = false;
            for (uint256 j = 0; j < 3; j++) {
                if (drawnOf(id)[j] == validators[i]) isDrawn = true;
            }
            vm.assertEq(all[i].until, isDrawn && i != 0 ? block.number : 0, "until");
        }
    }

    function test_stakeOfAUnit_coversAProof() external {
        NotaryConfig memory wrong = notaryConfig();
        wrong.stakePerProof = wrong.stakePerUnit + 1;
        vm.expectRevert(ErrorsLib.WrongConfig.selector);
        this.deployed(wrong);
    }

    function test_config_hasNoZeros() external {
        for (uint256 i = 0; i < 9; i++) {
            NotaryConfig memory wrong = notaryConfig();
            if (i == 0) wrong.token = address(0);
            if (i == 1) wrong.insurance = address(0);
            if (i == 2) wrong.stakePerProof = 0;
            if (i == 3) wrong.unbondingPeriod = 0;
            if (i == 4) wrong.drawDelay = 0;
            if (i == 5) wrong.findingWindow = 0;
            if (i == 6) wrong.revealWindow = 0;
            if (i == 7) wrong.excuseWindow = 0;
            // Nobody has to be paid, where the chain is one's own.
            if (i == 8) wrong.minFee = 0;
            if (i != 8) vm.expectRevert(ErrorsLib.ZeroValue.selector);
            this.deployed(wrong);
        }
    }

    function deployed(NotaryConfig memory wrong) external {
        deployNotary(wrong);
    }
}
