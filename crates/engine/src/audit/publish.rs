//! Rows become entries: their files are made durable, then the signed head is put in place, then it is noted in the data
//! store. Wherever this stops, the next run finds the place again.

use evidence::log::{CHECKPOINT, Checkpoint, Growing, Tile};
use store::Published;
use wire::audit::record;

use super::position::{Position, ROWS, event, stored};
use super::{Audit, KEY_FILE, RECEIPTS_FILE, State};
use crate::Error;
use custody::Signer;

impl Audit {
    /// Publishes one batch. Returns whether there may be more.
    pub(super) async fn publish(&self) -> Result<bool, Error> {
        let mut state = self.1.lock().await;
        let mut at = self.position(&mut state).await?;
        let wanted = at.lost_head().cloned();
        let (tiles, full) = match &wanted {
            Some(lost) => self.fill(&mut at, lost.size).await?,
            None => self.fill(&mut at, u64::MAX).await?,
        };
        if tiles == 0 {
            state.log = Some(at.log);
            return Ok(false);
        }
        let head = Checkpoint { origin: at.key.name().to_owned(), size: at.log.size(), root: at.log.root() };
        if wanted.is_some_and(|lost| (lost.size, lost.root) != (head.size, head.root)) {
            return Err(Error::AuditBehind {
                why: "the database makes other records than were published".to_owned(),
                next: "restore the folder `audit` from a backup",
            });
        }
        if !self.put_head(&at, &head).await? {
            return Ok(true);
        }
        // What a full tile makes superfluous is not needed for any checkpoint.
        let files = self.0.store.audit();
        full.iter().for_each(|tile| files.remove_folder(&tile.partials()));
        if !state.keys {
            self.put_keys(&at).await?;
            state.keys = true;
        }
        keep(&mut state, at.log, head);
        Ok(true)
    }

    /// Adds rows to the log until it has `until` entries, or one batch where that is all of them, and makes the files
    /// durable. Returns how many files there were, and which tiles were filled.
    async fn fill(&self, at: &mut Position, until: u64) -> Result<(usize, Vec<Tile>), Error> {
        let store = &self.0.store;
        let (mut written, mut full) = (0, Vec::new());
        loop {
            let left = until.saturating_sub(at.log.size());
            let limit = u32::try_from(left).unwrap_or(ROWS).min(ROWS);
            let rows = store.outbox_list(stored(at.log.size()), limit).await?;
            for row in &rows {
                if row.seq != stored(at.log.size()) + 1 {
                    let text = format!("row {} of the outbox", at.log.size() + 1);
                    return Err(Error::Missing { what: "row before", of: text });
                }
                at.log.push(&record(at.key.name(), &event(row)))?;
            }
            if rows.is_empty() {
                return Ok((written, full));
            }
            self.0.reached("audit.tiles.before")?;
            let files = at.log.take_files();
            written += files.len();
            full.extend(files.iter().map(|(tile, _)| *tile).filter(Tile::is_full));
            self.write(files.into_iter().map(|(tile, bytes)| (tile.to_string(), bytes)).collect()).await?;
            self.0.reached("audit.tiles.after")?;
            if until == u64::MAX || at.log.size() >= until {
                return Ok((written, full));
            }
        }
    }

    /// Signs the head, puts it in place, and notes it. Returns whether nobody else was faster.
    async fn put_head(&self, at: &Position, head: &Checkpoint) -> Result<bool, Error> {
        let store = &self.0.store;
        let before = at.noted.as_ref().map(|noted| noted.size);
        let lost = at.lost_head().map(|lost| lost.checkpoint.clone());
        let checkpoint = lost.unwrap_or_else(|| head.sign(&at.key, |text| self.0.keys.audit().sign(text)));
        // Who holds a transaction owns the data folder, and nobody else puts a head in place meanwhile.
        let mut tx = store.begin().await?;
        let noted = tx.published_get_in_txn(at.key.name()).await?;
        if noted != at.noted || store.audit().read(CHECKPOINT)? != at.found {
            return Ok(false);
        }
        self.write(vec![(CHECKPOINT.to_owned(), checkpoint.clone().into_bytes())]).await?;
        drop(tx);
        self.0.reached("audit.head.after")?;
        let to = Published { origin: head.origin.clone(), size: head.size, root: head.root, checkpoint };
        let mut tx = store.begin().await?;
        let noted = tx.published_set(&to, before).await?;
        tx.commit().await?;
        self.0.reached("audit.mark.after")?;
        Ok(noted)
    }

    /// Whoever is given the folder finds the public keys in it.
    async fn put_keys(&self, at: &Position) -> Result<(), Error> {
        let files = self.0.store.audit();
        let keys = [
            (KEY_FILE, format!("{}\n", at.key)),
            (RECEIPTS_FILE, format!("{}\n", self.0.keys.receipts().public_key())),
        ];
        for (path, text) in keys {
            if files.read(path)?.as_deref() != Some(text.as_bytes()) {
                self.write(vec![(path.to_owned(), text.into_bytes())]).await?;
            }
        }
        Ok(())
    }

    async fn write(&self, files: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        let place = self.0.store.audit().clone();
        let write = move || place.write(files.iter().map(|(path, bytes)| (path.clone(), bytes.as_slice())));
        Ok(tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other)??)
    }
}

fn keep(state: &mut State, log: Growing, head: Checkpoint) {
    state.log = Some(log);
    state.head = Some(head);
}
