//! Our simulator against the reference one: the cost of every run, to the cent.

use std::collections::HashMap;

use policy::spot::bound_usd;
use serde::Serialize;

use super::cases::{self, Record};
use super::measure;
use crate::failure::Done;
use crate::show::text::clean;
use crate::traces::Baseline;

/// Differences that are listed at the most.
const LISTED_MAX: usize = 10;
/// Half a cent.
const CENT_HALF: f64 = 0.005;

/// How many runs cost the same.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) runs: usize,
    pub(super) agree: usize,
    /// Of the costs, in USD; the file has four digits.
    pub(super) largest_difference_usd: f64,
    /// The first ones.
    pub(super) differences: Vec<String>,
}

pub(super) fn check(traces: &[Record], known: &[(u64, Baseline)]) -> Done<Check> {
    let by_id: HashMap<&str, &Record> =
        traces.iter().map(|trace| (trace.about.trace_id.as_str(), trace)).collect();
    let mut check =
        Check { runs: known.len(), agree: 0, largest_difference_usd: 0.0, differences: Vec::new() };
    for (line, row) in known {
        match differs(&by_id, row, &mut check.largest_difference_usd)? {
            None => check.agree += 1,
            Some(what) if check.differences.len() < LISTED_MAX => {
                check.differences.push(format!("line {line}: {what}"));
            }
            Some(_) => {}
        }
    }
    Ok(check)
}

fn differs(by_id: &HashMap<&str, &Record>, row: &Baseline, largest: &mut f64) -> Done<Option<String>> {
    let mut traces = Vec::new();
    for id in row.trace_id.split('+') {
        let Some(trace) = by_id.get(id) else {
            return Ok(Some(format!("spot/index.csv has no trace {}", clean(id))));
        };
        traces.push(*trace);
    }
    let tick_s = traces.first().map_or(1.0, |trace| trace.tick_s);
    let terms = measure::terms(tick_s, row.work_h, row.deadline_h, row.delay_h)?;
    let end = row.start_tick.saturating_add(cases::ticks_needed(tick_s));
    let zones: Vec<&[bool]> =
        traces.iter().map(|trace| trace.up.get(row.start_tick..end).unwrap_or(&[])).collect();
    let Some(run) = measure::known(&row.policy, &zones, &terms) else {
        return Ok(Some(format!("no policy is called {}", clean(&row.policy))));
    };
    let bound = bound_usd(&measure::any_up(&zones), &terms);
    *largest = largest.max((run.cost_usd - row.cost_usd).abs());
    for (what, ours, theirs) in [("cost", run.cost_usd, row.cost_usd), ("bound", bound, row.bound_usd)] {
        if (ours - theirs).abs() >= CENT_HALF {
            return Ok(Some(format!("{what} of {} is {ours:.4}, not {theirs:.4}", clean(&row.policy))));
        }
    }
    let late = run.is_late(&terms);
    let told = row.late != 0;
    Ok((late != told).then(|| format!("{}: late is {late}, not {told}", clean(&row.policy))))
}
