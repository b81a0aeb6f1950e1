//! `waag bench`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Clone, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
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

/// What is measured on recorded data instead of on this machine.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BenchCommand {
    /// Play jobs with a deadline over recorded spot availability: what each policy costs
    #[command(
        after_help = "Examples:\n  waag bench spot --data data/public\n  waag bench spot --data data/public --json\n  waag bench spot --data data/public --check --peer data/sim_ref.py\n\nThe folder, or its subfolder `public`, holds spot/index.csv and spot/intervals.csv.gz; --check also needs baselines_spot.csv."
    )]
    Spot(SpotBench),
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

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("give a number not below zero".to_owned()),
    }
}
