//! `waag bench`: without a subcommand all of the control plane, with one that part alone.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Clone, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    /// Measure something else
    #[command(subcommand)]
    pub(crate) command: Option<BenchCommand>,
    /// Jobs of each throughput run
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    pub(crate) jobs: u32,
    /// Runs of each measurement; the median is reported
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) runs: u32,
    /// At the end, run so many jobs on one control plane and report the memory held then; 0 for not
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) memory_jobs: u32,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BenchCommand {
    /// Choose among many live offers: decisions per second, times, memory, beside SkyPilot's optimizer
    #[command(
        after_help = "Examples:\n  waag bench placement --json\n  waag bench placement --offers 10000 --catalog prices.csv.gz\n  waag bench placement --offers 1000,10000 --peer sky/bin/python"
    )]
    Placement(PlacementBench),
    /// Play jobs with a deadline over recorded spot availability: what each policy costs
    #[command(
        after_help = "Examples:\n  waag bench spot --data data/public\n  waag bench spot --data data/public --json\n  waag bench spot --data data/public --check --peer data/sim_ref.py\n\nThe folder, or its subfolder `public`, holds spot/index.csv and spot/intervals.csv.gz; --check also needs baselines_spot.csv."
    )]
    Spot(SpotBench),
    /// Score forecasts of availability and price, and checkpoint rules, on recorded traces
    #[command(
        after_help = "Examples:\n  waag bench forecast --data traces\n  waag bench forecast --data traces --json\n  waag bench forecast --data traces --teach-only 0.2"
    )]
    Forecast(ForecastBench),
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct PlacementBench {
    /// Numbers of offers
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1000,10000,100000,1000000",
        value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    pub(crate) offers: Vec<u64>,
    /// Repeat the rows of this price catalogue, instead of offers that are made up
    #[arg(long, value_name = "FILE")]
    pub(crate) catalog: Option<PathBuf>,
    /// Python of a virtual environment with skypilot 0.11, to be asked the same up to 10,000 offers
    #[arg(long, value_name = "PYTHON")]
    pub(crate) peer: Option<PathBuf>,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct SpotBench {
    /// Folder with the recorded availability
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Compare every cost of the known policies with baselines_spot.csv, to the cent
    #[arg(long)]
    pub(crate) check: bool,
    /// Also measure the policy with a prior fitted on all traces but the one it runs on
    #[arg(long)]
    pub(crate) leave_one_out: bool,
    /// Time this simulator, a Python file with a function `run`, beside ours on the same runs
    #[arg(long, value_name = "FILE")]
    pub(crate) peer: Option<PathBuf>,
    /// Jobs per trace, started at even distances
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) starts: u32,
    /// Size of the checkpoint that moves between zones; 16 GiB is all memory of the V100 that the prices are for
    #[arg(long, default_value_t = 16.0, value_parser = not_negative)]
    pub(crate) checkpoint_gib: f64,
    /// What moving a GiB of it costs in USD; AWS asks 0.02 per GB between most of its regions
    #[arg(long, default_value_t = 0.02, value_parser = not_negative)]
    pub(crate) egress_usd_per_gib: f64,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ForecastBench {
    /// Folder with `spot` and `price_history`, or whose `public` has them
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The first share of each trace's time, in which forecasts are made but not scored
    #[arg(long, default_value_t = 0.5, value_name = "SHARE", value_parser = share)]
    pub(crate) teach_only: f64,
}

/// A share below 1.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("write a number from 0 to below 1, such as 0.5".to_owned()),
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("give a number not below zero".to_owned()),
    }
}
