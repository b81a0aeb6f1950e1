//! Our leases and everybody's offers, as the market's events name them. Kept in memory, read again from the chain after a
//! start.

use std::collections::{BTreeMap, HashMap};

use chain::follow::{Cursor, FollowError, FollowSettings, Follower};
use chain::market::{Contact, Happened, Market, MarketEvent, OfferId, Order, Spec};
use chain::{Address, B256};
use domain::{Label, Region, Timestamp};

use crate::error::{Cause, of_follow, of_read};

const BLOCKS_PER_PAGE: u64 = 5_000;
const EVENTS_PER_PAGE: usize = 2_000;
const REORG_DEPTH: usize = 64;
/// Pages of one call; whoever asks again goes on there.
const PAGES_MAX: usize = 10_000;
/// The chain may change while a page is read; so often it is read again at once.
const MOVED_MAX: u32 = 3;

/// A lease of ours.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Its name on the chain.
    pub(crate) id: B256,
    pub(crate) order: Order,
    pub(crate) created_at: Timestamp,
    /// When it was ended or closed before its time, if an event said so.
    pub(crate) closed_at: Option<Timestamp>,
    /// When its provider, or somebody for it, committed to the work.
    pub(crate) committed_at: Option<Timestamp>,
    /// Where its machine stands, as the offer said.
    pub(crate) region: Option<Region>,
    /// Nothing moves any more.
    pub(crate) is_final: bool,
    /// When it was accepted.
    accepted_at: Option<Timestamp>,
    /// When it is over by itself; none before acceptance.
    pub(crate) until: Option<Timestamp>,
    /// Transactions that moved it, oldest first; not all are ours.
    pub(crate) txs: Vec<B256>,
}

/// An offer that was not withdrawn.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) id: OfferId,
    pub(crate) spec: Spec,
}

/// All of it, up to a cursor.
#[derive(Debug, Default)]
pub(crate) struct Index {
    cursor: Option<Cursor>,
    leases: BTreeMap<Label, Record>,
    labels: HashMap<B256, Label>,
    offers: BTreeMap<OfferId, Spec>,
    open: usize,
}

pub(crate) fn follower(market: &Market, from_block: u64, confirmations: u64) -> Follower {
    let settings = FollowSettings {
        addresses: vec![market.address()],
        signatures: Vec::new(),
        from_block,
        blocks_max: BLOCKS_PER_PAGE,
        events_max: EVENTS_PER_PAGE,
        confirmations,
        reorg_depth: REORG_DEPTH,
    };
    Follower::new(market.provider().clone(), settings)
}

impl Index {
    /// Reads on to the head of the chain.
    pub(crate) async fn sync(
        &mut self,
        market: &Market,
        follower: &Follower,
        us: Address,
    ) -> Result<(), Cause> {
        let mut moved = 0;
        for _ in 0..PAGES_MAX {
            let page = match follower.page(self.cursor.as_ref()).await {
                Ok(page) => page,
                Err(FollowError::Moved) if moved < MOVED_MAX => {
                    moved += 1;
                    continue;
                }
                Err(error) => return Err(of_follow(error)),
            };
            if page.undo_from.is_some() {
                // Rare, and what was read is not much: all of it is read again.
                *self = Self::default();
                continue;
            }
            for happened in market.events(&page.events).await.map_err(of_read)? {
                self.take(happened, us);
            }
            self.cursor = Some(page.cursor);
            if page.at_head {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(crate) fn of(&self, label: &Label) -> Option<&Record> {
        self.leases.get(label)
    }

    pub(crate) fn label_of(&self, lease: B256) -> Option<&Label> {
        self.labels.get(&lease)
    }

    /// Whether a lease of ours still waits for something.
    pub(crate) fn any_open(&self) -> bool {
        self.open > 0
    }

    /// What was bought and has not ended at `now`, with the time of its purchase.
    pub(crate) fn running(&self, now: Timestamp) -> Vec<(Label, Timestamp)> {
        let runs = |record: &Record| {
            !record.is_final && record.closed_at.is_none() && record.until.is_none_or(|until| now < until)
        };
        let running = self.leases.iter().filter(|(_, record)| runs(record));
        running.map(|(label, record)| (label.clone(), record.created_at)).collect()
    }

    pub(crate) fn offers(&self) -> Vec<Posted> {
        self.offers.iter().map(|(id, spec)| Posted { id: *id, spec: spec.clone() }).collect()
    }

    fn take(&mut self, happened: Happened, us: Address) {
        match happened.event {
            // An offer whose description cannot be read is none that we could choose.
            MarketEvent::OfferPosted { offer, ref spec, .. } => {
                if let Ok(spec) = Spec::from_bytes(spec) {
                    self.offers.insert(offer, spec);
                }
            }
            MarketEvent::OfferWithdrawn { offer } => {
                self.offers.remove(&offer);
            }
            MarketEvent::LeaseCreated { lease, ref order, ref contact, .. } if order.consumer == us => {
                // What we have not written ourselves we cannot name; nobody else can create in our name.
                let Ok(contact) = Contact::from_bytes(contact) else { return };
                let label = Label::of(contact.lease);
                let record = Record {
                    id: lease,
                    order: order.clone(),
                    created_at: happened.at,
                    closed_at: None,
                    committed_at: None,
                    region: self.offers.get(&order.offer).map(|spec| spec.region.clone()),
                    is_final: false,
                    accepted_at: None,
                    until: None,
                    txs: vec![happened.tx],
                };
                self.labels.insert(lease, label.clone());
                self.leases.insert(label, record);
                self.open += 1;
            }
            ref event => self.progress(event, &happened),
        }
    }

    /// What happened to a lease after its creation.
    fn progress(&mut self, event: &MarketEvent, happened: &Happened) {
        let Some(label) = event.lease().and_then(|lease| self.labels.get(&lease)) else { return };
        let Some(record) = self.leases.get_mut(label) else { return };
        if record.txs.last() != Some(&happened.tx) {
            record.txs.push(happened.tx);
        }
        let lasts = |span: u32| domain::Millis::from_secs(u64::from(span));
        match event {
            MarketEvent::LeaseAccepted { .. } => {
                record.accepted_at = Some(happened.at);
                record.until = Some(happened.at + lasts(record.order.span));
            }
            MarketEvent::LeaseExtended { span, .. } => {
                record.until = record.accepted_at.map(|accepted_at| accepted_at + lasts(*span));
            }
            MarketEvent::LeaseEnded { .. } => {
                record.closed_at.get_or_insert(happened.at);
            }
            MarketEvent::LeaseCommitted { .. } => {
                record.closed_at.get_or_insert(happened.at);
                record.committed_at = Some(happened.at);
            }
            MarketEvent::LeaseCancelled { .. }
            | MarketEvent::LeaseSettled { .. }
            | MarketEvent::LeaseRefunded { .. }
            | MarketEvent::LeaseSlashed { .. } => {
                record.closed_at.get_or_insert(happened.at);
                record.is_final = true;
                self.open = self.open.saturating_sub(1);
            }
            _ => {}
        }
    }
}
