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

impl Store {
    /// Bytes of the job's log from `offset` on, at most `limit`, its executions one after the other. Also tells the
    /// offset after them.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn log_read(&self, job: JobId, offset: u64, limit: usize) -> Result<(Vec<u8>, u64), Error> {
        let rows = sqlx::query(
            "SELECT c.bytes AS bytes, length(c.bytes) AS n FROM log_chunk c JOIN execution x ON x.id = c.execution \
             WHERE x.job = $1 ORDER BY x.attempt, c.at_offset",
        )
        .bind(job.to_string())
        .fetch_all(&self.read)
        .await
        .doing("read a log")?;
        let (mut out, mut at) = (Vec::new(), 0u64);
        for row in &rows {
            let bytes = Columns(row).bytes("bytes")?;
            let end = at + bytes.len() as u64;
            if end > offset && out.len() < limit {
                let skip = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
                let take = (limit - out.len()).min(bytes.len() - skip);
                out.extend_from_slice(&bytes[skip..skip + take]);
            }
            at = end;
        }
        let next = offset.min(at) + out.len() as u64;
        Ok((out, next))
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
            "SELECT at_offset + length(bytes) AS end FROM log_chunk WHERE execution = $1 ORDER BY at_offset DESC LIMIT 1",
        )
        .bind(execution.to_string())
        .fetch_optional(self.conn())
        .await
        .doing("find the end of a log")?;
        let end = match row {
            Some(row) => u64::try_from(Columns(&row).int("end")?).unwrap_or(0),
            None => 0,
        };
        if offset > end && end < cap {
            return Ok(LogAppend::Gap { next_offset: end });
        }
        let next_offset = (offset + bytes.len() as u64).max(end);
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
