//! One line in the log for each call.

use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;

use super::Around;
use crate::{Error, Network, Operation};

/// Writes one debug line for each call: network, operation, outcome and the time it took. Never what was sent.
pub struct Observe {
    inner: Arc<dyn Network>,
}

impl Observe {
    /// Watches the calls to `inner`.
    pub fn new(inner: Arc<dyn Network>) -> Self {
        Self { inner }
    }
}

impl Around for Observe {
    fn inner(&self) -> &dyn Network {
        self.inner.as_ref()
    }

    async fn call<T, F>(&self, operation: Operation, call: impl Fn() -> F + Send + Sync) -> Result<T, Error>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let started = Instant::now();
        let answer = call().await;
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
