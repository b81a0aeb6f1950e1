//! A job on this machine, and what is around it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::AsyncReadExt;
use waag_agent::sandbox::{Bind, Exit, Limits, Mode, Running, SandboxSpec, WAAG_INSIDE, spawn};

pub(crate) const MIB: u64 = 1024 * 1024;
const UID: u32 = 300_000;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Fixture {
    pub(crate) mode: Mode,
    pub(crate) uid: Option<u32>,
    /// Readable by everyone, so that only the fence keeps a workload out.
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) refusal: Option<String>,
}

/// Seconds that no other process sleeps.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{:04}", 10_000_000 + std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Fixture {
    pub(crate) fn new(mode: Mode) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let uid = rustix::process::geteuid().is_root().then_some(UID);
        let fixture = Self { mode, uid, dir };
        for name in ["job", "fixed", "other", "root"] {
            fs::create_dir(fixture.path(name)).unwrap();
        }
        chown(fixture.path("job"), uid, uid).unwrap();
        fs::write(fixture.path("fixed/data"), "fixed").unwrap();
        fs::write(fixture.path("other/secret"), "the-other-job").unwrap();
        fs::write(fixture.path("keys"), "the-key").unwrap();
        fs::set_permissions(fixture.path("keys"), fs::Permissions::from_mode(0o644)).unwrap();
        fixture
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn namespaces(&self) -> bool {
        self.mode == Mode::Namespaces
    }

    /// Where the workload sees a folder of the job.
    pub(crate) fn seen(&self, name: &str) -> PathBuf {
        if self.namespaces() { Path::new("/").join(name) } else { self.path(name) }
    }

    pub(crate) fn spec(&self, command: &str) -> SandboxSpec {
        let exe = std::env::current_exe().unwrap();
        let waag = if self.namespaces() { PathBuf::from(WAAG_INSIDE) } else { exe.clone() };
        let text = |path: PathBuf| path.display().to_string();
        let env = [
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("WAAG", text(waag)),
            ("JOB", text(self.seen("job"))),
            ("FIXED", text(self.seen("fixed"))),
            ("HOST", text(self.dir.path().to_owned())),
            ("AGENT", std::process::id().to_string()),
        ];
        let bind = |name: &str, writable| Bind {
            host: self.path(name),
            inside: Path::new("/").join(name),
            writable,
        };
        SandboxSpec {
            command: command.to_owned(),
            env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
            workdir: self.seen("job"),
            binds: vec![bind("job", true), bind("fixed", false)],
            executable: exe,
            root: self.path("root"),
            devices: Vec::new(),
            network: false,
            limits: Limits {
                cpus_milli: 2000,
                memory_bytes: 256 * MIB,
                pids: 64,
                disk_bytes: 16 * MIB,
                open_files: 256,
            },
            mode: self.mode,
            uid: self.uid,
        }
    }

    pub(crate) fn run(&self, command: &str) -> Outcome {
        self.run_spec(&self.spec(command))
    }

    pub(crate) fn run_spec(&self, spec: &SandboxSpec) -> Outcome {
        block_on(async { finish(spawn(spec).unwrap()).await })
    }

    /// Runs it and expects this output and success.
    pub(crate) fn expect(&self, command: &str, out: &str) {
        let outcome = self.run(command);
        assert_eq!((outcome.exit, outcome.out.trim()), (Exit::Code(0), out), "{command}: {}", outcome.err);
    }

    /// Runs it and expects that it fails, and never says `GOT`.
    pub(crate) fn refused(&self, command: &str) {
        let outcome = self.run(&format!("({command}) && echo GOT; :"));
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Code(0), ""), "{command}: {}", outcome.err);
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.unwrap() })
}

pub(crate) async fn finish(mut running: Running) -> Outcome {
    let (out, err) = running.output();
    let (mut out_text, mut err_text) = (Vec::new(), Vec::new());
    let (mut out, mut err) = (out.unwrap(), err.unwrap());
    let (exit, ..) =
        tokio::join!(running.wait(), out.read_to_end(&mut out_text), err.read_to_end(&mut err_text));
    Outcome {
        exit: exit.unwrap(),
        out: String::from_utf8_lossy(&out_text).into_owned(),
        err: String::from_utf8_lossy(&err_text).into_owned(),
        refusal: running.refusal().map(str::to_owned),
    }
}

/// The living processes with a word in their command line.
pub(crate) fn processes_with(word: &str) -> Vec<Pid> {
    let own = std::process::id().to_string();
    let all =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let with = all.filter(|pid| {
        let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != own && String::from_utf8_lossy(&text).contains(word)
    });
    with.filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw)).collect()
}

/// Waits, for a while, until all of these have ended.
pub(crate) fn wait_for_end(pids: &[Pid]) {
    for pid in pids {
        let Ok(fd) = pidfd_open(*pid, PidfdFlags::empty()) else { continue };
        let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
        let patience = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut fds, Some(&patience)).unwrap(), 1, "{pid:?} lives");
    }
}
