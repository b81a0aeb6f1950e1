// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Notary} from "../../src/Notary.sol";
import {Phase, Proof, Request} from "../../src/NotaryTypes.sol";
import {Config, Order, State} from "../../src/Types.sol";
import {Market} from "../../src/Market.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {Leaves} from "../helpers/Leaves.sol";
import {NotaryTest} from "../helpers/NotaryTest.sol";

contract OpenTest is NotaryTest {
    uint64 private constant FEE_TOTAL = 3 * SHARE;

    function test_open() external {
        (Order memory order, bytes32 subject) = committedLease(1);
        Request memory request = aRequest(subject, Leaves.root(leaves()));
        uint64 before = ownedBy(consumer).balance;
        bytes32 id = notary.proofId(request);
        uint40 drawBlock = uint40(block.number) + DRAW_DELAY;
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.ProofOpened(id, consumer, subject, request, drawBlock, address(0), CONTACT);
        vm.assertEq(notary.open(request, order, CONTACT), id, "id");
        Proof memory found = proofOf(id);
        assertPhase(id, Phase.Opened);
        vm.assertEq(found.drawBlock, drawBlock, "draw block");
        vm.assertEq(found.deadline, block.timestamp + FINDING_WINDOW, "deadline");
        vm.assertEq(before - ownedBy(consumer).balance, FEE_TOTAL, "fee");
        vm.assertEq(notary.proofOf(consumer, subject), id, "one proof");
    }

    /// @dev By hand, from the EIP: the type, then the members in their order.
    function test_proofId() external view {
        Request memory request = aRequest(keccak256("subject"), keccak256("root"));
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Waag Notary"),
                keccak256("1"),
                block.chainid,
                address(notary)
            )
        );
        bytes32 typehash = keccak256(
            "Request(address consumer,bytes32 subject,bytes32 jobHash,bytes32 root,uint32 leafCount,uint32 segments,uint32 sample,uint32 validators,uint64 fee,address provider,uint64 salt)"
        );
        bytes32 expected = keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(typehash, request))));
        vm.assertEq(notary.proofId(request), expected, "id");
        vm.assertEq(notary.domainSeparator(), domain, "domain");
    }

    /// @dev After a split of the chain, signatures of one part are void on the other.
    function test_domain_followsTheChainsId() external {
        bytes32 before = notary.domainSeparator();
        vm.chainId(block.chainid + 1);
        vm.assertTrue(notary.domainSeparator() != before, "domain");
    }

    function test_open_restFromAllowance() external {
        (Order memory order, bytes32 subject) = committedLease(1);
        uint64 all = ownedBy(consumer).balance;
        vm.prank(consumer);
        notary.withdraw(all - 5, consumer);
        uint256 held = dollar.balanceOf(consumer);
        open(aRequest(subject, Leaves.root(leaves())), order);
        vm.assertEq(ownedBy(consumer).balance, 0, "account");
        vm.assertEq(held - dollar.balanceOf(consumer), FEE_TOTAL - 5, "allowance");
    }

    function test_open_byAnother() external {
        (Order memory order, bytes32 subject) = committedLease(1);
        Request memory request = aRequest(subject, Leaves.root(leaves()));
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, stranger));
        notary.open(request, order, CONTACT);
        // Nor in its own name: the order has another consumer.
        request.consumer = stranger;
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongSubject.selector, subject));
        notary.open(request, order, CONTACT);
    }

    /// @dev Whatever differs from what was committed to.
    function test_open_notWhatWasCommittedTo() external {
        (Order memory order, bytes32 subject) = committedLease(1);
        for (uint256 i = 0; i < 6; i++) {
            Request memory request = aRequest(subject, Leaves.root(leaves()));
            if (i == 0) request.subject = keccak256("another");
            if (i == 1) request.root = keccak256("another");
            if (i == 2) request.leafCount++;
            if (i == 3) request.jobHash = keccak256("another");
            if (i == 4) request.provider = stranger;
            if (i == 5) request.provider = address(0);
            vm.prank(consumer);
            vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongSubject.selector, request.subject));
            notary.open(request, order, CONTACT);
        }
    }

    function test_open_unsound() external {
        (Order memory order, bytes32 subject) = committedLease(1);
        for (uint256 i = 0; i < 9; i++) {
            Request memory request = aRequest(subject, Leaves.root(leaves()));
            bytes memory reason = abi.encodeWithSelector(ErrorsLib.ZeroValue.selector);
            if (i == 0) request.segments = 0;
            if (i == 1) request.validators = 0;
            if (i == 2 || i == 3) {
                request.segments = i == 2 ? SEGMENTS + 1 : SEGMENTS - 2;
                reason = abi.encodeWithSelector(ErrorsLib.WrongLeafCount.selector, request.leafCount, request.segments);
            }
            if (i == 4) {
                request.validators = 17;
                reason = abi.encodeWithSelector(ErrorsLib.TooMany.selector, 17, 16);
            }
            if (i == 5) {
                request.validators = 8;
                reason = abi.encodeWithSelector(ErrorsLib.NotEnoughValidators.selector, 7, 8);
            }
            if (i == 6) {
                request.fee = MIN_FEE - 1;
                reason = abi.encodeWithSelector(ErrorsLib.FeeTooLow.selector, MIN_FEE - 1, MIN_FEE);
            }
            if (i == 7) {
                request.fee = type(uint64).max / (3 * REPLAYED) + 1;
                uint256 total = uint256(request.fee) * 3 * REPLAYED;
                reason = abi.encodeWithSignature("SafeCastOverflowedUintDowncast(uint8,uint256)", 64, total);
            }
            if (i == 8) {
                request.fee = 6 * DOLLAR;
                uint64 total = 18 * REPLAYED * DOLLAR;
                reason = abi.encodeWithSignature(
                    "ERC20InsufficientAllowance(address,uint256,uint256)", address(notary), 0, total - 100 * DOLLAR
                );
                vm.prank(consumer);
                dollar.approve(address(notary), 0);
            }
            vm.prank(consumer);
            vm.expectRevert(reason);
            notary.open(request, order, CONTACT);
        }
    }

    function test_open_onceForASubject() external {
        (Request memory request, Order memory order, bytes32 id) = openedProof();
        request.salt++;
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.ProofExists.selector, id));
        notary.open(request, order, CONTACT);
    }

    function test_open_stateOfTheLease() external {
        Order memory order = anOrder(1);
        bytes32 subject = create(order);
        accept(order);
        Request memory request = aRequest(subject, Leaves.root(leaves()));
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongState.selector, subject, State.Active));
        notary.open(request, order, CONTACT);
    }

    /// @dev Enough must be left to draw, commit, reveal, close and conclude before the lease settles by itself.
    function test_open_timeLeft() external {
        uint40 lead = 2 * FINDING_WINDOW + 2 * REVEAL_WINDOW + EXCUSE_WINDOW;
        vm.assertEq(notary.leadTime(), lead, "lead time");
        (Order memory order, bytes32 subject) = committedLease(1);
        Request memory request = aRequest(subject, Leaves.root(leaves()));
        uint40 last = market.lease(subject).deadline - lead;
        vm.warp(uint256(last) + 1);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, last));
        notary.open(request, order, CONTACT);
        vm.warp(last);
        open(request, order);
    }

    /// @dev The slowest way through all phases still reaches the lease before its deadline.
    function test_open_slowestProofEndsInTime() external {
        (Order memory order, bytes32 subject) = committedLease(1);
        Request memory request = aRequest(subject, Leaves.root(leaves()));
        uint40 deadline = market.lease(subject).deadline;
        vm.warp(deadline - notary.leadTime());
        bytes32 id = open(request, order);
        vm.warp(proofOf(id).deadline);
        draw(request, id);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        vm.warp(uint256(proofOf(id).deadline) + 1);
        assertPhase(id, Phase.Closing);
        vm.assertLe(block.timestamp, deadline, "time left to conclude");
        conclude(request, order);
    }

    /* OUTSIDE THE MARKET */

    function test_openSigned() external {
        (Request memory request, bytes memory signature) = aSignedRequest(keccak256("a lease elsewhere"));
        bytes32 id = notary.proofId(request);
        uint40 drawBlock = uint40(block.number) + DRAW_DELAY;
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.ProofOpened(id, consumer, request.subject, request, drawBlock, agent, CONTACT);
        notary.openSigned(request, signature, CONTACT);
        assertPhase(id, Phase.Opened);
    }

    function test_openSigned_refused() external {
        (Request memory request, bytes memory signature) = aSignedRequest(keccak256("a lease elsewhere"));
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, stranger));
        notary.openSigned(request, signature, CONTACT);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSignature("ECDSAInvalidSignatureLength(uint256)", 64));
        notary.openSigned(request, new bytes(64), CONTACT);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSignature("ECDSAInvalidSignature()"));
        notary.openSigned(request, new bytes(65), CONTACT);
        request.provider = provider;
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongSubject.selector, request.subject));
        notary.openSigned(request, signature, CONTACT);
        for (uint256 i = 0; i < 3; i++) {
            (request, signature) = aSignedRequest(keccak256("a lease elsewhere"));
            if (i == 0) request.subject = 0;
            if (i == 1) request.jobHash = 0;
            if (i == 2) request.root = 0;
            vm.prank(consumer);
            vm.expectRevert(ErrorsLib.ZeroValue.selector);
            notary.openSigned(request, signature, CONTACT);
        }
    }

    /// @dev A sample of nearly all segments is too long to draw, one of all is not drawn.
    function test_openSigned_largeSamples() external {
        (Request memory request, bytes memory signature) = aSignedRequest(keccak256("a lease elsewhere"));
        (request.segments, request.leafCount) = (300, 301);
        request.sample = 297;
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooMany.selector, 297, 256));
        notary.openSigned(request, signature, CONTACT);
        request.sample = 298;
        openSigned(request, signature);
    }

    /* THE MARKET */

    function test_bind_refused() external {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, stranger));
        notary.bind(market);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongMarket.selector, market));
        notary.bind(market);
        Notary other = deployNotary(notaryConfig());
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongMarket.selector, market));
        other.bind(market);
        Config memory wrong = config(address(deployTestDollar(owner)));
        wrong.verifier = address(other);
        Market another = deployMarket(owner, wrong);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongMarket.selector, another));
        other.bind(another);
        wrong = config(address(dollar));
        wrong.verifier = address(other);
        wrong.verdictWindow = uint32(other.leadTime()) - 1;
        another = deployMarket(owner, wrong);
        vm.expectRevert(ErrorsLib.WrongConfig.selector);
        other.bind(another);
        wrong.verdictWindow++;
        another = deployMarket(owner, wrong);
        vm.expectEmit();
        emit EventsLib.Bound(address(another));
        other.bind(another);
    }

    function test_open_withoutAMarket() external {
        (Order memory order, bytes32 subject) = committedLease(1);
        Notary other = deployNotary(notaryConfig());
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongMarket.selector, address(0)));
        other.open(aRequest(subject, Leaves.root(leaves())), order, CONTACT);
    }
}
