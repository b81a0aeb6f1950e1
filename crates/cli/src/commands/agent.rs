//! `waag agent`: one execution's life, started by a machine of a network.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// Logs to standard error, which the machine keeps in the agent's folder.
pub(crate) fn run() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(EnvFilter::new("info"))
        .init();
    let Ok(executable) = std::env::current_exe() else { return ExitCode::FAILURE };
    // All agents of a machine look for a crash point in the folder above their own.
    agent::agent_main(executable, crate::plane::crash::probe(std::path::Path::new("..")))
}
