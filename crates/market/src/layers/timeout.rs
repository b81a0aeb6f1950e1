//! No call lasts longer than a limit.

use std::future::Future;
use std::sync::Arc;

use domain::Millis;

use super::{Around, unanswered};
use crate::{Error, ErrorKind, Network, Operation};

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
}

impl Around for Timeout {
    fn inner(&self) -> &dyn Network {
        self.inner.as_ref()
    }

    async fn call<T, F>(&self, operation: Operation, call: impl Fn() -> F + Send + Sync) -> Result<T, Error>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        tokio::time::timeout(self.limit.duration(), call()).await.unwrap_or_else(|_| {
            let context = format!("no answer within {}", self.limit);
            let status = unanswered(operation);
            Err(Error::new(self.inner.name(), operation, ErrorKind::Unavailable, status, context))
        })
    }
}
