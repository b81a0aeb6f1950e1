//! Every open lease against what its network says.

use domain::{
    Assurance, EndReason, ExecutionEvent, ExecutionState, JobEvent, Label, LeaseEvent, LeaseState,
    LossReason, Millis, Offer, PlacementCause, PlacementId, ProviderName, Region, Timestamp, Usd, chain,
};
use market::{Boot, Network, Observation, Terms};
use policy::{eligibility, failover, placement};
use store::{ExecutionChange, JobChange, LeaseChange, LeaseRow, Tx};
use wire::doc;

use super::Leases;
use crate::Error;
use crate::audit::committed;
use crate::context::Context;
use crate::jobs::release;
use crate::placements::chosen;

/// What the network said of a live lease.
struct Assigned {
    provider: ProviderName,
    region: Option<Region>,
    assurance: Assurance,
    since: Timestamp,
    until: Option<Timestamp>,
}

impl Leases {
    pub(super) async fn drive(&self, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        let Some(network) = self.0.registry.get(&lease.network).cloned() else {
            let text =
                format!("network {} is not connected, but lease {} on it is open", lease.network, lease.id);
            self.alert("network_missing", lease, &text, now).await?;
            let change =
                LeaseChange { due_at: Some(now + self.0.config.backoff_max), ..LeaseChange::default() };
            return self.change(lease, change, now).await;
        };
        if matches!(lease.state, LeaseState::Ending(_)) {
            return self.release(network.as_ref(), lease, now).await;
        }
        let waited = now.since(lease.created_at);
        if lease.state != LeaseState::Live && waited > self.0.config.startup_patience {
            return self.event(lease, LeaseEvent::Release(EndReason::TooSlow), Millis::ZERO, now).await;
        }
        // The bill goes on whether or not the network can be asked, so the hold does not wait for its answer.
        if let (LeaseState::Live, Some(live_at)) = (lease.state, lease.live_at) {
            self.cover(network.as_ref(), lease, live_at, now).await?;
        }
        self.observe(network.as_ref(), lease, now).await
    }

    /// Looks at the network and records what it shows.
    pub(super) async fn observe(
        &self,
        network: &dyn Network,
        lease: &LeaseRow,
        now: Timestamp,
    ) -> Result<(), Error> {
        let answer = network.observe(&Label::of(lease.id)).await;
        self.0.reached("lease.observe.after")?;
        match answer {
            Err(error) => self.not_seen(lease, &error, now).await,
            Ok(Observation::Absent) => self.absent(network, lease, now).await,
            Ok(Observation::Bidding { bids, closes_at })
                if matches!(lease.state, LeaseState::Intended | LeaseState::Bidding) =>
            {
                self.bidding(network, lease, &bids, closes_at, now).await
            }
            Ok(Observation::Bidding { .. }) => self.not_believed(lease, now).await,
            Ok(Observation::Queued) if lease.state == LeaseState::Live => self.not_believed(lease, now).await,
            Ok(Observation::Queued) => {
                self.event(lease, LeaseEvent::Queue, self.0.backoff(lease.tries.min(2)), now).await
            }
            Ok(Observation::Live { provider, region, assurance, since, until }) => {
                let assigned = Assigned { provider, region, assurance, since, until };
                self.live(lease, assigned, now).await
            }
            Ok(Observation::Ended { at, billed }) => {
                let reason = match lease.state {
                    LeaseState::Bidding => EndReason::NoBids,
                    LeaseState::Intended => EndReason::NoCapacity,
                    _ => EndReason::Expired,
                };
                self.ended(lease, reason, at, billed, now).await
            }
        }
    }

    /// A lease does not go back to an earlier state, so a network that says so is asked again.
    async fn not_believed(&self, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        tracing::info!(lease = %lease.id, state = lease.state.code(), "a network shows a lease in an earlier state");
        self.look_again(lease, now).await
    }

    async fn not_seen(&self, lease: &LeaseRow, error: &market::Error, now: Timestamp) -> Result<(), Error> {
        tracing::info!(lease = %lease.id, error = %chain(error), "a network could not be asked about a lease");
        self.look_again(lease, now).await
    }

    async fn look_again(&self, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        let config = &self.0.config;
        let wait = self.0.backoff(lease.tries);
        let wait = if lease.state == LeaseState::Live { wait.min(config.observe_every) } else { wait };
        let change =
            LeaseChange { tries: Some(lease.tries + 1), due_at: Some(now + wait), ..LeaseChange::default() };
        self.change(lease, change, now).await
    }

    /// Absence proves something only when it lasts longer than a purchase may take to show.
    async fn absent(&self, network: &dyn Network, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        let capability = network.capability();
        if lease.state == LeaseState::Intended
            && (capability.idempotency || now.since(lease.submitted_at) > capability.visibility)
            && now > lease.submitted_at
        {
            return self.resubmit(network, lease, now).await;
        }
        if gone(lease, capability.visibility, now) && lease.state != LeaseState::Intended {
            let billed = self.unbilled(lease, now)?;
            return self.ended(lease, EndReason::Expired, now, billed, now).await;
        }
        self.still_absent(lease, now).await
    }

    async fn still_absent(&self, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        let change = LeaseChange {
            absent_since: Some(Some(lease.absent_since.unwrap_or(now))),
            tries: Some(lease.tries + 1),
            due_at: Some(now + self.0.backoff(lease.tries.min(3))),
            ..LeaseChange::default()
        };
        self.change(lease, change, now).await
    }

    /// Bids are firm offers that arrive late: they make a child plan, and its best is taken under the same label.
    async fn bidding(
        &self,
        network: &dyn Network,
        lease: &LeaseRow,
        bids: &[Offer],
        closes_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        if now < closes_at {
            return self.event(lease, LeaseEvent::BidsOpen, closes_at.since(now), now).await;
        }
        let job = self.0.job(lease.job).await?;
        let spec = Context::spec(&job)?;
        let history = self.0.history(&job).await?;
        let mut situation =
            self.0.situation(&job, &spec, &history, PlacementCause::Bids(lease.id), now).await?;
        let held = self.0.store.hold_get(lease.hold).await?.map_or(Usd::ZERO, |hold| hold.amount);
        situation.budget_left = held;
        let id = PlacementId::mint(&*self.0.entropy);
        let (plan, _) = placement::place(id, &situation, bids, self.0.catalogue().version());
        let Some(best) = plan.ranked.first() else {
            return self.event(lease, LeaseEvent::Release(EndReason::NoBids), Millis::ZERO, now).await;
        };
        let terms = Terms {
            label: Label::of(lease.id),
            span: lease.span,
            ceiling: best.offer.price,
            job: crate::jobs::hash_of(&job),
            // The boot bytes went with the funded request; a bid is taken under the same label.
            boot: Boot::new(Vec::new()),
        };
        let intent = match network.prepare(&best.offer, &terms).await {
            Ok(intent) => intent,
            Err(error) => return self.not_seen(lease, &error, now).await,
        };
        let mut tx = self.0.store.begin().await?;
        let change = LeaseChange {
            event: Some(LeaseEvent::BidsOpen),
            bid: Some((doc::offer_to_text(&best.offer), self.seal_intent(lease.id, &intent.bytes)?)),
            submitted_at: Some(now),
            due_at: Some(now),
            ..LeaseChange::default()
        };
        if !tx.lease_change(lease, change, now).await? {
            return Ok(());
        }
        let text = doc::placement_to_text(&plan);
        tx.placement_insert(plan.id, job.id, now, &text).await?;
        chosen(&mut tx, lease.execution, &plan, &text, now).await?;
        if let Some(execution) = tx.execution_get_in_txn(lease.execution).await? {
            let follow = ExecutionChange { placement: Some(plan.id), ..ExecutionChange::default() };
            tx.execution_change(&execution, follow, now).await?;
        }
        let fresh = tx.lease_get_in_txn(lease.id).await?;
        tx.commit().await?;
        match fresh {
            Some(lease) => self.submit_bid(network, &lease, &intent, now).await,
            None => Ok(()),
        }
    }

    async fn submit_bid(
        &self,
        network: &dyn Network,
        lease: &LeaseRow,
        intent: &market::Intent,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.0.reached("lease.submit.before")?;
        let answer = network.submit(intent).await;
        self.0.reached("lease.submit.after")?;
        match answer {
            Ok(()) => {
                let change = LeaseChange { due_at: Some(now), ..LeaseChange::default() };
                self.change(lease, change, now).await
            }
            Err(error) if error.status == market::RetryStatus::Permanent => {
                // The bid is gone but the request may still be funded, so it is closed first.
                self.event(lease, LeaseEvent::Release(EndReason::NoCapacity), Millis::ZERO, now).await
            }
            Err(error) => self.not_seen(lease, &error, now).await,
        }
    }

    async fn live(&self, lease: &LeaseRow, assigned: Assigned, now: Timestamp) -> Result<(), Error> {
        if lease.state != LeaseState::Live {
            let job = self.0.job(lease.job).await?;
            let spec = Context::spec(&job)?;
            let history = self.0.history(&job).await?;
            let situation = self.0.situation(&job, &spec, &history, PlacementCause::First, now).await?;
            let region = assigned.region.as_ref();
            let Assigned { provider, assurance, .. } = &assigned;
            let refusal =
                eligibility::refusal_of_assigned(&situation, &lease.network, provider, region, *assurance);
            if let Some(refusal) = refusal {
                tracing::info!(lease = %lease.id, provider = %assigned.provider, %refusal, "the assigned provider is refused");
                return self
                    .event(lease, LeaseEvent::Release(EndReason::Ineligible), Millis::ZERO, now)
                    .await;
            }
        }
        let mut tx = self.0.store.begin().await?;
        let provider = assigned.provider.clone();
        let region = assigned.region.as_ref().map_or("unknown", Region::as_str).to_owned();
        let change = LeaseChange {
            event: Some(LeaseEvent::GoLive),
            assigned: Some((assigned.provider, assigned.region)),
            live_at: Some(assigned.since),
            until_at: assigned.until,
            absent_since: Some(None),
            tries: Some(0),
            due_at: Some(if lease.state == LeaseState::Live {
                now + self.0.config.observe_every
            } else {
                now
            }),
            ..LeaseChange::default()
        };
        if tx.lease_change(lease, change, now).await? {
            if lease.state != LeaseState::Live {
                let (kind, subject) = ("lease.live", lease.id.to_string());
                let provider =
                    committed(&mut tx, lease.job, kind, &subject, "provider", provider.as_str()).await?;
                let body = format!("{{\"provider\":\"{provider}\",\"region\":\"{region}\"}}");
                tx.outbox_add(now, kind, &subject, &body).await?;
            }
            tx.commit().await?;
        }
        self.0.reached("lease.apply.after")?;
        Ok(())
    }

    async fn release(&self, network: &dyn Network, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        self.0.reached("lease.release.before")?;
        let answer = network.release(&Label::of(lease.id)).await;
        self.0.reached("lease.release.after")?;
        let reason = lease.state.reason().unwrap_or(EndReason::Cancelled);
        #[cfg(feature = "planted")]
        if self.has(crate::Planted::ReleaseWithoutConfirmation) {
            let billed = self.unbilled(lease, now)?;
            return self.ended(lease, reason, now, billed, now).await;
        }
        match answer {
            Ok(Observation::Ended { at, billed }) => self.ended(lease, reason, at, billed, now).await,
            Ok(Observation::Absent) if gone(lease, network.capability().visibility, now) => {
                let billed = self.unbilled(lease, now)?;
                self.ended(lease, reason, now, billed, now).await
            }
            Ok(Observation::Absent) => self.still_absent(lease, now).await,
            Ok(_) => self.not_released(lease, "the network has not ended it yet", now).await,
            Err(error) => self.not_released(lease, &chain(&error), now).await,
        }
    }

    /// What a lease is taken to have cost when its network shows it no more: what its terms say.
    fn unbilled(&self, lease: &LeaseRow, now: Timestamp) -> Result<Usd, Error> {
        let offer = doc::offer_from_text(&lease.offer)?;
        let life = lease.live_at.map(|live_at| (live_at, now));
        let grace = self.0.config.close_grace;
        Ok(policy::cost::owed(offer.billing, offer.price, offer.fee, life, lease.close_at, grace))
    }

    async fn not_released(&self, lease: &LeaseRow, why: &str, now: Timestamp) -> Result<(), Error> {
        if lease.close_at.is_some_and(|at| now.since(at) > self.0.config.release_alert) {
            let text = format!("lease {} on {} may still be billed: {why}", lease.id, lease.network);
            self.alert("release_unconfirmed", lease, &text, now).await?;
        }
        let change = LeaseChange {
            tries: Some(lease.tries + 1),
            absent_since: Some(None),
            due_at: Some(now + self.0.backoff(lease.tries)),
            ..LeaseChange::default()
        };
        self.change(lease, change, now).await
    }

    async fn alert(
        &self,
        code: &'static str,
        lease: &LeaseRow,
        text: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        if tx.alert_raise(now, code, &lease.id.to_string(), text).await? {
            tracing::warn!(code, lease = %lease.id, text);
        }
        Ok(tx.commit().await?)
    }

    /// The network confirmed the end, or promised that nothing was bought.
    pub(super) async fn ended(
        &self,
        lease: &LeaseRow,
        reason: EndReason,
        at: Timestamp,
        billed: Usd,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        let change = LeaseChange {
            event: Some(LeaseEvent::Confirm(reason)),
            ended: Some((at, billed)),
            due_at: Some(now),
            ..LeaseChange::default()
        };
        if !tx.lease_change(lease, change, now).await? {
            return Ok(());
        }
        let reason = lease.state.reason().unwrap_or(reason);
        let body = format!("{{\"reason\":\"{}\",\"billed_usd\":\"{billed}\"}}", reason.code());
        tx.outbox_add(now, "lease.ended", &lease.id.to_string(), &body).await?;
        self.after_end(&mut tx, lease, reason, now).await?;
        tx.commit().await?;
        self.0.reached("lease.apply.after")?;
        Ok(())
    }

    /// An execution still open on an ended lease looks for another lease, or counts as lost.
    pub(crate) async fn after_end(
        &self,
        tx: &mut Tx,
        lease: &LeaseRow,
        reason: EndReason,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(execution) = tx.execution_get_in_txn(lease.execution).await? else { return Ok(()) };
        if !execution.state.is_open() || execution.lease != Some(lease.id) {
            return Ok(());
        }
        let Some(job) = tx.job_get_in_txn(lease.job).await? else { return Ok(()) };
        let again = execution.state == ExecutionState::Starting && failover::never_ran(reason);
        let (execution_change, job_change) = if again {
            let wait =
                ExecutionChange { lease: Some(None), buy_at: Some(None), ..ExecutionChange::default() };
            (wait, JobChange { plan_at: Some(Some(now)), ..JobChange::default() })
        } else {
            lost(LossReason::LeaseEnded, now)
        };
        tx.execution_change(&execution, execution_change, now).await?;
        if job.state.is_open() && job.current == Some(execution.id) {
            tx.job_change(&job, job_change, now).await?;
        }
        if !again {
            tx.outbox_add(now, "execution.lost", &execution.id.to_string(), "{\"reason\":\"lease_ended\"}")
                .await?;
        }
        Ok(())
    }
}

/// The changes by which an execution is given up and its job looks for another.
pub(crate) fn lost(reason: LossReason, now: Timestamp) -> (ExecutionChange, JobChange) {
    let execution =
        ExecutionChange { event: Some(ExecutionEvent::Lose(reason)), ..ExecutionChange::default() };
    let job = JobChange {
        event: Some(JobEvent::Lost),
        current: Some(None),
        plan_at: Some(Some(now)),
        ..JobChange::default()
    };
    (execution, job)
}

/// Gives up an open execution: fenced, its lease to be released, its job to be planned again. Returns whether it was
/// open.
pub(crate) async fn lose(
    tx: &mut Tx,
    id: domain::ExecutionId,
    reason: LossReason,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(execution) = tx.execution_get_in_txn(id).await? else { return Ok(false) };
    if !execution.state.is_open() {
        return Ok(false);
    }
    let (execution_change, job_change) = lost(reason, now);
    tx.execution_change(&execution, execution_change, now).await?;
    if let Some(lease) = execution.lease {
        release(tx, lease, EndReason::Lost, now).await?;
    }
    if let Some(job) = tx.job_get_in_txn(execution.job).await?
        && job.state.is_open()
        && job.current == Some(id)
    {
        tx.job_change(&job, job_change, now).await?;
    }
    tx.outbox_add(now, "execution.lost", &id.to_string(), &format!("{{\"reason\":\"{}\"}}", reason.code()))
        .await?;
    Ok(true)
}

fn gone(lease: &LeaseRow, visibility: Millis, now: Timestamp) -> bool {
    let absent = lease.absent_since.is_some_and(|since| now.since(since) > visibility);
    absent && now.since(lease.submitted_at) > visibility
}
