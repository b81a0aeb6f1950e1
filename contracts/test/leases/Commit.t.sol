// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {Lease, Order, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {MarketTest} from "../helpers/MarketTest.sol";
import {Wallet} from "../helpers/Wallet.sol";

contract CommitTest is MarketTest {
    function test_commit() external {
        (Order memory order, bytes32 id) = accepted();
        skip(SPAN + 5);
        vm.prank(provider);
        vm.expectEmit();
        emit EventsLib.LeaseCommitted(id, ROOT, LEAVES, provider, SPAN, 0);
        market.commit(order, ROOT, LEAVES);
        Lease memory found = market.lease(id);
        assertState(id, State.Committed);
        vm.assertEq(market.rootOf(id), ROOT, "root");
        vm.assertEq(found.leafCount, LEAVES, "leaves");
        vm.assertEq(found.used, SPAN, "used");
        vm.assertEq(found.deadline, NOW + SPAN + 5 + VERDICT_WINDOW, "deadline");
    }

    /// Work that is done early is committed early, and only its seconds are paid.
    function testFuzz_commit_endsALease(uint32 used) external {
        (Order memory order, bytes32 id) = accepted();
        used = uint32(bound(used, 0, SPAN));
        skip(used);
        commit(order);
        vm.assertEq(market.lease(id).used, used, "used");
        vm.assertEq(balanceOf(consumer), 1_000 * DOLLAR - price(2 * PRICE, used), "balance");
    }

    function test_commit_afterTheEnd() external {
        (Order memory order, bytes32 id) = ended();
        skip(COMMIT_WINDOW);
        commit(order);
        vm.assertEq(market.lease(id).used, SPAN / 2, "used");
    }

    /// The root never changes, whoever would like another.
    function test_commit_twice() external {
        (Order memory order, bytes32 id) = committed();
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Committed));
        market.commit(order, keccak256("other"), LEAVES);
        vm.assertEq(market.rootOf(id), ROOT, "root");
    }

    function test_commit_refused() external {
        (Order memory order, bytes32 id) = opened();
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Open));
        market.commit(order, ROOT, LEAVES);
        accept(order);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, consumer));
        market.commit(order, ROOT, LEAVES);
        vm.startPrank(provider);
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        market.commit(order, 0, LEAVES);
        vm.expectRevert(ErrorsLib.ZeroValue.selector);
        market.commit(order, ROOT, 0);
        uint40 deadline = market.lease(id).deadline;
        vm.warp(uint256(deadline) + 1);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, deadline));
        market.commit(order, ROOT, LEAVES);
    }

    function test_commitSigned_byAnybodyOnceItIsOver() external {
        (Order memory order, bytes32 id) = accepted();
        (bytes memory delegation, bytes memory signature) = signatures(id, PROVIDER_KEY, AGENT_KEY);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooEarly.selector, NOW + SPAN));
        market.commitSigned(order, ROOT, LEAVES, delegation, signature);
        skip(SPAN);
        vm.prank(stranger);
        vm.expectEmit();
        emit EventsLib.LeaseCommitted(id, ROOT, LEAVES, agent, SPAN, 0);
        market.commitSigned(order, ROOT, LEAVES, delegation, signature);
        assertState(id, State.Committed);
    }

    /// What a provider that died has signed is worth something to whoever holds it.
    function test_commitSigned_byConsumerAfterTheEnd() external {
        (Order memory order, bytes32 id) = ended();
        (bytes memory delegation, bytes memory signature) = signatures(id, PROVIDER_KEY, AGENT_KEY);
        vm.prank(consumer);
        market.commitSigned(order, ROOT, LEAVES, delegation, signature);
        vm.assertEq(market.escrowOf(id), price(2 * PRICE, SPAN / 2), "escrow");
    }

    function test_commitSigned_byProviderWhileItRuns() external {
        (Order memory order, bytes32 id) = accepted();
        (bytes memory delegation, bytes memory signature) = signatures(id, PROVIDER_KEY, AGENT_KEY);
        skip(10);
        vm.prank(provider);
        market.commitSigned(order, ROOT, LEAVES, delegation, signature);
        vm.assertEq(market.lease(id).used, 10, "used");
    }

    function test_commitSigned_providerIsAContract() external {
        Wallet wallet = new Wallet(provider);
        fund(address(wallet), 1_000 * DOLLAR);
        wallet.run(address(market), abi.encodeCall(market.stake, (500 * DOLLAR)));
        wallet.run(address(market), abi.encodeCall(market.postOffer, (1, terms(), SPEC)));
        Order memory order = anOrder(1);
        order.offer = market.offerId(address(wallet), 1);
        bytes32 id = create(order);
        wallet.run(address(market), abi.encodeCall(market.accept, (order)));
        skip(SPAN);
        (bytes memory delegation, bytes memory signature) = signatures(id, PROVIDER_KEY, AGENT_KEY);
        market.commitSigned(order, ROOT, LEAVES, delegation, signature);
        assertState(id, State.Committed);
    }

    /// Nobody commits in another's name: not without the provider's delegation, not for another lease or root.
    function test_commitSigned_refused() external {
        (Order memory order, bytes32 id) = ended();
        (bytes memory delegation, bytes memory signature) = signatures(id, CONSUMER_KEY, AGENT_KEY);
        bytes memory wrong = abi.encodeWithSelector(ErrorsLib.WrongSignature.selector, provider);
        vm.expectRevert(wrong);
        market.commitSigned(order, ROOT, LEAVES, delegation, signature);
        (delegation, signature) = signatures(keccak256("another lease"), PROVIDER_KEY, AGENT_KEY);
        vm.expectRevert(wrong);
        market.commitSigned(order, ROOT, LEAVES, delegation, signature);
        (delegation, signature) = signatures(id, PROVIDER_KEY, AGENT_KEY);
        vm.expectRevert(wrong);
        market.commitSigned(order, keccak256("another root"), LEAVES, delegation, signature);
        vm.expectRevert(wrong);
        market.commitSigned(order, ROOT, LEAVES + 1, delegation, signature);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 2));
        market.commitSigned(order, ROOT, LEAVES, delegation, hex"0102");
        market.commitSigned(order, ROOT, LEAVES, delegation, signature);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, id, State.Committed));
        market.commitSigned(order, ROOT, LEAVES, delegation, signature);
    }

    function signatures(bytes32 id, uint256 providerKey, uint256 agentKey)
        private
        view
        returns (bytes memory delegation, bytes memory signature)
    {
        delegation = sign(providerKey, market.delegationDigest(id, vm.addr(agentKey)));
        signature = sign(agentKey, market.commitmentDigest(id, ROOT, LEAVES));
    }
}
