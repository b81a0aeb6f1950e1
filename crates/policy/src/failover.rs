//! What comes after a loss.

use domain::{EndReason, FailReason, JobSpec, Millis, Outcome, Timestamp};

/// So many leases may be tried for one attempt before the attempt counts as lost.
pub const PURCHASES_PER_ATTEMPT_MAX: u32 = 12;

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Another plan, for this attempt number.
    Replan {
        /// From 1.
        attempt: u32,
    },
    /// The job is over.
    End(Outcome),
}

/// How an attempt, or a purchase for it, ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback {
    /// Its agent is gone.
    Lost,
    /// A lease ended before anything ran on it.
    NotBought(EndReason),
    /// The workload failed by itself.
    Failed(FailReason),
}

/// What follows a setback of attempt number `attempt`, for which `purchases` leases have been tried.
///
/// A workload that failed by itself would fail elsewhere too, so the job ends. A lease that could not be had does not
/// use up the attempt, until [`PURCHASES_PER_ATTEMPT_MAX`] were tried.
pub fn next(spec: &JobSpec, attempt: u32, purchases: u32, setback: Setback) -> Next {
    match setback {
        Setback::Failed(reason) => Next::End(Outcome::Failed(reason)),
        Setback::NotBought(reason) if never_ran(reason) && purchases < PURCHASES_PER_ATTEMPT_MAX => {
            Next::Replan { attempt }
        }
        Setback::NotBought(_) | Setback::Lost => after_loss(spec, attempt),
    }
}

/// After execution number `attempt` was lost.
pub fn after_loss(spec: &JobSpec, attempt: u32) -> Next {
    if attempt <= spec.failover.attempts {
        Next::Replan { attempt: attempt + 1 }
    } else {
        Next::End(Outcome::AttemptsSpent)
    }
}

/// Whether a lease that ended for this reason never ran anything, so that the same attempt may try another offer.
pub const fn never_ran(reason: EndReason) -> bool {
    matches!(
        reason,
        EndReason::NoCapacity
            | EndReason::NoBids
            | EndReason::Ineligible
            | EndReason::Refused
            | EndReason::TooSlow
    )
}

/// When no offer is admissible: wait, or give up once nothing came for `patience`.
pub fn without_offers(waiting_since: Timestamp, now: Timestamp, patience: Millis) -> Option<Outcome> {
    (now.since(waiting_since) >= patience).then_some(Outcome::NoOffers)
}
