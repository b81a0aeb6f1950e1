//! Settlements of leases.

use domain::{JobId, LeaseId, Timestamp, Usd};
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// Money moved for one lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementRow {
    /// Which lease.
    pub lease: LeaseId,
    /// Of which job.
    pub job: JobId,
    /// Posted, fees included.
    pub paid: Usd,
    /// The fees in `paid`.
    pub fees: Usd,
    /// Held and given back to the job.
    pub refunded: Usd,
    /// Billed beyond what we owe.
    pub disputed: Usd,
    /// Units of gas that our own transactions for the lease used.
    pub gas: u64,
    /// Hashes of these transactions, oldest first.
    pub txs: Vec<String>,
    /// When.
    pub at: Timestamp,
}

fn settlement_of(row: &SqliteRow) -> Result<SettlementRow, Error> {
    let c = Columns(row);
    Ok(SettlementRow {
        lease: c.parsed("lease")?,
        job: c.parsed("job")?,
        paid: c.usd("paid")?,
        fees: c.usd("fees")?,
        refunded: c.usd("refunded")?,
        disputed: c.usd("disputed")?,
        gas: c.size("gas")?,
        txs: c.text("txs")?.split_whitespace().map(ToOwned::to_owned).collect(),
        at: c.time("at")?,
    })
}

impl Store {
    /// The job's settlements, oldest first.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn settlement_list(&self, job: JobId) -> Result<Vec<SettlementRow>, Error> {
        let rows = sqlx::query(
            "SELECT lease, job, paid, fees, refunded, disputed, gas, txs, at FROM settlement WHERE job = $1 \
             ORDER BY at, lease",
        )
        .bind(job.to_string())
        .fetch_all(&self.read)
        .await
        .doing("list settlements")?;
        rows.iter().map(settlement_of).collect()
    }

    /// The settlement of a lease.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn settlement_get(&self, lease: LeaseId) -> Result<Option<SettlementRow>, Error> {
        let row = sqlx::query(
            "SELECT lease, job, paid, fees, refunded, disputed, gas, txs, at FROM settlement WHERE lease = $1",
        )
        .bind(lease.to_string())
        .fetch_optional(&self.read)
        .await
        .doing("read a settlement")?;
        row.as_ref().map(settlement_of).transpose()
    }

    /// How many leases of the job are not settled.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn lease_count_unsettled(&self, job: JobId) -> Result<u32, Error> {
        let row = sqlx::query("SELECT COUNT(*) AS n FROM lease WHERE job = $1 AND settled = 0")
            .bind(job.to_string())
            .fetch_one(&self.read)
            .await
            .doing("count unsettled leases")?;
        Columns(&row).count("n")
    }
}

impl Tx {
    /// Stores a settlement.
    ///
    /// # Errors
    /// The database refuses a second settlement of one lease.
    pub async fn settlement_insert(&mut self, row: &SettlementRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO settlement (lease, job, paid, fees, refunded, disputed, gas, txs, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(row.lease.to_string())
        .bind(row.job.to_string())
        .bind(row.paid.column())
        .bind(row.fees.column())
        .bind(row.refunded.column())
        .bind(row.disputed.column())
        .bind(i64::try_from(row.gas).unwrap_or(i64::MAX))
        .bind(row.txs.join(" "))
        .bind(row.at.0)
        .execute(self.conn())
        .await
        .doing("insert a settlement")?;
        Ok(())
    }
}
