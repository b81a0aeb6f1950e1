//! The tables.

use super::{Asked, Checkpoints, Prices, Report};
use crate::commands::bench::forecast::availability::Question;
use crate::show::table::{Side, Table};

pub(super) fn text(report: &Report) -> String {
    let mut parts = Vec::new();
    if let Some(asked) = &report.availability {
        for (question, title) in
            [(Question::UpThroughout, "Up throughout the next h hours"), (Question::UpAt, "Up in h hours")]
        {
            parts.push(format!(
                "{title}: Brier score and log loss, less is better\n\n{}",
                scores(asked, question)
            ));
        }
    }
    if let Some(checkpoints) = &report.checkpoints {
        parts.push(format!(
            "Lost work and checkpoints, % of the time up, spot traces\n\n{}",
            wasted(checkpoints)
        ));
    }
    if let Some(lifetimes) = &report.lifetimes {
        parts.push(format!("The same, single machines held until lost\n\n{}", wasted(lifetimes)));
    }
    if let Some(prices) = &report.prices {
        parts.push(format!("Spot prices: mean errors, in %, beside \"as now\"\n\n{}", errors(prices)));
        parts.push(waiting(prices));
    }
    if !report.skipped.is_empty() {
        parts.push(format!("Left out:\n{}", report.skipped.join("\n")));
    }
    let scored = format!(
        "{}: scored after the first {:.0} % of each trace, on what was seen before each forecast",
        report.data,
        report.teach_only * 100.0
    );
    parts.push(scored);
    parts.join("\n\n")
}

fn scores(asked: &[Asked], question: Question) -> String {
    let mut table = Table::new(&[
        ("hours", Side::Right),
        ("brier", Side::Right),
        ("persistence", Side::Right),
        ("learned", Side::Right),
        ("zone mean", Side::Right),
        ("log loss", Side::Right),
        ("persistence", Side::Right),
        ("learned", Side::Right),
        ("zone mean", Side::Right),
        ("forecasts", Side::Right),
        ("traces won", Side::Right),
    ]);
    for asked in asked.iter().filter(|asked| asked.question == question) {
        let brier = asked.told.iter().map(|told| format!("{:.4}", told.brier));
        let log_loss = asked.told.iter().map(|told| format!("{:.4}", told.log_loss));
        let won = format!("{} of {}", asked.traces_won, asked.traces);
        table.row(
            [asked.hours.to_string()]
                .into_iter()
                .chain(brier)
                .chain(log_loss)
                .chain([asked.forecasts.to_string(), won]),
        );
    }
    table.text()
}

fn wasted(checkpoints: &Checkpoints) -> String {
    let mut table = Table::new(&[
        ("checkpoint, min", Side::Right),
        ("ours", Side::Right),
        ("young", Side::Right),
        ("daly", Side::Right),
        ("best fixed", Side::Right),
        ("ours: lost", Side::Right),
        ("saving", Side::Right),
        ("young: lost", Side::Right),
        ("saving", Side::Right),
        ("up, h", Side::Right),
        ("beats young", Side::Right),
    ]);
    for row in &checkpoints.rows {
        let percent = |part: f64, whole: f64| format!("{:.1}", 100.0 * part / whole);
        let wasted = row.rules.iter().map(|rule| percent(rule.wasted, 1.0));
        let parts = row.rules.iter().take(2).flat_map(|rule| {
            let spent = &rule.spent;
            [percent(spent.lost_h, spent.up_h), percent(spent.saving_h, spent.up_h)]
        });
        let up = row.rules.first().map_or(0.0, |rule| rule.spent.up_h);
        let won = format!("{} of {}", row.traces_won, row.traces);
        table.row(
            [row.cost_min.to_string()]
                .into_iter()
                .chain(wasted)
                .chain(parts)
                .chain([format!("{up:.0}"), won]),
        );
    }
    table.text()
}

fn errors(prices: &Prices) -> String {
    let mut table = Table::new(&[
        ("hours", Side::Right),
        ("relative", Side::Right),
        ("as now", Side::Right),
        ("log", Side::Right),
        ("as now", Side::Right),
        ("log, rms", Side::Right),
        ("as now", Side::Right),
        ("direction", Side::Right),
        ("constant", Side::Right),
        ("moves", Side::Right),
        ("forecasts", Side::Right),
    ]);
    for row in &prices.errors {
        let percent = |value: f64| format!("{:.3}", value * 100.0);
        let errors = [row.relative, row.log, row.log_rms].into_iter().flatten().map(percent);
        let direction = [row.direction, row.direction_constant].map(|value| format!("{:.1}", value * 100.0));
        table.row(
            [row.hours.to_string()]
                .into_iter()
                .chain(errors)
                .chain(direction)
                .chain([row.moves.to_string(), row.forecasts.to_string()]),
        );
    }
    table.text()
}

fn waiting(prices: &Prices) -> String {
    let waiting = &prices.waiting;
    format!(
        "A run of 26 h that may start up to 3 days late, cost beside starting now, mean of {} starts: waiting by the \
         forecast saves {:.2} % (it waits in {:.1} %), always waiting to the end {:.2} %, the best start in hindsight {:.2} %",
        waiting.starts,
        waiting.by_forecast * 100.0,
        waiting.waited * 100.0,
        waiting.to_the_end * 100.0,
        waiting.hindsight * 100.0
    )
}
