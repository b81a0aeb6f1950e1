//! What the networks list as ours, against what is stored: an orphan is closed, with an alert.

use std::sync::PoisonError;

use async_trait::async_trait;
use domain::{Label, NetworkName, Timestamp, chain};
use market::{Listed, Network};

use super::Sweep;
use crate::{Error, Reconciler};

impl Sweep {
    async fn sweep(&self, network: &dyn Network, now: Timestamp) -> Result<(), Error> {
        let listed = match network.list_ours().await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::info!(network = %network.name(), error = %chain(&error), "a network could not be asked what is ours");
                return Ok(());
            }
        };
        for one in listed {
            self.compare(network, &one, now).await?;
        }
        Ok(())
    }

    /// The list was read before the database, and a lease is stored before it is bought, so a label without an open row
    /// is an orphan and not a purchase under way.
    async fn compare(&self, network: &dyn Network, listed: &Listed, now: Timestamp) -> Result<(), Error> {
        let Some(id) = listed.label.lease() else { return Ok(()) };
        let row = self.0.store.lease_get(id).await?;
        let (code, text) = match &row {
            Some(lease) if lease.state.is_open() => return Ok(()),
            Some(_) => ("lease_undead", "is listed by its network although it had confirmed its end"),
            None => ("lease_unrecorded", "is listed by its network but not recorded here"),
        };
        self.close(network, network.name(), &listed.label, code, text, now).await
    }

    async fn close(
        &self,
        network: &dyn Network,
        name: &NetworkName,
        label: &Label,
        code: &'static str,
        text: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        let text = format!("lease {label} on {name} {text}; it is being closed");
        if tx.alert_raise(now, code, label.as_str(), &text).await? {
            tracing::warn!(code, %label, text);
            tx.outbox_add(now, "lease.orphan", label.as_str(), &format!("{{\"network\":\"{name}\"}}"))
                .await?;
        }
        tx.commit().await?;
        if let Err(error) = network.release(label).await {
            tracing::info!(%label, error = %chain(&error), "an orphan could not be closed yet");
        }
        Ok(())
    }
}

#[async_trait]
impl Reconciler for Sweep {
    fn name(&self) -> &'static str {
        "sweep"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let every = self.0.config.sweep_every;
        let ahead = self.1.lock().unwrap_or_else(PoisonError::into_inner).turn(now, every);
        if ahead.is_some() {
            return Ok(ahead);
        }
        for network in self.0.registry.iter() {
            self.sweep(network.as_ref(), now).await?;
        }
        self.remove_unnamed(now).await?;
        Ok(Some(now + every))
    }
}

impl Sweep {
    /// Uploaded inputs that no job has named for a while.
    async fn remove_unnamed(&self, now: Timestamp) -> Result<(), Error> {
        let before = now - self.0.config.unnamed_keep;
        for object in self.0.store.object_list_unnamed(before, crate::Config::BATCH).await? {
            let mut tx = self.0.store.begin().await?;
            if !tx.object_forget_unnamed(object.id).await? {
                continue;
            }
            tx.commit().await?;
            self.0.store.objects().remove(object.id).await?;
        }
        Ok(())
    }
}
