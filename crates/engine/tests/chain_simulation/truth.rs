//! What the chain says of every lease, read by somebody whom nobody can cut off.

use std::collections::BTreeMap;

use chain::B256;
use chain::follow::{Cursor, FollowSettings, Follower};
use chain::market::{Cause, Contact, Market, MarketEvent, Order};
use domain::Label;

/// A lease, as the chain's events tell it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) label: Label,
    pub(crate) order: Order,
    /// Micro-units that its provider got, and by whose word.
    pub(crate) paid: Option<(u64, Cause)>,
    pub(crate) root: Option<(B256, u32)>,
    pub(crate) is_final: bool,
}

pub(crate) struct Truth {
    follower: Follower,
    cursor: Option<Cursor>,
    pub(crate) leases: BTreeMap<B256, Known>,
}

impl Truth {
    pub(crate) fn of(market: &Market) -> Self {
        let settings = FollowSettings {
            addresses: vec![market.address()],
            signatures: Vec::new(),
            from_block: 0,
            blocks_max: 10_000,
            events_max: 10_000,
            confirmations: 0,
            reorg_depth: 1,
        };
        let follower = Follower::new(market.provider().clone(), settings);
        Self { follower, cursor: None, leases: BTreeMap::new() }
    }

    /// Reads on to the head. What cannot be is a broken rule.
    pub(crate) async fn sync(&mut self, market: &Market) -> Result<(), String> {
        let page = self.follower.page(self.cursor.as_ref()).await.unwrap();
        for happened in market.events(&page.events).await.unwrap() {
            self.take(happened.event)?;
        }
        self.cursor = Some(page.cursor);
        Ok(())
    }

    fn take(&mut self, event: MarketEvent) -> Result<(), String> {
        if let MarketEvent::LeaseCreated { lease, order, contact, .. } = &event {
            let label = Label::of(Contact::from_bytes(contact).unwrap().lease);
            if self.leases.values().any(|known| known.label == label) {
                return Err(format!("{label} was bought twice"));
            }
            let known = Known { label, order: order.clone(), paid: None, root: None, is_final: false };
            self.leases.insert(*lease, known);
            return Ok(());
        }
        let Some(known) = event.lease().and_then(|lease| self.leases.get_mut(&lease)) else { return Ok(()) };
        match event {
            MarketEvent::LeaseCommitted { root, leaf_count, .. } => known.root = Some((root, leaf_count)),
            MarketEvent::LeaseSettled { paid, cause, .. } => {
                if known.paid.replace((paid, cause)).is_some() {
                    return Err(format!("{} was paid twice", known.label));
                }
                known.is_final = true;
            }
            MarketEvent::LeaseCancelled { .. }
            | MarketEvent::LeaseRefunded { .. }
            | MarketEvent::LeaseSlashed { .. } => known.is_final = true,
            _ => {}
        }
        Ok(())
    }

    /// All that was ever paid, in micro-units.
    pub(crate) fn paid(&self) -> u64 {
        self.leases.values().filter_map(|known| known.paid).map(|(paid, _)| paid).sum()
    }
}
