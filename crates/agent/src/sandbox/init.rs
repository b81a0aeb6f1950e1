//! `sandbox-init`: supervisor, first process of the job, and what becomes the workload. One thread each.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::sched::{CloneFlags, unshare};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper,
    set_dumpable_behavior, setsid, wait, waitpid,
};
use serde::{Deserialize, Serialize};

use super::cgroup::Held;
use super::fence::{self, Fence};
use super::process::{Parent, child_ended_first, fork, sweep};
use super::spec::{Mode, SandboxSpec};
use super::{limits, loopback, rights, root, syscalls};

pub(super) const SPEC_BYTES_MAX: u32 = 16 * 1024 * 1024;
const REASON_BYTES_MAX: u64 = 4096;
const HOST_NAME: &[u8] = b"waag-job";
/// The kernel, short of memory, rather ends a job than the agent.
const OOM_SCORE: &str = "500";

/// How it ended, told to the agent as JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    Code(i32),
    Signal(i32),
    /// The workload was never started, and why.
    Refused(String),
}

/// Entry of `sandbox-init`: reads a spec from the socket on standard input, runs its workload, and reports its end there.
/// Must be called before the process has a second thread.
pub fn init_main() -> ExitCode {
    // Whatever the agent keeps to itself, the job's tree is made for the job's user.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let socket = match close_inherited().and_then(|()| take_socket()) {
        Ok(socket) => socket,
        Err(error) => {
            say(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    let supervised = read_spec(&socket).and_then(|(spec, held)| supervise(&spec, held, &socket));
    match supervised {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            refuse(&socket, error);
            ExitCode::FAILURE
        }
    }
}

/// Descriptors that were not meant for this process.
fn close_inherited() -> io::Result<()> {
    let names: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .flatten()
        .filter_map(|fd| fd.file_name().to_str()?.parse().ok())
        .collect();
    for fd in names.into_iter().filter(|fd| *fd > 2) {
        // The one by which the folder was read is closed already.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

/// Takes the socket from standard input, where the workload gets nothing to read.
fn take_socket() -> io::Result<UnixStream> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(UnixStream::from(socket))
}

fn read_spec(mut socket: &UnixStream) -> io::Result<(SandboxSpec, Held)> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > SPEC_BYTES_MAX {
        return Err(io::Error::other("the spec is too large"));
    }
    let mut text = zeroize::Zeroizing::new(Vec::new());
    socket.take(length.into()).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn supervise(spec: &SandboxSpec, held: Held, socket: &UnixStream) -> io::Result<()> {
    if rustix::process::geteuid().is_root() != spec.uid.is_some_and(|uid| uid != 0) {
        return Err(io::Error::other("an agent that is root, and no other, gives the job a user of its own"));
    }
    // Raising it is always allowed; a system without /proc has no such choice.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    let this = Parent::this()?;
    match spec.mode {
        Mode::Namespaces => {
            enter_namespaces(spec).map_err(doing("leave the host's namespaces"))?;
        }
        Mode::Landlock => set_child_subreaper(Some(getpid()))?,
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let Some(first) = fork()? else {
        match first_process(spec, held, &this) {
            Ok(report) => tell(socket, &report),
            Err(error) => refuse(socket, error),
        }
        std::process::exit(0);
    };
    if !child_ended_first(first, socket.as_fd())? {
        kill_process(first, Signal::KILL)?;
    }
    let ended = waitpid(Some(first), WaitOptions::empty())?;
    if spec.mode == Mode::Landlock {
        sweep();
    }
    if let Some(signal) = ended.and_then(|(_, status)| status.terminating_signal()) {
        tell(socket, &Report::Signal(signal));
    }
    Ok(())
}

fn enter_namespaces(spec: &SandboxSpec) -> io::Result<()> {
    let own_network = if spec.network { CloneFlags::empty() } else { CloneFlags::CLONE_NEWNET };
    unshare_with_user(
        spec.uid.is_none(),
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS
            | own_network,
    )
}

/// A user without rights makes a user namespace first, in which it may make the others.
pub(super) fn unshare_with_user(own_user: bool, flags: CloneFlags) -> io::Result<()> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if !own_user {
        return Ok(unshare(flags)?);
    }
    unshare(flags | CloneFlags::CLONE_NEWUSER)?;
    let inner = root::INNER_UID;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{inner} {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{inner} {gid} 1"))
}

/// Process 1 of the job's namespace, or in the weaker mode the one to which orphans fall. It starts the workload and
/// collects what ends.
fn first_process(spec: &SandboxSpec, held: Held, supervisor: &Parent) -> io::Result<Report> {
    match spec.mode {
        Mode::Namespaces => {
            rustix::system::sethostname(HOST_NAME)?;
            if !spec.network {
                loopback::up().map_err(doing("switch the loopback on"))?;
            }
            root::enter(spec).map_err(doing("build the file tree"))?;
            rights::drop_all(spec.uid).map_err(doing("give up rights"))?;
        }
        Mode::Landlock => set_child_subreaper(Some(getpid()))?,
    }
    // A change of user made it readable again.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    supervisor.die_with()?;
    let workload = start(spec, held)?;
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == workload => return Ok(report(status)),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn report(status: WaitStatus) -> Report {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Report::Code(code),
        (None, signal) => Report::Signal(signal.unwrap_or(libc::SIGKILL)),
    }
}

/// Returns once the workload's program runs.
fn start(spec: &SandboxSpec, held: Held) -> io::Result<Pid> {
    let this = Parent::this()?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let Some(child) = fork()? else {
        drop(reader);
        let error = become_workload(spec, held, &this);
        let _ = File::from(writer).write_all(error.to_string().as_bytes());
        std::process::exit(1);
    };
    drop(writer);
    let reason = read_reason(reader)?;
    if reason.is_empty() { Ok(child) } else { Err(io::Error::other(reason)) }
}

/// The pipe ends without a word when the program is executed.
fn read_reason(reader: OwnedFd) -> io::Result<String> {
    let mut reason = String::new();
    File::from(reader).take(REASON_BYTES_MAX).read_to_string(&mut reason)?;
    Ok(reason)
}

fn become_workload(spec: &SandboxSpec, held: Held, parent: &Parent) -> io::Error {
    let fenced = (|| {
        // A process group of its own: a signal to all of its group ends here.
        setsid()?;
        let fence = Fence::build(spec).map_err(doing("collect the file rules"))?;
        limits::lower(spec, held).map_err(doing("lower limits"))?;
        if spec.mode == Mode::Landlock {
            rights::drop_all(spec.uid).map_err(doing("give up rights"))?;
        }
        parent.die_with()?;
        std::env::set_current_dir(&spec.workdir).map_err(doing(
            "enter the working directory; each folder above it must let the job's user pass",
        ))?;
        fence.close().map_err(doing("confine it to its folders"))?;
        syscalls::Policy::of(spec, fence::version())
            .enforce()
            .map_err(doing("install the system call filter"))
    })();
    match fenced {
        Ok(()) => Command::new("/bin/sh").arg("-c").arg(&spec.command).env_clear().envs(&spec.env).exec(),
        Err(error) => error,
    }
}

fn doing(what: &str) -> impl Fn(io::Error) -> io::Error + '_ {
    move |error| io::Error::new(error.kind(), format!("could not {what}: {error}"))
}

fn refuse(socket: &UnixStream, error: io::Error) {
    say(&error.to_string());
    tell(socket, &Report::Refused(error.to_string()));
}

/// The reason stands in the workload's log too.
fn say(why: &str) {
    let _ = writeln!(io::stderr(), "waag: the workload was not started: {why}");
}

fn tell(mut socket: &UnixStream, report: &Report) {
    // An agent that is gone needs no report.
    let _ = serde_json::to_vec(report).map_err(io::Error::from).and_then(|text| socket.write_all(&text));
}
