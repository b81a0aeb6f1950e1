//! Proofs, seats and anchors as the chain keeps them.

use alloy::primitives::{Address, B256};
use domain::{Finding, Timestamp, Verdict};

use crate::market::{bindings, moment};

/// How far a proof has come. The last two are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Paid; the block of the draw is fixed.
    Opened,
    /// Drawn; validators replay and commit.
    Committing,
    /// They say what they committed to.
    Revealing,
    /// All is said. The consumer may show a canary or conclude; after the deadline anybody concludes.
    Closing,
    /// All who spoke found the states kept back; whoever has receipts for them shows them.
    Excusing,
    /// The verdict stands.
    Concluded,
    /// Nobody drew in time: the consumer has its fee back.
    Abandoned,
}

/// A proof as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How far it has come, by now.
    pub phase: Phase,
    /// The last moment of the phase; of no meaning once it is final.
    pub deadline: Timestamp,
    /// The block whose hash draws.
    pub draw_block: u64,
    /// From which segments and validators follow, once drawn.
    pub seed: Option<B256>,
    /// In the order drawn.
    pub drawn: Vec<Drawn>,
    /// Whether the consumer has shown that it planted a state among those checked.
    pub canary: bool,
    /// Whether somebody has shown the consumer's receipts for the states that were kept back.
    pub excused: bool,
    /// Once concluded.
    pub verdict: Option<Verdict>,
    /// What moved, once concluded.
    pub outcome: Option<Outcome>,
}

/// A drawn validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Who.
    pub validator: Address,
    /// Its stake behind the proof, in micro-units.
    pub reserved: u64,
    /// Whether it has committed to something.
    pub committed: bool,
    /// What it said; `None` while it may still say it.
    pub finding: Option<Finding>,
    /// What it computed, by `evidence::result`, once it said so.
    pub result: Option<B256>,
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
    /// Of that, to the consumer; beside the escrow, which it has back.
    pub to_consumer: u64,
}

/// A validator's place in the draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Who.
    pub validator: Address,
    /// Its weight, in units of stake.
    pub units: u32,
    /// The block in which it joined.
    pub from: u32,
    /// The block in which it left; `None` while it is there.
    pub until: Option<u32>,
}

/// How far a log had come when it was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchored {
    /// Its size.
    pub size: u64,
    /// The root of its tree at this size.
    pub root: B256,
}

/// The contract's number for what a validator says; `Silent` is never said.
pub(super) const fn number_of(finding: Finding) -> u8 {
    match finding {
        Finding::Silent => 0,
        Finding::Same => 1,
        Finding::Differs => 2,
        Finding::Withheld => 3,
    }
}

/// `None` for what was not said, and for what no contract of ours says.
pub(super) const fn finding_from(number: u8) -> Option<Finding> {
    match number {
        1 => Some(Finding::Same),
        2 => Some(Finding::Differs),
        3 => Some(Finding::Withheld),
        _ => None,
    }
}

pub(super) const fn verdict_from(number: u8) -> Option<Verdict> {
    match number {
        1 => Some(Verdict::Passed),
        2 => Some(Verdict::Failed),
        3 => Some(Verdict::Disputed),
        4 => Some(Verdict::Unknown),
        5 => Some(Verdict::Canary),
        _ => None,
    }
}

impl Phase {
    /// Whether nothing moves any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Concluded | Self::Abandoned)
    }

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Committing => "committing",
            Self::Revealing => "revealing",
            Self::Closing => "closing",
            Self::Excusing => "excusing",
            Self::Concluded => "concluded",
            Self::Abandoned => "abandoned",
        }
    }

    /// By its number in the contract; `None` for `None` and for what no contract of ours says.
    pub(super) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Opened,
            2 => Self::Committing,
            3 => Self::Revealing,
            4 => Self::Closing,
            5 => Self::Excusing,
            6 => Self::Concluded,
            7 => Self::Abandoned,
            _ => return None,
        })
    }
}

impl Proof {
    /// The drawn validator with this address.
    pub fn drawn_as(&self, validator: Address) -> Option<&Drawn> {
        self.drawn.iter().find(|drawn| drawn.validator == validator)
    }

    /// `None` when it was never opened.
    pub(super) fn from_chain(said: bindings::Notary::proofReturn) -> Option<Self> {
        let (found, said_outcome) = (said.found, said.outcome);
        let phase = Phase::from_number(found.phase)?;
        let is_over = phase >= Phase::Closing;
        let drawn = said.drawn.into_iter().map(|drawn| Drawn::from_chain(&drawn, is_over)).collect();
        let outcome = Outcome {
            fee_paid: said_outcome.feePaid,
            fee_back: said_outcome.feeBack,
            slashed: said_outcome.slashed,
            to_consumer: said_outcome.toConsumer,
        };
        Some(Self {
            phase,
            deadline: moment(found.deadline.to()),
            draw_block: found.drawBlock.to(),
            seed: (said.seed != B256::ZERO).then_some(said.seed),
            drawn,
            canary: found.canary,
            excused: found.excused,
            verdict: verdict_from(found.verdict),
            outcome: (phase == Phase::Concluded).then_some(outcome),
        })
    }
}

impl Drawn {
    fn from_chain(drawn: &bindings::Drawn, is_over: bool) -> Self {
        let said = finding_from(drawn.finding);
        Self {
            validator: drawn.validator,
            reserved: drawn.reserved,
            committed: said.is_some() || drawn.word != B256::ZERO,
            finding: said.or_else(|| is_over.then_some(Finding::Silent)),
            result: said.is_some().then_some(drawn.word),
        }
    }
}

impl Seat {
    /// `None` where nobody sits.
    pub(super) fn from_chain(seat: &bindings::Seat) -> Option<Self> {
        let until = (seat.until != 0).then_some(seat.until);
        let here = Self { validator: seat.validator, units: seat.units, from: seat.from, until };
        (seat.validator != Address::ZERO).then_some(here)
    }
}

impl Anchored {
    /// `None` when the log was never written down.
    pub(super) fn from_chain(anchor: &bindings::Anchor) -> Option<Self> {
        (anchor.root != B256::ZERO).then_some(Self { size: anchor.size, root: anchor.root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_keep_their_numbers() {
        for finding in Finding::ALL {
            let back = finding_from(number_of(finding));
            assert_eq!(back, (finding != Finding::Silent).then_some(finding));
        }
        assert_eq!((finding_from(4), verdict_from(0), verdict_from(6)), (None, None, None));
        let verdicts: Vec<Verdict> = (1..=5).filter_map(verdict_from).collect();
        assert_eq!(verdicts, Verdict::ALL);
    }

    #[test]
    fn phases_keep_their_numbers_and_order() {
        let phases: Vec<Phase> = (0..=9).filter_map(Phase::from_number).collect();
        assert_eq!(phases.len(), 7);
        assert!(phases.is_sorted());
        let last: Vec<&str> =
            phases.iter().filter(|phase| phase.is_final()).map(|phase| phase.code()).collect();
        assert_eq!(last, ["concluded", "abandoned"]);
    }
}
