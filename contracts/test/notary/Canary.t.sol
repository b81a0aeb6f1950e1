// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Finding, Outcome, Phase, Planted, Request, Verdict} from "../../src/NotaryTypes.sol";
import {Order, State} from "../../src/Types.sol";
import {ErrorsLib} from "../../src/libraries/ErrorsLib.sol";
import {EventsLib} from "../../src/libraries/EventsLib.sol";
import {TreeLib} from "../../src/libraries/TreeLib.sol";
import {Leaves} from "../helpers/Leaves.sol";
import {NotaryTest} from "../helpers/NotaryTest.sol";

/// @notice A consumer that is the provider too plants a state, and sees who says that it is the same.
contract CanaryTest is NotaryTest {
    Request private request;
    Order private order;
    bytes32 private id;
    /// All but the first two.
    bytes32[] private planted;
    /// The last segment ends with it, which is always drawn.
    uint32 private constant PLACE = SEGMENTS;

    function setUp() public override {
        super.setUp();
        planted = leaves();
        for (uint32 i = 2; i <= PLACE; i++) {
            planted[i] = TreeLib.leafHash(JOB, i, TreeLib.plantedState(SALT, i), 0);
        }
        bytes32 subject;
        (order, subject) = committedLease(1, Leaves.root(planted));
        request = aRequest(subject, Leaves.root(planted));
        id = open(request, order);
        draw(request, id);
    }

    function theState(uint32 position) private view returns (Planted memory) {
        return Planted({
            salt: SALT, index: position, position: position, out: 0, siblings: Leaves.siblings(planted, position)
        });
    }

    function openCanary(Planted memory state) private {
        vm.prank(consumer);
        notary.openCanary(request, state);
    }

    function test_rubberStampIsCaught() external {
        address[] memory who = drawnOf(id);
        allSay(id, [Finding.Same, Finding.Differs, Finding.Same]);
        uint64 back = ownedBy(consumer).balance;
        uint64 insured = ownedBy(insurance).balance;
        vm.prank(consumer);
        vm.expectEmit();
        emit EventsLib.CanaryOpened(id, PLACE);
        notary.openCanary(request, theState(PLACE));
        vm.prank(stranger);
        notary.conclude(request, order);
        assertVerdict(id, Verdict.Canary);
        assertState(request.subject, State.Refunded);
        for (uint256 i = 0; i < 3; i++) {
            bool isHonest = i == 1;
            vm.assertEq(ownedBy(who[i]).stake, isHonest ? VALIDATOR_STAKE : VALIDATOR_STAKE - STAKE_PER_PROOF, "stake");
            vm.assertEq(ownedBy(who[i]).balance, isHonest ? SHARE : 0, "pay");
        }
        vm.assertEq(ownedBy(insurance).balance - insured, 2 * STAKE_PER_PROOF, "insurance");
        // Who plants canaries earns nothing by them.
        vm.assertEq(ownedBy(consumer).balance - back, 2 * SHARE, "fee back");
        vm.assertEq(outcomeOf(id).slashed, 0, "slashed");
    }

    function test_withheldAndSilentAreTreatedAsEver() external {
        address[] memory who = drawnOf(id);
        allSay(id, [Finding.Withheld, Finding.None, Finding.Same]);
        openCanary(theState(PLACE));
        conclude(request, order);
        assertVerdict(id, Verdict.Canary);
        vm.assertEq(ownedBy(who[0]).balance, SHARE, "who could not say");
        vm.assertEq(ownedBy(who[1]).stake, VALIDATOR_STAKE - STAKE_PER_PROOF, "who was silent");
        vm.assertEq(ownedBy(who[2]).stake, VALIDATOR_STAKE - STAKE_PER_PROOF, "who said the same");
    }

    /// @dev Whoever said the same would rather conclude first. It is the consumer's turn.
    function test_nobodyConcludesBeforeTheConsumerHadTime() external {
        allSay(id, [Finding.Same, Finding.Same, Finding.Same]);
        uint40 deadline = proofOf(id).deadline;
        vm.warp(deadline);
        vm.prank(drawnOf(id)[0]);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.TooEarly.selector, deadline));
        notary.conclude(request, order);
        openCanary(theState(PLACE));
        conclude(request, order);
        assertVerdict(id, Verdict.Canary);
    }

    function test_openCanary_refused() external {
        bytes memory early = abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, id, Phase.Committing);
        vm.expectRevert(early);
        openCanary(theState(PLACE));
        allSay(id, [Finding.Same, Finding.Same, Finding.Same]);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.Unauthorized.selector, stranger));
        notary.openCanary(request, theState(PLACE));
        Planted memory state = theState(PLACE);
        state.salt = keccak256("another");
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongLeaf.selector, PLACE));
        openCanary(state);
        state = theState(PLACE);
        state.index--;
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongLeaf.selector, PLACE));
        openCanary(state);
        state = theState(PLACE);
        state.out = SALT;
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongLeaf.selector, PLACE));
        openCanary(state);
        // The first leaf is what no segment ends with.
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotDrawn.selector, 0));
        openCanary(theState(0));
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotDrawn.selector, SEGMENTS));
        openCanary(Planted(SALT, 0, PLACE + 1, 0, new bytes32[](0)));
        // An honest state was not planted.
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongLeaf.selector, 1));
        openCanary(theState(1));
        vm.warp(uint256(proofOf(id).deadline) + 1);
        vm.prank(stranger);
        notary.conclude(request, order);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.WrongPhase.selector, id, Phase.Concluded));
        openCanary(theState(PLACE));
    }

    /// @dev Nobody has to find what nobody was asked to replay.
    function test_openCanary_notAmongTheDrawn() external {
        uint32[] memory segments = segmentsOf(id);
        uint32 free = 1;
        for (uint256 i = 1; segments[i] == free; i++) {
            free++;
        }
        allSay(id, [Finding.Same, Finding.Same, Finding.Same]);
        vm.expectRevert(abi.encodeWithSelector(ErrorsLib.NotDrawn.selector, free));
        openCanary(theState(free + 1));
    }
}
