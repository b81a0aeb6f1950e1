//! Where the simulated networks run real agents.

mod memory;
mod process;

use std::{fs, io};

use async_trait::async_trait;
use domain::Label;

use crate::Boot;

pub use memory::MemoryMachine;
pub use process::ProcessMachine;

/// Starts, finds and kills agents. In the product each is a process; in a simulation it is in memory.
#[async_trait]
pub trait Machine: Send + Sync {
    /// Starts an agent for the label and hands it the boot bytes, never by arguments or environment. At most one agent
    /// per label lives at a time: when one already lives, it is returned and nothing is started.
    async fn start(&self, label: &Label, boot: &Boot) -> Result<MachineRef, MachineError>;

    /// Whether that very agent still lives; a later process with the same id is another one.
    async fn find(&self, label: &Label, machine: MachineRef) -> Result<bool, MachineError>;

    /// Ends the agent and all it started. Success when it is already gone.
    async fn kill(&self, label: &Label, machine: MachineRef) -> Result<(), MachineError>;

    /// Removes what a dead agent left. Success when there is nothing.
    async fn forget(&self, label: &Label) -> Result<(), MachineError>;
}

/// Which process it was: ids are used again, so the start time belongs to the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct MachineRef {
    /// The process id.
    pub pid: u32,
    /// The kernel's start time of the process, in clock ticks since boot.
    pub started: u64,
}

impl MachineRef {
    /// The name of a child that has not been waited for, so that its id is still its own.
    ///
    /// # Errors
    /// The kernel does not tell of it.
    pub fn of_child(child: &std::process::Child) -> io::Result<Self> {
        Ok(Self { pid: child.id(), started: start_time(child.id())?.unwrap_or(0) })
    }

    /// Whether that very process still lives.
    ///
    /// # Errors
    /// The kernel does not tell of it.
    pub fn lives(self) -> io::Result<bool> {
        Ok(start_time(self.pid)? == Some(self.started))
    }
}

/// A machine call failed.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The agent could not be started.
    #[error("the agent for {label} could not be started")]
    Start {
        /// For which lease.
        label: Label,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What a dead agent left could not be removed.
    #[error("what the agent for {label} left could not be removed")]
    Forget {
        /// For which lease.
        label: Label,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process could not be looked at or ended.
    #[error("the agent process {pid} could not be reached")]
    Reach {
        /// Which process.
        pid: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The kernel's start time of a living process, field 22 of `/proc/<pid>/stat` (proc(5)); `None` when it is gone or a
/// zombie.
fn start_time(pid: u32) -> io::Result<Option<u64>> {
    let text = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(3) => return Ok(None),
        Err(e) => return Err(e),
    };
    // The second field is the name in brackets and may hold anything, so fields are counted after its end.
    let mut fields =
        text.rsplit_once(')').map(|(_, rest)| rest.split_ascii_whitespace()).into_iter().flatten();
    if matches!(fields.next(), Some("Z" | "X") | None) {
        return Ok(None);
    }
    Ok(fields.nth(18).and_then(|field| field.parse().ok()))
}
