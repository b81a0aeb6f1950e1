//! `waag agent`: the process around an agent's life.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use domain::Probe;
use rustix::process::{DumpableBehavior, set_dumpable_behavior, setsid};
use wire::agent::{BootDoc, PROTOCOL};

use crate::run::run;

const BOOT_BYTES_MAX: u64 = 64 * 1024;

/// Reads the boot document from standard input and lives one execution in the current folder. `exe` is this program.
pub fn agent_main(exe: PathBuf, probe: Arc<dyn Probe>) -> ExitCode {
    // A session of its own, so that what ends the control plane does not end the agent. It fails only for a process
    // that leads a group already, which is as good.
    let _ = setsid();
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::error!(%error, "the agent could not be made untraceable");
        return ExitCode::FAILURE;
    }
    let Some(_lock) = lock() else {
        // Another agent works for this lease.
        return ExitCode::SUCCESS;
    };
    let Some(boot) = boot() else {
        tracing::error!("there is no boot document on standard input");
        return ExitCode::FAILURE;
    };
    let Ok(dir) = std::env::current_dir() else { return ExitCode::FAILURE };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let local = tokio::task::LocalSet::new();
    match local.block_on(&runtime, run(boot, &dir, exe, probe)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the agent ended badly");
            ExitCode::FAILURE
        }
    }
}

fn lock() -> Option<File> {
    let file = File::options().create(true).truncate(false).write(true).open("agent.lock").ok()?;
    file.try_lock().ok()?;
    Some(file)
}

fn boot() -> Option<BootDoc> {
    let mut text = zeroize::Zeroizing::new(Vec::new());
    std::io::stdin().take(BOOT_BYTES_MAX).read_to_end(&mut text).ok()?;
    let boot: BootDoc = serde_json::from_slice(&text).ok()?;
    (boot.protocol == PROTOCOL).then_some(boot)
}
