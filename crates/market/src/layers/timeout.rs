//! No call lasts longer than a limit.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Label, Millis, NetworkName, Offer};

use super::unanswered;
use crate::{Balance, Capability, Error, ErrorKind, Intent, Listed, Network, Observation, Operation, Terms};

/// Gives a call up after a limit. A purchase, an extension or a release given up has an unknown outcome; anything else
/// may be tried again.
pub struct Timeout {
    inner: Arc<dyn Network>,
    limit: Millis,
}

impl Timeout {
    /// Calls to `inner` last `limit` at the most.
    pub fn new(inner: Arc<dyn Network>, limit: Millis) -> Self {
        Self { inner, limit }
    }

    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        tokio::time::timeout(self.limit.duration(), call).await.unwrap_or_else(|_| {
            let context = format!("no answer within {}", self.limit);
            let status = unanswered(operation);
            Err(Error::new(self.inner.name(), operation, ErrorKind::Unavailable, status, context))
        })
    }
}

#[async_trait]
impl Network for Timeout {
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
