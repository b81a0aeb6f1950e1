//! A line that fails, for tests.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Around, unanswered};
use crate::dice::Dice;
use crate::{Error, ErrorKind, Network, Operation};

/// Fails calls before they reach the network, or loses the network's reply. Which, follows from the seed, the operation
/// and the number of the call.
pub struct Faults {
    inner: Arc<dyn Network>,
    dice: Dice,
    before: u16,
    after: u16,
    calls: AtomicU64,
}

impl Faults {
    /// Fails `before` and loses `after` of 10,000 calls to `inner`.
    pub fn new(inner: Arc<dyn Network>, seed: u64, before: u16, after: u16) -> Self {
        Self { inner, dice: Dice::new(seed), before, after, calls: AtomicU64::new(0) }
    }
}

impl Around for Faults {
    fn inner(&self) -> &dyn Network {
        self.inner.as_ref()
    }

    async fn call<T, F>(&self, operation: Operation, call: impl Fn() -> F + Send + Sync) -> Result<T, Error>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let fails = |chance, place| self.dice.hits(chance, place, &operation.to_string(), number);
        let error = |context| {
            Error::new(self.inner.name(), operation, ErrorKind::Unavailable, unanswered(operation), context)
        };
        if fails(self.before, "before") {
            return Err(error("the call did not arrive"));
        }
        let answer = call().await;
        if fails(self.after, "after") {
            return Err(error("the reply was lost"));
        }
        answer
    }
}
