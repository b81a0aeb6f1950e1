//! Settlement posted: for each ended lease the owed part of its hold is posted, the rest goes back to the job, and what
//! was billed beyond is disputed. One transaction, guarded by the lease's `settled` mark, so it happens once.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Timestamp;
use policy::cost;
use store::{LeaseRow, SettlementRow};
use wire::doc;

use crate::context::Context;
use crate::{Config, Error, Reconciler};

pub(crate) struct Settlements(pub(crate) Arc<Context>);

impl Settlements {
    async fn settle(&self, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        let context = &self.0;
        let offer = doc::offer_from_text(&lease.offer)?;
        let hold = context
            .store
            .hold_get(lease.hold)
            .await?
            .ok_or_else(|| Error::Missing { what: "hold", of: lease.id.to_string() })?;
        let life = lease.live_at.zip(lease.ended_at);
        let grace = context.config.close_grace;
        let owed = cost::owed(offer.billing, offer.price, offer.fee, life, lease.close_at, grace);
        let charge = cost::split(hold.amount, lease.billed.unwrap_or(owed), owed, offer.fee);
        context.reached("settlement.post.before")?;
        let mut tx = context.store.begin().await?;
        if !tx.lease_settle(lease.id).await? {
            return Ok(());
        }
        tx.hold_close_lease(lease.hold, charge.paid, now).await?;
        tx.settlement_insert(&SettlementRow {
            lease: lease.id,
            job: lease.job,
            paid: charge.paid,
            fees: charge.fees,
            refunded: charge.refunded,
            disputed: charge.disputed,
            at: now,
        })
        .await?;
        tx.job_wake(lease.job, now).await?;
        let body = format!("{{\"paid_usd\":\"{}\",\"disputed_usd\":\"{}\"}}", charge.paid, charge.disputed);
        tx.outbox_add(now, "lease.settled", &lease.id.to_string(), &body).await?;
        if charge.disputed > domain::Usd::ZERO {
            let text = format!(
                "{} billed ${} more for lease {} than is owed",
                lease.network, charge.disputed, lease.id
            );
            tx.alert_raise(now, "billed_too_much", &lease.id.to_string(), &text).await?;
        }
        tx.commit().await?;
        context.reached("settlement.post.after")?;
        Ok(())
    }
}

#[async_trait]
impl Reconciler for Settlements {
    fn name(&self) -> &'static str {
        "settlements"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let due = self.0.store.lease_list_unsettled(Config::BATCH).await?;
        for lease in &due {
            self.settle(lease, now).await?;
        }
        if due.is_empty() {
            return Ok(None);
        }
        self.0.changed();
        Ok(Some(now))
    }
}
