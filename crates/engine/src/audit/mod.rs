//! The audit log: every row of the outbox, in order, as an entry of a log that strangers can check.
//!
//! - `publish.rs`: rows become entries: files first, then the signed head, then the mark in the data store.
//! - `position.rs`: where that goes on, and when it must not: what is signed never becomes less, and never something else.
//! - `anchor.rs`: how far the log has come is written down at the notary, where one is connected.
//! - `place.rs`: where a row stands in the log, with its proof.
//! - `commitments.rs`: values that may speak of a person, as they stand in a row.
//!
//! Entry and row number have one order, so a log of n entries has the rows 1 to n. A record is a pure function of its row;
//! what is written twice is written with the same bytes.

mod anchor;
mod commitments;
mod place;
mod position;
mod publish;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Timestamp, chain};
use evidence::log::{self, Checkpoint, Growing, Key};
use tokio::sync::Mutex;

use crate::context::Context;
use crate::pace::Pace;
use crate::{Engine, Error, Reconciler};

pub(crate) use commitments::{committed, job_secret};

/// The alert when less than was published is found, or something else.
const BEHIND: &str = "audit_behind";
/// Bytes of the key's digest in the log's name.
const NAME_BYTES: usize = 8;
/// The log's public key, in its folder.
const KEY_FILE: &str = "audit.vkey";
/// The public key of upload receipts, in hex, beside it.
const RECEIPTS_FILE: &str = "receipts.pub";

pub(crate) struct Audit(Arc<Context>, Mutex<State>);

/// What is remembered between ticks; all of it can be found again.
#[derive(Default)]
struct State {
    pace: Pace,
    anchors: Pace,
    /// The log's right edge, at the size of `head`.
    log: Option<Growing>,
    head: Option<Checkpoint>,
    /// What the notary had of the log, once it was asked and agreed.
    anchored: Option<u64>,
    /// Whether the public keys lie in the folder.
    keys: bool,
}

/// The key that the control plane's log is signed with. The log's name follows from it, so it lasts as long as the key:
/// `waag.local/` and the first 16 hex digits of the SHA-256 of the public key.
fn key(context: &Context) -> Result<Key, Error> {
    let public = context.keys.audit().public();
    let digest = log::sha256(&[&public]);
    let name = hex::encode(digest.get(..NAME_BYTES).unwrap_or_default());
    Ok(Key::new(&format!("waag.local/{name}"), public)?)
}

impl Engine {
    /// Publishes what the outbox has now, and says how many records the log then has.
    ///
    /// # Errors
    /// `AuditBehind` when what was published before is not found again; nothing was signed.
    pub async fn audit_publish(&self) -> Result<u64, Error> {
        let audit = Audit::new(Arc::clone(&self.context));
        while audit.publish().await? {}
        let head = audit.1.lock().await.head.as_ref().map_or(0, |head| head.size);
        Ok(head)
    }

    /// The public key of the audit log, as it is handed to auditors.
    ///
    /// # Errors
    /// None that a keystore's key can cause.
    pub fn audit_key(&self) -> Result<String, Error> {
        Ok(key(&self.context)?.to_string())
    }
}

impl Audit {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self(context, Mutex::default())
    }

    async fn behind(&self, error: &Error, now: Timestamp) -> Result<(), Error> {
        let (name, text) = (key(&self.0)?.name().to_owned(), chain(error));
        let mut tx = self.0.store.begin().await?;
        if tx.alert_raise(now, BEHIND, &name, &text).await? {
            tracing::error!(log = name, text);
        }
        Ok(tx.commit().await?)
    }
}

#[async_trait]
impl Reconciler for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let every = self.0.config.audit_every;
        if let Some(ahead) = self.1.lock().await.pace.turn(now, every) {
            return Ok(Some(ahead));
        }
        match self.publish().await {
            Ok(true) => {
                self.1.lock().await.pace = Pace::default();
                return Ok(Some(now));
            }
            Ok(false) => {}
            Err(error @ Error::AuditBehind { .. }) => {
                self.behind(&error, now).await?;
                return Ok(Some(now + self.0.config.backoff_max));
            }
            Err(Error::Notary(error)) => {
                tracing::info!(error = %chain(&error), "the notary cannot be asked, so nothing is published yet");
                return Ok(Some(now + self.0.config.backoff_max));
            }
            Err(error) => return Err(error),
        }
        self.anchor(now).await
    }
}
