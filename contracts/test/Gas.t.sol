// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Order} from "../src/Types.sol";
import {MarketTest} from "./helpers/MarketTest.sol";

/// @notice What each call costs as a transaction of its own, intrinsic gas included, as its receipt would show it. The
/// numbers are in `snapshots/Gas.json`; slots are those of parties that have traded before.
contract GasTest is MarketTest {
    string private constant GROUP = "Gas";

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
        market.withdraw(DOLLAR, stranger);
    }

    /// forge-config: default.isolate = true
    function test_gasLease() external {
        Order memory order = anOrder(2);
        vm.prank(consumer);
        market.createLease(order, CONTACT);
        uint256 total = vm.snapshotGasLastCall(GROUP, "lease: create");
        vm.prank(provider);
        market.accept(order);
        total += vm.snapshotGasLastCall(GROUP, "lease: accept");
        skip(SPAN);
        vm.prank(provider);
        market.commit(order, ROOT, LEAVES);
        total += vm.snapshotGasLastCall(GROUP, "lease: commit");
        vm.prank(consumer);
        market.settle(order);
        total += vm.snapshotGasLastCall(GROUP, "lease: settle");
        vm.snapshotValue(GROUP, "lease: total", total);
    }
}
