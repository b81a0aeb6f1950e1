#![doc = include_str!("../README.md")]

mod args;
mod client;
mod commands;
mod failure;
mod follow;
mod plane;
mod settings;
mod show;
mod traces;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // These two must run before the process has a second thread, and they take no options.
    match std::env::args().nth(1).as_deref() {
        Some("sandbox-init") => return agent::sandbox::init_main(),
        Some("sandbox-probe") => return agent::sandbox::probe_main(),
        Some("agent") => return commands::agent::run(),
        _ => {}
    }
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return args::refused(&error),
    };
    let out = show::Out::new(&args);
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().enable_all().build() else {
        out.say("error: the process can start no threads; look at its limits (ulimit -u)");
        return ExitCode::FAILURE;
    };
    let done = runtime.block_on(commands::dispatch(args, &out));
    // A prompt may still wait for a line that nobody will write.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => out.failure(&failure),
    }
}
