//! Proofs, drawn validators and seats as the chain keeps them.

use alloy::primitives::{Address, B256};
use domain::{Finding, Timestamp, Verdict};

use crate::market::{bindings, moment};

/// How far a proof has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Paid; the block of the draw is fixed.
    Opened,
    /// Drawn; validators replay and commit.
    Committing,
    /// They say what they committed to.
    Revealing,
    /// All is said. The consumer may show a canary or conclude; then anybody concludes.
    Closing,
    /// All who spoke found the states kept back; whoever has receipts shows them.
    Excusing,
    /// The verdict stands.
    Concluded,
    /// Nobody drew in time: the consumer has its fee back.
    Abandoned,
}

/// A proof as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How far it has come.
    pub phase: Phase,
    /// Once concluded.
    pub verdict: Option<Verdict>,
    /// How many validators have committed.
    pub committed: u8,
    /// The consumer has shown a canary among what was checked.
    pub canary: bool,
    /// Somebody has shown the consumer's receipts for what was kept back.
    pub excused: bool,
    /// The last moment of the phase.
    pub deadline: Timestamp,
    /// The block whose hash draws.
    pub draw_block: u64,
    /// From which segments and validators follow, once drawn.
    pub seed: Option<B256>,
    /// In the order drawn.
    pub drawn: Vec<Drawn>,
    /// What the verdict moved.
    pub outcome: Outcome,
}

/// A drawn validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Who.
    pub validator: Address,
    /// What it said, once it did.
    pub finding: Option<Finding>,
    /// What it computed, once it said so.
    pub result: Option<B256>,
    /// Whether it has committed.
    pub committed: bool,
}

/// What a verdict moved, in micro-units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// To the validators that spoke.
    pub fee_paid: u64,
    /// To the consumer, of the fee.
    pub fee_back: u64,
    /// From the provider's stake.
    pub slashed: u64,
    /// Of that, to the consumer.
    pub to_consumer: u64,
}

/// A validator's place in draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Who sits there.
    pub validator: Address,
    /// Its weight, each backed by stake.
    pub units: u32,
    /// The block in which it joined.
    pub from: u64,
    /// The block in which it left; `None` while it is there.
    pub until: Option<u64>,
}

/// A state that a consumer planted, and the way from its leaf to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// From which the state's digest follows.
    pub salt: B256,
    /// The number of the state in its job.
    pub index: u64,
    /// The place of its leaf in the tree.
    pub position: u32,
    /// From the leaf upwards.
    pub siblings: Vec<B256>,
}

pub(super) fn phase_of(number: u8) -> Option<Phase> {
    Some(match number {
        1 => Phase::Opened,
        2 => Phase::Committing,
        3 => Phase::Revealing,
        4 => Phase::Closing,
        5 => Phase::Excusing,
        6 => Phase::Concluded,
        7 => Phase::Abandoned,
        _ => return None,
    })
}

pub(super) fn verdict_of(number: u8) -> Option<Verdict> {
    Some(match number {
        1 => Verdict::Passed,
        2 => Verdict::Failed,
        3 => Verdict::Disputed,
        4 => Verdict::Unknown,
        5 => Verdict::Canary,
        _ => return None,
    })
}

/// Silence has no number of its own: it is what is there while nothing is said.
pub(super) const fn finding_number(finding: Finding) -> u8 {
    match finding {
        Finding::Silent => 0,
        Finding::Same => 1,
        Finding::Differs => 2,
        Finding::Withheld => 3,
    }
}

pub(super) fn finding_of(number: u8) -> Option<Finding> {
    Finding::ALL.into_iter().find(|finding| *finding != Finding::Silent && finding_number(*finding) == number)
}

impl Proof {
    /// `None` where nothing was ever opened under this name.
    pub(super) fn from_chain(
        found: &bindings::Proof,
        seed: B256,
        outcome: &bindings::Outcome,
        drawn: &[bindings::Drawn],
    ) -> Option<Self> {
        let phase = phase_of(found.phase)?;
        let over = matches!(phase, Phase::Closing | Phase::Excusing | Phase::Concluded);
        Some(Self {
            phase,
            verdict: verdict_of(found.verdict),
            committed: found.committed,
            canary: found.canary,
            excused: found.excused,
            deadline: moment(found.deadline.to()),
            draw_block: found.drawBlock.to(),
            seed: (!seed.is_zero()).then_some(seed),
            drawn: drawn.iter().map(|one| Drawn::from_chain(one, over)).collect(),
            outcome: Outcome {
                fee_paid: outcome.feePaid,
                fee_back: outcome.feeBack,
                slashed: outcome.slashed,
                to_consumer: outcome.toConsumer,
            },
        })
    }
}

impl Drawn {
    /// `over`: whoever has not spoken will not.
    fn from_chain(drawn: &bindings::Drawn, over: bool) -> Self {
        let finding = finding_of(drawn.finding);
        Self {
            validator: drawn.validator,
            finding: finding.or(over.then_some(Finding::Silent)),
            result: finding.map(|_| drawn.word),
            committed: !drawn.word.is_zero(),
        }
    }
}

impl Seat {
    /// `None` where nobody sits.
    pub(super) fn from_chain(seat: &bindings::Seat) -> Option<Self> {
        (!seat.validator.is_zero()).then(|| Self {
            validator: seat.validator,
            units: seat.units,
            from: u64::from(seat.from),
            until: (seat.until != 0).then(|| u64::from(seat.until)),
        })
    }
}

impl From<&Planted> for bindings::Planted {
    fn from(planted: &Planted) -> Self {
        Self {
            salt: planted.salt,
            index: planted.index,
            position: planted.position,
            out: B256::ZERO,
            siblings: planted.siblings.clone(),
        }
    }
}
