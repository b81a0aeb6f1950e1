//! Where publishing goes on. What was published last is known from the log's folder, from the data store, and from the
//! notary; each may be a restored copy of an older one. The folder's head is put in place before it is noted in the store,
//! so a folder that is ahead is what a stop in between leaves, if the rows make the same entries; everything else is refused.

use evidence::log::{CHECKPOINT, Checkpoint, Growing, Hash, Key, Reader, Wrong, leaf_hash};
use store::{AuditFiles, Published};
use wire::audit::{Event, record};

use super::{Audit, State, key};
use crate::Error;

/// Rows compared or published at a time.
pub(super) const ROWS: u32 = 1_024;

const OLD_DATABASE: &str = "if the database was restored from a backup, restore a newer one that has these records; \
     else keep the folder `audit` and the key `keys/audit.key` elsewhere, and the next start begins a log of another name";
const OLD_FOLDER: &str = "put the newest copy of the folder `audit` back, or move it away: the next start writes it anew from the database";
const OLD_BOTH: &str = "the whole data folder is older than what the notary has on record: restore a newer backup, \
     else keep the folder `audit` and the key `keys/audit.key` elsewhere, and the next start begins a log of another name";

/// What publishing goes on from.
pub(super) struct Position {
    pub(super) key: Key,
    pub(super) log: Growing,
    /// What the folder has now, byte by byte.
    pub(super) found: Option<Vec<u8>>,
    /// What is noted in the store.
    pub(super) noted: Option<Published>,
}

impl Position {
    /// The head that is to be put back: the folder is gone, and the store knows what was in it.
    pub(super) fn lost_head(&self) -> Option<&Published> {
        self.noted.as_ref().filter(|_| self.found.is_none())
    }
}

/// Reads the files of a log.
pub(super) fn reader(
    files: &AuditFiles,
    size: u64,
) -> Reader<impl FnMut(&str) -> Result<Option<Vec<u8>>, Wrong> + use<>> {
    let files = files.clone();
    Reader::new(size, move |path: &str| {
        files.read(path).map_err(|e| Wrong::Unreadable { path: path.to_owned(), why: domain::chain(&e) })
    })
}

fn behind(why: impl Into<String>, next: &'static str) -> Error {
    Error::AuditBehind { why: why.into(), next }
}

impl Audit {
    /// Finds the position, and refuses where less than was published is found, or something else.
    pub(super) async fn position(&self, state: &mut State) -> Result<Position, Error> {
        let (context, key) = (&self.0, key(&self.0)?);
        let files = context.store.audit();
        let noted = context.store.published_get(key.name()).await?;
        let found = files.read(CHECKPOINT)?;
        let head = found.as_deref().map(|bytes| Checkpoint::open(bytes, &key, &custody::note_verify));
        let head = head.transpose().map_err(|wrong| damaged(&wrong))?;
        let size = head.as_ref().map_or(0, |head| head.size);
        let log = match state.log.take().filter(|_| state.head == head) {
            Some(log) => log,
            None => match &head {
                Some(head) => Growing::resume(&mut reader(files, size), size, &head.root)
                    .map_err(|wrong| damaged(&wrong))?,
                None => Growing::default(),
            },
        };
        let mut at = Position { key, log, found, noted };
        if let Some(head) = &head {
            self.compare(&mut at, head).await?;
        }
        self.ask_notary(state, &at, head.as_ref()).await?;
        state.head = head;
        Ok(at)
    }

    /// The folder's head against what is noted.
    async fn compare(&self, at: &mut Position, head: &Checkpoint) -> Result<(), Error> {
        let noted = at.noted.as_ref().map_or(0, |noted| noted.size);
        if head.size < noted {
            let why = format!(
                "its folder has {} records, and {noted} were published: it is an old copy",
                head.size
            );
            return Err(behind(why, OLD_FOLDER));
        }
        if head.size == noted {
            return match &at.noted {
                Some(noted) if noted.root != head.root => {
                    Err(behind("its folder has other records than were published", OLD_FOLDER))
                }
                _ => Ok(()),
            };
        }
        self.rows_are_there(at, head, noted).await?;
        let to = Published {
            origin: head.origin.clone(),
            size: head.size,
            root: head.root,
            checkpoint: String::from_utf8_lossy(at.found.as_deref().unwrap_or_default()).into_owned(),
        };
        let mut tx = self.0.store.begin().await?;
        // Where another was faster, it noted the same or more.
        if tx.published_set(&to, at.noted.as_ref().map(|noted| noted.size)).await? {
            tx.commit().await?;
        }
        at.noted = self.0.store.published_get(at.key.name()).await?;
        Ok(())
    }

    /// Whether the rows after the noted ones make the entries that the folder has beyond them.
    async fn rows_are_there(&self, at: &Position, head: &Checkpoint, noted: u64) -> Result<(), Error> {
        let (store, mut next) = (&self.0.store, noted);
        let mut folder = reader(store.audit(), head.size);
        while next < head.size {
            let rows = store.outbox_list(stored(next), ROWS).await?;
            if rows.is_empty() {
                let why = format!("{} records were published, and the database has {next}", head.size);
                return Err(behind(why, OLD_DATABASE));
            }
            for row in rows.iter().take_while(|row| row.seq <= stored(head.size)) {
                let entry = record(at.key.name(), &event(row));
                let published: Hash = folder.leaf(next).map_err(|wrong| damaged(&wrong))?;
                if row.seq != stored(next) + 1 || leaf_hash(&entry) != published {
                    let why = format!("record {next} that was published is not what the database has there");
                    return Err(behind(why, OLD_DATABASE));
                }
                next += 1;
            }
        }
        Ok(())
    }

    /// The notary's word, once: whoever restores folder and database together is told by it.
    async fn ask_notary(
        &self,
        state: &mut State,
        at: &Position,
        head: Option<&Checkpoint>,
    ) -> Result<(), Error> {
        let Some(notary) = self.0.registry.notary().filter(|_| state.anchored.is_none()) else {
            return Ok(());
        };
        let known = notary.anchored(&evidence::log::log_id(at.key.name())).await.map_err(Error::Notary)?;
        let size = head.map_or(0, |head| head.size).max(at.lost_head().map_or(0, |noted| noted.size));
        if let Some(known) = known {
            if size < known.size {
                let why = format!("{size} records are here, and the notary has {} on record", known.size);
                return Err(behind(why, OLD_BOTH));
            }
            // A folder that is written anew is compared once it stands.
            let Some(head) = head else { return Ok(()) };
            let root = reader(self.0.store.audit(), head.size).root(known.size);
            if root.map_err(|wrong| damaged(&wrong))? != known.root {
                let why =
                    format!("the first {} records are not those that the notary has on record", known.size);
                return Err(behind(why, OLD_BOTH));
            }
        }
        if head.is_some() || known.is_none() {
            state.anchored = Some(known.map_or(0, |known| known.size));
        }
        Ok(())
    }
}

fn damaged(wrong: &Wrong) -> Error {
    behind(format!("its folder is damaged: {wrong}"), OLD_FOLDER)
}

/// A row as its record is made of it.
pub(super) fn event(row: &store::OutboxRow) -> Event<'_> {
    Event { seq: row.seq.unsigned_abs(), at: row.at, kind: &row.kind, subject: &row.subject, body: &row.body }
}

/// A size as the database counts.
pub(super) fn stored(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
