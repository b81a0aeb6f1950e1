//! `waag bench`: what this machine does, measured. Each figure is the median of some runs and stands beside a limit that
//! was measured in the same run, since machines are shared and noisy.
//!
//! - `control_plane.rs`: jobs from submission to settlement, nothing outside the process but the disk.
//! - `market.rs`: the same through our own market on the embedded chain.
//! - `sandboxed.rs`: the same with a real agent and a real sandbox each.
//! - `start.rs`: `waag up` to ready, and its memory when idle.
//! - `commitment.rs`: what committing to states costs beside BLAKE3 of the same bytes, and its memory.
//! - `proof.rs`: what committing and replays cost beside the demo's job.
//! - `audit.rs`: records of the audit log, and proofs that they stand there.
//! - `placement/`: choosing among up to a million offers; a command of its own.
//! - `limits.rs`: what disk and kernel allow.
//!
//! Its subcommands measure what is decided, on recorded traces.
//!
//! - `forecast/`: availability, prices and checkpoints.
//! - `spot/`: jobs with a deadline on spot and on-demand, what each policy costs.

mod audit;
mod commitment;
mod control_plane;
mod forecast;
mod limits;
mod market;
mod placement;
mod proof;
mod sandboxed;
mod spot;
mod start;

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::args::{Bench, BenchCommand};
use crate::failure::Done;
use crate::settings::{Flags, Settings};
use crate::show::Out;
use crate::show::table::{Side, Table};

/// A job that does nothing, on the one network that lets nobody wait, so that all that is measured is ours.
const JOB: &str = "name: bench\nresources: { cpus: 1+, infra: sim-cloud }\nrun: 'true'\nwaag:\n  budget: { max_total_usd: 1.00 }\n  deadline: 1h\n";

#[derive(Debug, Serialize)]
struct Report {
    control_plane_jobs_per_s: f64,
    market_jobs_per_s: f64,
    sandboxed_jobs_per_s: f64,
    up_first_start_ms: f64,
    up_next_start_ms: f64,
    idle_memory_mib: f64,
    audit_records_per_s: f64,
    /// In a log of a million records.
    inclusion_proof_us: f64,
    /// Of this process, which has run so many jobs at the end.
    memory_mib: f64,
    memory_after_jobs: u32,
    /// Throughput with states of 64 MiB, as a share of that of BLAKE3 alone.
    commit_vs_blake3: f64,
    /// The same with states of 1 MiB.
    commit_vs_blake3_1mib: f64,
    blake3_gib_per_s: f64,
    /// For a state of 10 GiB.
    commit_memory_mib: f64,
    /// Committing to the states of the demo's job, in percent of its run time.
    proof_overhead_pct: f64,
    /// The same with the replays of three validators.
    proof_overhead_replayed_pct: f64,
    disk_syncs_per_s: f64,
    process_starts_per_s: f64,
    fsync: &'static str,
    jobs: u32,
    runs: u32,
    cores: usize,
    load_1m: f64,
}

pub(crate) async fn run(bench: &Bench, out: &Out) -> Done {
    match &bench.command {
        None => machine(bench, out).await,
        Some(BenchCommand::Placement(placement)) => placement::run(placement, out),
        Some(BenchCommand::Spot(spot)) => spot::run(spot, out),
        Some(BenchCommand::Forecast(forecast)) => forecast::run(forecast, out),
    }
}

/// This machine.
async fn machine(bench: &Bench, out: &Out) -> Done {
    if let Ok(filter) = EnvFilter::try_from_env("WAAG_LOG") {
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
    }
    let folder = tempfile::tempdir_in(make_parent()?).context("make a folder for the measurement")?;
    let (mut control, mut sandboxed, mut syncs, mut starts) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut first, mut next, mut memory, mut market) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut commitments = commitment::Commitments::default();
    let mut proving = proof::Proving::default();
    let (mut records, mut proofs) = (Vec::new(), Vec::new());
    for n in 0..bench.runs {
        out.say(&format!("run {} of {}", n + 1, bench.runs));
        let at = |name: &str| folder.path().join(format!("{name}-{n}"));
        syncs.push(limits::disk_syncs_per_s(folder.path())?);
        starts.push(limits::process_starts_per_s()?);
        let up = start::measure(&at("up")).await?;
        first.push(up.first_ms);
        next.push(up.next_ms);
        memory.push(up.idle_mib);
        control.push(control_plane::jobs_per_s(&settings(&at("control"))?, bench.jobs).await?);
        market.push(market::jobs_per_s(&with_market(&at("market"))?, bench.jobs / 2).await?);
        commitments.measure(folder.path())?;
        proving.measure(folder.path()).await?;
        records.push(audit::records_per_s(&at("audit")).await?);
        proofs.push(audit::inclusion_proof_us()?);
        sandboxed.push(sandboxed::jobs_per_s(&settings(&at("sandboxed"))?, bench.jobs / 2).await?);
    }
    let memory_after_jobs = bench.memory_jobs;
    let memory_mib = match memory_after_jobs {
        0 => 0.0,
        jobs => control_plane::memory_after(&settings(&folder.path().join("memory"))?, jobs).await?,
    };
    let report = Report {
        control_plane_jobs_per_s: median(control),
        market_jobs_per_s: median(market),
        sandboxed_jobs_per_s: median(sandboxed),
        up_first_start_ms: median(first),
        up_next_start_ms: median(next),
        idle_memory_mib: median(memory),
        audit_records_per_s: median(records),
        inclusion_proof_us: median(proofs),
        memory_mib: median(vec![memory_mib]),
        memory_after_jobs,
        commit_vs_blake3: median(commitments.large) / 100.0,
        commit_vs_blake3_1mib: median(commitments.small) / 100.0,
        blake3_gib_per_s: median(commitments.blake3_gib_per_s),
        commit_memory_mib: commitment::memory_mib(folder.path())?,
        proof_overhead_pct: median(proving.committing),
        proof_overhead_replayed_pct: median(proving.replayed),
        disk_syncs_per_s: median(syncs),
        process_starts_per_s: median(starts),
        fsync: "WAL, synchronous=FULL: every transaction is synced before it is answered",
        jobs: bench.jobs,
        runs: bench.runs,
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        load_1m: limits::load(),
    };
    out.either(&report, || text(&report));
    Ok(())
}

/// Temporary folders of many machines are in memory, where a sync costs nothing; the user's folder is on a disk.
fn make_parent() -> Done<std::path::PathBuf> {
    let parent = Settings::load(&Flags::default())?.data.join("bench");
    std::fs::create_dir_all(&parent).with_context(|| format!("make {}", parent.display()))?;
    Ok(parent)
}

fn settings(data: &Path) -> Done<Settings> {
    Settings::load(&Flags::default())?.with(&[
        ("data", data.display().to_string()),
        ("api.listen", "127.0.0.1:0".to_owned()),
        ("agents.listen", "127.0.0.1:0".to_owned()),
        ("account.fund_usd", "1000000.00".to_owned()),
        ("networks.simulated.enabled", "true".to_owned()),
        ("networks.simulated.latency", "0ms".to_owned()),
        ("networks.simulated.capacity", "100000".to_owned()),
        ("networks.waag.enabled", "false".to_owned()),
    ])
}

fn with_market(data: &Path) -> Done<Settings> {
    settings(data)?.with(&[
        ("networks.waag.enabled", "true".to_owned()),
        ("networks.waag.listen", "127.0.0.1:0".to_owned()),
        ("networks.waag.providers", "0".to_owned()),
        ("engine.escrow_every", "50ms".to_owned()),
    ])
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).map_or(0.0, |value| (value * 10.0).round() / 10.0)
}

fn text(report: &Report) -> String {
    let mut table = Table::new(&[
        ("measured", Side::Left),
        ("median", Side::Right),
        ("aim", Side::Left),
        ("beside", Side::Left),
    ]);
    let mut row = |name: &str, value: f64, aim: &str, beside: String| {
        table.row([name.to_owned(), format!("{value:.1}"), aim.to_owned(), beside]);
    };
    let Report { disk_syncs_per_s, process_starts_per_s, .. } = report;
    let syncs = format!(
        "{:.1} syncs of this disk in the time of a job",
        disk_syncs_per_s / report.control_plane_jobs_per_s
    );
    row("jobs/s, control plane only", report.control_plane_jobs_per_s, "200", syncs);
    row(
        "jobs/s, through our own market",
        report.market_jobs_per_s,
        "-",
        "a lease each: five transactions, each block synced".to_owned(),
    );
    let starts = format!(
        "{:.1} starts of `sh -c true` in the time of a job",
        process_starts_per_s / report.sandboxed_jobs_per_s
    );
    row("jobs/s, a sandbox each", report.sandboxed_jobs_per_s, "50", starts);
    row(
        "`waag up` to ready, first start, ms",
        report.up_first_start_ms,
        "200",
        "keys and schema are made".to_owned(),
    );
    row("`waag up` to ready, later starts, ms", report.up_next_start_ms, "200", String::new());
    row("resident memory, idle, MiB", report.idle_memory_mib, "60", String::new());
    if report.memory_after_jobs > 0 {
        let after =
            format!("control plane and its clients in one process, after {} jobs", report.memory_after_jobs);
        row("resident memory, MiB", report.memory_mib, "-", after);
    }
    evidence(report, &mut row);
    row(
        "syncs/s of this disk",
        *disk_syncs_per_s,
        "-",
        "4 KiB written and fdatasync, one after the other".to_owned(),
    );
    row("starts/s of `sh -c true`", *process_starts_per_s, "-", "one after the other".to_owned());
    format!(
        "{}\n{} jobs, {} runs, {} cores, load {:.1}; {}",
        table.text(),
        report.jobs,
        report.runs,
        report.cores,
        report.load_1m,
        report.fsync
    )
}

/// What committing and the audit log cost.
fn evidence(report: &Report, row: &mut impl FnMut(&str, f64, &str, String)) {
    let beside = format!("BLAKE3 of the same files alone: {:.1} GiB/s on one core", report.blake3_gib_per_s);
    row("committing, % of BLAKE3, states of 64 MiB", report.commit_vs_blake3 * 100.0, "90", beside);
    row(
        "committing, % of BLAKE3, states of 1 MiB",
        report.commit_vs_blake3_1mib * 100.0,
        "90",
        "a signature each".to_owned(),
    );
    row("memory of committing, MiB", report.commit_memory_mib, "-", "to a state of 10 GiB".to_owned());
    let of_the_job =
        |what: &str| format!("{what}; the demo's job, in percent of its run time without a fence");
    row(
        "committing, % of the work",
        report.proof_overhead_pct,
        "-",
        of_the_job("33 states packed and signed"),
    );
    let what = "and ten of 32 segments run again by three validators, in a sandbox each";
    row("proving, % of the work", report.proof_overhead_replayed_pct, "-", of_the_job(what));
    audit_rows(row, report);
}

fn audit_rows(row: &mut impl FnMut(&str, f64, &str, String), report: &Report) {
    row(
        "audit records/s",
        report.audit_records_per_s,
        "-",
        "signed and synced in batches of 1,024".to_owned(),
    );
    row(
        "proof of inclusion, us",
        report.inclusion_proof_us,
        "-",
        "in a log of 1,000,000 records, tiles in memory".to_owned(),
    );
}
