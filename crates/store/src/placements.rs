//! Plans, kept as the text that their makers wrote.

use domain::{JobId, PlacementId, Timestamp};

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

impl Store {
    /// The plan's text.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn placement_get(&self, id: PlacementId) -> Result<Option<String>, Error> {
        let row = sqlx::query("SELECT plan FROM placement WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("read a placement")?;
        row.map(|row| Columns(&row).text("plan")).transpose()
    }

    /// The job's plans, oldest first.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn placement_list(&self, job: JobId) -> Result<Vec<String>, Error> {
        let rows = sqlx::query("SELECT plan FROM placement WHERE job = $1 ORDER BY seq")
            .bind(job.to_string())
            .fetch_all(&self.read)
            .await
            .doing("read placements")?;
        rows.iter().map(|row| Columns(row).text("plan")).collect()
    }
}

impl Tx {
    /// Stores a plan.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn placement_insert(
        &mut self,
        id: PlacementId,
        job: JobId,
        made_at: Timestamp,
        plan: &str,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO placement (id, job, made_at, plan, seq) VALUES ($1, $2, $3, $4, \
             (SELECT COALESCE(MAX(seq), 0) + 1 FROM placement WHERE job = $2))",
        )
        .bind(id.to_string())
        .bind(job.to_string())
        .bind(made_at.0)
        .bind(plan)
        .execute(self.conn())
        .await
        .doing("store a placement")?;
        Ok(())
    }
}
