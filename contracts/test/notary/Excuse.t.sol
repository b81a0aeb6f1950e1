// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, Outcome, Phase, Request, Verdict} from "../../src/NotaryTypes.sol";
import {Order, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
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

    /// @dev The word of whoever has this key for everything below a root.
    function word(uint256 key, bytes32 root, uint32 count) private view returns (bytes memory) {
        return sign(key, notary.uploadDigest(request.subject, root, count));
    }

    function consumersWord() private view returns (bytes memory) {
        return word(CONSUMER_KEY, request.root, request.leafCount);
    }

    function test_keptBackByTheConsumer() external {
        assertPhase(id, Phase.Excusing);
        uint64 before = balanceOf(provider);
        uint64 price_ = market.escrowOf(request.subject);
        bytes memory right = consumersWord();
        vm.prank(stranger);
        vm.expectEmit();
        emit EventsLib.ProofExcused(id);
        notary.excuse(request, right);
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

    /// @dev A word for fewer states, for another root or another lease is none, whatever states lie below them.
    function test_excuse_refused() external {
        bytes[] memory wrong = new bytes[](5);
        wrong[0] = word(CONSUMER_KEY, request.root, request.leafCount - 1);
        wrong[1] = word(CONSUMER_KEY, keccak256("a root that was never told"), request.leafCount);
        wrong[2] = word(AGENT_KEY, request.root, request.leafCount);
        wrong[3] = sign(CONSUMER_KEY, notary.uploadDigest(keccak256("elsewhere"), request.root, request.leafCount));
        for (uint256 i = 0; i < wrong.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongSignature.selector, consumer));
            notary.excuse(request, wrong[i]);
        }
        bytes memory right = consumersWord();
        uint40 deadline = proofOf(id).deadline;
        vm.warp(uint256(deadline) + 1);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooLate.selector, deadline));
        notary.excuse(request, right);
        vm.warp(deadline);
        notary.excuse(request, right);
    }

    function test_excuse_onlyForWhatAllFoundKeptBack() external {
        (Order memory another, bytes32 subject) = committedLease(2);
        request = aRequest(subject, market.rootOf(subject));
        id = open(request, another);
        draw(request, id);
        allSay(id, [Finding.Withheld, Finding.Withheld, Finding.Differs]);
        bytes memory right = consumersWord();
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, id, Phase.Closing));
        notary.excuse(request, right);
    }

    /// @dev Outside the market nobody has a stake to lose.
    function test_keptBackOutsideTheMarket() external {
        bytes memory signature;
        (request, signature) = aSignedRequest(keccak256("elsewhere"));
        id = openSigned(request, signature);
        draw(request, id);
        allSay(id, [Finding.Withheld, Finding.Withheld, Finding.Withheld]);
        bytes memory right = consumersWord();
        notary.excuse(request, right);
        notary.concludeSigned(request);
        assertVerdict(id, Verdict.Unknown);
        vm.assertTrue(proofOf(id).excused, "excused");
        vm.assertEq(outcomeOf(id).feePaid, 3 * SHARE, "fee");
    }
}
