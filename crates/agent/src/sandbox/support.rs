//! What this machine allows, for the choice of a mode and for `waag doctor`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{WaitOptions, waitpid};

use super::init::unshare_with_user;
use super::process::fork;
use super::spec::Mode;
use super::{SandboxError, cgroup, fence};

/// What can be used here to fence a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// Whether all namespaces can be made, and a tree and a process table of their own in them.
    pub namespaces: bool,
    /// Whether Landlock is there, in a version that can hold alone.
    pub landlock: bool,
    /// Which cgroup version can be written.
    pub cgroup: Option<u8>,
    /// Whether the agent is root, so that workloads get a user of their own.
    pub root: bool,
}

/// One thing that the fence is made of, as it is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub name: &'static str,
    /// Whether it can be used here.
    pub works: bool,
    /// What was found, and what holds in its place when it is missing.
    pub detail: String,
    /// How to get it; empty when it works.
    pub advice: &'static str,
}

const NAMESPACE_ADVICE: &str = "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces>0, \
    kernel.apparmor_restrict_unprivileged_userns=0), run the agent as root, or in a container with CAP_SYS_ADMIN";
const LANDLOCK_ADVICE: &str =
    "use Linux 6.2 or later with Landlock enabled (lsm=landlock,... on the kernel's command line)";
const SECCOMP_ADVICE: &str = "use a kernel with CONFIG_SECCOMP_FILTER";
const CGROUP_ADVICE: &str =
    "run the agent as root, or delegate a cgroup to its user (systemd: Delegate=memory pids cpu)";
const BOTH_ADVICE: &str = "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, \
    kernel.apparmor_restrict_unprivileged_userns=0), or use Linux 6.2 or later with Landlock enabled";

const KINDS: [(&str, CloneFlags); 5] = [
    ("mount namespace", CloneFlags::CLONE_NEWNS),
    ("ipc namespace", CloneFlags::CLONE_NEWIPC),
    ("host name namespace", CloneFlags::CLONE_NEWUTS),
    ("network namespace", CloneFlags::CLONE_NEWNET),
    ("process namespace", CloneFlags::CLONE_NEWPID),
];
const USER: &str = "user namespace";
const PROC: &str = "own process table";

/// Looks what this machine allows. Changes nothing; takes some milliseconds, as a namespace can only be tried by making
/// one in a process that then ends. The executable must call [`probe_main`] for `sandbox-probe`.
pub fn probe(executable: &Path) -> Support {
    support(&tried(executable))
}

/// As [`probe`], but takes it for granted that a root that may administer the system can make namespaces, which spares
/// a process at each start of an agent. A root without that right, as in many containers, has to try like anyone else.
pub fn assume_or_probe(executable: &Path) -> Support {
    if is_root() && may_administer() {
        support(&names().map(str::to_owned).collect::<Vec<_>>())
    } else {
        probe(executable)
    }
}

/// Whether `CAP_SYS_ADMIN` is in effect, capabilities(7).
fn may_administer() -> bool {
    const CAP_SYS_ADMIN: u32 = 21;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .is_some_and(|set| set >> CAP_SYS_ADMIN & 1 == 1)
}

fn support(tried: &[String]) -> Support {
    Support {
        namespaces: names().all(|name| tried.iter().any(|tried| tried == name)),
        landlock: fence::version() >= fence::OLDEST,
        cgroup: cgroup::available().map(|(version, _)| version),
        root: is_root(),
    }
}

/// Everything that the fence is made of, with what this machine offers and how to get what it lacks.
pub fn examine(executable: &Path) -> Vec<Finding> {
    let tried = tried(executable);
    let mut findings: Vec<Finding> = names()
        .map(|name| {
            let works = tried.iter().any(|tried| tried == name);
            let detail =
                if works { "can be made" } else { "cannot be made; Landlock holds alone, if it is there" };
            finding(name, works, detail.to_owned(), NAMESPACE_ADVICE)
        })
        .collect();
    let version = fence::version();
    findings.push(finding(
        "landlock",
        version >= fence::OLDEST,
        format!("version {version}"),
        LANDLOCK_ADVICE,
    ));
    let seccomp = Path::new("/proc/sys/kernel/seccomp/actions_avail").exists();
    let detail = if seccomp { "filters can be installed" } else { "no workload is started without it" };
    findings.push(finding("seccomp", seccomp, detail.to_owned(), SECCOMP_ADVICE));
    let (version, held) = cgroup::available().unwrap_or_default();
    for (name, held, instead) in [
        ("memory limit", held.memory, "address space of each process"),
        ("process limit", held.pids, "processes of the job's user"),
        ("processor limit", held.cpu, "nothing"),
    ] {
        let detail = if held {
            format!("by cgroup version {version}")
        } else {
            format!("no cgroup can be written; in its place: {instead}")
        };
        findings.push(finding(name, held, detail, CGROUP_ADVICE));
    }
    findings
}

fn finding(name: &'static str, works: bool, detail: String, advice: &'static str) -> Finding {
    Finding { name, works, detail, advice: if works { "" } else { advice } }
}

impl Support {
    /// The strongest mode there is.
    ///
    /// # Errors
    /// There is none, with advice.
    pub fn mode(&self) -> Result<Mode, SandboxError> {
        if self.namespaces {
            Ok(Mode::Namespaces)
        } else if self.landlock {
            Ok(Mode::Landlock)
        } else {
            let missing = "neither namespaces nor Landlock can be used".to_owned();
            Err(SandboxError::Unsupported { missing, advice: BOTH_ADVICE })
        }
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Root needs no user namespace.
fn names() -> impl Iterator<Item = &'static str> {
    let user = (!is_root()).then_some(USER);
    user.into_iter().chain(KINDS.iter().map(|(name, _)| *name)).chain([PROC])
}

/// The names of what could be made.
fn tried(executable: &Path) -> Vec<String> {
    let output = Command::new(executable)
        .arg("sandbox-probe")
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

/// Entry of `sandbox-probe`: tries each kind of namespace and writes a line for each that could be made.
pub fn probe_main() -> ExitCode {
    let own_user = !is_root();
    let mut works = Vec::new();
    if own_user && unshare_with_user(true, CloneFlags::empty()).is_ok() {
        works.push(USER);
    }
    for (name, flag) in KINDS {
        if unshare(flag).is_ok() {
            works.push(name);
        }
    }
    // Tried only where the mount is this process's own: the host's tree must stay as it is.
    let [(mounts, _), .., (processes, _)] = KINDS;
    if works.contains(&mounts) && works.contains(&processes) && own_process_table() {
        works.push(PROC);
    }
    let mut out = std::io::stdout().lock();
    for name in works {
        let _ = writeln!(out, "{name}");
    }
    ExitCode::SUCCESS
}

/// A container may have hidden parts of its process table, and then the kernel gives nobody a full one.
fn own_process_table() -> bool {
    match fork() {
        Ok(None) => std::process::exit(i32::from(mount_process_table().is_err())),
        Ok(Some(child)) => {
            matches!(waitpid(Some(child), WaitOptions::empty()), Ok(Some((_, status))) if status.exit_status() == Some(0))
        }
        Err(_) => false,
    }
}

fn mount_process_table() -> std::io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", "/proc", "proc", flags, None)?)
}
