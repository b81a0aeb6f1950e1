//! What is shown: jobs, offers, plans and logs as REST types. Reads only.

use std::collections::BTreeMap;

use domain::{
    ExecutionState, JobId, JobSpec, JobState, LeaseState, Millis, Offer, Outcome, PlacementCause,
    PlacementId, Timestamp, Unchecked, Usd,
};
use policy::failover::{Next, after_loss};
use policy::placement::{estimate, place};
use store::{ExecutionRow, JobRow, LeaseRow};
use wire::doc;
use wire::rest::{
    AccountDoc, AlertDoc, ExecutionDoc, ExplainDoc, HealthDoc, JobDoc, LogDoc, OfferDoc, OffersDoc,
    PlacementDoc, RefusedDoc, SettlementDoc,
};

use crate::context::Context;
use crate::{Engine, Error, SubmitError};

const LOG_READ_BYTES_MAX: usize = 256 * 1024;
const ALERTS_MAX: u32 = 100;

impl Engine {
    /// The jobs whose id begins with `text` or whose name it is, newest first, at most three.
    ///
    /// # Errors
    /// The data store failed.
    pub async fn job_find(&self, text: &str) -> Result<Vec<JobId>, Error> {
        Ok(self.context.store.job_find(text, 3).await?.into_iter().map(|job| job.id).collect())
    }

    /// The job.
    ///
    /// # Errors
    /// `Missing` when there is none; the data store failed.
    pub async fn job_view(&self, id: JobId) -> Result<JobDoc, Error> {
        let job = self.context.job(id).await?;
        self.job_doc(&job).await
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// The data store failed.
    pub async fn job_views(&self, limit: u32) -> Result<Vec<JobDoc>, Error> {
        let mut docs = Vec::new();
        for job in self.context.store.job_list(limit).await? {
            docs.push(self.job_doc(&job).await?);
        }
        Ok(docs)
    }

    async fn job_doc(&self, job: &JobRow) -> Result<JobDoc, Error> {
        let store = &self.context.store;
        let executions = store.execution_list(job.id).await?;
        let leases = store.lease_list(job.id).await?;
        let mut docs = Vec::new();
        for execution in &executions {
            let lease = leases.iter().rfind(|l| Some(l.id) == execution.lease || l.execution == execution.id);
            docs.push(self.execution_doc(execution, lease).await?);
        }
        let hold = store.hold_get(job.hold).await?;
        let settlement = match job.state {
            JobState::Settled(_) => Some(self.settlement_doc(job, &executions, &docs).await?),
            _ => None,
        };
        Ok(JobDoc {
            id: job.id,
            name: job.name.clone(),
            state: job.state.code().to_owned(),
            outcome: job.state.outcome().map(|o| o.code().to_owned()),
            reason: job.state.outcome().map(describe),
            waiting_for: job.waiting_for.clone(),
            submitted_at: job.submitted_at.to_string(),
            deadline_at: job.deadline_at.to_string(),
            ended_at: job.ended_at.map(|t| t.to_string()),
            segments_done: job.segments_done,
            segments: job.segments,
            executions: docs,
            held_usd: hold.filter(|h| h.open).map_or(Usd::ZERO, |h| h.amount - h.posted - h.voided),
            settlement,
            outputs: job.outputs.is_some(),
            existing: false,
        })
    }

    async fn execution_doc(
        &self,
        row: &ExecutionRow,
        lease: Option<&LeaseRow>,
    ) -> Result<ExecutionDoc, Error> {
        let offer = match lease {
            Some(lease) => doc::offer_from_text(&lease.offer)?,
            None => self.planned_offer(row).await?,
        };
        let reason = match row.state {
            ExecutionState::Lost(reason) => Some(reason.code().to_owned()),
            ExecutionState::Failed(reason) => Some(reason.code()),
            _ => None,
        };
        let settled = match lease {
            Some(lease) => self.context.store.settlement_get(lease.id).await?,
            None => None,
        };
        let known = |lease: &LeaseRow| lease.provider.clone();
        Ok(ExecutionDoc {
            id: row.id,
            attempt: row.attempt,
            lease: lease.map(|l| l.id),
            placement: row.placement,
            network: offer.id.network.to_string(),
            provider: lease.and_then(known).or(offer.provider).map(|p| p.to_string()),
            region: lease.and_then(|l| l.region.clone()).or(offer.region).map(|r| r.to_string()),
            price_usd_hour: offer.price,
            state: row.state.code().to_owned(),
            reason,
            lease_state: lease.map_or("none", |l| l.state.code()).to_owned(),
            from_segment: row.from_segment,
            to_segment: row.to_segment,
            sandbox: row.sandbox.clone(),
            started_at: row.connected_at.map(|t| t.to_string()),
            ended_at: row.ended_at.map(|t| t.to_string()),
            paid_usd: settled.map(|settlement| settlement.paid),
            proof: match lease {
                Some(lease) => self.context.proof_doc(row.id, lease.id).await?,
                None => None,
            },
            simulated: offer.simulated,
        })
    }

    async fn planned_offer(&self, row: &ExecutionRow) -> Result<Offer, Error> {
        let missing = || Error::Missing { what: "placement", of: row.id.to_string() };
        let text = self.context.store.placement_get(row.placement).await?.ok_or_else(missing)?;
        let plan = doc::placement_from_text(&text)?;
        plan.ranked.into_iter().next().map(|ranked| ranked.offer).ok_or_else(missing)
    }

    async fn settlement_doc(
        &self,
        job: &JobRow,
        executions: &[ExecutionRow],
        docs: &[ExecutionDoc],
    ) -> Result<SettlementDoc, Error> {
        let rows = self.context.store.settlement_list(job.id).await?;
        let hold = self.context.store.hold_get(job.hold).await?;
        let worked: u64 = executions.iter().filter_map(|x| Some(x.ended_at?.since(x.connected_at?).0)).sum();
        let cloud = policy::cost::cloud_comparison(Millis(worked));
        Ok(SettlementDoc {
            paid_usd: rows.iter().map(|r| r.paid).sum(),
            refunded_usd: hold.map_or(Usd::ZERO, |h| h.voided),
            fees_usd: rows.iter().map(|r| r.fees).sum(),
            disputed_usd: rows.iter().map(|r| r.disputed).sum(),
            cloud_usd: Some(cloud.cost),
            cloud_source: Some(cloud.source),
            simulated: docs.iter().any(|x| x.simulated),
            gas: rows.iter().map(|r| r.gas).sum(),
            tx: rows.into_iter().flat_map(|r| r.txs).collect(),
        })
    }

    /// All offers, without a job.
    pub fn offers_view(&self) -> OffersDoc {
        let now = self.context.now();
        let catalogue = self.context.catalogue();
        let mut offers = catalogue.all();
        offers.sort_by(|a, b| (a.price, &a.id).cmp(&(b.price, &b.id)));
        OffersDoc {
            admissible: u32::try_from(offers.len()).unwrap_or(u32::MAX),
            offers: offers.iter().map(|offer| offer_doc(offer, now, None, None)).collect(),
            refused: BTreeMap::new(),
            unreachable: unreachable_networks(&catalogue),
            catalogue: catalogue.version(),
        }
    }

    /// The offers as a job file would rank them now: admissible ones in order, then the refused with their codes.
    ///
    /// # Errors
    /// The job file is wrong.
    pub fn offers_for(&self, file: &[u8], file_name: &str) -> Result<OffersDoc, SubmitError> {
        let spec = wire::jobfile::parse(file, file_name).map_err(|e| SubmitError::File(Box::new(e)))?.spec;
        Ok(self.offers_ranked(&spec))
    }

    fn offers_ranked(&self, spec: &JobSpec) -> OffersDoc {
        let now = self.context.now();
        let catalogue = self.context.catalogue();
        let offers = catalogue.all();
        let covers = self.context.covers(spec);
        let knowledge = catalogue.knowledge();
        let situation = self.situation_of_new(JobId::from_bytes([0; 10]), spec, &covers, &knowledge, now);
        let (plan, refused) =
            place(PlacementId::from_bytes([0; 10]), &situation, &offers, catalogue.version());
        let mut docs: Vec<OfferDoc> = plan
            .ranked
            .iter()
            .map(|ranked| offer_doc(&ranked.offer, now, Some(ranked.estimate.total), None))
            .collect();
        for one in &refused {
            if let Some(offer) = offers.iter().find(|o| o.id == one.offer) {
                let total = estimate(&situation, offer).total;
                docs.push(offer_doc(offer, now, Some(total), Some(one.refusal.code().to_owned())));
            }
        }
        OffersDoc {
            offers: docs,
            admissible: plan.admissible,
            refused: plan.refused.iter().map(|(refusal, n)| (refusal.code().to_owned(), *n)).collect(),
            unreachable: unreachable_networks(&catalogue),
            catalogue: catalogue.version(),
        }
    }

    /// Why this offer, why not the others, and what happens if it dies.
    ///
    /// # Errors
    /// `Missing` when there is no such job; the data store failed.
    pub async fn explain(&self, id: JobId) -> Result<ExplainDoc, Error> {
        let job = self.context.job(id).await?;
        let spec = Context::spec(&job)?;
        let mut placements = Vec::new();
        for text in self.context.store.placement_list(id).await? {
            let plan = doc::placement_from_text(&text)?;
            placements.push(PlacementDoc {
                id: plan.id,
                parent: plan.parent,
                made_at: plan.made_at.to_string(),
                text: policy::placement::render(&plan),
            });
        }
        Ok(ExplainDoc {
            job: id,
            placements,
            refused_now: self.refused_now(&spec),
            if_lost: self.if_lost(&job, &spec).await?,
            cautions: cautions(&spec, self.context.checkable(&job)?),
        })
    }

    fn refused_now(&self, spec: &JobSpec) -> Vec<RefusedDoc> {
        let offers = self.offers_ranked(spec).offers.into_iter();
        offers
            .filter_map(|offer| {
                Some(RefusedDoc { code: offer.refused?, network: offer.network, reference: offer.reference })
            })
            .collect()
    }

    async fn if_lost(&self, job: &JobRow, spec: &JobSpec) -> Result<String, Error> {
        if !job.state.is_open() {
            return Ok("the job is over".to_owned());
        }
        let Next::Replan { attempt } = after_loss(spec, job.attempts.max(1)) else {
            return Ok("the job ends: failover.attempts are used up".to_owned());
        };
        let history = self.context.history(job).await?;
        let cause = PlacementCause::First;
        let mut situation = self.context.situation(job, spec, &history, cause, self.context.now()).await?;
        let mut lost = history.lost.clone();
        for lease in self.context.store.lease_list(job.id).await? {
            if lease.interruptible {
                continue;
            }
            if let (LeaseState::Live, Some(provider)) = (lease.state, lease.provider) {
                lost.push((lease.network, provider));
            }
        }
        (situation.lost, situation.failover) = (&lost, true);
        let (plan, _) =
            place(PlacementId::from_bytes([0; 10]), &situation, &self.context.catalogue().all(), 0);
        let from =
            format!("attempt {attempt} goes on from segment {} of {}", job.segments_done, job.segments);
        Ok(match plan.ranked.first() {
            Some(next) => {
                let provider =
                    next.offer.provider.as_ref().map_or("a provider assigned later", |p| p.as_str());
                format!(
                    "{from} on {} ({provider}), about ${} more",
                    next.offer.id.network, next.estimate.total
                )
            }
            None => format!("{from} as soon as an admissible offer appears"),
        })
    }

    /// A piece of the job's log.
    ///
    /// # Errors
    /// `Missing` when there is no such job; the data store failed.
    pub async fn log_view(&self, id: JobId, offset: u64) -> Result<LogDoc, Error> {
        let job = self.context.job(id).await?;
        let (bytes, next_offset) = self.context.store.log_read(id, offset, LOG_READ_BYTES_MAX).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(LogDoc { open: job.state.is_open() || !bytes.is_empty(), text, next_offset })
    }

    /// The account that jobs spend from.
    ///
    /// # Errors
    /// The data store failed.
    pub async fn account_view(&self) -> Result<AccountDoc, Error> {
        let account = self.context.store.account_get(self.context.config.account).await?;
        Ok(AccountDoc {
            funded_usd: account.map_or(Usd::ZERO, |a| a.funded),
            available_usd: account.map_or(Usd::ZERO, |a| a.available),
            held_usd: account.map_or(Usd::ZERO, |a| a.held),
            posted_usd: account.map_or(Usd::ZERO, |a| a.posted),
        })
    }

    /// Version, networks and alerts.
    ///
    /// # Errors
    /// The data store failed.
    pub async fn health_view(&self) -> Result<HealthDoc, Error> {
        let alerts = self.context.store.alert_list(ALERTS_MAX).await?;
        Ok(HealthDoc {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            networks: self.context.registry.iter().map(|n| n.name().to_string()).collect(),
            alerts: alerts
                .into_iter()
                .map(|a| AlertDoc { at: a.at.to_string(), code: a.code, text: a.text })
                .collect(),
        })
    }

    /// What does not add up in the ledger; empty is right.
    ///
    /// # Errors
    /// The data store failed.
    pub async fn ledger_check(&self) -> Result<Vec<String>, Error> {
        Ok(self.context.store.ledger_check().await?)
    }
}

fn unreachable_networks(catalogue: &crate::offers::Catalogue) -> BTreeMap<String, String> {
    catalogue.unreachable().iter().map(|(name, why)| (name.to_string(), why.clone())).collect()
}

fn offer_doc(offer: &Offer, now: Timestamp, expected: Option<Usd>, refused: Option<String>) -> OfferDoc {
    let gib = |mib: u64| mib as f64 / 1024.0;
    OfferDoc {
        network: offer.id.network.to_string(),
        reference: offer.id.reference.clone(),
        provider: offer.provider.as_ref().map(ToString::to_string),
        region: offer.region.as_ref().map(ToString::to_string),
        cpus: f64::from(offer.hardware.cpus_milli) / 1000.0,
        memory_gib: gib(offer.hardware.memory_mib),
        disk_gib: gib(offer.hardware.disk_mib),
        accelerators: offer.hardware.accelerators.as_ref().map(|a| format!("{}:{}", a.model, a.count)),
        price_usd_hour: offer.price,
        quoted: format!("{} {}", offer.quote.amount, offer.quote.unit),
        expected_usd: expected,
        firmness: offer.firmness.code().to_owned(),
        interruptible: offer.interruptible,
        age_ms: now.since(offer.seen_at).0,
        simulated: offer.simulated,
        refused,
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed => "the workload ended well and its outputs are stored".to_owned(),
        Outcome::Failed(reason) => format!("the workload failed by itself ({}); see its log", reason.code()),
        Outcome::Cancelled => "it was cancelled".to_owned(),
        Outcome::DeadlinePassed => "its deadline passed; raise waag.deadline".to_owned(),
        Outcome::BudgetSpent => "its budget is used up; raise waag.budget.max_total_usd".to_owned(),
        Outcome::NoOffers => "no admissible offer came in time; see `waag explain`".to_owned(),
        Outcome::AttemptsSpent => "too many providers were lost; raise waag.failover.attempts".to_owned(),
        Outcome::ProofFailed => {
            "its work did not pass the check and was not paid; raise waag.failover.attempts to have it done elsewhere"
                .to_owned()
        }
    }
}

fn why_unchecked(reason: Unchecked) -> &'static str {
    match reason {
        Unchecked::NotAsked => "waag.verify.method is none",
        Unchecked::NoStates => "without waag.checkpoint.path no segment can be run again alone",
        Unchecked::NothingCommitted => "its provider committed to nothing",
        Unchecked::NoNotary => "no notary is connected",
        Unchecked::NotDrawn => "it was not drawn for an audit",
        Unchecked::BudgetSpent => "its budget does not pay the validators",
        Unchecked::NotOpened => "the notary did not take the request",
    }
}

fn cautions(spec: &JobSpec, checkable: Result<(), Unchecked>) -> Vec<String> {
    let mut cautions =
        vec!["sealing does not hide data from the owner of the machine that runs the job".to_owned()];
    if let Err(reason) = checkable {
        cautions.push(format!("the result is not proven: {}", why_unchecked(reason)));
    }
    if spec.checkpoint_path.is_none() {
        cautions.push("without waag.checkpoint.path a lost provider costs all work done".to_owned());
    }
    cautions
}
