//! What may follow a call to the outside that did not succeed.

/// Whether a call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryStatus {
    /// The same call will fail again.
    Permanent,
    /// Nothing happened; the same call may succeed later.
    Temporary,
    /// It may or may not have happened, or may still happen; only looking at the other side helps.
    UnknownOutcome,
}
