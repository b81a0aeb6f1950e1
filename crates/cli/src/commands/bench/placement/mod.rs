//! `waag bench placement`: the best offers for a job among up to a million live ones, on one core, while they change.
//!
//! - `catalog.rs`: offers made up from a seed, or the rows of a price catalogue over and over.
//! - `questions.rs`: the jobs that are placed.
//! - `measure.rs`: times and memory, once brute force has given the same answers.
//! - `peer.rs`, `peer.py`: SkyPilot's optimizer on the same rows.

mod catalog;
mod measure;
mod peer;
mod questions;

use serde::Serialize;

use self::measure::Figures;
use super::limits;
use crate::args::PlacementBench;
use crate::failure::Done;
use crate::show::Out;
use crate::show::table::{Side, Table};

#[derive(Debug, Serialize)]
struct Report {
    sizes: Vec<Figures>,
    questions: usize,
    load_1m: f64,
}

pub(crate) fn run(args: &PlacementBench, out: &Out) -> Done {
    let questions = questions::all()?;
    let rows = args.catalog.as_deref().map(catalog::Rows::read).transpose()?;
    let source = |n, change| match &rows {
        Some(rows) => Ok(rows.offer(n, change)),
        None => catalog::offer(n, change),
    };
    let mut sizes = args.offers.clone();
    // Memory that a larger one has had is not given back.
    sizes.sort_unstable();
    let mut report = Report { sizes: Vec::new(), questions: questions.len(), load_1m: 0.0 };
    for size in sizes {
        out.say(&format!("{size} offers"));
        let mut figures = measure::size(size, &source, &questions)?;
        if let Some(python) = args.peer.as_ref().filter(|_| size <= peer::OFFERS_MAX) {
            figures.peer = Some(peer::beside(python, size, &source)?);
        }
        report.sizes.push(figures);
    }
    report.load_1m = limits::load();
    out.either(&report, || text(&report));
    Ok(())
}

fn text(report: &Report) -> String {
    let columns = [
        ("offers", Side::Right),
        ("decisions/s", Side::Right),
        ("p50 us", Side::Right),
        ("p99 us", Side::Right),
        ("MiB", Side::Right),
        ("with updates/s", Side::Right),
        ("decisions/s", Side::Right),
        ("p50 us", Side::Right),
        ("p99 us", Side::Right),
    ];
    let mut table = Table::new(&columns);
    for one in &report.sizes {
        table.row([
            one.offers.to_string(),
            format!("{:.0}", one.decisions_per_s),
            format!("{:.1}", one.p50_us),
            format!("{:.1}", one.p99_us),
            format!("{:.0}", one.rss_mib),
            format!("{:.0}", one.updating.updates_per_s),
            format!("{:.0}", one.updating.decisions_per_s),
            format!("{:.1}", one.updating.p50_us),
            format!("{:.1}", one.updating.p99_us),
        ]);
    }
    let beside: String = (report.sizes.iter())
        .filter_map(|one| Some((one.offers, one.peer.as_ref()?)))
        .map(|(offers, peer)| {
            format!(
                "{} at {offers} offers: {:.1} decisions/s, p50 {:.0} us, {:.0} MiB; ours of the same jobs, same cheapest prices: {:.0} decisions/s, p50 {:.1} us; {:.0} times as many\n",
                peer.peer, peer.peer_decisions_per_s, peer.peer_p50_us, peer.peer_rss_mib, peer.decisions_per_s, peer.p50_us, peer.ratio,
            )
        })
        .collect();
    format!(
        "{}\n{beside}aims: 50000 decisions/s at 10000 offers, p99 below 200 us at 1000000 with 10000 updates/s, on one core\n{} different jobs, the best 20 offers each, decisions in a second of one core; answers are those of brute force; load {:.1}",
        table.text(),
        report.questions,
        report.load_1m
    )
}
