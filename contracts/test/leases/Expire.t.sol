// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cause, Order, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {MarketTest} from "../helpers/MarketTest.sol";

/// @notice I5: from every state that is not final, time alone and a call from a stranger lead to one that is. Each also while
/// the market is paused.
contract ExpireTest is MarketTest {
    function test_expire_neverAccepted() external {
        (Order memory order, bytes32 id) = opened();
        expectExit(order, id);
        vm.expectEmit();
        emit EventsLib.LeaseCancelled(id, price(2 * PRICE, SPAN), Cause.Time);
        exit(order);
        assertState(id, State.Cancelled);
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR, "consumer");
    }

    /// A provider that accepts and never starts has nothing to commit to, and gets nothing.
    function test_expire_neverStarted() external {
        (Order memory order, bytes32 id) = accepted();
        expectExit(order, id);
        vm.expectEmit();
        emit EventsLib.LeaseRefunded(id, price(2 * PRICE, SPAN), Cause.Time);
        exit(order);
        assertRefunded(id);
    }

    /// A lease that nobody ends is over with its span; the provider that went silent gets nothing.
    function test_expire_neverEnded() external {
        (Order memory order, bytes32 id) = accepted();
        vm.prank(consumer);
        market.extend(order, SPAN);
        vm.assertEq(market.lease(id).deadline, NOW + 2 * SPAN + COMMIT_WINDOW, "deadline");
        expectExit(order, id);
        exit(order);
        assertRefunded(id);
    }

    function test_expire_endedEarlyAndNeverCommitted() external {
        (Order memory order, bytes32 id) = ended();
        expectExit(order, id);
        vm.expectEmit();
        emit EventsLib.LeaseRefunded(id, price(2 * PRICE, SPAN / 2), Cause.Time);
        exit(order);
        assertRefunded(id);
    }

    /// A consumer that vanished, and a verdict that was never given: the provider is paid for what nobody contradicted.
    function test_expire_consumerVanished() external {
        (Order memory order, bytes32 id) = committed();
        expectExit(order, id);
        vm.expectEmit();
        emit EventsLib.LeaseSettled(id, price(2 * PRICE, SPAN), Cause.Time);
        exit(order);
        assertState(id, State.Settled);
        vm.assertEq(balanceOf(provider), 500 * DOLLAR + price(2 * PRICE, SPAN), "provider");
        vm.assertEq(market.account(provider).reserved, 0, "reserved");
    }

    /// A verifier that found a mismatch and fell silent: the consumer has its money back, and nobody is punished.
    function test_expire_verdictNeverGiven() external {
        (Order memory order, bytes32 id) = disputed();
        expectExit(order, id);
        exit(order);
        assertRefunded(id);
    }

    function test_expire_finalOrUnknown() external {
        Order memory order = anOrder(1);
        vm.warp(NOW + 365 days);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, market.leaseId(order), State.None));
        exit(order);
        vm.warp(NOW);
        bytes32 id;
        (order, id) = opened();
        skipDeadline(id);
        exit(order);
        skip(365 days);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Cancelled));
        exit(order);
    }

    /// @dev At its deadline the lease is still its parties'; one second later it is anybody's.
    function expectExit(Order memory order, bytes32 id) private {
        vm.prank(owner);
        market.pause();
        uint40 deadline = market.lease(id).deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooEarly.selector, deadline));
        exit(order);
        skip(1);
    }

    function exit(Order memory order) private {
        vm.prank(stranger);
        market.expire(order);
    }

    function assertRefunded(bytes32 id) private view {
        assertState(id, State.Refunded);
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR, "consumer");
        vm.assertEq(balanceOf(provider), 500 * DOLLAR, "provider");
        vm.assertEq(market.account(provider).reserved, 0, "reserved");
        vm.assertEq(market.offer(offerId).leased, 0, "leased");
    }
}
