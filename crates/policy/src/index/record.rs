//! What is kept of an offer, in little memory: names stand once, in tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Assurance, Billing, Firmness, Millis, Offer, Timestamp, Usd, UsdPerHour};

use super::Index;
use crate::facts::{Chips, Facts};

/// In place of a shelf, for what is on none.
pub(super) const OFF_SHELF: u32 = u32::MAX;

/// An offer.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) reference: Arc<str>,
    /// Micro-dollars per hour.
    pub(super) price: i64,
    pub(super) terms: Terms,
    pub(super) memory_mib: u64,
    pub(super) disk_mib: u64,
    pub(super) seen_at: Timestamp,
    pub(super) valid_until: Option<Timestamp>,
    pub(super) network: u32,
    pub(super) provider: Option<u32>,
    pub(super) region: Option<u32>,
    pub(super) class: u32,
    pub(super) shelf: u32,
    pub(super) cpus_milli: u32,
    pub(super) stock: Option<u32>,
    pub(super) firmness: Firmness,
    pub(super) assurance: Assurance,
}

/// What the objective knows of an offer beside its price, network and accelerators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Terms {
    pub(super) startup: Millis,
    pub(super) fee: Usd,
    pub(super) interruptible: bool,
    billing: BillingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BillingKey {
    Metered(Millis),
    Prepaid(Millis, bool),
}

impl Terms {
    pub(super) const fn billing(&self) -> Billing {
        match self.billing {
            BillingKey::Metered(minimum) => Billing::Metered { minimum },
            BillingKey::Prepaid(span, refundable) => Billing::Prepaid { span, refundable },
        }
    }
}

impl Record {
    pub(super) fn new(
        offer: &Offer,
        network: u32,
        provider: Option<u32>,
        region: Option<u32>,
        class: u32,
    ) -> Self {
        let billing = match offer.billing {
            Billing::Metered { minimum } => BillingKey::Metered(minimum),
            Billing::Prepaid { span, refundable } => BillingKey::Prepaid(span, refundable),
        };
        Self {
            reference: offer.id.reference.as_str().into(),
            price: offer.price.per_hour().column(),
            terms: Terms {
                startup: offer.startup,
                fee: offer.fee,
                interruptible: offer.interruptible,
                billing,
            },
            memory_mib: offer.hardware.memory_mib,
            disk_mib: offer.hardware.disk_mib,
            seen_at: offer.seen_at,
            valid_until: offer.valid_until,
            network,
            provider,
            region,
            class,
            shelf: OFF_SHELF,
            cpus_milli: offer.hardware.cpus_milli,
            stock: offer.stock,
            firmness: offer.firmness,
            assurance: offer.assurance,
        }
    }

    /// Whether provider and place are known only after the purchase.
    pub(super) fn assigned_later(&self) -> bool {
        self.firmness == Firmness::Queue && self.provider.is_none()
    }

    pub(super) const fn price(&self) -> UsdPerHour {
        UsdPerHour::new(Usd::from_micros(self.price))
    }
}

impl Index {
    /// The record as rules and objective see it; `fit` tells whether its accelerators are those that the job wants.
    pub(super) fn facts<'a>(&'a self, record: &'a Record, fit: bool) -> Facts<'a> {
        Facts {
            network: self.networks.get(record.network),
            reference: &record.reference,
            provider: record.provider.map(|id| self.providers.get(id)),
            region: record.region.map(|id| self.regions.get(id)),
            cpus_milli: record.cpus_milli,
            memory_mib: record.memory_mib,
            disk_mib: record.disk_mib,
            chips: Chips::Known { gpu: self.classes[record.class as usize].gpu, fit },
            price: record.price(),
            fee: record.terms.fee,
            billing: record.terms.billing(),
            firmness: record.firmness,
            startup: record.terms.startup,
            stock: record.stock,
            interruptible: record.terms.interruptible,
            assurance: record.assurance,
            seen_at: record.seen_at,
            valid_until: record.valid_until,
        }
    }
}

/// Names with numbers. A name stays when its last offer goes: there are few, and they come again.
#[derive(Debug)]
pub(super) struct Names<T> {
    ids: BTreeMap<T, u32>,
    all: Vec<T>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { ids: BTreeMap::new(), all: Vec::new() }
    }
}

impl<T: Ord + Clone> Names<T> {
    pub(super) fn id(&mut self, name: &T) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = id_of(self.all.len());
        self.ids.insert(name.clone(), id);
        self.all.push(name.clone());
        id
    }

    pub(super) fn find(&self, name: &T) -> Option<u32> {
        self.ids.get(name).copied()
    }

    /// `id` is one that [`Names::id`] gave.
    pub(super) fn get(&self, id: u32) -> &T {
        &self.all[id as usize]
    }

    pub(super) fn all(&self) -> &[T] {
        &self.all
    }
}

/// Four thousand million offers do not fit in the memory of the machines this runs on.
pub(super) fn id_of(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
