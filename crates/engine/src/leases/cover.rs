//! The hold of a live lease, kept ahead of its bill for as long as its job can pay.

use domain::{Label, Outcome, Timestamp, Usd, chain};
use market::Network;
use policy::budget::{Cover, LeaseMoney, cover, extendable};
use store::{ExecutionChange, LeaseRow};
use wire::doc;

use super::Leases;
use crate::Error;
use crate::jobs::end;

impl Leases {
    /// Keeps the hold ahead of the bill.
    pub(super) async fn cover(
        &self,
        network: &dyn Network,
        lease: &LeaseRow,
        live_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let context = &self.0;
        let offer = doc::offer_from_text(&lease.offer)?;
        let hold = context.store.hold_get(lease.hold).await?;
        let parent = context.store.hold_get(context.job(lease.job).await?.hold).await?;
        let (Some(hold), Some(parent)) = (hold, parent) else {
            return Err(Error::Missing { what: "hold", of: lease.id.to_string() });
        };
        let money = LeaseMoney {
            held: hold.amount,
            fee: offer.fee,
            price: offer.price,
            billing: offer.billing,
            live_at,
            left_in_job: parent.left(),
        };
        match cover(&money, now, context.config.release_margin, context.config.hold_step) {
            Cover::Enough => {}
            Cover::Extend(amount) => self.lend(lease, amount, now).await?,
            Cover::StopAtCheckpoint(amount) => {
                self.lend(lease, amount, now).await?;
                return self.stop_at_checkpoint(lease, now).await;
            }
            Cover::StopNow => return self.stop_now(lease, now).await,
        }
        let Some(until) = lease.until_at.filter(|until| now + context.config.release_margin > *until) else {
            return Ok(());
        };
        if !network.capability().extend {
            return Ok(());
        }
        let held = context.store.hold_get(lease.hold).await?.map_or(Usd::ZERO, |hold| hold.amount);
        let span = extendable(&money, held);
        if live_at + span <= until {
            return Ok(());
        }
        if let Err(error) = network.extend(&Label::of(lease.id), span).await {
            tracing::warn!(lease = %lease.id, error = %chain(&error), "a lease could not be extended");
        }
        Ok(())
    }

    async fn lend(&self, lease: &LeaseRow, amount: Usd, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        if tx.hold_extend(lease.hold, amount).await?.is_ok() {
            let body = format!("{{\"amount_usd\":\"{amount}\"}}");
            tx.outbox_add(now, "hold.extended", &lease.id.to_string(), &body).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The budget is used up: whatever the workload is doing, the lease must go while its release can be paid.
    async fn stop_now(&self, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        let job = self.0.job(lease.job).await?;
        let mut tx = self.0.store.begin().await?;
        if job.current == Some(lease.execution) && end(&mut tx, &job, Outcome::BudgetSpent, now).await? {
            tx.commit().await?;
        }
        Ok(())
    }

    async fn stop_at_checkpoint(&self, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        let Some(execution) = tx.execution_get_in_txn(lease.execution).await? else { return Ok(()) };
        if execution.state.is_open() && !execution.stop {
            let stop = ExecutionChange { stop: true, ..ExecutionChange::default() };
            tx.execution_change(&execution, stop, now).await?;
            tx.outbox_add(now, "execution.stopping", &execution.id.to_string(), "{\"reason\":\"budget\"}")
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
