//! What a workload sees and may use.

use std::path::PathBuf;

use wire::agent::Bundle;

use super::{Agent, AgentError, MIB, Shared};
use crate::sandbox::{Limits, Mode, SandboxSpec};

const PIDS_MAX: u64 = 512;
const OPEN_FILES_MAX: u64 = 4096;

impl Agent {
    pub(super) fn spec(
        &self,
        shared: &Shared,
        bundle: &Bundle,
        command: &str,
        uid: Option<u32>,
    ) -> Result<SandboxSpec, AgentError> {
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
        set("WAAG_SEGMENTS", shared.welcome.segments.to_string());
        set("WAAG_SEGMENT_FROM", shared.done.get().to_string());
        set("WAAG_SEGMENT_TO", shared.welcome.segments.to_string());
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
            uid,
        })
    }
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
