//! From a plan to a stored intent, and from the stored intent to the network.

use custody::{Secret, open_bytes, seal_bytes, token_hash};
use domain::{
    EndReason, Firmness, HoldId, Label, LeaseEvent, LeaseId, LeaseState, Millis, Offer, Ranked, Timestamp,
    Usd, UsdPerHour, WorkClass, chain,
};
use market::{Boot, ErrorKind, Intent, Network, RetryStatus, Terms};
use store::{ExecutionChange, ExecutionRow, JobRow, LeaseChange, LeaseRow};
use wire::agent::{BootDoc, Credential, PROTOCOL};
use wire::doc;
use zeroize::Zeroizing;

use super::Leases;
use crate::Error;
use crate::context::Context;

/// An auction may ask for at most this much more than the indicative price, in hundredths of a percent.
const CEILING_BASIS_POINTS: u32 = 12_500;

/// What a purchase needs, decided before anything is stored.
struct Purchase<'a> {
    lease: LeaseId,
    offer: &'a Offer,
    ceiling: UsdPerHour,
    span: Millis,
    hold: Usd,
    class: Option<WorkClass>,
    /// What will be billed for it, as far as that is known.
    expected: Option<Usd>,
    token: Secret,
}

impl Leases {
    /// Buys the best offer of the execution's plan.
    pub(super) async fn buy(&self, execution: &ExecutionRow, now: Timestamp) -> Result<(), Error> {
        let context = &self.0;
        let job = context.job(execution.job).await?;
        if job.current != Some(execution.id) {
            return Ok(());
        }
        let missing = || Error::Missing { what: "placement", of: execution.id.to_string() };
        let text = context.store.placement_get(execution.placement).await?.ok_or_else(missing)?;
        let plan = doc::placement_from_text(&text)?;
        let best = plan.ranked.first().ok_or_else(missing)?;
        let Some(network) = context.registry.get(&best.offer.id.network) else {
            return self.replan(execution, &job, now).await;
        };
        let left = context.store.hold_get(job.hold).await?.map_or(Usd::ZERO, |hold| hold.left());
        let purchase = self.purchase(best, left, &job).await?;
        let credential = if network.capability().introduces {
            Credential::ByProvider
        } else {
            Credential::Token { token: purchase.token.expose().to_owned() }
        };
        let terms = Terms {
            label: Label::of(purchase.lease),
            span: purchase.span,
            ceiling: purchase.ceiling,
            job: crate::jobs::hash_of(&job),
            boot: self.boot(execution, credential)?,
        };
        let intent = match network.prepare(&best.offer, &terms).await {
            Ok(intent) => intent,
            Err(error) => {
                tracing::warn!(execution = %execution.id, error = %chain(&error), "a purchase could not be prepared");
                return self.replan(execution, &job, now).await;
            }
        };
        #[cfg(feature = "planted")]
        if self.has(crate::Planted::BuyBeforeHold) {
            self.buy_before_hold(network.as_ref(), &intent).await;
        }
        context.reached("lease.prepare.after")?;
        let Some(row) = self.store_intent(execution, &job, &purchase, &intent, now).await? else {
            return Ok(());
        };
        context.reached("lease.hold.after")?;
        self.submit(network.as_ref(), &row, &intent, now).await
    }

    async fn purchase<'a>(&self, best: &'a Ranked, left: Usd, job: &JobRow) -> Result<Purchase<'a>, Error> {
        let Ranked { offer, estimate, .. } = best;
        let context = &self.0;
        let held_for = estimate.span.times(2) + context.config.release_margin;
        let spec = Context::spec(job)?;
        let known = context.history(job).await?.known_run(&spec).is_some();
        let mut purchase = Purchase {
            lease: LeaseId::mint(&*context.entropy),
            offer,
            ceiling: offer.price,
            span: held_for,
            hold: estimate.hold,
            class: spec.class,
            expected: known.then_some(estimate.compute + estimate.fees + estimate.terms.checkpoints),
            token: Secret::mint(&*context.entropy),
        };
        if offer.firmness == Firmness::Auction {
            let more = UsdPerHour::new(offer.price.per_hour().basis_points(CEILING_BASIS_POINTS));
            let ceiling = spec.max_hourly.map_or(more, |cap| cap.min(more));
            let dearer = offer.billing.ceiling(ceiling, held_for) + offer.fee;
            if dearer <= left {
                (purchase.ceiling, purchase.hold) = (ceiling, dearer);
            }
        }
        Ok(purchase)
    }

    fn boot(&self, execution: &ExecutionRow, credential: Credential) -> Result<Boot, Error> {
        let boot = BootDoc {
            protocol: PROTOCOL,
            url: self.0.agent_url.clone(),
            pin: self.0.keys.tls().pin().to_string(),
            execution: execution.id,
            credential,
            fault: None,
        };
        Ok(Boot::new(serde_json::to_vec(&boot).map_err(std::io::Error::from)?))
    }

    /// Hold, intent and the token's hash in one transaction. `None` when somebody else was faster.
    async fn store_intent(
        &self,
        execution: &ExecutionRow,
        job: &JobRow,
        purchase: &Purchase<'_>,
        intent: &Intent,
        now: Timestamp,
    ) -> Result<Option<LeaseRow>, Error> {
        let context = &self.0;
        let hold = HoldId::mint(&*context.entropy);
        let row = LeaseRow {
            id: purchase.lease,
            job: job.id,
            execution: execution.id,
            network: purchase.offer.id.network.clone(),
            offer: doc::offer_to_text(purchase.offer),
            interruptible: purchase.offer.interruptible,
            class: purchase.class,
            expected: purchase.expected,
            state: LeaseState::Intended,
            generation: 0,
            hold,
            intent: self.seal_intent(purchase.lease, &intent.bytes)?,
            span: purchase.span,
            provider: None,
            region: None,
            created_at: now,
            submitted_at: now,
            absent_since: None,
            live_at: None,
            until_at: None,
            close_at: None,
            ended_at: None,
            billed: None,
            tries: 0,
            settled: false,
            due_at: now,
        };
        let change = ExecutionChange {
            lease: Some(Some(purchase.lease)),
            purchase: true,
            buy_at: Some(None),
            token_hash: Some(token_hash(purchase.token.expose())),
            ..ExecutionChange::default()
        };
        let mut tx = context.store.begin().await?;
        if !tx.execution_change(execution, change, now).await? {
            return Ok(None);
        }
        if tx.hold_for_lease(hold, job.hold, purchase.lease, purchase.hold).await?.is_err() {
            drop(tx);
            // The plan was made when there was more left; a new plan sees what there is now.
            self.replan(execution, job, now).await?;
            return Ok(None);
        }
        tx.lease_insert(&row).await?;
        let body = format!(
            "{{\"execution\":\"{}\",\"network\":\"{}\",\"hold_usd\":\"{}\"}}",
            execution.id, row.network, purchase.hold
        );
        tx.outbox_add(now, "lease.intended", &row.id.to_string(), &body).await?;
        tx.commit().await?;
        Ok(Some(row))
    }

    /// Sends the stored intent and records what is known after it.
    pub(super) async fn submit(
        &self,
        network: &dyn Network,
        lease: &LeaseRow,
        intent: &Intent,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.0.reached("lease.submit.before")?;
        let answer = network.submit(intent).await;
        self.0.reached("lease.submit.after")?;
        match answer {
            Ok(()) => self.observe(network, lease, now).await,
            Err(error) if error.status == RetryStatus::Permanent => {
                let reason = match error.kind {
                    ErrorKind::NoCapacity | ErrorKind::LostRace => EndReason::NoCapacity,
                    _ => EndReason::Refused,
                };
                self.ended(lease, reason, now, Usd::ZERO, now).await
            }
            #[cfg(feature = "planted")]
            Err(_) if self.has(crate::Planted::DropRowOnTimeout) => self.drop_row(lease, now).await,
            Err(error) => {
                tracing::info!(lease = %lease.id, error = %chain(&error), "a purchase is to be looked at again");
                let change = LeaseChange {
                    tries: Some(lease.tries + 1),
                    due_at: Some(now + self.0.backoff(lease.tries)),
                    ..LeaseChange::default()
                };
                self.change(lease, change, now).await
            }
        }
    }

    /// Submits the stored bytes once more.
    pub(super) async fn resubmit(
        &self,
        network: &dyn Network,
        lease: &LeaseRow,
        now: Timestamp,
    ) -> Result<(), Error> {
        let intent = self.open_intent(lease)?;
        let mut tx = self.0.store.begin().await?;
        let change = LeaseChange { submitted_at: Some(now), due_at: Some(now), ..LeaseChange::default() };
        if !tx.lease_change(lease, change, now).await? {
            return Ok(());
        }
        let lease = tx.lease_get_in_txn(lease.id).await?;
        tx.commit().await?;
        match lease {
            Some(lease) => Box::pin(self.submit(network, &lease, &intent, now)).await,
            None => Ok(()),
        }
    }

    pub(super) fn seal_intent(&self, lease: LeaseId, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(seal_bytes(bytes, self.0.keys.rows(), format!("intent|{lease}").as_bytes(), &*self.0.entropy)?)
    }

    pub(super) fn open_intent(&self, lease: &LeaseRow) -> Result<Intent, Error> {
        let context = format!("intent|{}", lease.id);
        let bytes: Zeroizing<Vec<u8>> = open_bytes(&lease.intent, self.0.keys.rows(), context.as_bytes())?;
        Ok(Intent { label: Label::of(lease.id), bytes })
    }

    /// The plan cannot be bought by; the placements step makes another.
    async fn replan(&self, execution: &ExecutionRow, job: &JobRow, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        let wait = ExecutionChange { buy_at: Some(None), purchase: true, ..ExecutionChange::default() };
        let plan_at = now + self.0.backoff(execution.purchases);
        let plan = store::JobChange { plan_at: Some(Some(plan_at)), ..store::JobChange::default() };
        if tx.execution_change(execution, wait, now).await? && tx.job_change(job, plan, now).await? {
            tx.commit().await?;
        }
        Ok(())
    }

    pub(super) async fn change(
        &self,
        lease: &LeaseRow,
        change: LeaseChange,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        if tx.lease_change(lease, change, now).await? {
            tx.commit().await?;
        }
        Ok(())
    }

    pub(super) async fn event(
        &self,
        lease: &LeaseRow,
        event: LeaseEvent,
        due: Millis,
        now: Timestamp,
    ) -> Result<(), Error> {
        let change = LeaseChange {
            event: Some(event),
            due_at: Some(now + due),
            tries: Some(0),
            absent_since: Some(None),
            ..LeaseChange::default()
        };
        let mut tx = self.0.store.begin().await?;
        if !tx.lease_change(lease, change, now).await? {
            return Ok(());
        }
        if let LeaseEvent::Release(reason) = event {
            let body = format!("{{\"reason\":\"{}\"}}", reason.code());
            tx.outbox_add(now, "lease.releasing", &lease.id.to_string(), &body).await?;
        }
        Ok(tx.commit().await?)
    }
}
