//! What is to be run behind the fence, and what it may touch.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the `waag` executable appears in [`Mode::Namespaces`].
pub const WAAG_INSIDE: &str = "/opt/waag/bin/waag";

/// A folder or file of the host that the workload sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// Where it lies, absolute.
    pub host: PathBuf,
    /// Where it appears, absolute. In [`Mode::Landlock`] it stays where it lies.
    pub inside: PathBuf,
    /// Whether it may be changed.
    pub writable: bool,
}

/// How the workload is fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Namespaces of its own.
    Namespaces,
    /// Landlock and the system call filter only.
    Landlock,
}

/// Limits of a workload, all of its processes together unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Thousandths of a core.
    pub cpus_milli: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Bytes of one file, and the most that `/tmp` may hold.
    pub disk_bytes: u64,
    /// Open files of one process.
    pub open_files: u64,
}

/// What is to be run, and what it may touch. Holds the workload's secrets, so it cannot be printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Shell text.
    pub command: String,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Working directory, as the workload sees it.
    pub workdir: PathBuf,
    /// Folders of the job. Writable ones must belong to `uid` where it is given.
    pub binds: Vec<Bind>,
    /// The `waag` executable, which the workload may run too.
    pub executable: PathBuf,
    /// A folder of the host on which the new tree is built, in a mount namespace of its own; it stays empty.
    pub root: PathBuf,
    /// Whether the workload may reach a network.
    pub network: bool,
    /// Names below `/dev` that it may use beside the harmless ones.
    pub devices: Vec<String>,
    /// What it may use.
    pub limits: Limits,
    /// How it is fenced.
    pub mode: Mode,
    /// The user it runs as; needed when the agent is root, impossible otherwise.
    pub uid: Option<u32>,
}
