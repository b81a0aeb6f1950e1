//! Parties beside a control plane: each a process with a folder, a key and a lock of its own, as a stranger's would be. It
//! outlives a control plane that is killed, and is found again by the next; one that stops in order asks them to stop too.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use market::MachineRef;
use rustix::process::{Pid, Signal, kill_process};

use crate::failure::Done;

/// Which process it is.
const RECORD: &str = "daemon.json";
/// A daemon that was asked to stop is waited for in steps of this ...
const STOP_STEP: Duration = Duration::from_millis(20);
/// ... this many times.
const STOP_STEPS: u32 = 750;

/// Daemons of one kind.
pub(crate) struct Daemons {
    /// The command that runs one: `provider` or `validator`.
    kind: &'static str,
    folders: Vec<PathBuf>,
}

impl Daemons {
    /// None yet.
    pub(super) const fn none(kind: &'static str) -> Self {
        Self { kind, folders: Vec::new() }
    }

    /// Takes one more, and starts it where it does not run.
    pub(super) fn take(&mut self, folder: PathBuf, fault: Option<&str>) -> Done {
        if !runs(&folder) {
            self.spawn(&folder, fault)
                .with_context(|| format!("start the {} of {}", self.kind, folder.display()))?;
        }
        self.folders.push(folder);
        Ok(())
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.folders.len()).unwrap_or(u32::MAX)
    }

    /// Whether none of them has ended.
    pub(crate) fn all_run(&self) -> bool {
        self.folders.iter().all(|folder| runs(folder))
    }

    /// What the first one says of itself.
    pub(crate) fn log(&self) -> PathBuf {
        self.folders.first().map(|folder| self.log_of(folder)).unwrap_or_default()
    }

    /// Asks all of them to stop and waits until they have.
    pub(super) async fn stop(&self) {
        for folder in &self.folders {
            if let Some(daemon) = recorded(folder).filter(|daemon| daemon.lives().unwrap_or(false))
                && let Some(pid) = i32::try_from(daemon.pid).ok().and_then(Pid::from_raw)
            {
                // It may have ended by itself a moment ago.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for _ in 0..STOP_STEPS {
            if !self.folders.iter().any(|folder| runs(folder)) {
                return;
            }
            tokio::time::sleep(STOP_STEP).await;
        }
        tracing::warn!("a {} does not stop; see its log", self.kind);
    }

    fn log_of(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.log", self.kind))
    }

    /// In a group of its own, so that Ctrl-C on a terminal reaches the control plane alone.
    fn spawn(&self, folder: &Path, fault: Option<&str>) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(self.log_of(folder))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([self.kind, "run", "--folder"]).arg(folder);
        if let Some(fault) = fault {
            command.args(["--fault", fault]);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = command.spawn()?;
        let daemon = MachineRef::of_child(&child)?;
        std::fs::write(folder.join(RECORD), serde_json::to_vec(&daemon)?)?;
        // Reaped when it ends, so that it does not stay as a zombie while this process lives.
        std::thread::spawn(move || {
            let mut child = child;
            let _ = child.wait();
        });
        Ok(())
    }
}

fn recorded(folder: &Path) -> Option<MachineRef> {
    serde_json::from_slice(&std::fs::read(folder.join(RECORD)).ok()?).ok()
}

fn runs(folder: &Path) -> bool {
    recorded(folder).is_some_and(|daemon| daemon.lives().unwrap_or(false))
}
