//! `waag proof`: how the work of a job was checked.

use wire::proof::{DrawnDoc, ExecutionProofDoc, ProofDoc, ProofsDoc};

use super::Session;
use crate::failure::Done;
use crate::show::table::{Side, Table};
use crate::show::text::clean;

pub(crate) async fn run(session: &Session<'_>, job: &str) -> Done {
    let doc = session.client.job_proof(job).await?;
    session.out.either(&doc, || text(&doc));
    session.out.next(&format!("waag receipt {} -o receipt.json", doc.job));
    Ok(())
}

fn text(doc: &ProofsDoc) -> String {
    let mut text = format!("job  {} {}", doc.job, clean(&doc.name));
    if doc.executions.is_empty() {
        text.push_str("\n\nnothing ran yet");
    }
    for execution in &doc.executions {
        text.push_str("\n\n");
        text.push_str(&one(execution));
    }
    text
}

fn one(execution: &ExecutionProofDoc) -> String {
    let mut table = Table::new(&[(&format!("attempt {}", execution.attempt), Side::Left), ("", Side::Left)]);
    let provider = execution.provider.as_deref().map_or_else(|| "provider unknown".to_owned(), clean);
    let mark = if execution.simulated { ", simulated" } else { "" };
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("on", format!("{} ({provider}){mark}", clean(&execution.network)));
    let (from, to) = (execution.from_segment, execution.to_segment);
    row("work", format!("segments {from}..{to}, {}", clean(&execution.state)));
    match &execution.proof {
        None => row("checked", "not decided yet".to_owned()),
        Some(proof) => checked(proof, &mut row),
    }
    table.text()
}

fn checked(proof: &ProofDoc, row: &mut impl FnMut(&str, String)) {
    let came_to = match (&proof.verdict, &proof.reason) {
        (Some(verdict), _) => format!("verdict {}", clean(verdict)),
        (None, Some(reason)) => format!("{} ({})", clean(&proof.state), clean(reason)),
        (None, None) => clean(&proof.state),
    };
    row("checked", came_to);
    if let (Some(root), Some(leaves)) = (&proof.root, proof.leaf_count) {
        row("commitment", format!("{} over {leaves} leaves", clean(root)));
    }
    if !proof.drawn.is_empty() {
        let drawn: Vec<String> = proof.drawn.iter().map(u32::to_string).collect();
        row("replayed", format!("{} of {} segments: {}", drawn.len(), proof.segments, drawn.join(", ")));
    }
    for validator in &proof.validators {
        row("validator", said(validator));
    }
    row("fee", format!("${}", proof.fee_usd));
    if proof.slashed_usd > domain::Usd::ZERO {
        row("slashed", format!("${}, of that ${} to us", proof.slashed_usd, proof.compensated_usd));
    }
    if let Some(miss) = proof.miss_probability {
        let chance = if miss > 0.0 { format!("{miss:.2e}") } else { "none".to_owned() };
        row("chance of a miss", format!("{chance} if half of its segments were faked"));
    }
}

fn said(validator: &DrawnDoc) -> String {
    let finding = validator.finding.as_deref().map_or_else(|| "has yet to speak".to_owned(), clean);
    format!("{}  {finding}", clean(&validator.validator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{JobId, Usd};

    fn doc(proof: Option<ProofDoc>) -> ProofsDoc {
        let execution = ExecutionProofDoc {
            attempt: 1,
            network: "waag".to_owned(),
            provider: Some("0xab\u{1b}[31m".to_owned()),
            state: "completed".to_owned(),
            from_segment: 0,
            to_segment: 32,
            simulated: true,
            proof,
        };
        ProofsDoc { job: JobId::from_bytes([1; 10]), name: "train".to_owned(), executions: vec![execution] }
    }

    #[test]
    fn what_was_checked_is_shown_with_what_may_be_missed() {
        let said = |finding: Option<&str>| DrawnDoc {
            validator: "0xcd".to_owned(),
            finding: finding.map(str::to_owned),
            result: None,
        };
        let proof = ProofDoc {
            state: "concluded".to_owned(),
            verdict: Some("failed".to_owned()),
            reason: None,
            root: Some("0x12".to_owned()),
            leaf_count: Some(34),
            segments: 32,
            drawn: vec![0, 7, 31],
            validators: vec![said(Some("differs")), said(None)],
            seed: None,
            notary_id: None,
            fee_usd: Usd::from_micros(120_000),
            slashed_usd: Usd::from_micros(2_000_000),
            compensated_usd: Usd::from_micros(500_000),
            miss_probability: Some(0.000_123_4),
        };
        let text = text(&doc(Some(proof)));
        for part in [
            "waag (0xab\\u{1b}[31m), simulated",
            "segments 0..32, completed",
            "verdict failed",
            "0x12 over 34 leaves",
            "3 of 32 segments: 0, 7, 31",
            "0xcd  differs",
            "0xcd  has yet to speak",
            "$0.12",
            "$2.00, of that $0.50 to us",
            "1.23e-4 if half of its segments were faked",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(super::text(&doc(None)).contains("not decided yet"));
    }
}
