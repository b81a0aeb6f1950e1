//! Where the simulated networks run real agents.

mod memory;
mod process;

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
        source: std::io::Error,
    },
    /// What a dead agent left could not be removed.
    #[error("what the agent for {label} left could not be removed")]
    Forget {
        /// For which lease.
        label: Label,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The process could not be looked at or ended.
    #[error("the agent process {pid} could not be reached")]
    Reach {
        /// Which process.
        pid: u32,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
