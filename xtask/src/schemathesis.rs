//! Asks a running control plane everything that schemathesis can make up from `docs/openapi.json`: no request may end in a
//! 5xx, in a status that is not documented, or in a body of another shape than the documented one.
//!
//! Nothing is for sale there (the networks have neither capacity nor providers), so that jobs can be taken, listed and
//! cancelled, and no other process is ever started. `xtask/schemathesis` holds the configuration, with every exception and its reason.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

const TOOLS: &str = "target/tools/schemathesis";
const FILES: &str = "xtask/schemathesis";
const REQUIREMENTS: &str = "requirements.txt";
/// The control plane's folders, and where schemathesis leaves what it found.
const SCRATCH: &str = "target/schemathesis";
const VARIABLES: &[(&str, &str)] = &[
    ("WAAG_NETWORKS_SIMULATED_CAPACITY", "0"),
    ("WAAG_NETWORKS_WAAG_PROVIDERS", "0"),
    ("WAAG_ACCOUNT_FUND_USD", "100000"),
];

/// What `waag up --json` says once it is ready.
#[derive(Deserialize)]
struct Ready {
    api: String,
    token_file: PathBuf,
}

/// A control plane of our own, ended with this value.
struct Plane {
    child: Child,
    ready: Ready,
}

pub(crate) fn run(root: &Path) -> Result<()> {
    ensure(root)?;
    let scratch = root.join(SCRATCH);
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(&scratch).with_context(|| format!("make {SCRATCH}"))?;
    let plane = Plane::start(root, &scratch)?;
    let token = std::fs::read_to_string(&plane.ready.token_file).context("read the token of the API")?;
    let status = Command::new(root.join(TOOLS).join("bin/schemathesis"))
        .arg("--config-file")
        .arg(root.join(FILES).join("schemathesis.toml"))
        .arg("run")
        .arg(root.join("docs/openapi.json"))
        .args(["--url", &plane.ready.api])
        .current_dir(&scratch)
        .env("SCHEMATHESIS_HOOKS", root.join(FILES).join("hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WAAG_TOKEN", token.trim())
        .status()
        .context("start schemathesis")?;
    if !status.success() {
        bail!("the API is not what docs/openapi.json says; see above, and {SCRATCH}/up.log");
    }
    Ok(())
}

/// A control plane that was asked to stop is waited for in steps of this ...
const STOP_STEP: Duration = Duration::from_millis(50);
/// ... this many times.
const STOP_STEPS: u32 = 400;

impl Plane {
    fn start(root: &Path, scratch: &Path) -> Result<Self> {
        let log = std::fs::File::create(scratch.join("up.log")).context("make the log of `waag up`")?;
        let mut command = crate::cargo(root);
        // Cargo gives its process to the program it runs, so that the child is the control plane itself.
        command.args(["run", "--quiet", "--locked", "-p", "waag-cli"]).arg("--manifest-path");
        command.arg(root.join("Cargo.toml")).args(["--", "up", "--json", "--data"]).arg(scratch.join("data"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WAAG_") {
                command.env_remove(name);
            }
        }
        command.envs(VARIABLES.iter().copied()).env("XDG_CONFIG_HOME", scratch.join("config"));
        command.current_dir(scratch).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().context("start `waag up`")?;
        match read_ready(&mut child) {
            Ok(ready) => Ok(Self { child, ready }),
            Err(error) => {
                end(&mut child);
                Err(error.context(format!("`waag up` did not get ready; see {SCRATCH}/up.log")))
            }
        }
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Asks it to stop, since it stops what it started beside itself; kills it where it does not.
#[expect(clippy::disallowed_methods, reason = "nothing else runs here that a wait could hold up")]
fn end(child: &mut Child) {
    let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    for _ in 0..STOP_STEPS {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        std::thread::sleep(STOP_STEP);
    }
    // One that has ended by itself cannot be killed, and is waited for all the same.
    let _ = child.kill();
    let _ = child.wait();
}

/// The first JSON document on standard output, which ends with a brace alone on its line.
fn read_ready(child: &mut Child) -> Result<Ready> {
    let output = child.stdout.take().context("`waag up` has no standard output")?;
    let mut text = String::new();
    for line in BufReader::new(output).lines() {
        let line = line.context("read what `waag up` says")?;
        text.push_str(&line);
        if line == "}" {
            break;
        }
    }
    serde_json::from_str(&text).context("read where `waag up` listens")
}

/// Brings schemathesis in the versions of `requirements.txt`. The copy of that file tells what is there.
fn ensure(root: &Path) -> Result<()> {
    let (wanted, folder) = (root.join(FILES).join(REQUIREMENTS), root.join(TOOLS));
    let installed = folder.join(REQUIREMENTS);
    let wanted_text = std::fs::read(&wanted).with_context(|| format!("read {FILES}/{REQUIREMENTS}"))?;
    if std::fs::read(&installed).is_ok_and(|text| text == wanted_text) {
        return Ok(());
    }
    let line = format!(
        "python3 -m venv --clear {TOOLS} && {TOOLS}/bin/pip install --quiet --disable-pip-version-check \
         --requirement {FILES}/{REQUIREMENTS}"
    );
    println!("tools: {line}");
    let status = Command::new("sh").args(["-c", &line]).current_dir(root).status().context("start sh")?;
    if !status.success() {
        bail!(
            "installing failed with {status}; it needs Python's venv (Debian: apt-get install python3-venv); \
             the line was: {line}"
        );
    }
    std::fs::write(&installed, wanted_text).with_context(|| format!("write {TOOLS}/{REQUIREMENTS}"))
}
