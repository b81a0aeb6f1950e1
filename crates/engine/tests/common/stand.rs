//! What every simulated control plane stands on: a clock that moves only when told, and keys.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use custody::{DataKey, Keystore, wrap};
use domain::{Clock, Timestamp};
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
