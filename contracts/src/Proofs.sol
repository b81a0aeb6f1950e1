// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Draws} from "./Draws.sol";
import {Drawn, Finding, NotaryConfig, Outcome, Phase, Planted, Proof, Request, Verdict} from "./NotaryTypes.sol";
import {Typed} from "./Typed.sol";
import {Validators} from "./Validators.sol";
import {IDraws} from "./interfaces/IDraws.sol";
import {IProofs} from "./interfaces/IProofs.sol";
import {DrawLib} from "./libraries/DrawLib.sol";
import {ErrorsLib} from "./libraries/ErrorsLib.sol";
import {EventsLib} from "./libraries/EventsLib.sol";
import {HashLib} from "./libraries/HashLib.sol";
import {PackLib} from "./libraries/PackLib.sol";
import {TreeLib} from "./libraries/TreeLib.sol";

/// @title Proofs
/// @notice The state machine of a proof; `contracts/README.md` has it as a table. What a verdict does to a lease is not here.
abstract contract Proofs is Validators, Typed, IProofs {
    using PackLib for Drawn;
    using PackLib for Outcome;
    using PackLib for Proof;
    using PackLib for uint256;
    using SafeCast for uint256;

    /* CONSTANTS */

    uint256 private constant VALIDATORS_MAX = 16;
    /// @dev Larger samples are those of all segments, which need no draw.
    uint256 private constant SAMPLE_MAX = 256;

    /* IMMUTABLES */

    /// @inheritdoc IProofs
    IDraws public immutable draws;
    /// @inheritdoc IProofs
    uint64 public immutable minFee;
    /// @inheritdoc IProofs
    uint32 public immutable findingWindow;
    /// @inheritdoc IProofs
    uint32 public immutable revealWindow;
    /// @inheritdoc IProofs
    uint32 public immutable excuseWindow;

    /* STORAGE */

    /// @dev A `Proof`, packed.
    mapping(bytes32 id => uint256) private _proofs;
    mapping(bytes32 id => bytes32) private _seeds;
    /// @dev Each a `Drawn`, packed, and its word.
    mapping(bytes32 id => mapping(uint256 position => uint256)) private _drawn;
    mapping(bytes32 id => mapping(uint256 position => bytes32)) private _words;
    /// @dev An `Outcome`, packed.
    mapping(bytes32 id => uint256) private _outcomes;
    /// @inheritdoc IProofs
    mapping(address consumer => mapping(bytes32 subject => bytes32 id)) public proofOf;

    /* CONSTRUCTOR */

    constructor(NotaryConfig memory config) {
        if (config.findingWindow == 0 || config.revealWindow == 0 || config.excuseWindow == 0) {
            revert ErrorsLib.ZeroValue();
        }
        draws = new Draws();
        minFee = config.minFee;
        findingWindow = config.findingWindow;
        revealWindow = config.revealWindow;
        excuseWindow = config.excuseWindow;
    }

    /* OPENING */

    /// @inheritdoc IProofs
    function openSigned(Request memory request, bytes calldata signature, bytes calldata contact)
        external
        returns (bytes32)
    {
        if (request.provider != address(0)) revert ErrorsLib.WrongSubject(request.subject);
        bytes32 digest = commitmentDigest(request.subject, request.root, request.leafCount);
        return _open(request, ECDSA.recoverCalldata(digest, signature), contact);
    }

    /// @inheritdoc IProofs
    function draw(Request memory request) external {
        (bytes32 id, Proof memory found) = _find(request, Phase.Opened);
        if (block.timestamp > found.deadline) revert ErrorsLib.TooLate(found.deadline);
        if (block.number <= found.drawBlock) revert ErrorsLib.BlockNotReached(uint256(found.drawBlock) + 1);
        bytes32 randomness = blockhash(found.drawBlock);
        if (randomness == 0) {
            found.drawBlock = _fixDraw();
            _proofs[id] = found.pack();
            emit EventsLib.ProofDelayed(id, found.drawBlock);
            return;
        }
        bytes32 seed = DrawLib.seedOf(randomness, request.jobHash, request.root);
        address[] memory validators = _drawValidators(id, request, seed, found.drawBlock - drawDelay);
        found.phase = Phase.Committing;
        found.validators = uint8(validators.length);
        found.deadline = uint40(block.timestamp) + findingWindow;
        _proofs[id] = found.pack();
        _seeds[id] = seed;
        emit EventsLib.ProofDrawn(id, seed, validators, found.deadline);
    }

    /// @inheritdoc IProofs
    function abandon(Request memory request) external {
        (bytes32 id, Proof memory found) = _find(request, Phase.Opened);
        if (block.timestamp <= found.deadline) revert ErrorsLib.TooEarly(found.deadline);
        found.phase = Phase.Abandoned;
        _proofs[id] = found.pack();
        uint64 feeBack = _share(request) * uint64(request.validators);
        _credit(request.consumer, feeBack);
        emit EventsLib.ProofAbandoned(id, feeBack);
    }

    /* FINDINGS */

    /// @inheritdoc IProofs
    function commitFinding(bytes32 id, bytes32 hash) external {
        Proof memory found = _require(id, Phase.Committing);
        if (hash == 0) revert ErrorsLib.ZeroValue();
        (uint256 position,) = _own(id, found);
        if (_words[id][position] != 0) revert ErrorsLib.NothingToSay(msg.sender);
        _words[id][position] = hash;
        found.committed++;
        if (found.committed == found.validators) {
            found.phase = Phase.Revealing;
            found.deadline = uint40(block.timestamp) + revealWindow;
        }
        _proofs[id] = found.pack();
        emit EventsLib.FindingCommitted(id, msg.sender);
    }

    /// @inheritdoc IProofs
    function revealFinding(bytes32 id, Finding finding, bytes32 result, bytes32 salt) external {
        Proof memory found = _require(id, Phase.Revealing);
        (uint256 position, Drawn memory own) = _own(id, found);
        bytes32 word = _words[id][position];
        if (own.finding != Finding.None || word == 0) revert ErrorsLib.NothingToSay(msg.sender);
        if (finding == Finding.None || word != HashLib.finding(id, msg.sender, finding, result, salt)) {
            revert ErrorsLib.WrongReveal();
        }
        if (finding == Finding.Same) {
            found.same++;
        } else if (finding == Finding.Withheld) {
            found.withheld++;
        } else {
            found.split = found.split || _contradicts(id, found, result);
            found.differs++;
        }
        own.finding = finding;
        _drawn[id][position] = own.pack();
        _words[id][position] = result;
        if (_spoken(found) == found.committed) _close(found, uint40(block.timestamp));
        _proofs[id] = found.pack();
        emit EventsLib.FindingRevealed(id, msg.sender, finding, result);
    }

    /// @inheritdoc IProofs
    function openCanary(Request memory request, Planted calldata planted) external {
        bytes32 id = proofId(request);
        Proof memory found = _current(id);
        // One that could not open its states does not shield those that only say they did.
        if (found.phase != Phase.Closing && found.phase != Phase.Excusing) {
            revert ErrorsLib.WrongPhase(id, found.phase);
        }
        if (msg.sender != request.consumer) revert ErrorsLib.Unauthorized(msg.sender);
        // A leaf is what the segment before it ends with.
        if (planted.position == 0) revert ErrorsLib.NotDrawn(0);
        uint32 segment = planted.position - 1;
        if (!_isAmong(_drawnSegments(id, request), segment)) revert ErrorsLib.NotDrawn(segment);
        bytes32 state = TreeLib.plantedState(planted.salt, planted.index);
        bytes32 leaf = TreeLib.leafHash(request.jobHash, planted.index, state, planted.out);
        _requireLeaf(request, planted.position, leaf, planted.siblings);
        found.canary = true;
        _proofs[id] = found.pack();
        emit EventsLib.CanaryOpened(id, planted.position);
    }

    /// @inheritdoc IProofs
    function excuse(Request memory request, bytes calldata signature) external {
        (bytes32 id, Proof memory found) = _find(request, Phase.Excusing);
        if (block.timestamp > found.deadline) revert ErrorsLib.TooLate(found.deadline);
        bytes32 digest = uploadDigest(request.subject, request.root, request.leafCount);
        if (!SignatureChecker.isValidSignatureNow(request.consumer, digest, signature)) {
            revert ErrorsLib.WrongSignature(request.consumer);
        }
        found.excused = true;
        _proofs[id] = found.pack();
        emit EventsLib.ProofExcused(id);
    }

    /* VIEWS */

    /// @inheritdoc IProofs
    function proofId(Request memory request) public view returns (bytes32) {
        return _digest(HashLib.request(request));
    }

    /// @inheritdoc IProofs
    function proof(bytes32 id)
        external
        view
        returns (Proof memory found, bytes32 seed, Outcome memory outcome, Drawn[] memory drawn)
    {
        (found, seed, outcome) = (_current(id), _seeds[id], _outcomes[id].toOutcome());
        drawn = new Drawn[](found.validators);
        for (uint256 i = 0; i < drawn.length; i++) {
            drawn[i] = _drawn[id][i].toDrawn();
            drawn[i].word = _words[id][i];
        }
    }

    /// @inheritdoc IProofs
    function commitmentDigest(bytes32 subject, bytes32 root, uint32 leafCount) public view returns (bytes32) {
        return _digest(HashLib.commitment(subject, root, leafCount));
    }

    /// @inheritdoc IProofs
    function uploadDigest(bytes32 subject, bytes32 root, uint32 leafCount) public view returns (bytes32) {
        return _digest(HashLib.upload(subject, root, leafCount));
    }

    /// @inheritdoc IProofs
    function leadTime() public view returns (uint40) {
        return 2 * uint40(findingWindow) + 2 * uint40(revealWindow) + uint40(Math.max(revealWindow, excuseWindow));
    }

    /* FOR THE NOTARY */

    function _open(Request memory request, address agent, bytes calldata contact) internal returns (bytes32 id) {
        if (msg.sender != request.consumer) revert ErrorsLib.Unauthorized(msg.sender);
        _requireSound(request);
        _requireValidators(request.validators, request.consumer, request.provider);
        bytes32 existing = proofOf[request.consumer][request.subject];
        if (existing != 0) revert ErrorsLib.ProofExists(existing);
        uint64 fee =
            (uint256(request.fee) * DrawLib.replayed(request.segments, request.sample) * request.validators).toUint64();

        id = proofId(request);
        proofOf[request.consumer][request.subject] = id;
        Proof memory opened = _proofs[id].toProof();
        opened.phase = Phase.Opened;
        opened.deadline = uint40(block.timestamp) + findingWindow;
        opened.drawBlock = _fixDraw();
        _proofs[id] = opened.pack();
        emit EventsLib.ProofOpened(id, request.consumer, request.subject, request, opened.drawBlock, agent, contact);
        _collect(request.consumer, fee);
    }

    /// @dev Brings a proof to its end: pays those who spoke, takes the stake of those who did not and of those who passed a
    /// canary, gives the rest of the fee back. What the verdict costs the provider is for the caller to store.
    function _conclude(Request memory request)
        internal
        returns (bytes32 id, Proof memory found, Outcome memory outcome)
    {
        id = proofId(request);
        found = _current(id);
        bool byConsumer = msg.sender == request.consumer && found.phase == Phase.Closing;
        if (found.phase != Phase.Closing && found.phase != Phase.Excusing) {
            revert ErrorsLib.WrongPhase(id, found.phase);
        }
        bool isOver = byConsumer || found.canary || found.excused || block.timestamp > found.deadline;
        if (!isOver) revert ErrorsLib.TooEarly(found.deadline);
        found.phase = Phase.Concluded;
        found.verdict = _verdict(found);
        _proofs[id] = found.pack();

        uint64 share = _share(request);
        outcome.feePaid = _payValidators(id, found, share);
        outcome.feeBack = share * found.validators - outcome.feePaid;
        _credit(request.consumer, outcome.feeBack);
    }

    function _setOutcome(bytes32 id, Verdict verdict, Outcome memory outcome) internal {
        _outcomes[id] = outcome.pack();
        emit EventsLib.ProofConcluded(
            id, verdict, outcome.feePaid, outcome.feeBack, outcome.slashed, outcome.toConsumer
        );
    }

    /// @dev Credits `amount` in equal parts to the validators that differed, and what cannot be divided to the insurance.
    function _rewardDiffering(bytes32 id, Proof memory found, uint64 amount) internal {
        uint64 part = amount / found.differs;
        for (uint256 i = 0; i < found.validators; i++) {
            Drawn memory drawn = _drawn[id][i].toDrawn();
            if (drawn.finding == Finding.Differs) _credit(drawn.validator, part);
        }
        // What the division leaves.
        // slither-disable-next-line divide-before-multiply
        _credit(insurance, amount - part * found.differs);
    }

    /* INTERNAL */

    /// @dev A proof as time has moved it.
    function _current(bytes32 id) private view returns (Proof memory found) {
        found = _proofs[id].toProof();
        if (found.phase == Phase.Committing && block.timestamp > found.deadline) {
            found.phase = Phase.Revealing;
            found.deadline += revealWindow;
        }
        if (found.phase == Phase.Revealing && block.timestamp > found.deadline) _close(found, found.deadline);
    }

    /// @dev All is said at `from`. Changes `found` only.
    function _close(Proof memory found, uint40 from) private view {
        bool isKeptBack = found.withheld != 0 && found.differs == 0;
        found.phase = isKeptBack ? Phase.Excusing : Phase.Closing;
        found.deadline = from + (isKeptBack ? excuseWindow : revealWindow);
    }

    function _require(bytes32 id, Phase phase) private view returns (Proof memory found) {
        found = _current(id);
        if (found.phase != phase) revert ErrorsLib.WrongPhase(id, found.phase);
    }

    function _find(Request memory request, Phase phase) private view returns (bytes32 id, Proof memory found) {
        id = proofId(request);
        found = _require(id, phase);
    }

    function _fixDraw() private view returns (uint40) {
        return uint40(block.number) + drawDelay;
    }

    /// @dev The caller's place among the drawn.
    function _own(bytes32 id, Proof memory found) private view returns (uint256 position, Drawn memory own) {
        for (; position < found.validators; position++) {
            own = _drawn[id][position].toDrawn();
            if (own.validator == msg.sender) return (position, own);
        }
        revert ErrorsLib.NothingToSay(msg.sender);
    }

    function _drawValidators(bytes32 id, Request memory request, bytes32 seed, uint256 fixedAt)
        private
        returns (address[] memory validators)
    {
        (address[] memory all, uint64[] memory weights) = _weights(fixedAt, request.consumer, request.provider);
        uint256[] memory positions = draws.validators(seed, weights, request.validators);
        if (positions.length < request.validators) {
            revert ErrorsLib.NotEnoughValidators(positions.length, request.validators);
        }
        validators = new address[](positions.length);
        for (uint256 i = 0; i < positions.length; i++) {
            address validator = all[positions[i]];
            validators[i] = validator;
            uint64 reserved = _reserveUpTo(validator, stakePerProof);
            _drawn[id][i] = Drawn({validator: validator, reserved: reserved, finding: Finding.None, word: 0}).pack();
        }
    }

    function _payValidators(bytes32 id, Proof memory found, uint64 share) private returns (uint64 paid) {
        uint64 lost = 0;
        for (uint256 i = 0; i < found.validators; i++) {
            Drawn memory drawn = _drawn[id][i].toDrawn();
            Finding finding = drawn.finding;
            bool earned = finding != Finding.None && !(found.canary && finding == Finding.Same);
            if (earned) {
                paid += share;
                _release(drawn.validator, drawn.reserved, 0, share);
            } else {
                lost += drawn.reserved;
                _forfeit(id, drawn.validator, drawn.reserved);
            }
        }
        if (lost != 0) _credit(insurance, lost);
    }

    function _contradicts(bytes32 id, Proof memory found, bytes32 result) private view returns (bool) {
        for (uint256 i = 0; i < found.validators; i++) {
            if (_drawn[id][i].toDrawn().finding == Finding.Differs && _words[id][i] != result) return true;
        }
        return false;
    }

    /// @dev The rules of `crates/evidence/src/verdict.rs`. No majority ends a dispute.
    function _verdict(Proof memory found) private pure returns (Verdict) {
        if (found.canary) return Verdict.Canary;
        if (found.differs != 0) {
            bool isAgreed = found.same == 0 && found.withheld == 0 && !found.split;
            return isAgreed ? Verdict.Failed : Verdict.Disputed;
        }
        return found.same != 0 && found.withheld == 0 ? Verdict.Passed : Verdict.Unknown;
    }

    function _spoken(Proof memory found) private pure returns (uint8) {
        return found.same + found.differs + found.withheld;
    }

    /// @dev What one validator earns. All shares fitted 64 bits when the proof was opened.
    function _share(Request memory request) private pure returns (uint64) {
        return request.fee * uint64(DrawLib.replayed(request.segments, request.sample));
    }

    function _drawnSegments(bytes32 id, Request memory request) private view returns (uint32[] memory) {
        return draws.segments(_seeds[id], request.segments, request.sample);
    }

    function _isAmong(uint32[] memory segments, uint32 wanted) private pure returns (bool) {
        for (uint256 i = 0; i < segments.length; i++) {
            if (segments[i] == wanted) return true;
        }
        return false;
    }

    /* CHECKS */

    function _requireSound(Request memory request) private view {
        if (request.subject == 0 || request.jobHash == 0 || request.root == 0) revert ErrorsLib.ZeroValue();
        (uint32 segments, uint32 sample, uint32 validators) = (request.segments, request.sample, request.validators);
        if (segments == 0 || validators == 0) revert ErrorsLib.ZeroValue();
        // At least one leaf more than segments; two where outputs are bound.
        uint256 leaves = uint256(segments) + 1;
        if (request.leafCount != leaves && request.leafCount != leaves + 1) {
            revert ErrorsLib.WrongLeafCount(request.leafCount, segments);
        }
        if (validators > VALIDATORS_MAX) revert ErrorsLib.TooMany(validators, VALIDATORS_MAX);
        if (sample > SAMPLE_MAX && uint256(sample) + 2 < segments) revert ErrorsLib.TooMany(sample, SAMPLE_MAX);
        if (request.fee < minFee) revert ErrorsLib.FeeTooLow(request.fee, minFee);
    }

    function _requireLeaf(Request memory request, uint32 position, bytes32 leaf, bytes32[] calldata siblings)
        private
        pure
    {
        if (!TreeLib.includes(request.root, request.leafCount, position, leaf, siblings)) {
            revert ErrorsLib.WrongLeaf(position);
        }
    }
}
