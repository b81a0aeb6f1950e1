//! Agents as processes of this machine. Each has a folder of its own under `dir`, named by its label, which others can pass but not read;
//! it is the agent's working directory.
//!
//! | file | written by | what |
//! |---|---|---|
//! | `machine.json` | this machine | which process it is: `pid` and `started` |
//! | `agent.log` | the agent's standard output and error, which it bounds | what it says of itself |
//! | `agent.lock` | the agent, which holds an exclusive `flock` on it while it lives | a second one for the label ends at once |
//! | `agent.pid` | the agent | its process id, for people |
//!
//! The agent reads its boot bytes from standard input to the end, then leaves its parent's session.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::Label;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{Machine, MachineError, MachineRef};
use crate::Boot;

/// Runs agents as `<executable> agent`.
pub struct ProcessMachine {
    executable: PathBuf,
    dir: PathBuf,
    // Kept so that an ended child is reaped and does not stay as a zombie. Held while one is started, so that two calls
    // for a label cannot start two.
    children: Mutex<HashMap<u32, Child>>,
}

const RECORD: &str = "machine.json";
/// A killed process is waited for in steps of this ...
const KILL_STEP: Duration = Duration::from_millis(5);
/// ... this many times. The kernel needs longer only while the process hangs in a device.
const KILL_STEPS: u32 = 400;

impl ProcessMachine {
    /// Agents are processes of `executable`, each in a folder under `dir`.
    pub fn new(executable: PathBuf, dir: PathBuf) -> Self {
        Self { executable, dir, children: Mutex::new(HashMap::new()) }
    }

    fn folder(&self, label: &Label) -> io::Result<PathBuf> {
        // A label may consist of dots, which would name a folder that is not its own.
        if label.as_str().bytes().all(|b| b == b'.') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a label of dots names no folder"));
        }
        Ok(self.dir.join(label.as_str()))
    }

    fn recorded(&self, label: &Label) -> Option<MachineRef> {
        let text = fs::read(self.folder(label).ok()?.join(RECORD)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn children(&self) -> MutexGuard<'_, HashMap<u32, Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_once(&self, label: &Label, boot: &Boot) -> io::Result<MachineRef> {
        let mut children = self.children();
        reap(&mut children);
        if let Some(machine) = self.recorded(label)
            && machine.lives()?
        {
            return Ok(machine);
        }
        let folder = self.folder(label)?;
        let mut child = self.spawn(&folder)?;
        let introduced = introduce(&mut child, &folder, boot);
        if introduced.is_err() {
            // An agent that nobody can name must not run. It is our child and not reaped, so the id is still its own.
            let _ = child.kill();
        }
        children.insert(child.id(), child);
        introduced
    }

    fn spawn(&self, folder: &Path) -> io::Result<Child> {
        fs::create_dir_all(folder)?;
        // A workload with a user of its own may pass through on the way to its files, and see nothing on the way.
        for folder in [&self.dir, folder] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?;
        }
        let log = File::options().create(true).append(true).mode(0o600).open(folder.join("agent.log"))?;
        Command::new(&self.executable)
            .arg("agent")
            .current_dir(folder)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
    }
}

/// Records which process it is, then hands it the boot bytes: until it has them it can do nothing.
fn introduce(child: &mut Child, folder: &Path, boot: &Boot) -> io::Result<MachineRef> {
    let machine = MachineRef::of_child(child)?;
    write_whole(&folder.join(RECORD), &serde_json::to_vec(&machine)?)?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(boot.expose()) {
            // It died before it read them; `find` will say so.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
    }
    Ok(machine)
}

fn reap(children: &mut HashMap<u32, Child>) {
    children.retain(|_, child| matches!(child.try_wait(), Ok(None)));
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}

#[async_trait]
impl Machine for ProcessMachine {
    async fn start(&self, label: &Label, boot: &Boot) -> Result<MachineRef, MachineError> {
        self.start_once(label, boot).map_err(|source| MachineError::Start { label: label.clone(), source })
    }

    async fn find(&self, _label: &Label, machine: MachineRef) -> Result<bool, MachineError> {
        machine.lives().map_err(|source| MachineError::Reach { pid: machine.pid, source })
    }

    async fn kill(&self, _label: &Label, machine: MachineRef) -> Result<(), MachineError> {
        let failed = |source| MachineError::Reach { pid: machine.pid, source };
        for step in 0..KILL_STEPS {
            if !machine.lives().map_err(failed)? {
                reap(&mut self.children());
                return Ok(());
            }
            if step == 0 {
                kill_now(machine).map_err(failed)?;
            }
            tokio::time::sleep(KILL_STEP).await;
        }
        Err(failed(io::Error::new(io::ErrorKind::TimedOut, "it outlived its kill")))
    }

    async fn forget(&self, label: &Label) -> Result<(), MachineError> {
        reap(&mut self.children());
        let removed = self.folder(label).and_then(fs::remove_dir_all);
        match removed {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(MachineError::Forget { label: label.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

fn kill_now(machine: MachineRef) -> io::Result<()> {
    let Some(pid) = i32::try_from(machine.pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    // The agent leads a session of its own once it has started, so its group is its own as well.
    let group = rustix::process::getpgid(Some(pid)).is_ok_and(|group| group == pid);
    let killed = if group { kill_process_group(pid, Signal::KILL) } else { kill_process(pid, Signal::KILL) };
    match killed {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand_in(dir: &Path, script: &str) -> ProcessMachine {
        use std::os::unix::fs::PermissionsExt;
        let executable = dir.join("stand-in");
        fs::write(&executable, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&executable, fs::Permissions::from_mode(0o755)).unwrap();
        ProcessMachine::new(executable, dir.join("machines"))
    }

    /// Waits until something is there, ten seconds at the most.
    async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
        for _ in 0..2_000 {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(KILL_STEP).await;
        }
        panic!("it never came");
    }

    #[tokio::test]
    async fn an_agent_is_started_once_found_after_a_restart_and_killed() {
        let dir = tempfile::tempdir().unwrap();
        let machine = stand_in(dir.path(), "cat > boot; exec sleep 60");
        let label: Label = "waag.test".parse().unwrap();
        let boot = Boot::new(b"secret".to_vec());
        let first = machine.start(&label, &boot).await.unwrap();
        let restarted = ProcessMachine::new(machine.executable.clone(), machine.dir.clone());
        assert_eq!(restarted.start(&label, &boot).await.unwrap(), first);
        assert!(restarted.find(&label, first).await.unwrap());
        let later = MachineRef { started: first.started + 1, ..first };
        assert!(!restarted.find(&label, later).await.unwrap(), "a later process with this id is another one");
        let folder = machine.dir.join(label.as_str());
        let boot_bytes = || fs::read(folder.join("boot")).ok().filter(|bytes| bytes == b"secret");
        eventually(boot_bytes).await;
        machine.kill(&label, first).await.unwrap();
        assert!(!machine.find(&label, first).await.unwrap(), "a kill that succeeds leaves nothing");
        assert_ne!(machine.start(&label, &boot).await.unwrap(), first);
        let second = machine.recorded(&label).unwrap();
        machine.kill(&label, second).await.unwrap();
        machine.kill(&label, second).await.unwrap();
        machine.forget(&label).await.unwrap();
        machine.forget(&label).await.unwrap();
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_kill_takes_the_whole_session_of_an_agent_that_leads_one() {
        let dir = tempfile::tempdir().unwrap();
        let script = "[ -n \"$1\" ] && exec setsid \"$0\"\ncat > /dev/null; sleep 60 & echo $! > child; wait";
        let machine = stand_in(dir.path(), script);
        let label: Label = "waag.session".parse().unwrap();
        let agent = machine.start(&label, &Boot::new(Vec::new())).await.unwrap();
        let note = machine.dir.join(label.as_str()).join("child");
        let child = eventually(|| fs::read_to_string(&note).ok()?.trim().parse().ok()).await;
        let child = MachineRef { pid: child, started: crate::machine::start_time(child).unwrap().unwrap() };
        machine.kill(&label, agent).await.unwrap();
        eventually(|| (!child.lives().unwrap()).then_some(())).await;
    }

    #[tokio::test]
    async fn what_cannot_be_started_or_named_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let machine = ProcessMachine::new(dir.path().join("missing"), dir.path().join("machines"));
        let start = async |text: &str| machine.start(&text.parse().unwrap(), &Boot::new(Vec::new())).await;
        assert!(matches!(start("waag.missing").await, Err(MachineError::Start { .. })));
        assert!(matches!(start("..").await, Err(MachineError::Start { .. })));
        assert!(machine.forget(&"..".parse().unwrap()).await.is_err());
        assert!(dir.path().exists());
    }

    #[tokio::test]
    async fn a_zombie_counts_as_dead() {
        let dir = tempfile::tempdir().unwrap();
        let machine = stand_in(dir.path(), "exit 0");
        let label: Label = "waag.zombie".parse().unwrap();
        let started = machine.start(&label, &Boot::new(Vec::new())).await.unwrap();
        let child_is_kept = || machine.children.lock().unwrap().contains_key(&started.pid);
        assert!(child_is_kept());
        eventually(|| (!started.lives().unwrap()).then_some(())).await;
        assert!(!machine.find(&label, started).await.unwrap());
        assert!(child_is_kept(), "it was found dead while still a zombie");
    }
}
