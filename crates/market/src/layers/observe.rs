//! One line in the log for each call.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Label, Millis, NetworkName, Offer};
use tokio::time::Instant;

use crate::{Balance, Capability, Error, Intent, Listed, Network, Observation, Operation, Terms};

/// Writes one debug line for each call: network, operation, outcome and the time it took. Never what was sent.
pub struct Observe {
    inner: Arc<dyn Network>,
}

impl Observe {
    /// Watches the calls to `inner`.
    pub fn new(inner: Arc<dyn Network>) -> Self {
        Self { inner }
    }

    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let answer = call.await;
        let elapsed_ms = started.elapsed().as_millis();
        let (network, operation) = (self.inner.name(), format!("{operation:?}"));
        match &answer {
            Ok(_) => tracing::debug!(%network, operation, elapsed_ms, outcome = "ok", "network call"),
            Err(e) => {
                tracing::debug!(%network, operation, elapsed_ms, outcome = ?e.kind, status = ?e.status, "network call");
            }
        }
        answer
    }
}

#[async_trait]
impl Network for Observe {
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
