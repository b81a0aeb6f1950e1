//! Opening the data folder: one control plane at a time, by a file lock and an epoch.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::error::Doing;
use crate::objects::remove_unnamed;
use crate::{AuditFiles, Error, Objects};

pub(crate) const CONTROL_PLANE: &str = "control-plane";
const SCHEMA_VERSION: &str = "5";
const READERS_MAX: u32 = 4;
/// The database is in this process, so a connection does not go stale while nobody uses it.
const PING: bool = false;

/// Who writes: a random id made at start, and the epoch it took the folder in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Differs at every start, so that a restarted control plane is another owner.
    pub id: String,
    /// One higher than that of the owner before.
    pub epoch: i64,
}

/// The data store of one control plane. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) write: SqlitePool,
    pub(crate) read: SqlitePool,
    pub(crate) owner: Owner,
    objects: Objects,
    audit: AuditFiles,
    _lock: Option<Arc<File>>,
}

impl Store {
    /// Opens or makes the store in `folder` and takes ownership of it.
    ///
    /// # Errors
    /// `InUse` when another process has it open; `Schema` when another version wrote it.
    pub async fn open(folder: &Path, owner_id: &str) -> Result<Self, Error> {
        let lock = lock(folder)?;
        let options = SqliteConnectOptions::new()
            .filename(folder.join("waag.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(PING)
            .connect_with(options.clone())
            .await
            .doing("open the database")?;
        let objects_folder = folder.join("objects");
        let objects = Objects::in_folder(&objects_folder)?;
        let owner = prepare(&write, owner_id).await?;
        let named = Self::object_names(&write).await?;
        remove_unnamed(&objects_folder, &named)
            .map_err(|source| Error::Folder { folder: objects_folder.clone(), source })?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .test_before_acquire(PING)
            .connect_lazy_with(options.read_only(true));
        let audit = AuditFiles::in_folder(&folder.join("audit"));
        Ok(Self { write, read, owner, objects, audit, _lock: Some(Arc::new(lock)) })
    }

    /// A store that lives in memory, for simulations.
    ///
    /// # Errors
    /// The database could not be made.
    pub async fn memory(owner_id: &str) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(PING)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .doing("open the database")?;
        let owner = prepare(&write, owner_id).await?;
        let (objects, audit) = (Objects::in_memory(), AuditFiles::default());
        Ok(Self { read: write.clone(), write, owner, objects, audit, _lock: None })
    }

    /// The same store taken over by a new owner, as after a restart: the old handle can no longer write.
    ///
    /// # Errors
    /// The database could not be changed.
    pub async fn take_over(&self, owner_id: &str) -> Result<Self, Error> {
        let owner = take(&self.write, owner_id).await?;
        Ok(Self { owner, ..self.clone() })
    }

    /// Who we are.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The sealed objects.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The files of the audit log.
    pub fn audit(&self) -> &AuditFiles {
        &self.audit
    }

    /// Closes the database after the last transaction.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

fn lock(folder: &Path) -> Result<File, Error> {
    let failed = |source| Error::Folder { folder: folder.to_owned(), source };
    // Job files and logs are nobody else's business.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("control-plane.lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse { folder: folder.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

async fn prepare(write: &SqlitePool, owner_id: &str) -> Result<Owner, Error> {
    let known: Option<(String,)> =
        sqlx::query_as("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'meta'")
            .fetch_optional(write)
            .await
            .doing("look for the schema")?;
    if known.is_none() {
        let mut tx = write.begin_with("BEGIN IMMEDIATE").await.doing("make the schema")?;
        sqlx::raw_sql(include_str!("../schema/sqlite.sql"))
            .execute(&mut *tx)
            .await
            .doing("make the schema")?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ('schema', $1)")
            .bind(SCHEMA_VERSION)
            .execute(&mut *tx)
            .await
            .doing("make the schema")?;
        tx.commit().await.doing("make the schema")?;
    }
    let found: Option<(String,)> = sqlx::query_as("SELECT value FROM meta WHERE name = 'schema'")
        .fetch_optional(write)
        .await
        .doing("read the schema version")?;
    match found {
        Some((version,)) if version == SCHEMA_VERSION => take(write, owner_id).await,
        other => Err(Error::Schema {
            found: other.map_or_else(|| "none".to_owned(), |v| v.0),
            needed: SCHEMA_VERSION,
        }),
    }
}

async fn take(write: &SqlitePool, owner_id: &str) -> Result<Owner, Error> {
    let (epoch,): (i64,) = sqlx::query_as(
        "INSERT INTO ownership (name, owner, epoch) VALUES ($1, $2, 1) \
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = ownership.epoch + 1 RETURNING epoch",
    )
    .bind(CONTROL_PLANE)
    .bind(owner_id)
    .fetch_one(write)
    .await
    .doing("take ownership of the data folder")?;
    Ok(Owner { id: owner_id.to_owned(), epoch })
}
