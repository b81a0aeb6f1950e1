//! `waag up` in a process of its own: how long until it answers, and what it holds when idle.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::failure::Done;

/// Idle after so long.
const SETTLE: Duration = Duration::from_secs(2);
const READY_MAX: Duration = Duration::from_secs(30);

/// What was measured.
pub(super) struct Up {
    pub(super) first_ms: f64,
    pub(super) next_ms: f64,
    pub(super) idle_mib: f64,
}

/// Starts it twice on one new folder.
pub(super) async fn measure(data: &Path) -> Done<Up> {
    let (first, child) = up(data).await?;
    down(child).await?;
    let (next, child) = up(data).await?;
    tokio::time::sleep(SETTLE).await;
    let idle_mib = resident_mib(child.id().context("`waag up` has ended")?)?;
    down(child).await?;
    Ok(Up { first_ms: first.as_secs_f64() * 1e3, next_ms: next.as_secs_f64() * 1e3, idle_mib })
}

/// From the start of the process until it says that it is ready, which it says once it answers.
async fn up(data: &Path) -> Done<(Duration, Child)> {
    let executable = std::env::current_exe().context("find this executable")?;
    let started = Instant::now();
    let mut child = Command::new(executable)
        .args(["up", "--json", "--data"])
        .arg(data)
        .env("WAAG_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("start `waag up`")?;
    let stdout = child.stdout.take().context("read what `waag up` says")?;
    let mut lines = BufReader::new(stdout).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await? {
            if line.contains("\"ready_ms\"") {
                return Ok(());
            }
        }
        Err(std::io::Error::other("it ended before it was ready"))
    };
    tokio::time::timeout(READY_MAX, ready)
        .await
        .context("wait for `waag up`")?
        .context("wait for `waag up`")?;
    Ok((started.elapsed(), child))
}

async fn down(mut child: Child) -> Done {
    let pid =
        child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).context("`waag up` has ended")?;
    kill_process(pid, Signal::TERM).context("stop `waag up`")?;
    child.wait().await.context("stop `waag up`")?;
    Ok(())
}

/// `VmRSS`, proc(5).
pub(super) fn resident_mib(pid: u32) -> Done<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read its memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("find VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().context("read VmRSS")?;
    Ok(kib / 1024.0)
}
