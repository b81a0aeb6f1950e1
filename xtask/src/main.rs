#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what a menu for the terminal does"
)]

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

mod bindings;
mod contracts;
mod gas;
mod golden;
mod identity;
mod layers;
mod openapi;
mod schemathesis;
mod test;
mod tidy;
mod tools;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  test                 everything a change must pass; CI runs this
  tools                bring the programs that tests need into target/tools
  layers               dependencies between crates against xtask/layers.toml
  tidy                 sizes, text hygiene, crate READMEs, SQL only in store, no orphans
  openapi [--check]    write docs/openapi.json, or only compare it
  contracts [--check]  write contracts/artifacts from the Solidity sources, or only compare them
  contracts test       format and tests of the contracts
  bindings [--check]   write the contracts' bindings of crates/chain from the artifacts, or only compare them
  gas                  write what each call of the market costs into contracts/README.md
  gas --check          only compare; --json prints the figures
  schemathesis         ask a running control plane all that docs/openapi.json allows, and more
  identity             build the example training in several ways and compare what each build computes
  golden               run the suites that keep golden files and rewrite those files
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[&str]) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace root")?;
    match args {
        ["test"] => test::run(root),
        ["tools"] => tools::ensure(root),
        ["layers"] => layers::run(root),
        ["tidy"] => tidy::run(root),
        ["openapi"] => openapi::write(root),
        ["openapi", "--check"] => openapi::check(root),
        ["contracts"] => contracts::write(root),
        ["contracts", "--check"] => contracts::check(root),
        ["contracts", "test"] => contracts::test(root),
        ["bindings"] => bindings::write(root),
        ["bindings", "--check"] => bindings::check(root),
        ["gas"] => gas::write(root),
        ["gas", "--check"] => gas::check(root),
        ["gas", "--json"] => gas::json(root),
        ["schemathesis"] => schemathesis::run(root),
        ["identity"] => identity::run(root),
        ["golden"] => golden::run(root),
        [] | ["help" | "-h" | "--help", ..] => {
            print!("{HELP}");
            Ok(())
        }
        [unknown, ..] => bail!("no such command or arguments: {unknown}\n\n{HELP}"),
    }
}

/// A cargo command that runs in the workspace root, with the cargo that started us.
fn cargo(root: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}
