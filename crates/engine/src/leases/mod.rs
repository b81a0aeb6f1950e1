//! Leases bought, watched and ended: where money meets the outside world.
//!
//! - `buy.rs`: hold and intent are stored, then the stored bytes are submitted.
//! - `drive.rs`: every open lease is compared with what its network says, until the network confirms its end.
//! - `cover.rs`: the hold of a live lease, kept ahead of its bill.
//! - `sweep.rs`: what the networks list as ours is compared with what is stored.
//!
//! A crash anywhere leaves an intent with a label; the next tick looks at the network under that label and goes on.

mod buy;
mod cover;
mod drive;
mod sweep;

pub(crate) use drive::lose;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::Timestamp;
use futures::StreamExt;

use crate::context::Context;
use crate::pace::Pace;
use crate::{Config, Error, Reconciler};

pub(crate) struct Leases(pub(crate) Arc<Context>);
pub(crate) struct Sweep(Arc<Context>, Mutex<Pace>);

impl Sweep {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self(context, Mutex::default())
    }
}

#[async_trait]
impl Reconciler for Leases {
    fn name(&self) -> &'static str {
        "leases"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let to_buy = self.0.store.execution_list_unleased(now, Config::BATCH).await?;
        let due = self.0.store.lease_list_due(now, Config::BATCH).await?;
        let calls = self.0.config.calls.max(1);
        let busy = !to_buy.is_empty() || !due.is_empty();
        let buys = futures::stream::iter(to_buy).map(|x| async move { self.buy(&x, now).await });
        let bought: Vec<Result<(), Error>> = buys.buffer_unordered(calls).collect().await;
        let drives = futures::stream::iter(due).map(|lease| async move { self.drive(&lease, now).await });
        let driven: Vec<Result<(), Error>> = drives.buffer_unordered(calls).collect().await;
        if busy {
            self.0.changed();
        }
        bought.into_iter().chain(driven).collect::<Result<(), Error>>()?;
        let (lease, buy) = (self.0.store.lease_next_due().await?, self.0.store.execution_next_buy().await?);
        Ok(lease.into_iter().chain(buy).min())
    }
}
