//! Only so many calls at a time.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Label, Millis, NetworkName, Offer};
use tokio::sync::Semaphore;

use crate::{
    Balance, Capability, Error, ErrorKind, Intent, Listed, Network, Observation, Operation, RetryStatus,
    Terms,
};

/// Lets only so many calls through at a time; the others wait their turn, first come, first served.
pub struct Limit {
    inner: Arc<dyn Network>,
    turns: Semaphore,
}

impl Limit {
    /// At most `calls` to `inner` at a time, one at the least.
    pub fn new(inner: Arc<dyn Network>, calls: usize) -> Self {
        Self { inner, turns: Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS)) }
    }

    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        // Nobody closes the semaphore; if somebody did, nothing would have been sent.
        let Ok(_turn) = self.turns.acquire().await else {
            let (kind, status) = (ErrorKind::Unavailable, RetryStatus::Temporary);
            return Err(Error::new(self.inner.name(), operation, kind, status, "calls are closed"));
        };
        call.await
    }
}

#[async_trait]
impl Network for Limit {
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
