//! Executions.

use domain::{
    ExecutionEvent, ExecutionId, ExecutionState, FailReason, JobId, LeaseId, LossReason, PlacementId,
    Timestamp,
};
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// An execution as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRow {
    /// Its id.
    pub id: ExecutionId,
    /// Of which job.
    pub job: JobId,
    /// From 1.
    pub attempt: u32,
    /// The plan it follows now.
    pub placement: PlacementId,
    /// Its lease; none while one has yet to be bought.
    pub lease: Option<LeaseId>,
    /// Leases it tried to get.
    pub purchases: u32,
    /// Where it stands.
    pub state: ExecutionState,
    /// Rises with every change.
    pub generation: i64,
    /// Hash of the agent's token, hex; none before a lease was intended.
    pub token_hash: Option<String>,
    /// When a lease is to be bought by its plan; `None` while none is.
    pub buy_at: Option<Timestamp>,
    /// The agent instance that connected first; no other may.
    pub instance_key: Option<String>,
    /// How it fences the workload.
    pub sandbox: Option<String>,
    /// Whether it is to stop at its next checkpoint.
    pub stop: bool,
    /// The first segment.
    pub from_segment: u32,
    /// One past the last segment whose checkpoint is stored.
    pub to_segment: u32,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When its agent connected.
    pub connected_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A guarded change of an execution.
#[derive(Debug, Clone, Default)]
pub struct ExecutionChange {
    /// The event; `None` keeps the state.
    pub event: Option<ExecutionEvent>,
    /// When a lease is to be bought, or `Some(None)` for not now.
    pub buy_at: Option<Option<Timestamp>>,
    /// Hash of a new token; the one before is worthless from now on.
    pub token_hash: Option<String>,
    /// The plan it follows from now on.
    pub placement: Option<PlacementId>,
    /// Its lease, or `Some(None)` when it lost the one it tried to get.
    pub lease: Option<Option<LeaseId>>,
    /// Counts one more purchase.
    pub purchase: bool,
    /// The instance that connected and how it fences.
    pub instance: Option<(String, String)>,
    /// Stop at the next checkpoint.
    pub stop: bool,
}

macro_rules! select {
    ($tail:literal) => {
        sqlx::query(concat!(
            "SELECT id, job, attempt, placement, lease, purchases, state, reason, generation, token_hash, buy_at, instance_key, \
             sandbox, stop, from_segment, to_segment, created_at, connected_at, ended_at FROM execution ",
            $tail
        ))
    };
}

fn state_of(c: &Columns<'_>) -> Result<ExecutionState, Error> {
    let state = c.text("state")?;
    let reason = c.maybe_text("reason")?;
    let unreadable = || Error::Unreadable { what: "execution state", value: state.clone() };
    match (state.as_str(), reason.as_deref()) {
        ("starting", None) => Ok(ExecutionState::Starting),
        ("running", None) => Ok(ExecutionState::Running),
        ("completed", None) => Ok(ExecutionState::Completed),
        ("cancelled", None) => Ok(ExecutionState::Cancelled),
        ("lost", Some(reason)) => {
            LossReason::from_code(reason).map(ExecutionState::Lost).ok_or_else(unreadable)
        }
        ("failed", Some(reason)) => {
            FailReason::from_code(reason).map(ExecutionState::Failed).ok_or_else(unreadable)
        }
        _ => Err(unreadable()),
    }
}

fn reason_of(state: ExecutionState) -> Option<String> {
    match state {
        ExecutionState::Lost(reason) => Some(reason.code().to_owned()),
        ExecutionState::Failed(reason) => Some(reason.code()),
        _ => None,
    }
}

fn execution_of(row: &SqliteRow) -> Result<ExecutionRow, Error> {
    let c = Columns(row);
    Ok(ExecutionRow {
        id: c.parsed("id")?,
        job: c.parsed("job")?,
        attempt: c.count("attempt")?,
        placement: c.parsed("placement")?,
        lease: c.maybe_parsed("lease")?,
        purchases: c.count("purchases")?,
        state: state_of(&c)?,
        generation: c.int("generation")?,
        token_hash: c.maybe_text("token_hash")?,
        buy_at: c.maybe_time("buy_at")?,
        instance_key: c.maybe_text("instance_key")?,
        sandbox: c.maybe_text("sandbox")?,
        stop: c.flag("stop")?,
        from_segment: c.count("from_segment")?,
        to_segment: c.count("to_segment")?,
        created_at: c.time("created_at")?,
        connected_at: c.maybe_time("connected_at")?,
        ended_at: c.maybe_time("ended_at")?,
    })
}

impl Store {
    /// The execution.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn execution_get(&self, id: ExecutionId) -> Result<Option<ExecutionRow>, Error> {
        let row = select!("WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("read an execution")?;
        row.as_ref().map(execution_of).transpose()
    }

    /// The execution whose agent holds the token with this hash.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn execution_get_by_token(&self, token_hash: &str) -> Result<Option<ExecutionRow>, Error> {
        let row = select!("WHERE token_hash = $1")
            .bind(token_hash)
            .fetch_optional(&self.read)
            .await
            .doing("read an execution")?;
        row.as_ref().map(execution_of).transpose()
    }

    /// The job's executions, oldest first.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn execution_list(&self, job: JobId) -> Result<Vec<ExecutionRow>, Error> {
        let rows = select!("WHERE job = $1 ORDER BY attempt")
            .bind(job.to_string())
            .fetch_all(&self.read)
            .await
            .doing("list executions")?;
        rows.iter().map(execution_of).collect()
    }

    /// Open executions, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn execution_list_open(&self, limit: u32) -> Result<Vec<ExecutionRow>, Error> {
        let rows = select!("WHERE state IN ('starting', 'running') ORDER BY created_at, id LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("list open executions")?;
        rows.iter().map(execution_of).collect()
    }

    /// Executions that are to buy a lease, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn execution_list_unleased(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ExecutionRow>, Error> {
        let rows = select!("WHERE buy_at <= $1 AND state = 'starting' ORDER BY buy_at, id LIMIT $2")
            .bind(now.0)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("list executions without a lease")?;
        rows.iter().map(execution_of).collect()
    }

    /// When the next lease is to be bought.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn execution_next_buy(&self) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query(
            "SELECT MIN(buy_at) AS due FROM execution WHERE buy_at IS NOT NULL AND state = 'starting'",
        )
        .fetch_one(&self.read)
        .await
        .doing("find the next lease to buy")?;
        Columns(&row).maybe_time("due")
    }
}

impl Tx {
    /// Stores a new execution.
    ///
    /// # Errors
    /// The database refuses a second execution for one attempt.
    pub async fn execution_insert(&mut self, row: &ExecutionRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO execution (id, job, attempt, placement, state, from_segment, to_segment, created_at, buy_at) \
             VALUES ($1, $2, $3, $4, 'starting', $5, $6, $7, $8)",
        )
        .bind(row.id.to_string())
        .bind(row.job.to_string())
        .bind(i64::from(row.attempt))
        .bind(row.placement.to_string())
        .bind(i64::from(row.from_segment))
        .bind(i64::from(row.to_segment))
        .bind(row.created_at.0)
        .bind(row.buy_at.map(|t| t.0))
        .execute(self.conn())
        .await
        .doing("insert an execution")?;
        Ok(())
    }

    /// The execution as this transaction sees it.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn execution_get_in_txn(&mut self, id: ExecutionId) -> Result<Option<ExecutionRow>, Error> {
        let row = select!("WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.conn())
            .await
            .doing("read an execution")?;
        row.as_ref().map(execution_of).transpose()
    }

    /// Changes an execution that still has `row.generation`. Returns whether it had.
    ///
    /// # Errors
    /// `Unreadable` when the event does not fit the state that was read.
    pub async fn execution_change(
        &mut self,
        row: &ExecutionRow,
        change: ExecutionChange,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let state = match change.event {
            None => row.state,
            Some(event) => row.state.transition(event).map_err(|illegal| Error::Unreadable {
                what: "execution transition",
                value: illegal.to_string(),
            })?,
        };
        let connected_at = row.connected_at.or_else(|| (state == ExecutionState::Running).then_some(now));
        let ended_at = row.ended_at.or_else(|| (!state.is_open()).then_some(now));
        let (instance_key, sandbox) = match change.instance {
            Some((key, sandbox)) => (Some(key), Some(sandbox)),
            None => (row.instance_key.clone(), row.sandbox.clone()),
        };
        let done = sqlx::query(
            "UPDATE execution SET state = $3, reason = $4, generation = generation + 1, placement = $5, lease = $6, \
             purchases = purchases + $7, instance_key = $8, sandbox = $9, stop = $10, connected_at = $11, \
             ended_at = $12, buy_at = $13, token_hash = $14 WHERE id = $1 AND generation = $2",
        )
        .bind(row.id.to_string())
        .bind(row.generation)
        .bind(state.code())
        .bind(reason_of(state))
        .bind(change.placement.unwrap_or(row.placement).to_string())
        .bind(change.lease.unwrap_or(row.lease).map(|l| l.to_string()))
        .bind(i64::from(change.purchase))
        .bind(instance_key)
        .bind(sandbox)
        .bind(i64::from(row.stop || change.stop))
        .bind(connected_at.map(|t| t.0))
        .bind(ended_at.map(|t| t.0))
        .bind(change.buy_at.unwrap_or(row.buy_at).filter(|_| state.is_open()).map(|t| t.0))
        .bind(change.token_hash.or_else(|| row.token_hash.clone()))
        .execute(self.conn())
        .await
        .doing("change an execution")?;
        Ok(done.rows_affected() == 1)
    }

    /// Records a stored checkpoint of an open execution. Returns whether the execution is still open.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn execution_progress(&mut self, id: ExecutionId, done: u32) -> Result<bool, Error> {
        let changed = sqlx::query(
            "UPDATE execution SET to_segment = CASE WHEN to_segment < $2 THEN $2 ELSE to_segment END WHERE id = $1 AND state IN ('starting', 'running')",
        )
        .bind(id.to_string())
        .bind(i64::from(done))
        .execute(self.conn())
        .await
        .doing("record an execution's progress")?;
        Ok(changed.rows_affected() == 1)
    }
}
