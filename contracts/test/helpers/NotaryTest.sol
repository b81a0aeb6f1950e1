// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Notary} from "../../src/Notary.sol";
import {Drawn, Finding, NotaryConfig, Outcome, Phase, Proof, Request, Verdict} from "../../src/NotaryTypes.sol";
import {Account, Config, Order, State} from "../../src/Types.sol";
import {DrawLib} from "../../src/libraries/DrawLib.sol";
import {HashLib} from "../../src/libraries/HashLib.sol";
import {Leaves} from "./Leaves.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice A market whose verifier is a notary with seven validators, and the steps of a proof.
abstract contract NotaryTest is MarketTest {
    uint64 internal constant VALIDATOR_STAKE = 20 * DOLLAR;
    uint64 internal constant STAKE_PER_PROOF = 5 * DOLLAR;
    uint64 internal constant FEE = 1_000;
    uint64 internal constant MIN_FEE = 10;
    uint32 internal constant DRAW_DELAY = 2;
    uint32 internal constant FINDING_WINDOW = 8 minutes;
    uint32 internal constant REVEAL_WINDOW = 4 minutes;
    uint32 internal constant EXCUSE_WINDOW = 6 minutes;

    bytes32 internal constant JOB = keccak256("job");
    bytes32 internal constant RESULT = keccak256("what a validator computed");
    bytes32 internal constant SALT = keccak256("salt");
    uint32 internal constant SEGMENTS = 32;
    uint32 internal constant SAMPLE = 4;
    uint32 internal constant DRAWN = 3;
    /// The first, the last and the sample.
    uint64 internal constant REPLAYED = 6;
    uint64 internal constant SHARE = FEE * REPLAYED;

    Notary internal notary;
    address[] internal validators;

    function setUp() public virtual override {
        vm.warp(NOW);
        vm.roll(1_000);
        dollar = deployTestDollar(owner);
        notary = deployNotary(notaryConfig());
        Config memory ofMarket = config(address(dollar));
        ofMarket.verifier = address(notary);
        market = deployMarket(owner, ofMarket);
        notary.bind(market);
        fund(consumer, 1_000 * DOLLAR);
        fund(provider, 1_000 * DOLLAR);
        vm.prank(provider);
        market.stake(500 * DOLLAR);
        offerId = postOffer(1);
        fundAtNotary(consumer, 100 * DOLLAR);
        for (uint256 i = 0; i < 7; i++) {
            validators.push(address(uint160(0x7A11DA708 + i)));
            seat(validators[i], 1);
        }
        vm.roll(block.number + 1);
    }

    /* SETUP */

    function notaryConfig() internal view returns (NotaryConfig memory) {
        return NotaryConfig({
            token: address(dollar),
            insurance: insurance,
            stakePerUnit: VALIDATOR_STAKE,
            stakePerProof: STAKE_PER_PROOF,
            minFee: MIN_FEE,
            unbondingPeriod: UNBONDING,
            drawDelay: DRAW_DELAY,
            findingWindow: FINDING_WINDOW,
            revealWindow: REVEAL_WINDOW,
            excuseWindow: EXCUSE_WINDOW
        });
    }

    function fundAtNotary(address who, uint64 amount) internal {
        vm.prank(owner);
        dollar.mint(who, amount);
        vm.prank(who);
        dollar.approve(address(notary), type(uint256).max);
        vm.prank(who);
        notary.deposit(amount);
    }

    function seat(address who, uint32 units) internal {
        fundAtNotary(who, units * VALIDATOR_STAKE);
        vm.prank(who);
        notary.stake(units * VALIDATOR_STAKE);
        vm.prank(who);
        notary.join(units);
    }

    function leaves() internal pure returns (bytes32[] memory) {
        return Leaves.ofJob(JOB, SEGMENTS + 1);
    }

    /* STEPS OF A PROOF */

    /// @dev A lease with the commitment of an honest job.
    function committedLease(uint64 salt) internal returns (Order memory order, bytes32 subject) {
        return committedLease(salt, Leaves.root(leaves()));
    }

    function committedLease(uint64 salt, bytes32 root) internal returns (Order memory order, bytes32 subject) {
        order = anOrder(salt);
        subject = create(order);
        accept(order);
        skip(SPAN);
        vm.prank(provider);
        market.commit(order, root, SEGMENTS + 1);
    }

    function aRequest(bytes32 subject, bytes32 root) internal view returns (Request memory) {
        return Request({
            consumer: consumer,
            subject: subject,
            jobHash: JOB,
            root: root,
            leafCount: SEGMENTS + 1,
            segments: SEGMENTS,
            sample: SAMPLE,
            validators: DRAWN,
            fee: FEE,
            provider: provider,
            salt: 1
        });
    }

    /// @dev A request for a lease outside the market, and the signature of its agent.
    function aSignedRequest(bytes32 subject) internal view returns (Request memory request, bytes memory signature) {
        request = aRequest(subject, Leaves.root(leaves()));
        request.provider = address(0);
        signature = sign(AGENT_KEY, notary.commitmentDigest(subject, request.root, request.leafCount));
    }

    function open(Request memory request, Order memory order) internal returns (bytes32) {
        vm.prank(request.consumer);
        return notary.open(request, order, CONTACT);
    }

    function openSigned(Request memory request, bytes memory signature) internal returns (bytes32) {
        vm.prank(request.consumer);
        return notary.openSigned(request, signature, CONTACT);
    }

    function openedProof() internal returns (Request memory request, Order memory order, bytes32 id) {
        bytes32 subject;
        (order, subject) = committedLease(1);
        request = aRequest(subject, Leaves.root(leaves()));
        id = open(request, order);
    }

    /// @dev Lets the block of the draw pass.
    function passDrawBlock(bytes32 id) internal {
        vm.roll(uint256(proofOf(id).drawBlock) + 1);
    }

    function draw(Request memory request, bytes32 id) internal {
        passDrawBlock(id);
        notary.draw(request);
    }

    function drawnProof() internal returns (Request memory request, Order memory order, bytes32 id) {
        (request, order, id) = openedProof();
        draw(request, id);
    }

    function say(bytes32 id, address validator, Finding finding, bytes32 result) internal {
        bytes32 hash = HashLib.finding(id, validator, finding, result, SALT);
        vm.prank(validator);
        notary.commitFinding(id, hash);
    }

    function reveal(bytes32 id, address validator, Finding finding, bytes32 result) internal {
        vm.prank(validator);
        notary.revealFinding(id, finding, result, SALT);
    }

    /// @dev All drawn validators say this and reveal it; `None` for one that is silent.
    function allSay(bytes32 id, Finding[3] memory findings) internal {
        allSay(id, findings, [RESULT, RESULT, RESULT]);
    }

    function allSay(bytes32 id, Finding[3] memory findings, bytes32[3] memory results) internal {
        address[] memory who = drawnOf(id);
        bool isSilent = false;
        for (uint256 i = 0; i < 3; i++) {
            if (findings[i] == Finding.None) isSilent = true;
            else say(id, who[i], findings[i], results[i]);
        }
        if (isSilent) vm.warp(uint256(proofOf(id).deadline) + 1);
        for (uint256 i = 0; i < 3; i++) {
            if (findings[i] != Finding.None) reveal(id, who[i], findings[i], results[i]);
        }
        if (proofOf(id).phase == Phase.Revealing) vm.warp(uint256(proofOf(id).deadline) + 1);
    }

    function conclude(Request memory request, Order memory order) internal {
        vm.prank(request.consumer);
        notary.conclude(request, order);
    }

    /* READING */

    function proofOf(bytes32 id) internal view returns (Proof memory found) {
        (found,,,) = notary.proof(id);
    }

    function seedOf(bytes32 id) internal view returns (bytes32 seed) {
        (, seed,,) = notary.proof(id);
    }

    function outcomeOf(bytes32 id) internal view returns (Outcome memory outcome) {
        (,, outcome,) = notary.proof(id);
    }

    function drawnOf(bytes32 id) internal view returns (address[] memory who) {
        (,,, Drawn[] memory drawn_) = notary.proof(id);
        who = new address[](drawn_.length);
        for (uint256 i = 0; i < who.length; i++) {
            who[i] = drawn_[i].validator;
        }
    }

    function segmentsOf(bytes32 id) internal view returns (uint32[] memory) {
        return DrawLib.segments(seedOf(id), SEGMENTS, SAMPLE);
    }

    function ownedBy(address who) internal view returns (Account memory) {
        return notary.account(who);
    }

    /* CHECKS */

    function assertPhase(bytes32 id, Phase phase) internal view {
        vm.assertEq(uint256(proofOf(id).phase), uint256(phase), "phase");
    }

    function assertVerdict(bytes32 id, Verdict verdict) internal view {
        assertPhase(id, Phase.Concluded);
        vm.assertEq(uint256(proofOf(id).verdict), uint256(verdict), "verdict");
    }
}
