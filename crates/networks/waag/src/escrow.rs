//! What becomes of the money of a lease that has ended.

use async_trait::async_trait;
use chain::B256;
use chain::follow::{Cursor, FollowError};
use chain::market::{State, usd};
use chain::sender::Call;
use domain::{Label, Usd};
use market::{Changes, Claim, Error, ErrorKind, Escrow, EscrowState, Escrowed, Operation, RetryStatus};

use crate::error::{lost_race, of_follow, of_read, of_send};
use crate::{Found, WaagNetwork};

#[async_trait]
impl Escrow for WaagNetwork {
    async fn observe(&self, label: &Label) -> Result<Option<Escrowed>, Error> {
        self.escrowed(Operation::Escrow, label).await
    }

    async fn post(&self, label: &Label, claim: Option<&Claim>) -> Result<Option<Escrowed>, Error> {
        let operation = Operation::Post;
        let Some(mut found) = self.find(operation, label).await? else { return Ok(None) };
        let calls = self.market.calls();
        if let (Some(claim), EscrowState::Awaited, Some(order)) = (claim, state(&found), &found.lease.order) {
            let Claim { commitment, signature, delegation } = claim.clone();
            let root = B256::from(commitment.root);
            let call = calls.commit_signed(order, root, commitment.leaf_count, delegation, signature);
            self.moving(operation, format!("commit:{label}"), call).await?;
            match self.find(operation, label).await? {
                Some(again) => found = again,
                None => return Ok(None),
            }
        }
        // A provider that was faster may stand by something else than what was brought for it.
        let stands = found.lease.commitment.map(|committed| committed.commitment);
        let as_brought = claim.is_none_or(|claim| Some(claim.commitment) == stands);
        if let (State::Committed, Some(order), true) = (found.lease.state, &found.lease.order, as_brought) {
            self.moving(operation, format!("settle:{label}"), calls.settle(order)).await?;
        }
        self.escrowed(operation, label).await
    }

    async fn void(&self, label: &Label) -> Result<Option<Escrowed>, Error> {
        let Some(found) = self.find(Operation::Void, label).await? else { return Ok(None) };
        let Found { lease, now, .. } = &found;
        if let Some(order) = lease.order.as_ref().filter(|_| *now > lease.deadline) {
            let key = format!("expire:{label}:{}", lease.state.code());
            self.moving(Operation::Void, key, self.market.calls().expire(order)).await?;
        }
        self.escrowed(Operation::Void, label).await
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
        Ok(Changes { labels, cursor: page.cursor.to_string(), at_head: page.at_head })
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
