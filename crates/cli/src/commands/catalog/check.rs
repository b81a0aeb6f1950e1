//! `waag catalog check`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use wire::catalog::{DUPLICATES_MAX, Entry, Held, Summary, UNKNOWN_GPUS_MAX};

use super::each;
use crate::args::CatalogCheck;
use crate::failure::Done;
use crate::show::Out;
use crate::show::table::{Side, Table};

#[derive(Debug, Serialize)]
pub(super) struct CheckDoc {
    rows: u64,
    listings: u64,
    /// By reason.
    held: BTreeMap<&'static str, u64>,
    /// Names of accelerators that cannot be mapped.
    unknown_gpus: BTreeSet<String>,
    unknown_gpus_complete: bool,
    /// Listings by canonical model.
    models: BTreeMap<&'static str, u64>,
    places_unknown: u64,
    duplicates_complete: bool,
    held_rows: Vec<HeldDoc>,
}

#[derive(Debug, Serialize)]
pub(super) struct HeldDoc {
    line: u64,
    reason: &'static str,
    what: String,
}

pub(super) fn run(args: &CatalogCheck, out: &Out) -> Done {
    let mut shown: Vec<HeldDoc> = Vec::new();
    let summary = each(&args.file, &mut |entry| {
        if let Entry::Held(Held { line, reason, what }) = entry
            && shown.iter().filter(|one| one.reason == reason.code()).count() < args.rows as usize
        {
            shown.push(HeldDoc { line, reason: reason.code(), what });
        }
        true
    })?;
    let document = document(&summary, shown);
    out.either(&document, || text(&document));
    Ok(())
}

pub(super) fn document(summary: &Summary, held_rows: Vec<HeldDoc>) -> CheckDoc {
    CheckDoc {
        rows: summary.rows,
        listings: summary.listings,
        held: summary.held.iter().map(|(reason, n)| (reason.code(), *n)).collect(),
        unknown_gpus: summary.unknown_gpus.clone(),
        unknown_gpus_complete: summary.unknown_gpus.len() < UNKNOWN_GPUS_MAX,
        models: summary.models.clone(),
        places_unknown: summary.places_unknown,
        duplicates_complete: summary.duplicates_complete,
        held_rows,
    }
}

fn text(document: &CheckDoc) -> String {
    let mut text = format!("{} rows, {} listings that can be relied on", document.rows, document.listings);
    text.push_str(&format!("\n{} listings are nowhere we know", document.places_unknown));
    let unknown: Vec<&str> = document.unknown_gpus.iter().map(String::as_str).collect();
    text.push_str(&match unknown[..] {
        [] => "\nevery accelerator is known".to_owned(),
        _ => format!("\n{} accelerators are not known: {}", unknown.len(), unknown.join(", ")),
    });
    if !document.duplicates_complete {
        text.push_str(&format!("\nrepeated listings were looked for among the first {DUPLICATES_MAX}"));
    }
    if document.held.is_empty() {
        return text;
    }
    let mut table = Table::new(&[("held back", Side::Right), ("reason", Side::Left)]);
    for (reason, n) in &document.held {
        table.row([n.to_string(), (*reason).to_owned()]);
    }
    text.push_str(&format!("\n\n{}", table.text()));
    if !document.held_rows.is_empty() {
        let mut table = Table::new(&[("line", Side::Right), ("reason", Side::Left), ("what", Side::Left)]);
        for HeldDoc { line, reason, what } in &document.held_rows {
            table.row([line.to_string(), (*reason).to_owned(), what.clone()]);
        }
        text.push_str(&format!("\n\n{}", table.text()));
    }
    text
}
