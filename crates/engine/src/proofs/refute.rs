//! What did not pass the check is not built upon: its job goes back to the state before it.

use domain::{
    ExecutionId, ExecutionState, JobEvent, JobId, JobState, LossReason, Outcome, Timestamp, Verdict,
};
use store::{JobChange, ProofRow, Tx};

use crate::Error;
use crate::context::Context;
use crate::leases::lose;

/// Takes the job back to where the refuted execution began. Which of its states was the first wrong one is not known, so none of
/// them counts, nor does what later executions made of them. A later execution that began at one is given up; its provider is
/// still judged by its own work.
pub(super) async fn go_back(
    tx: &mut Tx,
    proof: &ProofRow,
    verdict: Verdict,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(refuted) = tx.execution_get_in_txn(proof.execution).await? else { return Ok(()) };
    let Some(job) = tx.job_get_in_txn(proof.job).await? else { return Ok(()) };
    let base = refuted.from_segment;
    if job.segments_done <= base {
        // It has gone back further already.
        return Ok(());
    }
    let body = format!("{{\"verdict\":\"{}\",\"to_segment\":{base}}}", verdict.code());
    match &job.state {
        JobState::Waiting | JobState::Running => {
            tx.job_go_back(job.id, base).await?;
            if let Some(current) = job.current {
                go_on_elsewhere(tx, current, base, now).await?;
            }
        }
        JobState::Ending(Outcome::Completed) => {
            let again = JobChange {
                event: Some(JobEvent::Refuted),
                due_at: Some(now),
                plan_at: Some(Some(now)),
                current: Some(None),
                ..JobChange::default()
            };
            if !tx.job_change(&job, again, now).await? {
                return Ok(());
            }
            tx.job_go_back(job.id, base).await?;
        }
        // Nothing more is done for it; what it has is not proven, and its receipt says so.
        JobState::Ending(_) | JobState::Settled(_) => return Ok(()),
    }
    tx.outbox_add(now, "job.went_back", &job.id.to_string(), &body).await?;
    Ok(())
}

async fn go_on_elsewhere(tx: &mut Tx, current: ExecutionId, base: u32, now: Timestamp) -> Result<(), Error> {
    let tainted = tx.execution_get_in_txn(current).await?.is_some_and(|x| x.from_segment > base);
    if tainted {
        lose(tx, current, LossReason::Refuted, now).await?;
    }
    Ok(())
}

/// The executions of a job whose work did not pass.
pub(crate) async fn refuted(context: &Context, job: JobId) -> Result<Vec<ExecutionId>, Error> {
    let proofs = context.store.proof_list(job).await?;
    Ok(proofs.into_iter().filter(|proof| proof.state.is_refuted()).map(|proof| proof.execution).collect())
}

/// Whether an execution ended in a way that another provider may do better.
pub(crate) fn set_back(state: ExecutionState, id: ExecutionId, refuted: &[ExecutionId]) -> bool {
    matches!(state, ExecutionState::Lost(_)) || refuted.contains(&id)
}
