//! What becomes of the money of a lease that has ended.

use async_trait::async_trait;
use chain::B256;
use chain::follow::{Cursor, FollowError};
use chain::market::{MarketEvent, State, usd};
use chain::sender::Call;
use domain::{Label, Usd};
use market::{
    Changes, Claim, Commitment, Error, ErrorKind, Escrow, EscrowState, Escrowed, Operation, RetryStatus,
};

use crate::error::{Cause, lost_race, of_follow, of_read, of_send};
use crate::index::Index;
use crate::{Found, WaagNetwork};

#[async_trait]
impl Escrow for WaagNetwork {
    async fn observe(&self, label: &Label) -> Result<Option<Escrowed>, Error> {
        self.escrowed(Operation::Escrow, label).await
    }

    async fn claim(&self, label: &Label, claim: &Claim) -> Result<Option<Escrowed>, Error> {
        let operation = Operation::Post;
        let Some(found) = self.find(operation, label).await? else { return Ok(None) };
        if let (EscrowState::Awaited, Some(order)) = (state(&found), &found.lease.order) {
            let Claim { commitment, signature, delegation } = claim.clone();
            let root = B256::from(commitment.root);
            let calls = self.market.calls();
            let call = calls.commit_signed(order, root, commitment.leaf_count, delegation, signature);
            self.moving(operation, format!("commit:{label}"), call).await?;
        }
        self.escrowed(operation, label).await
    }

    async fn post(&self, label: &Label) -> Result<Option<Escrowed>, Error> {
        let operation = Operation::Post;
        let Some(found) = self.find(operation, label).await? else { return Ok(None) };
        if let (State::Committed, Some(order)) = (found.lease.state, &found.lease.order) {
            let call = self.market.calls().settle(order);
            self.moving(operation, format!("settle:{label}"), call).await?;
        }
        self.escrowed(operation, label).await
    }

    async fn void(&self, label: &Label) -> Result<Option<Escrowed>, Error> {
        let Some(found) = self.find(Operation::Void, label).await? else { return Ok(None) };
        let Found { lease, now, .. } = &found;
        let overdue = *now > lease.deadline && !lease.state.is_final();
        if let Some(order) = lease.order.as_ref().filter(|_| overdue) {
            let key = format!("expire:{label}:{}", lease.state.code());
            self.moving(Operation::Void, key, self.market.calls().expire(order)).await?;
        }
        self.escrowed(Operation::Void, label).await
    }

    async fn acknowledge(&self, label: &Label, commitment: &Commitment) -> Result<Option<Vec<u8>>, Error> {
        let Some(notary) = &self.notary else { return Ok(None) };
        let operation = Operation::Escrow;
        let lease = self.with_index(operation, |found: &Index| found.of(label).map(|lease| lease.id)).await?;
        let lease = lease.ok_or_else(|| Cause::behind().in_call(&self.name, operation))?;
        let digest = notary.digests().upload(lease, B256::from(commitment.root), commitment.leaf_count);
        let signed = self.signer.sign_digest(&digest.0).map_err(|error| {
            let (kind, status) = (ErrorKind::Unsupported, RetryStatus::Permanent);
            Error::new(&self.name, operation, kind, status, format!("the account's key cannot sign: {error}"))
        });
        signed.map(|signature| Some(signature.to_vec()))
    }

    async fn changes(&self, cursor: Option<&str>) -> Result<Changes, Error> {
        let operation = Operation::Escrow;
        let cursor = cursor.map(str::parse::<Cursor>).transpose().map_err(|error| {
            let (kind, status) = (ErrorKind::InvalidInput, RetryStatus::Permanent);
            Error::new(&self.name, operation, kind, status, "the place to go on from is none")
                .caused_by(error)
        })?;
        let page = match self.follower.page(cursor.as_ref()).await {
            // What is seen again wakes a lease once more, which does no harm.
            Err(FollowError::TooDeep { .. }) => self.follower.page(None).await,
            page => page,
        };
        let page = page.map_err(|error| of_follow(error).in_call(&self.name, operation))?;
        let events = self.market.events(&page.events).await;
        let events = events.map_err(|error| of_read(error).in_call(&self.name, operation))?;
        let leases: Vec<B256> = events.iter().filter_map(|happened| happened.event.lease()).collect();
        let labels = if leases.is_empty() {
            Vec::new()
        } else {
            // The index is at least as far as this page, so it knows every lease of ours in it.
            let labels = |index: &crate::index::Index| {
                let mut labels: Vec<Label> =
                    leases.iter().filter_map(|lease| index.label_of(*lease)).collect();
                labels.dedup();
                labels
            };
            self.with_index(operation, labels).await?
        };
        let is_offer = |event: &MarketEvent| {
            matches!(event, MarketEvent::OfferPosted { .. } | MarketEvent::OfferWithdrawn { .. })
        };
        let offers = events.iter().any(|happened| is_offer(&happened.event));
        Ok(Changes { labels, offers, cursor: page.cursor.to_string(), at_head: page.at_head })
    }
}

impl WaagNetwork {
    /// Sends; where somebody else was faster, there is nothing to do.
    async fn moving(&self, operation: Operation, key: String, call: Call) -> Result<(), Error> {
        match self.send(key, call).await {
            Ok(_) => Ok(()),
            Err(error) if lost_race(&error) => Ok(()),
            Err(error) => Err(of_send(error).in_call(&self.name, operation)),
        }
    }

    async fn escrowed(&self, operation: Operation, label: &Label) -> Result<Option<Escrowed>, Error> {
        let Some(found) = self.find(operation, label).await? else { return Ok(None) };
        let (state, lease) = (state(&found), &found.lease);
        let held = match (lease.state, found.ended()) {
            (State::Ended | State::Committed | State::Disputed, Some((_, used))) => found.price(used),
            (State::Open | State::Active, _) => found.price(lease.span),
            _ => Usd::ZERO,
        };
        let waits = !matches!(state, EscrowState::Open) && !state.is_final();
        let (gas, txs) = self.ours(operation, &lease.txs).await?;
        Ok(Some(Escrowed {
            state,
            held,
            paid: usd(lease.paid),
            commitment: lease.commitment.map(|committed| committed.commitment),
            deadline: waits.then_some(lease.deadline),
            gas,
            txs,
        }))
    }

    /// Gas and hashes of those transactions that are ours.
    async fn ours(&self, operation: Operation, txs: &[B256]) -> Result<(u64, Vec<String>), Error> {
        let (mut gas, mut ours) = (0u64, Vec::new());
        for tx in txs {
            let unreadable = |e| of_read(e).in_call(&self.name, operation);
            let Some(spent) = self.market.spent(*tx).await.map_err(unreadable)? else { continue };
            if spent.from == self.sender.address() {
                gas = gas.saturating_add(spent.gas);
                ours.push(tx.to_string());
            }
        }
        Ok((gas, ours))
    }
}

fn state(found: &Found) -> EscrowState {
    match found.lease.state {
        State::Active if found.ended().is_some() => EscrowState::Awaited,
        State::Open | State::Active => EscrowState::Open,
        State::Ended => EscrowState::Awaited,
        State::Committed => EscrowState::Committed,
        State::Disputed => EscrowState::Disputed,
        State::Settled => EscrowState::Paid,
        State::Cancelled | State::Refunded => EscrowState::Refunded,
        State::Slashed => EscrowState::Slashed,
    }
}
