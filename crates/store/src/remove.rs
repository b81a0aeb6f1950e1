//! Removing what is over. Money and what happened are kept.

use domain::JobId;

use crate::error::Doing;
use crate::{Error, Tx};

impl Tx {
    /// Removes a settled job with its plans, executions, leases, logs, object rows, and with the secret what its
    /// commitments in the outbox are about. The ledger and the outbox stay.
    /// Returns whether it was there and settled.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn job_remove(&mut self, id: JobId) -> Result<bool, Error> {
        let doing = "remove a job";
        let settled = sqlx::query("SELECT 1 FROM job WHERE id = $1 AND state = 'settled'")
            .bind(id.to_string())
            .fetch_optional(self.conn())
            .await
            .doing(doing)?;
        if settled.is_none() {
            return Ok(false);
        }
        for sql in [
            "DELETE FROM log_chunk WHERE execution IN (SELECT id FROM execution WHERE job = $1)",
            "DELETE FROM settlement WHERE job = $1",
            "DELETE FROM proof WHERE job = $1",
            "DELETE FROM claim WHERE lease IN (SELECT id FROM lease WHERE job = $1)",
            "DELETE FROM delegation WHERE lease IN (SELECT id FROM lease WHERE job = $1)",
            "DELETE FROM lease_fact WHERE lease IN (SELECT id FROM lease WHERE job = $1)",
            "DELETE FROM lease WHERE job = $1",
            "DELETE FROM execution WHERE job = $1",
            "DELETE FROM placement WHERE job = $1",
            "DELETE FROM object WHERE job = $1",
            "DELETE FROM job_secret WHERE job = $1",
            "DELETE FROM job WHERE id = $1",
        ] {
            sqlx::query(sql).bind(id.to_string()).execute(self.conn()).await.doing(doing)?;
        }
        Ok(true)
    }
}
