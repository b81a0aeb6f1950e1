//! Executions watched: an agent that stays silent while the control plane listens is given up, and its job goes on
//! elsewhere from the last checkpoint. `agents.rs` serves what agents say; `uploads.rs` takes what they send.

pub(crate) mod agents;
mod uploads;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{ExecutionId, ExecutionState, LeaseState, LossReason, Millis, Timestamp};
use policy::health::{Health, verdict};
use store::ExecutionRow;

use crate::context::Context;
use crate::leases::lose;
use crate::{Config, Error, Reconciler};

pub(crate) struct Executions(pub(crate) Arc<Context>);

impl Executions {
    async fn check(&self, execution: &ExecutionRow, now: Timestamp) -> Result<(), Error> {
        let config = &self.0.config;
        let (interval, misses, reason) = match execution.state {
            ExecutionState::Running => (config.heartbeat, config.heartbeat_misses, LossReason::Silent),
            _ if self.lease_is_live(execution).await? => {
                (config.connect_patience, 1, LossReason::NeverConnected)
            }
            _ => return Ok(()),
        };
        if verdict(self.silence(execution.id), interval, misses) != Health::Lost {
            return Ok(());
        }
        self.0.reached("execution.lose.before")?;
        let mut tx = self.0.store.begin().await?;
        if lose(&mut tx, execution.id, reason, now).await? {
            tx.commit().await?;
            tracing::warn!(execution = %execution.id, reason = reason.code(), "an execution is lost");
            self.0.changed();
        }
        self.0.reached("execution.lose.after")?;
        Ok(())
    }

    async fn lease_is_live(&self, execution: &ExecutionRow) -> Result<bool, Error> {
        let Some(id) = execution.lease else { return Ok(false) };
        Ok(self.0.store.lease_get(id).await?.is_some_and(|lease| lease.state == LeaseState::Live))
    }

    /// Listened time since the agent was heard. Who is watched for the first time, or after a gap, gets a full window.
    fn silence(&self, id: ExecutionId) -> Millis {
        let mut watch = self.0.watch();
        let moment = watch.listening.moment();
        let heard = *watch.heard.entry(id).or_insert(moment);
        watch.listening.since(heard).unwrap_or_else(|| {
            watch.heard.insert(id, moment);
            Millis::ZERO
        })
    }
}

#[async_trait]
impl Reconciler for Executions {
    fn name(&self) -> &'static str {
        "executions"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.0.watch().listening.tick(now);
        let open = self.0.store.execution_list_open(Config::WATCHED_MAX).await?;
        for execution in &open {
            self.check(execution, now).await?;
        }
        let ids: HashSet<ExecutionId> = open.iter().map(|x| x.id).collect();
        self.0.watch().heard.retain(|id, _| ids.contains(id));
        let every = Millis((self.0.config.heartbeat.0 / 3).max(1));
        Ok((!open.is_empty()).then_some(now + every))
    }
}
