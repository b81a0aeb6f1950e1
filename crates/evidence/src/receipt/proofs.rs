//! Draws, findings and verdicts.

use std::collections::BTreeSet;

use domain::{Finding, ProofState, Usd, Verdict};

use super::check::{Place, leaves};
use super::report::{Check, Fault, Report};
use super::{Asked, Checked, Execution, Receipt, Said};
use crate::{Word, committed_result, drawn_segments, verdict};

pub(super) fn check(
    receipt: &Receipt,
    execution: &Execution,
    checked: &Checked,
    at: &Place,
    report: &mut Report,
) {
    let concluded = match checked.state {
        ProofState::Concluded(verdict) => Some(verdict),
        ProofState::Unchecked(_) => None,
        ProofState::Awaited | ProofState::Requested | ProofState::Open => {
            report.must(Check::Verdicts, false, Fault::Proof, at.of("proof.state"), || {
                "a settled job's checks are over".to_owned()
            });
            return;
        }
    };
    // Only where nobody was drawn in time is there a verdict without a draw.
    let complete = match concluded {
        Some(Verdict::Unknown) => checked.asked.is_some(),
        Some(_) => checked.asked.is_some() && checked.seed.is_some(),
        None => checked.said.is_empty() && checked.seed.is_none(),
    };
    report.must(Check::Verdicts, complete, Fault::Proof, at.of("proof"), || {
        "it lacks what its state needs, or has what its state cannot have".to_owned()
    });
    drawn(checked, at, report);
    if let Some(asked) = &checked.asked {
        asked_about(execution, asked, at, report);
    }
    said(execution, checked, at, report);
    results(receipt, execution, checked, at, report);
    if let Some(found) = concluded {
        concluded_by(found, checked, at, report);
    }
}

fn drawn(checked: &Checked, at: &Place, report: &mut Report) {
    let follows = match (&checked.seed, &checked.asked) {
        (Some(seed), Some(asked)) => drawn_segments(seed, asked.segments, asked.sample),
        _ => Vec::new(),
    };
    report.must(Check::Draws, checked.drawn == follows, Fault::Drawn, at.of("proof.drawn"), || {
        "these segments do not follow from the seed".to_owned()
    });
}

fn asked_about(execution: &Execution, asked: &Asked, at: &Place, report: &mut Report) {
    let same = execution.commitment.as_ref().is_some_and(|commitment| {
        (commitment.root, commitment.leaf_count) == (asked.root, asked.leaf_count)
            && commitment.segments() == asked.segments
    });
    report.must(Check::Verdicts, same, Fault::ProofRoot, at.of("proof.root"), || {
        "something else was checked than what was committed to".to_owned()
    });
}

fn said(execution: &Execution, checked: &Checked, at: &Place, report: &mut Report) {
    let names: BTreeSet<String> = checked.said.iter().map(|one| one.validator.to_ascii_lowercase()).collect();
    let distinct = names.len() == checked.said.len();
    let provider = execution.provider.as_ref().is_some_and(|one| names.contains(one.as_str()));
    let whole = |one: &Said| match one.finding {
        Some(Finding::Same | Finding::Differs) => one.result.is_some(),
        Some(Finding::Withheld | Finding::Silent) => true,
        None => false,
    };
    let fits = distinct && !provider && checked.said.iter().all(whole);
    let drawn = checked.said.is_empty() == checked.seed.is_none();
    report.must(Check::Verdicts, fits && drawn, Fault::Validators, at.of("proof.validators"), || {
        "validators are missing or repeated, are the provider itself, or did not say what they must"
            .to_owned()
    });
}

fn results(receipt: &Receipt, execution: &Execution, checked: &Checked, at: &Place, report: &mut Report) {
    let commitment = execution.commitment.as_ref().filter(|one| !one.digests.is_empty());
    let (Some(commitment), Some(asked)) = (commitment, &checked.asked) else { return };
    let leaves = leaves(&receipt.job.hash, execution, commitment);
    let committed = committed_result(&leaves, asked.segments, &checked.drawn);
    for (n, one) in checked.said.iter().enumerate() {
        let holds = match one.finding {
            Some(Finding::Same) => one.result == committed,
            Some(Finding::Differs) => one.result != committed,
            Some(Finding::Withheld | Finding::Silent) | None => continue,
        };
        let field = at.of(&format!("proof.validators[{n}].result"));
        report.must(Check::Verdicts, holds, Fault::Result, field, || {
            "what it computed does not fit what it said of the leaves that were committed to".to_owned()
        });
    }
}

fn concluded_by(found: Verdict, checked: &Checked, at: &Place, report: &mut Report) {
    let word = |one: &Said| Some(Word { finding: one.finding?, result: one.result.unwrap_or_default() });
    let words: Vec<Word> = checked.said.iter().filter_map(word).collect();
    // A canary is the consumer's word, shown to the notary alone.
    let follows = found == Verdict::Canary || verdict(&words) == found;
    report.must(Check::Verdicts, follows, Fault::Verdict, at.of("proof.verdict"), || {
        format!("the findings do not come to {}", found.code())
    });
    let (slashed, compensated) = (checked.slashed, checked.compensated);
    let may = found != Verdict::Passed || slashed == Usd::ZERO;
    let fits = may && !compensated.is_negative() && compensated <= slashed;
    report.must(Check::Money, fits, Fault::Sums, at.of("proof.slashed_usd"), || {
        "a provider that passed loses nothing, and nobody gets more than was taken".to_owned()
    });
}
