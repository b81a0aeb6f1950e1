// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Market} from "../../src/Market.sol";
import {Account, Config, Offer, OfferId, State} from "../../src/Types.sol";
import {Test} from "../helpers/Test.sol";
import {ReenteringToken} from "../helpers/Tokens.sol";
import {Handler} from "./Handler.sol";

/// @notice What holds after any sequence of calls by anybody. I4, I5, I8 and I9 are asserted by the handler at the calls that
/// could break them, and again at the end of each run.
contract MarketInvariantTest is Test {
    Market private market;
    ReenteringToken private token;
    Handler private handler;

    function setUp() external {
        vm.warp(1_700_000_000);
        token = new ReenteringToken();
        market = deployMarket(
            address(this),
            Config({
                token: address(token),
                verifier: address(0x7E),
                insurance: address(0x115),
                stakePerUnit: 1e9,
                reserveBps: 15_000,
                unbondingPeriod: 3 days,
                commitWindow: 10 minutes,
                verdictWindow: 1 hours,
                disputeWindow: 1 days
            })
        );
        handler = new Handler(market, token, address(this));
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function excludeSelectors() external view returns (FuzzSelector[] memory excluded) {
        excluded = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Handler.letTimePass.selector;
        excluded[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_market() external view {
        moneyIsAllAccountedFor();
        leaseLeavesEscrowOnce();
        stakeBacksOpenLeases();
        nothingIsSoldTwice();
        copyingEarnsNothing();
    }

    /// I1: the market holds exactly what it owes: balances, stakes, stakes on their way out, escrows.
    function moneyIsAllAccountedFor() private view {
        uint256 owed = 0;
        for (uint256 i = 0; i < 7; i++) {
            address who = handler.ownerAt(i);
            Account memory owned = market.account(who);
            owed += owned.balance + owned.stake + market.unbonding(who).amount;
        }
        for (uint256 i = 0; i < handler.leases(); i++) {
            bytes32 id = handler.ids(i);
            owed += market.escrowOf(id);
        }
        vm.assertEq(token.balanceOf(address(market)), owed, "I1");
    }

    /// I2: the money of a lease leaves escrow once, all of it. I6: its root never changes.
    function leaseLeavesEscrowOnce() private view {
        for (uint256 i = 0; i < handler.leases(); i++) {
            bytes32 id = handler.ids(i);
            bool isFinal = market.lease(id).state >= State.Cancelled;
            vm.assertEq(handler.exits(id), isFinal ? 1 : 0, "I2: exits");
            vm.assertEq(handler.paidIn(id), handler.paidOut(id) + market.escrowOf(id), "I2: money");
            if (isFinal) vm.assertEq(market.escrowOf(id), 0, "I2: rest");
            vm.assertEq(market.rootOf(id), handler.rootOf(id), "I6");
        }
    }

    /// I3: what is reserved of a stake is what its open leases need, and it is there. Nothing is sold twice.
    function stakeBacksOpenLeases() private view {
        for (uint256 p = 0; p < 2; p++) {
            address provider = handler.providers(p);
            uint256 needed = 0;
            for (uint256 i = 0; i < handler.leases(); i++) {
                (bytes32 id, OfferId offer,) = handler.leaseAt(i);
                if (handler.providerOf(offer) == provider) needed += market.reserveOf(id);
            }
            Account memory owned = market.account(provider);
            vm.assertEq(owned.reserved, needed, "I3: reserved");
            vm.assertGe(owned.stake, owned.reserved, "I3: stake");
        }
    }

    function nothingIsSoldTwice() private view {
        for (uint256 o = 0; o < handler.offerCount(); o++) {
            OfferId id = handler.offers(o);
            uint256 leased = 0;
            for (uint256 i = 0; i < handler.leases(); i++) {
                (bytes32 leaseId, OfferId offer, uint32 units) = handler.leaseAt(i);
                State state = market.lease(leaseId).state;
                bool isHeld = state >= State.Active && state < State.Cancelled;
                if (OfferId.unwrap(offer) == OfferId.unwrap(id) && isHeld) leased += units;
            }
            Offer memory found = market.offer(id);
            vm.assertEq(found.leased, leased, "leased");
            vm.assertLe(found.leased, found.units, "units");
        }
    }

    /// The bot that copies earns nothing.
    function copyingEarnsNothing() private view {
        Account memory owned = market.account(handler.bot());
        vm.assertEq(owned.balance + owned.stake + token.balanceOf(handler.bot()), 0, "bot");
    }

    /// I5: wherever a run stops, time and a stranger settle all that is open, and everybody gets out, paused or not.
    function afterInvariant() external {
        handler.letTimePass();
        for (uint256 i = 0; i < handler.leases(); i++) {
            bytes32 id = handler.ids(i);
            vm.assertTrue(market.lease(id).state >= State.Cancelled, "I5");
        }
        uint256 offers = handler.offerCount();
        for (uint256 i = 0; i < offers; i++) {
            OfferId id = handler.offers(i);
            if (market.offer(id).withdrawn) continue;
            address provider = handler.providerOf(id);
            vm.prank(provider);
            market.withdrawOffer(id);
        }
        for (uint256 i = 0; i < 7; i++) {
            leaveMarket(handler.ownerAt(i));
        }
        vm.assertEq(token.balanceOf(address(market)), 0, "I1: somebody's money stayed");
    }

    function leaveMarket(address who) private {
        vm.startPrank(who);
        uint64 staked = market.account(who).stake;
        if (staked != 0) market.unbond(staked);
        if (market.unbonding(who).amount != 0) {
            vm.warp(block.timestamp + 3 days);
            market.claimUnbonded();
        }
        uint64 balance = market.account(who).balance;
        if (balance != 0) market.withdraw(balance, who);
        vm.stopPrank();
    }
}
