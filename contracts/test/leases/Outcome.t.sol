// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Account, Cause, Order, Penalty, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {MarketTest} from "../helpers/MarketTest.sol";

contract SettleTest is MarketTest {
    function test_settle_byConsumerOrVerifier() external {
        address[2] memory parties = [consumer, verifier];
        uint64 paid = price(2 * PRICE, SPAN);
        for (uint64 i = 0; i < 2; i++) {
            Order memory order = anOrder(i);
            bytes32 id = create(order);
            accept(order);
            skip(SPAN);
            commit(order);
            skip(VERDICT_WINDOW);
            vm.prank(parties[i]);
            vm.expectEmit();
            emit EventsLib.LeaseSettled(id, paid, i == 0 ? Cause.Consumer : Cause.Verifier);
            market.settle(order);
            assertState(id, State.Settled);
            vm.assertEq(market.escrowOf(id) + market.reserveOf(id), 0, "left");
            vm.assertEq(balanceOf(provider), 500 * DOLLAR + (i + 1) * paid, "paid");
            vm.assertEq(market.account(provider).reserved, 0, "reserved");
            vm.assertEq(market.offer(offerId).leased, 0, "leased");
        }
    }

    function test_settle_disputedByVerifierOnly() external {
        (Order memory order, bytes32 id) = disputed();
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, consumer));
        market.settle(order);
        vm.prank(verifier);
        market.settle(order);
        assertState(id, State.Settled);
    }

    function test_settle_refused() external {
        (Order memory order, bytes32 id) = accepted();
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Active));
        market.settle(order);
        commit(order);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, provider));
        market.settle(order);
        uint40 deadline = market.lease(id).deadline;
        skipDeadline(id);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, deadline));
        market.settle(order);
    }

    function test_settle_twice() external {
        (Order memory order, bytes32 id) = committed();
        vm.startPrank(consumer);
        market.settle(order);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Settled));
        market.settle(order);
    }
}

contract RefundTest is MarketTest {
    function test_refund_byProviderBeforeItCommits() external {
        (Order memory order, bytes32 id) = accepted();
        skip(100);
        vm.prank(provider);
        vm.expectEmit();
        emit EventsLib.LeaseRefunded(id, price(2 * PRICE, SPAN), Cause.Provider);
        market.refund(order);
        assertRefunded(id);
    }

    function test_refund_byProviderAfterTheEnd() external {
        (Order memory order, bytes32 id) = ended();
        vm.prank(provider);
        market.refund(order);
        assertRefunded(id);
    }

    function test_refund_byVerifier() external {
        (Order memory order, bytes32 id) = committed();
        vm.prank(verifier);
        vm.expectEmit();
        emit EventsLib.LeaseRefunded(id, price(2 * PRICE, SPAN), Cause.Verifier);
        market.refund(order);
        assertRefunded(id);
    }

    function test_refund_disputed() external {
        (Order memory order, bytes32 id) = disputed();
        vm.prank(verifier);
        market.refund(order);
        assertRefunded(id);
    }

    /// A provider that sees its slash coming cannot run away into a refund.
    function test_refund_byProviderAfterItCommitted() external {
        (Order memory order,) = committed();
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, provider));
        market.refund(order);
    }

    function test_refund_refused() external {
        (Order memory order, bytes32 id) = opened();
        vm.prank(verifier);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Open));
        market.refund(order);
        accept(order);
        vm.prank(verifier);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, verifier));
        market.refund(order);
        commit(order);
        uint40 deadline = market.lease(id).deadline;
        skipDeadline(id);
        vm.prank(verifier);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, deadline));
        market.refund(order);
    }

    function assertRefunded(bytes32 id) private view {
        assertState(id, State.Refunded);
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR, "balance");
        vm.assertEq(balanceOf(provider), 500 * DOLLAR, "provider");
        vm.assertEq(market.account(provider).reserved, 0, "reserved");
        vm.assertEq(market.account(provider).stake, 500 * DOLLAR, "stake");
        vm.assertEq(market.offer(offerId).leased, 0, "leased");
    }
}

contract DisputeTest is MarketTest {
    function test_dispute() external {
        (Order memory order, bytes32 id) = committed();
        skip(VERDICT_WINDOW);
        vm.prank(verifier);
        vm.expectEmit();
        emit EventsLib.LeaseDisputed(id, uint40(block.timestamp) + DISPUTE_WINDOW);
        market.dispute(order);
        assertState(id, State.Disputed);
        vm.assertEq(market.lease(id).deadline, block.timestamp + DISPUTE_WINDOW, "deadline");
    }

    function test_dispute_refused() external {
        (Order memory order, bytes32 id) = accepted();
        vm.prank(verifier);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Active));
        market.dispute(order);
        commit(order);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, consumer));
        market.dispute(order);
        uint40 deadline = market.lease(id).deadline;
        skipDeadline(id);
        vm.prank(verifier);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, deadline));
        market.dispute(order);
    }

    /// The time for a verdict is given once.
    function test_dispute_twice() external {
        (Order memory order, bytes32 id) = disputed();
        vm.prank(verifier);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Disputed));
        market.dispute(order);
    }
}

contract SlashTest is MarketTest {
    /// I8: what the parties and the insurance get is the price and the slash, to the last unit.
    function testFuzz_slash(uint64 amount, uint64 toConsumer, uint64 toChallenger, bool afterDispute) external {
        (Order memory order, bytes32 id) = afterDispute ? disputed() : committed();
        uint64 escrow = price(2 * PRICE, SPAN);
        amount = uint64(bound(amount, 1, market.reserveOf(id)));
        toConsumer = uint64(bound(toConsumer, 0, amount / 2));
        toChallenger = uint64(bound(toChallenger, 0, amount / 2 - toConsumer));
        Penalty memory penalty = Penalty(amount, toConsumer, toChallenger, stranger);
        vm.prank(verifier);
        vm.expectEmit();
        emit EventsLib.LeaseSlashed(id, escrow, penalty, amount - toConsumer - toChallenger);
        market.slash(order, penalty);
        assertState(id, State.Slashed);
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR + toConsumer, "consumer");
        vm.assertEq(balanceOf(stranger), toChallenger, "challenger");
        vm.assertEq(balanceOf(insurance), amount - toConsumer - toChallenger, "insurance");
        Account memory owned = market.account(provider);
        vm.assertEq(owned.stake, 500 * DOLLAR - amount, "stake");
        vm.assertEq(owned.reserved, 0, "reserved");
        vm.assertEq(owned.balance, 500 * DOLLAR, "balance");
    }

    /// One party in all three parts still loses half of the slash.
    function test_slash_selfChallenge() external {
        Order memory order = anOrder(1);
        order.consumer = provider;
        bytes32 id = create(order);
        accept(order);
        commit(order);
        Account memory before = market.account(provider);
        uint64 amount = market.reserveOf(id);
        vm.prank(verifier);
        market.slash(order, Penalty(amount, amount / 4, amount / 4, provider));
        Account memory owned = market.account(provider);
        uint64 lost = before.balance + before.stake - owned.balance - owned.stake;
        vm.assertGe(lost, amount / 2, "lost");
    }

    function test_slash_tooMuch() external {
        (Order memory order, bytes32 id) = committed();
        uint64 reserve = market.reserveOf(id);
        vm.startPrank(verifier);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.PenaltyTooHigh.selector, reserve + 1, reserve));
        market.slash(order, Penalty(reserve + 1, 0, 0, stranger));
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.SharesTooHigh.selector, 51, 50));
        market.slash(order, Penalty(101, 50, 1, stranger));
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.SharesTooHigh.selector, 2 * uint256(type(uint64).max), 50));
        market.slash(order, Penalty(101, type(uint64).max, type(uint64).max, stranger));
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        market.slash(order, Penalty(0, 0, 0, stranger));
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        market.slash(order, Penalty(1, 0, 0, address(0)));
    }

    function test_slash_refused() external {
        (Order memory order, bytes32 id) = accepted();
        Penalty memory penalty = Penalty(1, 0, 0, stranger);
        vm.prank(verifier);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Active));
        market.slash(order, penalty);
        commit(order);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, consumer));
        market.slash(order, penalty);
        uint40 deadline = market.lease(id).deadline;
        skipDeadline(id);
        vm.prank(verifier);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, deadline));
        market.slash(order, penalty);
    }

    /// A slashed provider takes no further lease before its stake covers its offers again.
    function test_slash_thenAccept() external {
        vm.prank(provider);
        market.unbond(500 * DOLLAR - UNITS * STAKE_PER_UNIT);
        (Order memory order,) = committed();
        vm.prank(verifier);
        market.slash(order, Penalty(1, 0, 0, stranger));
        Order memory next = anOrder(2);
        create(next);
        vm.prank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(
                ErrorsLib.InsufficientStake.selector, provider, UNITS * STAKE_PER_UNIT - 1, UNITS * STAKE_PER_UNIT
            )
        );
        market.accept(next);
        vm.prank(provider);
        market.stake(1);
        accept(next);
    }
}
