//! The control plane's line to the network `waag`, and where the control plane dies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::{Interrupted, Label, Millis, NetworkName, Offer, Probe};
use market::{
    Balance, Capability, Changes, Claim, Commitment, Error, ErrorKind, Escrow, Escrowed, Intent,
    Introduction, Listed, Network, Observation, Operation, RetryStatus, Terms,
};
use store::Store;
use tokio::sync::watch;
use waag_network::WaagNetwork;

use crate::chance::Dice;
use crate::gate::Side;
use crate::stand::{SimTime, lock};

/// Where the control plane dies: at points of the engine and of its sender alike.
pub(crate) struct Trap {
    armed: Mutex<Option<(&'static str, u32)>>,
    dead: watch::Sender<bool>,
    /// How often each point was reached, and how often the control plane died there.
    reached: Mutex<BTreeMap<&'static str, (u64, u64)>>,
}

impl Trap {
    pub(crate) fn new() -> Self {
        Self { armed: Mutex::default(), dead: watch::Sender::new(false), reached: Mutex::default() }
    }

    /// From now on the control plane dies the `nth` time it reaches the point, counted from 1.
    pub(crate) fn arm(&self, point: &'static str, nth: u32) {
        *lock(&self.armed) = Some((point, nth));
    }

    pub(crate) fn is_dead(&self) -> bool {
        *self.dead.borrow()
    }

    /// It is started again.
    pub(crate) fn revive(&self) {
        *lock(&self.armed) = None;
        self.dead.send_replace(false);
    }

    pub(crate) fn reached_points(&self) -> BTreeMap<&'static str, (u64, u64)> {
        lock(&self.reached).clone()
    }

    /// The work, unless the control plane dies in the middle of it: then whatever it was doing is dropped.
    pub(crate) async fn alive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut dead = self.dead.subscribe();
        tokio::select! {
            biased;
            _ = dead.wait_for(|dead| *dead) => None,
            done = work => (!self.is_dead()).then_some(done),
        }
    }
}

impl Probe for Trap {
    fn reached(&self, point: &'static str) -> Result<(), Interrupted> {
        let mut reached = lock(&self.reached);
        let (times, deaths) = reached.entry(point).or_default();
        *times += 1;
        let due = |(at, nth): &mut (&'static str, u32)| {
            *nth -= u32::from(*at == point);
            *nth == 0
        };
        if lock(&self.armed).take_if(due).is_some() {
            *deaths += 1;
            self.dead.send_replace(true);
        }
        if self.is_dead() { Err(Interrupted { point }) } else { Ok(()) }
    }
}

/// What happens on the line.
pub(crate) struct Wire {
    /// Nothing is answered until then, in real time.
    pub(crate) out: Mutex<i64>,
    /// In so many of a hundred calls, the call or its answer is lost.
    lossy: u64,
    dice: Mutex<Dice>,
    /// What was sent that must not have been.
    pub(crate) wrong: Mutex<Vec<String>>,
    pub(crate) cuts: Mutex<u64>,
}

impl Wire {
    pub(crate) fn new(lossy: u64, dice: Dice) -> Self {
        Self {
            out: Mutex::default(),
            lossy,
            dice: Mutex::new(dice),
            wrong: Mutex::default(),
            cuts: Mutex::default(),
        }
    }

    fn fate(&self, now: i64) -> Option<Side> {
        let out = now < *lock(&self.out);
        let mut dice = lock(&self.dice);
        let lost = match () {
            () if out => Some(Side::Before),
            () if dice.percent(self.lossy) => Some(if dice.percent(50) { Side::Before } else { Side::After }),
            () => None,
        };
        *lock(&self.cuts) += u64::from(lost.is_some());
        lost
    }
}

/// The line: it looks over the shoulder of every purchase, and lets a dead control plane do nothing more.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) network: Arc<WaagNetwork>,
    pub(crate) store: Store,
    pub(crate) wire: Arc<Wire>,
    pub(crate) trap: Arc<Trap>,
    pub(crate) time: Arc<SimTime>,
}

impl Line {
    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let lost = self.wire.fate(self.time.real());
        let answer = if lost == Some(Side::Before) { None } else { Some(call.await) };
        if self.trap.is_dead() {
            std::future::pending::<()>().await;
        }
        let status = match operation {
            Operation::Submit
            | Operation::Extend
            | Operation::Release
            | Operation::Post
            | Operation::Void => RetryStatus::UnknownOutcome,
            _ => RetryStatus::Temporary,
        };
        let cut =
            || Err(Error::new(self.name(), operation, ErrorKind::Unavailable, status, "the line was cut"));
        answer.filter(|_| lost.is_none()).unwrap_or_else(cut)
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
        self.call(Operation::Observe, Network::observe(self.network.as_ref(), label)).await
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

    async fn vouches(&self, label: &Label, introduction: &Introduction) -> Result<bool, Error> {
        self.call(Operation::Vouch, self.network.vouches(label, introduction)).await
    }
}

#[async_trait]
impl Escrow for Line {
    async fn observe(&self, label: &Label) -> Result<Option<Escrowed>, Error> {
        self.call(Operation::Escrow, Escrow::observe(self.network.as_ref(), label)).await
    }

    async fn claim(&self, label: &Label, claim: &Claim) -> Result<Option<Escrowed>, Error> {
        self.call(Operation::Post, self.network.claim(label, claim)).await
    }

    async fn post(&self, label: &Label) -> Result<Option<Escrowed>, Error> {
        self.call(Operation::Post, self.network.post(label)).await
    }

    async fn void(&self, label: &Label) -> Result<Option<Escrowed>, Error> {
        self.call(Operation::Void, self.network.void(label)).await
    }

    async fn acknowledge(&self, label: &Label, commitment: &Commitment) -> Result<Option<Vec<u8>>, Error> {
        self.call(Operation::Escrow, self.network.acknowledge(label, commitment)).await
    }

    async fn changes(&self, cursor: Option<&str>) -> Result<Changes, Error> {
        self.call(Operation::Escrow, self.network.changes(cursor)).await
    }
}
