//! What happened and what it cost.

use wire::proof::ProofDoc;
use wire::rest::{JobDoc, SettlementDoc};

use crate::show::table::{Side, Table};
use crate::show::text::clean;

/// The job with its executions and, once it is settled, its settlement.
pub(crate) fn text(job: &JobDoc) -> String {
    let mut text = format!("job        {} {}\nstate      {}", job.id, clean(&job.name), job.state);
    if let (Some(outcome), Some(reason)) = (&job.outcome, &job.reason) {
        text.push_str(&format!(", {outcome}: {}", clean(reason)));
    }
    text.push_str(&format!("\nprogress   {} of {} segments", job.segments_done, job.segments));
    if let Some(what) = &job.waiting_for {
        text.push_str(&format!("\nwaits for  {}", clean(what)));
    }
    if !job.executions.is_empty() {
        text.push_str("\n\n");
        text.push_str(&executions(job));
    }
    if let Some(settlement) = &job.settlement {
        text.push_str("\n\n");
        text.push_str(&money(settlement));
    }
    text
}

fn executions(job: &JobDoc) -> String {
    let mut table = Table::new(&[
        ("attempt", Side::Right),
        ("network", Side::Left),
        ("provider", Side::Left),
        ("region", Side::Left),
        ("$/hour", Side::Right),
        ("state", Side::Left),
        ("segments", Side::Left),
        ("lease", Side::Left),
        ("paid $", Side::Right),
        ("checked", Side::Left),
        ("simulated", Side::Left),
    ]);
    for x in &job.executions {
        let state = match &x.reason {
            Some(reason) => format!("{} ({})", x.state, clean(reason)),
            None => x.state.clone(),
        };
        table.row([
            x.attempt.to_string(),
            clean(&x.network),
            x.provider.as_deref().map_or_else(|| "-".to_owned(), clean),
            x.region.as_deref().map_or_else(|| "unknown".to_owned(), clean),
            x.price_usd_hour.to_string(),
            state,
            format!("{}..{}", x.from_segment, x.to_segment),
            x.lease_state.clone(),
            x.paid_usd.map_or_else(|| "-".to_owned(), |paid| paid.to_string()),
            x.proof.as_ref().map_or_else(String::new, checked),
            if x.simulated { "simulated" } else { "" }.to_owned(),
        ]);
    }
    table.text()
}

/// What came of the check, or why there is none.
fn checked(proof: &ProofDoc) -> String {
    match (&proof.verdict, &proof.reason) {
        (Some(verdict), _) => format!("{verdict}, {} of {} replayed", proof.drawn.len(), proof.segments),
        (None, Some(reason)) => format!("not: {reason}"),
        (None, None) => proof.state.clone(),
    }
}

fn money(settlement: &SettlementDoc) -> String {
    let mut table = Table::new(&[("settlement", Side::Left), ("$", Side::Right), ("", Side::Left)]);
    let mark = if settlement.simulated { "at simulated prices" } else { "" };
    table.row(["paid".to_owned(), settlement.paid_usd.to_string(), mark.to_owned()]);
    table.row([
        "  of that fees".to_owned(),
        settlement.fees_usd.to_string(),
        "networks and validators".to_owned(),
    ]);
    table.row(["refunded".to_owned(), settlement.refunded_usd.to_string(), "held and given back".to_owned()]);
    if settlement.disputed_usd > domain::Usd::ZERO {
        let note = "billed beyond what is owed; not paid".to_owned();
        table.row(["disputed".to_owned(), settlement.disputed_usd.to_string(), note]);
    }
    if let (Some(cloud), Some(source)) = (settlement.cloud_usd, &settlement.cloud_source) {
        table.row([
            "the same seconds on a cloud".to_owned(),
            cloud.to_string(),
            "at a listed price:".to_owned(),
        ]);
        return format!("{}\n  {source}{}", table.text(), on_chain(settlement));
    }
    format!("{}{}", table.text(), on_chain(settlement))
}

fn on_chain(settlement: &SettlementDoc) -> String {
    if settlement.tx.is_empty() {
        return String::new();
    }
    let count = settlement.tx.len();
    let mut text = format!("\non chain   {} units of gas in {count} transactions of ours:", settlement.gas);
    settlement.tx.iter().for_each(|hash| text.push_str(&format!("\n  {}", clean(hash))));
    text
}
