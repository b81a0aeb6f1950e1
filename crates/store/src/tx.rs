//! Writes happen inside a transaction that first checks that this control plane still owns the folder.

use sqlx::Sqlite;
use sqlx::sqlite::SqliteConnection;

use crate::error::Doing;
use crate::{Error, Store};

/// A fenced write transaction. Dropped without `commit`, it leaves no trace.
pub struct Tx {
    inner: sqlx::Transaction<'static, Sqlite>,
}

impl Store {
    /// Begins a write transaction; waits for the one before it, since there is one write connection. The ownership that
    /// it reads cannot change before it ends: SQLite lets nobody else write meanwhile, elsewhere the row would be locked.
    ///
    /// # Errors
    /// `Fenced` when another control plane has taken over.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let mut inner = self.write.begin_with("BEGIN IMMEDIATE").await.doing("begin a transaction")?;
        let ours: Option<(i64,)> =
            sqlx::query_as("SELECT epoch FROM ownership WHERE name = $1 AND owner = $2 AND epoch = $3")
                .bind(crate::open::CONTROL_PLANE)
                .bind(&self.owner.id)
                .bind(self.owner.epoch)
                .fetch_optional(&mut *inner)
                .await
                .doing("check the ownership of the data folder")?;
        if ours.is_none() { Err(Error::Fenced) } else { Ok(Tx { inner }) }
    }
}

impl Tx {
    /// Makes the changes durable.
    ///
    /// # Errors
    /// The database could not; then nothing was changed.
    pub async fn commit(self) -> Result<(), Error> {
        self.inner.commit().await.doing("commit a transaction")
    }

    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }
}
