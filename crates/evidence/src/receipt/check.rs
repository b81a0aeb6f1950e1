//! What follows from something else, computed again.

use domain::{ExecutionState, Outcome, Usd};

use super::chain::{Link, link};
use super::report::{Check, Fault, Report};
use super::{Commitment, Execution, Receipt, proofs, unproven};
use crate::{Leaf, Tree, commitment_digest, delegation_digest, job_hash, job_terms};

/// Whose signature of a digest this is, as an address; `None` where it is nobody's.
pub type Recover<'a> = &'a dyn Fn(&[u8; 32], &[u8; 65]) -> Option<[u8; 20]>;

/// Checks all that a receipt says against itself, and lists what it does not prove. `listed` is what it says itself that it
/// does not prove: code and attempt of each.
pub fn check(receipt: &Receipt, listed: &[(String, Option<u32>)], recover: Recover<'_>, report: &mut Report) {
    let job = &receipt.job;
    report.must(
        Check::Job,
        job_hash(&job_terms(job.id, &job.spec), &job.bundle) == job.hash,
        Fault::JobHash,
        "body.job.job_hash",
        || "it does not follow from the job's id, specification and bundle".to_owned(),
    );
    attempts(receipt, report);
    for (n, execution) in receipt.executions.iter().enumerate() {
        let at = Place { field: format!("body.executions[{n}]") };
        segments(receipt, execution, &at, report);
        if let Some(commitment) = &execution.commitment {
            committed(receipt, execution, commitment, &at, report);
            signed(execution, commitment, recover, &at, report);
        }
        if execution.started_at.is_some() {
            report.must(
                Check::States,
                link(receipt, n) != Link::Broken,
                Fault::Unchained,
                at.of("from_segment"),
                || {
                    format!(
                        "attempt {} goes on from a state with which no earlier one ended",
                        execution.attempt
                    )
                },
            );
        }
        if let Some(checked) = &execution.checked {
            proofs::check(receipt, execution, checked, &at, report);
        }
        paid(execution, &at, report);
    }
    money(receipt, report);
    report.unproven = unproven(receipt);
    let found = report.unproven.iter().map(|one| (one.gap.code().to_owned(), one.attempt));
    let same = found.eq(listed.iter().cloned());
    report.must(Check::Unproven, same, Fault::Unproven, "body.unproven", || {
        "the list of what is not proven is not the one that follows from the rest".to_owned()
    });
}

/// Where an execution stands in the document.
pub(super) struct Place {
    field: String,
}

impl Place {
    pub(super) fn of(&self, field: &str) -> String {
        format!("{}.{field}", self.field)
    }
}

fn attempts(receipt: &Receipt, report: &mut Report) {
    let numbered = (1..).zip(&receipt.executions).all(|(n, execution)| execution.attempt == n);
    report.must(Check::Attempts, numbered, Fault::Attempts, "body.executions", || {
        "attempts are missing, repeated or out of order".to_owned()
    });
    let over = receipt.executions.iter().all(|execution| !execution.state.is_open());
    report.must(Check::Attempts, over, Fault::Attempts, "body.executions", || {
        "an attempt is not over".to_owned()
    });
    let last = receipt.executions.last().map(|execution| execution.state);
    let refuted = |one: &Execution| one.checked.as_ref().is_some_and(|checked| checked.refuted());
    let fits = match (&receipt.job.outcome, last) {
        (Outcome::Completed, last) => last == Some(ExecutionState::Completed),
        (Outcome::Failed(reason), last) => last == Some(ExecutionState::Failed(*reason)),
        // An attempt that failed by itself ends the job in that way and no other, and so does one that completed, unless some
        // work was refuted afterwards.
        (_, Some(ExecutionState::Failed(_))) => false,
        (_, Some(ExecutionState::Completed)) => receipt.executions.iter().any(refuted),
        _ => true,
    };
    report.must(Check::Attempts, fits, Fault::Outcome, "body.job.outcome", || {
        format!(
            "the job is said to be {}, which is not how its last attempt ended",
            receipt.job.outcome.code()
        )
    });
}

fn segments(receipt: &Receipt, execution: &Execution, at: &Place, report: &mut Report) {
    let (from, to) = (execution.from, execution.to);
    // A provider may stand by more than it ever told; then nothing of it is known, and that is listed.
    let told = execution.commitment.as_ref().filter(|commitment| !commitment.digests.is_empty());
    let covered = told.map_or(0, Commitment::segments);
    let fits = from <= to && to <= receipt.job.segments && covered <= to.saturating_sub(from);
    report.must(Check::Attempts, fits, Fault::Segments, at.of("to_segment"), || {
        let of = receipt.job.segments;
        format!("{from} to {to} of {of} segments, of which {covered} are committed to, is no range")
    });
}

fn committed(
    receipt: &Receipt,
    execution: &Execution,
    commitment: &Commitment,
    at: &Place,
    report: &mut Report,
) {
    let fits = commitment.leaf_count > u32::from(commitment.outputs);
    report.must(Check::Commitments, fits, Fault::Leaves, at.of("commitment.leaf_count"), || {
        "a commitment has a leaf for the state that it begins with".to_owned()
    });
    if commitment.digests.is_empty() {
        return;
    }
    let count = u32::try_from(commitment.digests.len()).unwrap_or(u32::MAX);
    report.must(
        Check::Commitments,
        count == commitment.leaf_count,
        Fault::Leaves,
        at.of("commitment.digests"),
        || format!("{count} digests are not {} leaves", commitment.leaf_count),
    );
    let mut tree = Tree::default();
    leaves(&receipt.job.hash, execution, commitment).into_iter().for_each(|leaf| tree.push(leaf));
    report.must(
        Check::Commitments,
        tree.root() == Some(commitment.root),
        Fault::Root,
        at.of("commitment.root"),
        || "the digests make another root".to_owned(),
    );
}

/// The leaves' hashes, by the digests that the receipt has.
pub(super) fn leaves(job: &[u8; 32], execution: &Execution, commitment: &Commitment) -> Vec<[u8; 32]> {
    let outputs = commitment.outputs.then(|| commitment.digests.len().saturating_sub(1));
    let leaf = |(n, digest): (usize, &[u8; 32])| {
        let index = u64::from(execution.from).saturating_add(n as u64);
        let leaf =
            if outputs == Some(n) { Leaf::outputs(index, *digest) } else { Leaf::state(index, *digest) };
        leaf.hash(job)
    };
    commitment.digests.iter().enumerate().map(leaf).collect()
}

fn signed(
    execution: &Execution,
    commitment: &Commitment,
    recover: Recover<'_>,
    at: &Place,
    report: &mut Report,
) {
    let (Some((domain, lease)), Some(agent)) = (&commitment.subject, &commitment.agent) else { return };
    let signer = |digest: [u8; 32], signature: &[u8]| recover(&digest, signature.try_into().ok()?);
    if !commitment.signature.is_empty() {
        let digest = commitment_digest(domain, lease, &commitment.root, commitment.leaf_count);
        let ours = signer(digest, &commitment.signature) == Some(*agent);
        report.must(Check::Signatures, ours, Fault::AgentSignature, at.of("commitment.signature"), || {
            "the agent did not sign this root".to_owned()
        });
    }
    if !commitment.delegation.is_empty() {
        let digest = delegation_digest(domain, lease, agent);
        let by = signer(digest, &commitment.delegation).map(|address| address_text(&address));
        let stands = by.is_some_and(|by| execution.provider.as_ref().is_some_and(|one| one.as_str() == by));
        report.must(Check::Signatures, stands, Fault::Delegation, at.of("commitment.delegation"), || {
            "the provider did not sign for this agent".to_owned()
        });
    }
}

/// An address as our own market names its providers.
fn address_text(address: &[u8; 20]) -> String {
    address.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn paid(execution: &Execution, at: &Place, report: &mut Report) {
    let fee = execution.checked.as_ref().map_or(Usd::ZERO, |checked| checked.fee);
    let amounts = [execution.paid, execution.paid_before, execution.fees, fee];
    let fits = amounts.iter().all(|amount| !amount.is_negative())
        && fee <= execution.paid
        && execution.fees <= execution.paid + execution.paid_before;
    report.must(Check::Money, fits, Fault::Sums, at.of("paid_usd"), || {
        "what was paid does not hold its fees".to_owned()
    });
    if execution.withholds && execution.checked.as_ref().is_some_and(|checked| checked.refuted()) {
        let unpaid = execution.paid == fee;
        report.must(Check::Money, unpaid, Fault::RefutedPaid, at.of("paid_usd"), || {
            "its work did not pass, and it was paid where its network lets payment be withheld".to_owned()
        });
    }
}

fn money(receipt: &Receipt, report: &mut Report) {
    let (settlement, executions) = (&receipt.settlement, &receipt.executions);
    let sum = |of: fn(&Execution) -> Usd| executions.iter().map(of).sum::<Usd>();
    let paid = sum(|execution| execution.paid + execution.paid_before);
    let fees = sum(|execution| execution.fees);
    for (field, holds) in [
        ("paid_usd", settlement.paid == paid),
        ("fees_usd", settlement.fees == fees),
        ("refunded_usd", settlement.held == settlement.paid + settlement.refunded),
        ("disputed_usd", !settlement.disputed.is_negative() && !settlement.refunded.is_negative()),
        ("simulated", settlement.simulated == executions.iter().any(|execution| execution.simulated)),
    ] {
        report.must(Check::Money, holds, Fault::Sums, format!("body.settlement.{field}"), || {
            format!("{field} is not what follows from the attempts and from what was held")
        });
    }
}
