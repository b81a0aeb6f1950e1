// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Order, Penalty} from "../src/Types.sol";
import {MarketTest} from "./helpers/MarketTest.sol";

/// @notice What each call costs as a transaction of its own, intrinsic gas included, as its receipt would show it. The
/// table in README.md has the numbers; slots are those of parties that have traded before.
contract GasTest is MarketTest {
    string private constant GROUP = "Gas";

    /// An address as accounts have it; the short ones of other tests cost less to name.
    address private immutable receiver = vm.addr(0x57);

    function setUp() public override {
        super.setUp();
        Order memory order = anOrder(1);
        create(order);
        accept(order);
        skip(SPAN);
        commit(order);
        vm.prank(consumer);
        market.settle(order);
        vm.prank(provider);
        market.withdraw(DOLLAR, receiver);
    }

    /// forge-config: default.isolate = true
    function test_gasLease() external {
        Order memory order = anOrder(2);
        vm.prank(consumer);
        market.createLease(order, CONTACT);
        uint256 total = vm.snapshotGasLastCall(GROUP, "create");
        vm.prank(provider);
        market.accept(order);
        total += vm.snapshotGasLastCall(GROUP, "accept");
        skip(SPAN);
        vm.prank(provider);
        market.commit(order, ROOT, LEAVES);
        total += vm.snapshotGasLastCall(GROUP, "commit");
        vm.prank(consumer);
        market.settle(order);
        total += vm.snapshotGasLastCall(GROUP, "settle");
        vm.snapshotValue(GROUP, "lease_total", total);
        vm.assertLe(total, 220_000, "lease_total");
    }

    /// forge-config: default.isolate = true
    function test_gasLease_otherWays() external {
        Order memory order = anOrder(3);
        bytes memory signature = sign(CONSUMER_KEY, market.leaseId(order));
        market.createLeaseFor(order, CONTACT, signature);
        vm.snapshotGasLastCall(GROUP, "create, by signature");
        accept(order);
        skip(SPAN / 2);
        vm.prank(consumer);
        market.extend(order, SPAN);
        vm.snapshotGasLastCall(GROUP, "extend");
        vm.prank(consumer);
        market.end(order);
        vm.snapshotGasLastCall(GROUP, "end");
        bytes32 id = market.leaseId(order);
        bytes memory delegation = sign(PROVIDER_KEY, market.delegationDigest(id, agent));
        signature = sign(AGENT_KEY, market.commitmentDigest(id, ROOT, LEAVES));
        market.commitSigned(order, ROOT, LEAVES, delegation, signature);
        vm.snapshotGasLastCall(GROUP, "commit, by the agent's signature");
        skipDeadline(id);
        market.expire(order);
        vm.snapshotGasLastCall(GROUP, "expire, paid");
    }

    /// forge-config: default.isolate = true
    function test_gasLease_paidFromAllowance() external {
        vm.prank(consumer);
        market.withdraw(990 * DOLLAR, consumer);
        Order memory order = anOrder(4);
        order.span = 10 * SPAN;
        vm.prank(consumer);
        market.createLease(order, CONTACT);
        vm.snapshotGasLastCall(GROUP, "create, pulling the token");
        accept(order);
        skip(SPAN);
        vm.prank(provider);
        market.commit(order, ROOT, LEAVES);
        vm.snapshotGasLastCall(GROUP, "commit, ending early");
        vm.prank(verifier);
        market.slash(order, Penalty(100, 25, 25, stranger));
        vm.snapshotGasLastCall(GROUP, "slash, to accounts that are new");
    }

    /// forge-config: default.isolate = true
    function test_gasMoneyAndOffers() external {
        vm.prank(provider);
        market.withdraw(DOLLAR, receiver);
        vm.snapshotGasLastCall(GROUP, "withdraw, a part");
        uint64 all = balanceOf(consumer);
        vm.prank(consumer);
        market.withdraw(all, receiver);
        uint256 used = vm.snapshotGasLastCall(GROUP, "withdraw");
        vm.assertLe(used, 40_000, "withdraw");
        vm.prank(receiver);
        dollar.approve(address(market), type(uint256).max);
        vm.prank(receiver);
        market.deposit(1);
        vm.prank(receiver);
        market.deposit(1);
        vm.snapshotGasLastCall(GROUP, "deposit");
        vm.prank(provider);
        market.stake(1);
        vm.snapshotGasLastCall(GROUP, "stake");
        vm.prank(provider);
        market.postOffer(2, terms(), SPEC);
        used = vm.snapshotGasLastCall(GROUP, "offer_register");
        vm.assertLe(used, 100_000, "offer_register");
        vm.prank(provider);
        market.withdrawOffer(offerId);
        vm.snapshotGasLastCall(GROUP, "offer_withdraw");
        vm.prank(provider);
        market.unbond(1);
        vm.snapshotGasLastCall(GROUP, "unbond");
    }
}
