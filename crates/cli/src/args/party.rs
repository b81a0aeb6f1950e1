//! The commands of the supply side's parties.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use node::provider::Fault;

#[derive(Debug, ClapArgs)]
pub(crate) struct Provider {
    /// Folder of the provider
    #[arg(long, global = true, value_name = "DIR", default_value = "waag-provider")]
    pub(crate) folder: PathBuf,
    #[command(subcommand)]
    pub(crate) command: ProviderCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// Make folder, key and configuration
    #[command(
        after_help = "Examples:\n  waag provider init --market 0x5FbDB2315678afecb367f032d93F642f64180aa3 --set name=mill --set region=EU-DE\n  waag provider init --folder /srv/mill --set price_per_hour_usd=0.40 --set units=2\n\nEvery setting is in provider.toml, with its default."
    )]
    Init {
        /// Address of the market
        #[arg(long, value_name = "ADDRESS")]
        market: Option<String>,
        /// JSON-RPC of its chain
        #[arg(long, value_name = "URL")]
        rpc_url: Option<String>,
        /// A setting of provider.toml; may be repeated
        #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
        settings: Vec<(String, String)>,
    },
    /// Offer the machine and serve leases until Ctrl-C; agents run on, and the next run takes them over
    #[command(
        after_help = "Examples:\n  waag provider run\n  waag provider run --folder /srv/mill\n  waag provider run --fault die\n  waag provider run --fault fabricate=1,8..24\n  waag provider run --canary"
    )]
    Run {
        /// Misbehave, on the embedded chain only: `die` or `die=N` once N states are committed to, `fabricate=N`, `fabricate=A..B`
        /// or a list of both for these segments, the last one of a range left out
        #[arg(long, value_name = "FAULT", value_parser = fault, conflicts_with = "canary")]
        fault: Option<Fault>,
        /// Serve each lease with one planted state, to try the validators of your own jobs
        #[arg(long)]
        canary: bool,
    },
    /// Show account, stake, offers and leases
    #[command(
        after_help = "Examples:\n  waag provider status\n  waag provider status --json | jq .balance_usd"
    )]
    Status,
    /// Withdraw the offer, take no more leases, and end with the last one
    #[command(
        after_help = "Examples:\n  waag provider drain\n  waag provider drain --off\n\nIt is a file in the folder, so a restart goes on draining."
    )]
    Drain {
        /// Take it back
        #[arg(long)]
        off: bool,
    },
    /// Send earnings to an account outside the market
    #[command(
        after_help = "Examples:\n  waag provider withdraw\n  waag provider withdraw --amount 2.50 --to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8\n\nA running provider does it at its next look at the chain."
    )]
    Withdraw {
        /// Dollars [default: all that is there]
        #[arg(long, value_name = "USD")]
        amount: Option<domain::Usd>,
        /// To whom [default: the setting `withdraw_to`, else the provider's own account]
        #[arg(long, value_name = "ADDRESS")]
        to: Option<chain::Address>,
    },
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, for example units=2")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

const DIE_AFTER_LEAVES: u32 = 3;

fn fault(text: &str) -> Result<Fault, String> {
    let wrong = || {
        "write `die`, `die=N` with a number of states, or `fabricate=` with segments, for example 7, 8..24 or 1,3,8..24"
            .to_owned()
    };
    match text.split_once('=') {
        None if text == "die" => Ok(Fault::Die { leaves: DIE_AFTER_LEAVES }),
        Some(("die", leaves)) => Ok(Fault::Die { leaves: leaves.parse().map_err(|_| wrong())? }),
        Some(("fabricate", list)) => {
            let segments = segments(list).filter(|found| !found.is_empty()).ok_or_else(wrong)?;
            Ok(Fault::Fabricate { segments })
        }
        _ => Err(wrong()),
    }
}

/// More segments than a job may have.
const SEGMENT_MAX: u32 = 100_000;

/// Numbers and half-open ranges, separated by commas.
fn segments(list: &str) -> Option<BTreeSet<u32>> {
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|number| *number <= SEGMENT_MAX);
    let mut found = BTreeSet::new();
    for part in list.split(',') {
        match part.split_once("..") {
            Some((from, to)) => found.extend(number(from)?..number(to)?),
            None => found.extend([number(part)?]),
        }
    }
    Some(found)
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Validator {
    /// Folder of the validator
    #[arg(long, global = true, value_name = "DIR", default_value = "waag-validator")]
    pub(crate) folder: PathBuf,
    #[command(subcommand)]
    pub(crate) command: ValidatorCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ValidatorCommand {
    /// Make folder, key and configuration
    #[command(
        after_help = "Examples:\n  waag validator init --notary 0x5FbDB2315678afecb367f032d93F642f64180aa3 --set units=2\n  waag validator init --folder /srv/scales --rpc-url http://127.0.0.1:8545\n\nEvery setting is in validator.toml, with its default."
    )]
    Init {
        /// Address of the notary
        #[arg(long, value_name = "ADDRESS")]
        notary: Option<String>,
        /// JSON-RPC of its chain
        #[arg(long, value_name = "URL")]
        rpc_url: Option<String>,
        /// A setting of validator.toml; may be repeated
        #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
        settings: Vec<(String, String)>,
    },
    /// Take a seat and check what is drawn for it, until Ctrl-C; the next run goes on
    #[command(
        after_help = "Examples:\n  waag validator run\n  waag validator run --folder /srv/scales\n  waag validator run --fault rubber-stamp"
    )]
    Run {
        /// Misbehave, on the embedded chain only: `rubber-stamp` without looking, `silent`, or `contrary`
        #[arg(long, value_name = "FAULT", value_parser = careless)]
        fault: Option<node::validator::Fault>,
    },
    /// Show account, stake, seat and proofs
    #[command(
        after_help = "Examples:\n  waag validator status\n  waag validator status --json | jq .balance_usd"
    )]
    Status,
    /// Give the seat up, and end when nothing is open for it
    #[command(
        after_help = "Examples:\n  waag validator leave\n  waag validator leave --off\n\nIt is a file in the folder. `waag validator run` brings the stake back once no draw can fall on the seat any more."
    )]
    Leave {
        /// Take it back
        #[arg(long)]
        off: bool,
    },
}

fn careless(text: &str) -> Result<node::validator::Fault, String> {
    match text {
        "rubber-stamp" => Ok(node::validator::Fault::RubberStamp),
        "silent" => Ok(node::validator::Fault::Silent),
        "contrary" => Ok(node::validator::Fault::Contrary),
        _ => Err("write `rubber-stamp`, `silent` or `contrary`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_numbers_and_ranges() {
        let all = |list: &str| segments(list).map(|found| found.into_iter().collect::<Vec<_>>());
        assert_eq!(all("7"), Some(vec![7]));
        assert_eq!(all("8..11"), Some(vec![8, 9, 10]));
        assert_eq!(all("5,1..3"), Some(vec![1, 2, 5]));
        for wrong in [
            "fabricate=",
            "fabricate=x",
            "fabricate=3..3",
            "fabricate=1..",
            "fabricate=1..9999999",
            "die=x",
            "lie",
        ] {
            assert!(fault(wrong).is_err(), "{wrong}");
        }
        assert!(fault("fabricate=8..24").is_ok_and(|fault| matches!(
            fault,
            Fault::Fabricate { segments } if segments.len() == 16
        )));
    }
}
