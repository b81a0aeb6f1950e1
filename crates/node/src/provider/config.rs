//! `provider.toml`: every setting with its default, one value each. What is wrong is said by field, with the fix.

use std::path::Path;

use chain::Address;
use domain::{Millis, ProviderName, Region, Usd, UsdPerHour};

use crate::party::settings::{self, POLL_MAX, POLL_MIN, Row, Table, rows};
pub use crate::party::settings::{ConfigError, Given};

const UNITS_MAX: u32 = 1_024;
const MINUTE: Millis = Millis(60_000);
const SPAN_MAX: Millis = Millis(366 * 24 * Millis::HOUR.0);

/// What a provider is told by its owner.
#[derive(Debug, Clone)]
pub struct Config {
    /// JSON-RPC of the chain.
    pub rpc_url: String,
    /// The market's address there.
    pub market: Option<Address>,
    /// No event of the market is older than this block.
    pub from_block: u64,
    /// What the provider calls itself.
    pub name: ProviderName,
    /// Where the machine stands.
    pub region: Region,
    /// For one unit.
    pub price: UsdPerHour,
    /// Into how many equal parts the machine is divided; each serves one lease.
    pub units: u32,
    /// Stake to hold; `None` for what the market asks for.
    pub stake: Option<Usd>,
    /// How long an offer stands before it is renewed.
    pub available: Millis,
    /// The longest lease that is taken.
    pub span_max: Millis,
    /// From acceptance to a running agent, as told to consumers.
    pub startup: Millis,
    /// Thousandths of a core, at most.
    pub cpus_milli: Option<u32>,
    /// MiB, at most.
    pub memory_mib: Option<u64>,
    /// MiB, at most.
    pub disk_mib: Option<u64>,
    /// Whether accelerators are offered.
    pub accelerators: bool,
    /// Time between two looks at the chain.
    pub poll: Millis,
    /// Where earnings go.
    pub withdraw_to: Option<Address>,
    /// Earnings go there by themselves once they are more than this.
    pub withdraw_above: Option<Usd>,
    /// Most that a unit of gas may cost, in gwei.
    pub fee_cap_gwei: u64,
    /// Tip for a unit of gas, in gwei.
    pub tip_gwei: u64,
    /// Blocks that must follow before anything counts as done.
    pub confirmations: u64,
}

impl Table for Config {
    const HEAD: &'static str = "What this provider sells, and on which market.";

    const ROWS: &'static [Row<Self>] = rows! {
        Self:
    "rpc_url", "JSON-RPC of the chain", "http://127.0.0.1:8545", |c, t| settings::url(&mut c.rpc_url, t);
    "market", "address of the market there", "", |c, t| settings::address(&mut c.market, t);
    "from_block", "no event of the market is older than this block", "0",
        |c, t| settings::number(&mut c.from_block, t, 0, u64::MAX);
    "name", "what you call yourself, in lower case", "provider", |c, t| settings::read(&mut c.name, t);
    "region", "where the machine stands", "EU", |c, t| settings::read(&mut c.region, t);
    "price_per_hour_usd", "for one unit", "0.50", |c, t| settings::price(&mut c.price, t);
    "units", "equal parts of the machine; each serves one lease", "1",
        |c, t| settings::number(&mut c.units, t, 1, UNITS_MAX);
    "stake_usd", "stake to hold; empty: what the market asks for", "", |c, t| settings::amount(&mut c.stake, t);
    "available", "how long an offer stands before it is renewed", "30days",
        |c, t| settings::span(&mut c.available, t, Millis::HOUR, SPAN_MAX);
    "span_max", "the longest lease that is taken", "1day", |c, t| settings::span(&mut c.span_max, t, MINUTE, SPAN_MAX);
    "startup", "from acceptance to a running agent, as told to consumers", "2s",
        |c, t| settings::span(&mut c.startup, t, Millis(1), Millis::HOUR);
    "cpus_milli", "thousandths of a core to offer at most; empty: all", "",
        |c, t| settings::limit(&mut c.cpus_milli, t);
    "memory_mib", "memory to offer at most; empty: all", "", |c, t| settings::limit(&mut c.memory_mib, t);
    "disk_mib", "disk to offer at most; empty: four fifths of what is free", "",
        |c, t| settings::limit(&mut c.disk_mib, t);
    "accelerators", "whether accelerators are offered", "true", |c, t| settings::read(&mut c.accelerators, t);
    "poll", "time between two looks at the chain", "1s", |c, t| settings::span(&mut c.poll, t, POLL_MIN, POLL_MAX);
    "withdraw_to", "where earnings go; empty: the provider's own account", "",
        |c, t| settings::address(&mut c.withdraw_to, t);
    "withdraw_above_usd", "earnings above this leave by themselves; empty: never", "",
        |c, t| settings::amount(&mut c.withdraw_above, t);
    "fee_cap_gwei", "most that a unit of gas may cost", "500",
        |c, t| settings::number(&mut c.fee_cap_gwei, t, 1, 1_000_000);
    "tip_gwei", "tip for a unit of gas", "1", |c, t| settings::number(&mut c.tip_gwei, t, 0, 1_000_000);
    "confirmations", "blocks that must follow before anything counts as done", "0",
        |c, t| settings::number(&mut c.confirmations, t, 0, 256);
    };

    fn blank() -> Result<Self, ConfigError> {
        let impossible = |field: &'static str| {
            move |value: String| ConfigError::Value { field, value, why: "it is the default".to_owned() }
        };
        Ok(Self {
            rpc_url: String::new(),
            market: None,
            from_block: 0,
            name: "provider".parse().map_err(|e: domain::NameError| impossible("name")(e.to_string()))?,
            region: "EU".parse().map_err(|e: domain::RegionError| impossible("region")(e.to_string()))?,
            price: UsdPerHour::default(),
            units: 1,
            stake: None,
            available: Millis::HOUR,
            span_max: Millis::HOUR,
            startup: Millis::ZERO,
            cpus_milli: None,
            memory_mib: None,
            disk_mib: None,
            accelerators: true,
            poll: POLL_MAX,
            withdraw_to: None,
            withdraw_above: None,
            fee_cap_gwei: 1,
            tip_gwei: 0,
            confirmations: 0,
        })
    }
}

impl Config {
    /// The settings in `file`; what it does not name has its default.
    ///
    /// # Errors
    /// When the file cannot be used, with the field and the fix.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        settings::load(file)
    }

    /// The settings with these values, and defaults for the rest.
    ///
    /// # Errors
    /// With the field and the fix.
    pub fn of(given: &Given) -> Result<Self, ConfigError> {
        settings::of(given)
    }

    /// A file with these values and every other setting at its default.
    pub fn file(given: &Given) -> String {
        settings::file::<Self>(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Given {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_default_is_valid_and_a_written_file_loads_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("provider.toml");
        let wanted = given(&[("name", "mill"), ("price_per_hour_usd", "1.25"), ("units", "3")]);
        std::fs::write(&file, Config::file(&wanted)).unwrap();
        let config = Config::load(&file).unwrap();
        assert_eq!((config.name.as_str(), config.units), ("mill", 3));
        assert_eq!(config.price.to_string(), "1.25");
        assert_eq!(config.market, None);
        std::fs::write(&file, "units = 4\naccelerators = false\n").unwrap();
        let config = Config::load(&file).unwrap();
        assert_eq!((config.units, config.accelerators), (4, false));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_fix() {
        for (key, value, part) in [
            ("unit", "2", "`unit` is not a setting"),
            ("units", "0", "from 1 to 1024"),
            ("units", "two", "`units` cannot be `two`"),
            ("price_per_hour_usd", "0", "above nothing"),
            ("price_per_hour_usd", "cheap", "amount in dollars"),
            ("market", "0x12", "40 hexadecimal digits"),
            ("rpc_url", "localhost", "http://127.0.0.1:8545"),
            ("region", "EU DE", "region"),
            ("name", "\u{1b}[2J", "lower-case"),
            ("poll", "1ms", "from 50ms to 1m"),
            ("available", "soon", "length of time"),
            ("stake_usd", "-1", "not below nothing"),
            ("cpus_milli", "0", "from 1"),
        ] {
            let said = Config::of(&given(&[(key, value)])).unwrap_err().to_string();
            assert!(said.contains(part), "{key}: {said}");
            assert!(!said.contains('\u{1b}'));
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("provider.toml");
        assert!(matches!(Config::load(&file), Err(ConfigError::Read { .. })));
        std::fs::write(&file, "units").unwrap();
        assert!(matches!(Config::load(&file), Err(ConfigError::Form { .. })));
    }
}
