//! Taking a job: parse, decide, seal its bundle, and put it in place with its hold in one transaction.

use std::collections::BTreeMap;

use custody::{DataKey, Digest, digest, seal_bytes, wrap};
use domain::{
    HoldId, JobId, JobSpec, JobState, NetworkName, ObjectId, PlacementCause, PlacementId, Refusal, Timestamp,
    Usd,
};
use policy::admission::{self, AdmissionRefusal, Limits};
use policy::objective::Knowledge;
use policy::placement::{self, Situation, Tenure, place};
use store::{JobRow, ObjectKind, ObjectRow};
use wire::agent::{Bundle, WRAP_INFO, hex_of};
use wire::audit::committed;

use crate::audit::job_secret;
use crate::{Engine, Error, SubmitError};

/// A job to be taken.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// The job file.
    pub file: Vec<u8>,
    /// Its name, for messages.
    pub file_name: String,
    /// Values of secrets.
    pub secrets: BTreeMap<String, String>,
    /// Uploaded inputs.
    pub inputs: Option<ObjectId>,
    /// The caller's idempotency key.
    pub key: Option<String>,
}

/// A taken job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// Its id.
    pub job: JobId,
    /// Whether the key named a job that was there already.
    pub existing: bool,
}

impl Engine {
    /// Takes a job, or says why not. Repeating it with the same key gives the same job.
    ///
    /// # Errors
    /// Nothing was taken and nothing is held.
    pub async fn job_submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let file = wire::jobfile::parse(&submission.file, &submission.file_name)
            .map_err(|source| SubmitError::File(Box::new(source)))?;
        let secrets = secrets(&file, submission.secrets)?;
        let spec = file.spec;
        let text = wire::jobfile::print(&spec);
        let request_digest = request_digest(&text, &secrets, submission.inputs);
        if let Some(existing) = self.existing(submission.key.as_deref(), &request_digest).await? {
            return Ok(existing);
        }
        let account = self.context.config.account;
        let available = self.context.store.account_get(account).await?.map_or(Usd::ZERO, |a| a.available);
        let limits = Limits { levels: self.context.config.levels.clone() };
        let admission = admission::admit(&spec, available, &limits).map_err(SubmitError::Refused)?;
        let now = self.context.now();
        admission::in_time(&spec, now).map_err(SubmitError::Refused)?;
        self.check_offers(&spec, now)?;
        let deadline_at = spec.deadline_at(now);

        let job = JobId::mint(&*self.context.entropy);
        let inputs = self.content_of(submission.inputs).await?;
        let (bundle, content) = self.store_bundle(job, &spec, secrets, inputs, now).await?;
        let row = JobRow {
            id: job,
            key: submission.key,
            request_digest: request_digest.clone(),
            account,
            name: spec.name.to_string(),
            spec: text,
            state: JobState::Waiting,
            generation: 0,
            submitted_at: now,
            deadline_at,
            ended_at: None,
            due_at: deadline_at,
            plan_at: Some(spec.window.opens(now)),
            attempts: 0,
            current: None,
            segments: spec.verify.segments,
            segments_done: 0,
            hold: HoldId::mint(&*self.context.entropy),
            bundle: bundle.id,
            bundle_content: content,
            inputs: submission.inputs,
            outputs: None,
            waiting_for: None,
            waiting_since: None,
        };
        self.context.reached("job.admit.before")?;
        let stored = self.store_job(&row, &bundle, admission.hold, now).await?;
        if !matches!(stored, Stored::New) {
            self.context.store.objects().remove(bundle.id).await?;
        }
        match stored {
            Stored::New => {}
            Stored::Known(job) => return same_request(&job, &request_digest),
            Stored::NoInputs => return Err(SubmitError::InputsMissing),
            Stored::NoMoney => {
                let account = self.context.store.account_get(account).await?;
                return Err(SubmitError::Refused(AdmissionRefusal::BudgetExceedsAccount {
                    asked: admission.hold,
                    available: account.map_or(Usd::ZERO, |a| a.available),
                }));
            }
        }
        self.context.reached("job.admit.after")?;
        self.context.changed();
        Ok(Submitted { job, existing: false })
    }

    async fn existing(
        &self,
        key: Option<&str>,
        request_digest: &str,
    ) -> Result<Option<Submitted>, SubmitError> {
        let Some(key) = key else { return Ok(None) };
        let job = self.context.store.job_get_by_key(key).await?;
        job.map(|job| same_request(&job, request_digest)).transpose()
    }

    /// Refuses a job that no known offer fits for reasons that waiting does not mend.
    fn check_offers(&self, spec: &JobSpec, now: Timestamp) -> Result<(), SubmitError> {
        let (offers, knowledge) = {
            let catalogue = self.context.catalogue();
            (catalogue.all(), catalogue.knowledge())
        };
        let covers = self.context.covers(spec);
        let situation = self.situation_of_new(JobId::from_bytes([0; 10]), spec, &covers, &knowledge, now);
        let (plan, refused) = place(PlacementId::from_bytes([0; 10]), &situation, &offers, 0);
        let may_pass = |refusal| matches!(refusal, Refusal::Stale | Refusal::Stock | Refusal::PriceUnknown);
        if offers.is_empty() || plan.admissible > 0 || refused.iter().any(|r| may_pass(r.refusal)) {
            return Ok(());
        }
        Err(SubmitError::NoAdmissibleOffer(plan.refused.into_iter().collect()))
    }

    pub(crate) fn situation_of_new<'a>(
        &self,
        job: JobId,
        spec: &'a JobSpec,
        covers: &'a BTreeMap<NetworkName, u32>,
        knowledge: &'a Knowledge,
        now: Timestamp,
    ) -> Situation<'a> {
        // As if its window opened now: which offers there will be then, nobody knows.
        let time = spec.deadline_at(now).since(spec.window.opens(now));
        Situation {
            job,
            spec,
            now,
            deadline_at: now + time,
            budget_left: spec.budget.max_total,
            segments_done: 0,
            expected_run: spec
                .expected_run
                .unwrap_or_else(|| placement::unmeasured(self.context.config.assumed_run, time)),
            attempt: 1,
            parent: None,
            cause: PlacementCause::First,
            lost: &[],
            refused_recently: &[],
            covers,
            verification_bps: self.context.verification_bps(spec),
            knowledge,
            tenure: Tenure::Any,
            failover: false,
            stale_after: self.context.config.offers_stale,
            release_margin: self.context.config.release_margin,
        }
    }

    /// BLAKE3 of uploaded inputs.
    async fn content_of(&self, inputs: Option<ObjectId>) -> Result<Option<[u8; 32]>, SubmitError> {
        let Some(id) = inputs else { return Ok(None) };
        let row = self.context.store.object_get(id).await?;
        row.and_then(|row| row.content).map(Some).ok_or(SubmitError::InputsMissing)
    }

    /// The bundle's row, and the BLAKE3 of what is sealed there.
    async fn store_bundle(
        &self,
        job: JobId,
        spec: &JobSpec,
        secrets: BTreeMap<String, String>,
        inputs: Option<[u8; 32]>,
        now: Timestamp,
    ) -> Result<(ObjectRow, [u8; 32]), Error> {
        let context = &self.context;
        let mut salt = [0; 32];
        context.entropy.fill(&mut salt);
        let bundle = Bundle {
            inputs: inputs.map(|content| hex_of(&content)),
            salt: hex::encode(salt),
            ..bundle(spec, secrets, context.config.default_memory_mib, context.config.default_disk_mib)
        };
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&bundle).map_err(std::io::Error::from)?);
        let content = evidence::content_digest(&plain);
        let id = ObjectId::mint(&*context.entropy);
        let (key, aad) = (DataKey::mint(&*context.entropy), format!("bundle|{id}"));
        let sealed = seal_bytes(&plain, &key, aad.as_bytes(), &*context.entropy)?;
        let wrapped = wrap(&key, &context.keys.customer().public(), WRAP_INFO, &*context.entropy)?;
        let row = ObjectRow {
            id,
            job: Some(job),
            kind: ObjectKind::Bundle,
            execution: None,
            segment: None,
            context: aad,
            wrapped_key: hex::encode(wrapped),
            digest: digest(&sealed),
            content: Some(content),
            bytes: sealed.len() as u64,
            created_at: now,
        };
        context.store.objects().put(id, sealed).await?;
        Ok((row, content))
    }

    /// Everything or nothing; of two requests with one key the second finds the first.
    async fn store_job(
        &self,
        row: &JobRow,
        bundle: &ObjectRow,
        hold: Usd,
        now: Timestamp,
    ) -> Result<Stored, SubmitError> {
        let mut tx = self.context.store.begin().await?;
        if let Some(key) = row.key.as_deref()
            && let Some(job) = tx.job_get_by_key_in_txn(key).await?
        {
            return Ok(Stored::Known(Box::new(job)));
        }
        if tx.hold_for_job(row.hold, row.account, row.id, hold, now).await?.is_err() {
            return Ok(Stored::NoMoney);
        }
        tx.job_insert(row).await?;
        tx.object_insert(bundle).await?;
        if let Some(inputs) = row.inputs
            && !tx.object_claim(inputs, row.id).await?
        {
            return Ok(Stored::NoInputs);
        }
        let secret = job_secret(&*self.context.entropy);
        tx.secret_insert(row.id, &secret).await?;
        let (kind, subject) = ("job.admitted", row.id.to_string());
        let spec = committed(&secret, kind, &subject, "spec", &row.spec);
        let segments = row.segments;
        let body = format!("{{\"spec\":\"{spec}\",\"hold_usd\":\"{hold}\",\"segments\":{segments}}}");
        tx.outbox_add(now, kind, &subject, &body).await?;
        tx.commit().await?;
        Ok(Stored::New)
    }
}

/// What came of putting a job in place; all but `New` left no trace in the database.
enum Stored {
    New,
    /// Its key has a job already.
    Known(Box<JobRow>),
    NoMoney,
    NoInputs,
}

fn same_request(job: &JobRow, request_digest: &str) -> Result<Submitted, SubmitError> {
    if job.request_digest == request_digest {
        Ok(Submitted { job: job.id, existing: true })
    } else {
        Err(SubmitError::KeyReused(job.id))
    }
}

fn secrets(
    file: &wire::jobfile::JobFile,
    mut given: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, SubmitError> {
    let mut values = BTreeMap::new();
    for (name, inline) in &file.secrets {
        let value = given.remove(name).or_else(|| inline.clone());
        values.insert(name.clone(), value.ok_or_else(|| SubmitError::SecretMissing(name.clone()))?);
    }
    match given.into_keys().next() {
        Some(name) => Err(SubmitError::SecretUnknown(name)),
        None => Ok(values),
    }
}

fn request_digest(spec: &str, secrets: &BTreeMap<String, String>, inputs: Option<ObjectId>) -> String {
    let mut digest = Digest::default();
    let parts = [spec.to_owned(), format!("{secrets:?}"), format!("{inputs:?}")];
    for part in parts {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finish()
}

fn bundle(spec: &JobSpec, secrets: BTreeMap<String, String>, memory_mib: u64, disk_mib: u64) -> Bundle {
    let mut env = spec.envs.clone();
    env.extend(secrets);
    let least = |need: Option<domain::Need>| need.map(domain::Need::least);
    Bundle {
        setup: spec.setup.clone(),
        run: spec.run.clone(),
        env,
        workdir: spec.workdir.is_some(),
        mounts: spec.file_mounts.iter().map(|mount| mount.inside.clone()).collect(),
        checkpoint_path: spec.checkpoint_path.clone(),
        outputs_path: spec.outputs_path.clone(),
        network: spec.network,
        cpus_milli: least(spec.resources.cpus_milli).and_then(|n| u32::try_from(n).ok()).unwrap_or(1000),
        memory_mib: least(spec.resources.memory_mib).unwrap_or(memory_mib),
        disk_mib: spec.resources.disk_mib.unwrap_or(disk_mib),
        accelerators: spec.resources.accelerators.as_ref().map_or(0, |wanted| wanted.count),
        segments: spec.verify.segments,
        inputs: None,
        salt: String::new(),
    }
}
