//! One error for all networks: what failed, and whether it may be tried again.

use std::fmt;

use domain::{NetworkName, RetryStatus};

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Nothing of the kind is left.
    NoCapacity,
    /// Somebody else took it first.
    LostRace,
    /// The network refused for good.
    Refused,
    /// It does not know the label or the offer.
    NotFound,
    /// It cannot do this at all.
    Unsupported,
    /// We asked for something malformed.
    InvalidInput,
    /// We asked too often.
    RateLimited,
    /// It did not answer, or answered that it cannot at present.
    Unavailable,
    /// Our account there cannot pay.
    InsufficientFunds,
    /// It answered something we do not understand.
    Unexpected,
}

/// Which call it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Listing offers.
    Offers,
    /// Preparing a purchase.
    Prepare,
    /// Submitting a purchase.
    Submit,
    /// Looking at a lease.
    Observe,
    /// Listing what is ours.
    ListOurs,
    /// Lengthening a lease.
    Extend,
    /// Ending a lease.
    Release,
    /// Reading our balance.
    Balance,
    /// Asking whether an agent is the provider's.
    Vouch,
    /// Looking at an escrow.
    Escrow,
    /// Paying out of an escrow.
    Post,
    /// Taking back an escrow.
    Void,
    /// Having work checked.
    Prove,
    /// Writing down how far a log has come.
    Anchor,
}

/// A failed call to a network.
#[derive(Debug, thiserror::Error)]
#[error("{network} could not {operation}: {context}")]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Whether it may be tried again.
    pub status: RetryStatus,
    /// Which network.
    pub network: NetworkName,
    /// Which call.
    pub operation: Operation,
    /// What a person needs to know beside the above, in a few words.
    pub context: String,
    /// The cause below, if there is one.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error without a cause below it.
    pub fn new(
        network: &NetworkName,
        operation: Operation,
        kind: ErrorKind,
        status: RetryStatus,
        context: impl Into<String>,
    ) -> Self {
        Self { kind, status, network: network.clone(), operation, context: context.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offers => "list offers",
            Self::Prepare => "prepare a purchase",
            Self::Submit => "submit a purchase",
            Self::Observe => "look at a lease",
            Self::ListOurs => "list our leases",
            Self::Extend => "extend a lease",
            Self::Release => "release a lease",
            Self::Balance => "read the balance",
            Self::Vouch => "tell whether an agent is the provider's",
            Self::Escrow => "look at an escrow",
            Self::Post => "pay out of an escrow",
            Self::Void => "take back an escrow",
            Self::Prove => "have work checked",
            Self::Anchor => "write down how far a log has come",
        })
    }
}
