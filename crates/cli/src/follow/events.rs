//! What changed between two looks at a job, one line each, in the order of the flow.

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
