//! Logs of workloads, off the machine as soon as they are written.

use domain::{ExecutionId, JobId};

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// What became of a piece of log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogAppend {
    /// Everything up to this offset is stored.
    Stored {
        /// Where the next piece begins.
        next_offset: u64,
    },
    /// The piece begins after what is stored: send from here.
    Gap {
        /// Where the next piece must begin.
        next_offset: u64,
    },
}

/// Pieces read at a time.
const PIECES: i64 = 64;

impl Store {
    /// Bytes of the job's log from `offset` on, at most `limit`, its executions one after the other. Also tells the
    /// offset after them.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn log_read(&self, job: JobId, offset: u64, limit: usize) -> Result<(Vec<u8>, u64), Error> {
        let sizes = sqlx::query(
            "SELECT x.id AS id, COALESCE(MAX(c.at_offset + length(c.bytes)), 0) AS size FROM execution x \
             LEFT JOIN log_chunk c ON c.execution = x.id WHERE x.job = $1 GROUP BY x.id, x.attempt ORDER BY x.attempt",
        )
        .bind(job.to_string())
        .fetch_all(&self.read)
        .await
        .doing("measure a log")?;
        let (mut out, mut at) = (Vec::new(), 0u64);
        for row in &sizes {
            let size = Columns(row).size("size")?;
            if at + size > offset && out.len() < limit {
                let from = offset.saturating_sub(at);
                self.log_read_execution(&Columns(row).text("id")?, from, limit, &mut out).await?;
            }
            at += size;
        }
        let next = offset.min(at) + out.len() as u64;
        Ok((out, next))
    }

    /// Adds to `out`, up to `limit`, what the execution's log has from `from` on.
    async fn log_read_execution(
        &self,
        execution: &str,
        mut from: u64,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        loop {
            let pieces = sqlx::query(
                "SELECT at_offset, bytes FROM log_chunk WHERE execution = $1 AND at_offset + length(bytes) > $2 \
                 ORDER BY at_offset LIMIT $3",
            )
            .bind(execution)
            .bind(i64::try_from(from).unwrap_or(i64::MAX))
            .bind(PIECES)
            .fetch_all(&self.read)
            .await
            .doing("read a log")?;
            for piece in &pieces {
                let (at, bytes) = (Columns(piece).size("at_offset")?, Columns(piece).bytes("bytes")?);
                let skip = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX);
                let new = bytes.get(skip..).unwrap_or_default();
                let new = &new[..new.len().min(limit - out.len())];
                out.extend_from_slice(new);
                from += new.len() as u64;
            }
            if pieces.is_empty() || out.len() == limit {
                return Ok(());
            }
        }
    }
}

impl Tx {
    /// Appends a piece that begins at `offset`; what is stored already is not stored again. Beyond `cap` bytes nothing
    /// more is kept, though it is acknowledged.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn log_append(
        &mut self,
        execution: ExecutionId,
        offset: u64,
        bytes: &[u8],
        cap: u64,
    ) -> Result<LogAppend, Error> {
        let row = sqlx::query(
            "SELECT at_offset + length(bytes) AS size FROM log_chunk WHERE execution = $1 ORDER BY at_offset DESC LIMIT 1",
        )
        .bind(execution.to_string())
        .fetch_optional(self.conn())
        .await
        .doing("find the end of a log")?;
        let end = match row {
            Some(row) => Columns(&row).size("size")?,
            None => 0,
        };
        if offset > end && end < cap {
            return Ok(LogAppend::Gap { next_offset: end });
        }
        let next_offset = offset.saturating_add(bytes.len() as u64).max(end);
        let skip = usize::try_from(end - offset.min(end)).unwrap_or(usize::MAX).min(bytes.len());
        let room = usize::try_from(cap.saturating_sub(end)).unwrap_or(usize::MAX);
        let new = &bytes[skip..];
        let new = &new[..new.len().min(room)];
        if !new.is_empty() {
            sqlx::query("INSERT INTO log_chunk (execution, at_offset, bytes) VALUES ($1, $2, $3)")
                .bind(execution.to_string())
                .bind(i64::try_from(end).unwrap_or(i64::MAX))
                .bind(new)
                .execute(self.conn())
                .await
                .doing("append to a log")?;
        }
        Ok(LogAppend::Stored { next_offset })
    }
}
