// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Market} from "../../src/Market.sol";
import {Notary} from "../../src/Notary.sol";
import {Drawn, NotaryConfig, Outcome, Phase, Proof, Seat} from "../../src/NotaryTypes.sol";
import {Account, Config, State} from "../../src/Types.sol";
import {Test} from "../helpers/Test.sol";
import {ReenteringToken} from "../helpers/Tokens.sol";
import {NotaryHandler} from "./NotaryHandler.sol";

/// @notice What holds of a notary and its market after any sequence of calls by anybody.
contract NotaryInvariantTest is Test {
    Market private market;
    Notary private notary;
    ReenteringToken private token;
    NotaryHandler private handler;

    function setUp() external {
        vm.warp(1_700_000_000);
        vm.roll(1_000);
        token = new ReenteringToken();
        notary = deployNotary(
            NotaryConfig({
                token: address(token),
                insurance: address(0x115),
                stakePerUnit: 1e10,
                stakePerProof: 4e9,
                minFee: 1,
                unbondingPeriod: 3 days,
                drawDelay: 2,
                findingWindow: 10 minutes,
                revealWindow: 5 minutes,
                excuseWindow: 5 minutes
            })
        );
        market = deployMarket(
            address(this),
            Config({
                token: address(token),
                verifier: address(notary),
                insurance: address(0x115),
                stakePerUnit: 1e9,
                reserveBps: 15_000,
                unbondingPeriod: 3 days,
                commitWindow: 10 minutes,
                verdictWindow: 1 hours,
                disputeWindow: 1 days
            })
        );
        notary.bind(market);
        handler = new NotaryHandler(market, notary, token);
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
        selectors[0] = NotaryHandler.letTimePass.selector;
        excluded[0] = FuzzSelector(address(handler), selectors);
    }

    /// forge-config: default.invariant.runs = 128
    function invariant_notary() external view {
        moneyIsAllAccountedFor();
        stakeBacksOpenProofs();
        feeLeavesOnce();
        seatsHaveTheirUnits();
    }

    /// I1: each contract holds exactly what it owes.
    function moneyIsAllAccountedFor() private view {
        uint256 owed = 0;
        uint256 owedThere = market.account(address(notary)).balance;
        for (uint256 i = 0; i < 11; i++) {
            address who = handler.ownerAt(i);
            Account memory owned = notary.account(who);
            Account memory there = market.account(who);
            owed += uint256(owned.balance) + owned.stake + notary.unbonding(who).amount;
            owedThere += uint256(there.balance) + there.stake + market.unbonding(who).amount;
        }
        for (uint256 i = 0; i < handler.proofs(); i++) {
            bytes32 id = handler.ids(i);
            (Proof memory found,,,) = notary.proof(id);
            if (found.phase < Phase.Concluded) owed += handler.paidIn(id);
            owedThere += market.escrowOf(handler.requestAt(i).subject);
        }
        vm.assertEq(token.balanceOf(address(notary)), owed, "I1: notary");
        vm.assertGe(token.balanceOf(address(market)), owedThere, "I1: market");
    }

    /// I3: what is reserved of a validator's stake is what its open proofs hold, and it is there.
    function stakeBacksOpenProofs() private view {
        uint256[6] memory held;
        for (uint256 i = 0; i < handler.proofs(); i++) {
            (Proof memory found,,, Drawn[] memory drawn) = notary.proof(handler.ids(i));
            if (found.phase >= Phase.Concluded) continue;
            for (uint256 j = 0; j < drawn.length; j++) {
                held[uint160(drawn[j].validator) - 0x7A100] += drawn[j].reserved;
            }
        }
        for (uint256 i = 0; i < 6; i++) {
            Account memory owned = notary.account(handler.validators(i));
            vm.assertEq(owned.reserved, held[i], "I3: reserved");
            vm.assertGe(owned.stake, owned.reserved, "I3: stake");
        }
    }

    /// I2: nothing of a fee has moved before the end, and all of it after.
    function feeLeavesOnce() private view {
        for (uint256 i = 0; i < handler.proofs(); i++) {
            bytes32 id = handler.ids(i);
            (Proof memory found,, Outcome memory outcome,) = notary.proof(id);
            uint256 moved = uint256(outcome.feePaid) + outcome.feeBack;
            vm.assertEq(moved, found.phase == Phase.Concluded ? handler.paidIn(id) : 0, "I2: fee");
        }
    }

    /// Units are those of the seat, and who is there has the stake for them.
    function seatsHaveTheirUnits() private view {
        Seat[] memory seats = notary.seats();
        uint256[6] memory units;
        for (uint256 i = 0; i < seats.length; i++) {
            if (seats[i].validator == address(0)) continue;
            uint256 number = uint160(seats[i].validator) - 0x7A100;
            vm.assertEq(units[number], 0, "one seat each");
            units[number] = seats[i].units;
            uint256 stake = notary.account(seats[i].validator).stake;
            if (seats[i].until == 0) vm.assertGe(stake, units[number] * 1e10, "its stake covers its units");
        }
        for (uint256 i = 0; i < 6; i++) {
            vm.assertEq(notary.account(handler.validators(i)).offered, units[i], "units");
        }
    }

    /// I5: wherever a run stops, time and a stranger end all proofs, and everybody gets out with what it has.
    function afterInvariant() external {
        handler.letTimePass();
        for (uint256 i = 0; i < handler.proofs(); i++) {
            (Proof memory found,,,) = notary.proof(handler.ids(i));
            vm.assertTrue(found.phase >= Phase.Concluded, "I5");
        }
        for (uint256 i = 0; i < 6; i++) {
            address who = handler.validators(i);
            vm.prank(who);
            (bool isDone,) = address(notary).call(abi.encodeCall(notary.leave, ()));
            isDone;
        }
        vm.roll(block.number + 300);
        for (uint256 i = 0; i < 11; i++) {
            (bool isDone,) = address(notary).call(abi.encodeCall(notary.depart, (handler.ownerAt(i))));
            isDone;
            leaveNotary(handler.ownerAt(i));
        }
        vm.assertEq(token.balanceOf(address(notary)), 0, "I1: somebody's money stayed");
    }

    function leaveNotary(address who) private {
        vm.startPrank(who);
        uint64 staked = notary.account(who).stake;
        if (staked != 0) notary.unbond(staked);
        if (notary.unbonding(who).amount != 0) {
            vm.warp(block.timestamp + 3 days);
            notary.claimUnbonded();
        }
        uint64 balance = notary.account(who).balance;
        if (balance != 0) notary.withdraw(balance, who);
        vm.stopPrank();
    }
}
