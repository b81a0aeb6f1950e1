//! Time and randomness are injected, so that a simulation can replay a run from its seed.

use crate::Timestamp;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// Where random bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills the slice with bytes nobody else can predict (in a simulation: with bytes that follow from its seed).
    fn fill(&self, out: &mut [u8]);
}
