//! What every step may touch: the newcomer's list of all side effects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use custody::Keystore;
use domain::{Clock, Entropy, ExecutionId, Interrupted, JobId, JobSpec, Millis, Probe, Timestamp, Unchecked};
use market::Registry;
use policy::health::{Listening, Moment};
use store::{JobRow, Store};
use tokio::sync::watch;

use crate::offers::Catalogue;
use crate::placements::Brokers;
use crate::proofs::Openings;
use crate::{Config, Error};

/// The parts of an engine.
pub struct Parts {
    /// The data store.
    pub store: Store,
    /// The connected networks.
    pub registry: Registry,
    /// The control plane's keys.
    pub keys: Arc<Keystore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Told of every named point.
    pub probe: Arc<dyn Probe>,
    /// Settings.
    pub config: Config,
    /// Base URL of the agent API, as agents reach it.
    pub agent_url: String,
}

pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) keys: Arc<Keystore>,
    clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    probe: Arc<dyn Probe>,
    pub(crate) config: Config,
    pub(crate) agent_url: String,
    catalogue: Mutex<Catalogue>,
    brokers: Mutex<Brokers>,
    watch: Mutex<Watch>,
    openings: Mutex<Openings>,
    changes: watch::Sender<u64>,
    #[cfg(feature = "planted")]
    pub(crate) planted: Option<crate::Planted>,
}

/// Who was heard when, in listened time.
pub(crate) struct Watch {
    pub(crate) listening: Listening,
    pub(crate) heard: HashMap<ExecutionId, Moment>,
}

impl Context {
    pub(crate) fn new(parts: Parts) -> Self {
        let gap_max = parts.config.heartbeat.times(2);
        Self {
            store: parts.store,
            registry: parts.registry,
            keys: parts.keys,
            clock: parts.clock,
            entropy: parts.entropy,
            probe: parts.probe,
            agent_url: parts.agent_url,
            config: parts.config,
            catalogue: Mutex::new(Catalogue::default()),
            brokers: Mutex::new(Brokers::default()),
            watch: Mutex::new(Watch { listening: Listening::new(gap_max), heard: HashMap::new() }),
            openings: Mutex::new(Openings::default()),
            changes: watch::Sender::new(0),
            #[cfg(feature = "planted")]
            planted: None,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn reached(&self, point: &'static str) -> Result<(), Interrupted> {
        self.probe.reached(point)
    }

    // A panic while one of these is held leaves whole values behind, so a poisoned lock is as good as any.
    pub(crate) fn catalogue(&self) -> MutexGuard<'_, Catalogue> {
        self.catalogue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn brokers(&self) -> MutexGuard<'_, Brokers> {
        self.brokers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn openings(&self) -> MutexGuard<'_, Openings> {
        self.openings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was committed that other steps may be waiting for.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The wait after `tries` failures in a row: doubling from `backoff` up to `backoff_max`.
    pub(crate) fn backoff(&self, tries: u32) -> Millis {
        let factor = 1u64 << tries.min(16);
        self.config.backoff.times(factor).min(self.config.backoff_max)
    }

    pub(crate) fn spec(job: &JobRow) -> Result<JobSpec, Error> {
        wire::jobfile::parse(job.spec.as_bytes(), "stored spec")
            .map(|file| file.spec)
            .map_err(|source| Error::Spec { job: job.id, source: Box::new(source) })
    }

    /// Whether the work of a job can be checked.
    pub(crate) fn checkable(&self, job: &JobRow) -> Result<Result<(), Unchecked>, Error> {
        let notary = self.registry.notary().is_some();
        Ok(policy::proof::checkable(&Self::spec(job)?, notary))
    }

    pub(crate) async fn job(&self, id: JobId) -> Result<JobRow, Error> {
        self.store.job_get(id).await?.ok_or_else(|| Error::Missing { what: "job", of: id.to_string() })
    }
}
