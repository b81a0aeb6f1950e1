// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a notary is deployed with. None of it changes later.
struct NotaryConfig {
    address token;
    /// Owns what silent and careless validators lose.
    address insurance;
    /// Stake that each unit of a validator needs; units are its weight in draws.
    uint64 stakePerUnit;
    /// Stake reserved of each drawn validator; at most that of a unit.
    uint64 stakePerProof;
    /// The least fee for one validator and one segment: nobody is made to work for nothing.
    uint64 minFee;
    /// Seconds between the request for stake and its release.
    uint32 unbondingPeriod;
    /// Blocks between the opening and the one whose hash draws; at least 1.
    uint32 drawDelay;
    /// Seconds in which the draw must be made, and again for the validators to replay and commit.
    uint32 findingWindow;
    /// Seconds to reveal, and again for the consumer alone to show a canary or conclude.
    uint32 revealWindow;
    /// Seconds to show receipts for states that were kept back.
    uint32 excuseWindow;
}

/// @notice A validator's place in the draw, in one slot. Seats keep their numbers: what a draw runs over cannot be
/// reordered once its randomness is known.
struct Seat {
    /// Zero where nobody sits.
    address validator;
    uint32 units;
    /// The block in which it joined,
    uint32 from;
    /// and the one in which it left; 0 while it is there.
    uint32 until;
}

/// @notice What is to be checked, and how. Its EIP-712 hash is the proof's id, so every later call that needs it brings the
/// whole request, and little of it is stored.
struct Request {
    /// Who asks, and pays.
    address consumer;
    /// The lease: its id in the market, or any name that the consumer and its agents agree on.
    bytes32 subject;
    /// The job as its leaves name it.
    bytes32 jobHash;
    /// What was committed to.
    bytes32 root;
    uint32 leafCount;
    /// Segments below the root; one leaf fewer than leaves, or two where the last leaf binds outputs.
    uint32 segments;
    /// Segments drawn beside the first and the last.
    uint32 sample;
    /// Validators drawn.
    uint32 validators;
    /// Micro-units for one validator and one segment.
    uint64 fee;
    /// Who did the work, and must not check it; zero for a lease outside the market.
    address provider;
    /// Tells equal requests apart.
    uint64 salt;
}

/// @dev See contracts/README.md for the table of transitions. The last two are final.
enum Phase {
    /// Never seen.
    None,
    /// Paid; the block of the draw is fixed.
    Opened,
    /// Drawn; validators replay and commit.
    Committing,
    /// They say what they committed to.
    Revealing,
    /// All is said. The consumer may show a canary or conclude; then anybody concludes.
    Closing,
    /// Some found the states kept back and none found a difference; whoever has receipts shows them.
    Excusing,
    /// The verdict stands.
    Concluded,
    /// Nobody drew in time: the consumer has its fee back.
    Abandoned
}

/// @notice What a validator says of its sample.
enum Finding {
    /// Nothing yet, or nothing in time.
    None,
    /// Every replayed state has the digest that was committed to.
    Same,
    /// At least one has another.
    Differs,
    /// The states could not be opened.
    Withheld
}

/// @notice What the findings come to.
enum Verdict {
    None,
    /// All who spoke found the same.
    Passed,
    /// All who spoke found the same difference.
    Failed,
    /// They do not agree.
    Disputed,
    /// Nobody can say.
    Unknown,
    /// The consumer, who is the provider too, had planted the difference to try the validators.
    Canary
}

/// @notice How far a proof has come, in one slot.
struct Proof {
    Phase phase;
    Verdict verdict;
    /// How many were drawn.
    uint8 validators;
    uint8 committed;
    uint8 same;
    uint8 differs;
    uint8 withheld;
    /// Validators that differ do not agree with one another.
    bool split;
    /// The consumer has shown a planted leaf among those that were checked.
    bool canary;
    /// Somebody has shown the consumer's receipts for all that was kept back.
    bool excused;
    /// The last moment of the phase.
    uint40 deadline;
    /// The block whose hash draws.
    uint40 drawBlock;
}

/// @notice A drawn validator, in two slots.
struct Drawn {
    address validator;
    /// Its stake behind the proof.
    uint64 reserved;
    Finding finding;
    /// The hash it committed to, then what it computed.
    bytes32 word;
}

/// @notice What a verdict moved, in one slot.
struct Outcome {
    /// To the validators that spoke.
    uint64 feePaid;
    /// To the consumer, of the fee.
    uint64 feeBack;
    /// From the provider's stake.
    uint64 slashed;
    /// Of that, to the consumer.
    uint64 toConsumer;
}

/// @notice A state that the consumer planted, and the way from its leaf to the root.
struct Planted {
    bytes32 salt;
    /// The number of the state in its job.
    uint64 index;
    /// The place of its leaf in the tree.
    uint32 position;
    /// Digest of the outputs in the leaf; zero for a state.
    bytes32 out;
    bytes32[] siblings;
}

/// @notice How far a log had come when it was last written down.
struct Anchor {
    uint64 size;
    bytes32 root;
}
