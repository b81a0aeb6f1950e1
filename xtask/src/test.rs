//! The one test command of the project: every check in turn, up to the first that fails.

use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

struct Step {
    name: &'static str,
    action: Action,
}

enum Action {
    Cargo(&'static [&'static str]),
    /// A check of ours, and the arguments that run it alone.
    Own(&'static str, fn(&Path) -> Result<()>),
}

const STEPS: &[Step] = &[
    Step { name: "format", action: Action::Cargo(&["fmt", "--all", "--check"]) },
    Step {
        name: "lints",
        action: Action::Cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]),
    },
    Step { name: "layers", action: Action::Own("layers", crate::layers::run) },
    Step { name: "tidy", action: Action::Own("tidy", crate::tidy::run) },
    Step { name: "bindings", action: Action::Own("bindings --check", crate::bindings::check) },
    // Tests that need processes start this binary, and cargo does not build it for the tests of other crates.
    Step { name: "binary", action: Action::Cargo(&["build", "--locked", "-p", "waag-cli"]) },
    Step { name: "tests", action: Action::Cargo(&["test", "--workspace", "--locked"]) },
    Step { name: "identity", action: Action::Own("identity", crate::identity::run) },
    Step { name: "artifacts", action: Action::Own("contracts --check", crate::contracts::check) },
    Step { name: "contracts", action: Action::Own("contracts test", crate::contracts::test) },
    Step { name: "gas", action: Action::Own("gas --check", crate::gas::check) },
    Step { name: "openapi", action: Action::Own("openapi --check", crate::openapi::check) },
    Step { name: "requests", action: Action::Own("schemathesis", crate::schemathesis::run) },
];

pub(crate) fn run(root: &Path) -> Result<()> {
    crate::tools::ensure(root)?;
    run_steps(root, STEPS)
}

fn run_steps(root: &Path, steps: &[Step]) -> Result<()> {
    let started = Instant::now();
    let mut passed = Vec::new();
    for step in steps {
        let shown = match &step.action {
            Action::Cargo(args) => format!("cargo {}", args.join(" ")),
            Action::Own(args, _) => format!("cargo xtask {args}"),
        };
        println!("\n== {}: {shown}", step.name);
        let step_started = Instant::now();
        let result = match &step.action {
            Action::Cargo(args) => run_cargo(root, args),
            Action::Own(_, check) => check(root),
        };
        let took = step_started.elapsed();
        if let Err(error) = result {
            println!("\n{}", summary(&passed, started.elapsed()));
            bail!("step {} failed after {:.1} s: {error:#}\n  again: {shown}", step.name, took.as_secs_f64());
        }
        println!("== {} passed in {:.1} s", step.name, took.as_secs_f64());
        passed.push((step.name, took));
    }
    println!("\n{}\nall {} steps passed", summary(&passed, started.elapsed()), steps.len());
    Ok(())
}

fn run_cargo(root: &Path, args: &[&str]) -> Result<()> {
    let mut command = crate::cargo(root);
    command.args(args);
    if std::env::var_os("CARGO_TERM_COLOR").is_none() {
        let colour = if std::io::stdout().is_terminal() { "always" } else { "never" };
        command.env("CARGO_TERM_COLOR", colour);
    }
    let status = command.status().context("start cargo")?;
    if !status.success() {
        bail!("cargo ended with {status}");
    }
    Ok(())
}

fn summary(passed: &[(&str, Duration)], total: Duration) -> String {
    let mut table = String::from("step        seconds\n");
    for (name, took) in passed {
        table += &format!("{name:<10} {:>8.1}\n", took.as_secs_f64());
    }
    table + &format!("{:<10} {:>8.1}", "total", total.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(_: &Path) -> Result<()> {
        Ok(())
    }

    fn fail(_: &Path) -> Result<()> {
        bail!("as told")
    }

    fn must_not_run(_: &Path) -> Result<()> {
        panic!("a step after the first failure ran")
    }

    #[test]
    fn steps_stop_at_the_first_failure_and_name_it() {
        let steps = [
            Step { name: "one", action: Action::Own("pass", pass) },
            Step { name: "two", action: Action::Own("fail", fail) },
            Step { name: "three", action: Action::Own("must_not_run", must_not_run) },
        ];
        let error = run_steps(Path::new("."), &steps).unwrap_err().to_string();
        assert!(error.starts_with("step two failed after "), "{error}");
        assert!(error.contains("as told") && error.ends_with("again: cargo xtask fail"), "{error}");
        assert!(run_steps(Path::new("."), &steps[..1]).is_ok());
    }

    #[test]
    fn summary_has_a_line_per_step_and_the_total() {
        let passed = [("format", Duration::from_millis(1_250)), ("tests", Duration::from_secs(61))];
        let table = summary(&passed, Duration::from_millis(62_300));
        assert_eq!(
            table,
            "step        seconds\nformat          1.2\ntests          61.0\ntotal          62.3"
        );
    }
}
