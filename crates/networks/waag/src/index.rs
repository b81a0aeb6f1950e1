//! Our leases and everybody's offers, as the market's events tell them. Kept in memory, read again from the chain after a
//! start.

use std::collections::{BTreeMap, HashMap};

use chain::follow::{Cursor, FollowError, Follower};
use chain::market::{Contact, Happened, Market, MarketEvent, OfferId, Settings, Spec};
use chain::{Address, B256};
use domain::{Label, LeaseId, Timestamp};

use crate::error::{Cause, of_follow, of_read};
use crate::lease::Lease;

/// Pages of one call; whoever asks again goes on there.
const PAGES_MAX: usize = 10_000;
/// The chain may change while a page is read; so often it is read again at once.
const MOVED_MAX: u32 = 3;
/// More offers than anybody chooses among. Each unit offered needs stake, but a withdrawn offer's stake can be offered again.
const OFFERS_MAX: usize = 2_000;

/// An offer that was not withdrawn.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) id: OfferId,
    pub(crate) spec: Spec,
    /// It can be taken before this.
    pub(crate) until: Timestamp,
}

/// All of it, up to a cursor.
#[derive(Debug, Default)]
pub(crate) struct Index {
    cursor: Option<Cursor>,
    leases: BTreeMap<LeaseId, Lease>,
    /// From a lease's name on the chain to ours.
    names: HashMap<B256, LeaseId>,
    offers: BTreeMap<OfferId, Posted>,
    open: usize,
    /// The time up to which all of this is so: that of the last block that was read.
    pub(crate) now: Timestamp,
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
                // What was read is not much: all of it is read again.
                Err(FollowError::TooDeep { .. }) if self.cursor.is_some() => {
                    *self = Self::default();
                    continue;
                }
                Err(error) => return Err(of_follow(error)),
            };
            if page.undo_from.is_some() {
                *self = Self::default();
                continue;
            }
            for happened in market.events(&page.events).await.map_err(of_read)? {
                self.take(happened, market.settings(), us);
            }
            let before = self.cursor.replace(page.cursor.clone());
            if !page.at_head {
                continue;
            }
            if before.as_ref() != Some(&page.cursor) {
                self.now = market.time(page.cursor.number).await.map_err(of_read)?;
            }
            return Ok(());
        }
        Err(Cause::behind())
    }

    pub(crate) fn of(&self, label: &Label) -> Option<&Lease> {
        self.leases.get(&label.lease()?)
    }

    pub(crate) fn label_of(&self, lease: B256) -> Option<Label> {
        self.names.get(&lease).copied().map(Label::of)
    }

    /// Keeps the rate of a lease, which no event tells.
    pub(crate) fn keep_rate(&mut self, label: &Label, rate: u64) {
        if let Some(lease) = label.lease().and_then(|id| self.leases.get_mut(&id)) {
            lease.rate = Some(rate);
        }
    }

    /// Whether a lease of ours still waits for something.
    pub(crate) fn any_open(&self) -> bool {
        self.open > 0
    }

    /// What was bought and has not ended, with the time of its purchase.
    pub(crate) fn running(&self) -> Vec<(Label, Timestamp)> {
        let running = self.leases.iter().filter(|(_, lease)| lease.ended(self.now).is_none());
        running.map(|(id, lease)| (Label::of(*id), lease.created_at)).collect()
    }

    pub(crate) fn offers(&self) -> Vec<Posted> {
        self.offers.values().cloned().collect()
    }

    fn take(&mut self, happened: Happened, settings: &Settings, us: Address) {
        match happened.event {
            // An offer whose description cannot be read is none that we could choose.
            MarketEvent::OfferPosted { offer, terms, ref spec } => {
                if let Ok(spec) = Spec::from_bytes(spec) {
                    let until = chain::market::moment(terms.available_until);
                    self.take_offer(Posted { id: offer, spec, until }, happened.at);
                }
            }
            MarketEvent::OfferWithdrawn { offer } => {
                self.offers.remove(&offer);
            }
            MarketEvent::LeaseCreated { lease, ref order, ref contact, .. } if order.consumer == us => {
                // What we have not written ourselves we cannot name; nobody else can create in our name.
                let Ok(contact) = Contact::from_bytes(contact) else { return };
                let region = self.offers.get(&order.offer).map(|posted| posted.spec.region.clone());
                self.names.insert(lease, contact.lease);
                self.leases.insert(contact.lease, Lease::created(lease, order.clone(), region, &happened));
                self.open += 1;
            }
            ref event => {
                let Some(id) = event.lease().and_then(|lease| self.names.get(&lease)) else { return };
                let Some(lease) = self.leases.get_mut(id) else { return };
                lease.take(event, &happened, settings);
                if lease.state.is_final() {
                    self.open = self.open.saturating_sub(1);
                }
            }
        }
    }

    fn take_offer(&mut self, posted: Posted, now: Timestamp) {
        if self.offers.len() >= OFFERS_MAX {
            self.offers.retain(|_, other| other.until > now);
        }
        if self.offers.len() < OFFERS_MAX {
            self.offers.insert(posted.id, posted);
        } else {
            tracing::warn!(offer = %posted.id, "there are too many offers to consider one more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Hardware, Millis};

    fn posted(number: usize, until: Timestamp) -> Posted {
        let mut salt = [0; 12];
        salt[..8].copy_from_slice(&number.to_be_bytes());
        let hardware = Hardware { cpus_milli: 1, memory_mib: 1, disk_mib: 1, accelerators: None };
        let (name, region) = ("a".parse().unwrap(), "EU".parse().unwrap());
        let spec = Spec { name, region, hardware, startup: Millis::ZERO };
        Posted { id: OfferId::new(Address::ZERO, salt), spec, until }
    }

    #[test]
    fn offers_have_a_bound_and_those_that_are_over_make_room() {
        let (mut index, now) = (Index::default(), Timestamp(1_000));
        for number in 0..OFFERS_MAX {
            let until = if number % 2 == 0 { now } else { now + Millis(1) };
            index.take_offer(posted(number, until), Timestamp(0));
        }
        index.take_offer(posted(OFFERS_MAX, now + Millis(1)), Timestamp(0));
        assert_eq!(index.offers().len(), OFFERS_MAX, "none is over yet");
        assert!(!index.offers.contains_key(&posted(OFFERS_MAX, now).id));
        index.take_offer(posted(OFFERS_MAX, now + Millis(1)), now);
        assert_eq!(index.offers().len(), OFFERS_MAX / 2 + 1);
        assert!(index.offers.contains_key(&posted(OFFERS_MAX, now).id));
    }
}
