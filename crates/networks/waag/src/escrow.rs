//! What becomes of the money of a lease that has ended.

use async_trait::async_trait;
use chain::B256;
use chain::follow::Cursor;
use chain::market::{Refusal, State};
use chain::sender::Call;
use domain::{Label, Usd};
use market::{
    Changes, Claim, Commitment, Error, ErrorKind, Escrow, EscrowState, Escrowed, Operation, RetryStatus,
};

use crate::error::{of_follow, of_read, of_send};
use crate::{Found, WaagNetwork};

#[async_trait]
impl Escrow for WaagNetwork {
    async fn observe(&self, label: &Label) -> Result<Option<Escrowed>, Error> {
        self.escrowed(Operation::Escrow, label).await
    }

    async fn post(&self, label: &Label, claim: Option<&Claim>) -> Result<Option<Escrowed>, Error> {
        let Some(mut found) = self.find(Operation::Post, label).await? else { return Ok(None) };
        let calls = self.market.calls();
        if let (Some(claim), EscrowState::Awaited) = (claim, state(&found)) {
            let Claim { commitment, signature, delegation } = claim.clone();
            let (order, root) = (&found.record.order, B256::from(commitment.root));
            let call = calls.commit_signed(order, root, commitment.leaf_count, delegation, signature);
            self.moving(Operation::Post, format!("commit:{label}"), call).await?;
            match self.find(Operation::Post, label).await? {
                Some(again) => found = again,
                None => return Ok(None),
            }
        }
        if found.lease.state == State::Committed {
            let call = calls.settle(&found.record.order);
            self.moving(Operation::Post, format!("settle:{label}"), call).await?;
        }
        self.escrowed(Operation::Post, label).await
    }

    async fn void(&self, label: &Label) -> Result<Option<Escrowed>, Error> {
        let Some(found) = self.find(Operation::Void, label).await? else { return Ok(None) };
        if !found.lease.state.is_final() && found.now > found.lease.deadline {
            let call = self.market.calls().expire(&found.record.order);
            let key = format!("expire:{label}:{}", found.lease.state.code());
            self.moving(Operation::Void, key, call).await?;
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
        let page = self.follower.page(cursor.as_ref()).await;
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
                    leases.iter().filter_map(|lease| index.label_of(*lease).cloned()).collect();
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
            Err(error) if matches!(Refusal::of(&error), Some(Refusal::WrongState { .. })) => Ok(()),
            Err(error) => Err(of_send(error).in_call(&self.name, operation)),
        }
    }

    async fn escrowed(&self, operation: Operation, label: &Label) -> Result<Option<Escrowed>, Error> {
        let Some(found) = self.find(operation, label).await? else { return Ok(None) };
        let unreadable = |e| of_read(e).in_call(&self.name, operation);
        let commitment = match found.lease.leaf_count {
            0 => None,
            leaf_count => {
                let root = self.market.root_of(found.record.id).await.map_err(unreadable)?;
                Some(Commitment { root: root.0, leaf_count })
            }
        };
        let (state, lease) = (state(&found), &found.lease);
        let held = match lease.state {
            State::Open | State::Active => found.price(lease.span),
            State::Ended | State::Committed | State::Disputed => found.price(lease.used),
            _ => Usd::ZERO,
        };
        let paid = if lease.state == State::Settled { found.price(lease.used) } else { Usd::ZERO };
        let waits = !matches!(state, EscrowState::Open) && !state.is_final();
        let (gas, txs) = self.ours(operation, &found.record.txs).await?;
        Ok(Some(Escrowed {
            state,
            held,
            paid,
            commitment,
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
        State::Active if found.is_over() => EscrowState::Awaited,
        State::Open | State::Active => EscrowState::Open,
        State::Ended => EscrowState::Awaited,
        State::Committed => EscrowState::Committed,
        State::Disputed => EscrowState::Disputed,
        State::Settled => EscrowState::Paid,
        State::Cancelled | State::Refunded => EscrowState::Refunded,
        State::Slashed => EscrowState::Slashed,
    }
}
