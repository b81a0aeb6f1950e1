//! The shared core of the simulated networks, behind the trait.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Assurance, Clock, Firmness, Label, Millis, NetworkName, Offer, Timestamp, Usd, UsdPerHour};
use tokio::sync::{Mutex, MutexGuard};

use super::SimConfig;
use super::auction::{self, Auction};
use super::books::Books;
use super::cloud::Cloud;
use super::lease::{Lease, Phase};
use super::order::{BOOT_BYTES_MAX, Order, Wanted};
use super::queue::Queue;
use super::recording::Recording;
use super::shop::{Kind, Shop};
use super::spot::Spot;
use super::state::{StateError, StateFile};
use crate::{
    Balance, Capability, Error, ErrorKind, Intent, Listed, Machine, Network, Observation, Operation,
    RetryStatus, Terms,
};

/// A simulated network.
pub struct SimNetwork {
    pub(super) kind: Box<dyn Kind>,
    pub(super) shop: Shop,
    pub(super) machine: Arc<dyn Machine>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) books: Mutex<Books>,
}

/// A call under way: the books are ours until it ends.
pub(super) struct Call<'a> {
    pub(super) books: MutexGuard<'a, Books>,
    pub(super) operation: Operation,
    /// Whom the call is about; draws depend on it.
    about: String,
    pub(super) number: u64,
    pub(super) now: Timestamp,
}

impl SimNetwork {
    /// A catalogue of firm offers, like a cloud.
    ///
    /// # Errors
    /// The state cannot be read or written.
    pub fn cloud(
        config: SimConfig,
        clock: Arc<dyn Clock>,
        machine: Arc<dyn Machine>,
        state: &StateFile,
    ) -> Result<Self, StateError> {
        Self::open(Box::new(Cloud), config, clock, machine, state)
    }

    /// An auction with escrow, like Akash.
    ///
    /// # Errors
    /// The state cannot be read or written.
    pub fn auction(
        config: SimConfig,
        clock: Arc<dyn Clock>,
        machine: Arc<dyn Machine>,
        state: &StateFile,
    ) -> Result<Self, StateError> {
        Self::open(Box::new(Auction), config, clock, machine, state)
    }

    /// A prepaid queue that assigns the provider later.
    ///
    /// # Errors
    /// The state cannot be read or written.
    pub fn queue(
        config: SimConfig,
        clock: Arc<dyn Clock>,
        machine: Arc<dyn Machine>,
        state: &StateFile,
    ) -> Result<Self, StateError> {
        Self::open(Box::new(Queue), config, clock, machine, state)
    }

    /// A cloud that sells spare machines for less and takes them away, as they were recorded.
    ///
    /// # Errors
    /// The state cannot be read or written.
    pub fn spot(
        config: SimConfig,
        recording: Arc<Recording>,
        clock: Arc<dyn Clock>,
        machine: Arc<dyn Machine>,
        state: &StateFile,
    ) -> Result<Self, StateError> {
        Self::open(Box::new(Spot { recording }), config, clock, machine, state)
    }

    fn open(
        kind: Box<dyn Kind>,
        config: SimConfig,
        clock: Arc<dyn Clock>,
        machine: Arc<dyn Machine>,
        state: &StateFile,
    ) -> Result<Self, StateError> {
        let books = Mutex::new(Books::open(state, clock.now())?);
        Ok(Self { shop: Shop::new(config, kind.as_ref()), kind, machine, clock, books })
    }

    /// Waits for the network's latency and its books, and lets everything happen that is due.
    pub(super) async fn enter(&self, operation: Operation, about: &str) -> Result<Call<'_>, Error> {
        let longest = self.shop.config.latency;
        if longest > Millis::ZERO {
            let shortest = longest.0 / 2;
            let nanos = self.clock.now().0.cast_unsigned();
            let more = self.shop.dice.below(longest.0 - shortest + 1, "latency", about, nanos);
            tokio::time::sleep(Millis(shortest + more).duration()).await;
        }
        let mut books = self.books.lock().await;
        books.calls += 1;
        let now = self.clock.now();
        self.advance(&mut books, now).await.map_err(|e| self.unwritten(operation, e))?;
        let number = books.calls;
        let call = Call { books, operation, about: about.to_owned(), number, now };
        if self.strikes(&call, self.shop.config.habits.unavailable, "unavailable") {
            return Err(self.error(
                operation,
                ErrorKind::Unavailable,
                RetryStatus::Temporary,
                "down for a moment",
            ));
        }
        Ok(call)
    }

    pub(super) fn strikes(&self, call: &Call<'_>, chance: u16, habit: &str) -> bool {
        self.shop.dice.hits(chance, &format!("{habit}/{}", call.operation), &call.about, call.number)
    }

    /// The reply is lost before anything happened.
    fn lost_before(&self, call: &Call<'_>) -> Result<(), Error> {
        self.lost(call, self.shop.config.habits.reply_lost_before, "lost_before")
    }

    /// It happened, but the reply is lost.
    fn lost_after(&self, call: &Call<'_>) -> Result<(), Error> {
        self.lost(call, self.shop.config.habits.reply_lost_after, "lost_after")
    }

    fn lost(&self, call: &Call<'_>, chance: u16, habit: &str) -> Result<(), Error> {
        if self.strikes(call, chance, habit) {
            let (kind, status) = (ErrorKind::Unavailable, RetryStatus::UnknownOutcome);
            return Err(self.error(call.operation, kind, status, "the reply was lost"));
        }
        Ok(())
    }

    fn error(&self, operation: Operation, kind: ErrorKind, status: RetryStatus, context: &str) -> Error {
        Error::new(&self.shop.config.name, operation, kind, status, context)
    }

    pub(super) fn refuse(&self, call: &Call<'_>, kind: ErrorKind, context: &str) -> Error {
        self.error(call.operation, kind, RetryStatus::Permanent, context)
    }

    /// What was to be written may be half done, so nobody is told that nothing happened.
    pub(super) fn unwritten(&self, operation: Operation, source: StateError) -> Error {
        let effect = matches!(operation, Operation::Submit | Operation::Extend | Operation::Release);
        let status = if effect { RetryStatus::UnknownOutcome } else { RetryStatus::Temporary };
        self.error(operation, ErrorKind::Unavailable, status, "its own books failed").caused_by(source)
    }

    /// What the network shows of a lease when it does not lie.
    fn shown(&self, books: &Books, lease: &Lease, now: Timestamp) -> Observation {
        match &lease.phase {
            Phase::Bidding { closes_at, .. } => Observation::Bidding {
                bids: auction::bids(&self.shop, books, lease, now),
                closes_at: *closes_at,
            },
            Phase::Queued { .. } => Observation::Queued,
            Phase::Live(seat) => {
                let provider = self.shop.providers.get(&seat.provider);
                Observation::Live {
                    provider: seat.provider.clone(),
                    region: provider.and_then(|p| p.region.clone()),
                    assurance: provider.map_or(Assurance::Claimed, |p| p.assurance),
                    since: seat.since,
                    until: seat.until,
                }
            }
            Phase::Ended { at, billed, .. } => Observation::Ended { at: *at, billed: *billed },
        }
    }
}

#[async_trait]
impl Network for SimNetwork {
    fn name(&self) -> &NetworkName {
        &self.shop.config.name
    }

    fn capability(&self) -> Capability {
        self.shop.capability
    }

    async fn offers(&self) -> Result<Vec<Offer>, Error> {
        let call = self.enter(Operation::Offers, "").await?;
        let offer = |listing| {
            let plain = self.shop.plain(listing, call.now);
            self.kind.offer(&self.shop, &call.books, listing, plain)
        };
        Ok(self.shop.listings.values().filter_map(offer).collect())
    }

    async fn prepare(&self, offer: &Offer, terms: &Terms) -> Result<Intent, Error> {
        let wrong =
            |kind, context: &str| self.error(Operation::Prepare, kind, RetryStatus::Permanent, context);
        if offer.id.network != self.shop.config.name {
            return Err(wrong(ErrorKind::InvalidInput, "the offer is another network's"));
        }
        if terms.boot.expose().len() > BOOT_BYTES_MAX {
            return Err(wrong(ErrorKind::InvalidInput, "the boot bytes are too long"));
        }
        let bid = self.shop.capability.auction && offer.firmness == Firmness::Firm;
        let (what, price) = match (&offer.provider, self.shop.listings.get(&offer.id.reference)) {
            (Some(provider), _) if bid => (Wanted::Bid { provider: provider.clone() }, offer.price),
            (_, Some(listing)) => {
                let what = Wanted::Listing { reference: listing.reference.clone(), quoted_at: offer.seen_at };
                (what, self.shop.price(listing, offer.seen_at))
            }
            _ => return Err(wrong(ErrorKind::NotFound, "no such offer")),
        };
        if price == UsdPerHour::new(Usd::ZERO) {
            return Err(wrong(ErrorKind::Refused, "the offer names no price"));
        }
        if price > terms.ceiling && offer.firmness != Firmness::Auction {
            return Err(wrong(ErrorKind::InvalidInput, "the offer is dearer than the ceiling"));
        }
        Order::new(what, terms)
            .intent(&terms.boot)
            .map_err(|e| wrong(ErrorKind::Unexpected, "the order could not be written").caused_by(e))
    }

    async fn submit(&self, intent: &Intent) -> Result<(), Error> {
        let mut call = self.enter(Operation::Submit, intent.label.as_str()).await?;
        let Some((order, boot)) = Order::read(intent) else {
            return Err(self.refuse(&call, ErrorKind::InvalidInput, "the intent is not one of this network"));
        };
        self.lost_before(&call)?;
        self.buy(&mut call, order, boot).await?;
        self.lost_after(&call)
    }

    async fn observe(&self, label: &Label) -> Result<Observation, Error> {
        let call = self.enter(Operation::Observe, label.as_str()).await?;
        let Some(lease) = call.books.get(label).filter(|lease| call.now >= lease.visible_at) else {
            return Ok(Observation::Absent);
        };
        let fate = self.shop.fate(label);
        let excused = call.now < lease.bought_at + self.shop.capability.visibility;
        if fate.flickers && excused && call.number % 2 == 1 {
            return Ok(Observation::Absent);
        }
        let lies = |since: Timestamp| call.now < since + fate.falsely_queued_for;
        if lease.live().is_some_and(|seat| lies(seat.since)) {
            return Ok(Observation::Queued);
        }
        Ok(self.shown(&call.books, lease, call.now))
    }

    async fn list_ours(&self) -> Result<Vec<Listed>, Error> {
        let call = self.enter(Operation::ListOurs, "").await?;
        let shown = call.books.open_leases().filter(|lease| call.now >= lease.visible_at);
        Ok(shown.map(|lease| Listed { label: lease.label.clone(), since: lease.bought_at }).collect())
    }

    async fn extend(&self, label: &Label, span: Millis) -> Result<(), Error> {
        let mut call = self.enter(Operation::Extend, label.as_str()).await?;
        if !self.shop.capability.extend {
            return Err(self.refuse(&call, ErrorKind::Unsupported, "its leases cannot be lengthened"));
        }
        let Some(mut lease) = call.books.get(label).cloned() else {
            return Err(self.refuse(&call, ErrorKind::NotFound, "no lease of this label"));
        };
        let Phase::Live(seat) = &mut lease.phase else {
            return Err(self.refuse(&call, ErrorKind::Refused, "the lease is not live"));
        };
        self.lost_before(&call)?;
        seat.until = seat.until.map(|until| until.max(seat.since + span));
        self.put(&mut call.books, lease).map_err(|e| self.unwritten(Operation::Extend, e))?;
        self.lost_after(&call)
    }

    async fn release(&self, label: &Label) -> Result<Observation, Error> {
        let mut call = self.enter(Operation::Release, label.as_str()).await?;
        self.lost_before(&call)?;
        let now = call.now;
        let Some(mut lease) = call.books.get(label).filter(|lease| now >= lease.visible_at).cloned() else {
            return Ok(Observation::Absent);
        };
        let unwritten = |e| self.unwritten(Operation::Release, e);
        match &mut lease.phase {
            Phase::Bidding { .. } | Phase::Queued { .. } => {
                lease.phase = Phase::Ended { at: now, billed: Usd::ZERO, seat: None };
                self.put(&mut call.books, lease).map_err(unwritten)?;
                call.books.journal.boot_remove(label).map_err(unwritten)?;
            }
            Phase::Live(seat) => {
                seat.asks += 1;
                seat.asked_at = seat.asked_at.or(Some(now));
                if seat.asks < self.shop.fate(label).release_calls {
                    self.put(&mut call.books, lease).map_err(unwritten)?;
                } else {
                    let seat = seat.clone();
                    let ended = self.end(&mut call.books, lease, seat, now, now).await.map_err(unwritten)?;
                    ended.map_err(|e| {
                        let (kind, status) = (ErrorKind::Unavailable, RetryStatus::Temporary);
                        self.error(Operation::Release, kind, status, "the machine still runs").caused_by(e)
                    })?;
                }
            }
            Phase::Ended { .. } => {}
        }
        self.lost_after(&call)?;
        let lease = call.books.get(label);
        Ok(lease.map_or(Observation::Absent, |lease| self.shown(&call.books, lease, now)))
    }

    async fn balance(&self) -> Result<Balance, Error> {
        let call = self.enter(Operation::Balance, "").await?;
        let left = call.books.left_of(self.shop.config.funds);
        Ok(Balance { available: self.shop.takes_funds().then_some(left) })
    }
}
