//! `waag bench spot`: what policies cost on recorded availability of spot instances.
//!
//! - `cases.rs`: which jobs are played on which traces.
//! - `measure.rs`: every case at every deadline under every policy.
//! - `check.rs`: costs beside those of the reference simulator.
//! - `peer.rs`, `peer.py`: speed beside a simulator in Python.
//! - `report.rs`: table and document.

mod cases;
mod check;
mod measure;
mod peer;
mod report;

use self::cases::Record;
use self::report::{Fitted, Report, Shown};
use crate::args::SpotBench;
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;
use crate::traces;

pub(super) fn run(bench: &SpotBench, out: &Out) -> Done {
    let root = traces::root(&bench.data)?;
    let missing =
        |files: &str| traces::bad(format!("{} has no {files}", root.display())).next("name another folder");
    let found = traces::traces(&root)?.ok_or_else(|| missing("spot/index.csv with spot/intervals.csv.gz"))?;
    let traces: Vec<Record> = found.into_iter().map(Record::from).collect();
    let cases = cases::of(&traces);
    if cases.is_empty() {
        let what = format!("{} has no trace that a job can be played on", root.display());
        return Err(traces::bad(what)
            .why("a trace needs a GPU, a kind other than `fleet`, and 93 hours and five ticks")
            .next("name another folder"));
    }
    let check = if bench.check {
        let known = traces::baselines(&root)?.ok_or_else(|| missing("baselines_spot.csv"))?;
        Some(check::check(&traces, &known)?)
    } else {
        None
    };
    let move_usd = bench.checkpoint_gib * bench.egress_usd_per_gib;
    let measured = measure::Bench {
        traces: &traces,
        starts: bench.starts,
        move_usd,
        leave_one_out: bench.leave_one_out,
    };
    let rows = measured.rows(&cases)?;
    let speed = peer::speed(&root, &traces, &cases, bench.starts, bench.peer.as_deref())?;
    let (used, not_used): (Vec<&Record>, Vec<&Record>) =
        traces.iter().partition(|trace| cases::is_used(trace));
    let (up, down) = measure::fitted(&used);
    let report = Report {
        data: root.display().to_string(),
        jobs_per_trace: bench.starts,
        work_h: measure::WORK_H,
        delay_h: measure::DELAY_H,
        move_usd,
        rows: rows.iter().map(|(key, row)| Shown::of(*key, row)).collect(),
        fitted_prior: Fitted {
            up: [up.scale_s, up.events, up.events / up.exposure],
            down: [down.scale_s, down.events, down.events / down.exposure],
        },
        traces_not_used: not_used.iter().map(|trace| trace.about.trace_id.clone()).collect(),
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
