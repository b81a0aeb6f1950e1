//! Driving the reconcilers in the product: each in a task of its own, woken when due or when something changed.

use std::time::Duration;

use async_trait::async_trait;
use domain::{Millis, Timestamp, chain};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{Engine, Error};

/// One step of the flow. `tick` loads what is due, decides, acts and applies, and tells when something is due next.
/// Running it twice, in any order with others, or stopping it anywhere does no harm.
#[async_trait]
pub trait Reconciler: Send + Sync {
    /// The step's name.
    fn name(&self) -> &'static str;

    /// Does what is due at `now`; `None` means that nothing is due until something changes.
    ///
    /// # Errors
    /// The step could not be finished. What was committed stays; the next tick goes on from there.
    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error>;
}

/// Ends [`Engine::run`] once its sender says `true` or is dropped.
pub type Shutdown = watch::Receiver<bool>;

/// However far away the next due time is, a reconciler looks again after this: it costs a query and bounds the harm of
/// a clock that was set back.
const IDLE_MAX: Duration = Duration::from_secs(5);
const AFTER_ERROR: Millis = Millis(500);
/// Changes come in bursts; what comes within this is done in one tick instead of several.
const GATHER: Duration = Duration::from_millis(2);

impl Engine {
    /// Runs every reconciler until shutdown. A tick under way is finished first.
    pub async fn run(&self, shutdown: Shutdown) {
        let mut tasks = JoinSet::new();
        for reconciler in self.reconcilers() {
            tasks.spawn(drive(self.clone(), reconciler, shutdown.clone()));
        }
        while tasks.join_next().await.is_some() {}
    }
}

async fn drive(engine: Engine, reconciler: Box<dyn Reconciler>, mut shutdown: Shutdown) {
    let mut changes = engine.context.changes();
    loop {
        if *shutdown.borrow() || shutdown.has_changed().is_err() {
            return;
        }
        changes.mark_unchanged();
        let now = engine.now();
        let next = match reconciler.tick(now).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(step = reconciler.name(), error = %chain(&error), "a step could not be finished");
                Some(now + AFTER_ERROR)
            }
        };
        let wait = next.map_or(IDLE_MAX, |next| next.since(engine.now()).duration().min(IDLE_MAX));
        if wait.is_zero() {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = changes.changed() => tokio::time::sleep(GATHER).await,
            _ = shutdown.changed() => {}
        }
    }
}
