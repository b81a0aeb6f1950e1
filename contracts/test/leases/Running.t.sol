// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {Cause, Lease, OfferId, OfferTerms, Order, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {MarketTest} from "../helpers/MarketTest.sol";

contract CancelTest is MarketTest {
    function test_cancel_byConsumerOrProvider() external {
        address[2] memory parties = [consumer, provider];
        for (uint64 i = 0; i < 2; i++) {
            Order memory order = anOrder(i);
            bytes32 id = create(order);
            vm.prank(parties[i]);
            vm.expectEmit();
            emit EventsLib.LeaseCancelled(id, price(2 * PRICE, SPAN), i == 0 ? Cause.Consumer : Cause.Provider);
            market.cancel(order);
            assertState(id, State.Cancelled);
            vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR, "balance");
        }
    }

    /// A signature that is out can be made void.
    function test_cancel_beforeCreation() external {
        Order memory order = anOrder(1);
        bytes memory signature = sign(CONSUMER_KEY, market.leaseId(order));
        vm.prank(consumer);
        market.cancel(order);
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR, "balance");
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, market.leaseId(order), State.Cancelled));
        market.createLeaseFor(order, CONTACT, signature);
    }

    function test_cancel_byAnother() external {
        (Order memory order, bytes32 id) = opened();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, stranger));
        market.cancel(order);
        order = anOrder(2);
        id = market.leaseId(order);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.None));
        market.cancel(order);
    }

    function test_cancel_afterAcceptance() external {
        (Order memory order, bytes32 id) = accepted();
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Active));
        market.cancel(order);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Active));
        market.cancel(order);
    }
}

contract AcceptTest is MarketTest {
    function test_accept() external {
        (Order memory order, bytes32 id) = opened();
        skip(30);
        uint64 reserved = 2 * price(2 * PRICE, SPAN);
        vm.prank(provider);
        vm.expectEmit();
        emit EventsLib.LeaseAccepted(id, reserved);
        market.accept(order);
        Lease memory found = market.lease(id);
        assertState(id, State.Active);
        vm.assertEq(found.startedAt, NOW + 30, "startedAt");
        vm.assertEq(found.deadline, NOW + 30 + SPAN + COMMIT_WINDOW, "deadline");
        vm.assertEq(market.reserveOf(id), reserved, "reserve");
        vm.assertEq(market.account(provider).reserved, reserved, "reserved");
        vm.assertEq(market.offer(offerId).leased, 2, "leased");
    }

    function test_accept_byAnother() external {
        (Order memory order,) = opened();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, stranger));
        market.accept(order);
    }

    function test_accept_twice() external {
        (Order memory order, bytes32 id) = accepted();
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Active));
        market.accept(order);
    }

    function test_accept_tooLate() external {
        (Order memory order,) = opened();
        vm.warp(uint256(order.acceptBy) + 1);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, order.acceptBy));
        market.accept(order);
        vm.warp(order.acceptBy);
        accept(order);
    }

    function test_accept_whilePaused() external {
        (Order memory order,) = opened();
        vm.prank(owner);
        market.pause();
        vm.prank(provider);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        market.accept(order);
    }

    /// More orders may wait than there are units; nothing is sold twice.
    function test_accept_moreUnitsThanFree() external {
        Order[5] memory orders;
        for (uint64 i = 0; i < 5; i++) {
            orders[i] = anOrder(i);
            create(orders[i]);
        }
        for (uint64 i = 0; i < 4; i++) {
            accept(orders[i]);
        }
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotEnoughUnits.selector, offerId, 0, 2));
        market.accept(orders[4]);
        vm.prank(provider);
        market.refund(orders[0]);
        accept(orders[4]);
    }

    function test_accept_outsideTheWindow() external {
        OfferTerms memory later = terms();
        later.availableFrom = NOW + 100;
        later.availableUntil = NOW + 100 + SPAN;
        vm.prank(provider);
        OfferId id = market.postOffer(2, later, SPEC);
        Order memory order = anOrder(1);
        order.offer = id;
        create(order);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.OutsideWindow.selector, NOW, NOW + SPAN));
        market.accept(order);
        vm.warp(NOW + 101);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.OutsideWindow.selector, NOW + 101, NOW + 101 + SPAN));
        market.accept(order);
        vm.warp(NOW + 100);
        accept(order);
    }

    function test_accept_offerWithdrawn() external {
        (Order memory order,) = opened();
        vm.startPrank(provider);
        market.withdrawOffer(offerId);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.OfferNotAvailable.selector, offerId));
        market.accept(order);
    }

    /// Stake that is short of what offers and open leases demand lets no further lease begin.
    function test_accept_stakeTooSmall() external {
        vm.prank(provider);
        market.unbond(500 * DOLLAR - UNITS * STAKE_PER_UNIT);
        Order memory order = anOrder(1);
        order.span = 10 hours;
        create(order);
        uint64 needed = 2 * price(2 * PRICE, 10 hours);
        vm.prank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(ErrorsLib.InsufficientStake.selector, provider, UNITS * STAKE_PER_UNIT, needed)
        );
        market.accept(order);
    }
}

contract ExtendTest is MarketTest {
    function test_extend() external {
        (Order memory order, bytes32 id) = accepted();
        skip(SPAN - 1);
        uint64 paid = price(2 * PRICE, 2 * SPAN + 7) - price(2 * PRICE, SPAN);
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.LeaseExtended(id, 2 * SPAN + 7, paid, 2 * paid);
        market.extend(order, SPAN + 7);
        Lease memory found = market.lease(id);
        vm.assertEq(found.span, 2 * SPAN + 7, "span");
        vm.assertEq(found.deadline, NOW + 2 * SPAN + 7 + COMMIT_WINDOW, "deadline");
        vm.assertEq(market.escrowOf(id), price(2 * PRICE, 2 * SPAN + 7), "escrow");
        vm.assertEq(market.account(provider).reserved, 2 * price(2 * PRICE, 2 * SPAN + 7), "reserved");
    }

    /// However a span is cut, it costs the same.
    function testFuzz_extend_costsWhatTheWholeCosts(uint32 first, uint32 extra) external {
        Order memory order = anOrder(1);
        order.span = uint32(bound(first, 1, 1 days));
        bytes32 id = create(order);
        accept(order);
        extra = uint32(bound(extra, 1, 1 days));
        vm.prank(consumer);
        market.extend(order, extra);
        vm.assertEq(market.escrowOf(id), price(2 * PRICE, uint256(order.span) + extra), "escrow");
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR - market.escrowOf(id), "balance");
    }

    function test_extend_whilePaused() external {
        (Order memory order,) = accepted();
        vm.prank(owner);
        market.pause();
        vm.prank(consumer);
        market.extend(order, 1);
    }

    function test_extend_refused() external {
        (Order memory order, bytes32 id) = accepted();
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, provider));
        market.extend(order, 1);
        vm.startPrank(consumer);
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        market.extend(order, 0);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLong.selector, uint256(365 days) + 1, uint256(365 days)));
        market.extend(order, 365 days - SPAN + 1);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.OutsideWindow.selector, NOW, NOW + 30 days + 1));
        market.extend(order, 30 days - SPAN + 1);
        skip(SPAN);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, NOW + SPAN));
        market.extend(order, 1);
        vm.stopPrank();
        commit(order);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Committed));
        market.extend(order, 1);
    }

    function test_extend_offerWithdrawnOrStakeTooSmall() external {
        (Order memory order,) = accepted();
        uint64 needed = 2 * price(2 * PRICE, SPAN + 4 days);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.InsufficientStake.selector, provider, 500 * DOLLAR, needed));
        market.extend(order, 4 days);
        vm.prank(provider);
        market.withdrawOffer(offerId);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.OfferNotAvailable.selector, offerId));
        market.extend(order, 1);
    }
}

contract EndTest is MarketTest {
    /// Each second that was used is paid, none that was not, by whichever party ends the lease.
    function testFuzz_end(uint32 used, bool byProvider) external {
        (Order memory order, bytes32 id) = accepted();
        used = uint32(bound(used, 0, SPAN - 1));
        skip(used);
        uint64 refunded = price(2 * PRICE, SPAN) - price(2 * PRICE, used);
        vm.prank(byProvider ? provider : consumer);
        vm.expectEmit();
        emit EventsLib.LeaseEnded(id, used, refunded, byProvider ? Cause.Provider : Cause.Consumer);
        market.end(order);
        Lease memory found = market.lease(id);
        assertState(id, State.Ended);
        vm.assertEq(found.used, used, "used");
        vm.assertEq(found.deadline, NOW + used + COMMIT_WINDOW, "deadline");
        vm.assertEq(market.escrowOf(id), price(2 * PRICE, used), "escrow");
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR - price(2 * PRICE, used), "balance");
        vm.assertEq(market.reserveOf(id), 2 * price(2 * PRICE, SPAN), "reserve");
        commit(order);
        vm.prank(consumer);
        market.settle(order);
        vm.assertEq(balanceOf(provider), 500 * DOLLAR + price(2 * PRICE, used), "paid");
        vm.assertEq(market.account(provider).reserved, 0, "reserved");
    }

    function test_end_refused() external {
        (Order memory order, bytes32 id) = opened();
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Open));
        market.end(order);
        accept(order);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, stranger));
        market.end(order);
        skip(SPAN);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, NOW + SPAN));
        market.end(order);
    }

    function test_end_twice() external {
        (Order memory order, bytes32 id) = ended();
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Ended));
        market.end(order);
    }
}
