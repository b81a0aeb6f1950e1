//! A lease of ours, as the market's events tell it.

use chain::B256;
use chain::market::{Happened, MarketEvent, Order, Settings, State, moment};
use domain::{Millis, Region, Timestamp};
use market::{Commitment, Committed};

/// What is known of a lease. Little of it is left once it is final.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    /// Its name on the chain.
    pub(crate) id: B256,
    /// What names it in every transaction; none once it is final and nothing can be checked.
    pub(crate) order: Option<Box<Order>>,
    pub(crate) created_at: Timestamp,
    pub(crate) state: State,
    /// Where its machine stands, as the offer said.
    pub(crate) region: Option<Region>,
    /// Micro-units for an hour. No event tells it.
    pub(crate) rate: Option<u64>,
    /// Seconds bought.
    pub(crate) span: u32,
    /// Billing runs since then.
    pub(crate) started_at: Option<Timestamp>,
    /// The last moment for the parties to act.
    pub(crate) deadline: Timestamp,
    pub(crate) commitment: Option<Committed>,
    /// What the provider was paid, in micro-units.
    pub(crate) paid: u64,
    /// Transactions that moved it, oldest first; not all are ours.
    pub(crate) txs: Vec<B256>,
    /// When an event ended it, and the seconds to pay for.
    closed: Option<(Timestamp, u32)>,
}

fn lasting(seconds: u32) -> Millis {
    Millis::from_secs(u64::from(seconds))
}

impl Lease {
    pub(crate) fn created(id: B256, order: Order, region: Option<Region>, happened: &Happened) -> Self {
        Self {
            id,
            created_at: happened.at,
            state: State::Open,
            region,
            rate: None,
            span: order.span,
            started_at: None,
            deadline: moment(order.accept_by),
            commitment: None,
            paid: 0,
            txs: vec![happened.tx],
            closed: None,
            order: Some(Box::new(order)),
        }
    }

    /// What happened to it after its creation.
    pub(crate) fn take(&mut self, event: &MarketEvent, happened: &Happened, settings: &Settings) {
        if self.txs.last() != Some(&happened.tx) {
            self.txs.push(happened.tx);
        }
        let at = happened.at;
        match *event {
            MarketEvent::LeaseAccepted { .. } => {
                self.state = State::Active;
                self.started_at = Some(at);
                self.deadline = at + lasting(self.span) + lasting(settings.commit_window);
            }
            MarketEvent::LeaseExtended { span, .. } => {
                self.deadline = self.deadline + lasting(span.saturating_sub(self.span));
                self.span = span;
            }
            MarketEvent::LeaseEnded { used, .. } => {
                self.close(State::Ended, at, used);
                self.deadline = at + lasting(settings.commit_window);
            }
            MarketEvent::LeaseCommitted { root, leaf_count, used, .. } => {
                self.close(State::Committed, at, used);
                self.deadline = at + lasting(settings.verdict_window);
                self.commitment = Some(Committed { commitment: Commitment { root: root.0, leaf_count }, at });
            }
            MarketEvent::LeaseDisputed { deadline, .. } => {
                self.state = State::Disputed;
                self.deadline = deadline;
            }
            MarketEvent::LeaseSettled { paid, .. } => {
                self.paid = paid;
                self.finish(State::Settled, at);
            }
            MarketEvent::LeaseCancelled { .. } => self.finish(State::Cancelled, at),
            MarketEvent::LeaseRefunded { .. } => self.finish(State::Refunded, at),
            MarketEvent::LeaseSlashed { .. } => self.finish(State::Slashed, at),
            _ => {}
        }
    }

    /// When its time is over, unless it is extended.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.started_at.map(|started_at| started_at + lasting(self.span))
    }

    /// When it ended and how many seconds are billed, if it has at `now`.
    pub(crate) fn ended(&self, now: Timestamp) -> Option<(Timestamp, u32)> {
        let over = self.until().filter(|until| now >= *until).map(|until| (until, self.span));
        self.closed.or(over)
    }

    /// The end of billing, if it has not come before: what was used until `at`, and no more than was bought.
    fn close(&mut self, state: State, at: Timestamp, used: u32) {
        self.state = state;
        let end = self.started_at.map_or(at, |started_at| started_at + lasting(used));
        self.closed.get_or_insert((end, used));
    }

    fn finish(&mut self, state: State, at: Timestamp) {
        let used = match self.started_at {
            Some(started_at) => u32::try_from(at.since(started_at).0 / 1000).unwrap_or(u32::MAX),
            None => 0,
        };
        self.close(state, at, used.min(self.span));
        // A proof of committed work is concluded with its order, also when the lease was over first.
        if self.commitment.is_none() {
            self.order = None;
        }
        self.region = None;
        self.txs.shrink_to_fit();
    }
}
