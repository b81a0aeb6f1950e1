//! Settlement posted, once the work was checked: for each ended lease the owed part of its hold is posted, the rest goes back to the job, and what
//! was billed beyond is disputed. One transaction, guarded by the lease's `settled` mark, so it happens once.
//!
//! - `escrow.rs`: where an escrow stands between, it is paid out or taken back first; the ledger posts what it shows.
//! - `follow.rs`: what escrows show against what the ledger says.

mod escrow;
mod follow;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{ProofState, Timestamp, Usd};
use policy::cost::{self, Charge};
use store::{LeaseRow, SettlementRow};
use wire::doc;

use crate::context::Context;
use crate::proofs::Check;
use crate::{Config, Error, Reconciler};

pub(crate) use follow::Escrows;

pub(crate) struct Settlements(pub(crate) Arc<Context>);

/// What there is to post for a lease.
pub(crate) struct Bill {
    pub(crate) charge: Charge,
    /// Of our own transactions.
    pub(crate) gas: u64,
    pub(crate) txs: Vec<String>,
}

impl Settlements {
    async fn settle(&self, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        let check = self.0.check_of(lease, now).await?;
        if let Some(escrow) = self.0.registry.escrow(&lease.network) {
            return self.settle_escrowed(escrow.as_ref(), lease, &check, now).await;
        }
        if matches!(check, Check::Waits) {
            // The proofs step wakes the lease when there is a verdict; this is the net below.
            let mut tx = self.0.store.begin().await?;
            tx.lease_settle_at(lease.id, now + self.0.config.observe_every).await?;
            return Ok(tx.commit().await?);
        }
        let offer = doc::offer_from_text(&lease.offer)?;
        let owed = self.owed(lease, lease.close_at)?;
        let held = self.held(lease, &check).await?;
        // What did not pass is not paid, where payment can be withheld. A cloud is paid all the same.
        let refused = check.row().is_some_and(|row| row.state.is_refuted()) && self.withholds(lease);
        let charge = if refused {
            Charge { paid: Usd::ZERO, fees: Usd::ZERO, refunded: held, disputed: Usd::ZERO }
        } else {
            cost::split(held, lease.billed.unwrap_or(owed), owed, offer.fee)
        };
        self.post(lease, Bill { charge, gas: 0, txs: Vec::new() }, &check, now).await
    }

    fn withholds(&self, lease: &LeaseRow) -> bool {
        self.0.registry.get(&lease.network).is_some_and(|network| network.capability().withholds_payment)
    }

    /// What a lease costs by its terms, if it was to be closed at `close_at`.
    fn owed(&self, lease: &LeaseRow, close_at: Option<Timestamp>) -> Result<Usd, Error> {
        let offer = doc::offer_from_text(&lease.offer)?;
        let life = lease.live_at.zip(lease.ended_at);
        let grace = self.0.config.close_grace;
        Ok(cost::owed(offer.billing, offer.price, offer.fee, life, close_at, grace))
    }

    /// What is held for the lease itself, without the fee of its validators.
    pub(crate) async fn held(&self, lease: &LeaseRow, check: &Check) -> Result<Usd, Error> {
        let hold = self.0.store.hold_get(lease.hold).await?;
        let hold = hold.ok_or_else(|| Error::Missing { what: "hold", of: lease.id.to_string() })?;
        let asked = check.row().and_then(|row| row.request.as_ref());
        Ok(hold.amount.less(asked.map_or(Usd::ZERO, |asked| asked.held)))
    }

    pub(crate) async fn post(
        &self,
        lease: &LeaseRow,
        bill: Bill,
        check: &Check,
        now: Timestamp,
    ) -> Result<(), Error> {
        let context = &self.0;
        let Bill { charge, gas, txs } = with_proof(bill, check);
        context.reached("settlement.post.before")?;
        let mut tx = context.store.begin().await?;
        if !tx.lease_settle(lease.id).await? {
            return Ok(());
        }
        tx.hold_close_lease(lease.hold, charge.paid, now).await?;
        match check {
            Check::Never(reason) => {
                let of = (lease.execution, lease.job, lease.id);
                tx.proof_insert(of, ProofState::Unchecked(*reason), now).await?;
            }
            // What a slash left to us lies in our account at the notary's market.
            Check::Over(row) if row.outcome.compensated > Usd::ZERO => {
                tx.account_fund(context.config.account, row.outcome.compensated, now).await?;
            }
            Check::Over(_) | Check::Waits | Check::Idle => {}
        }
        tx.settlement_insert(&SettlementRow {
            lease: lease.id,
            job: lease.job,
            paid: charge.paid,
            fees: charge.fees,
            refunded: charge.refunded,
            disputed: charge.disputed,
            gas,
            txs,
            at: now,
        })
        .await?;
        tx.job_wake(lease.job, now).await?;
        let body = format!("{{\"paid_usd\":\"{}\",\"disputed_usd\":\"{}\"}}", charge.paid, charge.disputed);
        tx.outbox_add(now, "lease.settled", &lease.id.to_string(), &body).await?;
        if charge.disputed > Usd::ZERO {
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

/// The bill with what the validators were paid, and what our transactions for the proof used.
fn with_proof(mut bill: Bill, check: &Check) -> Bill {
    let Some(row) = check.row() else { return bill };
    let held = row.request.as_ref().map_or(Usd::ZERO, |asked| asked.held);
    let paid = row.outcome.fee_paid.min(held);
    bill.charge.paid += paid;
    bill.charge.fees += paid;
    bill.charge.refunded += held - paid;
    bill.gas = bill.gas.saturating_add(row.outcome.gas);
    bill.txs.extend(row.outcome.txs.iter().filter(|tx| !bill.txs.contains(tx)).cloned().collect::<Vec<_>>());
    bill
}

#[async_trait]
impl Reconciler for Settlements {
    fn name(&self) -> &'static str {
        "settlements"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let due = self.0.store.lease_list_unsettled(now, Config::BATCH).await?;
        for lease in &due {
            self.settle(lease, now).await?;
        }
        if !due.is_empty() {
            self.0.changed();
        }
        self.0.store.lease_next_unsettled().await.map_err(Into::into)
    }
}
