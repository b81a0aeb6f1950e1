//! A control plane: its folder, its ports, its networks, the engine and both listeners, in one process.
//!
//! - `endpoint.rs`: where it listens, kept from the first start on, since agents are told once.
//! - `market.rs`: our own market on the embedded chain. `daemons.rs`: parties beside the control plane, each a process of its
//!   own: `providers.rs`, `validators.rs`.
//! - `networks.rs`: the connected networks, each in its layers; `recording.rs`: recorded capacity that one of them plays.
//! - `clock.rs`: the wall clock. `crash.rs`: named points at which a test kills this process.

mod clock;
pub(crate) mod crash;
mod daemons;
mod endpoint;
mod market;
mod networks;
mod providers;
mod recording;
mod validators;

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use ::market::Machine;
use anyhow::Context;
use custody::{Keystore, OsEntropy, Secret};
use domain::Usd;
use engine::{Engine, Parts};
use server::{Guard, agent_api, serve_agents, serve_http, user_api};
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use clock::SystemClock;
use daemons::Daemons;
pub(crate) use endpoint::Endpoint;
pub(crate) use market::EmbeddedMarket;
pub(crate) use networks::{NETWORK, Networks, SimNetworks, processes};

use crate::failure::{Done, Exit, Failure};
use crate::settings::Settings;

/// A running control plane.
pub(crate) struct Plane {
    pub(crate) engine: Engine,
    pub(crate) endpoint: Endpoint,
    pub(crate) token: Secret,
    pub(crate) sims: SimNetworks,
    pub(crate) market: Option<EmbeddedMarket>,
    pub(crate) providers: Daemons,
    pub(crate) validators: Daemons,
    store: Store,
    shutdown: watch::Sender<bool>,
    tasks: JoinSet<Result<(), server::ServeError>>,
}

impl Plane {
    /// Opens the data folder and starts everything. It answers once this returns.
    pub(crate) async fn start(settings: &Settings, machine: Arc<dyn Machine>) -> Done<Self> {
        Self::start_with(settings, machine, None).await
    }

    /// The same, with a fault for the first provider beside it: see `waag provider run --fault`.
    pub(crate) async fn start_with(
        settings: &Settings,
        machine: Arc<dyn Machine>,
        fault: Option<&str>,
    ) -> Done<Self> {
        let folder = &settings.data;
        make_folder(folder)?;
        let store = open_store(folder).await?;
        let keys = Arc::new(open_keys(folder)?);
        let (mut endpoint, listeners) = Endpoint::bind(settings)?;
        let clock = Arc::new(SystemClock);
        let market = match settings.market {
            true => Some(EmbeddedMarket::start(settings, clock.clone()).await?),
            false => None,
        };
        endpoint.market = market.as_ref().map(|market| market.deployed.market.to_string());
        let Networks { registry, sims } =
            Networks::connect(settings, clock.clone(), machine, market.as_ref())?;
        let engine = Engine::new(Parts {
            store: store.clone(),
            registry,
            keys: Arc::clone(&keys),
            clock,
            entropy: Arc::new(OsEntropy),
            probe: crash::probe(folder),
            config: settings.engine.clone(),
            agent_url: format!("https://{}", endpoint.agents),
        });
        fund_once(&engine, settings.fund).await?;
        engine.adopt().await.context("compare the networks' lists with what is stored")?;
        // Whoever asks as soon as it answers finds offers.
        engine.refresh_offers().await.context("ask the networks for offers")?;
        let (shutdown, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let guard = Guard::new(endpoint.api_port());
        tasks.spawn(serve_http(listeners.users, user_api(engine.clone(), guard), stopped.clone()));
        let tls = keys.tls().server_config().context("set up TLS for the agents")?;
        tasks.spawn(serve_agents(listeners.agents, tls, agent_api(engine.clone()), stopped.clone()));
        if let (Some(market), Some(listener)) = (&market, listeners.chain) {
            tasks.spawn(serve_http(listener, market.chain.http_router(), stopped.clone()));
        }
        let providers = match &market {
            Some(market) => providers::start(settings, market, &endpoint, fault).await?,
            None => providers::none(),
        };
        let validators = match &market {
            Some(market) => validators::start(settings, market, &endpoint, &[]).await?,
            None => validators::none(),
        };
        let running = engine.clone();
        tasks.spawn(async move {
            running.run(stopped).await;
            Ok(())
        });
        endpoint.write(folder)?;
        let token = keys.api_token().clone();
        Ok(Self { engine, endpoint, token, sims, market, providers, validators, store, shutdown, tasks })
    }

    /// Starts one more provider of our own market, which asks what these settings say.
    pub(crate) async fn add_provider(&mut self, settings: &Settings, fault: Option<&str>) -> Done {
        let Some(market) = &self.market else { return Ok(()) };
        providers::add(&mut self.providers, settings, market, &self.endpoint, fault).await
    }

    /// Returns when a listener failed, which nothing but a person can mend.
    pub(crate) async fn failed(&mut self) -> Failure {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Err(error))) => {
                    return anyhow::Error::from(error)
                        .context("a listener of the control plane failed")
                        .into();
                }
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Finishes what is under way and closes the store. Agents go on.
    pub(crate) async fn stop(mut self) {
        self.providers.stop().await;
        self.validators.stop().await;
        self.shutdown.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        // What is left is published at the next start.
        if let Err(error) = self.engine.audit_publish().await {
            tracing::warn!(error = %domain::chain(&error), "the rest of the audit log is not published yet");
        }
        self.store.close().await;
    }
}

/// Others may pass through the folder, to what is theirs below it, and read nothing: whatever this process makes from
/// here on is for its owner only.
fn make_folder(folder: &Path) -> Done {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o711).create(folder);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    made.map_err(|e| {
        Failure::new(
            Exit::Failed,
            "data_folder",
            format!("the data folder {} cannot be made", folder.display()),
        )
        .why(e)
        .next("name another with --data or the setting `data`")
    })
}

async fn open_store(folder: &Path) -> Done<Store> {
    let id = hex::encode({
        let mut bytes = [0u8; 8];
        domain::Entropy::fill(&OsEntropy, &mut bytes);
        bytes
    });
    Store::open(folder, &id).await.map_err(|error| match &error {
        store::Error::InUse { .. } => Failure::new(Exit::Refused, "data_folder_in_use", error.to_string())
            .next("use the one that runs, stop it first, or name another folder with --data"),
        store::Error::Schema { .. } => Failure::new(Exit::Refused, "schema_version", error.to_string())
            .next("run the version of waag that wrote the folder, or name another folder with --data"),
        _ => anyhow::Error::from(error).context("open the data store").into(),
    })
}

fn open_keys(folder: &Path) -> Done<Keystore> {
    Keystore::open(&folder.join("keys"), &OsEntropy).map_err(|error| {
        Failure::new(Exit::Failed, "keystore", error.to_string())
            .next("mend the file that is named, or restore the folder `keys` from a backup")
    })
}

/// The first start pays into the account; later ones find it paid.
async fn fund_once(engine: &Engine, amount: Usd) -> Done {
    let account = engine.account_view().await.context("read the account")?;
    if account.funded_usd == Usd::ZERO && amount > Usd::ZERO {
        engine.fund(amount).await.context("pay into the account")?;
    }
    Ok(())
}
