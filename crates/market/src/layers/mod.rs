//! Behaviour that every network shares, as layers around it: each wraps a network and is one.
//!
//! The usual order, from the outside: [`Observe`], [`Retry`], [`Timeout`], [`Limit`], the network. [`Faults`] stands in
//! the place of an unreliable line, in tests.

mod around;
mod faults;
mod limit;
mod observe;
mod retry;
mod timeout;

pub use faults::Faults;
pub use limit::Limit;
pub use observe::Observe;
pub use retry::Retry;
pub use timeout::Timeout;

use crate::{Operation, RetryStatus};
use around::Around;

/// What is known after a call that went wrong without an answer: a call with an effect may have had it.
const fn unanswered(operation: Operation) -> RetryStatus {
    match operation {
        Operation::Submit
        | Operation::Extend
        | Operation::Release
        | Operation::Post
        | Operation::Void
        | Operation::Prove
        | Operation::Anchor => RetryStatus::UnknownOutcome,
        _ => RetryStatus::Temporary,
    }
}
