//! What the tests share: a clock that stands still until it is moved, and a network with bad habits to buy on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::{Clock, Label, LeaseId, Millis, Offer, Timestamp, Usd, UsdPerHour};
use waag_market::sim::{Habits, SimConfig, SimNetwork, StateError, StateFile};
use waag_market::{Boot, Error, Intent, Machine, MemoryMachine, Network, Observation, Terms};

pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(1_800_000_000_000))
    }

    pub(crate) fn pass(&self, time: Millis) {
        self.0.fetch_add(time.0.cast_signed(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) type Build =
    fn(SimConfig, Arc<dyn Clock>, Arc<dyn Machine>, &StateFile) -> Result<SimNetwork, StateError>;

pub(crate) const SPAN: Millis = Millis(600_000);

/// A simulated network and all it stands on.
pub(crate) struct World {
    pub(crate) build: Build,
    pub(crate) config: SimConfig,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) machine: Arc<MemoryMachine>,
    pub(crate) state: StateFile,
    pub(crate) network: Arc<SimNetwork>,
}

pub(crate) fn label(n: u8) -> Label {
    Label::of(LeaseId::from_bytes([n; 10]))
}

impl World {
    pub(crate) fn new(build: Build, habits: Habits) -> Self {
        Self::with(build, habits, StateFile::memory(), 7)
    }

    pub(crate) fn with(build: Build, habits: Habits, state: StateFile, seed: u64) -> Self {
        let config = SimConfig { habits, ..SimConfig::new("sim-test".parse().unwrap(), seed) };
        let (clock, machine) = (Arc::new(ManualClock::new()), Arc::new(MemoryMachine::default()));
        let network = Arc::new(build(config.clone(), clock.clone(), machine.clone(), &state).unwrap());
        Self { build, config, clock, machine, state, network }
    }

    pub(crate) fn restart(&mut self) {
        self.network = Arc::new(self.rebuilt().unwrap());
    }

    pub(crate) fn rebuilt(&self) -> Result<SimNetwork, StateError> {
        (self.build)(self.config.clone(), self.clock.clone(), self.machine.clone(), &self.state)
    }

    pub(crate) async fn cheapest(&self) -> Offer {
        let buyable = |o: &Offer| o.price.per_hour() > Usd::ZERO && o.stock != Some(0);
        let offers = self.network.offers().await.unwrap();
        offers.into_iter().filter(buyable).min_by_key(|o| o.price).unwrap()
    }

    pub(crate) async fn intent(&self, label: &Label) -> (Offer, Intent) {
        let offer = self.cheapest().await;
        let intent = self.intent_for(&offer, label).await;
        (offer, intent)
    }

    pub(crate) async fn intent_for(&self, offer: &Offer, label: &Label) -> Intent {
        let ceiling = UsdPerHour::new(offer.price.per_hour().basis_points(15_000));
        let boot = Boot::new(format!("boot of {label}").into_bytes());
        let terms = Terms { label: label.clone(), span: SPAN, ceiling, job: [7; 32], boot };
        self.network.prepare(offer, &terms).await.unwrap()
    }

    pub(crate) async fn submit(&self, label: &Label) -> Result<Offer, Error> {
        let (offer, intent) = self.intent(label).await;
        self.network.submit(&intent).await.map(|()| offer)
    }

    pub(crate) async fn observe(&self, label: &Label) -> Observation {
        self.network.observe(label).await.unwrap()
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.clock.pass(Millis(ms));
    }

    pub(crate) fn alive(&self, label: &Label) -> bool {
        self.machine.boot_of(label).is_some()
    }
}
