// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {Market} from "../../src/Market.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {MarketTest} from "../helpers/MarketTest.sol";
import {FalseToken, FeeToken, FreeToken, ReenteringToken, ShrinkingToken} from "../helpers/Tokens.sol";

contract DepositTest is MarketTest {
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    function testFuzz_deposit(uint64 amount) external {
        amount = uint64(bound(amount, 1, type(uint64).max - 2_000 * DOLLAR));
        vm.prank(owner);
        dollar.mint(stranger, amount);
        vm.startPrank(stranger);
        dollar.approve(address(market), amount);
        vm.expectEmit();
        emit EventsLib.Deposited(stranger, amount);
        market.deposit(amount);
        vm.assertEq(balanceOf(stranger), amount, "balance");
        vm.assertEq(dollar.balanceOf(address(market)), 2_000 * uint256(DOLLAR) + amount, "held");
    }

    function test_deposit_nothing() external {
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        market.deposit(0);
    }

    function test_deposit_moreThanAccountsCount() external {
        uint64 amount = type(uint64).max - 2_000 * DOLLAR + 1;
        vm.prank(owner);
        dollar.mint(consumer, amount);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooMuchMoney.selector, uint256(type(uint64).max) + 1));
        market.deposit(amount);
    }

    function test_deposit_tokenThatTakesAFee() external {
        Market other = marketOf(new FeeToken());
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TokenDelivered.selector, 990, 1_000));
        other.deposit(1_000);
    }

    function test_deposit_tokenThatShrinks() external {
        ShrinkingToken token = new ShrinkingToken();
        Market other = marketOf(token);
        token.mint(address(other), 1e9);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TokenDelivered.selector, 0, 1_000));
        other.deposit(1_000);
    }

    function test_deposit_tokenThatReturnsFalse() external {
        FalseToken token = new FalseToken();
        Market other = marketOf(token);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        other.deposit(1_000);
    }

    function test_deposit_reenteredByDeposit() external {
        ReenteringToken token = new ReenteringToken();
        Market other = marketOf(token);
        token.arm(address(other), abi.encodeCall(other.deposit, (1)));
        other.deposit(1_000);
        assertRefused(token);
        vm.assertEq(other.account(address(this)).balance, 1_000, "balance");
    }

    function test_deposit_reenteredByWithdraw() external {
        ReenteringToken token = new ReenteringToken();
        Market other = marketOf(token);
        other.deposit(1_000);
        token.arm(address(other), abi.encodeCall(other.withdraw, (1, address(token))));
        other.deposit(1_000);
        assertRefused(token);
    }

    function test_depositWithPermit() external {
        vm.prank(consumer);
        dollar.approve(address(market), 0);
        vm.prank(owner);
        dollar.mint(consumer, 7);
        (uint8 v, bytes32 r, bytes32 s) = permit(7);
        vm.prank(consumer);
        market.depositWithPermit(7, NOW, v, r, s);
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR + 7, "balance");
    }

    function test_depositWithPermit_submittedByAnother() external {
        vm.prank(owner);
        dollar.mint(consumer, 7);
        (uint8 v, bytes32 r, bytes32 s) = permit(7);
        vm.prank(stranger);
        dollar.permit(consumer, address(market), 7, NOW, v, r, s);
        vm.prank(consumer);
        market.depositWithPermit(7, NOW, v, r, s);
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR + 7, "balance");
    }

    function permit(uint256 amount) private view returns (uint8, bytes32, bytes32) {
        bytes32 hash = keccak256(
            abi.encode(PERMIT_TYPEHASH, consumer, address(market), amount, dollar.nonces(consumer), uint256(NOW))
        );
        return vm.sign(CONSUMER_KEY, keccak256(abi.encodePacked("\x19\x01", dollar.DOMAIN_SEPARATOR(), hash)));
    }

    function marketOf(FreeToken token) private returns (Market other) {
        other = deployMarket(owner, config(address(token)));
        token.mint(address(this), 1e9);
        token.approve(address(other), type(uint256).max);
    }

    function assertRefused(ReenteringToken token) private view {
        vm.assertTrue(token.calledBack() && !token.succeeded(), "reentered");
        vm.assertEq(
            bytes32(token.answer()), bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector), "reason"
        );
    }
}
