//! The log's head at the notary: what stands there, no restored backup can take back.

use domain::{Timestamp, chain};
use evidence::log::log_id;
use market::Anchor;

use super::{Audit, State};
use crate::Error;

impl Audit {
    /// Writes down how far the log has come, no more often than configured. Says when that is due next.
    pub(super) async fn anchor(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let mut state = self.1.lock().await;
        let Some(notary) = self.0.registry.notary() else { return Ok(None) };
        let State { head: Some(head), anchored: Some(anchored), anchors, .. } = &mut *state else {
            return Ok(None);
        };
        if head.size <= *anchored {
            return Ok(None);
        }
        let every = self.0.config.anchor_every;
        if let Some(ahead) = anchors.turn(now, every) {
            return Ok(Some(ahead));
        }
        let anchor = Anchor { log: log_id(&head.origin), size: head.size, root: head.root };
        match notary.anchor(&anchor).await {
            Ok(()) => {
                *anchored = head.size;
                Ok(None)
            }
            Err(error) => {
                tracing::info!(error = %chain(&error), "the audit log could not be anchored yet");
                Ok(Some(now + every))
            }
        }
    }
}
