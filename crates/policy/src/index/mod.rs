//! Live offers, kept in an order in which the cheapest admissible ones are found without looking at all.
//!
//! - `record.rs`: what is kept of an offer, and how names are kept once.
//! - `shelf.rs`: offers of one class, network and terms, in order of price, in blocks that tell what is in them.
//! - `query.rs`: the search for the best, cheapest bound first.
//! - `survey.rs`: how many offers each rule refuses; looks at all of them, and is asked for only when a person asks.
//!
//! Offers of one shelf differ in price, place, machine and age, and in nothing that the objective knows beside the price. So
//! within a shelf the total grows with the price, and the first entry of a shelf bounds the rest: a search takes the shelf with
//! the least bound, looks at its next entry, and ends when no bound is less than the worst of the best found. Blocks tell which
//! regions, how much memory and what age can be in them, so that rare wishes do not mean long walks.
//!
//! Whether an entry may be taken, and what it costs, is decided by the same rules and the same objective as for a list of
//! offers (`placement::place`); the index decides only what need not be looked at.

mod query;
mod record;
mod shelf;
mod survey;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{Accelerators, Gpu, GpuModel, NetworkName, Offer, OfferRef, ProviderName, Region, Timestamp};

pub use self::query::Hit;
use self::record::{Names, OFF_SHELF, Record, Terms};
use self::shelf::{Entry, Shelf};
pub use self::survey::Survey;

/// A network's offers have shelves of their own for so many different terms; offers with further terms share shelves by their
/// time to start, and a search then looks at more of them.
const EXACT_TERMS_MAX: usize = 16;

/// Live offers in order.
#[derive(Debug, Default)]
pub struct Index {
    records: Vec<Option<Record>>,
    free: Vec<u32>,
    /// Slots by reference, one map per network.
    slots: Vec<BTreeMap<Arc<str>, u32>>,
    networks: Names<NetworkName>,
    providers: Names<ProviderName>,
    regions: Names<Region>,
    classes: Vec<Class>,
    class_ids: BTreeMap<(Chip, u32), u32>,
    models: BTreeMap<GpuModel, Vec<u32>>,
    shelves: Vec<Shelf>,
    shelf_ids: BTreeMap<(u32, u32, Group), u32>,
    exact_terms: BTreeMap<u32, BTreeSet<Terms>>,
    expiries: BTreeSet<(i64, u32)>,
    len: usize,
    version: u64,
}

/// Accelerators of one machine, by model and number.
#[derive(Debug)]
struct Class {
    accelerators: Option<Accelerators>,
    gpu: Option<Gpu>,
    shelves: Vec<u32>,
    /// The least price on its shelves, in micro-dollars; the largest number when they are empty.
    price_min: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Chip {
    None,
    Known(Gpu),
    /// In lower case.
    Named(String),
}

/// Which terms a shelf holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Exact(Terms),
    /// Any terms with a time to start, in milliseconds, of this binary length.
    Rough(u32),
}

/// What became of an offer that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not known.
    Added,
    /// It was known.
    Changed,
}

impl Index {
    /// How many offers are kept.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Grows with every change.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Adds the offer, or replaces the one with its name.
    pub fn upsert(&mut self, offer: &Offer) -> Change {
        self.version += 1;
        let network = self.networks.id(&offer.id.network);
        while self.slots.len() <= network as usize {
            self.slots.push(BTreeMap::new());
        }
        let mut record = self.record(network, offer);
        let known = self.slots[network as usize].get(offer.id.reference.as_str()).copied();
        let Some(slot) = known else {
            let reference = Arc::clone(&record.reference);
            let slot = self.store(record);
            self.slots[network as usize].insert(reference, slot);
            self.len += 1;
            return Change::Added;
        };
        if let Some(old) = self.records.get_mut(slot as usize).and_then(Option::take) {
            record.reference = Arc::clone(&old.reference);
            if old.valid_until != record.valid_until {
                self.forget_expiry(&old, slot);
                self.note_expiry(&record, slot);
            }
            if old.shelf == record.shelf && old.price == record.price {
                self.records[slot as usize] = Some(record);
                self.touch(slot);
                return Change::Changed;
            }
            self.records[slot as usize] = Some(old);
            self.take_off(slot);
        }
        self.records[slot as usize] = Some(record);
        self.put_on(slot);
        Change::Changed
    }

    /// Removes an offer; whether there was one.
    pub fn remove(&mut self, id: &OfferRef) -> bool {
        let Some(network) = self.networks.find(&id.network) else { return false };
        let slots = self.slots.get_mut(network as usize);
        let Some(slot) = slots.and_then(|slots| slots.remove(id.reference.as_str())) else { return false };
        self.drop_slot(slot);
        true
    }

    /// Removes offers that can no longer be taken at `now`; how many.
    pub fn expire(&mut self, now: Timestamp) -> usize {
        let mut gone = 0;
        while let Some((at, slot)) = self.expiries.first().copied() {
            if at >= now.0 {
                break;
            }
            self.expiries.pop_first();
            if let Some(Some(record)) = self.records.get(slot as usize) {
                let reference = Arc::clone(&record.reference);
                self.slots[record.network as usize].remove(&*reference);
                self.drop_slot(slot);
                gone += 1;
            }
        }
        gone
    }

    fn drop_slot(&mut self, slot: u32) {
        self.version += 1;
        self.take_off(slot);
        if let Some(record) = self.records.get_mut(slot as usize).and_then(Option::take) {
            self.forget_expiry(&record, slot);
            self.free.push(slot);
            self.len -= 1;
        }
    }

    fn note_expiry(&mut self, record: &Record, slot: u32) {
        if let Some(until) = record.valid_until {
            self.expiries.insert((until.0, slot));
        }
    }

    fn forget_expiry(&mut self, record: &Record, slot: u32) {
        if let Some(until) = record.valid_until {
            self.expiries.remove(&(until.0, slot));
        }
    }

    fn record(&mut self, network: u32, offer: &Offer) -> Record {
        let provider = offer.provider.as_ref().map(|name| self.providers.id(name));
        let region = offer.region.as_ref().map(|name| self.regions.id(name));
        let class = self.class_of(offer.hardware.accelerators.as_ref());
        let mut record = Record::new(offer, network, provider, region, class);
        // Such offers fit no job as they are.
        let hopeless = record.price <= 0 || record.terms.fee.is_negative() || record.stock == Some(0);
        record.shelf = if hopeless { OFF_SHELF } else { self.shelf_of(&record) };
        record
    }

    fn class_of(&mut self, accelerators: Option<&Accelerators>) -> u32 {
        let gpu = accelerators.and_then(|all| Gpu::parse(&all.model));
        let chip = match (accelerators, gpu) {
            (None, _) => Chip::None,
            (Some(_), Some(gpu)) => Chip::Known(gpu),
            (Some(all), None) => Chip::Named(all.model.to_ascii_lowercase()),
        };
        let key = (chip, accelerators.map_or(0, |all| all.count));
        if let Some(id) = self.class_ids.get(&key) {
            return *id;
        }
        let id = record::id_of(self.classes.len());
        self.class_ids.insert(key, id);
        if let Some(gpu) = gpu {
            self.models.entry(gpu.model()).or_default().push(id);
        }
        let accelerators = accelerators.cloned();
        self.classes.push(Class { accelerators, gpu, shelves: Vec::new(), price_min: i64::MAX });
        id
    }

    fn shelf_of(&mut self, record: &Record) -> u32 {
        let exact = self.exact_terms.entry(record.network).or_default();
        let group = if exact.len() < EXACT_TERMS_MAX || exact.contains(&record.terms) {
            exact.insert(record.terms);
            Group::Exact(record.terms)
        } else {
            Group::Rough(u64::BITS - record.terms.startup.0.leading_zeros())
        };
        let key = (record.class, record.network, group);
        if let Some(id) = self.shelf_ids.get(&key) {
            return *id;
        }
        let id = record::id_of(self.shelves.len());
        self.shelf_ids.insert(key, id);
        self.classes[record.class as usize].shelves.push(id);
        self.shelves.push(Shelf::new(record.class, record.network, group));
        id
    }

    fn store(&mut self, record: Record) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.records.push(None);
            record::id_of(self.records.len() - 1)
        });
        self.note_expiry(&record, slot);
        self.records[slot as usize] = Some(record);
        self.put_on(slot);
        slot
    }

    fn put_on(&mut self, slot: u32) {
        let Some(Some(record)) = self.records.get(slot as usize) else { return };
        let Some(shelf) = self.shelves.get_mut(record.shelf as usize) else { return };
        shelf.insert(Entry::new(record, slot), record, &self.records);
        let class = &mut self.classes[record.class as usize];
        class.price_min = class.price_min.min(record.price);
    }

    /// Place, machine or age changed, but neither price nor shelf.
    fn touch(&mut self, slot: u32) {
        let Some(Some(record)) = self.records.get(slot as usize) else { return };
        let Some(shelf) = self.shelves.get_mut(record.shelf as usize) else { return };
        shelf.replace(Entry::new(record, slot), record, &self.records);
    }

    fn take_off(&mut self, slot: u32) {
        let Some(Some(record)) = self.records.get(slot as usize) else { return };
        let Some(shelf) = self.shelves.get_mut(record.shelf as usize) else { return };
        shelf.remove(record, slot, &self.records);
        let class = &mut self.classes[record.class as usize];
        if class.price_min == record.price {
            let prices = class.shelves.iter().filter_map(|id| self.shelves[*id as usize].price_min());
            class.price_min = prices.min().unwrap_or(i64::MAX);
        }
    }
}
