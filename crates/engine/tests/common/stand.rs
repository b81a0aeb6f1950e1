//! What every simulated control plane stands on: a clock that moves only when told, keys, and its steps while it runs.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use custody::{DataKey, Keystore, wrap};
use domain::{Clock, Timestamp};
use waag_engine::{Engine, Parts, Planted, Reconciler};
use wire::agent::WRAP_INFO;

use crate::chance::{Dice, SeededEntropy};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Real time, which only goes on, and what the machine's clock makes of it.
pub(crate) struct SimTime {
    real: AtomicI64,
    offset: AtomicI64,
}

impl SimTime {
    pub(crate) fn new() -> Self {
        Self { real: AtomicI64::new(0), offset: AtomicI64::new(1_800_000_000_000) }
    }

    /// Milliseconds since the simulation began.
    pub(crate) fn real(&self) -> i64 {
        self.real.load(SeqCst)
    }

    pub(crate) fn go_on_to(&self, real: i64) {
        self.real.fetch_max(real, SeqCst);
    }

    /// Sets the machine's clock.
    pub(crate) fn jump(&self, by: i64) {
        self.offset.fetch_add(by, SeqCst);
    }

    /// When the clock shows `at`, if nobody sets it in between.
    pub(crate) fn real_of(&self, at: Timestamp) -> i64 {
        at.0 - self.offset.load(SeqCst)
    }
}

impl Clock for SimTime {
    fn now(&self) -> Timestamp {
        Timestamp(self.real() + self.offset.load(SeqCst))
    }
}

/// The control plane while it runs.
pub(crate) struct Up {
    pub(crate) engine: Engine,
    pub(crate) steps: Vec<Box<dyn Reconciler>>,
    pub(crate) due: Vec<Option<Timestamp>>,
    /// How many changes there had been when the step was last ticked; none before its first tick.
    pub(crate) seen: Vec<Option<u64>>,
}

impl Up {
    /// Starts one of these parts, with a bug planted or without.
    pub(crate) async fn start(parts: Parts, bug: Option<Planted>) -> Result<Self, String> {
        let engine = match bug {
            Some(bug) => Engine::planted(parts, bug),
            None => Engine::new(parts),
        };
        let steps = engine.reconcilers();
        let (due, seen) = (vec![None; steps.len()], vec![None; steps.len()]);
        engine.adopt().await.map_err(|e| format!("the control plane could not start: {e:?}"))?;
        Ok(Self { engine, steps, due, seen })
    }

    pub(crate) fn changes(&self) -> u64 {
        *self.engine.changes().borrow()
    }

    /// The steps that are due, or that something changed for.
    pub(crate) fn to_tick(&self, now: Timestamp) -> Vec<usize> {
        let due =
            |n: &usize| self.due[*n].is_some_and(|due| due <= now) || self.seen[*n] != Some(self.changes());
        (0..self.steps.len()).filter(due).collect()
    }
}

/// Whether the control plane died in the middle of the work, or another took over from it.
pub(crate) fn died(error: &waag_engine::Error) -> bool {
    use waag_engine::Error::{Interrupted, Store};
    matches!(error, Interrupted(_) | Store(store::Error::Fenced))
}

/// Keys are made once: worlds differ in what they do, not in who signs.
pub(crate) fn keys() -> Arc<Keystore> {
    static KEYS: OnceLock<Arc<Keystore>> = OnceLock::new();
    let made = KEYS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        Arc::new(Keystore::open(&keys, &SeededEntropy::new(Dice::new(1))).unwrap())
    });
    Arc::clone(made)
}

/// A data key that opens with the customer's key, as every upload must bring one.
pub(crate) fn wrapped_key() -> String {
    static WRAPPED: OnceLock<String> = OnceLock::new();
    let wrapped = WRAPPED.get_or_init(|| {
        let entropy = SeededEntropy::new(Dice::new(2));
        let wrapped = wrap(&DataKey::mint(&entropy), &keys().customer().public(), WRAP_INFO, &entropy);
        hex::encode(wrapped.unwrap())
    });
    wrapped.clone()
}

/// A world and its database speak many thousand times a second and never at once; on one core that costs half.
pub(crate) fn stay_on_one_core() {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    let n = THREADS.fetch_add(1, SeqCst);
    let Ok(allowed) = rustix::thread::sched_getaffinity(None) else { return };
    let cores: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let mut one = rustix::thread::CpuSet::new();
    one.set(cores[n % cores.len()]);
    // Where it is not allowed, the worlds are only slower.
    let _ = rustix::thread::sched_setaffinity(None, &one);
}
