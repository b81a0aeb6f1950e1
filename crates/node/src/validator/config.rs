//! `validator.toml`: every setting with its default, one value each.

use std::path::Path;

use chain::Address;
use domain::{Millis, Usd};

use crate::party::settings::{self, POLL_MAX, POLL_MIN, Row, Table, rows};
pub use crate::party::settings::{ConfigError, Given};

const UNITS_MAX: u32 = 1_024;
const CONCLUDE_MAX: Millis = Millis::HOUR;

/// What a validator is told by its owner.
#[derive(Debug, Clone)]
pub struct Config {
    /// JSON-RPC of the chain.
    pub rpc_url: String,
    /// The notary's address there.
    pub notary: Option<Address>,
    /// No event of the notary is older than this block.
    pub from_block: u64,
    /// Units to take a seat with; its weight in draws.
    pub units: u32,
    /// Time between two looks at the chain.
    pub poll: Millis,
    /// How long a consumer may let a proof stand that could be concluded, before this validator does it.
    pub conclude_after: Millis,
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
    const HEAD: &'static str = "For which notary this validator checks work, and with what stake.";

    const ROWS: &'static [Row<Self>] = rows! {
        Self:
        "rpc_url", "JSON-RPC of the chain", "http://127.0.0.1:8545", |c, t| settings::url(&mut c.rpc_url, t);
        "notary", "address of the notary there", "", |c, t| settings::address(&mut c.notary, t);
        "from_block", "no event of the notary is older than this block", "0",
            |c, t| settings::number(&mut c.from_block, t, 0, u64::MAX);
        "units", "units to take a seat with: its weight in draws, each with the notary's stake", "1",
            |c, t| settings::number(&mut c.units, t, 1, UNITS_MAX);
        "poll", "time between two looks at the chain", "1s",
            |c, t| settings::span(&mut c.poll, t, POLL_MIN, POLL_MAX);
        "conclude_after", "how long a proof may stand that anybody may conclude, before this validator does", "10s",
            |c, t| settings::span(&mut c.conclude_after, t, Millis::ZERO, CONCLUDE_MAX);
        "withdraw_to", "where earnings go; empty: the validator's own account", "",
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
        Ok(Self {
            rpc_url: String::new(),
            notary: None,
            from_block: 0,
            units: 1,
            poll: POLL_MAX,
            conclude_after: CONCLUDE_MAX,
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

    #[test]
    fn every_default_is_valid_and_what_is_wrong_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("validator.toml");
        let given = Given::from([("units".to_owned(), "3".to_owned())]);
        std::fs::write(&file, Config::file(&given)).unwrap();
        let config = Config::load(&file).unwrap();
        assert_eq!((config.units, config.notary, config.conclude_after), (3, None, Millis(10_000)));
        for (key, value, part) in [
            ("unit", "2", "`unit` is not a setting"),
            ("units", "0", "from 1 to 1024"),
            ("notary", "0x12", "40 hexadecimal digits"),
            ("conclude_after", "2h", "from 0s to 1h"),
        ] {
            let said =
                Config::of(&Given::from([(key.to_owned(), value.to_owned())])).unwrap_err().to_string();
            assert!(said.contains(part), "{key}: {said}");
        }
    }
}
