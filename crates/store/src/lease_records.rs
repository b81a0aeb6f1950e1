//! What became of leases, as far as something is learned from it.

use domain::{LeaseRecord, Timestamp, Usd, Verdict, WorkClass};
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store};

impl Store {
    /// What became of leases that were created since then and went live: the newest, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_records(&self, since: Timestamp, limit: u32) -> Result<Vec<LeaseRecord>, Error> {
        let rows = sqlx::query(
            "SELECT l.job AS job, l.class AS class, l.expected AS expected, l.network AS network, l.provider AS provider, l.interruptible AS interruptible, l.live_at AS live_at, \
             l.ended_at AS ended_at, l.billed AS billed, CASE WHEN x.state = 'lost' THEN 1 ELSE 0 END AS lost, \
             CASE WHEN p.state = 'concluded' AND p.detail IN ($3, $4) THEN 1 ELSE 0 END AS refuted \
             FROM lease l JOIN execution x ON x.id = l.execution LEFT JOIN proof p ON p.lease = l.id \
             WHERE l.created_at >= $1 AND l.live_at IS NOT NULL ORDER BY l.created_at DESC, l.id DESC LIMIT $2",
        )
        .bind(since.0)
        .bind(i64::from(limit))
        .bind(Verdict::Failed.code())
        .bind(Verdict::Disputed.code())
        .fetch_all(&self.read)
        .await
        .doing("list what became of leases")?;
        let record = |row: &SqliteRow| {
            let c = Columns(row);
            Ok(LeaseRecord {
                job: c.parsed("job")?,
                class: class_of(&c)?,
                expected: c.maybe_int("expected")?.map(Usd::from_micros),
                network: c.parsed("network")?,
                provider: c.maybe_parsed("provider")?,
                interruptible: c.flag("interruptible")?,
                live_at: c.time("live_at")?,
                ended_at: c.maybe_time("ended_at")?,
                billed: c.maybe_int("billed")?.map(Usd::from_micros),
                lost: c.flag("lost")?,
                refuted: c.flag("refuted")?,
            })
        };
        rows.iter().map(record).collect()
    }
}

pub(crate) fn class_of(c: &Columns<'_>) -> Result<Option<WorkClass>, Error> {
    let read = |code: String| {
        WorkClass::from_code(&code).ok_or(Error::Unreadable { what: "class of work", value: code })
    };
    c.maybe_text("class")?.map(read).transpose()
}
