//! What changed between two looks at a job, one line each, in the order of the flow.

use wire::proof::ProofDoc;
use wire::rest::{ExecutionDoc, JobDoc};

use crate::show::text::clean;

/// The lines for whoever watches.
pub(super) fn between(before: Option<&JobDoc>, now: &JobDoc) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(what) = &now.waiting_for
        && before.and_then(|job| job.waiting_for.as_ref()) != Some(what)
    {
        lines.push(format!("waiting   for {}", clean(what)));
    }
    for execution in &now.executions {
        let known = before.and_then(|job| job.executions.iter().find(|x| x.id == execution.id));
        lines.extend(of_execution(known, execution, now));
    }
    if before.is_none_or(|job| job.state != now.state) {
        match (now.state.as_str(), &now.reason) {
            ("ending", Some(reason)) => lines.push(format!("ending    {}", clean(reason))),
            ("settled", _) => {
                lines.push("settled   every lease has ended, the money is posted or returned".to_owned())
            }
            _ => {}
        }
    }
    lines
}

fn of_execution(known: Option<&ExecutionDoc>, now: &ExecutionDoc, job: &JobDoc) -> Vec<String> {
    let mut lines = Vec::new();
    let place = place(now);
    if known.is_none() {
        lines.push(format!(
            "placement attempt {}: {place} at ${}/h{}",
            now.attempt,
            now.price_usd_hour,
            simulated(now)
        ));
    }
    if known.is_none_or(|x| x.lease_state != now.lease_state) {
        match now.lease_state.as_str() {
            "bidding" => lines.push("lease     funded request sent, bids come in".to_owned()),
            "queued" if now.provider.is_some() => {
                lines.push("lease     paid, waits for the provider to accept".to_owned());
            }
            "queued" => lines.push("lease     paid, in line for a provider".to_owned()),
            "live" => lines.push(format!("lease     live: {place} at ${}/h", now.price_usd_hour)),
            _ => {}
        }
    }
    if known.is_none_or(|x| x.state != now.state) {
        let segments = format!("segment {} of {}", now.from_segment, job.segments);
        let reason = now.reason.as_deref().unwrap_or("unknown");
        match now.state.as_str() {
            "running" => {
                let sandbox = now.sandbox.as_deref().unwrap_or("unknown");
                lines.push(format!(
                    "execution attempt {} runs from {segments}, fenced by {sandbox}",
                    now.attempt
                ));
            }
            "lost" => lines.push(format!(
                "lost      attempt {} ({reason}); its work up to segment {} of {} is kept",
                now.attempt, now.to_segment, job.segments
            )),
            "completed" => lines.push(format!("execution attempt {} completed", now.attempt)),
            "failed" => lines.push(format!("execution attempt {} failed: {reason}", now.attempt)),
            _ => {}
        }
    }
    if now.lease_state == "ended" && known.is_none_or(|x| x.lease_state != now.lease_state) {
        lines.push(format!("lease     the end on {} is confirmed", clean(&now.network)));
    }
    if let Some(proof) = &now.proof {
        lines.extend(of_proof(known.and_then(|x| x.proof.as_ref()), proof, now.attempt));
    }
    lines
}

fn of_proof(known: Option<&ProofDoc>, now: &ProofDoc, attempt: u32) -> Vec<String> {
    let mut lines = Vec::new();
    if known.is_none_or(|proof| proof.drawn.is_empty()) && !now.drawn.is_empty() {
        let (drawn, of, validators) = (now.drawn.len(), now.segments, now.validators.len());
        lines.push(format!(
            "checking  attempt {attempt}: {validators} validators run {drawn} of its {of} segments again"
        ));
    }
    if let Some(verdict) = &now.verdict
        && known.is_none_or(|proof| proof.verdict.is_none())
    {
        lines.push(format!("checked   attempt {attempt}: {}", clean(verdict)));
    }
    lines
}

fn place(execution: &ExecutionDoc) -> String {
    let provider = execution.provider.as_deref().map_or("provider to be assigned".to_owned(), clean);
    let region = execution.region.as_deref().map_or("an unknown place".to_owned(), clean);
    format!("{} {provider} in {region}", clean(&execution.network))
}

fn simulated(execution: &ExecutionDoc) -> &'static str {
    if execution.simulated { ", simulated" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Usd;

    #[test]
    fn a_check_is_told_as_it_begins_and_as_it_ends() {
        let proof = |drawn: Vec<u32>, verdict: Option<&str>| ProofDoc {
            state: "open".to_owned(),
            verdict: verdict.map(str::to_owned),
            reason: None,
            root: None,
            leaf_count: None,
            segments: 32,
            drawn,
            validators: Vec::new(),
            seed: None,
            notary_id: None,
            fee_usd: Usd::ZERO,
            slashed_usd: Usd::ZERO,
            compensated_usd: Usd::ZERO,
            miss_probability: None,
        };
        let (asked, drawn) = (proof(Vec::new(), None), proof(vec![0, 7, 31], None));
        let failed = proof(vec![0, 7, 31], Some("failed"));
        let begins = "checking  attempt 2: 0 validators run 3 of its 32 segments again";
        assert_eq!(of_proof(None, &asked, 2), [""; 0]);
        assert_eq!(of_proof(Some(&asked), &drawn, 2), [begins]);
        assert_eq!(of_proof(Some(&drawn), &drawn, 2), [""; 0], "nothing is told twice");
        assert_eq!(of_proof(Some(&drawn), &failed, 2), ["checked   attempt 2: failed"]);
        assert_eq!(
            of_proof(None, &failed, 2),
            [begins, "checked   attempt 2: failed"],
            "who looks late sees both"
        );
    }
}
