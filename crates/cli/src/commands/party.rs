//! What the commands of all parties of the supply side share.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::failure::Done;

/// Keys and workloads' files are nobody else's.
pub(super) fn keep_to_oneself() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// A daemon's log goes to standard error.
pub(super) fn log() {
    let filter = EnvFilter::try_from_env("WAAG_LOG").unwrap_or_else(|_| EnvFilter::new("warn,node=info"));
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
}

/// Becomes `true` with SIGTERM or Ctrl-C. Asked for before anything starts, so that an early signal is not lost.
pub(super) fn until_signal() -> Done<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate()).map_err(anyhow::Error::from)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(anyhow::Error::from)?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.send_replace(true);
        // Whoever waits for the word has it; a closed channel would be another.
        stop.closed().await;
    });
    Ok(stopped)
}
