#![doc = include_str!("../README.md")]

mod error;
mod escrow;
mod index;
mod network;
mod notary;
mod order;

use std::any::Any;
use std::sync::Arc;

use chain::follow::Follower;
use chain::market::{Lease, Market, State, charge, moment, usd};
use chain::sender::{Call, IntentKey, Mined, SendError, Sender};
use domain::{Clock, Label, NetworkName, Timestamp, Usd};
use market::{Error, Operation};
use tokio::sync::Mutex;

use crate::index::{Index, Record};

/// What keeps the chain making blocks, so that deadlines pass; dropped when no lease of ours needs it.
pub type Heartbeat = Box<dyn Any + Send>;

/// The parts of this network.
pub struct Parts {
    /// Its name in job files and tables.
    pub name: NetworkName,
    /// The market on its chain.
    pub market: Market,
    /// The block of the market's creation: nothing of it is older.
    pub from_block: u64,
    /// Blocks that must follow an event before it counts.
    pub confirmations: u64,
    /// Sends for the account that leases are paid from.
    pub sender: Arc<Sender>,
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
    follower: Follower,
    sender: Arc<Sender>,
    clock: Arc<dyn Clock>,
    simulated: bool,
    heartbeat: Box<dyn Fn() -> Heartbeat + Send + Sync>,
    seen: Mutex<Seen>,
}

/// What was read from the chain so far.
#[derive(Default)]
struct Seen {
    index: Index,
    beating: Option<Heartbeat>,
}

/// A lease of ours as the chain has it now.
struct Found {
    record: Record,
    lease: Lease,
    /// The time of the newest block.
    now: Timestamp,
}

impl WaagNetwork {
    /// Nothing is asked of the chain yet.
    pub fn new(parts: Parts) -> Self {
        let Parts { name, market, from_block, confirmations, sender, clock, simulated, heartbeat } = parts;
        let follower = index::follower(&market, from_block, confirmations);
        Self { name, market, follower, sender, clock, simulated, heartbeat, seen: Mutex::default() }
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
        match (seen.index.any_open(), seen.beating.is_some()) {
            (true, false) => seen.beating = Some((self.heartbeat)()),
            (false, true) => seen.beating = None,
            _ => {}
        }
        Ok(look(&seen.index))
    }

    /// The lease with this label, if there is one.
    async fn find(&self, operation: Operation, label: &Label) -> Result<Option<Found>, Error> {
        let Some(record) = self.with_index(operation, |index| index.of(label).cloned()).await? else {
            return Ok(None);
        };
        let unreadable = |e| error::of_read(e).in_call(&self.name, operation);
        let lease = self.market.lease(record.id).await.map_err(unreadable)?;
        let now = self.market.head().await.map_err(unreadable)?.at;
        Ok(lease.map(|lease| Found { record, lease, now }))
    }

    /// Makes a call happen. What it leads to is seen on the chain, so that it may be asked for again afterwards and its
    /// transaction need not be kept.
    async fn send(&self, key: String, call: Call) -> Result<Mined, SendError> {
        let key = IntentKey(key);
        let sent = self.sender.send(&key, &call).await;
        let over = matches!(&sent, Ok(_) | Err(SendError::Reverted { hash: Some(_), .. }));
        if over && let Err(error) = self.sender.forget(&key).await {
            // It is only looked for once more than needed.
            tracing::warn!(error = domain::chain(&error), "a journal keeps what is over");
        }
        sent
    }
}

impl Found {
    /// When its time is over, unless it is extended.
    fn until(&self) -> Option<Timestamp> {
        Some(self.lease.started_at? + domain::Millis::from_secs(u64::from(self.lease.span)))
    }

    /// It was accepted, and its time is over.
    fn is_over(&self) -> bool {
        self.lease.state == State::Active && self.until().is_some_and(|until| self.now >= until)
    }

    /// The seconds that are paid for, once that is known.
    fn used(&self) -> u32 {
        if self.lease.state == State::Active { self.lease.span } else { self.lease.used }
    }

    /// When billing stopped, once it has.
    fn ended_at(&self) -> Option<Timestamp> {
        match self.lease.state {
            State::Open => None,
            State::Cancelled => Some(self.record.closed_at.unwrap_or(self.now)),
            State::Active if !self.is_over() => None,
            _ => Some(self.lease.started_at? + domain::Millis::from_secs(u64::from(self.used()))),
        }
    }

    /// What so many seconds cost.
    fn price(&self, seconds: u32) -> Usd {
        usd(charge(self.lease.rate, seconds).unwrap_or(u64::MAX))
    }
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or_default() / 1000
}

fn at(seconds: u64) -> Timestamp {
    moment(seconds)
}
