//! `waag bench spot`: what policies cost on recorded availability of spot instances.
//!
//! - `folder.rs`: the files, and what is wrong with them.
//! - `cases.rs`: which jobs are played on which traces.
//! - `measure.rs`: every case at every deadline under every policy.
//! - `check.rs`: costs beside those of the reference simulator.
//! - `peer.rs`, `peer.py`: speed beside a simulator in Python.
//! - `report.rs`: table and document.

mod cases;
mod check;
mod folder;
mod measure;
mod peer;
mod report;

use self::folder::{Folder, Trace};
use self::report::{Fitted, Report, Shown};
use crate::args::SpotBench;
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;

pub(super) fn run(bench: &SpotBench, out: &Out) -> Done {
    let folder = Folder::find(&bench.data)?;
    let traces = folder.traces()?;
    let cases = cases::of(&traces);
    if cases.is_empty() {
        let what = format!("{} has no trace that a job can be played on", folder.root.display());
        return Err(Failure::new(Exit::Usage, "bench_data", what)
            .why("a trace needs a GPU, a kind other than `fleet`, and 93 hours and five ticks")
            .next("name another folder"));
    }
    let check = if bench.check { Some(check::check(&traces, &folder.known()?)?) } else { None };
    let move_usd = bench.checkpoint_gib * bench.egress_usd_per_gib;
    let measured = measure::Bench {
        traces: &traces,
        starts: bench.starts,
        move_usd,
        leave_one_out: bench.leave_one_out,
    };
    let rows = measured.rows(&cases)?;
    let speed = peer::speed(&folder.root, &traces, &cases, bench.starts, bench.peer.as_deref())?;
    let (used, not_used): (Vec<&Trace>, Vec<&Trace>) = traces.iter().partition(|trace| cases::is_used(trace));
    let (up, down) = measure::fitted(&used);
    let report = Report {
        data: folder.root.display().to_string(),
        jobs_per_trace: bench.starts,
        work_h: measure::WORK_H,
        delay_h: measure::DELAY_H,
        move_usd,
        rows: rows.iter().map(|(key, row)| Shown::of(*key, row)).collect(),
        fitted_prior: Fitted {
            up: [up.scale_s, up.events, up.events / up.exposure],
            down: [down.scale_s, down.events, down.events / down.exposure],
        },
        traces_not_used: not_used.iter().map(|trace| trace.id.clone()).collect(),
        check,
        speed,
    };
    match &report.check {
        Some(check) if check.agree < check.runs => {
            let what = format!("{} of {} runs cost something else", check.runs - check.agree, check.runs);
            Err(Failure::new(Exit::Failed, "bench_differs", what)
                .why(check.differences.join("; "))
                .next("compare the rules of both simulators")
                .found(&report))
        }
        _ => {
            out.either(&report, || report::text(&report));
            Ok(())
        }
    }
}
