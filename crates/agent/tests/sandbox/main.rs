//! The fence from inside and outside, with real processes: a program of its own, because it must also be
//! `sandbox-init`, the agent that is killed, and the workload that tries to get out.
//!
//! Run by root, every case runs as root and once more as a user without rights; each time in both modes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program without the test harness, which would start threads before sandbox-init runs"
)]

mod attempts;
mod escapes;
mod fixture;
mod life;
mod replay;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};

use fixture::Fixture;
use waag_agent::sandbox::{Mode, init_main, probe_main};

/// A user that owns nothing here.
const OTHER_USER: u32 = 61_234;
const AS_USER: &str = "--as-user";

type Case = (&'static str, fn(&Fixture));

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("sandbox-init") => init_main(),
        Some("sandbox-probe") => probe_main(),
        Some("attempt") => attempts::attempt(&args[1..]),
        Some("agent") => life::agent(&args[1..]),
        Some("example") => replay::example(),
        _ => run(&args),
    }
}

fn run(args: &[String]) -> ExitCode {
    let filter = args.iter().find(|arg| !arg.starts_with("--"));
    let user = if args.iter().any(|arg| arg == AS_USER) { "user" } else { "root" };
    let user = if rustix::process::geteuid().is_root() { user } else { "user" };
    let (mut passed, mut failed) = (0, 0);
    for (mode, mode_name) in [(Mode::Namespaces, "namespaces"), (Mode::Landlock, "landlock")] {
        for (name, case) in escapes::CASES.iter().chain(life::CASES).chain(replay::CASES) {
            let name = format!("{user}::{mode_name}::{name}");
            if filter.is_some_and(|filter| !name.contains(filter.as_str())) {
                continue;
            }
            let fixture = Fixture::new(mode);
            let ok = catch_unwind(AssertUnwindSafe(|| case(&fixture))).is_ok();
            println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
            *(if ok { &mut passed } else { &mut failed }) += 1;
        }
    }
    println!("{user}: {passed} passed, {failed} failed");
    let second = !rustix::process::geteuid().is_root() || as_other_user(args);
    if failed == 0 && second { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs everything again as another user, from a copy that it can reach.
fn as_other_user(args: &[String]) -> bool {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let exe = dir.path().join("waag");
    std::fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    let status = Command::new(exe)
        .args(args)
        .arg(AS_USER)
        .current_dir(dir.path())
        .uid(OTHER_USER)
        .gid(OTHER_USER)
        .status();
    status.unwrap().success()
}
