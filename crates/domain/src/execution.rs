//! An execution's life: attempt *n* of a job on one lease.

use crate::Illegal;

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionState {
    /// Its lease is being bought, or its agent has not connected yet.
    Starting,
    /// Its agent is connected.
    Running,
    /// The workload ended well and its outputs are stored.
    Completed,
    /// The agent is gone; the job goes on elsewhere from the last checkpoint.
    Lost(LossReason),
    /// Stopped because the job ended.
    Cancelled,
    /// The workload itself failed.
    Failed(FailReason),
}

/// Why an execution was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossReason {
    /// Heartbeats stayed away while the control plane listened.
    Silent,
    /// The agent never connected.
    NeverConnected,
    /// Its lease could not be bought or ended by itself.
    LeaseEnded,
    /// The agent said that it cannot go on (disk, sandbox, killed by its host).
    AgentGaveUp,
    /// It went on from a state that did not pass the check.
    Refuted,
}

/// Why a workload failed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailReason {
    /// It ended with this exit code.
    ExitCode(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// It took more memory than it asked for.
    OutOfMemory,
    /// It filled its disk.
    OutOfDisk,
    /// Its inputs could not be opened.
    BadInputs,
}

/// What can happen to an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionEvent {
    /// The agent proved that it holds the boot token.
    Connect,
    /// The workload ended well.
    Complete,
    /// The agent is gone.
    Lose(LossReason),
    /// The job ended.
    Cancel,
    /// The workload failed.
    Fail(FailReason),
}

impl ExecutionState {
    /// The next state.
    ///
    /// # Errors
    /// A terminal state takes no event, which is what fences an agent that was given up and comes back.
    pub fn transition(self, event: ExecutionEvent) -> Result<Self, Illegal> {
        use ExecutionEvent as E;
        match (self, event) {
            (Self::Starting | Self::Running, E::Connect) => Ok(Self::Running),
            (Self::Running, E::Complete) => Ok(Self::Completed),
            (Self::Starting | Self::Running, E::Lose(reason)) => Ok(Self::Lost(reason)),
            (Self::Starting | Self::Running, E::Cancel) => Ok(Self::Cancelled),
            (Self::Running, E::Fail(reason)) => Ok(Self::Failed(reason)),
            (state, event) => {
                Err(Illegal { noun: "execution", state: format!("{state:?}"), event: format!("{event:?}") })
            }
        }
    }

    /// The stable code in tables and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Lost(_) => "lost",
            Self::Cancelled => "cancelled",
            Self::Failed(_) => "failed",
        }
    }

    /// Whether it may still do work.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Starting | Self::Running)
    }
}

impl LossReason {
    const ALL: [Self; 5] =
        [Self::Silent, Self::NeverConnected, Self::LeaseEnded, Self::AgentGaveUp, Self::Refuted];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::NeverConnected => "never_connected",
            Self::LeaseEnded => "lease_ended",
            Self::AgentGaveUp => "agent_gave_up",
            Self::Refuted => "refuted",
        }
    }

    /// The reason with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

impl FailReason {
    /// The stable code, with the number after a colon where there is one: `exit:2`.
    pub fn code(self) -> String {
        match self {
            Self::ExitCode(n) => format!("exit:{n}"),
            Self::Signal(n) => format!("signal:{n}"),
            Self::OutOfMemory => "out_of_memory".to_owned(),
            Self::OutOfDisk => "out_of_disk".to_owned(),
            Self::BadInputs => "bad_inputs".to_owned(),
        }
    }

    /// The reason with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        match code.split_once(':') {
            Some(("exit", n)) => n.parse().ok().map(Self::ExitCode),
            Some(("signal", n)) => n.parse().ok().map(Self::Signal),
            _ => [Self::OutOfMemory, Self::OutOfDisk, Self::BadInputs].into_iter().find(|r| r.code() == code),
        }
    }
}
