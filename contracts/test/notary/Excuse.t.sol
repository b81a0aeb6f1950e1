// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, Outcome, Phase, Receipt, Request, Verdict} from "../../src/NotaryTypes.sol";
import {Order, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {Leaves} from "../helpers/Leaves.sol";
import {NotaryTest} from "../helpers/NotaryTest.sol";

/// @notice All validators found the states kept back: whose fault is that?
contract ExcuseTest is NotaryTest {
    Request private request;
    Order private order;
    bytes32 private id;

    function setUp() public override {
        super.setUp();
        (request, order, id) = drawnProof();
        allSay(id, [Finding.Withheld, Finding.Withheld, Finding.Withheld]);
    }

    function receiptFor(uint32 position, uint256 key) private view returns (Receipt memory) {
        bytes32[] memory all = leaves();
        bytes32 digest = notary.uploadDigest(request.subject, position, all[position]);
        return Receipt({
            index: position, leaf: all[position], siblings: Leaves.siblings(all, position), signature: sign(key, digest)
        });
    }

    /// @dev One for each leaf that a drawn segment begins or ends with.
    function receipts() private view returns (Receipt[] memory all) {
        uint32[] memory segments = segmentsOf(id);
        all = new Receipt[](2 * segments.length);
        uint256 used = 0;
        uint32 next = 0;
        for (uint256 i = 0; i < segments.length; i++) {
            for (uint32 place = segments[i]; place <= segments[i] + 1; place++) {
                if (place >= next) all[used++] = receiptFor(place, CONSUMER_KEY);
            }
            next = segments[i] + 2;
        }
        assembly ("memory-safe") {
            mstore(all, used)
        }
    }

    function test_keptBackByTheConsumer() external {
        assertPhase(id, Phase.Excusing);
        uint64 before = balanceOf(provider);
        uint64 price_ = market.escrowOf(request.subject);
        Receipt[] memory all = receipts();
        vm.prank(stranger);
        vm.expectEmit();
        emit EventsLib.ProofExcused(id);
        notary.excuse(request, all);
        vm.prank(stranger);
        notary.conclude(request, order);
        assertVerdict(id, Verdict.Unknown);
        assertState(request.subject, State.Settled);
        vm.assertEq(balanceOf(provider) - before, price_, "paid");
        vm.assertEq(outcomeOf(id).slashed, 0, "slashed");
    }

    /// @dev A tenth of the reserve; and the consumer, who may have lied, gets no more than the fee that it paid.
    function test_keptBackByTheProvider() external {
        uint64 reserve = market.reserveOf(request.subject);
        uint64 escrow = market.escrowOf(request.subject);
        uint64 before = balanceOf(consumer);
        uint40 deadline = proofOf(id).deadline;
        vm.warp(deadline);
        // Not even the consumer ends the time for an excuse.
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooEarly.selector, deadline));
        conclude(request, order);
        vm.warp(uint256(deadline) + 1);
        vm.prank(stranger);
        notary.conclude(request, order);
        assertVerdict(id, Verdict.Unknown);
        assertState(request.subject, State.Slashed);
        Outcome memory outcome = outcomeOf(id);
        vm.assertEq(outcome.slashed, reserve / 10, "slashed");
        vm.assertEq(outcome.toConsumer, 3 * SHARE, "to the consumer");
        vm.assertEq(balanceOf(consumer) - before, escrow + 3 * SHARE, "consumer");
        vm.assertEq(balanceOf(insurance), reserve / 10 - 3 * SHARE, "insurance");
        vm.assertEq(market.account(address(notary)).balance, 0, "no challenger");
    }

    /// @dev A provider that has shown one state and hidden the rest is not excused by it.
    function test_excuse_refused() external {
        Receipt[] memory all = receipts();
        Receipt[] memory fewer = new Receipt[](all.length - 1);
        Receipt[] memory more = new Receipt[](all.length + 1);
        for (uint256 i = 0; i < all.length; i++) {
            if (i < fewer.length) fewer[i] = all[i];
            more[i] = all[i];
        }
        more[all.length] = all[0];
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongReceipts.selector, fewer.length, all.length));
        notary.excuse(request, fewer);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongReceipts.selector, more.length, all.length));
        notary.excuse(request, more);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongReceipts.selector, 0, all.length));
        notary.excuse(request, new Receipt[](0));
        all[1] = all[0];
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongLeaf.selector, 1));
        notary.excuse(request, all);
        all[1] = receiptFor(1, AGENT_KEY);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongSignature.selector, consumer));
        notary.excuse(request, all);
        all[1] = receiptFor(1, CONSUMER_KEY);
        all[1].index++;
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongSignature.selector, consumer));
        notary.excuse(request, all);
        all[1].index--;
        uint40 deadline = proofOf(id).deadline;
        vm.warp(uint256(deadline) + 1);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, deadline));
        notary.excuse(request, all);
        vm.warp(deadline);
        notary.excuse(request, all);
    }

    function test_excuse_onlyForWhatAllFoundKeptBack() external {
        (Order memory another, bytes32 subject) = committedLease(2);
        request = aRequest(subject, market.rootOf(subject));
        id = open(request, another);
        draw(request, id);
        allSay(id, [Finding.Withheld, Finding.Withheld, Finding.Differs]);
        Receipt[] memory all = receipts();
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, id, Phase.Closing));
        notary.excuse(request, all);
    }

    /// @dev Outside the market nobody has a stake to lose.
    function test_keptBackOutsideTheMarket() external {
        bytes memory signature;
        (request, signature) = aSignedRequest(keccak256("elsewhere"));
        id = openSigned(request, signature);
        draw(request, id);
        allSay(id, [Finding.Withheld, Finding.Withheld, Finding.Withheld]);
        Receipt[] memory all = receipts();
        notary.excuse(request, all);
        notary.concludeSigned(request);
        assertVerdict(id, Verdict.Unknown);
        vm.assertTrue(proofOf(id).excused, "excused");
        vm.assertEq(outcomeOf(id).feePaid, 3 * SHARE, "fee");
    }

    /// @dev The receipts of all leaves where all segments are drawn.
    function test_excuse_allSegments() external {
        bytes memory signature;
        (request, signature) = aSignedRequest(keccak256("elsewhere"));
        request.sample = SEGMENTS;
        id = openSigned(request, signature);
        draw(request, id);
        allSay(id, [Finding.Withheld, Finding.Withheld, Finding.Withheld]);
        Receipt[] memory all = new Receipt[](SEGMENTS + 1);
        for (uint32 i = 0; i <= SEGMENTS; i++) {
            all[i] = receiptFor(i, CONSUMER_KEY);
        }
        notary.excuse(request, all);
        notary.concludeSigned(request);
    }
}
