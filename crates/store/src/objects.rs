//! Sealed objects: rows in the database, bytes in a folder. The store sees ciphertext only.

use std::collections::HashSet;
use std::path::Path as FsPath;
use std::sync::Arc;

use bytes::Bytes;
use domain::{ExecutionId, JobId, ObjectId, Timestamp};
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use sqlx::sqlite::{SqlitePool, SqliteRow};

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// What is to be run, secrets included.
    Bundle,
    /// The user's files.
    Inputs,
    /// A state of the workload.
    Checkpoint,
    /// The workload's outputs.
    Outputs,
}

impl ObjectKind {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Inputs => "inputs",
            Self::Checkpoint => "checkpoint",
            Self::Outputs => "outputs",
        }
    }
}

/// A sealed object as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    /// Its id.
    pub id: ObjectId,
    /// Of which job; none until a job names its uploaded inputs.
    pub job: Option<JobId>,
    /// What it is for.
    pub kind: ObjectKind,
    /// Who made it.
    pub execution: Option<ExecutionId>,
    /// Which state, for a checkpoint.
    pub segment: Option<u32>,
    /// The AAD it is sealed under.
    pub context: String,
    /// Its data key, wrapped to the customer, hex.
    pub wrapped_key: String,
    /// `sha256:<hex>` of the ciphertext.
    pub digest: String,
    /// BLAKE3 of what is sealed, where we sealed it.
    pub content: Option<[u8; 32]>,
    /// Length of the ciphertext.
    pub bytes: u64,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// Bytes that arrived whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How many.
    pub bytes: u64,
}

/// Bytes that did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError<E: std::error::Error + 'static> {
    /// More than allowed.
    #[error("the upload is larger than the {max} bytes allowed")]
    TooLarge {
        /// The bound.
        max: u64,
    },
    /// The sender broke off.
    #[error("the upload broke off")]
    Sender(#[source] E),
    /// The folder failed.
    #[error("the upload could not be stored")]
    Store(#[source] Error),
}

/// The bytes of sealed objects. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    inner: Arc<dyn ObjectStore>,
}

const PART_BYTES: usize = 1024 * 1024;

impl Objects {
    pub(crate) fn in_folder(folder: &FsPath) -> Result<Self, Error> {
        std::fs::create_dir_all(folder)
            .map_err(|source| Error::Folder { folder: folder.to_owned(), source })?;
        // A row is durable once it is committed, so the bytes that it names must be durable before.
        let inner = LocalFileSystem::new_with_prefix(folder)
            .map_err(|source| Error::Objects { doing: "open its folder", source })?
            .with_fsync(true);
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn in_memory() -> Self {
        Self { inner: Arc::new(InMemory::new()) }
    }

    /// Stores small bytes.
    ///
    /// # Errors
    /// The folder could not be written.
    pub async fn put(&self, id: ObjectId, bytes: Vec<u8>) -> Result<(), Error> {
        let put = self.inner.put(&path(id), bytes.into()).await;
        put.map(|_| ()).map_err(|source| Error::Objects { doing: "store an object", source })
    }

    /// Stores a stream part by part; what did not arrive whole leaves nothing behind. `seen` is shown every part.
    ///
    /// # Errors
    /// The sender broke off, sent more than `max` bytes, or the folder could not be written.
    pub async fn receive<S, E>(
        &self,
        id: ObjectId,
        stream: S,
        max: u64,
        mut seen: impl FnMut(&[u8]) + Send,
    ) -> Result<Received, ReceiveError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + 'static,
    {
        let failed = |source| ReceiveError::Store(Error::Objects { doing: "store an upload", source });
        let upload = self.inner.put_multipart(&path(id)).await.map_err(failed)?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let mut total = 0u64;
        let mut stream = std::pin::pin!(stream);
        while let Some(part) = stream.next().await {
            let refused = match part {
                Err(source) => ReceiveError::Sender(source),
                Ok(part) if total + part.len() as u64 <= max => {
                    total += part.len() as u64;
                    seen(&part);
                    writer.wait_for_capacity(2).await.map_err(failed)?;
                    writer.write(&part);
                    continue;
                }
                Ok(_) => ReceiveError::TooLarge { max },
            };
            // The upload is refused for its own reason; what a failed clean-up leaves is removed at the next start.
            let _ = writer.abort().await;
            return Err(refused);
        }
        writer.finish().await.map_err(failed)?;
        Ok(Received { bytes: total })
    }

    /// The bytes, part by part.
    ///
    /// # Errors
    /// There is no such object or the folder could not be read.
    pub async fn stream(
        &self,
        id: ObjectId,
    ) -> Result<impl Stream<Item = Result<Bytes, std::io::Error>> + Send + use<>, Error> {
        let got = self
            .inner
            .get(&path(id))
            .await
            .map_err(|source| Error::Objects { doing: "read an object", source })?;
        Ok(got.into_stream().map_err(std::io::Error::other))
    }

    /// All the bytes of a small object.
    ///
    /// # Errors
    /// There is no such object or the folder could not be read.
    pub async fn get(&self, id: ObjectId) -> Result<Vec<u8>, Error> {
        let failed = |source| Error::Objects { doing: "read an object", source };
        let got = self.inner.get(&path(id)).await.map_err(failed)?;
        Ok(got.bytes().await.map_err(failed)?.to_vec())
    }

    /// Removes the bytes; success when they are gone already.
    ///
    /// # Errors
    /// The folder could not be written.
    pub async fn remove(&self, id: ObjectId) -> Result<(), Error> {
        match self.inner.delete(&path(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(Error::Objects { doing: "remove an object", source }),
        }
    }
}

/// Removes files that no row names, which a process leaves that dies in an upload or between the bytes and their row.
/// Only for who has just locked the data folder: later there are uploads under way.
pub(crate) fn remove_unnamed(folder: &FsPath, named: &HashSet<String>) -> std::io::Result<()> {
    for shelf in std::fs::read_dir(folder)? {
        let shelf = shelf?;
        if !shelf.file_type()?.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(shelf.path())? {
            let file = file?;
            if !file.file_name().to_str().is_some_and(|name| named.contains(name)) {
                std::fs::remove_file(file.path())?;
            }
        }
    }
    Ok(())
}

fn path(id: ObjectId) -> Path {
    let name = id.to_string();
    Path::from_iter([&name[2..4], name.as_str()])
}

macro_rules! select {
    ($tail:literal) => {
        sqlx::query(concat!(
            "SELECT id, job, kind, execution, segment, context, wrapped_key, digest, content, bytes, created_at FROM object ",
            $tail
        ))
    };
}

fn object_of(row: &SqliteRow) -> Result<ObjectRow, Error> {
    let c = Columns(row);
    let kind = match c.text("kind")?.as_str() {
        "bundle" => ObjectKind::Bundle,
        "inputs" => ObjectKind::Inputs,
        "checkpoint" => ObjectKind::Checkpoint,
        "outputs" => ObjectKind::Outputs,
        other => return Err(Error::Unreadable { what: "object kind", value: other.to_owned() }),
    };
    Ok(ObjectRow {
        id: c.parsed("id")?,
        job: c.maybe_parsed("job")?,
        kind,
        execution: c.maybe_parsed("execution")?,
        segment: c.maybe_count("segment")?,
        context: c.text("context")?,
        wrapped_key: c.text("wrapped_key")?,
        digest: c.text("digest")?,
        content: c.maybe_digest("content")?,
        bytes: c.size("bytes")?,
        created_at: c.time("created_at")?,
    })
}

impl Store {
    pub(crate) async fn object_names(write: &SqlitePool) -> Result<HashSet<String>, Error> {
        let rows = sqlx::query("SELECT id FROM object").fetch_all(write).await.doing("list all objects")?;
        rows.iter().map(|row| Columns(row).text("id")).collect()
    }

    /// The object's row.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn object_get(&self, id: ObjectId) -> Result<Option<ObjectRow>, Error> {
        let row = select!("WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("read an object")?;
        row.as_ref().map(object_of).transpose()
    }

    /// The newest checkpoint of a state of a job, by any execution.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn object_checkpoint(&self, job: JobId, segment: u32) -> Result<Option<ObjectRow>, Error> {
        let row =
            select!("WHERE job = $1 AND kind = 'checkpoint' AND segment = $2 ORDER BY seq DESC, id LIMIT 1")
                .bind(job.to_string())
                .bind(i64::from(segment))
                .fetch_optional(&self.read)
                .await
                .doing("find a checkpoint")?;
        row.as_ref().map(object_of).transpose()
    }

    /// Checkpoints of a job for states before `segment`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn object_list_checkpoints_before(
        &self,
        job: JobId,
        segment: u32,
    ) -> Result<Vec<ObjectId>, Error> {
        let rows =
            sqlx::query("SELECT id FROM object WHERE job = $1 AND kind = 'checkpoint' AND segment < $2")
                .bind(job.to_string())
                .bind(i64::from(segment))
                .fetch_all(&self.read)
                .await
                .doing("list old checkpoints")?;
        rows.iter().map(|row| Columns(row).parsed("id")).collect()
    }

    /// Every object of a job.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn object_list(&self, job: JobId) -> Result<Vec<ObjectRow>, Error> {
        let rows = select!("WHERE job = $1 ORDER BY seq, id")
            .bind(job.to_string())
            .fetch_all(&self.read)
            .await
            .doing("list objects")?;
        rows.iter().map(object_of).collect()
    }

    /// Objects that no job has named since `before`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn object_list_unnamed(&self, before: Timestamp, limit: u32) -> Result<Vec<ObjectRow>, Error> {
        let rows = select!("WHERE job IS NULL AND created_at < $1 ORDER BY created_at, id LIMIT $2")
            .bind(before.0)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await
            .doing("list unnamed objects")?;
        rows.iter().map(object_of).collect()
    }
}

impl Tx {
    /// Stores an object's row, after its bytes.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn object_insert(&mut self, row: &ObjectRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO object (id, job, kind, execution, segment, context, wrapped_key, digest, content, bytes, created_at, seq) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, (SELECT COALESCE(MAX(seq), 0) + 1 FROM object WHERE job = $2))",
        )
        .bind(row.id.to_string())
        .bind(row.job.map(|j| j.to_string()))
        .bind(row.kind.as_str())
        .bind(row.execution.map(|x| x.to_string()))
        .bind(row.segment.map(i64::from))
        .bind(&row.context)
        .bind(&row.wrapped_key)
        .bind(&row.digest)
        .bind(row.content.as_ref().map(<[u8; 32]>::as_slice))
        .bind(i64::try_from(row.bytes).unwrap_or(i64::MAX))
        .bind(row.created_at.0)
        .execute(self.conn())
        .await
        .doing("insert an object")?;
        Ok(())
    }

    /// BLAKE3 of a state that an execution stored and that we have opened.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn object_content(
        &mut self,
        job: JobId,
        execution: ExecutionId,
        segment: u32,
    ) -> Result<Option<[u8; 32]>, Error> {
        let row = sqlx::query(
            "SELECT content FROM object WHERE job = $1 AND execution = $2 AND kind = 'checkpoint' AND segment = $3 \
             AND content IS NOT NULL ORDER BY seq LIMIT 1",
        )
        .bind(job.to_string())
        .bind(execution.to_string())
        .bind(i64::from(segment))
        .fetch_optional(self.conn())
        .await
        .doing("find what a state holds")?;
        Ok(row.as_ref().map(|row| Columns(row).maybe_digest("content")).transpose()?.flatten())
    }

    /// Gives uploaded inputs to a job. Returns whether they were there and nobody's.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn object_claim(&mut self, id: ObjectId, job: JobId) -> Result<bool, Error> {
        let done =
            sqlx::query("UPDATE object SET job = $2 WHERE id = $1 AND job IS NULL AND kind = 'inputs'")
                .bind(id.to_string())
                .bind(job.to_string())
                .execute(self.conn())
                .await
                .doing("claim an object")?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets an object's row, before its bytes are removed.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn object_forget(&mut self, id: ObjectId) -> Result<(), Error> {
        sqlx::query("DELETE FROM object WHERE id = $1")
            .bind(id.to_string())
            .execute(self.conn())
            .await
            .doing("forget an object")?;
        Ok(())
    }

    /// Forgets the row of an object that no job has named. Returns whether there was one; a job may have been faster.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn object_forget_unnamed(&mut self, id: ObjectId) -> Result<bool, Error> {
        let done = sqlx::query("DELETE FROM object WHERE id = $1 AND job IS NULL")
            .bind(id.to_string())
            .execute(self.conn())
            .await
            .doing("forget an object")?;
        Ok(done.rows_affected() == 1)
    }
}
