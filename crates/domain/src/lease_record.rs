//! How a lease ended, as far as something is learned from it.

use crate::{JobId, NetworkName, ProviderName, Timestamp, Usd, WorkClass};

/// What became of a lease that went live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// For which job.
    pub job: JobId,
    /// What kind of work that is, if it says so.
    pub class: Option<WorkClass>,
    /// What was expected to be billed for the rest of the job, where it was known how long that runs.
    pub expected: Option<Usd>,
    /// On which network.
    pub network: NetworkName,
    /// Whose machine, where that is known.
    pub provider: Option<ProviderName>,
    /// Whether it could be taken away at any time.
    pub interruptible: bool,
    /// Since when it lived.
    pub live_at: Timestamp,
    /// Until when, if it has ended.
    pub ended_at: Option<Timestamp>,
    /// What was billed, if it has ended.
    pub billed: Option<Usd>,
    /// Whether what ran on it was lost.
    pub lost: bool,
    /// Whether what was done on it did not pass where it was checked.
    pub refuted: bool,
}
