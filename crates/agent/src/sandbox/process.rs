//! Processes: forking, waiting, and the end of a whole tree.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open, set_parent_process_death_signal,
    wait,
};

/// Passes over the process table before a sweep gives up. Each stops at least one more process of a bounded number.
const PASSES_MAX: usize = 100_000;

/// Splits this process; `None` in the child.
#[expect(unsafe_code, reason = "fork has no safe wrapper; the proof is beside the call")]
pub(super) fn fork() -> io::Result<Option<Pid>> {
    if fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() != 1) {
        return Err(io::Error::other("sandbox-init has more than one thread"));
    }
    // SAFETY: a child of a process with one thread may do whatever its parent could, as no lock can be held by a thread
    // that is missing in it.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Child => Ok(None),
        nix::unistd::ForkResult::Parent { child } => Ok(Pid::from_raw(child.as_raw())),
    }
}

/// A process to which this one's life is tied.
pub(super) struct Parent(OwnedFd);

impl Parent {
    /// This process, to be held by a child of it.
    pub(super) fn this() -> io::Result<Self> {
        Ok(Self(pidfd_open(getpid(), PidfdFlags::empty())?))
    }

    /// Makes the kernel kill this process when its parent dies. Every change of user or rights forgets it.
    pub(super) fn die_with(&self) -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have died before the signal was asked for.
        if readable(&self.0, 0)? { Err(io::Error::other("the supervisor died")) } else { Ok(()) }
    }
}

/// Whether a descriptor gets readable (for a process: ends) within this time.
pub(super) fn readable(fd: &OwnedFd, timeout_ms: i64) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    let timeout = Timespec { tv_sec: timeout_ms / 1000, tv_nsec: timeout_ms % 1000 * 1_000_000 };
    Ok(poll(&mut fds, Some(&timeout))? > 0)
}

/// Waits until a child ends or the other end of a socket is closed; whether it was the child.
pub(super) fn child_ended_first(child: Pid, socket: BorrowedFd<'_>) -> io::Result<bool> {
    let child = pidfd_open(child, PidfdFlags::empty())?;
    loop {
        let mut fds =
            [PollFd::new(&child, PollFlags::IN), PollFd::new(&socket, PollFlags::IN | PollFlags::RDHUP)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(fds.first().is_some_and(|fd| !fd.revents().is_empty())),
        }
    }
}

/// Kills every descendant of this process, which must be a subreaper, and waits for them. Processes are stopped before
/// any is killed: a stopped one keeps its place among a bounded number and cannot fork, so even a fork bomb comes to rest.
pub(super) fn sweep() {
    for _ in 0..PASSES_MAX {
        let found = descendants();
        if found.is_empty() {
            return;
        }
        let running: Vec<Pid> =
            found.iter().filter(|(_, state)| **state == State::Runs).map(|(pid, _)| *pid).collect();
        let (targets, signal) = if running.is_empty() {
            (found.into_keys().collect(), Signal::KILL)
        } else {
            (running, Signal::STOP)
        };
        for pid in targets {
            // It may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    }
}

#[derive(PartialEq, Eq)]
enum State {
    Runs,
    Stopped,
}

fn descendants() -> HashMap<Pid, State> {
    let table: Vec<(Pid, Pid, State)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .filter_map(|pid| parent_and_state(pid).map(|(parent, state)| (pid, parent, state)))
        .collect();
    let mut family = HashSet::from([getpid()]);
    // Each round adds at least one process or ends.
    loop {
        let before = family.len();
        family.extend(
            table
                .iter()
                .filter(|(_, parent, _)| family.contains(parent))
                .map(|(pid, _, _)| *pid)
                .collect::<Vec<_>>(),
        );
        if family.len() == before {
            break;
        }
    }
    table
        .into_iter()
        .filter(|(pid, ..)| *pid != getpid() && family.contains(pid))
        .map(|(pid, _, state)| (pid, state))
        .collect()
}

fn parent_and_state(pid: Pid) -> Option<(Pid, State)> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name before the last bracket may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = match fields.next()? {
        // One that waits in the kernel, for instance for a child that was stopped before it could become another program,
        // may never get to a stop, and does nothing until it is killed or let go.
        "T" | "D" | "Z" | "X" => State::Stopped,
        _ => State::Runs,
    };
    Some((Pid::from_raw(fields.next()?.parse().ok()?)?, state))
}
