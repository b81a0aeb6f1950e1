//! What failed for a moment is tried again.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Label, Millis, NetworkName, Offer};

use crate::{Balance, Capability, Error, Intent, Listed, Network, Observation, RetryStatus, Terms};

/// Tries reads and releases again while they fail for the moment; never a purchase or an extension, and never after an
/// unknown outcome.
pub struct Retry {
    inner: Arc<dyn Network>,
    attempts: u32,
    backoff: Box<dyn Fn(u32) -> Millis + Send + Sync>,
}

impl Retry {
    /// Up to `attempts` calls in all, one at the least; before call *n* + 1 it waits `backoff(n)`, *n* from 1.
    pub fn new(
        inner: Arc<dyn Network>,
        attempts: u32,
        backoff: impl Fn(u32) -> Millis + Send + Sync + 'static,
    ) -> Self {
        Self { inner, attempts, backoff: Box::new(backoff) }
    }

    async fn call<T, F>(&self, call: impl Fn() -> F + Send + Sync) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let mut attempt = 1;
        loop {
            match call().await {
                Err(error) if error.status == RetryStatus::Temporary && attempt < self.attempts => {
                    tokio::time::sleep((self.backoff)(attempt).duration()).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }
}

#[async_trait]
impl Network for Retry {
    fn name(&self) -> &NetworkName {
        self.inner.name()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn offers(&self) -> Result<Vec<Offer>, Error> {
        self.call(|| self.inner.offers()).await
    }

    async fn prepare(&self, offer: &Offer, terms: &Terms) -> Result<Intent, Error> {
        self.inner.prepare(offer, terms).await
    }

    async fn submit(&self, intent: &Intent) -> Result<(), Error> {
        self.inner.submit(intent).await
    }

    async fn observe(&self, label: &Label) -> Result<Observation, Error> {
        self.call(|| self.inner.observe(label)).await
    }

    async fn list_ours(&self) -> Result<Vec<Listed>, Error> {
        self.call(|| self.inner.list_ours()).await
    }

    async fn extend(&self, label: &Label, span: Millis) -> Result<(), Error> {
        self.inner.extend(label, span).await
    }

    async fn release(&self, label: &Label) -> Result<Observation, Error> {
        self.call(|| self.inner.release(label)).await
    }

    async fn balance(&self) -> Result<Balance, Error> {
        self.call(|| self.inner.balance()).await
    }
}
