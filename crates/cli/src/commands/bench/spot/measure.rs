//! Plays every case at every deadline under every policy.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use policy::spot::{
    Adaptive, Greedy, OnDemand, Plan, Prices, Prior, Run, SHIPPED, SpellPrior, Spells, SpotElseOnDemand,
    Terms, UniformProgress, bound_usd, fit, optimum_usd, run,
};

use super::cases::{self, Case, Kind, Record};
use crate::failure::Done;
use crate::traces::bad;

/// Hours of work, and until the deadlines, and that a change of instance costs: as in the literature.
pub(super) const WORK_H: f64 = 48.0;
pub(super) const DEADLINES_H: [u32; 3] = [53, 60, 80];
pub(super) const DELAY_H: f64 = 0.2;
/// USD per hour of p3.2xlarge, used for every device, as in the literature.
pub(super) const PRICES: Prices = Prices { spot_usd_h: 0.9731, on_demand_usd_h: 3.06 };

/// The known policies, by the names of `baselines_spot.csv`.
pub(super) const KNOWN: [&str; 4] = ["on_demand", "spot_else_od", "greedy", "uniform_progress"];
pub(super) const OURS: &str = "ours";
pub(super) const WITH_HISTORY: &str = "ours_with_history";
pub(super) const LEAVE_ONE_OUT: &str = "ours_leave_one_out";

/// What is added up over the jobs of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sum {
    pub(super) jobs: u32,
    pub(super) late: u32,
    pub(super) cost_usd: f64,
    pub(super) changeovers: f64,
    pub(super) moves: f64,
}

/// One kind of case at one deadline.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) cases: usize,
    pub(super) policies: HashMap<&'static str, Sum>,
    pub(super) bound_usd: f64,
    /// None as soon as one job has none.
    pub(super) optimum_usd: Option<f64>,
}

/// Plays one known policy; None for a name that is not one.
pub(super) fn known(name: &str, zones: &[&[bool]], terms: &Terms) -> Option<Run> {
    match name {
        "on_demand" => Some(run(zones, terms, &mut OnDemand)),
        "spot_else_od" => Some(run(zones, terms, &mut SpotElseOnDemand)),
        "greedy" => Some(run(zones, terms, &mut Greedy)),
        "uniform_progress" => Some(run(zones, terms, &mut UniformProgress)),
        _ => None,
    }
}

pub(super) fn terms(tick_s: f64, work_h: f64, deadline_h: f64, delay_h: f64) -> Done<Terms> {
    Terms::new(tick_s, work_h * 3600.0, deadline_h * 3600.0, delay_h * 3600.0, PRICES)
        .map_err(|error| bad("a job of the file cannot be".to_owned()).why(error).next("mend the file"))
}

/// What is measured.
pub(super) struct Bench<'a> {
    pub(super) traces: &'a [Record],
    pub(super) starts: u32,
    pub(super) move_usd: f64,
    pub(super) leave_one_out: bool,
}

impl Bench<'_> {
    /// All rows, on as many threads as the machine has cores.
    pub(super) fn rows(&self, cases: &[Case]) -> Done<Vec<((Kind, u32), Row)>> {
        let mut work: Vec<(&Case, u32)> = Vec::new();
        for deadline_h in DEADLINES_H {
            work.extend(cases.iter().map(|case| (case, deadline_h)));
        }
        // Neighbours share a plan, so a thread that keeps its last one seldom solves anew.
        let tick =
            |case: &Case| case.zones.first().and_then(|at| self.traces.get(*at)).map(|t| t.tick_s.to_bits());
        work.sort_by_key(|(case, deadline_h)| (*deadline_h, tick(case), case.zones.len(), case.kind));
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
                scope.spawn(|| {
                    let mut plans = Plans::default();
                    while let Some((case, deadline_h)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let row = self.row(case, *deadline_h, &mut plans);
                        if let Ok(mut done) = done.lock() {
                            done.push((case.kind, *deadline_h, case.zones.clone(), row));
                        }
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_default();
        // Sums of fractions depend on the order.
        done.sort_by(|one, other| (one.0, one.1, &one.2).cmp(&(other.0, other.1, &other.2)));
        let mut rows: Vec<((Kind, u32), Row)> = Vec::new();
        for (kind, deadline_h, _, row) in done {
            let row = row?;
            match rows.last_mut().filter(|(key, _)| *key == (kind, deadline_h)) {
                Some((_, sum)) => sum.add(row),
                None => rows.push(((kind, deadline_h), row)),
            }
        }
        Ok(rows)
    }

    fn row(&self, case: &Case, deadline_h: u32, plans: &mut Plans) -> Done<Row> {
        let traces: Vec<&Record> = case.zones.iter().filter_map(|at| self.traces.get(*at)).collect();
        let tick_s = traces.first().map_or(1.0, |trace| trace.tick_s);
        let move_usd = if case.kind.moves_cost() { self.move_usd } else { 0.0 };
        let terms = terms(tick_s, WORK_H, f64::from(deadline_h), DELAY_H)?;
        let terms = terms.with_move_usd(move_usd).unwrap_or(terms);
        let plan = plans.get(terms, traces.len());
        let others = self.leave_one_out.then(|| {
            let prior = self.prior_without(&case.zones);
            (Plan::new(terms, prior, traces.len()), prior)
        });
        let mut row = Row { cases: 1, optimum_usd: Some(0.0), ..Row::default() };
        for start in cases::starts(&traces, self.starts) {
            let end = start + cases::ticks_needed(tick_s);
            let zones: Vec<&[bool]> =
                traces.iter().map(|trace| trace.up.get(start..end).unwrap_or(&[])).collect();
            for name in KNOWN {
                if let Some(run) = known(name, &zones, &terms) {
                    row.count(name, run, &terms);
                }
            }
            row.count(OURS, play(plan, SHIPPED, &zones, &[]), &terms);
            let before: Vec<&[bool]> =
                traces.iter().map(|trace| trace.up.get(..start).unwrap_or(&[])).collect();
            row.count(WITH_HISTORY, play(plan, SHIPPED, &zones, &before), &terms);
            if let Some((plan, prior)) = &others {
                row.count(LEAVE_ONE_OUT, play(plan, *prior, &zones, &[]), &terms);
            }
            let any = any_up(&zones);
            row.bound_usd += bound_usd(&any, &terms);
            row.optimum_usd = row.optimum_usd.zip(optimum_usd(&any, &terms)).map(|(sum, one)| sum + one);
        }
        Ok(row)
    }

    /// The prior that the other traces make most likely. Zones of one group share their days, so all of a case's are out.
    fn prior_without(&self, left_out: &[usize]) -> Prior {
        let others = self.traces.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
        let used: Vec<&Record> =
            others.map(|(_, trace)| trace).filter(|trace| cases::is_used(trace)).collect();
        let (up, down) = fitted(&used);
        Prior { up, down, ..SHIPPED }
    }
}

/// The most likely priors of spells with spot and without.
pub(super) fn fitted(traces: &[&Record]) -> (SpellPrior, SpellPrior) {
    let spells: Vec<Spells> = traces.iter().map(|trace| Spells::of(&trace.up, trace.tick_s)).collect();
    let of = |pick: fn(&Spells) -> &[f64]| fit(&spells.iter().map(pick).collect::<Vec<_>>());
    (of(|spells| &spells.up_s), of(|spells| &spells.down_s))
}

/// Ours, after it saw what came `before` the job's start.
fn play(plan: &Plan, prior: Prior, zones: &[&[bool]], before: &[&[bool]]) -> Run {
    let mut policy = Adaptive::new(plan, prior, zones.len());
    let mut up = vec![false; zones.len()];
    for tick in 0..before.first().map_or(0, |zone| zone.len()) {
        for (up, zone) in up.iter_mut().zip(before) {
            *up = zone.get(tick).copied().unwrap_or(false);
        }
        policy.see(&up);
    }
    run(zones, plan.terms(), &mut policy)
}

pub(super) fn any_up(zones: &[&[bool]]) -> Vec<bool> {
    let ticks = zones.iter().map(|zone| zone.len()).max().unwrap_or(0);
    (0..ticks).map(|tick| zones.iter().any(|zone| zone.get(tick) == Some(&true))).collect()
}

/// The last plan that was made, which the next case often shares.
#[derive(Default)]
struct Plans {
    last: Option<(usize, Plan)>,
}

impl Plans {
    fn get(&mut self, terms: Terms, zones: usize) -> &Plan {
        let kept = self.last.take().filter(|(n, plan)| *n == zones && *plan.terms() == terms);
        let (_, plan) = self.last.insert(kept.unwrap_or_else(|| (zones, Plan::new(terms, SHIPPED, zones))));
        plan
    }
}

impl Row {
    fn count(&mut self, name: &'static str, run: Run, terms: &Terms) {
        let sum = self.policies.entry(name).or_default();
        sum.jobs += 1;
        sum.late += u32::from(run.is_late(terms));
        sum.cost_usd += run.cost_usd;
        sum.changeovers += f64::from(run.changeovers);
        sum.moves += f64::from(run.moves);
    }

    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.bound_usd += other.bound_usd;
        self.optimum_usd = self.optimum_usd.zip(other.optimum_usd).map(|(one, other)| one + other);
        for (name, more) in other.policies {
            let sum = self.policies.entry(name).or_default();
            sum.jobs += more.jobs;
            sum.late += more.late;
            sum.cost_usd += more.cost_usd;
            sum.changeovers += more.changeovers;
            sum.moves += more.moves;
        }
    }
}
