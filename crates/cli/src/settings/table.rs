//! The table of settings.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use domain::{Millis, Usd, UsdPerHour};
use engine::Config;

use super::{Origin, Values, variable};

/// More machines than one host has use for.
const PROVIDERS_MAX: u32 = 8;
const VALIDATORS_MAX: u32 = 16;

/// A lease is created with less (contracts/README.md).
const GAS_LEAST: u64 = 200_000;

/// What is set.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Data folder.
    pub(crate) data: PathBuf,
    /// Listener of the user API; port 0 is chosen at first start and kept.
    pub(crate) api_listen: SocketAddr,
    /// Listener of the agent API; port 0 is chosen at first start and kept.
    pub(crate) agents_listen: SocketAddr,
    /// Paid into the account at first start.
    pub(crate) fund: Usd,
    /// Whether our own market is connected, on the embedded chain.
    pub(crate) market: bool,
    /// Listener of the embedded chain's JSON-RPC; port 0 is chosen at first start and kept.
    pub(crate) chain_listen: SocketAddr,
    /// Most that a unit of gas may cost, in gwei.
    pub(crate) fee_cap_gwei: u64,
    /// Most gas that one transaction may use.
    pub(crate) gas_ceiling: u64,
    /// How many providers of our own market are started beside the control plane.
    pub(crate) providers: u32,
    /// How many validators are started beside it.
    pub(crate) validators: u32,
    /// What providers ask for a machine and an hour.
    pub(crate) provider_price: UsdPerHour,
    /// Whether the simulated networks are connected.
    pub(crate) simulated: bool,
    /// What their prices, stock and places follow from.
    pub(crate) seed: u64,
    /// Their slowest answer.
    pub(crate) latency: Millis,
    /// How many leases each of their providers can hold.
    pub(crate) capacity: u32,
    /// Records of spot capacity that another simulated network plays; none where there are none.
    pub(crate) trace: Option<PathBuf>,
    /// How many times as fast as recorded.
    pub(crate) trace_pace: u32,
    /// The engine's settings.
    pub(crate) engine: Config,
    values: Values,
}

/// One setting.
pub(crate) struct Row {
    /// Its dotted key.
    pub(crate) key: &'static str,
    /// One line about it.
    pub(crate) about: &'static str,
    /// Its default as text.
    pub(crate) default: fn() -> String,
    /// Takes a text, or says what is wrong with it.
    pub(crate) set: fn(&mut Settings, &str) -> Result<(), String>,
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(slot: &mut T, text: &str) -> Result<(), String> {
    *slot = text.parse().map_err(|e: T::Err| e.to_string())?;
    Ok(())
}

/// A length of time that is not nothing.
fn span(slot: &mut Millis, text: &str) -> Result<(), String> {
    read(slot, text)?;
    if *slot == Millis::ZERO { Err("it must be more than nothing".to_owned()) } else { Ok(()) }
}

/// An address that only this machine can reach: the API has no TLS of its own.
fn loopback(slot: &mut SocketAddr, text: &str) -> Result<(), String> {
    read(slot, text)?;
    if slot.ip().is_loopback() {
        Ok(())
    } else {
        Err("it must be a loopback address such as 127.0.0.1:0; put a TLS proxy before it to serve others"
            .to_owned())
    }
}

macro_rules! rows {
    ($($key:literal, $about:literal, $default:expr, $set:expr;)*) => {
        /// Every setting, in the order in which they are shown.
        pub(crate) const ROWS: &[Row] = &[$(Row { key: $key, about: $about, default: || $default.to_string(), set: $set },)*];
    };
}

rows! {
    "data", "folder of everything that is kept", data_folder().display(),
        |s, t| if t.is_empty() { Err("a folder has a name".to_owned()) } else { read(&mut s.data, t) };
    "api.listen", "address of the user API; port 0 is chosen at first start and kept", "127.0.0.1:0",
        |s, t| loopback(&mut s.api_listen, t);
    "agents.listen", "address of the agent API (TLS); port 0 is chosen at first start and kept", "127.0.0.1:0",
        |s, t| read(&mut s.agents_listen, t);
    "account.fund_usd", "paid into the account at first start, in dollars", "100.00",
        |s, t| { read(&mut s.fund, t)?; if s.fund.is_negative() { Err("it is less than nothing".to_owned()) } else { Ok(()) } };
    "networks.waag.enabled", "whether our own market is connected, on the embedded chain", true, |s, t| read(&mut s.market, t);
    "networks.waag.listen", "address of the embedded chain's JSON-RPC; port 0 is chosen at first start and kept", "127.0.0.1:0",
        |s, t| loopback(&mut s.chain_listen, t);
    "networks.waag.fee_cap_gwei", "most that a unit of gas may cost our own transactions, in gwei (10^9 wei)", 1000,
        |s, t| { read(&mut s.fee_cap_gwei, t)?; if s.fee_cap_gwei == 0 { Err("at least 1".to_owned()) } else { Ok(()) } };
    "networks.waag.gas_ceiling", "most gas that one of our own transactions may use", 10_000_000,
        |s, t| { read(&mut s.gas_ceiling, t)?; if s.gas_ceiling < GAS_LEAST { Err(format!("at least {GAS_LEAST}, or no lease can be bought")) } else { Ok(()) } };
    "networks.waag.providers", "so many providers of our own market are started beside the control plane, at most 8", 1,
        |s, t| { read(&mut s.providers, t)?; if s.providers > PROVIDERS_MAX { Err(format!("at most {PROVIDERS_MAX}")) } else { Ok(()) } };
    "networks.waag.validators", "so many validators are started beside the control plane, at most 16; without any, no work is checked", 3,
        |s, t| { read(&mut s.validators, t)?; if s.validators > VALIDATORS_MAX { Err(format!("at most {VALIDATORS_MAX}")) } else { Ok(()) } };
    "networks.waag.price_usd_hour", "what providers ask for a machine and an hour, in test dollars", "0.03",
        |s, t| { read(&mut s.provider_price, t)?; if s.provider_price.per_hour() > Usd::ZERO { Ok(()) } else { Err("it must be more than nothing".to_owned()) } };
    "networks.simulated.enabled", "whether the simulated networks are connected", true, |s, t| read(&mut s.simulated, t);
    "networks.simulated.seed", "what their prices, stock and places follow from", 1797, |s, t| read(&mut s.seed, t);
    "networks.simulated.latency", "their slowest answer, at most 50ms", "20ms",
        |s, t| { read(&mut s.latency, t)?; if s.latency > market::sim::LATENCY_MAX { Err("at most 50ms".to_owned()) } else { Ok(()) } };
    "networks.simulated.capacity", "how many leases each of their providers can hold at a time", 16,
        |s, t| read(&mut s.capacity, t);
    "networks.simulated.trace", "a folder with recorded spot capacity, which the network sim-spot plays; empty for none", "",
        |s, t| { s.trace = (!t.is_empty()).then(|| t.into()); Ok(()) };
    "networks.simulated.trace_pace", "how many times as fast as recorded it is played", 60,
        |s, t| { read(&mut s.trace_pace, t)?; if (1..=market::sim::PACE_MAX).contains(&s.trace_pace) { Ok(()) } else { Err(format!("1 to {}", market::sim::PACE_MAX)) } };
    "engine.heartbeat", "time between two heartbeats of an agent", defaults().heartbeat, |s, t| span(&mut s.engine.heartbeat, t);
    "engine.heartbeat_misses", "so many missed heartbeats make an agent lost", defaults().heartbeat_misses,
        |s, t| { read(&mut s.engine.heartbeat_misses, t)?; if s.engine.heartbeat_misses == 0 { Err("at least 1".to_owned()) } else { Ok(()) } };
    "engine.connect_patience", "an agent that has not connected so long after its lease went live is lost",
        defaults().connect_patience, |s, t| span(&mut s.engine.connect_patience, t);
    "engine.give_up", "an agent that hears nothing for so long gives up", defaults().give_up, |s, t| span(&mut s.engine.give_up, t);
    "engine.offers_every", "networks are asked for offers after this", defaults().offers_every, |s, t| span(&mut s.engine.offers_every, t);
    "engine.offers_stale", "older offers are not relied on", defaults().offers_stale, |s, t| span(&mut s.engine.offers_stale, t);
    "engine.stock_memory", "an offer that could not be had is not tried again for so long", defaults().stock_memory,
        |s, t| read(&mut s.engine.stock_memory, t);
    "engine.no_offer_patience", "without an admissible offer a job waits so long", defaults().no_offer_patience,
        |s, t| read(&mut s.engine.no_offer_patience, t);
    "engine.assumed_run", "how long a job is assumed to run until it has been measured", defaults().assumed_run,
        |s, t| span(&mut s.engine.assumed_run, t);
    "engine.observe_every", "a live lease is looked at after this", defaults().observe_every, |s, t| span(&mut s.engine.observe_every, t);
    "engine.startup_patience", "a lease that is not live after this is given up", defaults().startup_patience,
        |s, t| span(&mut s.engine.startup_patience, t);
    "engine.release_margin", "what noticing, stopping and releasing may take; holds cover it", defaults().release_margin,
        |s, t| span(&mut s.engine.release_margin, t);
    "engine.hold_step", "a hold is extended by so much running", defaults().hold_step, |s, t| span(&mut s.engine.hold_step, t);
    "engine.sweep_every", "networks are asked what is ours after this", defaults().sweep_every, |s, t| span(&mut s.engine.sweep_every, t);
    "engine.release_alert", "a release not confirmed after this raises an alert", defaults().release_alert,
        |s, t| span(&mut s.engine.release_alert, t);
    "engine.escrow_every", "escrows are asked what has moved after this", defaults().escrow_every, |s, t| span(&mut s.engine.escrow_every, t);
    "engine.audit_every", "what happened is published in the audit log at most this often", defaults().audit_every, |s, t| span(&mut s.engine.audit_every, t);
    "engine.anchor_every", "the head of the audit log is written down at the notary at most this often", defaults().anchor_every, |s, t| span(&mut s.engine.anchor_every, t);
    "engine.commit_patience", "a provider has so long to commit to its work; then its agent's word is brought for it",
        defaults().commit_patience, |s, t| span(&mut s.engine.commit_patience, t);
    "engine.validators", "so many validators are drawn for each check of a job's work, at most 16", defaults().validators,
        |s, t| { read(&mut s.engine.validators, t)?; if (1..=16).contains(&s.engine.validators) { Ok(()) } else { Err("1 to 16".to_owned()) } };
    "engine.replay_bps", "what a validator gets for running a segment again, in ten-thousandths of what the provider got for it",
        defaults().replay_bps, |s, t| read(&mut s.engine.replay_bps, t);
    "engine.replay_min_usd", "what it gets for a segment at least, in dollars", defaults().replay_min,
        |s, t| { read(&mut s.engine.replay_min, t)?; if s.engine.replay_min > Usd::ZERO { Ok(()) } else { Err("it must be more than nothing".to_owned()) } };
    "engine.canaries", "the folder `canaries` of a provider of our own that runs with --canary: what it planted is shown once validators have spoken; empty for none", "",
        |s, t| { s.engine.canaries = (!t.is_empty()).then(|| t.into()); Ok(()) };
    "engine.proof_patience", "a check that the notary refuses is given up after this", defaults().proof_patience,
        |s, t| span(&mut s.engine.proof_patience, t);
    "engine.log_bytes_max", "the most log bytes kept of one execution", defaults().log_bytes_max, |s, t| read(&mut s.engine.log_bytes_max, t);
    "engine.upload_bytes_max", "the largest sealed checkpoint or output", defaults().upload_bytes_max,
        |s, t| read(&mut s.engine.upload_bytes_max, t);
}

/// Root's home is closed to every other user, also to those that workloads run as, so root keeps its data where services
/// do (Filesystem Hierarchy Standard 3.0, 5.8).
fn data_folder() -> PathBuf {
    if std::env::var_os("XDG_DATA_HOME").is_none() && rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/waag");
    }
    home_folder("XDG_DATA_HOME", ".local/share").join("waag")
}

fn defaults() -> Config {
    Config::default()
}

/// A folder of the user's, by the XDG base directory specification.
pub(super) fn home_folder(variable: &str, below_home: &str) -> PathBuf {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable)
        .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
        .unwrap_or_else(|| PathBuf::from(".waag"))
}

impl Settings {
    pub(super) fn blank(values: Values) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            data: PathBuf::new(),
            api_listen: nowhere,
            agents_listen: nowhere,
            fund: Usd::ZERO,
            market: false,
            chain_listen: nowhere,
            fee_cap_gwei: 0,
            gas_ceiling: 0,
            providers: 0,
            validators: 0,
            provider_price: UsdPerHour::new(Usd::ZERO),
            simulated: false,
            seed: 0,
            latency: Millis::ZERO,
            capacity: 0,
            trace: None,
            trace_pace: 1,
            engine: Config::default(),
            values,
        }
    }

    /// Every setting as text with its origin.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static Row, &str, &Origin)> {
        ROWS.iter().filter_map(|row| {
            let (text, origin) = self.values.get(row.key)?;
            Some((row, text.as_str(), origin))
        })
    }

    /// The settings as a `waag.toml`, with a comment for each.
    pub(crate) fn to_toml(&self, origins: bool) -> String {
        let mut out = String::new();
        let mut section = "";
        for (row, text, origin) in self.rows() {
            let (head, name) = row.key.rsplit_once('.').unwrap_or(("", row.key));
            // Writing to a String cannot fail.
            if head != section {
                let _ = writeln!(out, "\n[{head}]");
                section = head;
            }
            let _ = writeln!(out, "# {} [{}]", row.about, variable(row.key));
            if origins {
                let _ = writeln!(out, "# from {origin}");
            }
            let plain = text.parse::<u64>().is_ok() || text.parse::<bool>().is_ok();
            let value = if plain { text.to_owned() } else { toml::Value::from(text).to_string() };
            let _ = writeln!(out, "{name} = {value}");
        }
        out
    }

    /// The same with some values of the program's own, for `demo` and `bench`.
    pub(crate) fn with(&self, values: &[(&'static str, String)]) -> crate::failure::Done<Self> {
        let mut all = self.values.clone();
        for (key, text) in values {
            all.insert(key, (text.clone(), Origin::Default));
        }
        Self::of(all)
    }
}
