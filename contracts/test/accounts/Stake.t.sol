// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Account, Order, Unbonding} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {MarketTest} from "../helpers/MarketTest.sol";

contract StakeTest is MarketTest {
    uint64 private constant STAKED = 500 * DOLLAR;
    uint64 private constant OFFERED = UNITS * STAKE_PER_UNIT;

    function testFuzz_stake(uint64 amount) external {
        amount = uint64(bound(amount, 1, 1_000 * DOLLAR));
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.Staked(consumer, amount);
        market.stake(amount);
        Account memory owned = market.account(consumer);
        vm.assertEq(owned.stake, amount, "stake");
        vm.assertEq(owned.balance, 1_000 * DOLLAR - amount, "balance");
    }

    function test_stake_nothing() external {
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        market.stake(0);
    }

    function test_stake_moreThanThereIs() external {
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.InsufficientBalance.selector, stranger, 0, 1));
        vm.prank(stranger);
        market.stake(1);
    }

    function testFuzz_unbond(uint64 amount) external {
        amount = uint64(bound(amount, 1, STAKED - OFFERED));
        vm.prank(provider);
        vm.expectEmit();
        emit EventsLib.UnbondingStarted(provider, amount, amount, NOW + UNBONDING);
        market.unbond(amount);
        vm.assertEq(market.account(provider).stake, STAKED - amount, "stake");
        Unbonding memory leaving = market.unbonding(provider);
        vm.assertEq(leaving.amount, amount, "leaving");
        vm.assertEq(leaving.releaseAt, NOW + UNBONDING, "releaseAt");
    }

    function test_unbond_nothing() external {
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        market.unbond(0);
    }

    function test_unbond_whatBacksOffers() external {
        uint64 amount = STAKED - OFFERED + 1;
        vm.prank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(ErrorsLib.InsufficientStake.selector, provider, STAKED, uint256(amount) + OFFERED)
        );
        market.unbond(amount);
    }

    function test_unbond_whatBacksALease() external {
        Order memory order = anOrder(1);
        order.span = 10 hours;
        bytes32 id = create(order);
        accept(order);
        vm.prank(provider);
        market.withdrawOffer(offerId);
        uint64 reserved = market.reserveOf(id);
        vm.assertEq(reserved, 2 * price(2 * PRICE, 10 hours), "reserved");
        vm.prank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(ErrorsLib.InsufficientStake.selector, provider, STAKED, uint256(STAKED) + 1)
        );
        market.unbond(STAKED - reserved + 1);
        vm.prank(provider);
        market.unbond(STAKED - reserved);
    }

    function test_unbond_againStartsThePeriodAnew() external {
        vm.prank(provider);
        market.unbond(10);
        skip(1 days);
        vm.prank(provider);
        market.unbond(5);
        Unbonding memory leaving = market.unbonding(provider);
        vm.assertEq(leaving.amount, 15, "leaving");
        vm.assertEq(leaving.releaseAt, NOW + 1 days + UNBONDING, "releaseAt");
    }

    function test_claimUnbonded() external {
        vm.prank(provider);
        market.unbond(10);
        vm.warp(NOW + UNBONDING);
        vm.prank(provider);
        vm.expectEmit();
        emit EventsLib.Unbonded(provider, 10);
        market.claimUnbonded();
        vm.assertEq(balanceOf(provider), 500 * DOLLAR + 10, "balance");
        vm.assertEq(market.unbonding(provider).amount, 0, "leaving");
    }

    function test_claimUnbonded_beforeItsTime() external {
        vm.prank(provider);
        market.unbond(10);
        vm.warp(NOW + UNBONDING - 1);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotReleased.selector, NOW + UNBONDING));
        market.claimUnbonded();
    }

    function test_claimUnbonded_nothing() external {
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotReleased.selector, 0));
        market.claimUnbonded();
    }
}
