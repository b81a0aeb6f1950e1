//! The connected networks. Each stands in the layers that all of them share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use domain::{Clock, Millis, NetworkName};
use market::layers::{Limit, Observe, Retry, Timeout};
use market::sim::{SimConfig, SimNetwork, StateFile};
use market::{Machine, Network, ProcessMachine, Registry};
use waag_network::{Parts, WaagNetwork};

use super::{EmbeddedMarket, recording};
use crate::failure::Done;
use crate::settings::Settings;

const CALL_MAX: Millis = Millis(10_000);
const CALLS_AT_A_TIME: usize = 16;
const TRIES: u32 = 3;
const RETRY_WAIT: Millis = Millis(50);

/// Our own market.
pub(crate) const NETWORK: &str = "waag";

/// The simulated networks by name, for what only a demo may see of them.
pub(crate) type SimNetworks = BTreeMap<NetworkName, Arc<SimNetwork>>;

/// What the engine buys on.
pub(crate) struct Networks {
    pub(crate) registry: Registry,
    pub(crate) sims: SimNetworks,
}

type Open = fn(
    SimConfig,
    Arc<dyn Clock>,
    Arc<dyn Machine>,
    &StateFile,
) -> Result<SimNetwork, market::sim::StateError>;

/// Each simulated network by its name.
const SIMULATED: [(&str, Open); 3] = [
    ("sim-auction", SimNetwork::auction),
    ("sim-cloud", SimNetwork::cloud),
    ("sim-queue", SimNetwork::queue),
];

/// The simulated network that plays recorded capacity.
const SPOT: &str = "sim-spot";

impl Networks {
    /// Connects what the settings name.
    pub(super) fn connect(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        machine: Arc<dyn Machine>,
        market: Option<&EmbeddedMarket>,
    ) -> Done<Self> {
        let mut sims = SimNetworks::new();
        let wanted = if settings.simulated { SIMULATED.as_slice() } else { &[] };
        for (name, open) in wanted {
            let name: NetworkName = name.parse().context("name a simulated network")?;
            let state = StateFile::at(settings.data.join("networks").join(format!("{name}.journal")));
            let config = config(settings, &name);
            let network = open(config, Arc::clone(&clock), Arc::clone(&machine), &state)
                .with_context(|| format!("open the state of {name}"))?;
            sims.insert(name, Arc::new(network));
        }
        if let Some(folder) = settings.trace.as_deref().filter(|_| settings.simulated) {
            let name: NetworkName = SPOT.parse().context("name a simulated network")?;
            let recording = Arc::new(recording::of(folder, settings.trace_pace)?);
            let state = StateFile::at(settings.data.join("networks").join(format!("{name}.journal")));
            let config = config(settings, &name);
            let network =
                SimNetwork::spot(config, recording, Arc::clone(&clock), Arc::clone(&machine), &state)
                    .with_context(|| format!("open the state of {name}"))?;
            sims.insert(name, Arc::new(network));
        }
        let ours = market.map(|market| our_market(market, clock)).transpose()?;
        let networks = sims.values().map(|network| layered(network.clone()));
        let networks = networks.chain(ours.iter().map(|ours| layered(ours.clone())));
        let mut registry = Registry::new(networks);
        if let Some(ours) = ours {
            // Without validators beside it nobody would check what is asked for.
            if settings.validators > 0 {
                registry = registry.with_notary(ours.clone());
            }
            registry = registry.with_escrow(ours.name().clone(), ours);
        }
        Ok(Self { registry, sims })
    }
}

fn config(settings: &Settings, name: &NetworkName) -> SimConfig {
    SimConfig {
        latency: settings.latency,
        capacity: settings.capacity,
        ..SimConfig::new(name.clone(), settings.seed)
    }
}

fn our_market(market: &EmbeddedMarket, clock: Arc<dyn Clock>) -> Done<Arc<WaagNetwork>> {
    let chain = market.chain.clone();
    Ok(Arc::new(WaagNetwork::new(Parts {
        name: NETWORK.parse().context("name our own market")?,
        market: market.market.clone(),
        notary: Some(market.notary.clone()),
        from_block: market.deployed.block,
        confirmations: 0,
        sender: Arc::clone(&market.consumer),
        signer: market.consumer_key.clone(),
        clock,
        simulated: true,
        heartbeat: Box::new(move || Box::new(chain.want_blocks())),
    })))
}

fn layered(network: Arc<dyn Network>) -> Arc<dyn Network> {
    let limited = Arc::new(Limit::new(network, CALLS_AT_A_TIME));
    let timed = Arc::new(Timeout::new(limited, CALL_MAX));
    let retried = Arc::new(Retry::new(timed, TRIES, |n| RETRY_WAIT.times(u64::from(n))));
    Arc::new(Observe::new(retried))
}

/// Agents as processes of this executable, below the data folder.
pub(crate) fn processes(data: &Path) -> Done<Arc<dyn Machine>> {
    let executable = std::env::current_exe().context("find this executable")?;
    Ok(Arc::new(ProcessMachine::new(executable, data.join("machines"))))
}
