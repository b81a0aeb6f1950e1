//! Bugs planted on purpose, so that the simulation can show that it finds their like. Nothing outside this crate's
//! tests is built with them.

use domain::{EndReason, Timestamp, Usd};
use market::{Intent, Network};
use policy::cost::Charge;
use store::LeaseRow;

use crate::context::Context;
use crate::leases::Leases;
use crate::proofs::Check;
use crate::settlements::{Bill, Settlements};
use crate::{Engine, Error, Parts};

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// A purchase is sent before its hold and intent are stored.
    BuyBeforeHold,
    /// A purchase whose reply was lost counts as failed, and its row is dropped.
    DropRowOnTimeout,
    /// A lease counts as ended once its release was asked for.
    ReleaseWithoutConfirmation,
    /// The ledger posts what a lease costs before its escrow has moved.
    PostBeforeEscrow,
    /// An escrow is paid out whatever its provider committed to.
    SettleAnyRoot,
}

impl Engine {
    /// An engine with this bug.
    pub fn planted(parts: Parts, bug: Planted) -> Self {
        let mut context = Context::new(parts);
        context.planted = Some(bug);
        Self { context: std::sync::Arc::new(context) }
    }
}

impl Settlements {
    pub(super) fn has(&self, bug: Planted) -> bool {
        self.0.planted == Some(bug)
    }

    pub(super) async fn post_unmoved(
        &self,
        lease: &LeaseRow,
        check: &Check,
        now: Timestamp,
    ) -> Result<(), Error> {
        let held = self.held(lease, check).await?;
        let paid = lease.billed.unwrap_or_default().min(held);
        let charge = Charge { paid, fees: Usd::ZERO, refunded: held - paid, disputed: Usd::ZERO };
        self.post(lease, Bill { charge, gas: 0, txs: Vec::new() }, check, now).await
    }
}

impl Leases {
    pub(super) fn has(&self, bug: Planted) -> bool {
        self.0.planted == Some(bug)
    }

    pub(super) async fn buy_before_hold(&self, network: &dyn Network, intent: &Intent) {
        let _ = network.submit(intent).await;
    }

    pub(super) async fn drop_row(&self, lease: &LeaseRow, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        tx.lease_drop(lease.id).await?;
        tx.hold_close_lease(lease.hold, Usd::ZERO, now).await?;
        self.after_end(&mut tx, lease, EndReason::NoCapacity, now).await?;
        Ok(tx.commit().await?)
    }
}
