//! What failed for a moment is tried again.

use std::future::Future;
use std::sync::Arc;

use domain::Millis;

use super::Around;
use crate::{Error, Network, Operation, RetryStatus};

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
}

impl Around for Retry {
    fn inner(&self) -> &dyn Network {
        self.inner.as_ref()
    }

    async fn call<T, F>(&self, operation: Operation, call: impl Fn() -> F + Send + Sync) -> Result<T, Error>
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let attempts = match operation {
            Operation::Prepare | Operation::Submit | Operation::Extend => 1,
            _ => self.attempts,
        };
        let mut attempt = 1;
        loop {
            match call().await {
                Err(error) if error.status == RetryStatus::Temporary && attempt < attempts => {
                    tokio::time::sleep((self.backoff)(attempt).duration()).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }
}
