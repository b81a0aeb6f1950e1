//! How far the outbox stands in the audit log, and what the commitments in it are salted with.

use domain::JobId;
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// The newest head of an audit log that was signed and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The log's name.
    pub origin: String,
    /// Its entries: the outbox rows up to this `seq`.
    pub size: u64,
    /// The root over them.
    pub root: [u8; 32],
    /// The signed checkpoint.
    pub checkpoint: String,
}

const SELECT: &str = "SELECT origin, size, root, checkpoint FROM published WHERE origin = $1";

impl Store {
    /// How far the log with this name was published; `None` before its first checkpoint.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn published_get(&self, origin: &str) -> Result<Option<Published>, Error> {
        let row = sqlx::query(SELECT).bind(origin).fetch_optional(&self.read).await;
        row.doing("read what was published")?.as_ref().map(published).transpose()
    }
}

impl Tx {
    /// The same inside the transaction.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn published_get_in_txn(&mut self, origin: &str) -> Result<Option<Published>, Error> {
        let row = sqlx::query(SELECT).bind(origin).fetch_optional(self.conn()).await;
        row.doing("read what was published")?.as_ref().map(published).transpose()
    }

    /// Notes that the log has come so far, if it had `before` entries until now (`None`: if nothing was noted). Returns
    /// whether the guard held. It never goes back.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn published_set(&mut self, to: &Published, before: Option<u64>) -> Result<bool, Error> {
        let doing = "note what was published";
        let size = stored_size(to.size)?;
        let query = match before {
            None => sqlx::query(
                "INSERT INTO published (size, root, checkpoint, origin) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (origin) DO NOTHING",
            ),
            Some(_) => sqlx::query(
                "UPDATE published SET size = $1, root = $2, checkpoint = $3 \
                 WHERE origin = $4 AND size = $5 AND size <= $1",
            ),
        };
        let query = query.bind(size).bind(to.root.as_slice()).bind(&to.checkpoint).bind(&to.origin);
        let query = match before {
            None => query,
            Some(before) => query.bind(stored_size(before)?),
        };
        Ok(query.execute(self.conn()).await.doing(doing)?.rows_affected() == 1)
    }

    /// Keeps the secret of a job's commitments, as long as the job is kept.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn secret_insert(&mut self, job: JobId, secret: &[u8; 32]) -> Result<(), Error> {
        sqlx::query("INSERT INTO job_secret (job, secret) VALUES ($1, $2)")
            .bind(job.to_string())
            .bind(secret.as_slice())
            .execute(self.conn())
            .await
            .doing("keep the secret of a job's commitments")?;
        Ok(())
    }

    /// The secret of a job's commitments; `None` once the job was removed.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn secret_get(&mut self, job: JobId) -> Result<Option<[u8; 32]>, Error> {
        let row = sqlx::query("SELECT secret FROM job_secret WHERE job = $1")
            .bind(job.to_string())
            .fetch_optional(self.conn())
            .await
            .doing("read the secret of a job's commitments")?;
        row.map(|row| digest(&Columns(&row), "secret")).transpose()
    }
}

fn published(row: &SqliteRow) -> Result<Published, Error> {
    let c = Columns(row);
    Ok(Published {
        origin: c.text("origin")?,
        size: c.size("size")?,
        root: digest(&c, "root")?,
        checkpoint: c.text("checkpoint")?,
    })
}

fn digest(columns: &Columns<'_>, name: &'static str) -> Result<[u8; 32], Error> {
    let bytes = columns.bytes(name)?;
    bytes
        .as_slice()
        .try_into()
        .map_err(|_| Error::Unreadable { what: name, value: format!("{} bytes", bytes.len()) })
}

fn stored_size(size: u64) -> Result<i64, Error> {
    i64::try_from(size).map_err(|_| Error::Unreadable { what: "size", value: size.to_string() })
}
