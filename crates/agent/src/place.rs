//! Where a workload is run: its folders, its fence, and what it sees. An execution has one, and so has every replay: what is run
//! again is run by the same means.

use std::fs::File;
use std::path::PathBuf;

use wire::agent::Bundle;

use crate::sandbox::{self, Limits, Mode, Running, SandboxError, SandboxSpec};
use crate::upload::digest_of;
use crate::work::{Work, unpack};

const PIDS_MAX: u64 = 512;
const OPEN_FILES_MAX: u64 = 4096;
/// Users of workloads, when the agent is root: above every ordinary account.
const UID_FIRST: u32 = 100_000;
pub(crate) const MIB: u64 = 1024 * 1024;

/// A workload cannot be run here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error("the workload could not be fenced")]
    Sandbox(#[from] SandboxError),
    #[error("the workload's folder could not be used")]
    Io(#[from] std::io::Error),
}

/// Which segments of a job a workload is told to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    /// Segments of the whole job.
    pub(crate) of: u32,
    /// The first one.
    pub(crate) from: u32,
    /// One past the last one.
    pub(crate) to: u32,
}

/// A folder and a fence for one workload.
pub(crate) struct Place {
    pub(crate) work: Work,
    pub(crate) mode: Mode,
    /// This program, which is the fence's other side and which the workload may run too.
    exe: PathBuf,
}

impl Place {
    /// Makes the folder, empty, behind the best fence that this machine allows.
    pub(crate) fn make(root: PathBuf, exe: PathBuf) -> Result<Self, PlaceError> {
        let mode = sandbox::assume_or_probe(&exe).mode()?;
        Ok(Self { work: Work::make(root)?, mode, exe })
    }

    /// Lays out what this job needs, with its inputs.
    pub(crate) fn furnish(&self, bundle: &Bundle, inputs: Option<&mut File>) -> std::io::Result<()> {
        self.work.furnish(bundle, self.mode)?;
        inputs.map(|tar| unpack(tar, &self.work.root, bundle.disk_mib * MIB)).transpose().map(|_| ())
    }

    /// Lays out the state from which the workload goes on. The digest of its archive.
    pub(crate) fn put_state(&self, bundle: &Bundle, tar: &mut File) -> std::io::Result<[u8; 32]> {
        let digest = digest_of(tar)?;
        unpack(tar, &self.work.path("checkpoint"), bundle.disk_mib * MIB)?;
        Ok(digest)
    }

    /// Gives the folders to the user that the workload runs as, when all is laid out.
    pub(crate) fn hand_over(&self, bundle: &Bundle) -> std::io::Result<()> {
        self.uid().map_or(Ok(()), |uid| self.work.give_to(uid, bundle, self.mode))
    }

    /// Starts one command of the job.
    pub(crate) fn start(&self, bundle: &Bundle, command: &str, range: Range) -> Result<Running, PlaceError> {
        Ok(sandbox::spawn(&self.spec(bundle, command, range)?)?)
    }

    /// Whether it holds more than the job's disk may.
    pub(crate) fn is_full(&self, bundle: &Bundle) -> bool {
        let max = bundle.disk_mib * MIB;
        sandbox::disk_usage(&self.work.root, max) > max
    }

    fn uid(&self) -> Option<u32> {
        rustix::process::geteuid().is_root().then(|| UID_FIRST + std::process::id() % 1_000_000)
    }

    fn spec(&self, bundle: &Bundle, command: &str, range: Range) -> std::io::Result<SandboxSpec> {
        let binds = self.work.binds(bundle, self.mode)?;
        let shown = |name: &str| {
            let bind = binds.iter().find(|bind| bind.host == self.work.path(name))?;
            Some(if self.mode == Mode::Namespaces { bind.inside.clone() } else { bind.host.clone() })
        };
        let workdir = shown("workdir").unwrap_or_else(|| PathBuf::from("/"));
        let mut env = bundle.env.clone();
        let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
        let (own_bin, executable) = match self.mode {
            Mode::Namespaces => (PathBuf::from("/opt/waag/bin"), self.exe.clone()),
            Mode::Landlock => (self.work.path("bin"), self.work.own_executable(&self.exe)?),
        };
        set("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", own_bin.display()));
        set("HOME", workdir.display().to_string());
        set("TMPDIR", shown("tmp").unwrap_or_else(|| PathBuf::from("/tmp")).display().to_string());
        set("WAAG_SEGMENTS", range.of.to_string());
        set("WAAG_SEGMENT_FROM", range.from.to_string());
        set("WAAG_SEGMENT_TO", range.to.to_string());
        if let Some(path) = shown("checkpoint") {
            set("WAAG_CHECKPOINT_DIR", path.display().to_string());
        }
        if let Some(path) = shown("outputs") {
            set("WAAG_OUTPUT_DIR", path.display().to_string());
        }
        Ok(SandboxSpec {
            command: command.to_owned(),
            env,
            workdir,
            binds,
            executable,
            root: self.work.path("newroot"),
            network: bundle.network,
            devices: if bundle.accelerators > 0 { accelerators() } else { Vec::new() },
            limits: Limits {
                cpus_milli: bundle.cpus_milli,
                memory_bytes: bundle.memory_mib * MIB,
                pids: PIDS_MAX,
                disk_bytes: bundle.disk_mib * MIB,
                open_files: OPEN_FILES_MAX,
            },
            mode: self.mode,
            uid: self.uid(),
        })
    }
}

/// What is run, in order.
pub(crate) fn commands(bundle: &Bundle) -> impl Iterator<Item = &str> {
    bundle.setup.iter().chain([&bundle.run]).map(String::as_str)
}

/// The devices of NVIDIA's driver, which it numbers and names; a machine without the driver has none.
fn accelerators() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/dev") else { return Vec::new() };
    let is_device = |entry: &std::fs::DirEntry| {
        entry.file_type().is_ok_and(|kind| std::os::unix::fs::FileTypeExt::is_char_device(&kind))
    };
    let names = entries.flatten().filter(is_device).filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("nvidia")).collect();
    names.sort();
    names
}
