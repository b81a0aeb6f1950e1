//! Only so many calls at a time.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Around;
use crate::{Error, ErrorKind, Network, Operation, RetryStatus};

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
}

impl Around for Limit {
    fn inner(&self) -> &dyn Network {
        self.inner.as_ref()
    }

    async fn call<T, F>(&self, operation: Operation, call: impl Fn() -> F + Send + Sync) -> Result<T, Error>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        // Nobody closes the semaphore; if somebody did, nothing would have been sent.
        let Ok(_turn) = self.turns.acquire().await else {
            let (kind, status) = (ErrorKind::Unavailable, RetryStatus::Temporary);
            return Err(Error::new(self.inner.name(), operation, kind, status, "calls are closed"));
        };
        call().await
    }
}
