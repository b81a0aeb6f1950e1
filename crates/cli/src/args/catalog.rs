//! `waag catalog` and the filters of `waag offers` over a catalogue.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use domain::{Accelerators, Region, UsdPerHour};

#[derive(Debug, ClapArgs)]
pub(crate) struct Catalog {
    #[command(subcommand)]
    pub(crate) command: CatalogCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Say what of a price catalogue can be relied on, and what is held back and why
    #[command(
        after_help = "Examples:\n  waag catalog check prices.csv.gz\n  waag catalog check prices.csv --json | jq .held"
    )]
    Check(CatalogCheck),
    /// Keep a price catalogue in the data folder, so that `waag offers --gpu` looks through it
    #[command(after_help = "Examples:\n  waag catalog import prices.csv.gz")]
    Import {
        /// CSV, plain or gzipped
        file: PathBuf,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CatalogCheck {
    /// CSV, plain or gzipped
    pub(crate) file: PathBuf,
    /// Show at most this many of the rows held back for each reason; all are counted
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=10_000))]
    pub(crate) rows: u32,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Offers {
    /// Job file to rank them for
    #[arg(conflicts_with_all = ["catalog", "gpu", "regions", "max_price", "on_demand", "hours", "sort", "limit", "csv"])]
    pub(crate) file: Option<PathBuf>,
    /// List prices of this catalogue instead of live offers [default with a filter: the imported one]
    #[arg(long, value_name = "FILE")]
    pub(crate) catalog: Option<PathBuf>,
    /// Machines with this accelerator, and at least so many
    #[arg(long, value_name = "MODEL[:COUNT]", value_parser = accelerators)]
    pub(crate) gpu: Option<Accelerators>,
    /// Machines known to stand in one of these, for example EU,US-CA
    #[arg(long, value_name = "REGION,..", value_delimiter = ',')]
    pub(crate) regions: Vec<Region>,
    /// At most so many dollars per accelerator and hour
    #[arg(long, value_name = "USD")]
    pub(crate) max_price: Option<UsdPerHour>,
    /// Leave out machines that may be taken away again
    #[arg(long)]
    pub(crate) on_demand: bool,
    /// Hours that the total is for [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=8_760))]
    pub(crate) hours: Option<u32>,
    /// What comes first
    #[arg(long, value_enum)]
    pub(crate) sort: Option<Sort>,
    /// At most so many of a catalogue [default: 20]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: Option<u32>,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

/// The order of listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// The least for the whole machine and all hours
    Total,
    /// The least per accelerator
    Price,
    /// By provider, then price
    Provider,
    /// By place, then price
    Region,
}

impl Offers {
    /// Whether a catalogue is looked through, and not the live offers.
    pub(crate) fn listed(&self) -> bool {
        self.catalog.is_some()
            || self.gpu.is_some()
            || !self.regions.is_empty()
            || self.max_price.is_some()
            || self.on_demand
            || self.hours.is_some()
            || self.sort.is_some()
            || self.limit.is_some()
            || self.csv
    }
}

fn accelerators(text: &str) -> Result<Accelerators, String> {
    let (model, count) = text.split_once(':').unwrap_or((text, "1"));
    let count = count.parse().ok().filter(|n| *n > 0);
    let count = count.ok_or_else(|| "a count is a whole number, for example H100:8".to_owned())?;
    match domain::Gpu::parse(model) {
        Some(_) => Ok(Accelerators { model: model.to_owned(), count }),
        None => {
            Err(format!("`{model}` is no accelerator that is known: write for example H100 or A100-80GB"))
        }
    }
}
