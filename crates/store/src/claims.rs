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
    /// BLAKE3 of the newest state, or of the outputs: the leaf that came last. 32 bytes.
    pub digest: Vec<u8>,
    /// Whether the newest leaf binds outputs.
    pub outputs: bool,
    /// Whether we have said that we have every state below the root.
    pub acknowledged: bool,
}

/// Who signs for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationRow {
    /// The agent's address, `0x` and 40 hex digits.
    pub agent: String,
    /// The provider's signature for that address; empty where no provider speaks for its agents.
    pub signature: Vec<u8>,
}

fn claim_of(row: &SqliteRow) -> Result<ClaimRow, Error> {
    let c = Columns(row);
    Ok(ClaimRow {
        leaf_count: c.count("leaf_count")?,
        root: c.bytes("root")?,
        signature: c.bytes("signature")?,
        digest: c.bytes("digest")?,
        outputs: c.flag("outputs")?,
        acknowledged: c.flag("acknowledged")?,
    })
}

impl Store {
    /// Who signs for a lease; `None` before its agent was admitted.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn delegation_get(&self, lease: LeaseId) -> Result<Option<DelegationRow>, Error> {
        let row = sqlx::query("SELECT agent, signature FROM delegation WHERE lease = $1")
            .bind(lease.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("read a delegation")?;
        row.map(|row| {
            let c = Columns(&row);
            Ok(DelegationRow { agent: c.text("agent")?, signature: c.bytes("signature")? })
        })
        .transpose()
    }

    /// The claim over the most leaves.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn claim_newest(&self, lease: LeaseId) -> Result<Option<ClaimRow>, Error> {
        let row = sqlx::query(
            "SELECT leaf_count, root, signature, digest, outputs, acknowledged FROM claim WHERE lease = $1 ORDER BY leaf_count DESC LIMIT 1",
        )
        .bind(lease.to_string())
        .fetch_optional(&self.read)
        .await
        .doing("read a claim")?;
        row.as_ref().map(claim_of).transpose()
    }

    /// The claims up to so many leaves, the first first: each has one leaf more than the one before.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn claim_list(&self, lease: LeaseId, leaf_count: u32) -> Result<Vec<ClaimRow>, Error> {
        let rows = sqlx::query(
            "SELECT leaf_count, root, signature, digest, outputs, acknowledged FROM claim WHERE lease = $1 AND leaf_count <= $2 \
             ORDER BY leaf_count",
        )
        .bind(lease.to_string())
        .bind(i64::from(leaf_count))
        .fetch_all(&self.read)
        .await
        .doing("list claims")?;
        rows.iter().map(claim_of).collect()
    }

    /// The claim over so many leaves.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn claim_get(&self, lease: LeaseId, leaf_count: u32) -> Result<Option<ClaimRow>, Error> {
        let row =
            sqlx::query("SELECT leaf_count, root, signature, digest, outputs, acknowledged FROM claim WHERE lease = $1 AND leaf_count = $2")
                .bind(lease.to_string())
                .bind(i64::from(leaf_count))
                .fetch_optional(&self.read)
                .await
                .doing("read a claim")?;
        row.as_ref().map(claim_of).transpose()
    }
}

impl Tx {
    /// Keeps by which key an agent signs, and its provider's word for it. Returns whether it is the first for this lease.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn delegation_insert(&mut self, lease: LeaseId, row: &DelegationRow) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO delegation (lease, agent, signature) VALUES ($1, $2, $3) ON CONFLICT (lease) DO NOTHING",
        )
        .bind(lease.to_string())
        .bind(&row.agent)
        .bind(&row.signature)
        .execute(self.conn())
        .await
        .doing("insert a delegation")?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps what an agent signed. The first word over so many leaves stays. Whether it is this one.
    ///
    /// # Errors
    /// The database could not be written, or the agent was not admitted.
    pub async fn claim_insert(&mut self, lease: LeaseId, claim: &ClaimRow) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO claim (lease, leaf_count, root, signature, digest, outputs, acknowledged) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (lease, leaf_count) DO UPDATE \
             SET acknowledged = CASE WHEN excluded.acknowledged > claim.acknowledged THEN 1 ELSE claim.acknowledged END \
             WHERE claim.root = excluded.root AND claim.digest = excluded.digest AND claim.outputs = excluded.outputs",
        )
        .bind(lease.to_string())
        .bind(i64::from(claim.leaf_count))
        .bind(&claim.root)
        .bind(&claim.signature)
        .bind(&claim.digest)
        .bind(i64::from(claim.outputs))
        .bind(i64::from(claim.acknowledged))
        .execute(self.conn())
        .await
        .doing("insert a claim")?;
        Ok(done.rows_affected() == 1)
    }
}
