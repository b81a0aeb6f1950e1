//! A journal of signed transactions in one redb file, for one account.

use std::path::Path;
use std::sync::Arc;

use alloy::primitives::Bytes;
use async_trait::async_trait;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use crate::sender::{IntentKey, Journal, JournalError};

const PAGE_CACHE_BYTES: usize = 4 * 1024 * 1024;

/// Key of an intent and number of a version to the signed transaction.
const VERSIONS: TableDefinition<'_, (&str, u32), &[u8]> = TableDefinition::new("versions");

/// Keeps the signed transactions of one account in a file. What was added is there after a crash and a loss of power.
#[derive(Clone)]
pub struct FileJournal {
    db: Arc<Database>,
}

fn failed<E: Into<redb::Error>>(error: E) -> JournalError {
    JournalError(Box::new(error.into()))
}

impl FileJournal {
    /// Opens the journal in `file`, or begins it there. One process at a time may have it open.
    ///
    /// # Errors
    /// When the file cannot be used, is in use, or is damaged.
    pub fn open(file: &Path) -> Result<Self, JournalError> {
        let db = Database::builder().set_cache_size(PAGE_CACHE_BYTES).create(file).map_err(failed)?;
        let journal = Self { db: Arc::new(db) };
        // A table is there once somebody wrote to it; reads then need not ask.
        let begun = journal.db.begin_write().map_err(failed)?;
        begun.open_table(VERSIONS).map(|_| ()).map_err(failed)?;
        begun.commit().map_err(failed)?;
        Ok(journal)
    }

    /// Runs what may wait for the disk where that holds up nobody.
    async fn with_db<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let db = Arc::clone(&self.db);
        tokio::task::spawn_blocking(move || work(&db)).await.map_err(|error| JournalError(Box::new(error)))?
    }

    async fn take_out(&self, key: &IntentKey, durability: Durability) -> Result<(), JournalError> {
        let key = key.0.clone();
        self.with_db(move |db| {
            let mut write = db.begin_write().map_err(failed)?;
            write.set_durability(durability).map_err(|error| JournalError(Box::new(error)))?;
            {
                let mut table = write.open_table(VERSIONS).map_err(failed)?;
                table
                    .retain_in((key.as_str(), 0)..=(key.as_str(), u32::MAX), |_, _| false)
                    .map_err(failed)?;
            }
            write.commit().map_err(failed)
        })
        .await
    }
}

#[async_trait]
impl Journal for FileJournal {
    async fn add(&self, key: &IntentKey, raw: &Bytes) -> Result<(), JournalError> {
        let (key, raw) = (key.0.clone(), raw.clone());
        self.with_db(move |db| {
            let write = db.begin_write().map_err(failed)?;
            {
                let mut table = write.open_table(VERSIONS).map_err(failed)?;
                let newest =
                    table.range((key.as_str(), 0)..=(key.as_str(), u32::MAX)).map_err(failed)?.next_back();
                let next = match newest.transpose().map_err(failed)? {
                    Some((at, _)) => at.value().1.saturating_add(1),
                    None => 0,
                };
                table.insert((key.as_str(), next), raw.as_ref()).map_err(failed)?;
            }
            write.commit().map_err(failed)
        })
        .await
    }

    async fn versions(&self, key: &IntentKey) -> Result<Vec<Bytes>, JournalError> {
        let key = key.0.clone();
        self.with_db(move |db| {
            let read = db.begin_read().map_err(failed)?;
            let table = read.open_table(VERSIONS).map_err(failed)?;
            let found = table.range((key.as_str(), 0)..=(key.as_str(), u32::MAX)).map_err(failed)?;
            found.map(|row| row.map(|(_, raw)| Bytes::copy_from_slice(raw.value())).map_err(failed)).collect()
        })
        .await
    }

    async fn newest(&self) -> Result<Vec<Bytes>, JournalError> {
        self.with_db(|db| {
            let read = db.begin_read().map_err(failed)?;
            let table = read.open_table(VERSIONS).map_err(failed)?;
            let mut newest: Vec<Bytes> = Vec::new();
            for row in table.iter().map_err(failed)? {
                let (at, raw) = row.map_err(failed)?;
                // Versions of a key follow each other, and each takes the place of the one before.
                if at.value().1 > 0 {
                    newest.pop();
                }
                newest.push(Bytes::copy_from_slice(raw.value()));
            }
            Ok(newest)
        })
        .await
    }

    async fn remove(&self, key: &IntentKey) -> Result<(), JournalError> {
        self.take_out(key, Durability::Immediate).await
    }

    async fn forget(&self, key: &IntentKey) -> Result<(), JournalError> {
        // The next transaction that is signed makes it durable: waiting for the disk twice for each would halve their pace.
        self.take_out(key, Durability::None).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> IntentKey {
        IntentKey(name.to_owned())
    }

    #[tokio::test]
    async fn journal_survives_being_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sent.redb");
        let raw = |byte: u8| Bytes::from(vec![byte; 3]);
        let journal = FileJournal::open(&file).unwrap();
        assert!(journal.newest().await.unwrap().is_empty());
        for (name, byte) in [("a", 1), ("b", 2), ("a", 3), ("ab", 4), ("", 5)] {
            journal.add(&key(name), &raw(byte)).await.unwrap();
        }
        assert!(FileJournal::open(&file).is_err(), "another process has it");
        drop(journal);
        let journal = FileJournal::open(&file).unwrap();
        assert_eq!(journal.versions(&key("a")).await.unwrap(), [raw(1), raw(3)]);
        assert_eq!(journal.versions(&key("c")).await.unwrap(), [] as [Bytes; 0]);
        assert_eq!(journal.newest().await.unwrap(), [raw(5), raw(3), raw(4), raw(2)]);
        journal.remove(&key("a")).await.unwrap();
        journal.remove(&key("a")).await.unwrap();
        assert_eq!(journal.newest().await.unwrap(), [raw(5), raw(4), raw(2)], "its neighbours stay");
        journal.add(&key("a"), &raw(6)).await.unwrap();
        assert_eq!(journal.versions(&key("a")).await.unwrap(), [raw(6)]);
        journal.forget(&key("a")).await.unwrap();
        journal.add(&key("c"), &raw(7)).await.unwrap();
        drop(journal);
        let journal = FileJournal::open(&file).unwrap();
        assert_eq!(journal.newest().await.unwrap(), [raw(5), raw(4), raw(2), raw(7)], "with what came after");
    }
}
