//! The agent's side: starting a workload, its output, its end.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::cgroup::{Cgroup, Held};
use super::init::{Report, SPEC_BYTES_MAX};
use super::process::readable;
use super::spec::{Mode, SandboxSpec};

/// Longest wait for a killed sandbox when it is dropped; it takes some milliseconds.
const DROP_WAIT_MS: i64 = 2_000;

/// It reads at once; a program that is no `waag` would not.
const SEND_PATIENCE: Duration = Duration::from_secs(5);

/// The workload could not be fenced, so it was not run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The kernel forbids what is needed.
    #[error("this machine cannot fence a workload: {missing}; {advice}")]
    Unsupported {
        /// What it forbids.
        missing: String,
        /// How to allow it.
        advice: &'static str,
    },
    /// Something failed on the way.
    #[error("the sandbox could not {doing}")]
    Setup {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// How a workload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It failed after the kernel killed a process of it for taking more memory than it may. Without a memory cgroup this
    /// cannot be told from other failures.
    OutOfMemory,
    /// The sandbox could not be set up, see [`Running::refusal`]. A workload cannot bring this about.
    NotStarted,
}

/// A fenced workload. Dropping it kills it.
pub struct Running {
    child: Child,
    process: OwnedFd,
    socket: UnixStream,
    mode: Mode,
    cgroup: Cgroup,
    refusal: Option<String>,
}

/// Starts the workload behind its fence. It dies with this process, or with the [`Running`].
///
/// # Errors
/// The process could not be started. What fails behind the fence is told by [`Exit::NotStarted`].
pub fn spawn(spec: &SandboxSpec) -> Result<Running, SandboxError> {
    let setup = |doing| move |source| SandboxError::Setup { doing, source };
    let (ours, theirs) = UnixStream::pair().map_err(setup("make a socket"))?;
    let mut cgroup = Cgroup::make(&spec.limits);
    let child = Command::new(&spec.executable)
        .arg("sandbox-init")
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(setup("start its first process"))?;
    let id = child.id().unwrap_or_default();
    let process = open(id).map_err(setup("watch its first process"))?;
    // It reads before it does anything, so nothing of the workload happens outside the group.
    let held = cgroup.add(id);
    let running = Running { child, process, socket: ours, mode: spec.mode, cgroup, refusal: None };
    running.send(spec, held).map_err(setup("hand over its spec"))?;
    Ok(running)
}

fn open(id: u32) -> io::Result<OwnedFd> {
    let pid =
        i32::try_from(id).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("it ended at once"))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

impl Running {
    fn send(&self, spec: &SandboxSpec, held: Held) -> io::Result<()> {
        let text = zeroize::Zeroizing::new(serde_json::to_vec(&(spec, held))?);
        let length = u32::try_from(text.len()).ok().filter(|length| *length <= SPEC_BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::other("the spec is too large"))?;
        self.socket.set_write_timeout(Some(SEND_PATIENCE))?;
        (&self.socket).write_all(&length.to_be_bytes())?;
        (&self.socket).write_all(&text)
    }

    /// Its standard output and error, each once.
    pub fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Number of the supervising process; none once its end was waited for.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it is fenced.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Why it was not started, known with [`Exit::NotStarted`].
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Waits until the workload and everything it started is gone; may be dropped and called again.
    ///
    /// # Errors
    /// The process could not be waited for.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        let status = self.child.wait().await?;
        let out_of_memory = self.cgroup.ran_out_of_memory();
        self.cgroup.remove();
        let exit = self.exit(status);
        Ok(match exit {
            Exit::Code(0) | Exit::NotStarted => exit,
            _ if out_of_memory => Exit::OutOfMemory,
            _ => exit,
        })
    }

    fn exit(&mut self, status: ExitStatus) -> Exit {
        if self.refusal.is_some() {
            return Exit::NotStarted;
        }
        let mut text = Vec::new();
        // What was written before its end is there to be read; a writer that is left has nothing to say.
        let _ = self.socket.set_nonblocking(true).and_then(|()| self.socket.read_to_end(&mut text));
        match serde_json::from_slice(&text) {
            Ok(Report::Code(code)) => Exit::Code(code),
            Ok(Report::Signal(signal)) => Exit::Signal(signal),
            Ok(Report::Refused(why)) => {
                self.refusal = Some(why);
                Exit::NotStarted
            }
            // Without a report it was killed, by us or by the kernel.
            Err(_) => {
                Exit::Signal(std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(libc::SIGKILL))
            }
        }
    }

    /// Kills it and everything it started: the supervisor sees the socket close. [`Running::wait`] then says when all are
    /// gone.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        // Only an empty cgroup can be removed.
        let _ = readable(&self.process, DROP_WAIT_MS);
        self.cgroup.remove();
    }
}
