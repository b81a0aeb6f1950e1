//! Where a row of the outbox stands in the log.

use evidence::log::Wrong;
use store::OutboxRow;
use wire::audit::record;
use wire::receipt::AuditPart;

use super::key;
use super::position::{event, reader};
use crate::Error;
use crate::context::Context;

impl Context {
    /// The row's record, its place in the log, and the proof of that under the newest published head. `None` while it is not
    /// published.
    pub(crate) async fn place_in_log(&self, row: &OutboxRow) -> Result<Option<AuditPart>, Error> {
        let key = key(self)?;
        let index = row.seq.unsigned_abs().saturating_sub(1);
        let head = self.store.published_get(key.name()).await?.filter(|head| index < head.size);
        let Some(head) = head else { return Ok(None) };
        let (files, size) = (self.store.audit().clone(), head.size);
        let path = tokio::task::spawn_blocking(move || -> Result<_, Wrong> {
            reader(&files, size).inclusion(index, size)
        });
        let path = path.await.map_err(std::io::Error::other)??;
        Ok(Some(AuditPart {
            record: String::from_utf8_lossy(&record(key.name(), &event(row))).into_owned(),
            index,
            proof: path.iter().map(hex::encode).collect(),
            checkpoint: head.checkpoint,
            key: key.to_string(),
        }))
    }
}
