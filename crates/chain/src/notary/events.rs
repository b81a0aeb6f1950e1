//! What happened at the notary, read from the chain's logs.

#![expect(missing_docs, reason = "the fields are those of the contract's events, which explains them")]

use alloy::primitives::{Address, B256, Bytes};
use alloy::rpc::types::Log;
use alloy::sol_types::{SolEvent, SolEventInterface};
use domain::{Finding, Timestamp, Verdict};

use super::nouns::{finding_of, verdict_of};
use super::request::Request;
use crate::market::bindings::Notary::{self, NotaryEvents};
use crate::market::moment;

/// An event, with where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// What.
    pub event: NotaryEvent,
    /// The number of its block.
    pub block: u64,
    /// The transaction that made it.
    pub tx: B256,
}

/// One transition at the notary. Amounts are micro-units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotaryEvent {
    /// It may be drawn for what is opened from this block on.
    ValidatorJoined { validator: Address, units: u32 },
    /// It is drawn for nothing that is opened from now on.
    ValidatorLeft { validator: Address },
    /// Its seat is free.
    ValidatorDeparted { validator: Address },
    /// It lost stake.
    ValidatorSlashed { proof: B256, validator: Address, amount: u64 },
    /// Paid; `contact` is a stranger's text, read it by [`crate::market::Contact::from_bytes`].
    ProofOpened { proof: B256, request: Request, draw_block: u64, agent: Address, contact: Bytes },
    /// Another block draws.
    ProofDelayed { proof: B256, draw_block: u64 },
    /// These commit by the deadline.
    ProofDrawn { proof: B256, seed: B256, validators: Vec<Address>, deadline: Timestamp },
    /// It has found something.
    FindingCommitted { proof: B256, validator: Address },
    /// What it had found.
    FindingRevealed { proof: B256, validator: Address, finding: Finding, result: B256 },
    /// A leaf was planted, and was among those that were checked.
    CanaryOpened { proof: B256, position: u32 },
    /// The consumer has signed for the states that it did not open.
    ProofExcused { proof: B256 },
    /// The verdict, and what it moved.
    ProofConcluded { proof: B256, verdict: Verdict, fee_paid: u64, slashed: u64 },
    /// Nobody drew in time.
    ProofAbandoned { proof: B256 },
    /// A log has come so far.
    Anchored { sender: Address, log: B256, size: u64, root: B256 },
    /// What concerns accounts or the market only.
    Other,
}

impl NotaryEvent {
    /// First topics of what a validator must know: opened, drawn, concluded, abandoned.
    pub const CALLING: [B256; 4] = [
        Notary::ProofOpened::SIGNATURE_HASH,
        Notary::ProofDrawn::SIGNATURE_HASH,
        Notary::ProofConcluded::SIGNATURE_HASH,
        Notary::ProofAbandoned::SIGNATURE_HASH,
    ];

    /// The event in a log of the notary. `None` for what no notary of ours says.
    pub fn decode(log: &Log) -> Option<Self> {
        use NotaryEvents as E;
        Some(match NotaryEvents::decode_log(&log.inner).ok()?.data {
            E::ValidatorJoined(e) => Self::ValidatorJoined { validator: e.validator, units: e.units },
            E::ValidatorLeft(e) => Self::ValidatorLeft { validator: e.validator },
            E::ValidatorDeparted(e) => Self::ValidatorDeparted { validator: e.validator },
            E::ValidatorSlashed(e) => {
                Self::ValidatorSlashed { proof: e.id, validator: e.validator, amount: e.amount }
            }
            E::ProofOpened(e) => Self::ProofOpened {
                proof: e.id,
                request: e.request.into(),
                draw_block: e.drawBlock.to(),
                agent: e.agent,
                contact: e.contact,
            },
            E::ProofDelayed(e) => Self::ProofDelayed { proof: e.id, draw_block: e.drawBlock.to() },
            E::ProofDrawn(e) => Self::ProofDrawn {
                proof: e.id,
                seed: e.seed,
                validators: e.validators,
                deadline: moment(e.deadline.to()),
            },
            E::FindingCommitted(e) => Self::FindingCommitted { proof: e.id, validator: e.validator },
            E::FindingRevealed(e) => Self::FindingRevealed {
                proof: e.id,
                validator: e.validator,
                finding: finding_of(e.finding)?,
                result: e.result,
            },
            E::CanaryOpened(e) => Self::CanaryOpened { proof: e.id, position: e.position },
            E::ProofExcused(e) => Self::ProofExcused { proof: e.id },
            E::ProofConcluded(e) => Self::ProofConcluded {
                proof: e.id,
                verdict: verdict_of(e.verdict)?,
                fee_paid: e.feePaid,
                slashed: e.slashed,
            },
            E::ProofAbandoned(e) => Self::ProofAbandoned { proof: e.id },
            E::Anchored(e) => Self::Anchored { sender: e.sender, log: e.log, size: e.size, root: e.root },
            _ => Self::Other,
        })
    }

    /// The proof it is about.
    pub fn proof(&self) -> Option<B256> {
        match self {
            Self::ProofOpened { proof, .. }
            | Self::ProofDelayed { proof, .. }
            | Self::ProofDrawn { proof, .. }
            | Self::FindingCommitted { proof, .. }
            | Self::FindingRevealed { proof, .. }
            | Self::CanaryOpened { proof, .. }
            | Self::ProofExcused { proof }
            | Self::ProofConcluded { proof, .. }
            | Self::ProofAbandoned { proof }
            | Self::ValidatorSlashed { proof, .. } => Some(*proof),
            _ => None,
        }
    }
}
