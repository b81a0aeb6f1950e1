//! The table and the document.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cases::Kind;
use super::check::Check;
use super::measure::{self, Row, Sum};
use super::peer::Speed;
use crate::show::table::{Side, Table};

/// All that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) data: String,
    pub(super) jobs_per_trace: u32,
    pub(super) work_h: f64,
    pub(super) delay_h: f64,
    /// USD for bringing the checkpoint to another zone, in cases whose name does not end in `_free_moves`.
    pub(super) move_usd: f64,
    pub(super) rows: Vec<Shown>,
    /// The prior fitted on this folder, beside the one that ships.
    pub(super) fitted_prior: Fitted,
    pub(super) traces_not_used: Vec<String>,
    pub(super) check: Option<Check>,
    pub(super) speed: Speed,
}

/// Scale in seconds, events and mean exponent of spells with spot (`up`) and without.
#[derive(Debug, Serialize)]
pub(super) struct Fitted {
    pub(super) up: [f64; 3],
    pub(super) down: [f64; 3],
}

/// One kind of case at one deadline. Savings are against on-demand for the work alone.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) case: String,
    pub(super) deadline_h: u32,
    pub(super) traces: usize,
    pub(super) jobs: u32,
    pub(super) saving_pct: BTreeMap<&'static str, f64>,
    /// With all spot time used and no delay: not to be reached.
    pub(super) bound_pct: f64,
    /// The best that the rules allow, known afterwards; moves for nothing.
    pub(super) optimum_pct: Option<f64>,
    /// Share of the way from Uniform Progress to the bound, and to the optimum.
    pub(super) gap_closed_pct: Option<f64>,
    pub(super) gap_to_optimum_closed_pct: Option<f64>,
    pub(super) gap_closed_with_history_pct: Option<f64>,
    pub(super) gap_closed_leave_one_out_pct: Option<f64>,
    /// Late finishes of ours, with and without history.
    pub(super) late: u32,
    pub(super) late_by_policy: BTreeMap<&'static str, u32>,
    pub(super) changeovers: BTreeMap<&'static str, f64>,
    pub(super) moves: BTreeMap<&'static str, f64>,
}

impl Shown {
    pub(super) fn of((kind, deadline_h): (Kind, u32), row: &Row) -> Self {
        let sum = |name: &str| row.policies.get(name).copied();
        let jobs = sum(measure::OURS).map_or(0, |sum| sum.jobs);
        let full_usd = measure::WORK_H * measure::PRICES.on_demand_usd_h * f64::from(jobs);
        let saving = |cost_usd: f64| hundredths(100.0 * (1.0 - cost_usd / full_usd));
        let paced_usd = sum("uniform_progress").map_or(0.0, |sum| sum.cost_usd);
        let closed = |name: &str, to_usd: f64| {
            let ours_usd = sum(name)?.cost_usd;
            let share = 100.0 * (paced_usd - ours_usd) / (paced_usd - to_usd);
            share.is_finite().then(|| hundredths(share))
        };
        let each = |pick: fn(&Sum) -> f64| {
            let mean = |sum: &Sum| hundredths(pick(sum) / f64::from(sum.jobs.max(1)));
            row.policies.iter().map(|(name, sum)| (*name, mean(sum))).collect::<BTreeMap<_, _>>()
        };
        let late_by_policy: BTreeMap<_, _> =
            row.policies.iter().map(|(name, sum)| (*name, sum.late)).collect();
        let ours = [measure::OURS, measure::WITH_HISTORY, measure::LEAVE_ONE_OUT];
        Self {
            case: kind.name(),
            deadline_h,
            traces: row.cases,
            jobs,
            saving_pct: row.policies.iter().map(|(name, sum)| (*name, saving(sum.cost_usd))).collect(),
            bound_pct: saving(row.bound_usd),
            optimum_pct: row.optimum_usd.map(saving),
            gap_closed_pct: closed(measure::OURS, row.bound_usd),
            gap_to_optimum_closed_pct: row.optimum_usd.and_then(|usd| closed(measure::OURS, usd)),
            gap_closed_with_history_pct: closed(measure::WITH_HISTORY, row.bound_usd),
            gap_closed_leave_one_out_pct: closed(measure::LEAVE_ONE_OUT, row.bound_usd),
            late: ours.iter().filter_map(|name| late_by_policy.get(name)).sum(),
            late_by_policy,
            changeovers: each(|sum| sum.changeovers),
            moves: each(|sum| sum.moves),
        }
    }
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

pub(super) fn text(report: &Report) -> String {
    let mut columns = vec![("case", Side::Left), ("jobs", Side::Right), ("deadline", Side::Right)];
    let policies = ["spot_else_od", "greedy", "uniform_progress", measure::OURS, measure::WITH_HISTORY];
    let heads = ["spot else od", "greedy", "uniform", "ours", "with history"];
    columns.extend(heads.map(|head| (head, Side::Right)));
    let left_out = report.rows.iter().any(|row| row.gap_closed_leave_one_out_pct.is_some());
    if left_out {
        columns.push(("left out", Side::Right));
    }
    columns.extend(["best", "bound", "closed", "to best", "late"].map(|head| (head, Side::Right)));
    let mut table = Table::new(&columns);
    let percent = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    for row in &report.rows {
        let mut cells = vec![row.case.clone(), row.jobs.to_string(), format!("{} h", row.deadline_h)];
        cells.extend(policies.iter().map(|name| percent(row.saving_pct.get(name).copied())));
        if left_out {
            cells.push(percent(row.saving_pct.get(measure::LEAVE_ONE_OUT).copied()));
        }
        cells.extend([percent(row.optimum_pct), percent(Some(row.bound_pct))]);
        cells.extend([
            percent(row.gap_closed_pct),
            percent(row.gap_to_optimum_closed_pct),
            row.late.to_string(),
        ]);
        table.row(cells);
    }
    let mut lines = vec![table.text(), String::new(), explained(report)];
    if !report.traces_not_used.is_empty() {
        let names = report.traces_not_used.join(", ");
        lines.push(format!("not used (no GPU, a fleet's size, or too short): {names}"));
    }
    if let Some(check) = &report.check {
        lines.push(format!("{} of {} runs cost what the reference simulator says", check.agree, check.runs));
    }
    let Speed { runs, runs_per_s, peer_runs_per_s, times_as_fast } = &report.speed;
    let mut speed = format!("{runs_per_s:.0} runs/s of the known policies on one thread ({runs} runs)");
    if let (Some(peer), Some(times)) = (peer_runs_per_s, times_as_fast) {
        speed.push_str(&format!(", the peer {peer:.0}: {times:.0} times as fast"));
    }
    lines.push(speed);
    lines.join("\n")
}

fn explained(report: &Report) -> String {
    format!(
        "percent saved against {:.0} h on-demand; best: the cheapest way there was, known afterwards; bound: all spot \
         time used, no delay\nclosed, to best: share of the way from uniform progress to bound and to best; late: \
         finishes of ours after the deadline\n{} jobs per trace, a change costs {} h, moving a checkpoint ${:.2} \
         (nothing with free moves)",
        report.work_h, report.jobs_per_trace, report.delay_h, report.move_usd
    )
}
