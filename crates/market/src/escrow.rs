//! Money that neither side of a lease can take alone.

use async_trait::async_trait;
use domain::{Label, Timestamp, Usd};

use crate::Error;

/// The escrow of a network. It is opened by the purchase itself, so that nothing is bought that is not paid in; this is
/// what happens to it afterwards. Networks that bill us have none: there the ledger alone holds and posts.
///
/// Every call may be repeated for ever, and says what the escrow then shows.
#[async_trait]
pub trait Escrow: Send + Sync {
    /// What has become of the money of the lease with this label. `None` where there is no such escrow.
    async fn observe(&self, label: &Label) -> Result<Option<Escrowed>, Error>;

    /// Brings a commitment for a provider that has brought none itself. Does nothing where it has, or while it may not be brought.
    async fn claim(&self, label: &Label, claim: &Claim) -> Result<Option<Escrowed>, Error>;

    /// Lets the provider be paid for an ended lease whose commitment stands. Does nothing while that is not possible.
    async fn post(&self, label: &Label) -> Result<Option<Escrowed>, Error>;

    /// Takes the money back where a deadline of the provider has passed. Does nothing before.
    async fn void(&self, label: &Label) -> Result<Option<Escrowed>, Error>;

    /// The account's word that it has every state below a root: it excuses the provider of the lease with this label, should one be
    /// kept back from validators later. `None` where nobody judges the lease by validators.
    async fn acknowledge(&self, label: &Label, commitment: &Commitment) -> Result<Option<Vec<u8>>, Error>;

    /// What has moved since `cursor`, in order. The caller keeps the new cursor in the transaction of the effects.
    async fn changes(&self, cursor: Option<&str>) -> Result<Changes, Error>;
}

/// An escrow as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escrowed {
    /// Where the money is.
    pub state: EscrowState,
    /// In escrow now.
    pub held: Usd,
    /// Left to the provider so far.
    pub paid: Usd,
    /// What the provider has committed to, if it has.
    pub commitment: Option<Commitment>,
    /// The next deadline, where one runs.
    pub deadline: Option<Timestamp>,
    /// Units of gas that our own transactions for this lease used.
    pub gas: u64,
    /// The hashes of these transactions, oldest first.
    pub txs: Vec<String>,
}

/// Where the money of a lease is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EscrowState {
    /// The lease has not ended.
    Open,
    /// It has ended, and the provider has committed to nothing yet.
    Awaited,
    /// The provider has committed to its work and waits for the verdict.
    Committed,
    /// A mismatch was found.
    Disputed,
    /// The provider was paid.
    Paid,
    /// All of it went back.
    Refunded,
    /// All of it went back, and the provider lost stake.
    Slashed,
}

impl EscrowState {
    /// Whether nothing moves any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Paid | Self::Refunded | Self::Slashed)
    }

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Awaited => "awaited",
            Self::Committed => "committed",
            Self::Disputed => "disputed",
            Self::Paid => "paid",
            Self::Refunded => "refunded",
            Self::Slashed => "slashed",
        }
    }
}

/// What a provider stands by: a root over the states of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment {
    /// The root.
    pub root: [u8; 32],
    /// Leaves below it.
    pub leaf_count: u32,
}

/// The agent's own word for a commitment, for a provider that gives none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What it stands by.
    pub commitment: Commitment,
    /// The agent's signature over it.
    pub signature: Vec<u8>,
    /// The provider's signature that the agent may sign for it.
    pub delegation: Vec<u8>,
}

/// Some movements, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Labels of our leases whose network or escrow shows something new; one may come twice.
    pub labels: Vec<Label>,
    /// Whether what its network offers has changed.
    pub offers: bool,
    /// To be kept.
    pub cursor: String,
    /// Whether there is nothing more at present.
    pub at_head: bool,
}
