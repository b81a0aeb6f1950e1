//! What an agent signs for its provider.

use domain::LeaseId;
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// One word of a lease's agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// Leaves below the root.
    pub leaf_count: u32,
    /// The root it signed, 32 bytes.
    pub root: Vec<u8>,
    /// Its signature.
    pub signature: Vec<u8>,
}

fn claim_of(row: &SqliteRow) -> Result<ClaimRow, Error> {
    let c = Columns(row);
    Ok(ClaimRow {
        leaf_count: c.count("leaf_count")?,
        root: c.bytes("root")?,
        signature: c.bytes("signature")?,
    })
}

impl Store {
    /// The provider's word that the agent of a lease may sign for it; `None` before the agent was admitted by it.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn delegation_get(&self, lease: LeaseId) -> Result<Option<Vec<u8>>, Error> {
        let row = sqlx::query("SELECT signature FROM delegation WHERE lease = $1")
            .bind(lease.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("read a delegation")?;
        row.map(|row| Columns(&row).bytes("signature")).transpose()
    }

    /// The claim over the most leaves.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn claim_newest(&self, lease: LeaseId) -> Result<Option<ClaimRow>, Error> {
        let row = sqlx::query(
            "SELECT leaf_count, root, signature FROM claim WHERE lease = $1 ORDER BY leaf_count DESC LIMIT 1",
        )
        .bind(lease.to_string())
        .fetch_optional(&self.read)
        .await
        .doing("read a claim")?;
        row.as_ref().map(claim_of).transpose()
    }

    /// The claim over so many leaves.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn claim_get(&self, lease: LeaseId, leaf_count: u32) -> Result<Option<ClaimRow>, Error> {
        let row =
            sqlx::query("SELECT leaf_count, root, signature FROM claim WHERE lease = $1 AND leaf_count = $2")
                .bind(lease.to_string())
                .bind(i64::from(leaf_count))
                .fetch_optional(&self.read)
                .await
                .doing("read a claim")?;
        row.as_ref().map(claim_of).transpose()
    }
}

impl Tx {
    /// Keeps the provider's word for an agent. Returns whether it is the first for this lease.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn delegation_insert(&mut self, lease: LeaseId, signature: &[u8]) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO delegation (lease, signature) VALUES ($1, $2) ON CONFLICT (lease) DO NOTHING",
        )
        .bind(lease.to_string())
        .bind(signature)
        .execute(self.conn())
        .await
        .doing("insert a delegation")?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps what an agent signed. The first word over so many leaves stays.
    ///
    /// # Errors
    /// The database could not be written, or the agent was not admitted by its provider.
    pub async fn claim_insert(&mut self, lease: LeaseId, claim: &ClaimRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO claim (lease, leaf_count, root, signature) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (lease, leaf_count) DO NOTHING",
        )
        .bind(lease.to_string())
        .bind(i64::from(claim.leaf_count))
        .bind(&claim.root)
        .bind(&claim.signature)
        .execute(self.conn())
        .await
        .doing("insert a claim")?;
        Ok(())
    }
}
