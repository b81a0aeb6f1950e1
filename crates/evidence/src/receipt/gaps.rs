//! What a receipt does not prove. The list follows from the rest of it, so that nobody can leave something out.

use domain::{ExecutionState, Outcome, ProofState, Timestamp, Unchecked, Verdict};

use super::chain::{Link, link, result_rests_on};
use super::report::coded;
use super::{Checked, Commitment, Execution, Receipt, Unproven};

coded! {
    /// Something that is not proven.
    Gap {
        /// Network and prices are simulated.
        Simulated = "simulated",
        /// It ran without committing to anything.
        NotCommitted = "not_committed",
        /// What was committed to was never told the control plane.
        LeavesUnknown = "leaves_unknown",
        /// That its agent signed the root cannot be checked here.
        SignatureUnchecked = "signature_unchecked",
        /// Nobody but the control plane says whose the agent's key is.
        AgentNotDelegated = "agent_not_delegated",
        /// Part of what was stored is not committed to.
        PartNotCommitted = "part_not_committed",
        /// It goes on from a state that nobody committed to.
        StartNotLinked = "start_not_linked",
        /// Its work was not checked.
        NotChecked = "not_checked",
        /// Its check came to no verdict.
        NoVerdict = "no_verdict",
        /// Its check came out against it, or in dispute.
        Refuted = "did_not_pass",
        /// The difference that was found is said to be the consumer's own, planted to try the validators.
        Canary = "canary_claimed",
        /// A part of its segments was replayed.
        PartReplayed = "part_replayed",
        /// Draw and findings are as the notary shows them.
        DrawNotShown = "draw_not_shown",
        /// It was paid although its work did not pass.
        PaidRefuted = "paid_refuted",
        /// The result rests on work that did not pass.
        ResultRefuted = "result_refuted",
        /// The result rests on work that nobody checked.
        ResultUnchecked = "result_unchecked",
        /// Nothing binds the outputs to the work.
        OutputsNotBound = "outputs_not_bound",
        /// That the workload failed by itself is its agent's word.
        WorkloadFailed = "workload_failed",
        /// Times contradict one another.
        ClockWentBack = "clock_went_back",
        /// Place and hardware of the machines are their networks' word.
        PlaceNotAttested = "place_not_attested",
        /// What nothing in the file binds is the control plane's word.
        ControlPlaneWord = "control_plane_word",
    }
}

/// What a receipt does not prove, attempt by attempt, and then what concerns all.
pub fn unproven(receipt: &Receipt) -> Vec<Unproven> {
    let mut list = List::default();
    for (n, execution) in receipt.executions.iter().enumerate() {
        of_execution(receipt, n, execution, &mut list);
    }
    of_job(receipt, &mut list);
    list.0
}

#[derive(Default)]
struct List(Vec<Unproven>);

impl List {
    fn add(&mut self, gap: Gap, attempt: Option<u32>, text: impl Into<String>) {
        self.0.push(Unproven { gap, attempt, text: text.into() });
    }
}

fn of_execution(receipt: &Receipt, n: usize, execution: &Execution, list: &mut List) {
    let attempt = Some(execution.attempt);
    if execution.simulated {
        list.add(Gap::Simulated, attempt, "network, machine and price are simulated");
    }
    if execution.started_at.is_none() {
        return;
    }
    match &execution.commitment {
        None => list.add(Gap::NotCommitted, attempt, "its agent committed to nothing"),
        Some(commitment) => of_commitment(execution, commitment, list),
    }
    if let Link::Unseen(_) = link(receipt, n) {
        let text = format!("that it goes on from state {} is bound by no commitment", execution.from);
        list.add(Gap::StartNotLinked, attempt, text);
    }
    match &execution.checked {
        None => list.add(Gap::NotChecked, attempt, "its work was not checked"),
        Some(checked) => of_check(execution, checked, list),
    }
}

fn of_commitment(execution: &Execution, commitment: &Commitment, list: &mut List) {
    let attempt = Some(execution.attempt);
    if commitment.digests.is_empty() {
        list.add(Gap::LeavesUnknown, attempt, "what its root is made of was never told");
    }
    if commitment.subject.is_none() || commitment.agent.is_none() || commitment.signature.is_empty() {
        list.add(Gap::SignatureUnchecked, attempt, "that its agent signed the root cannot be checked here");
    }
    if commitment.delegation.is_empty() {
        let text = "its agent signs by a key of its own, for which no provider stands";
        list.add(Gap::AgentNotDelegated, attempt, text);
    }
    let (stored, covered) = (execution.to.saturating_sub(execution.from), commitment.segments());
    if covered < stored {
        let text = format!("{covered} of the {stored} segments that it stored are committed to");
        list.add(Gap::PartNotCommitted, attempt, text);
    }
}

fn of_check(execution: &Execution, checked: &Checked, list: &mut List) {
    let attempt = Some(execution.attempt);
    match checked.state {
        ProofState::Unchecked(reason) => {
            list.add(Gap::NotChecked, attempt, format!("its work was not checked: {}", why(reason)));
        }
        ProofState::Concluded(Verdict::Passed) => {}
        ProofState::Concluded(Verdict::Canary) => {
            list.add(Gap::Canary, attempt, "a difference was found that its consumer says it planted");
        }
        ProofState::Concluded(verdict @ (Verdict::Failed | Verdict::Disputed)) => {
            list.add(Gap::Refuted, attempt, format!("its work did not pass: {}", verdict.code()));
            let fee = checked.fee;
            if execution.paid > fee {
                let text = format!("its network was paid ${} all the same", execution.paid - fee);
                list.add(Gap::PaidRefuted, attempt, text);
            }
        }
        ProofState::Concluded(Verdict::Unknown)
        | ProofState::Awaited
        | ProofState::Requested
        | ProofState::Open => list.add(Gap::NoVerdict, attempt, "its check came to no verdict"),
    }
    let segments = checked.asked.map_or(0, |asked| asked.segments);
    let drawn = checked.drawn.len();
    if checked.passed() && u32::try_from(drawn).is_ok_and(|drawn| drawn < segments) {
        let text = format!("{drawn} of its {segments} segments were replayed");
        list.add(Gap::PartReplayed, attempt, text);
    }
    if checked.seed.is_some() {
        let text = "the block that the draw follows from, who might have been drawn, and that the validators said this are on the \
                    notary's chain and not in this file; whoever makes its blocks knows the draw first";
        list.add(Gap::DrawNotShown, attempt, text);
    }
}

fn of_job(receipt: &Receipt, list: &mut List) {
    let job = &receipt.job;
    if job.outcome == Outcome::Completed {
        of_result(receipt, list);
    }
    if let Outcome::Failed(_) = job.outcome {
        let text = "that the workload failed by itself is the word of the agent on the provider's machine";
        list.add(Gap::WorkloadFailed, None, text);
    }
    if !in_order(receipt) {
        let text = "its times contradict one another: a clock was set back";
        list.add(Gap::ClockWentBack, None, text);
    }
    if receipt.executions.iter().any(|one| one.started_at.is_some()) {
        let text = "where the machines stood, what hardware they had and who could read what ran on them is their networks' word";
        list.add(Gap::PlaceNotAttested, None, text);
    }
    let text = "times, prices, payments and that there were no further attempts are the control plane's word; on a chain they can be \
                compared with it";
    list.add(Gap::ControlPlaneWord, None, text);
}

fn of_result(receipt: &Receipt, list: &mut List) {
    let rests_on: Vec<&Execution> =
        result_rests_on(receipt).into_iter().rev().filter_map(|at| receipt.executions.get(at)).collect();
    for execution in &rests_on {
        let attempt = Some(execution.attempt);
        match &execution.checked {
            Some(checked) if checked.passed() => {}
            Some(checked) if checked.refuted() => {
                list.add(Gap::ResultRefuted, attempt, "the result rests on its work, which did not pass");
            }
            _ => list.add(Gap::ResultUnchecked, attempt, "the result rests on its work, which nobody judged"),
        }
    }
    let last = rests_on.last().filter(|one| one.state == ExecutionState::Completed);
    let bound = last.is_some_and(|one| one.commitment.as_ref().is_some_and(|commitment| commitment.outputs));
    if receipt.job.outputs && !bound {
        list.add(Gap::OutputsNotBound, None, "nothing binds the outputs to the work that was done");
    }
}

fn in_order(receipt: &Receipt) -> bool {
    let (first, last) = (receipt.job.submitted_at, receipt.job.ended_at);
    let rises = |times: &[Option<Timestamp>]| {
        let known: Vec<Timestamp> = times.iter().copied().flatten().collect();
        known.is_sorted()
    };
    receipt.executions.iter().all(|one| rises(&[Some(first), one.started_at, one.ended_at, Some(last)]))
        && receipt.executions.windows(2).all(|pair| match pair {
            [one, next] => rises(&[one.started_at, next.started_at]) && rises(&[one.ended_at, next.ended_at]),
            _ => true,
        })
}

const fn why(reason: Unchecked) -> &'static str {
    match reason {
        Unchecked::NotAsked => "the job asked for no check",
        Unchecked::NoStates => "the job keeps no states that could be gone on from",
        Unchecked::NothingCommitted => "no segment was committed to",
        Unchecked::NoNotary => "no notary was connected",
        Unchecked::NotDrawn => "it was not drawn for an audit",
        Unchecked::BudgetSpent => "the budget did not pay the validators",
        Unchecked::NotOpened => "the notary did not take the request",
    }
}
