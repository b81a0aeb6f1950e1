//! Jobs.

use domain::{
    AccountId, ExecutionId, FailReason, HoldId, JobEvent, JobId, JobState, ObjectId, Outcome, Timestamp,
};
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// A job as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Its id.
    pub id: JobId,
    /// The submitter's idempotency key.
    pub key: Option<String>,
    /// What the key was first used for.
    pub request_digest: String,
    /// Whose money it spends.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// Its spec, as a job file.
    pub spec: String,
    /// Where it stands.
    pub state: JobState,
    /// Rises with every change; a writer names the one it read.
    pub generation: i64,
    /// When it was admitted.
    pub submitted_at: Timestamp,
    /// When it must have ended.
    pub deadline_at: Timestamp,
    /// When its outcome was clear.
    pub ended_at: Option<Timestamp>,
    /// When somebody should look at it next.
    pub due_at: Timestamp,
    /// When a plan is to be made for it; `None` while it needs none.
    pub plan_at: Option<Timestamp>,
    /// Executions begun.
    pub attempts: u32,
    /// The open execution.
    pub current: Option<ExecutionId>,
    /// Segments in all.
    pub segments: u32,
    /// One past the last segment whose checkpoint is stored.
    pub segments_done: u32,
    /// Its hold.
    pub hold: HoldId,
    /// The sealed bundle.
    pub bundle: ObjectId,
    /// BLAKE3 of what is sealed there.
    pub bundle_content: [u8; 32],
    /// The sealed inputs.
    pub inputs: Option<ObjectId>,
    /// The sealed outputs.
    pub outputs: Option<ObjectId>,
    /// What it waits for.
    pub waiting_for: Option<String>,
    /// Since when.
    pub waiting_since: Option<Timestamp>,
}

/// A guarded change of a job: applied only while the job still has the generation that the decision was made on.
#[derive(Debug, Clone, Default)]
pub struct JobChange {
    /// The event, already applied to the state by the caller's decision; `None` keeps the state.
    pub event: Option<JobEvent>,
    /// When somebody should look next.
    pub due_at: Option<Timestamp>,
    /// When a plan is to be made, or `Some(None)` for not at all.
    pub plan_at: Option<Option<Timestamp>>,
    /// The new open execution, or `Some(None)` for none.
    pub current: Option<Option<ExecutionId>>,
    /// The number of executions begun.
    pub attempts: Option<u32>,
    /// The stored outputs.
    pub outputs: Option<ObjectId>,
    /// What it waits for and since when, or `Some(None)` for nothing.
    pub waiting: Option<Option<(String, Timestamp)>>,
}

macro_rules! select {
    ($tail:literal) => {
        sqlx::query(concat!(
            "SELECT id, key, request_digest, account, name, spec, state, outcome, fail_reason, generation, \
             submitted_at, deadline_at, ended_at, due_at, plan_at, attempts, current, segments, segments_done, hold, bundle, \
             bundle_content, inputs, outputs, waiting_for, waiting_since FROM job ",
            $tail
        ))
    };
}

fn state_of(c: &Columns<'_>) -> Result<JobState, Error> {
    let state = c.text("state")?;
    let outcome = c.maybe_text("outcome")?;
    let reason = c.maybe_text("fail_reason")?;
    let unreadable = |value: &str| Error::Unreadable { what: "job state", value: value.to_owned() };
    let outcome = match outcome.as_deref() {
        None => None,
        Some("completed") => Some(Outcome::Completed),
        Some("failed") => {
            let reason = reason.as_deref().and_then(FailReason::from_code);
            Some(Outcome::Failed(reason.ok_or_else(|| unreadable("failed without a reason"))?))
        }
        Some("cancelled") => Some(Outcome::Cancelled),
        Some("deadline_passed") => Some(Outcome::DeadlinePassed),
        Some("budget_spent") => Some(Outcome::BudgetSpent),
        Some("no_offers") => Some(Outcome::NoOffers),
        Some("attempts_spent") => Some(Outcome::AttemptsSpent),
        Some("proof_failed") => Some(Outcome::ProofFailed),
        Some(other) => return Err(unreadable(other)),
    };
    match (state.as_str(), outcome) {
        ("waiting", None) => Ok(JobState::Waiting),
        ("running", None) => Ok(JobState::Running),
        ("ending", Some(outcome)) => Ok(JobState::Ending(outcome)),
        ("settled", Some(outcome)) => Ok(JobState::Settled(outcome)),
        _ => Err(unreadable(&state)),
    }
}

fn job_of(row: &SqliteRow) -> Result<JobRow, Error> {
    let c = Columns(row);
    Ok(JobRow {
        id: c.parsed("id")?,
        key: c.maybe_text("key")?,
        request_digest: c.text("request_digest")?,
        account: c.parsed("account")?,
        name: c.text("name")?,
        spec: c.text("spec")?,
        state: state_of(&c)?,
        generation: c.int("generation")?,
        submitted_at: c.time("submitted_at")?,
        deadline_at: c.time("deadline_at")?,
        ended_at: c.maybe_time("ended_at")?,
        due_at: c.time("due_at")?,
        plan_at: c.maybe_time("plan_at")?,
        attempts: c.count("attempts")?,
        current: c.maybe_parsed("current")?,
        segments: c.count("segments")?,
        segments_done: c.count("segments_done")?,
        hold: c.parsed("hold")?,
        bundle: c.parsed("bundle")?,
        bundle_content: c.digest("bundle_content")?,
        inputs: c.maybe_parsed("inputs")?,
        outputs: c.maybe_parsed("outputs")?,
        waiting_for: c.maybe_text("waiting_for")?,
        waiting_since: c.maybe_time("waiting_since")?,
    })
}

impl Store {
    /// The job.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn job_get(&self, id: JobId) -> Result<Option<JobRow>, Error> {
        let row = select!("WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("read a job")?;
        row.as_ref().map(job_of).transpose()
    }

    /// The job submitted with this key.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn job_get_by_key(&self, key: &str) -> Result<Option<JobRow>, Error> {
        let row = select!("WHERE key = $1").bind(key).fetch_optional(&self.read).await.doing("read a job")?;
        row.as_ref().map(job_of).transpose()
    }

    /// Jobs, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn job_list(&self, limit: u32) -> Result<Vec<JobRow>, Error> {
        let rows = select!("ORDER BY submitted_at DESC, id LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("list jobs")?;
        rows.iter().map(job_of).collect()
    }

    /// Jobs that are not settled and due, at most `limit`, longest due first.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn job_list_due(&self, now: Timestamp, limit: u32) -> Result<Vec<JobRow>, Error> {
        let rows = select!("WHERE state <> 'settled' AND due_at <= $1 ORDER BY due_at, id LIMIT $2")
            .bind(now.0)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("list due jobs")?;
        rows.iter().map(job_of).collect()
    }

    /// Jobs for which a plan is to be made, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn job_list_unplanned(&self, now: Timestamp, limit: u32) -> Result<Vec<JobRow>, Error> {
        let rows = select!("WHERE plan_at <= $1 ORDER BY plan_at, id LIMIT $2")
            .bind(now.0)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("list jobs without a plan")?;
        rows.iter().map(job_of).collect()
    }

    /// When the next plan is to be made.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn job_next_plan(&self) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query("SELECT MIN(plan_at) AS due FROM job WHERE plan_at IS NOT NULL")
            .fetch_one(&self.read)
            .await
            .doing("find the next plan to make")?;
        Columns(&row).maybe_time("due")
    }

    /// When the next unsettled job is due.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn job_next_due(&self) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query("SELECT MIN(due_at) AS due FROM job WHERE state <> 'settled'")
            .fetch_one(&self.read)
            .await
            .doing("find the next due job")?;
        Columns(&row).maybe_time("due")
    }

    /// Jobs whose id begins with this text, or whose name is it; at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn job_find(&self, text: &str, limit: u32) -> Result<Vec<JobRow>, Error> {
        let rows = select!(
            "WHERE substr(id, 1, length($1)) = $1 OR name = $1 ORDER BY submitted_at DESC, id LIMIT $2"
        )
        .bind(text)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .doing("find a job")?;
        rows.iter().map(job_of).collect()
    }
}

impl Tx {
    /// Stores a new job.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn job_insert(&mut self, job: &JobRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO job (id, key, request_digest, account, name, spec, state, submitted_at, deadline_at, due_at, \
             segments, hold, bundle, bundle_content, inputs, plan_at) VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $8, $9, \
             $10, $11, $12, $13, $14, $15)",
        )
        .bind(job.id.to_string())
        .bind(&job.key)
        .bind(&job.request_digest)
        .bind(job.account.to_string())
        .bind(&job.name)
        .bind(&job.spec)
        .bind(job.submitted_at.0)
        .bind(job.deadline_at.0)
        .bind(job.due_at.0)
        .bind(i64::from(job.segments))
        .bind(job.hold.to_string())
        .bind(job.bundle.to_string())
        .bind(job.bundle_content.as_slice())
        .bind(job.inputs.map(|o| o.to_string()))
        .bind(job.plan_at.map(|t| t.0))
        .execute(self.conn())
        .await
        .doing("insert a job")?;
        Ok(())
    }

    /// The job as this transaction sees it.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn job_get_in_txn(&mut self, id: JobId) -> Result<Option<JobRow>, Error> {
        let row = select!("WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.conn())
            .await
            .doing("read a job")?;
        row.as_ref().map(job_of).transpose()
    }

    /// The job submitted with this key, as this transaction sees it.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn job_get_by_key_in_txn(&mut self, key: &str) -> Result<Option<JobRow>, Error> {
        let row =
            select!("WHERE key = $1").bind(key).fetch_optional(self.conn()).await.doing("read a job")?;
        row.as_ref().map(job_of).transpose()
    }

    /// Changes a job that still has `job.generation`. Returns whether it had.
    ///
    /// # Errors
    /// `Unreadable` when the event does not fit the state that was read.
    pub async fn job_change(
        &mut self,
        job: &JobRow,
        change: JobChange,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let state = match change.event {
            None => job.state.clone(),
            Some(event) => job.state.clone().transition(event).map_err(|illegal| Error::Unreadable {
                what: "job transition",
                value: illegal.to_string(),
            })?,
        };
        let fail_reason = match state.outcome() {
            Some(Outcome::Failed(reason)) => Some(reason.code()),
            _ => None,
        };
        let ended_at = state.outcome().map(|_| job.ended_at.unwrap_or(now));
        let (waiting_for, waiting_since) = match change.waiting {
            None => (job.waiting_for.clone(), job.waiting_since),
            Some(None) => (None, None),
            Some(Some((what, since))) => (Some(what), Some(since)),
        };
        let done = sqlx::query(
            "UPDATE job SET state = $3, outcome = $4, fail_reason = $5, generation = generation + 1, ended_at = $6, \
             due_at = $7, attempts = $8, current = $9, outputs = $10, waiting_for = $11, waiting_since = $12, \
             plan_at = $13 \
             WHERE id = $1 AND generation = $2",
        )
        .bind(job.id.to_string())
        .bind(job.generation)
        .bind(state.code())
        .bind(state.outcome().map(Outcome::code))
        .bind(fail_reason)
        .bind(ended_at.map(|t| t.0))
        .bind(change.due_at.unwrap_or(job.due_at).0)
        .bind(i64::from(change.attempts.unwrap_or(job.attempts)))
        .bind(change.current.unwrap_or(job.current).map(|x| x.to_string()))
        .bind(change.outputs.or(job.outputs).map(|o| o.to_string()))
        .bind(waiting_for)
        .bind(waiting_since.map(|t| t.0))
        .bind(change.plan_at.unwrap_or(job.plan_at).map(|t| t.0))
        .execute(self.conn())
        .await
        .doing("change a job")?;
        Ok(done.rows_affected() == 1)
    }

    /// Makes a job due at once. It counts as a change, so that whoever decided before it, and would put the job off,
    /// decides again.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn job_wake(&mut self, id: JobId, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "UPDATE job SET due_at = $2, generation = generation + 1 WHERE id = $1 AND state <> 'settled'",
        )
        .bind(id.to_string())
        .bind(now.0)
        .execute(self.conn())
        .await
        .doing("wake a job")?;
        Ok(())
    }

    /// Takes a job back to an earlier state: what was done after it does not count, nor do its outputs.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn job_go_back(&mut self, id: JobId, segment: u32) -> Result<(), Error> {
        sqlx::query(
            "UPDATE job SET segments_done = $2, outputs = NULL, generation = generation + 1 \
             WHERE id = $1 AND segments_done >= $2",
        )
        .bind(id.to_string())
        .bind(i64::from(segment))
        .execute(self.conn())
        .await
        .doing("take a job back")?;
        Ok(())
    }

    /// Records that segments up to `done` have stored checkpoints.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn job_progress(&mut self, id: JobId, done: u32) -> Result<(), Error> {
        sqlx::query("UPDATE job SET segments_done = $2 WHERE id = $1 AND segments_done < $2")
            .bind(id.to_string())
            .bind(i64::from(done))
            .execute(self.conn())
            .await
            .doing("record a job's progress")?;
        Ok(())
    }
}
