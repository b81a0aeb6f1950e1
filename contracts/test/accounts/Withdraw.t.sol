// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Market} from "../../src/Market.sol";
import {Order} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {MarketTest} from "../helpers/MarketTest.sol";
import {BlockingToken, ReenteringToken} from "../helpers/Tokens.sol";
import {Wallet} from "../helpers/Wallet.sol";

contract WithdrawTest is MarketTest {
    function testFuzz_withdraw(uint64 amount) external {
        amount = uint64(bound(amount, 1, 1_000 * DOLLAR));
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.Withdrawn(consumer, stranger, amount);
        market.withdraw(amount, stranger);
        vm.assertEq(dollar.balanceOf(stranger), amount, "received");
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR - amount, "left");
    }

    function test_withdraw_whilePaused() external {
        vm.prank(owner);
        market.pause();
        vm.prank(consumer);
        market.withdraw(1_000 * DOLLAR, consumer);
        vm.assertEq(dollar.balanceOf(consumer), 1_000 * DOLLAR, "received");
    }

    function test_withdraw_moreThanThereIs() external {
        vm.prank(consumer);
        vm.expectRevert(
            abi.encodeWithSelector(ErrorsLib.InsufficientBalance.selector, consumer, 1_000 * DOLLAR, 1_000 * DOLLAR + 1)
        );
        market.withdraw(1_000 * DOLLAR + 1, consumer);
    }

    function test_withdraw_nothingOrToNobody() external {
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        market.withdraw(0, stranger);
        vm.prank(consumer);
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        market.withdraw(1, address(0));
    }

    function test_withdraw_reentered() external {
        ReenteringToken token = new ReenteringToken();
        Market other = deployMarket(owner, config(address(token)));
        token.mint(address(token), 2_000);
        token.mint(address(this), 2_000);
        token.approve(address(other), 2_000);
        other.deposit(2_000);
        token.arm(address(other), abi.encodeCall(other.withdraw, (1_000, address(token))));
        other.withdraw(1_000, stranger);
        vm.assertTrue(token.calledBack() && !token.succeeded(), "reentered");
        vm.assertEq(token.balanceOf(stranger), 1_000, "received");
        vm.assertEq(other.account(address(this)).balance, 1_000, "left");
    }

    /// A receiver that the token refuses holds up nobody, and gets its money elsewhere.
    function test_withdraw_receiverThatIsRefused() external {
        BlockingToken token = new BlockingToken();
        Market other = deployMarket(owner, config(address(token)));
        token.mint(address(this), 2_000);
        token.approve(address(other), 2_000);
        other.deposit(2_000);
        token.setBlocked(address(this), true);
        vm.expectRevert();
        other.withdraw(500, address(this));
        other.withdraw(500, stranger);
        vm.assertEq(token.balanceOf(stranger), 500, "received");
    }

    /// A provider whose every receive function reverts is paid like any other, because nothing is sent to it.
    function test_withdraw_providerThatReverts() external {
        Wallet wallet = new Wallet(provider);
        fund(address(wallet), 1_000 * DOLLAR);
        wallet.run(address(market), abi.encodeCall(market.stake, (500 * DOLLAR)));
        wallet.run(address(market), abi.encodeCall(market.postOffer, (1, terms(), SPEC)));
        Order memory order = anOrder(1);
        order.offer = market.offerId(address(wallet), 1);
        create(order);
        wallet.run(address(market), abi.encodeCall(market.accept, (order)));
        skip(SPAN);
        wallet.run(address(market), abi.encodeCall(market.commit, (order, ROOT, LEAVES)));
        vm.prank(consumer);
        market.settle(order);
        vm.assertEq(balanceOf(address(wallet)), 500 * DOLLAR + price(2 * PRICE, SPAN), "paid");
    }
}
