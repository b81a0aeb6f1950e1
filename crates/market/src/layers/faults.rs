//! A line that fails, for tests.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use domain::{Label, Millis, NetworkName, Offer};

use super::unanswered;
use crate::dice::Dice;
use crate::{Balance, Capability, Error, ErrorKind, Intent, Listed, Network, Observation, Operation, Terms};

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

    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let fails = |chance, place| self.dice.hits(chance, place, &operation.to_string(), number);
        let error = |context| {
            Error::new(self.inner.name(), operation, ErrorKind::Unavailable, unanswered(operation), context)
        };
        if fails(self.before, "before") {
            return Err(error("the call did not arrive"));
        }
        let answer = call.await;
        if fails(self.after, "after") {
            return Err(error("the reply was lost"));
        }
        answer
    }
}

#[async_trait]
impl Network for Faults {
    fn name(&self) -> &NetworkName {
        self.inner.name()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn offers(&self) -> Result<Vec<Offer>, Error> {
        self.call(Operation::Offers, self.inner.offers()).await
    }

    async fn prepare(&self, offer: &Offer, terms: &Terms) -> Result<Intent, Error> {
        self.call(Operation::Prepare, self.inner.prepare(offer, terms)).await
    }

    async fn submit(&self, intent: &Intent) -> Result<(), Error> {
        self.call(Operation::Submit, self.inner.submit(intent)).await
    }

    async fn observe(&self, label: &Label) -> Result<Observation, Error> {
        self.call(Operation::Observe, self.inner.observe(label)).await
    }

    async fn list_ours(&self) -> Result<Vec<Listed>, Error> {
        self.call(Operation::ListOurs, self.inner.list_ours()).await
    }

    async fn extend(&self, label: &Label, span: Millis) -> Result<(), Error> {
        self.call(Operation::Extend, self.inner.extend(label, span)).await
    }

    async fn release(&self, label: &Label) -> Result<Observation, Error> {
        self.call(Operation::Release, self.inner.release(label)).await
    }

    async fn balance(&self) -> Result<Balance, Error> {
        self.call(Operation::Balance, self.inner.balance()).await
    }
}
