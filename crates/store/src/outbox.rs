//! What happened, written in the transaction of the change, and alerts for people.

use domain::{JobId, Timestamp};
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// Something that happened, waiting to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Counts up without gaps inside one database.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What, e.g. `lease.live`.
    pub kind: String,
    /// To whom, an id.
    pub subject: String,
    /// Details, JSON.
    pub body: String,
}

/// Something a person should look at. One per code and subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// A stable code.
    pub code: String,
    /// What it is about, an id or a label.
    pub subject: String,
    /// When it was seen first.
    pub at: Timestamp,
    /// For people.
    pub text: String,
}

fn outbox_of(row: &SqliteRow) -> Result<OutboxRow, Error> {
    let c = Columns(row);
    Ok(OutboxRow {
        seq: c.int("seq")?,
        at: c.time("at")?,
        kind: c.text("kind")?,
        subject: c.text("subject")?,
        body: c.text("body")?,
    })
}

impl Store {
    /// Outbox rows after `seq`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn outbox_list(&self, seq: i64, limit: u32) -> Result<Vec<OutboxRow>, Error> {
        let rows = sqlx::query(
            "SELECT seq, at, kind, subject, body FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2",
        )
        .bind(seq)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .doing("read the outbox")?;
        rows.iter().map(outbox_of).collect()
    }

    /// The row of a job's settlement; `None` before it.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn outbox_settled(&self, job: JobId) -> Result<Option<OutboxRow>, Error> {
        let row = sqlx::query(
            "SELECT seq, at, kind, subject, body FROM outbox WHERE kind = 'job.settled' AND subject = $1",
        )
        .bind(job.to_string())
        .fetch_optional(&self.read)
        .await
        .doing("find a settlement in the outbox")?;
        row.as_ref().map(outbox_of).transpose()
    }

    /// Alerts, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn alert_list(&self, limit: u32) -> Result<Vec<Alert>, Error> {
        let rows =
            sqlx::query("SELECT code, subject, at, text FROM alert ORDER BY at DESC, code, subject LIMIT $1")
                .bind(i64::from(limit))
                .fetch_all(&self.read)
                .await
                .doing("read alerts")?;
        rows.iter()
            .map(|row| {
                let c = Columns(row);
                Ok(Alert {
                    code: c.text("code")?,
                    subject: c.text("subject")?,
                    at: c.time("at")?,
                    text: c.text("text")?,
                })
            })
            .collect()
    }
}

impl Tx {
    /// Writes an outbox row.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn outbox_add(
        &mut self,
        now: Timestamp,
        kind: &'static str,
        subject: &str,
        body: &str,
    ) -> Result<(), Error> {
        sqlx::query("INSERT INTO outbox (at, kind, subject, body) VALUES ($1, $2, $3, $4)")
            .bind(now.0)
            .bind(kind)
            .bind(subject)
            .bind(body)
            .execute(self.conn())
            .await
            .doing("write the outbox")?;
        Ok(())
    }

    /// Raises an alert, once per code and subject. Returns whether it is new.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn alert_raise(
        &mut self,
        now: Timestamp,
        code: &'static str,
        subject: &str,
        text: &str,
    ) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO alert (code, subject, at, text) VALUES ($1, $2, $3, $4) ON CONFLICT (code, subject) DO NOTHING",
        )
        .bind(code)
        .bind(subject)
        .bind(now.0)
        .bind(text)
        .execute(self.conn())
        .await
        .doing("raise an alert")?;
        Ok(done.rows_affected() == 1)
    }
}
