//! What goes wrong on a chain, in the words of every network.

use chain::follow::FollowError;
use chain::market::{ReadError, Refusal};
use chain::sender::SendError;
use domain::{NetworkName, RetryStatus};
use market::{Error, ErrorKind, Operation};

/// A failure before it is known in which call.
pub(crate) struct Cause {
    kind: ErrorKind,
    status: RetryStatus,
    context: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Cause {
    /// What was read of the chain is not all of it yet, or not any more.
    pub(crate) fn behind() -> Self {
        Self {
            kind: ErrorKind::Unavailable,
            status: RetryStatus::Temporary,
            context: "not all of the market's events have been read".to_owned(),
            source: None,
        }
    }

    pub(crate) fn in_call(self, network: &NetworkName, operation: Operation) -> Error {
        let mut error = Error::new(network, operation, self.kind, self.status, self.context);
        error.source = self.source;
        error
    }
}

pub(crate) fn of_read(error: ReadError) -> Cause {
    let kind = match error {
        ReadError::NoMarket { .. } | ReadError::NoNotary { .. } => ErrorKind::Unexpected,
        ReadError::Unreachable(_) | ReadError::NoBlock(_) => ErrorKind::Unavailable,
    };
    Cause {
        kind,
        status: error.status(),
        context: "the market could not be read".to_owned(),
        source: Some(Box::new(error)),
    }
}

pub(crate) fn of_follow(error: FollowError) -> Cause {
    let (kind, status) = match error {
        FollowError::Unreachable(_) | FollowError::Moved => (ErrorKind::Unavailable, RetryStatus::Temporary),
        FollowError::TooDeep { .. } => (ErrorKind::Unexpected, RetryStatus::Permanent),
    };
    Cause { kind, status, context: "its events could not be read".to_owned(), source: Some(Box::new(error)) }
}

/// A transaction that is not done. A refusal by the contract means that nothing happened and nothing will.
pub(crate) fn of_send(error: SendError) -> Cause {
    let kind = match Refusal::of(&error) {
        Some(
            Refusal::InsufficientBalance { .. }
            | Refusal::InsufficientAllowance { .. }
            | Refusal::InsufficientTokens { .. },
        ) => ErrorKind::InsufficientFunds,
        Some(Refusal::PriceTooHigh { .. } | Refusal::OfferNotAvailable { .. }) => ErrorKind::LostRace,
        Some(Refusal::NotEnoughUnits { .. } | Refusal::InsufficientStake { .. }) => ErrorKind::NoCapacity,
        Some(_) => ErrorKind::Refused,
        None => match &error {
            SendError::Reverted { .. } => ErrorKind::Refused,
            SendError::NoFunds => ErrorKind::InsufficientFunds,
            _ => ErrorKind::Unavailable,
        },
    };
    let context = match Refusal::of(&error) {
        Some(refusal) => refusal.to_string(),
        None => "its transaction is not done".to_owned(),
    };
    Cause { kind, status: error.status(), context, source: Some(Box::new(error)) }
}

/// The other side, or time, moved the lease first. What was tried out before and fails in its block has no other reason.
pub(crate) fn lost_race(error: &SendError) -> bool {
    matches!(error, SendError::Reverted { hash: Some(_), .. })
        || matches!(Refusal::of(error), Some(Refusal::WrongState { .. } | Refusal::TooLate { .. }))
}
