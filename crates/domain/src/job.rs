//! A job's life: waiting for a placement, running, ending, settled.

use crate::{FailReason, Illegal};

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Admitted, its budget held; it waits for a placement and a lease.
    Waiting,
    /// An execution has connected and works.
    Running,
    /// No more work will be done; leases are being closed and accounts settled.
    Ending(Outcome),
    /// Every lease has ended, money is posted or returned.
    Settled(Outcome),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The workload ended well and its outputs are ours.
    Completed,
    /// The workload itself failed; running it elsewhere would not help.
    Failed(FailReason),
    /// The user cancelled it.
    Cancelled,
    /// Its deadline passed.
    DeadlinePassed,
    /// Its budget cannot pay for more.
    BudgetSpent,
    /// No admissible offer was left.
    NoOffers,
    /// It lost as many executions as its failover rule allows.
    AttemptsSpent,
    /// Its last execution's work did not pass the check, and its failover rule allows no further one.
    ProofFailed,
}

impl Outcome {
    /// The stable code in tables and JSON.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
            Self::DeadlinePassed => "deadline_passed",
            Self::BudgetSpent => "budget_spent",
            Self::NoOffers => "no_offers",
            Self::AttemptsSpent => "attempts_spent",
            Self::ProofFailed => "proof_failed",
        }
    }
}

/// What can happen to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// An execution's agent has connected.
    Started,
    /// The execution was lost; the job needs another placement.
    Lost,
    /// Nothing more will be done.
    End(Outcome),
    /// The work that completed it did not pass the check; it needs another placement.
    Refuted,
    /// All leases have ended and the money is settled.
    Settle,
}

impl JobState {
    /// The next state.
    ///
    /// # Errors
    /// The event does not fit the state. A job that is ending keeps its first outcome: a second `End` is refused.
    pub fn transition(self, event: JobEvent) -> Result<Self, Illegal> {
        match (self, event) {
            (Self::Waiting | Self::Running, JobEvent::Started) => Ok(Self::Running),
            (Self::Waiting | Self::Running, JobEvent::Lost) => Ok(Self::Waiting),
            (Self::Waiting | Self::Running, JobEvent::End(outcome)) => Ok(Self::Ending(outcome)),
            (Self::Ending(Outcome::Completed), JobEvent::Refuted) => Ok(Self::Waiting),
            (Self::Ending(outcome), JobEvent::Settle) => Ok(Self::Settled(outcome)),
            (state, event) => {
                Err(Illegal { noun: "job", state: state.code().to_owned(), event: format!("{event:?}") })
            }
        }
    }

    /// The stable code in tables and JSON.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Ending(_) => "ending",
            Self::Settled(_) => "settled",
        }
    }

    /// How it ended, once it is clear.
    pub const fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Waiting | Self::Running => None,
            Self::Ending(outcome) | Self::Settled(outcome) => Some(outcome),
        }
    }

    /// Whether work may still be done.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}
