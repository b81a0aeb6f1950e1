//! Leases.

use domain::{
    EndReason, ExecutionId, HoldId, JobId, LeaseEvent, LeaseId, LeaseState, Millis, NetworkName,
    ProviderName, Region, Timestamp, Usd, WorkClass,
};
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::lease_records::class_of;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// A lease as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// Its id, from which its label follows.
    pub id: LeaseId,
    /// For which job.
    pub job: JobId,
    /// For which execution.
    pub execution: ExecutionId,
    /// On which network.
    pub network: NetworkName,
    /// The offer as bought, as text: the price is frozen here.
    pub offer: String,
    /// Whether the network may take the machine away at any time.
    pub interruptible: bool,
    /// What kind of work its job is, if that says so.
    pub class: Option<WorkClass>,
    /// What was expected to be billed for the rest of the job, where it was known how long that runs.
    pub expected: Option<Usd>,
    /// Where it stands.
    pub state: LeaseState,
    /// Rises with every change.
    pub generation: i64,
    /// Its hold.
    pub hold: HoldId,
    /// The sealed intent.
    pub intent: Vec<u8>,
    /// How long it was asked for.
    pub span: Millis,
    /// Whose machine, once known.
    pub provider: Option<ProviderName>,
    /// Where, once known.
    pub region: Option<Region>,
    /// When it was intended.
    pub created_at: Timestamp,
    /// When a submit was last about to be sent.
    pub submitted_at: Timestamp,
    /// Since when the network shows nothing under its label.
    pub absent_since: Option<Timestamp>,
    /// Since when the network bills it.
    pub live_at: Option<Timestamp>,
    /// The network ends it then unless it is extended.
    pub until_at: Option<Timestamp>,
    /// When we first wanted it gone.
    pub close_at: Option<Timestamp>,
    /// When the network says that it ended.
    pub ended_at: Option<Timestamp>,
    /// What the network billed in all.
    pub billed: Option<Usd>,
    /// Calls that failed in a row.
    pub tries: u32,
    /// Whether its money is settled.
    pub settled: bool,
    /// When somebody should look at it next.
    pub due_at: Timestamp,
}

/// A guarded change of a lease.
#[derive(Debug, Clone, Default)]
pub struct LeaseChange {
    /// The event; `None` keeps the state.
    pub event: Option<LeaseEvent>,
    /// When somebody should look next.
    pub due_at: Option<Timestamp>,
    /// A bid was taken: the offer as text and the sealed intent.
    pub bid: Option<(String, Vec<u8>)>,
    /// A submit is about to be sent.
    pub submitted_at: Option<Timestamp>,
    /// The provider and region that the network assigned.
    pub assigned: Option<(ProviderName, Option<Region>)>,
    /// Since when the network shows nothing, or `Some(None)` when it shows it again.
    pub absent_since: Option<Option<Timestamp>>,
    /// Since when the network bills it.
    pub live_at: Option<Timestamp>,
    /// Until when it is paid.
    pub until_at: Option<Timestamp>,
    /// When the network says that it ended, and what it billed.
    pub ended: Option<(Timestamp, Usd)>,
    /// Calls that failed in a row.
    pub tries: Option<u32>,
}

macro_rules! select {
    ($tail:literal) => {
        sqlx::query(concat!(
            "SELECT id, job, execution, network, offer, interruptible, class, expected, state, reason, generation, hold, intent, span, provider, \
             region, created_at, submitted_at, absent_since, live_at, until_at, close_at, ended_at, billed, tries, settled, due_at \
             FROM lease ",
            $tail
        ))
    };
}

fn state_of(c: &Columns<'_>) -> Result<LeaseState, Error> {
    let state = c.text("state")?;
    let reason = c.maybe_text("reason")?.as_deref().and_then(EndReason::from_code);
    match (state.as_str(), reason) {
        ("intended", None) => Ok(LeaseState::Intended),
        ("bidding", None) => Ok(LeaseState::Bidding),
        ("queued", None) => Ok(LeaseState::Queued),
        ("live", None) => Ok(LeaseState::Live),
        ("ending", Some(reason)) => Ok(LeaseState::Ending(reason)),
        ("ended", Some(reason)) => Ok(LeaseState::Ended(reason)),
        _ => Err(Error::Unreadable { what: "lease state", value: state }),
    }
}

fn lease_of(row: &SqliteRow) -> Result<LeaseRow, Error> {
    let c = Columns(row);
    Ok(LeaseRow {
        id: c.parsed("id")?,
        job: c.parsed("job")?,
        execution: c.parsed("execution")?,
        network: c.parsed("network")?,
        offer: c.text("offer")?,
        interruptible: c.flag("interruptible")?,
        class: class_of(&c)?,
        expected: c.maybe_int("expected")?.map(Usd::from_micros),
        state: state_of(&c)?,
        generation: c.int("generation")?,
        hold: c.parsed("hold")?,
        intent: c.bytes("intent")?,
        span: Millis(c.size("span")?),
        provider: c.maybe_parsed("provider")?,
        region: c.maybe_parsed("region")?,
        created_at: c.time("created_at")?,
        submitted_at: c.time("submitted_at")?,
        absent_since: c.maybe_time("absent_since")?,
        live_at: c.maybe_time("live_at")?,
        until_at: c.maybe_time("until_at")?,
        close_at: c.maybe_time("close_at")?,
        ended_at: c.maybe_time("ended_at")?,
        billed: c.maybe_int("billed")?.map(Usd::from_micros),
        tries: c.count("tries")?,
        settled: c.flag("settled")?,
        due_at: c.time("due_at")?,
    })
}

impl Store {
    /// The lease.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_get(&self, id: LeaseId) -> Result<Option<LeaseRow>, Error> {
        let row = select!("WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("read a lease")?;
        row.as_ref().map(lease_of).transpose()
    }

    /// The job's leases, oldest first.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_list(&self, job: JobId) -> Result<Vec<LeaseRow>, Error> {
        let rows = select!("WHERE job = $1 ORDER BY seq")
            .bind(job.to_string())
            .fetch_all(&self.read)
            .await
            .doing("list leases")?;
        rows.iter().map(lease_of).collect()
    }

    /// Open leases that are due, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_list_due(&self, now: Timestamp, limit: u32) -> Result<Vec<LeaseRow>, Error> {
        let rows = select!("WHERE state <> 'ended' AND due_at <= $1 ORDER BY due_at, id LIMIT $2")
            .bind(now.0)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("list due leases")?;
        rows.iter().map(lease_of).collect()
    }

    /// When the next open lease is due.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_next_due(&self) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query("SELECT MIN(due_at) AS due FROM lease WHERE state <> 'ended'")
            .fetch_one(&self.read)
            .await
            .doing("find the next due lease")?;
        Columns(&row).maybe_time("due")
    }

    /// When the next ended lease is to be settled.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_next_unsettled(&self) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query("SELECT MIN(due_at) AS due FROM lease WHERE state = 'ended' AND settled = 0")
            .fetch_one(&self.read)
            .await
            .doing("find the next lease to settle")?;
        Columns(&row).maybe_time("due")
    }

    /// Every open lease on a network.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_list_open(&self, network: &NetworkName) -> Result<Vec<LeaseRow>, Error> {
        let rows = select!("WHERE state <> 'ended' AND network = $1 ORDER BY created_at, id")
            .bind(network.as_str())
            .fetch_all(&self.read)
            .await
            .doing("list open leases")?;
        rows.iter().map(lease_of).collect()
    }

    /// Ended leases whose money is to be settled now, at most `limit`, the longest due first.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_list_unsettled(&self, now: Timestamp, limit: u32) -> Result<Vec<LeaseRow>, Error> {
        let rows =
            select!("WHERE state = 'ended' AND settled = 0 AND due_at <= $1 ORDER BY due_at, id LIMIT $2")
                .bind(now.0)
                .bind(i64::from(limit))
                .fetch_all(&self.read)
                .await
                .doing("list unsettled leases")?;
        rows.iter().map(lease_of).collect()
    }
}

impl Tx {
    /// Stores a new lease, before anything is sent.
    ///
    /// # Errors
    /// The database refuses a second open lease for one execution.
    pub async fn lease_insert(&mut self, lease: &LeaseRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO lease (id, job, execution, network, offer, state, hold, intent, span, created_at, submitted_at, \
             due_at, interruptible, class, expected, seq) VALUES ($1, $2, $3, $4, $5, 'intended', $6, $7, $8, $9, $10, $11, $12, $13, $14, \
             (SELECT COALESCE(MAX(seq), 0) + 1 FROM lease WHERE job = $2))",
        )
        .bind(lease.id.to_string())
        .bind(lease.job.to_string())
        .bind(lease.execution.to_string())
        .bind(lease.network.as_str())
        .bind(&lease.offer)
        .bind(lease.hold.to_string())
        .bind(&lease.intent)
        .bind(i64::try_from(lease.span.0).unwrap_or(i64::MAX))
        .bind(lease.created_at.0)
        .bind(lease.submitted_at.0)
        .bind(lease.due_at.0)
        .bind(i64::from(lease.interruptible))
        .bind(lease.class.map(WorkClass::code))
        .bind(lease.expected.map(Usd::column))
        .execute(self.conn())
        .await
        .doing("insert a lease")?;
        Ok(())
    }

    /// The lease as this transaction sees it.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_get_in_txn(&mut self, id: LeaseId) -> Result<Option<LeaseRow>, Error> {
        let row = select!("WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.conn())
            .await
            .doing("read a lease")?;
        row.as_ref().map(lease_of).transpose()
    }

    /// Changes a lease that still has `lease.generation`. Returns whether it had.
    ///
    /// # Errors
    /// `Unreadable` when the event does not fit the state that was read.
    pub async fn lease_change(
        &mut self,
        lease: &LeaseRow,
        change: LeaseChange,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let state = match change.event {
            None => lease.state,
            Some(event) => lease.state.transition(event).map_err(|illegal| Error::Unreadable {
                what: "lease transition",
                value: illegal.to_string(),
            })?,
        };
        let close_at = lease.close_at.or_else(|| state.reason().map(|_| now));
        let (offer, intent) = change.bid.unwrap_or_else(|| (lease.offer.clone(), lease.intent.clone()));
        let (provider, region) = match change.assigned {
            Some((provider, region)) => (Some(provider), region),
            None => (lease.provider.clone(), lease.region.clone()),
        };
        let (ended_at, billed) = match change.ended {
            Some((at, billed)) => (Some(at), Some(billed)),
            None => (lease.ended_at, lease.billed),
        };
        let done = sqlx::query(
            "UPDATE lease SET state = $3, reason = $4, generation = generation + 1, offer = $5, intent = $6, \
             provider = $7, region = $8, submitted_at = $9, live_at = $10, until_at = $11, close_at = $12, \
             ended_at = $13, billed = $14, tries = $15, due_at = $16, absent_since = $17 \
             WHERE id = $1 AND generation = $2",
        )
        .bind(lease.id.to_string())
        .bind(lease.generation)
        .bind(state.code())
        .bind(state.reason().map(EndReason::code))
        .bind(offer)
        .bind(intent)
        .bind(provider.map(|p| p.to_string()))
        .bind(region.map(|r| r.to_string()))
        .bind(change.submitted_at.unwrap_or(lease.submitted_at).0)
        .bind(change.live_at.or(lease.live_at).map(|t| t.0))
        .bind(change.until_at.or(lease.until_at).map(|t| t.0))
        .bind(close_at.map(|t| t.0))
        .bind(ended_at.map(|t| t.0))
        .bind(billed.map(Usd::column))
        .bind(i64::from(change.tries.unwrap_or(lease.tries)))
        .bind(change.due_at.unwrap_or(lease.due_at).0)
        .bind(change.absent_since.unwrap_or(lease.absent_since).map(|t| t.0))
        .execute(self.conn())
        .await
        .doing("change a lease")?;
        Ok(done.rows_affected() == 1)
    }

    /// Marks the money of an ended lease as settled. Returns whether it was ended and not settled before.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn lease_settle(&mut self, id: LeaseId) -> Result<bool, Error> {
        let done =
            sqlx::query("UPDATE lease SET settled = 1 WHERE id = $1 AND state = 'ended' AND settled = 0")
                .bind(id.to_string())
                .execute(self.conn())
                .await
                .doing("settle a lease")?;
        Ok(done.rows_affected() == 1)
    }

    /// Looks at an ended lease that is not settled again at `at`.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn lease_settle_at(&mut self, id: LeaseId, at: Timestamp) -> Result<(), Error> {
        sqlx::query("UPDATE lease SET due_at = $2 WHERE id = $1 AND state = 'ended' AND settled = 0")
            .bind(id.to_string())
            .bind(at.0)
            .execute(self.conn())
            .await
            .doing("put a settlement off")?;
        Ok(())
    }

    /// Makes an open lease due at once; who has read it before must read it again, or it would put the due time back.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn lease_wake(&mut self, id: LeaseId, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "UPDATE lease SET due_at = $2, generation = generation + 1 \
             WHERE id = $1 AND state <> 'ended' AND due_at > $2",
        )
        .bind(id.to_string())
        .bind(now.0)
        .execute(self.conn())
        .await
        .doing("wake a lease")?;
        Ok(())
    }

    /// Drops a lease's row, which nothing but a planted bug does.
    ///
    /// # Errors
    /// The database could not be written.
    #[cfg(feature = "planted")]
    pub async fn lease_drop(&mut self, id: LeaseId) -> Result<(), Error> {
        let dropped = sqlx::query("DELETE FROM lease WHERE id = $1").bind(id.to_string());
        dropped.execute(self.conn()).await.doing("drop a lease")?;
        Ok(())
    }
}
