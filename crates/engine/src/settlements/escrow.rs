//! Money in escrow: moved there first, then posted here as the escrow shows it.
//!
//! A crash between the two costs nothing: what has moved is seen at the next look. Nothing is posted before it has.

use domain::{Label, ProofState, Timestamp, Usd, chain};
use market::{Claim, Commitment, Error as MarketError, Escrow, EscrowState, Escrowed};
use policy::cost::Charge;
use store::{ClaimRow, LeaseRow};

use super::{Bill, Settlements};
use crate::Error;
use crate::proofs::Check;

/// A provider may stand by the root before the agent's last, where both died before the last reached the provider.
const LEAVES_BEHIND_MAX: u32 = 1;

impl Settlements {
    pub(super) async fn settle_escrowed(
        &self,
        escrow: &dyn Escrow,
        lease: &LeaseRow,
        check: &Check,
        now: Timestamp,
    ) -> Result<(), Error> {
        let label = Label::of(lease.id);
        let shown = match escrow.observe(&label).await {
            Ok(Some(shown)) => shown,
            Ok(None) if lease.live_at.is_none() => {
                // Nothing was paid in, so all that the ledger held goes back.
                let (paid, fees, disputed) = (Usd::ZERO, Usd::ZERO, Usd::ZERO);
                let charge = Charge { paid, fees, refunded: self.held(lease, check).await?, disputed };
                return self.post(lease, Bill { charge, gas: 0, txs: Vec::new() }, check, now).await;
            }
            Ok(None) => {
                self.differs(lease, "its network shows no escrow for a lease that was live", now).await?;
                return self.look_again(lease, None, now).await;
            }
            Err(error) => return self.not_moved(lease, &error, now).await,
        };
        if shown.state.is_final() {
            return self.post_shown(lease, shown, check, now).await;
        }
        #[cfg(feature = "planted")]
        if self.has(crate::Planted::PostBeforeEscrow) {
            return self.post_unmoved(lease, check, now).await;
        }
        let Some(moved) = self.moved(escrow, lease, &label, &shown, check, now).await? else {
            return self.look_again(lease, shown.deadline, now).await;
        };
        match moved {
            Ok(Some(shown)) if shown.state.is_final() => self.post_shown(lease, shown, check, now).await,
            Ok(shown) => self.look_again(lease, shown.and_then(|shown| shown.deadline), now).await,
            Err(error) => self.not_moved(lease, &error, now).await,
        }
    }

    /// Moves what can be moved now. `None` while there is nothing to do but to wait.
    async fn moved(
        &self,
        escrow: &dyn Escrow,
        lease: &LeaseRow,
        label: &Label,
        shown: &Escrowed,
        check: &Check,
        now: Timestamp,
    ) -> Result<Option<Result<Option<Escrowed>, MarketError>>, Error> {
        let overdue = shown.deadline.is_some_and(|deadline| now > deadline);
        let claim = match shown.state {
            _ if overdue => None,
            EscrowState::Awaited => match self.claim(lease, now).await? {
                Some(claim) => Some(claim),
                None => return Ok(None),
            },
            // Where the work is checked, the verdict moves the money.
            EscrowState::Committed if !is_checked(check) && self.stands(lease, shown.commitment).await? => {
                None
            }
            _ => return Ok(None),
        };
        self.0.reached("settlement.escrow.before")?;
        let moved = match &claim {
            _ if overdue => escrow.void(label).await,
            Some(claim) => escrow.claim(label, claim).await,
            None => escrow.post(label).await,
        };
        self.0.reached("settlement.escrow.after")?;
        Ok(Some(moved))
    }

    /// What can be brought for a provider that has had its time and is silent.
    async fn claim(&self, lease: &LeaseRow, now: Timestamp) -> Result<Option<Claim>, Error> {
        let store = &self.0.store;
        let ended = lease.ended_at.unwrap_or(now);
        if now < ended + self.0.config.commit_patience {
            return Ok(None);
        }
        let Some(admitted) = store.delegation_get(lease.id).await? else { return Ok(None) };
        let newest = store.claim_newest(lease.id).await?;
        Ok(newest.and_then(|claim| {
            let commitment = commitment_of(&claim)?;
            Some(Claim { commitment, signature: claim.signature, delegation: admitted.signature.clone() })
        }))
    }

    /// Whether the provider stands by what its agent told us. If not, its money waits for the verdict.
    async fn stands(&self, lease: &LeaseRow, commitment: Option<Commitment>) -> Result<bool, Error> {
        let Some(commitment) = commitment else { return Ok(false) };
        #[cfg(feature = "planted")]
        if self.has(crate::Planted::SettleAnyRoot) {
            return Ok(true);
        }
        let store = &self.0.store;
        let told = store.claim_get(lease.id, commitment.leaf_count).await?;
        let newest = store.claim_newest(lease.id).await?.map_or(0, |claim| claim.leaf_count);
        Ok(told.and_then(|claim| commitment_of(&claim)) == Some(commitment)
            && commitment.leaf_count >= newest.saturating_sub(LEAVES_BEHIND_MAX))
    }

    /// Posts exactly what the escrow paid: that money is gone.
    async fn post_shown(
        &self,
        lease: &LeaseRow,
        shown: Escrowed,
        check: &Check,
        now: Timestamp,
    ) -> Result<(), Error> {
        if matches!(check, Check::Waits) {
            // The money has moved by the verdict, which the proofs step is about to see with its fee.
            return self.look_again(lease, None, now).await;
        }
        let held = self.held(lease, check).await?;
        // Only our own transaction closes it before its time: until that is in a block it runs, however late it comes.
        let owed = self.owed(lease, None)?;
        if shown.paid > held || shown.paid > owed {
            let text = format!("its escrow paid ${}, the ledger held ${held} and owes ${owed}", shown.paid);
            self.differs(lease, &text, now).await?;
        }
        let paid = shown.paid.min(held);
        let disputed = shown.paid.less(paid);
        let charge = Charge { paid, fees: Usd::ZERO, refunded: held - paid, disputed };
        self.post(lease, Bill { charge, gas: shown.gas, txs: shown.txs }, check, now).await
    }

    async fn not_moved(&self, lease: &LeaseRow, error: &MarketError, now: Timestamp) -> Result<(), Error> {
        tracing::info!(lease = %lease.id, error = %chain(error), "an escrow is to be looked at again");
        self.look_again(lease, None, now).await
    }

    /// What moves meanwhile wakes the lease; this is the net below.
    async fn look_again(
        &self,
        lease: &LeaseRow,
        deadline: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let config = &self.0.config;
        let patience = lease.ended_at.map(|at| at + config.commit_patience);
        let moments = [patience, deadline].into_iter().flatten().filter(|at| *at > now);
        let next = moments.fold(now + config.observe_every, Timestamp::min);
        let mut tx = self.0.store.begin().await?;
        tx.lease_settle_at(lease.id, next.max(now + config.escrow_every)).await?;
        Ok(tx.commit().await?)
    }

    async fn differs(&self, lease: &LeaseRow, text: &str, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        let text = format!("lease {} on {}: {text}", lease.id, lease.network);
        if tx.alert_raise(now, super::follow::DIFFERS, &lease.id.to_string(), &text).await? {
            tracing::warn!(lease = %lease.id, text);
        }
        Ok(tx.commit().await?)
    }
}

/// Whether validators were or are asked about the work.
fn is_checked(check: &Check) -> bool {
    match check {
        Check::Waits => true,
        Check::Over(row) => matches!(row.state, ProofState::Concluded(_)),
        Check::Never(_) | Check::Idle => false,
    }
}

fn commitment_of(claim: &ClaimRow) -> Option<Commitment> {
    Some(Commitment { root: claim.root.as_slice().try_into().ok()?, leaf_count: claim.leaf_count })
}
