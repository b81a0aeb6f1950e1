//! The replays that run now. Nothing of them is kept: a daemon that was killed runs them again.

use std::collections::BTreeMap;

use chain::B256;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::decide::{Found, Replay};
use super::examine::{Progress, Task, examine};

/// Replays by their proofs; they end with this.
#[derive(Default)]
pub(crate) struct Replays(BTreeMap<B256, Running>);

struct Running {
    task: JoinHandle<Found>,
    progress: watch::Receiver<Progress>,
    found: Option<Found>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Replays {
    /// Starts one, unless it runs.
    pub(crate) fn start(&mut self, task: Task) {
        self.0.entry(task.id).or_insert_with(|| {
            // Nothing has come yet: the states are with whoever holds them.
            let (say, progress) = watch::channel(task.at_first());
            Running { task: tokio::spawn(examine(task, say)), progress, found: None }
        });
    }

    /// How far it is. One that broke is started again.
    pub(crate) async fn look(&mut self, proof: B256) -> Replay {
        let Some(running) = self.0.get_mut(&proof) else { return Replay::None };
        if running.found.is_none() && running.task.is_finished() {
            match (&mut running.task).await {
                Ok(found) => running.found = Some(found),
                Err(error) => {
                    tracing::error!(%proof, %error, "a replay broke");
                    self.0.remove(&proof);
                    return Replay::None;
                }
            }
        }
        match running.found {
            Some(found) => Replay::Done(found),
            None => Replay::Running { kept_back: running.progress.borrow().kept_back },
        }
    }

    /// Whether none runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends one.
    pub(crate) fn drop(&mut self, proof: B256) {
        self.0.remove(&proof);
    }
}
