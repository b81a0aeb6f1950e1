//! `waag bench forecast`: how good the forecasts of `policy::learning` are, on recorded traces.
//!
//! History is played in the order of time; what is forecast is scored only after the first share of each trace, so
//! that every rival has a past to learn from.
//!
//! - `availability.rs`: is it up in h hours, and throughout?
//! - `checkpoint.rs`: what checkpoint rules lose and cost.
//! - `price.rs`: where prices go, and what waiting saves.
//! - `text.rs`: the tables.

mod availability;
mod checkpoint;
mod price;
mod text;

use policy::learning::availability::Prior;
use policy::learning::score::Scores;
use serde::Serialize;

use crate::args::ForecastBench;
use crate::failure::Done;
use crate::show::Out;
use crate::traces::{self, Trace};

/// The size of a fleet is not whether a launch would succeed, so traces of this kind are left out.
const FLEET: &str = "fleet";

#[derive(Debug, Serialize)]
struct Report {
    data: String,
    /// Of each trace, so much only taught.
    teach_only: f64,
    /// What was not there or not used, and why.
    skipped: Vec<String>,
    availability: Option<Vec<Asked>>,
    checkpoints: Option<Checkpoints>,
    /// Of machines that were held until lost.
    lifetimes: Option<Checkpoints>,
    prices: Option<Prices>,
}

/// One question at one horizon, over all traces.
#[derive(Debug, Serialize)]
struct Asked {
    question: availability::Question,
    hours: f64,
    forecasts: u64,
    told: Vec<Told>,
    traces: usize,
    /// Traces on which our Brier score is no worse than that of each rival.
    traces_won: usize,
}

#[derive(Debug, Serialize)]
struct Told {
    by: availability::Forecaster,
    brier: f64,
    log_loss: f64,
}

#[derive(Debug, Serialize)]
struct Checkpoints {
    rows: Vec<CheckpointRow>,
}

#[derive(Debug, Serialize)]
struct CheckpointRow {
    cost_min: f64,
    rules: Vec<RuleRow>,
    traces: usize,
    /// Traces on which ours wastes no more than Young's.
    traces_won: usize,
}

#[derive(Debug, Serialize)]
struct RuleRow {
    rule: checkpoint::Rule,
    #[serde(flatten)]
    spent: checkpoint::Spent,
    /// Lost work and checkpoints, as a share of the time up.
    wasted: f64,
}

#[derive(Debug, Serialize)]
struct Prices {
    errors: Vec<price::Errors>,
    waiting: price::Waiting,
}

pub(super) fn run(bench: &ForecastBench, out: &Out) -> Done {
    let root = traces::root(&bench.data)?;
    let (prior, share) = (Prior::default(), bench.teach_only);
    let mut report = Report {
        data: bench.data.display().to_string(),
        teach_only: share,
        skipped: Vec::new(),
        availability: None,
        checkpoints: None,
        lifetimes: None,
        prices: None,
    };
    let skipped = &mut report.skipped;
    if let Some(mut all) = found(traces::traces(&root)?, "spot/index.csv or spot/intervals.csv.gz", skipped) {
        let fleets: Vec<Trace> = all.extract_if(.., |trace| trace.about.kind == FLEET).collect();
        skipped.extend(fleets.iter().map(|trace| format!("{}: the size of a fleet", trace.about.trace_id)));
        report.availability = Some(asked(&availability::score(&all, prior, share)));
        report.checkpoints = Some(rows(&checkpoint::traces(&all, prior, share)));
    }
    if let Some(lives) = found(traces::lifetimes(&root)?, "spot/lifetimes_2020.csv", skipped) {
        report.lifetimes = Some(rows(&[checkpoint::lifetimes(&lives, prior, share)]));
    }
    if let Some(changes) = found(traces::prices(&root)?, "price_history/aws_spot_changes.csv.gz", skipped) {
        let (errors, waiting) = price::score(&changes, share);
        report.prices = Some(Prices { errors, waiting });
    }
    out.either(&report, || text::text(&report));
    Ok(())
}

fn found<T>(part: Option<T>, name: &str, skipped: &mut Vec<String>) -> Option<T> {
    if part.is_none() {
        skipped.push(format!("{name}: not there"));
    }
    part
}

fn asked(grids: &[availability::Grid]) -> Vec<Asked> {
    let mut all = Vec::new();
    for (q, question) in availability::QUESTIONS.into_iter().enumerate() {
        for (h, hours) in availability::HORIZONS_H.into_iter().enumerate() {
            let scored: Vec<_> =
                grids.iter().map(|grid| &grid[q][h]).filter(|of| of[0].count() > 0).collect();
            let mut sums = [Scores::default(); availability::FORECASTERS.len()];
            for of in &scored {
                sums.iter_mut().zip(of.iter()).for_each(|(sum, scores)| sum.merge(scores));
            }
            let won = |of: &&&[Scores; 4]| of.iter().all(|rival| of[0].brier() <= rival.brier());
            let told = availability::FORECASTERS
                .into_iter()
                .zip(sums)
                .filter_map(|(by, sum)| Some(Told { by, brier: sum.brier()?, log_loss: sum.log_loss()? }));
            all.push(Asked {
                question,
                hours,
                forecasts: sums[0].count(),
                told: told.collect(),
                traces: scored.len(),
                traces_won: scored.iter().filter(won).count(),
            });
        }
    }
    all
}

fn rows(tables: &[checkpoint::Table]) -> Checkpoints {
    let lived: Vec<&checkpoint::Table> = tables.iter().filter(|table| table[0][0].up_h > 0.0).collect();
    let row = |(c, cost_min): (usize, f64)| {
        let rules = checkpoint::RULES.into_iter().enumerate().map(|(r, rule)| {
            let mut spent = checkpoint::Spent::default();
            lived.iter().for_each(|table| spent.add(&table[c][r]));
            RuleRow { rule, spent, wasted: spent.wasted() }
        });
        let won = |table: &&&checkpoint::Table| table[c][0].wasted() <= table[c][1].wasted();
        let traces_won = lived.iter().filter(won).count();
        CheckpointRow { cost_min, rules: rules.collect(), traces: lived.len(), traces_won }
    };
    Checkpoints { rows: checkpoint::COSTS_MIN.into_iter().enumerate().map(row).collect() }
}
