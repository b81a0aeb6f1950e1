// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {Market} from "../../src/Market.sol";
import {Config} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {MarketTest} from "../helpers/MarketTest.sol";

contract AdminTest is MarketTest {
    uint40 private constant DELAY = COMMIT_WINDOW + VERDICT_WINDOW + DISPUTE_WINDOW + UNBONDING;

    function test_constructor() external {
        vm.assertEq(market.token(), address(dollar), "token");
        vm.assertEq(market.insurance(), insurance, "insurance");
        vm.assertEq(market.verifier(), verifier, "verifier");
        vm.assertEq(market.owner(), owner, "owner");
        vm.assertEq(market.stakePerUnit(), STAKE_PER_UNIT, "stakePerUnit");
        vm.assertEq(market.reserveBps(), RESERVE_BPS, "reserveBps");
        vm.assertEq(market.unbondingPeriod(), UNBONDING, "unbondingPeriod");
        vm.assertEq(market.commitWindow(), COMMIT_WINDOW, "commitWindow");
        vm.assertEq(market.verdictWindow(), VERDICT_WINDOW, "verdictWindow");
        vm.assertEq(market.disputeWindow(), DISPUTE_WINDOW, "disputeWindow");
        vm.assertEq(market.verifierDelay(), DELAY, "verifierDelay");
        Config memory parameters = config(address(dollar));
        parameters.verifier = address(0);
        vm.assertEq(deployMarket(owner, parameters).verifier(), address(0), "no verifier");
    }

    function test_constructor_refusesZeros() external {
        for (uint256 i = 0; i < 6; i++) {
            Config memory bad = config(address(dollar));
            if (i == 0) bad.token = address(0);
            if (i == 1) bad.insurance = address(0);
            if (i == 2) bad.unbondingPeriod = 0;
            if (i == 3) bad.commitWindow = 0;
            if (i == 4) bad.verdictWindow = 0;
            if (i == 5) bad.disputeWindow = 0;
            try this.deployed(bad) {
                vm.assertTrue(false, "deployed");
            } catch (bytes memory reason) {
                vm.assertEq(bytes32(reason), bytes32(ErrorsLib.ZeroValue.selector), "reason");
            }
        }
    }

    function deployed(Config memory parameters) external returns (Market) {
        return deployMarket(owner, parameters);
    }

    function test_ownerOnly() external {
        vm.startPrank(stranger);
        bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, stranger);
        vm.expectRevert(reason);
        market.pause();
        vm.expectRevert(reason);
        market.unpause();
        vm.expectRevert(reason);
        market.scheduleVerifier(stranger);
        vm.expectRevert(reason);
        dollar.mint(stranger, 1);
    }

    function test_verifier_changesAfterTheDelay() external {
        vm.prank(owner);
        vm.expectEmit();
        emit EventsLib.VerifierScheduled(stranger, NOW + DELAY);
        market.scheduleVerifier(stranger);
        (address next, uint40 from) = market.scheduledVerifier();
        vm.assertEq(next, stranger, "next");
        vm.assertEq(from, NOW + DELAY, "from");
        vm.warp(NOW + DELAY - 1);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.VerifierNotDue.selector, NOW + DELAY));
        market.applyVerifier();
        skip(1);
        vm.expectEmit();
        emit EventsLib.VerifierChanged(verifier, stranger);
        market.applyVerifier();
        vm.assertEq(market.verifier(), stranger, "verifier");
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.VerifierNotDue.selector, 0));
        market.applyVerifier();
    }

    function test_dollar() external view {
        vm.assertEq(dollar.decimals(), 6, "decimals");
        vm.assertEq(dollar.symbol(), "TUSD", "symbol");
    }
}
