//! What the demo says at its beginning and in its end.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use domain::Usd;
use serde::Serialize;
use serde_json::{Value, json};
use wire::rest::{ExecutionDoc, JobDoc, OffersDoc};

use super::Ending;
use crate::failure::Done;
use crate::follow::report;
use crate::plane::Plane;
use crate::show::Out;
use crate::show::text::short;

pub(super) fn started(out: &Out, plane: &Plane, data: &Path, started: Instant) {
    let networks: Vec<&str> = plane.sims.keys().map(|name| name.as_str()).collect();
    out.say(&format!(
        "{:>8} an embedded market is up: {} (simulated: providers, prices, places; real: agents, sandboxes, work)",
        short(started.elapsed()),
        networks.join(", ")
    ));
    if let (Some(market), Some(rpc)) = (&plane.market, &plane.endpoint.chain) {
        out.say(&format!(
            "         our own market {} on an embedded chain, http://{rpc}, with a provider of its own (test dollars)",
            market.deployed.market
        ));
    }
    out.say(&format!("         api http://{}, data {}", plane.endpoint.api, data.display()));
}

pub(super) fn ending(out: &Out, ranked: &OffersDoc, ending: &Ending, data: &Path, started: Instant) -> Done {
    let elapsed = started.elapsed();
    if out.json {
        out.document(&document(ranked, ending, data, elapsed)?);
        return Ok(());
    }
    out.answer(&format!("\n{}\n", report::text(&ending.job)));
    out.answer(&format!("accuracy   {} of the test part", ending.accuracy));
    out.answer(&format!("audit log  verified, {} records", ending.records));
    let receipt = &ending.receipt;
    let gaps = receipt.report.unproven.len();
    out.answer(&format!("receipt    verified, {gaps} things remain unproven: {}", receipt.file.display()));
    out.answer(&format!("\n{}\n", ending.cheated.text()));
    out.answer(&format!("outputs    {}", ending.outputs.display()));
    out.answer(&format!("data       {} (kept)", data.display()));
    out.answer(&format!("took       {}", short(elapsed)));
    out.next(&format!(
        "waag up --data {0}, then in another shell: waag explain {1} --data {0}",
        data.display(),
        ending.job.id
    ));
    Ok(())
}

#[derive(Serialize)]
struct ExecutionLine<'a> {
    network: &'a str,
    provider: Option<&'a str>,
    region: Option<&'a str>,
    outcome: &'a str,
    reason: Option<&'a str>,
    from_segment: u32,
    to_segment: u32,
    paid_usd: Option<Usd>,
    verdict: &'a str,
    simulated: bool,
}

fn document(ranked: &OffersDoc, ending: &Ending, data: &Path, elapsed: Duration) -> Done<Value> {
    let job = &ending.job;
    let executions: Vec<ExecutionLine<'_>> = job
        .executions
        .iter()
        .map(|x| ExecutionLine {
            network: &x.network,
            provider: x.provider.as_deref(),
            region: x.region.as_deref(),
            outcome: &x.state,
            reason: x.reason.as_deref(),
            from_segment: x.from_segment,
            to_segment: x.to_segment,
            paid_usd: x.paid_usd,
            verdict: verdict(x),
            simulated: x.simulated,
        })
        .collect();
    let settlement = job.settlement.as_ref().context("a settled job has a settlement")?;
    Ok(json!({
        "proof": proof(job),
        "audit": { "verified": true, "records": ending.records },
        "receipt": {
            "verified": ending.receipt.report.verified,
            "file": ending.receipt.file,
            "unproven": ending.receipt.report.unproven,
        },
        "cheater": ending.cheated.document(),
        "job": {
            "id": job.id, "name": job.name, "state": job.state, "outcome": job.outcome,
            "accuracy": ending.accuracy, "segments": job.segments,
        },
        "offers": ranked.offers,
        "executions": executions,
        "settlement": settlement,
        "outputs": ending.outputs,
        "data": data,
        "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    }))
}

/// What validators said of an execution's work, or why there is nothing.
pub(super) fn verdict(execution: &ExecutionDoc) -> &str {
    let Some(proof) = &execution.proof else { return "unknown" };
    proof.verdict.as_deref().or(proof.reason.as_deref()).unwrap_or(&proof.state)
}

/// Verdicts from the worst to the best.
const VERDICTS: [&str; 3] = ["failed", "disputed", "passed"];

/// Over all executions of a job: the worst verdict, and the chance of missing a cheat where it is greatest.
pub(super) fn proof(job: &JobDoc) -> Value {
    let proofs = || job.executions.iter().filter_map(|x| x.proof.as_ref());
    let said: BTreeSet<&str> = job.executions.iter().map(verdict).collect();
    let other = said.iter().copied().find(|verdict| !VERDICTS.contains(verdict));
    let worst = VERDICTS.into_iter().take(2).find(|verdict| said.contains(verdict)).or(other);
    let validators: BTreeSet<&str> =
        proofs().flat_map(|proof| proof.validators.iter().map(|one| one.validator.as_str())).collect();
    json!({
        "verdict": worst.unwrap_or("passed"),
        "segments_replayed": proofs().map(|proof| proof.drawn.len()).sum::<usize>(),
        "validators": validators,
        "miss_probability": proofs().filter_map(|proof| proof.miss_probability).fold(0.0, f64::max),
        "fee_usd": proofs().map(|proof| proof.fee_usd).sum::<Usd>(),
    })
}
