//! What a receipt says of a lease beyond what other rows keep.

use domain::{JobId, LeaseId};
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// What was known of a lease when its job was settled. It is not asked for again: networks come and go, receipts stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseFactRow {
    /// Which lease.
    pub lease: LeaseId,
    /// Whether its network can be refused payment.
    pub withholds: bool,
    /// What its agent signed for, beside the root: domain separator and lease, 32 bytes each; `None` where nobody could tell.
    pub subject: Option<(Vec<u8>, Vec<u8>)>,
}

fn fact_of(row: &SqliteRow) -> Result<LeaseFactRow, Error> {
    let c = Columns(row);
    Ok(LeaseFactRow {
        lease: c.parsed("lease")?,
        withholds: c.flag("withholds")?,
        subject: c.maybe_bytes("domain")?.zip(c.maybe_bytes("subject")?),
    })
}

impl Store {
    /// What is kept of the job's leases.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_fact_list(&self, job: JobId) -> Result<Vec<LeaseFactRow>, Error> {
        let rows = sqlx::query(
            "SELECT f.lease, f.withholds, f.domain, f.subject FROM lease_fact f JOIN lease l ON l.id = f.lease WHERE l.job = $1",
        )
        .bind(job.to_string())
        .fetch_all(&self.read)
        .await
        .doing("list what receipts say of leases")?;
        rows.iter().map(fact_of).collect()
    }
}

impl Tx {
    /// Keeps what a receipt says of a lease. What was kept first stays.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn lease_fact_insert(&mut self, row: &LeaseFactRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO lease_fact (lease, withholds, domain, subject) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (lease) DO NOTHING",
        )
        .bind(row.lease.to_string())
        .bind(i64::from(row.withholds))
        .bind(row.subject.as_ref().map(|(domain, _)| domain.clone()))
        .bind(row.subject.as_ref().map(|(_, lease)| lease.clone()))
        .execute(self.conn())
        .await
        .doing("keep what a receipt says of a lease")?;
        Ok(())
    }
}
