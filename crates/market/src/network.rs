//! The contract of a network.

use std::fmt;

use async_trait::async_trait;
use domain::{
    Assurance, Label, Millis, NetworkName, Offer, ProviderName, Region, Timestamp, Usd, UsdPerHour,
};
use zeroize::Zeroizing;

use crate::{Capability, Error, ErrorKind, Operation, RetryStatus};

/// A place where compute can be bought.
///
/// Buying is two calls, so that a crash between them costs nothing: `prepare` makes an intent, which the caller
/// stores; `submit` sends it and may be repeated.
#[async_trait]
pub trait Network: Send + Sync {
    /// Its name in job files and tables.
    fn name(&self) -> &NetworkName;

    /// What it can do.
    fn capability(&self) -> Capability;

    /// Everything that could be bought now. A queue or an auction gives indicative offers.
    async fn offers(&self) -> Result<Vec<Offer>, Error>;

    /// Makes a purchase ready without any effect outside: the intent holds all that `submit` will send, the boot bytes
    /// included, so it is a secret. `offer` is one of `offers`, or a bid seen by `observe` under the same label.
    async fn prepare(&self, offer: &Offer, terms: &Terms) -> Result<Intent, Error>;

    /// Buys. May be repeated with the same intent and buys at most once per label; repeating after success is success.
    /// Where `Capability::idempotency` is missing, the label is looked for before it is bought, so a repetition is safe
    /// only once `Capability::visibility` has passed since the last try.
    ///
    /// # Errors
    /// `UnknownOutcome` means that only `observe` can tell. `NoCapacity`, `LostRace` and `Refused` with status
    /// `Permanent` promise that nothing was bought and nothing will be billed.
    async fn submit(&self, intent: &Intent) -> Result<(), Error>;

    /// What the network says about the lease with this label. `Absent` within `Capability::visibility` of a submit
    /// proves nothing.
    async fn observe(&self, label: &Label) -> Result<Observation, Error>;

    /// Every lease of our account that has not ended, also those we have forgotten.
    async fn list_ours(&self) -> Result<Vec<Listed>, Error>;

    /// Lengthens the lease to at least `span` after its start. Needs `Capability::extend`. May be repeated.
    async fn extend(&self, label: &Label, span: Millis) -> Result<(), Error>;

    /// Asks for the end of the lease and says what the network then shows. May be repeated for ever; only `Ended` is a
    /// confirmation (or `Absent` once visibility has passed).
    async fn release(&self, label: &Label) -> Result<Observation, Error>;

    /// What our account there can still spend.
    async fn balance(&self) -> Result<Balance, Error>;

    /// Whether the lease's provider stands by this introduction: it runs the agent, and the agent said this. Needs
    /// `Capability::introduces`.
    async fn vouches(&self, _label: &Label, _introduction: &Introduction) -> Result<bool, Error> {
        let context = "its agents show a boot token";
        Err(Error::new(
            self.name(),
            Operation::Vouch,
            ErrorKind::Unsupported,
            RetryStatus::Permanent,
            context,
        ))
    }
}

/// How an agent that was given no token makes itself known: its provider signed for its key, and its key for what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The agent's address on the network, in the network's own writing.
    pub agent: String,
    /// The provider's signature for that address and this lease.
    pub delegation: Vec<u8>,
    /// What the agent said.
    pub statement: Vec<u8>,
    /// The agent's signature over it.
    pub signature: Vec<u8>,
}

/// What we ask for beside the offer.
#[derive(Debug, Clone)]
pub struct Terms {
    /// By which the lease is found again.
    pub label: Label,
    /// How long it is meant to last.
    pub span: Millis,
    /// The most we pay per hour; an auction takes no higher bid.
    pub ceiling: UsdPerHour,
    /// Keccak-256 that names the job, for networks that keep what was ordered.
    pub job: [u8; 32],
    /// Handed to the agent on the machine.
    pub boot: Boot,
}

/// The agent's boot bytes: where to connect, whom to trust there, and a token. A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Boot(Zeroizing<Vec<u8>>);

impl Boot {
    /// From bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes; take care where they go.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Boot(***)")
    }
}

/// A purchase made ready. Its bytes are the network's own and hold the boot bytes, so whoever stores them seals them.
#[derive(Clone, PartialEq, Eq)]
pub struct Intent {
    /// The lease's label.
    pub label: Label,
    /// What `submit` needs; opaque to everyone else.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Intent({}, {} bytes)", self.label, self.bytes.len())
    }
}

/// What a network says about one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// It shows nothing under this label.
    Absent,
    /// Our request is open; each bid is a firm offer.
    Bidding {
        /// Bids so far.
        bids: Vec<Offer>,
        /// No bid comes after this.
        closes_at: Timestamp,
    },
    /// Accepted, no provider yet.
    Queued,
    /// Ours and billed.
    Live {
        /// Whose machine it is.
        provider: ProviderName,
        /// Where it stands, if the network says so.
        region: Option<Region>,
        /// What is known of the provider.
        assurance: Assurance,
        /// Billing runs since then.
        since: Timestamp,
        /// The network ends it then unless it is extended.
        until: Option<Timestamp>,
    },
    /// It has ended and nothing more is billed.
    Ended {
        /// When.
        at: Timestamp,
        /// What it billed in all, fees included.
        billed: Usd,
    },
}

/// A lease of ours as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The label it carries.
    pub label: Label,
    /// Since when.
    pub since: Timestamp,
}

/// What our account on a network can spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The amount; `None` where the network bills later.
    pub available: Option<Usd>,
}
