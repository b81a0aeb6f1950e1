//! What escrows show against what the ledger says, whenever something has moved there. An alert names a lease on which
//! they differ; what moved wakes its lease.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::{Label, NetworkName, Timestamp, Usd, chain};
use market::Escrow;
use store::LeaseRow;

use crate::context::Context;
use crate::offers::Offers;
use crate::pace::Pace;
use crate::{Error, Reconciler};

/// The alert about a lease whose escrow and ledger differ.
pub(super) const DIFFERS: &str = "escrow_differs";

pub(crate) struct Escrows(Arc<Context>, Mutex<Pace>);

impl Escrows {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self(context, Mutex::default())
    }

    /// Takes one page. Returns whether there is more.
    async fn follow(
        &self,
        network: &NetworkName,
        escrow: &dyn Escrow,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let store = &self.0.store;
        let name = format!("escrow/{network}");
        let place = store.followed_get(&name).await?;
        let changes = match escrow.changes(place.as_deref()).await {
            Ok(changes) => changes,
            Err(error) => {
                tracing::info!(%network, error = %chain(&error), "an escrow could not be asked what has moved");
                return Ok(false);
            }
        };
        if place.as_deref() == Some(&changes.cursor) {
            return Ok(false);
        }
        if changes.offers
            && let Some(network) = self.0.registry.get(network)
        {
            // A new offer is found at once, not at the next round of questions.
            Offers(Arc::clone(&self.0)).ask(network.as_ref()).await;
            self.0.changed();
        }
        let mut found = Vec::new();
        for label in &changes.labels {
            let Some(lease) = label.lease() else { continue };
            if let Some(row) = store.lease_get(lease).await? {
                let difference = self.difference(escrow, label, &row).await?;
                found.push((row, difference));
            }
        }
        let mut tx = store.begin().await?;
        for (lease, difference) in &found {
            tx.lease_wake(lease.id, now).await?;
            tx.lease_settle_at(lease.id, now).await?;
            tx.proof_wake(lease.execution, now).await?;
            if let Some(text) = difference
                && tx.alert_raise(now, DIFFERS, &lease.id.to_string(), text).await?
            {
                tracing::warn!(lease = %lease.id, text);
            }
        }
        tx.followed_set(&name, &changes.cursor).await?;
        tx.commit().await?;
        if !found.is_empty() {
            self.0.changed();
        }
        Ok(!changes.at_head)
    }

    /// How escrow and ledger differ about a lease, if they do.
    async fn difference(
        &self,
        escrow: &dyn Escrow,
        label: &Label,
        lease: &LeaseRow,
    ) -> Result<Option<String>, Error> {
        let Ok(Some(shown)) = escrow.observe(label).await else { return Ok(None) };
        let store = &self.0.store;
        let (id, network) = (lease.id, &lease.network);
        if let Some(settled) = store.settlement_get(id).await? {
            let fee = store.proof_get(lease.execution).await?.filter(|proof| proof.lease == id);
            let fee = fee.map_or(Usd::ZERO, |proof| proof.outcome.fee_paid);
            let posted = settled.paid.less(fee) + settled.disputed;
            return Ok((!shown.state.is_final() || shown.paid != posted).then(|| {
                let (state, paid) = (shown.state.code(), shown.paid);
                format!("lease {id} on {network}: the ledger posted ${posted}, its escrow is {state} and paid ${paid}")
            }));
        }
        let held = store.hold_get(lease.hold).await?.map(|hold| hold.amount).unwrap_or_default();
        Ok((shown.held > held).then(|| {
            format!("lease {id} on {network}: the ledger holds ${held}, its escrow ${}", shown.held)
        }))
    }
}

#[async_trait]
impl Reconciler for Escrows {
    fn name(&self) -> &'static str {
        "escrows"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let mut escrows = self.0.registry.escrows().peekable();
        if escrows.peek().is_none() {
            return Ok(None);
        }
        let every = self.0.config.escrow_every;
        if let Some(ahead) = self.1.lock().unwrap_or_else(PoisonError::into_inner).turn(now, every) {
            return Ok(Some(ahead));
        }
        let mut more = false;
        for (network, escrow) in escrows {
            more |= self.follow(network, escrow.as_ref(), now).await?;
        }
        if more {
            *self.1.lock().unwrap_or_else(PoisonError::into_inner) = Pace::default();
            return Ok(Some(now));
        }
        Ok(Some(now + every))
    }
}
