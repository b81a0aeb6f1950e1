//! Placement chosen: a job without an open execution gets a plan and its next execution; an execution whose lease could
//! not be had gets a child plan. A plan has no effect of its own: the leases step buys by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    ExecutionEvent, ExecutionId, ExecutionState, JobEvent, JobSpec, LeaseState, LossReason, Millis,
    NetworkName, OfferRef, Outcome, Placement, PlacementCause, PlacementId, ProviderName, Timestamp,
};
use policy::failover::{self, Next};
use policy::objective::Knowledge;
use policy::placement::{self, Situation, Tenure, place};
use store::{ExecutionChange, ExecutionRow, JobChange, JobRow, LeaseRow, Tx};
use wire::doc;

use crate::audit::committed;
use crate::context::Context;
use crate::jobs::end;
use crate::proofs::{refuted, set_back};
use crate::{Config, Error, Reconciler};

mod spot;

pub(crate) use spot::Brokers;

/// What a job has been through, as far as a plan depends on it.
pub(crate) struct History {
    pub(crate) lost: Vec<(NetworkName, ProviderName)>,
    pub(crate) refused_recently: Vec<(OfferRef, Timestamp)>,
    /// Executions that got on before their machine was taken away as agreed, so that no attempt was spent.
    pub(crate) taken: u32,
    pub(crate) measured_run: Option<Millis>,
    pub(crate) failover: bool,
    pub(crate) covers: BTreeMap<NetworkName, u32>,
    pub(crate) knowledge: Arc<Knowledge>,
}

impl Context {
    pub(crate) async fn history(&self, job: &JobRow) -> Result<History, Error> {
        let executions = self.store.execution_list(job.id).await?;
        let leases = self.store.lease_list(job.id).await?;
        let refuted = refuted(self, job.id).await?;
        let was_lost =
            |id: ExecutionId| executions.iter().any(|x| x.id == id && set_back(x.state, id, &refuted));
        let (away, stayed): (Vec<_>, Vec<_>) = leases
            .iter()
            .filter(|lease| was_lost(lease.execution))
            .partition(|lease| lease.interruptible && !refuted.contains(&lease.execution));
        // One that brought nothing on spends an attempt all the same, or a job whose states take longer to reach than machines stay would
        // go on until its money is gone.
        let got_on = |id: ExecutionId| executions.iter().any(|x| x.id == id && x.to_segment > x.from_segment);
        let taken = away.iter().filter(|lease| got_on(lease.execution)).count();
        let lost = stayed
            .into_iter()
            .filter_map(|lease| Some((lease.network.clone(), lease.provider.clone()?)))
            .collect();
        let mut refused_recently = Vec::new();
        for lease in &leases {
            if let (LeaseState::Ended(reason), Some(at)) = (lease.state, lease.ended_at)
                && failover::never_ran(reason)
            {
                refused_recently
                    .push((doc::offer_from_text(&lease.offer)?.id, at + self.config.stock_memory));
            }
        }
        Ok(History {
            lost,
            taken: u32::try_from(taken).unwrap_or(u32::MAX),
            refused_recently,
            measured_run: measured_run(&executions, job.segments),
            failover: executions.iter().any(|x| set_back(x.state, x.id, &refuted)),
            covers: self.covers(&Self::spec(job)?),
            knowledge: self.catalogue().knowledge(),
        })
    }

    pub(crate) async fn situation<'a>(
        &self,
        job: &JobRow,
        spec: &'a JobSpec,
        history: &'a History,
        cause: PlacementCause,
        now: Timestamp,
    ) -> Result<Situation<'a>, Error> {
        let hold = self
            .store
            .hold_get(job.hold)
            .await?
            .ok_or_else(|| Error::Missing { what: "hold", of: job.id.to_string() })?;
        let plans = self.store.placement_list(job.id).await?;
        let parent = plans.last().map(|text| doc::placement_from_text(text)).transpose()?.map(|plan| plan.id);
        Ok(Situation {
            job: job.id,
            spec,
            now,
            deadline_at: job.deadline_at,
            budget_left: hold.left(),
            segments_done: job.segments_done,
            expected_run: history.known_run(spec).unwrap_or_else(|| {
                placement::unmeasured(self.config.assumed_run, job.deadline_at.since(now))
            }),
            attempt: if job.current.is_some() { job.attempts } else { job.attempts + 1 },
            parent,
            cause,
            lost: &history.lost,
            refused_recently: &history.refused_recently,
            covers: &history.covers,
            verification_bps: self.verification_bps(spec),
            knowledge: &history.knowledge,
            tenure: self.brokers().tenure(job.id),
            failover: history.failover,
            stale_after: self.config.offers_stale,
            release_margin: self.config.release_margin,
        })
    }
}

impl History {
    /// How long the whole job runs, where that is more than an assumption: as measured, else as its owner says.
    pub(crate) fn known_run(&self, spec: &JobSpec) -> Option<Millis> {
        self.measured_run.or(spec.expected_run)
    }
}

/// The whole job's run time by the pace of the execution that did the most segments.
fn measured_run(executions: &[ExecutionRow], segments: u32) -> Option<Millis> {
    let best = executions
        .iter()
        .filter(|x| x.to_segment > x.from_segment)
        .max_by_key(|x| x.to_segment - x.from_segment)?;
    let done = u64::from(best.to_segment - best.from_segment);
    let span = best.ended_at?.since(best.connected_at?);
    Some(Millis(span.0.saturating_mul(u64::from(segments)).div_ceil(done)))
}

pub(crate) struct Placements(pub(crate) Arc<Context>);

impl Placements {
    async fn plan(&self, job: &JobRow, now: Timestamp) -> Result<(), Error> {
        let spec = Context::spec(job)?;
        let current = match job.current {
            Some(id) => self.0.store.execution_get(id).await?,
            None => None,
        };
        if let Some(execution) = &current
            && execution.purchases >= failover::PURCHASES_PER_ATTEMPT_MAX
        {
            return self.give_up_attempt(job, execution, now).await;
        }
        let history = self.0.history(job).await?;
        let spent = job.attempts.saturating_sub(history.taken);
        if current.is_none()
            && spent > 0
            && let Next::End(outcome) = failover::after_loss(&spec, spent)
        {
            let refuted = refuted(&self.0, job.id).await?;
            let last = self.0.store.execution_list(job.id).await?.pop();
            let failed = last.is_some_and(|x| refuted.contains(&x.id));
            return self.end(job, if failed { Outcome::ProofFailed } else { outcome }, now).await;
        }
        let cause = self.cause(job, current.as_ref()).await?;
        let mut situation = self.0.situation(job, &spec, &history, cause, now).await?;
        let (offers, version) = {
            let catalogue = self.0.catalogue();
            (catalogue.all(), catalogue.version())
        };
        let known = history.known_run(&spec).is_some();
        let (tenure, again) = self.0.choose_tenure(&situation, known, &offers).await;
        situation.tenure = tenure;
        let id = PlacementId::mint(&*self.0.entropy);
        let (placement, _) = place(id, &situation, &offers, version);
        if let (true, Tenure::Idle, Some(again)) = (placement.ranked.is_empty(), tenure, again) {
            return self.wait_for_spot(job, again, now).await;
        }
        if placement.ranked.is_empty() {
            return self.wait(job, &placement, now).await;
        }
        self.store_plan(job, current.as_ref(), &placement, now).await
    }

    async fn cause(&self, job: &JobRow, current: Option<&ExecutionRow>) -> Result<PlacementCause, Error> {
        let leases = self.0.store.lease_list(job.id).await?;
        let executions = self.0.store.execution_list(job.id).await?;
        let not_bought = |lease: &LeaseRow| current.is_some_and(|x| x.id == lease.execution);
        Ok(match (leases.iter().rfind(|l| not_bought(l)), executions.last()) {
            (Some(lease), _) => PlacementCause::NotBought(lease.id),
            (None, Some(last)) if current.is_none() => PlacementCause::Lost(last.id),
            _ => PlacementCause::First,
        })
    }

    async fn store_plan(
        &self,
        job: &JobRow,
        current: Option<&ExecutionRow>,
        placement: &Placement,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.0.reached("placement.store.before")?;
        let mut tx = self.0.store.begin().await?;
        let execution = current.map_or_else(|| ExecutionId::mint(&*self.0.entropy), |x| x.id);
        let change = JobChange {
            plan_at: Some(None),
            current: Some(Some(execution)),
            attempts: Some(placement.attempt),
            waiting: Some(None),
            ..JobChange::default()
        };
        if !tx.job_change(job, change, now).await? {
            return Ok(());
        }
        let plan = doc::placement_to_text(placement);
        tx.placement_insert(placement.id, job.id, now, &plan).await?;
        match current {
            Some(row) => {
                let change = ExecutionChange {
                    placement: Some(placement.id),
                    buy_at: Some(Some(now)),
                    ..ExecutionChange::default()
                };
                if !tx.execution_change(row, change, now).await? {
                    return Ok(());
                }
            }
            None => tx.execution_insert(&new_execution(execution, job, placement, now)).await?,
        }
        chosen(&mut tx, execution, placement, &plan, now).await?;
        tx.commit().await?;
        self.0.reached("placement.store.after")?;
        Ok(())
    }

    /// Waiting costs less than what is to be had now, and there is time for it.
    async fn wait_for_spot(&self, job: &JobRow, again: Timestamp, now: Timestamp) -> Result<(), Error> {
        let what = "spot capacity: it is expected to cost less than machines that stay, which are bought in time for the deadline";
        // Each look is a wait of its own, so that patience with missing offers is not used up by it.
        let change = JobChange {
            plan_at: Some(Some(again)),
            waiting: Some(Some((what.to_owned(), now))),
            ..JobChange::default()
        };
        let mut tx = self.0.store.begin().await?;
        tx.job_change(job, change, now).await?;
        Ok(tx.commit().await?)
    }

    /// No admissible offer: wait, say so, and give up after a while.
    async fn wait(&self, job: &JobRow, placement: &Placement, now: Timestamp) -> Result<(), Error> {
        let since = job.waiting_since.unwrap_or(now);
        if let Some(outcome) = failover::without_offers(since, now, self.0.config.no_offer_patience) {
            return self.end(job, outcome, now).await;
        }
        let reasons: Vec<String> =
            placement.refused.iter().map(|(refusal, n)| format!("{n} {refusal}")).collect();
        let what = if reasons.is_empty() {
            "an offer: no network has any".to_owned()
        } else {
            format!("an admissible offer; refused: {}", reasons.join(", "))
        };
        let change = JobChange {
            plan_at: Some(Some(now + self.0.config.no_offer_retry)),
            waiting: Some(Some((what, since))),
            ..JobChange::default()
        };
        let mut tx = self.0.store.begin().await?;
        tx.job_change(job, change, now).await?;
        Ok(tx.commit().await?)
    }

    /// So many purchases failed that the attempt counts as lost.
    async fn give_up_attempt(
        &self,
        job: &JobRow,
        execution: &ExecutionRow,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        let lose = ExecutionChange {
            event: Some(ExecutionEvent::Lose(LossReason::LeaseEnded)),
            ..ExecutionChange::default()
        };
        let back = JobChange {
            event: Some(JobEvent::Lost),
            current: Some(None),
            plan_at: Some(Some(now)),
            ..JobChange::default()
        };
        if tx.execution_change(execution, lose, now).await? && tx.job_change(job, back, now).await? {
            tx.outbox_add(now, "execution.lost", &execution.id.to_string(), "{\"reason\":\"lease_ended\"}")
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn end(&self, job: &JobRow, outcome: Outcome, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        if end(&mut tx, job, outcome, now).await? {
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Writes down which plan is followed from now on.
pub(crate) async fn chosen(
    tx: &mut Tx,
    execution: ExecutionId,
    placement: &Placement,
    plan: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let (kind, subject) = ("placement.chosen", placement.job.to_string());
    let plan = committed(tx, placement.job, kind, &subject, "plan", plan).await?;
    let network = placement.ranked.first().map_or("", |best| best.offer.id.network.as_str());
    let total = placement.ranked.first().map(|best| best.estimate.total).unwrap_or_default();
    let body = format!(
        "{{\"placement\":\"{}\",\"execution\":\"{execution}\",\"attempt\":{},\"network\":\"{network}\",\
         \"expected_usd\":\"{total}\",\"admissible\":{},\"plan\":\"{plan}\"}}",
        placement.id, placement.attempt, placement.admissible
    );
    Ok(tx.outbox_add(now, kind, &subject, &body).await?)
}

fn new_execution(id: ExecutionId, job: &JobRow, placement: &Placement, now: Timestamp) -> ExecutionRow {
    ExecutionRow {
        id,
        job: job.id,
        attempt: placement.attempt,
        placement: placement.id,
        lease: None,
        purchases: 0,
        state: ExecutionState::Starting,
        generation: 0,
        token_hash: None,
        buy_at: Some(now),
        instance_key: None,
        sandbox: None,
        stop: false,
        from_segment: job.segments_done,
        to_segment: job.segments_done,
        created_at: now,
        connected_at: None,
        ended_at: None,
    }
}

#[async_trait]
impl Reconciler for Placements {
    fn name(&self) -> &'static str {
        "placements"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let due = self.0.store.job_list_unplanned(now, Config::BATCH).await?;
        for job in &due {
            self.plan(job, now).await?;
        }
        if !due.is_empty() {
            self.0.changed();
        }
        Ok(self.0.store.job_next_plan().await?)
    }
}
