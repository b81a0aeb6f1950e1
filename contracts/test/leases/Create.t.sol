// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Market} from "../../src/Market.sol";
import {Config, Lease, OfferId, OfferTerms, Order, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {MarketTest} from "../helpers/MarketTest.sol";
import {FeeToken, ReenteringToken} from "../helpers/Tokens.sol";
import {Wallet} from "../helpers/Wallet.sol";

contract CreateTest is MarketTest {
    function test_createLease() external {
        Order memory order = anOrder(1);
        uint64 escrow = price(2 * PRICE, SPAN);
        bytes32 id = market.leaseId(order);
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.LeaseCreated(id, consumer, offerId, escrow, order, CONTACT);
        market.createLease(order, CONTACT);
        Lease memory found = market.lease(id);
        assertState(id, State.Open);
        vm.assertEq(found.rate, 2 * PRICE, "rate");
        vm.assertEq(found.span, SPAN, "span");
        vm.assertEq(found.deadline, order.acceptBy, "deadline");
        vm.assertEq(found.startedAt, 0, "startedAt");
        vm.assertEq(market.escrowOf(id), escrow, "escrow");
        vm.assertEq(market.reserveOf(id), 0, "reserve");
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR - escrow, "balance");
    }

    /// The price is that of the Rust side: rate times seconds over 3600, rounded up once.
    function testFuzz_createLease(uint64 rate, uint32 units, uint32 span) external {
        rate = uint64(bound(rate, 1, 10 * DOLLAR));
        units = uint32(bound(units, 1, UNITS));
        span = uint32(bound(span, 1, 10 hours));
        OfferTerms memory posted = terms();
        posted.pricePerHour = rate;
        vm.prank(provider);
        Order memory order = anOrder(1);
        order.offer = market.postOffer(2, posted, SPEC);
        (order.units, order.span, order.maxPricePerHour) = (units, span, rate);
        bytes32 id = create(order);
        vm.assertEq(market.escrowOf(id), price(rate * units, span), "escrow");
        vm.assertEq(market.charge(rate * units, span), price(rate * units, span), "charge");
    }

    function test_createLease_fromBalanceAndAllowance() external {
        vm.prank(consumer);
        market.withdraw(1_000 * DOLLAR - 1, consumer);
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.Deposited(consumer, price(2 * PRICE, SPAN) - 1);
        market.createLease(anOrder(1), CONTACT);
        vm.assertEq(balanceOf(consumer), 0, "balance");
        vm.assertEq(dollar.balanceOf(consumer), 1_000 * DOLLAR - price(2 * PRICE, SPAN), "wallet");
    }

    function test_createLease_withoutMoney() external {
        vm.startPrank(consumer);
        market.withdraw(1_000 * DOLLAR, stranger);
        vm.expectRevert();
        market.createLease(anOrder(1), CONTACT);
    }

    function test_createLease_tokenThatTakesAFee() external {
        FeeToken token = new FeeToken();
        Order memory order = anOrder(1);
        Market other;
        (other, order.offer) = marketOf(address(token));
        token.mint(consumer, 1_000 * DOLLAR);
        vm.prank(consumer);
        token.approve(address(other), type(uint256).max);
        uint256 escrow = price(2 * PRICE, SPAN);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TokenDelivered.selector, escrow - escrow / 100, escrow));
        other.createLease(order, CONTACT);
    }

    /// While the token is on its way, the consumer takes back what it has not paid yet, and cannot take it out.
    function test_createLease_reentered() external {
        ReenteringToken token = new ReenteringToken();
        Wallet wallet = new Wallet(consumer);
        Order memory order = anOrder(1);
        Market other;
        (other, order.offer) = marketOf(address(token));
        order.consumer = address(wallet);
        token.mint(address(wallet), 1_000 * DOLLAR);
        token.mint(stranger, 100 * DOLLAR);
        vm.startPrank(stranger);
        token.approve(address(other), type(uint256).max);
        other.deposit(100 * DOLLAR);
        vm.stopPrank();
        wallet.run(address(token), abi.encodeCall(token.approve, (address(other), type(uint256).max)));
        token.arm(address(wallet), abi.encodeCall(wallet.run, (address(other), abi.encodeCall(other.cancel, (order)))));
        wallet.run(address(other), abi.encodeCall(other.createLease, (order, CONTACT)));
        vm.assertTrue(token.calledBack() && token.succeeded(), "reentered");
        uint64 escrow = price(2 * PRICE, SPAN);
        vm.assertEq(other.account(address(wallet)).balance, escrow, "balance");
        vm.assertEq(token.balanceOf(address(other)), 100 * DOLLAR + escrow, "held");
    }

    function test_createLease_byAnother() external {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, stranger));
        market.createLease(anOrder(1), CONTACT);
    }

    function test_createLease_whilePaused() external {
        vm.prank(owner);
        market.pause();
        expectRefused(anOrder(1), abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        vm.prank(owner);
        market.unpause();
        create(anOrder(1));
    }

    function test_createLease_replayed() external {
        (Order memory order, bytes32 id) = opened();
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Open));
        accept(order);
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Active));
        skip(1);
        commit(order);
        vm.prank(consumer);
        market.settle(order);
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Settled));
    }

    function test_createLease_withoutUnitsOrSpan() external {
        Order memory order = anOrder(1);
        order.units = 0;
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.ZeroValue.selector));
        order = anOrder(1);
        order.span = 0;
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.ZeroValue.selector));
    }

    function test_createLease_tooLong() external {
        Order memory order = anOrder(1);
        order.span = 365 days + 1;
        expectRefused(
            order, abi.encodeWithSelector(ErrorsLib.TooLong.selector, uint256(365 days) + 1, uint256(365 days))
        );
        order = anOrder(1);
        order.acceptBy = NOW + 7 days + 1;
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.TooLong.selector, uint256(7 days) + 1, uint256(7 days)));
    }

    function test_createLease_tooLate() external {
        Order memory order = anOrder(1);
        vm.warp(order.acceptBy);
        create(order);
        order.salt = 2;
        vm.warp(uint256(order.acceptBy) + 1);
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.TooLate.selector, order.acceptBy));
    }

    function test_createLease_offerNotThereOrWithdrawn() external {
        Order memory order = anOrder(1);
        order.offer = market.offerId(stranger, 1);
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.OfferNotAvailable.selector, order.offer));
        order = anOrder(1);
        vm.prank(provider);
        market.withdrawOffer(offerId);
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.OfferNotAvailable.selector, offerId));
    }

    /// A price that moved against the consumer between its look and its call is refused.
    function test_createLease_priceTooHigh() external {
        Order memory order = anOrder(1);
        order.maxPricePerHour = PRICE - 1;
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.PriceTooHigh.selector, PRICE, PRICE - 1));
    }

    function test_createLease_moreUnitsThanFree() external {
        Order memory order = anOrder(1);
        order.units = UNITS + 1;
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.NotEnoughUnits.selector, offerId, UNITS, UNITS + 1));
        accepted();
        order.units = UNITS - 1;
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.NotEnoughUnits.selector, offerId, UNITS - 2, UNITS - 1));
    }

    function test_createLease_beyondTheWindow() external {
        Order memory order = anOrder(1);
        order.span = 30 days + 1;
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.OutsideWindow.selector, NOW, NOW + 30 days + 1));
    }

    function test_createLease_wrongContact() external {
        Order memory order = anOrder(1);
        order.contactHash = keccak256("elsewhere");
        expectRefused(order, abi.encodeWithSelector(ErrorsLib.WrongContact.selector, order.contactHash));
    }

    function test_createLease_rateTooHigh() external {
        OfferTerms memory posted = terms();
        posted.pricePerHour = type(uint64).max;
        vm.prank(provider);
        Order memory order = anOrder(1);
        order.offer = market.postOffer(2, posted, SPEC);
        order.maxPricePerHour = type(uint64).max;
        expectRefused(
            order,
            abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 64, uint256(type(uint64).max) * 2)
        );
    }

    function test_createLeaseFor() external {
        Order memory order = anOrder(1);
        bytes memory signature = sign(CONSUMER_KEY, market.leaseId(order));
        vm.prank(stranger);
        bytes32 id = market.createLeaseFor(order, CONTACT, signature);
        assertState(id, State.Open);
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR - price(2 * PRICE, SPAN), "balance");
    }

    function test_createLeaseFor_contract() external {
        Wallet wallet = new Wallet(consumer);
        fund(address(wallet), 100 * DOLLAR);
        Order memory order = anOrder(1);
        order.consumer = address(wallet);
        bytes memory signature = sign(CONSUMER_KEY, market.leaseId(order));
        market.createLeaseFor(order, CONTACT, signature);
        vm.assertEq(balanceOf(address(wallet)), 100 * DOLLAR - price(2 * PRICE, SPAN), "balance");
    }

    function test_createLeaseFor_replayed() external {
        Order memory order = anOrder(1);
        bytes32 id = market.leaseId(order);
        bytes memory signature = sign(CONSUMER_KEY, id);
        market.createLeaseFor(order, CONTACT, signature);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Open));
        market.createLeaseFor(order, CONTACT, signature);
        vm.prank(consumer);
        market.cancel(order);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Cancelled));
        market.createLeaseFor(order, CONTACT, signature);
    }

    /// Whoever copies an order and changes anything in it, the consumer included, has another id and no signature.
    function testFuzz_createLeaseFor_changed(uint8 member, uint32 change) external {
        Order memory order = anOrder(1);
        bytes memory signature = sign(CONSUMER_KEY, market.leaseId(order));
        change = uint32(bound(change, 1, 1000));
        member %= 9;
        if (member == 0) order.consumer = address(uint160(order.consumer) + change);
        if (member == 1) order.offer = OfferId.wrap(bytes32(uint256(OfferId.unwrap(offerId)) + change));
        if (member == 2) order.jobHash = bytes32(uint256(order.jobHash) + change);
        if (member == 3) order.contactHash = bytes32(uint256(order.contactHash) + change);
        if (member == 4) order.maxPricePerHour += change;
        if (member == 5) order.units += change;
        if (member == 6) order.span += change;
        if (member == 7) order.acceptBy += change;
        if (member == 8) order.salt += change;
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongSignature.selector, order.consumer));
        market.createLeaseFor(order, CONTACT, signature);
    }

    /// A signature counts on one market of one chain.
    function test_createLeaseFor_elsewhere() external {
        Order memory order = anOrder(1);
        bytes memory signature = sign(CONSUMER_KEY, market.leaseId(order));
        Market other = deployMarket(owner, config(address(dollar)));
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongSignature.selector, consumer));
        other.createLeaseFor(order, CONTACT, signature);
        vm.chainId(block.chainid + 1);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongSignature.selector, consumer));
        market.createLeaseFor(order, CONTACT, signature);
    }

    /// The id is what EIP-712 says it is.
    function test_leaseId() external view {
        Order memory order = anOrder(1);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Waag"),
                keccak256("1"),
                block.chainid,
                address(market)
            )
        );
        bytes32 hash = keccak256(
            abi.encode(
                keccak256(
                    "Order(address consumer,bytes32 offer,bytes32 jobHash,bytes32 contactHash,uint64 maxPricePerHour,uint32 units,uint32 span,uint40 acceptBy,uint64 salt)"
                ),
                order
            )
        );
        vm.assertEq(market.leaseId(order), keccak256(abi.encodePacked("\x19\x01", domain, hash)), "id");
    }

    /// Bits outside a member's type are not silently dropped: such a call has no order that it could mean.
    function test_createLease_dirtyBits() external {
        bytes memory call = abi.encodeCall(market.createLease, (anOrder(1), CONTACT));
        // The span is the seventh word after the selector; set a bit above its 32.
        call[4 + 6 * 32 + 27] = 0x01;
        vm.prank(consumer);
        (bool done,) = address(market).call(call);
        vm.assertTrue(!done, "accepted");
    }

    function expectRefused(Order memory order, bytes memory reason) private {
        vm.prank(order.consumer);
        vm.expectRevert(reason);
        market.createLease(order, CONTACT);
    }

    /// @dev A market that asks for no stake, with an offer on it.
    function marketOf(address token) private returns (Market other, OfferId id) {
        Config memory parameters = config(token);
        parameters.stakePerUnit = 0;
        other = deployMarket(owner, parameters);
        vm.prank(provider);
        id = other.postOffer(1, terms(), SPEC);
    }
}
