//! Executions watched: an agent that stays silent while the control plane listens is given up, and its job goes on
//! elsewhere from the last checkpoint. `agents.rs` serves what agents say; `uploads.rs` takes what they send;
//! `introductions.rs` admits those whose provider speaks for them.

mod acknowledge;
pub(crate) mod agents;
mod introductions;
mod uploads;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::{ExecutionId, ExecutionState, LeaseState, LossReason, Millis, Offer, Timestamp};
use policy::health::{Health, connect_window, verdict};
use store::ExecutionRow;
use wire::doc;

use crate::context::Context;
use crate::leases::lose;
use crate::pace::Pace;
use crate::{Config, Error, Reconciler};

pub(crate) struct Executions(Arc<Context>, Mutex<Pace>);

impl Executions {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self(context, Mutex::default())
    }

    async fn check(&self, execution: &ExecutionRow, now: Timestamp) -> Result<(), Error> {
        let config = &self.0.config;
        let (interval, misses, reason) = match execution.state {
            ExecutionState::Running => (config.heartbeat, config.heartbeat_misses, LossReason::Silent),
            _ => match self.live_offer(execution).await? {
                Some(offer) => {
                    let window = connect_window(offer.startup, config.connect_patience);
                    (window, 1, LossReason::NeverConnected)
                }
                None => return Ok(()),
            },
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

    /// What was bought for the execution, once it is ours.
    async fn live_offer(&self, execution: &ExecutionRow) -> Result<Option<Offer>, Error> {
        let Some(id) = execution.lease else { return Ok(None) };
        let lease = self.0.store.lease_get(id).await?.filter(|lease| lease.state == LeaseState::Live);
        Ok(lease.map(|lease| doc::offer_from_text(&lease.offer)).transpose()?)
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
        let every = Millis((self.0.config.heartbeat.0 / 3).max(1));
        // A change elsewhere is no reason to look earlier, as silence only grows with time.
        let ahead = self.1.lock().unwrap_or_else(PoisonError::into_inner).turn(now, every);
        if ahead.is_some() {
            return Ok(ahead);
        }
        self.0.watch().listening.tick(now);
        let open = self.0.store.execution_list_open(Config::WATCHED_MAX).await?;
        for execution in &open {
            self.check(execution, now).await?;
        }
        let ids: HashSet<ExecutionId> = open.iter().map(|x| x.id).collect();
        self.0.watch().heard.retain(|id, _| ids.contains(id));
        Ok((!open.is_empty()).then_some(now + every))
    }
}
