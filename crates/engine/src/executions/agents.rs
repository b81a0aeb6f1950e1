//! What agents say, and what they are told. The control plane never dials an agent: orders are answers.

use custody::{PublicKey, token_hash, wrap};
use domain::{
    EndReason, ExecutionEvent, ExecutionState, FailReason, JobEvent, JobId, LeaseState, LossReason, Outcome,
};
use store::{
    DelegationRow, ExecutionChange, ExecutionRow, JobChange, JobRow, LeaseRow, LogAppend, ObjectKind,
    ObjectRow,
};
use wire::agent::{
    Finish, FinishResult, Heartbeat, Hello, LOG_CHUNK_BYTES_MAX, Orders, PROTOCOL, SandboxKind, SealedRef,
    WRAP_INFO, Welcome, hex_of,
};

use crate::jobs::{end, release};
use crate::leases::lose;
use crate::{AgentRefusal, Engine, Error};

/// Where the next piece of log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogsStored {
    /// Offset in the execution's log.
    pub next_offset: u64,
}

impl Engine {
    /// The open execution of the agent that holds this token.
    pub(crate) async fn agent(&self, token: &str) -> Result<ExecutionRow, AgentRefusal> {
        let row = self
            .context
            .store
            .execution_get_by_token(&token_hash(token))
            .await?
            .ok_or(AgentRefusal::Unknown)?;
        if row.state.is_open() { Ok(row) } else { Err(AgentRefusal::Ended) }
    }

    /// An agent introduces itself. The first instance that does holds the execution; repeating it is answered again.
    ///
    /// # Errors
    /// `NotYet` until the lease is confirmed and its provider admitted: no key leaves before that.
    pub async fn agent_hello(&self, token: &str, hello: &Hello) -> Result<Welcome, AgentRefusal> {
        if hello.protocol != PROTOCOL {
            return Err(AgentRefusal::Malformed("this control plane speaks agent protocol 1"));
        }
        let instance: PublicKey = hello
            .instance_key
            .parse()
            .map_err(|_| AgentRefusal::Malformed("instance_key is not a public key"))?;
        let execution = match &hello.introduction {
            Some(introduction) => self.admit(token, hello, introduction).await?,
            None => self.agent(token).await?,
        };
        if execution.instance_key.as_ref().is_some_and(|key| *key != hello.instance_key) {
            return Err(AgentRefusal::OtherInstance);
        }
        self.lease_must_be_live(&execution).await?;
        let job = self.context.job(execution.job).await?;
        let welcome = self.welcome(&execution, &job, &instance, hello).await?;
        if execution.state == ExecutionState::Starting {
            self.connect(&execution, &job, hello).await?;
        }
        self.heard(&execution);
        Ok(welcome)
    }

    pub(super) async fn lease_must_be_live(
        &self,
        execution: &ExecutionRow,
    ) -> Result<LeaseRow, AgentRefusal> {
        let Some(id) = execution.lease else { return Err(AgentRefusal::NotYet) };
        match self.context.store.lease_get(id).await? {
            Some(lease) if lease.state == LeaseState::Live => Ok(lease),
            Some(lease) if matches!(lease.state, LeaseState::Ending(_) | LeaseState::Ended(_)) => {
                Err(AgentRefusal::Ended)
            }
            _ => {
                // The agent is there before we have seen it: look at the network now.
                let mut tx = self.context.store.begin().await?;
                tx.lease_wake(id, self.context.now()).await?;
                tx.commit().await?;
                self.context.changed();
                Err(AgentRefusal::NotYet)
            }
        }
    }

    async fn connect(
        &self,
        execution: &ExecutionRow,
        job: &JobRow,
        hello: &Hello,
    ) -> Result<(), AgentRefusal> {
        let now = self.context.now();
        let sandbox = match hello.sandbox {
            SandboxKind::Namespaces => "namespaces",
            SandboxKind::Landlock => "landlock",
        };
        self.context.reached("execution.connect.before")?;
        let mut tx = self.context.store.begin().await?;
        let change = ExecutionChange {
            event: Some(ExecutionEvent::Connect),
            instance: Some((hello.instance_key.clone(), sandbox.to_owned())),
            ..ExecutionChange::default()
        };
        if !tx.execution_change(execution, change, now).await? {
            return Err(AgentRefusal::NotYet);
        }
        let started = JobChange { event: Some(JobEvent::Started), ..JobChange::default() };
        if !tx.job_change(job, started, now).await? {
            return Err(AgentRefusal::NotYet);
        }
        if let (Some(agent), Some(lease)) = (&hello.agent, execution.lease) {
            let row = DelegationRow { agent: agent.clone(), signature: Vec::new() };
            tx.delegation_insert(lease, &row).await?;
        }
        let body = format!("{{\"sandbox\":\"{sandbox}\"}}");
        tx.outbox_add(now, "execution.connected", &execution.id.to_string(), &body).await?;
        tx.commit().await?;
        self.context.reached("execution.connect.after")?;
        self.context.changed();
        Ok(())
    }

    /// Keys are re-wrapped from the customer's key to this instance, each for one object.
    async fn welcome(
        &self,
        execution: &ExecutionRow,
        job: &JobRow,
        instance: &PublicKey,
        hello: &Hello,
    ) -> Result<Welcome, AgentRefusal> {
        let store = &self.context.store;
        let bundle = store.object_get(job.bundle).await?.ok_or_else(|| missing("bundle", job.id))?;
        let inputs = match job.inputs {
            Some(id) => Some(store.object_get(id).await?.ok_or_else(|| missing("inputs", job.id))?),
            None => None,
        };
        let checkpoint = match execution.from_segment {
            0 => None,
            segment => Some(
                store
                    .object_checkpoint(job.id, segment)
                    .await?
                    .ok_or_else(|| missing("checkpoint", job.id))?,
            ),
        };
        let config = &self.context.config;
        Ok(Welcome {
            bundle: self.sealed_ref(&bundle, instance)?,
            inputs: inputs.map(|row| self.sealed_ref(&row, instance)).transpose()?,
            checkpoint: checkpoint.map(|row| self.sealed_ref(&row, instance)).transpose()?,
            from_segment: execution.from_segment,
            segments: job.segments,
            customer_key: self.context.keys.customer().public().to_string(),
            heartbeat_ms: config.heartbeat.0,
            give_up_ms: config.give_up.0,
            log_bytes_max: config.log_bytes_max,
            upload_bytes_max: config.upload_bytes_max,
            job_terms: hex_of(&evidence::job_terms(job.id, &job.spec)),
            job_hash: hex_of(&crate::jobs::hash_of(job)),
            subject: self.own_subject(execution, job, hello).await?,
        })
    }

    /// What an agent signs for that speaks for itself.
    async fn own_subject(
        &self,
        execution: &ExecutionRow,
        job: &JobRow,
        hello: &Hello,
    ) -> Result<Option<wire::agent::Subject>, AgentRefusal> {
        if hello.agent.is_none() || self.context.checkable(job)?.is_err() {
            return Ok(None);
        }
        let lease = match execution.lease {
            Some(id) => self.context.store.lease_get(id).await?,
            None => None,
        };
        let lease = lease.ok_or(AgentRefusal::NotYet)?;
        let subject = self.subject(&lease).await?;
        Ok(subject.map(|subject| wire::agent::Subject {
            domain: hex_of(&subject.domain),
            lease: hex_of(&subject.lease),
        }))
    }

    pub(crate) fn sealed_ref(&self, row: &ObjectRow, instance: &PublicKey) -> Result<SealedRef, Error> {
        let key = self.data_key(row)?;
        let wrapped = wrap(&key, instance, WRAP_INFO, &*self.context.entropy)?;
        Ok(SealedRef { object: row.id, context: row.context.clone(), wrapped_key: hex::encode(wrapped) })
    }

    pub(crate) fn data_key(&self, row: &ObjectRow) -> Result<custody::DataKey, Error> {
        let wrapped = hex::decode(&row.wrapped_key).map_err(|_| custody::WrapError::Unwrap)?;
        Ok(self.context.keys.customer().unwrap_key(&wrapped, WRAP_INFO)?)
    }

    /// A sign of life; the answer is the order.
    ///
    /// # Errors
    /// `Ended` tells the agent to stop and remove everything.
    pub async fn agent_heartbeat(&self, token: &str, _beat: &Heartbeat) -> Result<Orders, AgentRefusal> {
        let execution = self.agent(token).await?;
        self.heard(&execution);
        Ok(if execution.stop { Orders::StopAtCheckpoint } else { Orders::Continue })
    }

    /// A piece of the workload's log.
    ///
    /// # Errors
    /// `LogGap` names the offset to go on from.
    pub async fn agent_logs(
        &self,
        token: &str,
        offset: u64,
        bytes: &[u8],
    ) -> Result<LogsStored, AgentRefusal> {
        if bytes.len() > LOG_CHUNK_BYTES_MAX {
            return Err(AgentRefusal::TooLarge { max: LOG_CHUNK_BYTES_MAX as u64 });
        }
        let execution = self.agent(token).await?;
        self.heard(&execution);
        let mut tx = self.context.store.begin().await?;
        match tx.log_append(execution.id, offset, bytes, self.context.config.log_bytes_max).await? {
            LogAppend::Stored { next_offset } => {
                tx.commit().await?;
                Ok(LogsStored { next_offset })
            }
            LogAppend::Gap { next_offset } => Err(AgentRefusal::LogGap { next_offset }),
        }
    }

    /// The workload ended, or the agent cannot go on.
    ///
    /// # Errors
    /// `Ended` when it was over already, which is what a repeated finish is told.
    pub async fn agent_finish(&self, token: &str, finish: &Finish) -> Result<Orders, AgentRefusal> {
        let execution = self.agent(token).await?;
        let job = self.context.job(execution.job).await?;
        let (event, outcome) = match &finish.result {
            FinishResult::GaveUp { why } => return self.gave_up(&execution, why).await,
            FinishResult::Completed => (ExecutionEvent::Complete, Outcome::Completed),
            // Only a budget that runs out makes us order a stop.
            FinishResult::Stopped if execution.stop => (ExecutionEvent::Cancel, Outcome::BudgetSpent),
            FinishResult::Stopped => return self.gave_up(&execution, "it stopped without an order").await,
            FinishResult::Failed { reason } => {
                let reason = FailReason::from_code(reason)
                    .ok_or(AgentRefusal::Malformed("reason is not a known failure code"))?;
                (ExecutionEvent::Fail(reason), Outcome::Failed(reason))
            }
        };
        let outputs = self.outputs_of(&execution, &job, &outcome).await?;
        let now = self.context.now();
        self.context.reached("execution.finish.before")?;
        let mut tx = self.context.store.begin().await?;
        let change = ExecutionChange { event: Some(event), ..ExecutionChange::default() };
        if !tx.execution_change(&execution, change, now).await? {
            return Err(AgentRefusal::NotYet);
        }
        let body = format!("{{\"outcome\":\"{}\"}}", outcome.code());
        tx.outbox_add(now, "execution.ended", &execution.id.to_string(), &body).await?;
        if let Some(lease) = execution.lease {
            release(&mut tx, lease, EndReason::Finished, now).await?;
        }
        let job = JobRow { outputs: outputs.or(job.outputs), ..job };
        if job.state.is_open() && !end(&mut tx, &job, outcome, now).await? {
            return Err(AgentRefusal::NotYet);
        }
        tx.commit().await?;
        self.context.reached("execution.finish.after")?;
        self.context.changed();
        Ok(Orders::Stop)
    }

    async fn gave_up(&self, execution: &ExecutionRow, why: &str) -> Result<Orders, AgentRefusal> {
        tracing::warn!(execution = %execution.id, why, "an agent gave up");
        self.context.reached("execution.lose.before")?;
        let mut tx = self.context.store.begin().await?;
        lose(&mut tx, execution.id, LossReason::AgentGaveUp, self.context.now()).await?;
        tx.commit().await?;
        self.context.reached("execution.lose.after")?;
        self.context.changed();
        Ok(Orders::Stop)
    }

    async fn outputs_of(
        &self,
        execution: &ExecutionRow,
        job: &JobRow,
        outcome: &Outcome,
    ) -> Result<Option<domain::ObjectId>, AgentRefusal> {
        if *outcome != Outcome::Completed {
            return Ok(None);
        }
        let objects = self.context.store.object_list(job.id).await?;
        let ours = |o: &&ObjectRow| o.kind == ObjectKind::Outputs && o.execution == Some(execution.id);
        let outputs = objects.iter().rfind(ours).map(|o| o.id);
        let spec = crate::context::Context::spec(job)?;
        if spec.outputs_path.is_some() && outputs.is_none() {
            return Err(AgentRefusal::Malformed("the job has outputs, and none were uploaded"));
        }
        Ok(outputs)
    }

    pub(crate) fn heard(&self, execution: &ExecutionRow) {
        let mut watch = self.context.watch();
        let moment = watch.listening.moment();
        watch.heard.insert(execution.id, moment);
    }
}

fn missing(what: &'static str, job: JobId) -> AgentRefusal {
    AgentRefusal::Engine(Error::Missing { what, of: job.to_string() })
}
