//! Jobs admitted, ended and settled.
//!
//! `submit` puts a job with its hold and its idempotency key in place in one transaction. The reconciler ends jobs whose
//! deadline has passed, closes what an ended job still has open, and settles it once every lease is settled.

mod submit;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    EndReason, ExecutionEvent, JobEvent, JobId, JobState, LeaseEvent, LeaseState, Outcome, Timestamp,
};
use store::{ExecutionChange, JobChange, JobRow, LeaseChange, Tx};
use wire::receipt::RECORD_FIELD;

pub use submit::{Submission, Submitted};

use crate::context::Context;
use crate::{Config, Engine, Error, Reconciler};

/// The job as its leaves name it.
pub(crate) fn hash_of(job: &JobRow) -> [u8; 32] {
    evidence::job_hash(&evidence::job_terms(job.id, &job.spec), &job.bundle_content)
}

/// A guarded change is tried again so often when somebody else was faster.
const RACES_MAX: u32 = 8;

impl Engine {
    /// Cancels the job. Repeating it, or cancelling a job that ended by itself, changes nothing.
    ///
    /// # Errors
    /// The data store failed.
    pub async fn job_cancel(&self, id: JobId) -> Result<(), Error> {
        for _ in 0..RACES_MAX {
            let job = self.context.job(id).await?;
            if !job.state.is_open() {
                return Ok(());
            }
            let now = self.context.now();
            let mut tx = self.context.store.begin().await?;
            if end(&mut tx, &job, Outcome::Cancelled, now).await? {
                tx.commit().await?;
                self.context.changed();
                return Ok(());
            }
        }
        Err(Error::Missing { what: "quiet moment", of: id.to_string() })
    }

    /// Removes a settled job with its logs and objects; the ledger and the outbox keep what happened. Returns whether
    /// the job was there and settled.
    ///
    /// # Errors
    /// The data store failed.
    pub async fn job_remove(&self, id: JobId) -> Result<bool, Error> {
        let objects = self.context.store.object_list(id).await?;
        let mut tx = self.context.store.begin().await?;
        if !tx.job_remove(id).await? {
            return Ok(false);
        }
        tx.outbox_add(self.context.now(), "job.removed", &id.to_string(), "{}").await?;
        tx.commit().await?;
        for object in objects {
            self.context.store.objects().remove(object.id).await?;
        }
        Ok(true)
    }
}

/// Ends an open job: no more work, everything it has open is to be closed. Returns whether the guard held.
pub(crate) async fn end(tx: &mut Tx, job: &JobRow, outcome: Outcome, now: Timestamp) -> Result<bool, Error> {
    let body = format!("{{\"outcome\":\"{}\"}}", outcome.code());
    let change = JobChange {
        event: Some(JobEvent::End(outcome)),
        due_at: Some(now),
        plan_at: Some(None),
        current: Some(None),
        waiting: Some(None),
        ..JobChange::default()
    };
    if !tx.job_change(job, change, now).await? {
        return Ok(false);
    }
    tx.outbox_add(now, "job.ending", &job.id.to_string(), &body).await?;
    if let Some(current) = job.current {
        close_execution(tx, current, ExecutionEvent::Cancel, EndReason::Cancelled, now).await?;
    }
    Ok(true)
}

/// Ends an execution that is still open, and has its lease released.
pub(crate) async fn close_execution(
    tx: &mut Tx,
    id: domain::ExecutionId,
    event: ExecutionEvent,
    reason: EndReason,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(execution) = tx.execution_get_in_txn(id).await? else {
        return Err(Error::Missing { what: "execution", of: id.to_string() });
    };
    if execution.state.is_open() {
        let change = ExecutionChange { event: Some(event), ..ExecutionChange::default() };
        tx.execution_change(&execution, change, now).await?;
        tx.outbox_add(now, "execution.closed", &id.to_string(), &format!("{{\"event\":\"{event:?}\"}}"))
            .await?;
    }
    if let Some(lease) = execution.lease {
        release(tx, lease, reason, now).await?;
    }
    Ok(())
}

/// Wants an open lease gone; the leases step does the rest.
pub(crate) async fn release(
    tx: &mut Tx,
    id: domain::LeaseId,
    reason: EndReason,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(lease) = tx.lease_get_in_txn(id).await? else {
        return Err(Error::Missing { what: "lease", of: id.to_string() });
    };
    if matches!(lease.state, LeaseState::Ending(_) | LeaseState::Ended(_)) {
        return Ok(());
    }
    let change = LeaseChange {
        event: Some(LeaseEvent::Release(reason)),
        due_at: Some(now),
        tries: Some(0),
        ..LeaseChange::default()
    };
    tx.lease_change(&lease, change, now).await?;
    tx.outbox_add(now, "lease.releasing", &id.to_string(), &format!("{{\"reason\":\"{}\"}}", reason.code()))
        .await?;
    Ok(())
}

pub(crate) struct Jobs(pub(crate) Arc<Context>);

impl Jobs {
    async fn advance(&self, job: &JobRow, now: Timestamp) -> Result<(), Error> {
        match job.state {
            JobState::Waiting | JobState::Running if now >= job.deadline_at => {
                let mut tx = self.0.store.begin().await?;
                if end(&mut tx, job, Outcome::DeadlinePassed, now).await? {
                    tx.commit().await?;
                }
            }
            JobState::Waiting | JobState::Running => self.look_again(job, job.deadline_at, now).await?,
            JobState::Ending(_) => {
                if self.0.store.lease_count_unsettled(job.id).await? == 0 {
                    self.settle(job, now).await?;
                } else {
                    // The settlements step wakes the job when its last lease is settled; this is the net below.
                    self.look_again(job, now + self.0.config.backoff_max, now).await?;
                }
            }
            JobState::Settled(_) => {}
        }
        Ok(())
    }

    async fn look_again(&self, job: &JobRow, at: Timestamp, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        tx.job_change(job, JobChange { due_at: Some(at), ..JobChange::default() }, now).await?;
        Ok(tx.commit().await?)
    }

    async fn settle(&self, job: &JobRow, now: Timestamp) -> Result<(), Error> {
        self.0.reached("job.settle.before")?;
        let Some(facts) = self.0.lease_facts(job, now).await? else {
            return self.look_again(job, now + self.0.config.observe_every, now).await;
        };
        let receipt = self.0.receipt_digest(job, &facts).await?;
        let mut tx = self.0.store.begin().await?;
        let change = JobChange { event: Some(JobEvent::Settle), ..JobChange::default() };
        if tx.job_change(job, change, now).await? {
            for fact in &facts {
                tx.lease_fact_insert(fact).await?;
            }
            let refunded = tx.hold_close_job(job.hold, now).await?;
            let body = format!("{{\"refunded_usd\":\"{refunded}\",\"{RECORD_FIELD}\":\"{receipt}\"}}");
            tx.outbox_add(now, "job.settled", &job.id.to_string(), &body).await?;
            tx.commit().await?;
        }
        self.0.reached("job.settle.after")?;
        Ok(())
    }
}

#[async_trait]
impl Reconciler for Jobs {
    fn name(&self) -> &'static str {
        "jobs"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let due = self.0.store.job_list_due(now, Config::BATCH).await?;
        for job in &due {
            self.advance(job, now).await?;
        }
        if !due.is_empty() {
            self.0.changed();
        }
        Ok(self.0.store.job_next_due().await?)
    }
}
