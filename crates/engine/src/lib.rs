#![doc = include_str!("../README.md")]

mod audit;
mod config;
mod context;
mod error;
mod executions;
mod jobs;
mod leases;
mod offers;
mod pace;
mod placements;
#[cfg(feature = "planted")]
mod planted;
mod points;
mod proofs;
mod receipts;
mod run;
mod settlements;
mod views;

pub use config::Config;
pub use context::Parts;
pub use error::{AgentRefusal, Error, SubmitError};
pub use executions::agents::LogsStored;
pub use jobs::{Submission, Submitted};
#[cfg(feature = "planted")]
pub use planted::Planted;
pub use points::POINTS;
pub use receipts::{ReceiptError, receipt_verify};
pub use run::{Reconciler, Shutdown};

use std::sync::Arc;

use context::Context;
use domain::{Millis, Timestamp, Usd};

/// The control plane's inside. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    context: Arc<Context>,
}

impl Engine {
    /// An engine of these parts. Nothing moves until it is ticked or run.
    pub fn new(parts: Parts) -> Self {
        Self { context: Arc::new(Context::new(parts)) }
    }

    /// The reconcilers in flow order, for who drives them by hand.
    pub fn reconcilers(&self) -> Vec<Box<dyn Reconciler>> {
        let context = || Arc::clone(&self.context);
        vec![
            Box::new(offers::Offers(context())),
            Box::new(jobs::Jobs(context())),
            Box::new(placements::Placements(context())),
            Box::new(leases::Leases(context())),
            Box::new(leases::Sweep::new(context())),
            Box::new(executions::Executions::new(context())),
            Box::new(proofs::Proofs(context())),
            Box::new(settlements::Settlements(context())),
            Box::new(settlements::Escrows::new(context())),
            Box::new(audit::Audit::new(context())),
        ]
    }

    /// Pays into the account that jobs spend from.
    ///
    /// # Errors
    /// The data store failed.
    pub async fn fund(&self, amount: Usd) -> Result<(), Error> {
        let mut tx = self.context.store.begin().await?;
        let (account, now) = (self.context.config.account, self.context.now());
        tx.account_fund(account, amount, now).await?;
        let body = format!("{{\"amount_usd\":\"{amount}\"}}");
        tx.outbox_add(now, "account.funded", &account.to_string(), &body).await?;
        Ok(tx.commit().await?)
    }

    /// Compares what the networks list with what is stored, before any work is accepted.
    ///
    /// # Errors
    /// The data store failed. A network that cannot be asked is tried again by the reconciler.
    pub async fn adopt(&self) -> Result<(), Error> {
        leases::Sweep::new(Arc::clone(&self.context)).tick(self.context.now()).await.map(|_| ())
    }

    /// Refreshes the offer catalogue now.
    ///
    /// # Errors
    /// The data store failed.
    pub async fn refresh_offers(&self) -> Result<(), Error> {
        offers::Offers(Arc::clone(&self.context)).refresh(self.context.now()).await;
        Ok(())
    }

    /// Whether this is the token of the user API.
    pub fn user_admits(&self, token: &str) -> bool {
        self.context.keys.api_token().matches(token)
    }

    /// The largest upload of inputs, checkpoints or outputs.
    pub fn upload_bytes_max(&self) -> u64 {
        self.context.config.upload_bytes_max
    }

    /// Counts what was committed that other reconcilers may be waiting for, for who drives them by hand.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.context.changes()
    }

    /// The time between heartbeats.
    pub fn heartbeat(&self) -> Millis {
        self.context.config.heartbeat
    }

    /// The time as the engine sees it.
    pub fn now(&self) -> Timestamp {
        self.context.now()
    }
}
