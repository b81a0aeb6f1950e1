//! Who keeps what was promised and what was judged, where both sides can read it.

use async_trait::async_trait;
use domain::{ExecutionId, Finding, Label, NetworkName, Timestamp, Usd, Verdict};

use crate::{Commitment, Error};

/// A notary: keeps commitments, has validators drawn after them, gathers their words, and moves money by what these come to.
/// Validators speak to it themselves; this is the side of the consumer. It serves leases of every network: those of its own
/// market by what their provider committed to there, all others by the agent's signature.
///
/// Every call may be repeated for ever, and says what the notary then shows.
#[async_trait]
pub trait Notary: Send + Sync {
    /// What was committed to for the lease with this label, and when. `None` while there is nothing.
    async fn commitment(&self, label: &Label) -> Result<Option<Committed>, Error>;

    /// What an agent signs for, beside its root: a lease of this network under this label.
    async fn subject(&self, network: &NetworkName, label: &Label) -> Result<Option<Subject>, Error>;

    /// Has the work checked: pays the validators' fee in, and fixes the moment of the draw.
    async fn open(&self, request: &ProofRequest) -> Result<Proof, Error>;

    /// What became of it. `None` where it was not opened.
    async fn observe(&self, request: &ProofRequest) -> Result<Option<Proof>, Error>;

    /// Does what is due and anybody may do: draws once the randomness is there, concludes once all have spoken or had
    /// their time.
    async fn advance(&self, request: &ProofRequest) -> Result<Option<Proof>, Error>;

    /// Whether this validator was drawn for the proof with this id and signed the statement.
    async fn drew(&self, proof: &[u8; 32], caller: &Caller) -> Result<bool, Error>;

    /// Writes down how far the log with this name has come.
    async fn anchor(&self, anchor: &Anchor) -> Result<(), Error>;

    /// How far the log with this name had come when it was last written down by us.
    async fn anchored(&self, log: &[u8; 32]) -> Result<Option<Anchor>, Error>;
}

/// A commitment on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// What it is.
    pub commitment: Commitment,
    /// Since when it stands.
    pub at: Timestamp,
}

/// What a commitment is about, as it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// EIP-712 domain separator.
    pub domain: [u8; 32],
    /// The lease.
    pub lease: [u8; 32],
}

/// What is to be checked, and how. The same request is the same proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofRequest {
    /// The network of the lease.
    pub network: NetworkName,
    /// The lease.
    pub label: Label,
    /// What was done there.
    pub execution: ExecutionId,
    /// The job as its leaves name it.
    pub job_hash: [u8; 32],
    /// What was committed to.
    pub commitment: Commitment,
    /// The agent's signature over it, for a lease of another network.
    pub signature: Vec<u8>,
    /// Segments that the commitment covers; it has one leaf more, and one more still where it binds outputs.
    pub segments: u32,
    /// Segments drawn beside the first and the last.
    pub sample: u32,
    /// Validators drawn.
    pub validators: u32,
    /// For one validator and one segment.
    pub fee: Usd,
    /// Where validators find the states: the URL of the agent API and the SHA-256 of its certificate.
    pub url: String,
    /// See `url`; hex.
    pub pin: String,
    /// What the provider planted for us among the drawn segments, to be shown once the validators have spoken.
    pub planted: Option<PlantedLeaf>,
}

/// A state that no computation gives, and its way to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlantedLeaf {
    /// From which it follows, by `evidence::Canary`.
    pub salt: [u8; 32],
    /// The number of the state in its job.
    pub index: u64,
    /// The place of its leaf.
    pub position: u32,
    /// From the leaf upwards.
    pub siblings: Vec<[u8; 32]>,
}

/// A proof as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Its name at the notary.
    pub id: [u8; 32],
    /// How far it has come.
    pub phase: ProofPhase,
    /// From which segments and validators follow, once drawn.
    pub seed: Option<[u8; 32]>,
    /// The drawn validators, in the order drawn.
    pub drawn: Vec<Drawn>,
    /// Once concluded.
    pub verdict: Option<Verdict>,
    /// What the validators were paid, once concluded.
    pub fee_paid: Usd,
    /// What the provider lost of its stake.
    pub slashed: Usd,
    /// What came back to the consumer beside escrow and unused fee.
    pub compensated: Usd,
    /// The next deadline, where one runs.
    pub deadline: Option<Timestamp>,
    /// Units of gas that our own transactions for this proof used.
    pub gas: u64,
    /// The hashes of these transactions, oldest first.
    pub txs: Vec<String>,
}

/// How far a proof has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofPhase {
    /// The fee is paid in, and the moment of the draw fixed.
    Opened,
    /// Validators replay and commit to what they found.
    Committing,
    /// They say what they committed to.
    Revealing,
    /// All found the states kept back; whoever has receipts for them may show them.
    Excusing,
    /// Over.
    Concluded,
}

impl ProofPhase {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Committing => "committing",
            Self::Revealing => "revealing",
            Self::Excusing => "excusing",
            Self::Concluded => "concluded",
        }
    }
}

/// A drawn validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Its name at the notary.
    pub validator: String,
    /// What it said; `None` while it may still say it.
    pub finding: Option<Finding>,
    /// What it computed, by `evidence::result`, once it said so.
    pub result: Option<[u8; 32]>,
}

/// A validator that asks for the states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it says it is.
    pub validator: String,
    /// What it signed.
    pub statement: Vec<u8>,
    /// Its signature over the Keccak-256 of the statement.
    pub signature: Vec<u8>,
}

/// How far a log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// SHA-256 of its origin line.
    pub log: [u8; 32],
    /// Its size.
    pub size: u64,
    /// The root of its tree at this size.
    pub root: [u8; 32],
}
