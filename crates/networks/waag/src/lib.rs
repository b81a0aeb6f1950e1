#![doc = include_str!("../README.md")]

mod error;
mod escrow;
mod index;
mod lease;
mod network;
mod notary;
mod order;

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

use chain::B256;
use chain::follow::Follower;
use chain::market::{Market, charge, usd};
use chain::sender::{Call, IntentKey, Mined, SendError, Sender};
use custody::EvmSigner;
use domain::{Clock, Label, NetworkName, Timestamp, Usd};
use market::{Error, Operation};
use tokio::sync::Mutex;

use crate::error::Cause;
use crate::index::Index;
use crate::lease::Lease;

/// What keeps the chain making blocks, so that deadlines pass; dropped when no lease of ours needs it.
pub type Heartbeat = Box<dyn Any + Send>;

/// The parts of this network.
pub struct Parts {
    /// Its name in job files and tables.
    pub name: NetworkName,
    /// The market on its chain.
    pub market: Market,
    /// The notary on the same chain, for work of every network; `None` where nobody checks any.
    pub notary: Option<chain::notary::Notary>,
    /// The block of the market's creation: nothing of it is older.
    pub from_block: u64,
    /// Blocks that must follow an event before it counts.
    pub confirmations: u64,
    /// Sends for the account that leases are paid from.
    pub sender: Arc<Sender>,
    /// The same account's key, for its word that it has a state.
    pub signer: EvmSigner,
    /// Time, by which orders get their deadline.
    pub clock: Arc<dyn Clock>,
    /// Whether the chain's money is worth nothing.
    pub simulated: bool,
    /// Asks the chain for blocks.
    pub heartbeat: Box<dyn Fn() -> Heartbeat + Send + Sync>,
}

/// Our own market, from the consumer's side.
pub struct WaagNetwork {
    name: NetworkName,
    market: Market,
    notary: Option<chain::notary::Notary>,
    from_block: u64,
    follower: Follower,
    sender: Arc<Sender>,
    signer: EvmSigner,
    clock: Arc<dyn Clock>,
    simulated: bool,
    heartbeat: Box<dyn Fn() -> Heartbeat + Send + Sync>,
    seen: Mutex<Seen>,
}

/// What was read from the chain so far.
#[derive(Default)]
struct Seen {
    index: Index,
    /// Our proofs that are not concluded.
    proving: HashSet<B256>,
    beating: Option<Heartbeat>,
}

/// A lease of ours at a moment.
struct Found {
    lease: Lease,
    /// Micro-units for an hour.
    rate: u64,
    /// The time of the newest block that was read.
    now: Timestamp,
}

impl WaagNetwork {
    /// Nothing is asked of the chain yet.
    pub fn new(parts: Parts) -> Self {
        let Parts { name, market, notary, from_block, confirmations, sender, signer, .. } = parts;
        let (clock, simulated, heartbeat) = (parts.clock, parts.simulated, parts.heartbeat);
        let follower = market.follower(from_block, confirmations, &[]);
        Self {
            name,
            market,
            notary,
            from_block,
            follower,
            sender,
            signer,
            clock,
            simulated,
            heartbeat,
            seen: Mutex::default(),
        }
    }

    /// Reads what is new, and says what `look` finds then.
    async fn with_index<T>(
        &self,
        operation: Operation,
        look: impl FnOnce(&Index) -> T + Send,
    ) -> Result<T, Error> {
        let mut seen = self.seen.lock().await;
        let read = seen.index.sync(&self.market, &self.follower, self.sender.address()).await;
        read.map_err(|error| error.in_call(&self.name, operation))?;
        self.beat(&mut seen);
        Ok(look(&seen.index))
    }

    /// Keeps the chain going while something of ours waits for it.
    fn beat(&self, seen: &mut Seen) {
        match (seen.index.any_open() || !seen.proving.is_empty(), seen.beating.is_some()) {
            (true, false) => seen.beating = Some((self.heartbeat)()),
            (false, true) => seen.beating = None,
            _ => {}
        }
    }

    /// The lease with this label, if there is one.
    async fn find(&self, operation: Operation, label: &Label) -> Result<Option<Found>, Error> {
        let look = |index: &Index| index.of(label).cloned().map(|lease| (lease, index.now));
        let Some((lease, now)) = self.with_index(operation, look).await? else { return Ok(None) };
        let rate = match lease.rate {
            Some(rate) => rate,
            None => self.rate(operation, label, &lease).await?,
        };
        Ok(Some(Found { lease, rate, now }))
    }

    /// The rate of a lease, which never changes.
    async fn rate(&self, operation: Operation, label: &Label, lease: &Lease) -> Result<u64, Error> {
        let found = self.market.lease(lease.id).await.map_err(error::of_read);
        let found = found.and_then(|found| found.ok_or_else(Cause::behind));
        let rate = found.map_err(|cause| cause.in_call(&self.name, operation))?.rate;
        self.seen.lock().await.index.keep_rate(label, rate);
        Ok(rate)
    }

    /// Makes a call happen. What it leads to is seen on the chain, so that it may be asked for again afterwards and its
    /// transaction need not be kept.
    async fn send(&self, key: String, call: Call) -> Result<Mined, SendError> {
        let key = IntentKey(key);
        let sent = self.sender.send(&key, &call).await;
        self.forget(&key, sent.as_ref().err()).await;
        sent
    }

    /// Lets happen what was signed before under this key; false when there is nothing that still can.
    async fn resume(&self, key: String) -> Result<bool, SendError> {
        let key = IntentKey(key);
        let sent = self.sender.resume(&key).await;
        self.forget(&key, sent.as_ref().err()).await;
        match sent {
            Ok(mined) => Ok(mined.is_some()),
            Err(SendError::Reverted { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn forget(&self, key: &IntentKey, error: Option<&SendError>) {
        let over = matches!(error, None | Some(SendError::Reverted { hash: Some(_), .. }));
        if over && let Err(error) = self.sender.forget(key).await {
            // It is only looked for once more than needed.
            tracing::warn!(error = domain::chain(&error), "a journal keeps what is over");
        }
    }
}

impl Found {
    /// When it ended, and how many seconds are billed, once it has.
    fn ended(&self) -> Option<(Timestamp, u32)> {
        self.lease.ended(self.now)
    }

    /// What so many seconds cost.
    fn price(&self, seconds: u32) -> Usd {
        usd(charge(self.rate, seconds).unwrap_or(u64::MAX))
    }
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or_default() / 1000
}
