//! Why a notary said no, by the name of its error and with the values that it gave.

#![expect(missing_docs, reason = "the fields are those of the contract's errors, which explains them")]

use alloy::primitives::{Address, B256};
use alloy::sol_types::SolInterface;

use super::nouns::Phase;
use crate::market;
use crate::market::bindings::Notary::NotaryErrors;
use crate::sender::SendError;

/// A notary's own reason for a refusal, or one that it shares with the market. Amounts are micro-units.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("AlreadySeated: {validator} has a seat")]
    AlreadySeated { validator: Address },
    #[error("NotSeated: {validator} has no seat, or has left")]
    NotSeated { validator: Address },
    #[error("NoSeatFree: all seats are taken")]
    NoSeatFree,
    #[error("BlockNotReached: not before block {from}")]
    BlockNotReached { from: u64 },
    #[error("NotEnoughValidators: {eligible} can be drawn, {wanted} were asked for")]
    NotEnoughValidators { eligible: u64, wanted: u64 },
    #[error("WrongMarket: the notary serves none, another one, or cannot serve {market}")]
    WrongMarket { market: Address },
    /// `phase` is `None` for a proof that was never opened.
    #[error("WrongPhase: the proof is {}", phase.map_or("none", Phase::code))]
    WrongPhase { phase: Option<Phase> },
    #[error("ProofExists: the subject has proof {proof}")]
    ProofExists { proof: B256 },
    #[error("WrongSubject: {subject} is not what was committed to")]
    WrongSubject { subject: B256 },
    #[error("WrongLeafCount: {leaf_count} leaves do not cover {segments} segments")]
    WrongLeafCount { leaf_count: u32, segments: u32 },
    #[error("TooMany: {value} are more than {max}")]
    TooMany { value: u64, max: u64 },
    #[error("FeeTooLow: a fee of {fee} micro-units is less than {min}")]
    FeeTooLow { fee: u64, min: u64 },
    #[error("NothingToSay: {caller} was not drawn, or has said it")]
    NothingToSay { caller: Address },
    #[error("WrongReveal: this is not what was committed to")]
    WrongReveal,
    #[error("NotDrawn: segment {segment} was not drawn")]
    NotDrawn { segment: u64 },
    #[error("WrongLeaf: the root does not have this leaf at {position}")]
    WrongLeaf { position: u64 },
    #[error("LogRewritten: the log had {size} records, or another root")]
    LogRewritten { size: u64 },
    /// One that the market has too.
    #[error(transparent)]
    Shared(market::Refusal),
}

impl Refusal {
    /// The contract's reason in a failed transaction; `None` when the failure is of another kind, or gave no reason.
    pub fn of(error: &SendError) -> Option<Self> {
        match error {
            SendError::Reverted { data, .. } => Self::decode(data),
            _ => None,
        }
    }

    /// From revert data.
    pub fn decode(data: &[u8]) -> Option<Self> {
        let own = NotaryErrors::abi_decode_validate(data).ok().and_then(own);
        own.or_else(|| market::Refusal::decode(data).map(Self::Shared)).or_else(|| other(data))
    }
}

/// `None` for what the market says too.
fn own(error: NotaryErrors) -> Option<Refusal> {
    use NotaryErrors as N;
    Some(match error {
        N::AlreadySeated(e) => Refusal::AlreadySeated { validator: e.validator },
        N::NotSeated(e) => Refusal::NotSeated { validator: e.validator },
        N::NoSeatFree(_) => Refusal::NoSeatFree,
        N::BlockNotReached(e) => Refusal::BlockNotReached { from: e.from.saturating_to() },
        N::NotEnoughValidators(e) => Refusal::NotEnoughValidators {
            eligible: e.eligible.saturating_to(),
            wanted: e.wanted.saturating_to(),
        },
        N::WrongMarket(e) => Refusal::WrongMarket { market: e.market },
        N::WrongPhase(e) => Refusal::WrongPhase { phase: Phase::from_number(e.phase) },
        N::ProofExists(e) => Refusal::ProofExists { proof: e.id },
        N::WrongSubject(e) => Refusal::WrongSubject { subject: e.subject },
        N::WrongLeafCount(e) => Refusal::WrongLeafCount { leaf_count: e.leafCount, segments: e.segments },
        N::TooMany(e) => Refusal::TooMany { value: e.value.saturating_to(), max: e.max.saturating_to() },
        N::FeeTooLow(e) => Refusal::FeeTooLow { fee: e.fee, min: e.min },
        N::NothingToSay(e) => Refusal::NothingToSay { caller: e.caller },
        N::WrongReveal(_) => Refusal::WrongReveal,
        N::NotDrawn(e) => Refusal::NotDrawn { segment: e.segment.saturating_to() },
        N::WrongLeaf(e) => Refusal::WrongLeaf { position: e.position.saturating_to() },
        N::LogRewritten(e) => Refusal::LogRewritten { size: e.size },
        _ => return None,
    })
}

/// One that only a notary says, and that no caller of ours decides by.
fn other(data: &[u8]) -> Option<Refusal> {
    let error = NotaryErrors::abi_decode_validate(data).ok()?;
    let name = NotaryErrors::name_by_selector(error.selector())?;
    Some(Refusal::Shared(market::Refusal::Other(name)))
}
