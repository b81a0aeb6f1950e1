//! Limits that need no cgroup.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::cgroup::Held;
use super::spec::{Mode, SandboxSpec};

/// Processes of ours that count beside the workload's: the supervisor and process 1.
pub(super) const OWN_PROCESSES: u64 = 2;

/// Lowers the limits of this process and all it starts, and never raises one. What a cgroup holds is left to it.
pub(super) fn lower(spec: &SandboxSpec, held: Held) -> io::Result<()> {
    let limits = &spec.limits;
    let mut wanted = vec![
        (Resource::Nofile, limits.open_files),
        (Resource::Fsize, limits.disk_bytes),
        (Resource::Core, 0),
    ];
    if !held.memory {
        wanted.push((Resource::As, limits.memory_bytes));
    }
    if !held.pids {
        let shared_user = spec.mode == Mode::Landlock && spec.uid.is_none();
        // This process is one of them, and of the workload's.
        let others = if shared_user { tasks_of_this_user().saturating_sub(1) } else { OWN_PROCESSES };
        wanted.push((Resource::Nproc, limits.pids.saturating_add(others)));
    }
    for (resource, value) in wanted {
        let now = getrlimit(resource);
        let cap = |limit: Option<u64>| Some(limit.map_or(value, |limit| limit.min(value)));
        setrlimit(resource, Rlimit { current: cap(now.current), maximum: cap(now.maximum) })?;
    }
    Ok(())
}

fn tasks_of_this_user() -> u64 {
    let uid = rustix::process::getuid().as_raw().to_string();
    let tasks = |status: String| {
        let field = |name| status.lines().find_map(|line: &str| line.strip_prefix(name));
        let own = field("Uid:")?.split_whitespace().next()? == uid;
        if own { field("Threads:")?.trim().parse::<u64>().ok() } else { None }
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok()).filter_map(tasks).sum()
}
