//! What a simulated control plane stands on, beside clock and keys: a trap at the named points, and a line to each
//! network that watches what is sent.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::{Clock, Interrupted, JobId, Label, Millis, NetworkName, Offer, Probe};
use market::sim::{RecordedZone, Recording, SimConfig, SimNetwork, StateFile, Truth};
use market::{
    Balance, Capability, Error, ErrorKind, Intent, Listed, Machine, MemoryMachine, Network, Observation,
    Operation, RetryStatus, Terms,
};
use store::Store;
use waag_engine::Engine;

use crate::chance::Dice;
pub(crate) use crate::stand::{SimTime, died, keys, lock, wrapped_key};

/// Something done to the control plane while it stands at a point.
pub(crate) type Meddling = Box<dyn FnOnce() + Send>;

/// Where the control plane dies, or is overtaken.
#[derive(Default)]
pub(crate) struct Trap(Mutex<TrapState>);

#[derive(Default)]
struct TrapState {
    armed: Option<(&'static str, u32)>,
    dead: bool,
    meddle: Option<(&'static str, u32, Meddling)>,
    /// How often each point was reached, and how often the control plane died there.
    reached: BTreeMap<&'static str, (u64, u64)>,
}

impl Trap {
    /// From now on the control plane dies the `nth` time it reaches the point, counted from 1.
    pub(crate) fn arm(&self, point: &'static str, nth: u32) {
        lock(&self.0).armed = Some((point, nth));
    }

    /// The `nth` time the point is reached, this is done before anything goes on.
    pub(crate) fn meddle(&self, point: &'static str, nth: u32, meddling: Meddling) {
        lock(&self.0).meddle = Some((point, nth, meddling));
    }

    /// It is started again.
    pub(crate) fn revive(&self) {
        let mut state = lock(&self.0);
        (state.armed, state.dead) = (None, false);
    }

    pub(crate) fn reached_points(&self) -> BTreeMap<&'static str, (u64, u64)> {
        lock(&self.0).reached.clone()
    }
}

impl Probe for Trap {
    fn reached(&self, point: &'static str) -> Result<(), Interrupted> {
        let due = |at: &'static str, nth: &mut u32| {
            *nth -= u32::from(at == point);
            *nth == 0
        };
        let mut state = lock(&self.0);
        state.reached.entry(point).or_default().0 += 1;
        if let Some((_, _, meddling)) = state.meddle.take_if(|(at, nth, _)| due(at, nth)) {
            drop(state);
            meddling();
            state = lock(&self.0);
        }
        if state.armed.take_if(|(at, nth)| due(at, nth)).is_some() {
            state.dead = true;
            state.reached.entry(point).or_default().1 += 1;
        }
        if state.dead { Err(Interrupted { point }) } else { Ok(()) }
    }
}

/// Builds one kind of network.
pub(crate) type Build = fn(
    SimConfig,
    Arc<dyn Clock>,
    Arc<dyn Machine>,
    &StateFile,
) -> Result<SimNetwork, market::sim::StateError>;

/// Spare machines of two zones, taken away every few minutes.
pub(crate) fn spare(
    config: SimConfig,
    clock: Arc<dyn Clock>,
    machine: Arc<dyn Machine>,
    state: &StateFile,
) -> Result<SimNetwork, market::sim::StateError> {
    let zone = |name: &str, runs: &[(u32, u32)]| RecordedZone {
        name: name.to_owned(),
        region: "EU-DE".parse().ok(),
        accelerators: None,
        tick: Millis(10_000),
        runs: runs.to_vec(),
    };
    let zones = vec![zone("a", &[(9, 1), (2, 0), (30, 3), (5, 0)]), zone("b", &[(20, 2), (13, 0)])];
    let recording = Recording::new(zones, 1).unwrap();
    SimNetwork::spot(config, Arc::new(recording), clock, machine, state)
}

/// A network with all that it is built again from.
pub(crate) struct Site {
    build: Build,
    config: SimConfig,
    state: StateFile,
    pub(crate) network: Arc<SimNetwork>,
}

impl Site {
    pub(crate) fn open(
        build: Build,
        config: SimConfig,
        time: &Arc<SimTime>,
        machine: &Arc<MemoryMachine>,
    ) -> Self {
        let state = StateFile::memory();
        let network = build(config.clone(), time.clone(), machine.clone(), &state).unwrap();
        Self { build, config, state, network: Arc::new(network) }
    }

    /// The network's own process ends and is started again.
    pub(crate) fn restart(&mut self, time: &Arc<SimTime>, machine: &Arc<MemoryMachine>) {
        let network = (self.build)(self.config.clone(), time.clone(), machine.clone(), &self.state);
        self.network = Arc::new(network.unwrap());
    }

    pub(crate) fn name(&self) -> &NetworkName {
        &self.config.name
    }

    pub(crate) async fn truth(&self) -> Vec<Truth> {
        self.network.truth().await
    }
}

/// What the line does to the next call of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It does not arrive.
    Before,
    /// It arrives, and its reply is lost.
    After,
}

/// What all lines share.
#[derive(Default)]
pub(crate) struct Wire {
    /// Which call of an operation is cut, counted from 1.
    pub(crate) cut: Mutex<Option<(Operation, u32, Cut)>>,
    /// How often each operation was called.
    pub(crate) calls: Mutex<HashMap<Operation, u32>>,
    /// What was sent that must not have been.
    pub(crate) wrong: Mutex<Vec<String>>,
    /// Networks that do not answer until then, in real time.
    pub(crate) out: Mutex<BTreeMap<NetworkName, i64>>,
    /// Networks have forgotten everything.
    pub(crate) forgotten: AtomicBool,
    /// In so many of a hundred looks at a live lease its status goes back.
    pub(crate) lies: AtomicU64,
    /// A job that its user cancels while the next call is under way, and by whom it is told.
    pub(crate) cancel: Mutex<Option<(JobId, Engine)>>,
}

/// The control plane's line to a network. It looks over the shoulder of every purchase: hold and intent must be stored.
pub(crate) struct Line {
    pub(crate) network: Arc<SimNetwork>,
    pub(crate) store: Store,
    pub(crate) wire: Arc<Wire>,
    pub(crate) time: Arc<SimTime>,
}

impl Line {
    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let number = {
            let mut calls = lock(&self.wire.calls);
            let number = calls.entry(operation).or_default();
            *number += 1;
            *number
        };
        let out = lock(&self.wire.out).get(self.name()).is_some_and(|until| self.time.real() < *until);
        let cut = match *lock(&self.wire.cut) {
            _ if out => Some(Cut::Before),
            Some((at, nth, cut)) if at == operation && nth == number => Some(cut),
            _ => None,
        };
        let cancel = lock(&self.wire.cancel).take();
        if let Some((job, engine)) = cancel {
            engine.job_cancel(job).await.unwrap();
        }
        let answer = if cut == Some(Cut::Before) { None } else { Some(call.await) };
        let status = match operation {
            Operation::Submit | Operation::Extend | Operation::Release => RetryStatus::UnknownOutcome,
            _ => RetryStatus::Temporary,
        };
        let lost = || {
            Err(Error::new(
                self.network.name(),
                operation,
                ErrorKind::Unavailable,
                status,
                "the line was cut",
            ))
        };
        answer.filter(|_| cut.is_none()).unwrap_or_else(lost)
    }

    async fn look_at(&self, label: &Label) {
        let lease = match label.lease() {
            Some(id) => self.store.lease_get(id).await.unwrap(),
            None => None,
        };
        let held = match &lease {
            Some(lease) => self.store.hold_get(lease.hold).await.unwrap().is_some_and(|hold| hold.open),
            None => false,
        };
        if !held {
            lock(&self.wire.wrong).push(format!("{label} was bought before its hold and intent were stored"));
        }
    }
}

#[async_trait]
impl Network for Line {
    fn name(&self) -> &NetworkName {
        self.network.name()
    }

    fn capability(&self) -> Capability {
        self.network.capability()
    }

    async fn offers(&self) -> Result<Vec<Offer>, Error> {
        self.call(Operation::Offers, self.network.offers()).await
    }

    async fn prepare(&self, offer: &Offer, terms: &Terms) -> Result<Intent, Error> {
        self.call(Operation::Prepare, self.network.prepare(offer, terms)).await
    }

    async fn submit(&self, intent: &Intent) -> Result<(), Error> {
        self.look_at(&intent.label).await;
        self.call(Operation::Submit, self.network.submit(intent)).await
    }

    async fn observe(&self, label: &Label) -> Result<Observation, Error> {
        let answer = self.call(Operation::Observe, self.network.observe(label)).await?;
        let calls = u64::from(lock(&self.wire.calls)[&Operation::Observe]);
        let lies = Dice::of(calls, label.as_str()).percent(self.wire.lies.load(SeqCst));
        Ok(match answer {
            _ if self.wire.forgotten.load(SeqCst) => Observation::Absent,
            Observation::Live { .. } if lies && calls.is_multiple_of(2) => Observation::Queued,
            Observation::Live { .. } if lies => {
                Observation::Bidding { bids: Vec::new(), closes_at: self.time.now() + Millis(400) }
            }
            truth => truth,
        })
    }

    async fn list_ours(&self) -> Result<Vec<Listed>, Error> {
        self.call(Operation::ListOurs, self.network.list_ours()).await
    }

    async fn extend(&self, label: &Label, span: Millis) -> Result<(), Error> {
        self.call(Operation::Extend, self.network.extend(label, span)).await
    }

    async fn release(&self, label: &Label) -> Result<Observation, Error> {
        self.call(Operation::Release, self.network.release(label)).await
    }

    async fn balance(&self) -> Result<Balance, Error> {
        self.call(Operation::Balance, self.network.balance()).await
    }
}
