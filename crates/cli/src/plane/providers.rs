//! Providers of our own market, each a process with a folder, a key and a lock of its own, as a stranger's would be. A
//! provider outlives a control plane that is killed, and is found again by the next; one that stops in order asks its
//! providers to stop too. Their agents run on either way.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use chain::Address;
use custody::OsEntropy;
use market::MachineRef;
use node::provider::{Folder, Given, init};
use rustix::process::{Pid, Signal, kill_process};

use super::{EmbeddedMarket, Endpoint};
use crate::failure::Done;
use crate::settings::Settings;

/// Which process it is.
const RECORD: &str = "daemon.json";
const LOG: &str = "provider.log";
/// A daemon that was asked to stop is waited for in steps of this ...
const STOP_STEP: Duration = Duration::from_millis(20);
/// ... this many times.
const STOP_STEPS: u32 = 250;

/// The providers beside a control plane.
#[derive(Default)]
pub(crate) struct Providers {
    folders: Vec<PathBuf>,
}

impl Providers {
    /// Makes those that are missing, and starts those that do not run. The first one misbehaves as `fault` says.
    pub(super) async fn start(
        settings: &Settings,
        market: &EmbeddedMarket,
        endpoint: &Endpoint,
        fault: Option<&str>,
    ) -> Done<Self> {
        let mut this = Self::default();
        for number in 1..=settings.providers {
            let folder = settings.data.join("providers").join(number.to_string());
            let account = known_or_new(&folder, number, settings, market, endpoint)?;
            market.fund_provider(account).await?;
            if !runs(&folder) {
                let fault = fault.filter(|_| number == 1);
                spawn(&folder, fault).with_context(|| format!("start provider {number}"))?;
            }
            this.folders.push(folder);
        }
        Ok(this)
    }

    /// Whether none of them has ended.
    pub(crate) fn all_run(&self) -> bool {
        self.folders.iter().all(|folder| runs(folder))
    }

    /// What the first one says of itself.
    pub(crate) fn log(&self) -> PathBuf {
        self.folders.first().map(|folder| folder.join(LOG)).unwrap_or_default()
    }

    /// Asks all of them to stop and waits until they have.
    pub(super) async fn stop(&self) {
        for folder in &self.folders {
            if let Some(daemon) = recorded(folder).filter(|daemon| daemon.lives().unwrap_or(false))
                && let Some(pid) = i32::try_from(daemon.pid).ok().and_then(Pid::from_raw)
            {
                // It may have ended by itself a moment ago.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for _ in 0..STOP_STEPS {
            if !self.folders.iter().any(|folder| runs(folder)) {
                return;
            }
            tokio::time::sleep(STOP_STEP).await;
        }
        tracing::warn!("a provider does not stop; see its log");
    }
}

fn known_or_new(
    folder: &Path,
    number: u32,
    settings: &Settings,
    market: &EmbeddedMarket,
    endpoint: &Endpoint,
) -> Done<Address> {
    if Folder::at(folder).config().exists() {
        return Ok(Folder::at(folder).account(&OsEntropy).context("open a provider's key")?.address());
    }
    let rpc = endpoint.chain.as_deref().unwrap_or_default();
    let given = [
        ("rpc_url", format!("http://{rpc}")),
        ("market", market.deployed.market.to_string()),
        ("from_block", market.deployed.block.to_string()),
        ("name", format!("local-{number}")),
        ("price_per_hour_usd", settings.provider_price.to_string()),
        ("poll", "200ms".to_owned()),
    ];
    let given: Given = given.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(init(folder, &given, &OsEntropy).context("make a provider")?)
}

fn recorded(folder: &Path) -> Option<MachineRef> {
    serde_json::from_slice(&std::fs::read(folder.join(RECORD)).ok()?).ok()
}

fn runs(folder: &Path) -> bool {
    recorded(folder).is_some_and(|daemon| daemon.lives().unwrap_or(false))
}

/// In a group of its own, so that Ctrl-C on a terminal reaches the control plane alone.
fn spawn(folder: &Path, fault: Option<&str>) -> io::Result<()> {
    let log = File::options().create(true).append(true).open(folder.join(LOG))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["provider", "run", "--folder"]).arg(folder);
    if let Some(fault) = fault {
        command.args(["--fault", fault]);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    let child = command.spawn()?;
    let daemon = MachineRef::of_child(&child)?;
    std::fs::write(folder.join(RECORD), serde_json::to_vec(&daemon)?)?;
    // Reaped when it ends, so that it does not stay as a zombie while this process lives.
    std::thread::spawn(move || {
        let mut child = child;
        let _ = child.wait();
    });
    Ok(())
}
