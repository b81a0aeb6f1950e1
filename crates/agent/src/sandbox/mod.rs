//! The fence around a workload.
//!
//! The agent starts its own executable again as `sandbox-init` with one thread. A socket on its standard input hands it
//! the spec, so that secrets are in no argument and no environment; it carries back how the workload ended; and when
//! the agent closes its end, by intent or by dying, everything behind the fence is killed.
//!
//! ```text
//! agent -- sandbox-init (supervisor) -- process 1 of the job -- /bin/sh -c COMMAND      Mode::Namespaces
//! agent -- sandbox-init (supervisor, subreaper) -- /bin/sh -c COMMAND                    Mode::Landlock
//! ```
//!
//! | | `Mode::Namespaces` | `Mode::Landlock`, the weaker |
//! |---|---|---|
//! | files | own tree: system folders read-only, job folders, sized `/tmp` | host tree under Landlock; inside paths are host paths; names and sizes of other files can be seen; with the agent's own user id, calls that change mode or times by path are refused everywhere |
//! | processes | own process namespace, ends as one | subreaper sweep; others can be listed by number, not signalled, traced or read |
//! | network off | own network namespace with a loopback of its own | no socket of any kind |
//! | network on | the host's network, its loopback included | the same |
//! | user | own id when the agent is root, else id 1000 of a user namespace | own id when the agent is root, else the agent's |
//! | memory | cgroup, else address space of each process | the same |
//! | processes | cgroup, else by user id | the same; counts the agent's own processes where the id is shared |
//! | processor | cgroup, else no limit | the same |
//! | disk | `/tmp` and `/dev/shm` together at most half the memory; size of one file; the caller watches [`disk_usage`] of the job folders | size of one file; [`disk_usage`] |
//!
//! Both: no_new_privs, no capabilities, the system call filter, open files, no core files. [`examine`] says which of
//! these hold on this machine.
//!
//! Start at `running.rs` for the agent's side, `init.rs` for the other.

mod cgroup;
mod disk;
mod fence;
mod init;
mod limits;
mod loopback;
mod process;
mod rights;
mod root;
mod running;
mod spec;
mod support;
mod syscalls;

pub use disk::disk_usage;
pub use init::init_main;
pub use running::{Exit, Running, SandboxError, spawn};
pub use spec::{Bind, Limits, Mode, SandboxSpec, WAAG_INSIDE};
pub use support::{Finding, Support, assume_or_probe, examine, probe, probe_main};
