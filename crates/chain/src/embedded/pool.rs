//! Transactions that wait for a block, by sender and nonce. Bounded; lost when the process ends, as on any node.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use alloy::consensus::Transaction;
use alloy::primitives::{Address, B256};
use tokio::sync::oneshot;

use super::checked::Checked;
use super::rpc::RpcError;
use super::state::World;

/// Transactions that may wait in all.
const POOL_MAX: usize = 8_192;
/// Transactions that may wait for one sender.
const PER_SENDER_MAX: usize = 1_024;
/// How much more a replacement must pay, in percent, in both its fees (geth's `pricebump`).
const BUMP_PERCENT: u128 = 10;
/// Transactions that one block takes up.
const BLOCK_TXS_MAX: usize = 1_024;

struct Pooled {
    tx: Arc<Checked>,
    arrival: u64,
    /// Told when the transaction is in a durable block; dropped when it never will be.
    waiter: Option<oneshot::Sender<()>>,
}

#[derive(Default)]
pub(super) struct Pool {
    by_sender: HashMap<Address, BTreeMap<u64, Pooled>>,
    positions: HashMap<B256, (Address, u64)>,
    arrivals: u64,
    /// How many have come since the last block that can be executed.
    pub(super) fresh: usize,
}

impl Pool {
    /// Takes a transaction in. Returns what tells when it is durable, if it can be executed now.
    pub(super) fn insert(
        &mut self,
        tx: Arc<Checked>,
        world: &World,
    ) -> Result<Option<oneshot::Receiver<()>>, RpcError> {
        if self.positions.contains_key(&tx.hash) {
            return Err(RpcError::rejected("transaction already imported"));
        }
        let (sender, nonce) = (tx.sender, tx.envelope.nonce());
        let queue = self.by_sender.entry(sender).or_default();
        if let Some(old) = queue.get(&nonce) {
            if !outbids(&tx, &old.tx) {
                return Err(RpcError::rejected("replacement transaction underpriced"));
            }
        } else if self.positions.len() >= POOL_MAX || queue.len() >= PER_SENDER_MAX {
            return Err(RpcError::rejected("txpool is full"));
        }
        let executable = (world.nonce(sender)..nonce).all(|before| queue.contains_key(&before));
        let (told, waiter) = oneshot::channel();
        self.arrivals += 1;
        self.fresh += usize::from(executable);
        self.positions.insert(tx.hash, (sender, nonce));
        let pooled = Pooled { tx, arrival: self.arrivals, waiter: executable.then_some(told) };
        if let Some(old) = queue.insert(nonce, pooled) {
            self.positions.remove(&old.tx.hash);
        }
        Ok(executable.then_some(waiter))
    }

    pub(super) fn get(&self, hash: B256) -> Option<&Arc<Checked>> {
        let (sender, nonce) = self.positions.get(&hash)?;
        self.by_sender.get(sender)?.get(nonce).map(|pooled| &pooled.tx)
    }

    /// The nonce that the sender's next transaction needs, those that wait counted in.
    pub(super) fn next_nonce(&self, sender: Address, world: &World) -> u64 {
        let mut nonce = world.nonce(sender);
        if let Some(queue) = self.by_sender.get(&sender) {
            while queue.contains_key(&nonce) {
                nonce += 1;
            }
        }
        nonce
    }

    /// What the next block can take, first come first served, each sender's in the order of its nonces.
    pub(super) fn ready(&self, world: &World, base_fee: u64) -> Vec<Arc<Checked>> {
        let mut ready = Vec::new();
        for (sender, queue) in &self.by_sender {
            let mut latest = 0;
            for (expected, (nonce, pooled)) in (world.nonce(*sender)..).zip(queue) {
                if *nonce != expected || pooled.tx.envelope.max_fee_per_gas() < u128::from(base_fee) {
                    break;
                }
                latest = pooled.arrival.max(latest);
                ready.push((latest, *nonce, Arc::clone(&pooled.tx)));
            }
        }
        ready.sort_unstable_by_key(|(arrival, nonce, _)| (*arrival, *nonce));
        ready.into_iter().take(BLOCK_TXS_MAX).map(|(_, _, tx)| tx).collect()
    }

    /// Forgets transactions that are in a block or never can be, and tells those that wait for them.
    pub(super) fn settle(&mut self, included: impl Iterator<Item = B256>, refused: &[B256]) {
        for hash in included {
            if let Some(waiter) = self.remove(hash).and_then(|pooled| pooled.waiter) {
                // Nobody listens any more when the client has gone away.
                let _ = waiter.send(());
            }
        }
        for hash in refused {
            self.remove(*hash);
        }
    }

    /// Forgets what the state has overtaken, and everything when the chain was taken back.
    pub(super) fn clear(&mut self) {
        *self = Self { arrivals: self.arrivals, ..Self::default() };
    }

    /// Drops transactions whose nonce was used by another one.
    pub(super) fn drop_stale(&mut self, sender: Address, world: &World) {
        let next = world.nonce(sender);
        let Some(queue) = self.by_sender.get_mut(&sender) else { return };
        let live = queue.split_off(&next);
        for stale in std::mem::replace(queue, live).into_values() {
            self.positions.remove(&stale.tx.hash);
        }
        if queue.is_empty() {
            self.by_sender.remove(&sender);
        }
    }

    fn remove(&mut self, hash: B256) -> Option<Pooled> {
        let (sender, nonce) = self.positions.remove(&hash)?;
        let queue = self.by_sender.get_mut(&sender)?;
        let pooled = queue.remove(&nonce);
        if queue.is_empty() {
            self.by_sender.remove(&sender);
        }
        pooled
    }
}

fn outbids(new: &Checked, old: &Checked) -> bool {
    let fees = |tx: &Checked| {
        let tip = tx.envelope.max_priority_fee_per_gas();
        (tx.envelope.max_fee_per_gas(), tip.unwrap_or_else(|| tx.envelope.max_fee_per_gas()))
    };
    let enough = |new: u128, old: u128| new >= old.saturating_mul(100 + BUMP_PERCENT).div_ceil(100);
    let ((new_max, new_tip), (old_max, old_tip)) = (fees(new), fees(old));
    enough(new_max, old_max) && enough(new_tip, old_tip) && new_max > old_max
}
