//! How fast runs are played, beside another simulator on the same runs in the same minute.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::cases::{self, Case, Kind, Record};
use super::measure;
use crate::failure::{Done, Exit, Failure};

/// Runs so often and takes all together: one pass takes some ten milliseconds.
const PASSES: u32 = 20;

/// Runs of the known policies per second, on one thread.
#[derive(Debug, Serialize)]
pub(super) struct Speed {
    pub(super) runs: u32,
    pub(super) runs_per_s: f64,
    pub(super) peer_runs_per_s: Option<f64>,
    pub(super) times_as_fast: Option<f64>,
}

#[derive(Deserialize)]
struct Timed {
    runs: u32,
    seconds: f64,
    cost_usd: f64,
}

pub(super) fn speed(
    folder: &Path,
    traces: &[Record],
    cases: &[Case],
    starts: u32,
    peer: Option<&Path>,
) -> Done<Speed> {
    let cases: Vec<&Case> = cases.iter().filter(|case| !matches!(case.kind, Kind::Zones { .. })).collect();
    let ours = ours(traces, &cases, starts)?;
    let runs_per_s = f64::from(ours.runs) / ours.seconds;
    let peer = peer.map(|peer| timed(peer, folder, traces, &cases, starts)).transpose()?;
    if let Some(peer) = &peer
        && (peer.runs != ours.runs || (peer.cost_usd - ours.cost_usd).abs() > 0.005 * f64::from(ours.runs))
    {
        let what = format!(
            "the peer played {} runs for {:.2} USD, we {} for {:.2}",
            peer.runs, peer.cost_usd, ours.runs, ours.cost_usd
        );
        return Err(
            Failure::new(Exit::Failed, "bench_peer", what).next("name a simulator with the same rules")
        );
    }
    let peer_runs_per_s = peer.map(|peer| f64::from(peer.runs) / peer.seconds);
    let times_as_fast = peer_runs_per_s.map(|peer| runs_per_s / peer);
    Ok(Speed { runs: ours.runs, runs_per_s, peer_runs_per_s, times_as_fast })
}

fn ours(traces: &[Record], cases: &[&Case], starts: u32) -> Done<Timed> {
    let mut timed = Timed { runs: 0, seconds: 0.0, cost_usd: 0.0 };
    let begin = Instant::now();
    for _ in 0..PASSES {
        (timed.runs, timed.cost_usd) = (0, 0.0);
        for case in cases {
            let zones: Vec<&Record> = case.zones.iter().filter_map(|at| traces.get(*at)).collect();
            let tick_s = zones.first().map_or(1.0, |trace| trace.tick_s);
            for start in cases::starts(&zones, starts) {
                let end = start + cases::ticks_needed(tick_s);
                let zones: Vec<&[bool]> =
                    zones.iter().map(|trace| trace.up.get(start..end).unwrap_or(&[])).collect();
                for deadline_h in measure::DEADLINES_H {
                    let terms =
                        measure::terms(tick_s, measure::WORK_H, f64::from(deadline_h), measure::DELAY_H)?;
                    for run in measure::KNOWN.iter().filter_map(|name| measure::known(name, &zones, &terms)) {
                        timed.runs += 1;
                        timed.cost_usd += run.cost_usd;
                    }
                }
            }
        }
    }
    timed.seconds = begin.elapsed().as_secs_f64() / f64::from(PASSES);
    Ok(timed)
}

fn timed(peer: &Path, folder: &Path, traces: &[Record], cases: &[&Case], starts: u32) -> Done<Timed> {
    let folder = folder.canonicalize().with_context(|| format!("find {}", folder.display()))?;
    let ids = cases.iter().map(|case| {
        let ids =
            case.zones.iter().filter_map(|at| traces.get(*at)).map(|trace| trace.about.trace_id.as_str());
        ids.collect::<Vec<_>>().join("+")
    });
    let done = Command::new("python3")
        .args(["-c", include_str!("peer.py")])
        .args([peer, &folder])
        .arg(starts.to_string())
        .args(ids)
        .output()
        .context("start python3 for the peer: is it installed?")?;
    if !done.status.success() {
        let what = format!("the simulator {} failed", peer.display());
        let why = String::from_utf8_lossy(&done.stderr);
        let why = why.lines().last().unwrap_or("it said nothing").to_owned();
        return Err(Failure::new(Exit::Failed, "bench_peer", what)
            .why(why)
            .next("name a Python file with the functions `load` and `run`"));
    }
    serde_json::from_slice(&done.stdout).context("read what the peer measured").map_err(Failure::from)
}
