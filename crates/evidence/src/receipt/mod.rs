//! What a receipt says of a job, checked without whoever wrote it: everything that follows from something else is computed
//! again, and what cannot be is listed.
//!
//! - `check.rs`: job, attempts, commitments, money. `proofs.rs`: draws, findings, verdicts. `chain.rs`: by which states the
//!   attempts follow one another.
//! - `gaps.rs`: what remains unproven. `report.rs`: what was looked at, and what does not hold.

mod chain;
mod check;
mod gaps;
mod proofs;
mod report;

pub use check::{Recover, check};
pub use gaps::{Gap, unproven};
pub use report::{Check, Fault, Report, Wrong};

use domain::{
    ExecutionState, Finding, JobId, NetworkName, Outcome, ProofState, ProviderName, Timestamp, Usd, Verdict,
};

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The job.
    pub job: Job,
    /// Its attempts, oldest first.
    pub executions: Vec<Execution>,
    /// What it cost.
    pub settlement: Settlement,
}

/// The job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its specification.
    pub spec: String,
    /// BLAKE3 of the bundle that its agents ran.
    pub bundle: [u8; 32],
    /// By what its leaves name it: [`crate::job_hash`] of all three.
    pub hash: [u8; 32],
    /// Segments that its specification divides it into.
    pub segments: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it left outputs.
    pub outputs: bool,
    /// When it was admitted.
    pub submitted_at: Timestamp,
    /// When its outcome was clear.
    pub ended_at: Timestamp,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// From 1.
    pub attempt: u32,
    /// On which network; `None` where nothing was bought.
    pub network: Option<NetworkName>,
    /// Whose machine, where known.
    pub provider: Option<ProviderName>,
    /// How it ended.
    pub state: ExecutionState,
    /// The first segment.
    pub from: u32,
    /// One past the last segment whose state was stored.
    pub to: u32,
    /// When its agent connected.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Paid for its lease, fees and validators included.
    pub paid: Usd,
    /// Paid for leases that it got and lost before.
    pub paid_before: Usd,
    /// The fees in both.
    pub fees: Usd,
    /// Whether its network can be refused payment.
    pub withholds: bool,
    /// Whether its network is simulated.
    pub simulated: bool,
    /// What its agent committed to.
    pub commitment: Option<Commitment>,
    /// How its work was checked.
    pub checked: Option<Checked>,
}

/// What an agent committed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// EIP-712 domain separator and lease, as they are signed; `None` where no notary could tell.
    pub subject: Option<([u8; 32], [u8; 32])>,
    /// The root.
    pub root: [u8; 32],
    /// Leaves below it.
    pub leaf_count: u32,
    /// The digest in each leaf, state by state; empty where they were never told.
    pub digests: Vec<[u8; 32]>,
    /// Whether the last leaf is about outputs.
    pub outputs: bool,
    /// The agent's address; `None` where it never said hello, and its provider committed by itself.
    pub agent: Option<[u8; 20]>,
    /// Its signature; empty where only the notary has it.
    pub signature: Vec<u8>,
    /// The provider's signature for the agent; empty where no provider speaks for it.
    pub delegation: Vec<u8>,
}

impl Commitment {
    /// Segments that it covers.
    pub fn segments(&self) -> u32 {
        self.leaf_count.saturating_sub(1 + u32::from(self.outputs))
    }
}

/// How the work of an execution was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What came of it.
    pub state: ProofState,
    /// What was asked about, where it came so far.
    pub asked: Option<Asked>,
    /// From which segments and validators follow, once drawn.
    pub seed: Option<[u8; 32]>,
    /// The segments that were drawn, counted from the first of the execution.
    pub drawn: Vec<u32>,
    /// The validators that were drawn, and what they said.
    pub said: Vec<Said>,
    /// Paid to them.
    pub fee: Usd,
    /// Taken from the provider's stake.
    pub slashed: Usd,
    /// What of it came to the consumer.
    pub compensated: Usd,
}

impl Checked {
    /// Whether it came out that the work is not to be built upon.
    pub(crate) const fn refuted(&self) -> bool {
        self.state.is_refuted()
    }

    /// Whether the work passed.
    pub(crate) const fn passed(&self) -> bool {
        matches!(self.state, ProofState::Concluded(Verdict::Passed))
    }
}

/// What validators were asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The root.
    pub root: [u8; 32],
    /// Leaves below it.
    pub leaf_count: u32,
    /// Segments that it covers.
    pub segments: u32,
    /// Segments to draw beside the first and the last.
    pub sample: u32,
}

/// A drawn validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its account.
    pub validator: String,
    /// What it found.
    pub finding: Option<Finding>,
    /// [`crate::result`] of what it computed.
    pub result: Option<[u8; 32]>,
}

/// What the job cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// The job's budget, held when it was admitted.
    pub held: Usd,
    /// Paid out of it, fees included.
    pub paid: Usd,
    /// Given back.
    pub refunded: Usd,
    /// The fees in `paid`.
    pub fees: Usd,
    /// Billed beyond what is owed, and not paid.
    pub disputed: Usd,
    /// Whether any price was simulated.
    pub simulated: bool,
}

/// Something that a receipt does not prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// What.
    pub gap: Gap,
    /// Of which attempt; `None` where it concerns all.
    pub attempt: Option<u32>,
    /// For people.
    pub text: String,
}
