//! What happened at a notary, read from the chain's logs.

#![expect(missing_docs, reason = "the fields are those of the contract's events, which explains them")]

use alloy::primitives::{Address, B256, Bytes};
use alloy::rpc::types::Log;
use alloy::sol_types::{SolEvent, SolEventInterface};
use domain::{Finding, Timestamp, Verdict};

use super::nouns::{Outcome, finding_from, verdict_from};
use super::request::Request;
use crate::market::bindings::Notary::{NotaryEvents, ProofOpened};
use crate::market::{Happened, moment};

/// An event of a notary, with where and when.
pub type NotaryHappened = Happened<NotaryEvent>;

/// One transition at a notary. Amounts are micro-units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotaryEvent {
    /// Somebody paid in, by a deposit or for a proof.
    Deposited { owner: Address, amount: u64 },
    /// Somebody took out.
    Withdrawn { owner: Address, to: Address, amount: u64 },
    /// Balance became stake.
    Staked { validator: Address, amount: u64 },
    /// Stake is asked back; `total` may be claimed from `release_at` on.
    UnbondingStarted { validator: Address, amount: u64, total: u64, release_at: Timestamp },
    /// Former stake became balance.
    Unbonded { validator: Address, amount: u64 },
    /// It may be drawn for what is opened from this block on.
    ValidatorJoined { validator: Address, units: u32 },
    /// It is drawn for nothing that is opened later.
    ValidatorLeft { validator: Address },
    /// Its seat is free.
    ValidatorDeparted { validator: Address },
    /// It lost stake: it was silent, or passed a canary.
    ValidatorSlashed { proof: B256, validator: Address, amount: u64 },
    /// The notary judges for this market.
    Bound { market: Address },
    /// The fee is paid. `agent` signed the root, `None` where the lease's provider committed to it; `contact` is a stranger's
    /// text, read it by [`crate::market::Contact::from_bytes`].
    ProofOpened { proof: B256, request: Request, draw_block: u64, agent: Option<Address>, contact: Bytes },
    /// The hash of another block draws.
    ProofDelayed { proof: B256, draw_block: u64 },
    /// `validators` commit to what they found by `deadline`.
    ProofDrawn { proof: B256, seed: B256, validators: Vec<Address>, deadline: Timestamp },
    /// `validator` has found something.
    FindingCommitted { proof: B256, validator: Address },
    /// What it had found.
    FindingRevealed { proof: B256, validator: Address, finding: Finding, result: B256 },
    /// A leaf was planted, and was among those checked.
    CanaryOpened { proof: B256, position: u32 },
    /// The consumer had received all that it did not open.
    ProofExcused { proof: B256 },
    /// The verdict, and what it moved.
    ProofConcluded { proof: B256, verdict: Verdict, outcome: Outcome },
    /// Nobody drew in time.
    ProofAbandoned { proof: B256, fee_back: u64 },
    /// A log has come this far.
    Anchored { sender: Address, log: B256, size: u64, root: B256 },
}

impl NotaryEvent {
    /// First topic of what calls validators: a proof was opened.
    pub const CALLING: [B256; 1] = [ProofOpened::SIGNATURE_HASH];

    /// The event in a log of a notary. `None` for what no notary of ours says.
    pub fn decode(log: &Log) -> Option<Self> {
        let event = NotaryEvents::decode_log(&log.inner).ok()?.data;
        of_account(&event).or_else(|| of_proof(event))
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
            | Self::ProofAbandoned { proof, .. }
            | Self::ValidatorSlashed { proof, .. } => Some(*proof),
            _ => None,
        }
    }
}

/// `None` when it is about a proof.
fn of_account(event: &NotaryEvents) -> Option<NotaryEvent> {
    use NotaryEvent as E;
    Some(match event {
        NotaryEvents::Deposited(e) => E::Deposited { owner: e.owner, amount: e.amount },
        NotaryEvents::Withdrawn(e) => E::Withdrawn { owner: e.owner, to: e.to, amount: e.amount },
        NotaryEvents::Staked(e) => E::Staked { validator: e.provider, amount: e.amount },
        NotaryEvents::UnbondingStarted(e) => {
            let release_at = moment(e.releaseAt.to());
            E::UnbondingStarted { validator: e.provider, amount: e.amount, total: e.total, release_at }
        }
        NotaryEvents::Unbonded(e) => E::Unbonded { validator: e.provider, amount: e.amount },
        NotaryEvents::ValidatorJoined(e) => E::ValidatorJoined { validator: e.validator, units: e.units },
        NotaryEvents::ValidatorLeft(e) => E::ValidatorLeft { validator: e.validator },
        NotaryEvents::ValidatorDeparted(e) => E::ValidatorDeparted { validator: e.validator },
        NotaryEvents::Bound(e) => E::Bound { market: e.market },
        NotaryEvents::Anchored(e) => E::Anchored { sender: e.sender, log: e.log, size: e.size, root: e.root },
        _ => return None,
    })
}

fn of_proof(event: NotaryEvents) -> Option<NotaryEvent> {
    use NotaryEvent as E;
    Some(match event {
        NotaryEvents::ValidatorSlashed(e) => {
            E::ValidatorSlashed { proof: e.id, validator: e.validator, amount: e.amount }
        }
        NotaryEvents::ProofOpened(e) => E::ProofOpened {
            proof: e.id,
            request: e.request.into(),
            draw_block: e.drawBlock.to(),
            agent: (e.agent != Address::ZERO).then_some(e.agent),
            contact: e.contact,
        },
        NotaryEvents::ProofDelayed(e) => E::ProofDelayed { proof: e.id, draw_block: e.drawBlock.to() },
        NotaryEvents::ProofDrawn(e) => E::ProofDrawn {
            proof: e.id,
            seed: e.seed,
            validators: e.validators,
            deadline: moment(e.deadline.to()),
        },
        NotaryEvents::FindingCommitted(e) => E::FindingCommitted { proof: e.id, validator: e.validator },
        NotaryEvents::FindingRevealed(e) => E::FindingRevealed {
            proof: e.id,
            validator: e.validator,
            finding: finding_from(e.finding)?,
            result: e.result,
        },
        NotaryEvents::CanaryOpened(e) => E::CanaryOpened { proof: e.id, position: e.position },
        NotaryEvents::ProofExcused(e) => E::ProofExcused { proof: e.id },
        NotaryEvents::ProofConcluded(e) => {
            let outcome = Outcome {
                fee_paid: e.feePaid,
                fee_back: e.feeBack,
                slashed: e.slashed,
                to_consumer: e.toConsumer,
            };
            E::ProofConcluded { proof: e.id, verdict: verdict_from(e.verdict)?, outcome }
        }
        NotaryEvents::ProofAbandoned(e) => E::ProofAbandoned { proof: e.id, fee_back: e.feeBack },
        _ => return None,
    })
}
