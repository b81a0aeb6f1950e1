//! What disk and kernel allow, for comparison.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::failure::Done;

const FOR: Duration = Duration::from_millis(1_000);

/// How often a second a block can be written and synced, one after the other.
pub(super) fn disk_syncs_per_s(folder: &Path) -> Done<f64> {
    let mut file = File::create(folder.join("syncs")).context("make a file to sync")?;
    per_second(|| {
        file.write_all(&[7; 4096])?;
        file.sync_data()
    })
}

/// How often a second a shell can be started and waited for, one after the other.
pub(super) fn process_starts_per_s() -> Done<f64> {
    per_second(|| Command::new("/bin/sh").args(["-c", "true"]).stdin(Stdio::null()).status().map(|_| ()))
}

/// The load of the last minute, getloadavg(3).
pub(super) fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

fn per_second(mut act: impl FnMut() -> std::io::Result<()>) -> Done<f64> {
    let (started, mut times) = (Instant::now(), 0u32);
    while started.elapsed() < FOR {
        act().context("measure a limit")?;
        times += 1;
    }
    Ok(f64::from(times) / started.elapsed().as_secs_f64())
}
