//! Offers of one class, network and terms in order of price, then reference, in blocks that tell what can be in them.

use std::cmp::Ordering;

use domain::{Assurance, Billing, Millis, Usd};

use super::Group;
use super::record::Record;

/// A block is split when it is full.
const BLOCK: usize = 64;
/// What a block tells of its entries is renewed after so many have left it.
const STALE_REMOVALS: u8 = 16;
/// The number of an unknown region; known ones follow it.
const REGION_UNKNOWN: u16 = 0;
/// The number of all regions beyond so many: they are told apart only by the rules.
const REGION_OPEN: u16 = u16::MAX;
/// Set where provider and place are known only after the purchase.
const LATER: u8 = 0x80;

/// An offer's place on a shelf, with what most rules look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) price: i64,
    pub(super) slot: u32,
    region: u16,
    flags: u8,
    memory_bits: u8,
}

/// What the entries of a block have at most.
#[derive(Debug, Clone, Copy, Default)]
struct Summary {
    regions: u64,
    memory_mib: u64,
    disk_mib: u64,
    seen_at: i64,
    cpus_milli: u32,
    assurance: u8,
    later: bool,
}

#[derive(Debug, Default)]
struct Block {
    summary: Summary,
    removals: u8,
    entries: Vec<Entry>,
}

/// What of a job can be told from a block or an entry alone. It lets through all that the rules would, and more.
#[derive(Debug)]
pub(super) struct Filter {
    /// By region number; `None` when any region will do.
    pub(super) regions: Option<Vec<bool>>,
    /// Bits of the regions that will do.
    pub(super) region_bits: u64,
    pub(super) assurance: Assurance,
    pub(super) memory_mib: u64,
    pub(super) disk_mib: u64,
    pub(super) cpus_milli: u64,
    /// Micro-dollars per hour.
    pub(super) price_max: i64,
    /// Offers seen before are too old.
    pub(super) seen_min: i64,
}

#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) class: u32,
    pub(super) network: u32,
    /// Whether all its offers have the same terms.
    pub(super) exact: bool,
    /// The provider of all its offers, as long as there is only one.
    pub(super) provider: Sole,
    startup_min: Millis,
    fee_min: Usd,
    billing: Option<Billing>,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sole {
    Nobody,
    One(Option<u32>),
    Several,
}

/// A place on a shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) block: u32,
    pub(super) at: u32,
}

impl Entry {
    pub(super) fn new(record: &Record, slot: u32) -> Self {
        let later = if record.assigned_later() { LATER } else { 0 };
        Self {
            price: record.price,
            slot,
            region: region_number(record.region),
            flags: record.assurance as u8 | later,
            memory_bits: bits(record.memory_mib),
        }
    }

    fn may_pass(self, filter: &Filter) -> bool {
        if self.memory_bits < bits(filter.memory_mib) {
            return false;
        }
        if self.flags & LATER != 0 {
            return true;
        }
        let inside = |regions: &Vec<bool>| regions.get(usize::from(self.region)).copied().unwrap_or(true);
        self.flags >= filter.assurance as u8 && filter.regions.as_ref().is_none_or(inside)
    }
}

fn region_number(region: Option<u32>) -> u16 {
    region.map_or(REGION_UNKNOWN, |id| u16::try_from(id.saturating_add(1)).unwrap_or(REGION_OPEN))
}

fn region_bit(number: u16) -> u64 {
    1 << (number % 64)
}

/// What a filter needs of the regions that will do, of all that are known in the order of their numbers: by number, and as bits.
pub(super) fn regions_that_do(known: impl Iterator<Item = bool>) -> (Vec<bool>, u64) {
    let by_number: Vec<bool> = std::iter::once(false).chain(known).take(usize::from(REGION_OPEN)).collect();
    let bit = |(n, does): (usize, &bool)| if *does { 1 << (n % 64) } else { 0 };
    let bits = by_number.iter().enumerate().map(bit).fold(region_bit(REGION_OPEN), |all, bit: u64| all | bit);
    (by_number, bits)
}

fn bits(amount: u64) -> u8 {
    // At most 64.
    (u64::BITS - amount.leading_zeros()) as u8
}

impl Summary {
    fn add(&mut self, record: &Record) {
        self.regions |= region_bit(region_number(record.region));
        self.memory_mib = self.memory_mib.max(record.memory_mib);
        self.disk_mib = self.disk_mib.max(record.disk_mib);
        self.seen_at = self.seen_at.max(record.seen_at.0);
        self.cpus_milli = self.cpus_milli.max(record.cpus_milli);
        self.assurance = self.assurance.max(record.assurance as u8);
        self.later |= record.assigned_later();
    }

    fn may_pass(&self, filter: &Filter) -> bool {
        self.seen_at >= filter.seen_min
            && self.memory_mib >= filter.memory_mib
            && self.disk_mib >= filter.disk_mib
            && u64::from(self.cpus_milli) >= filter.cpus_milli
            && (self.later
                || (self.regions & filter.region_bits != 0 && self.assurance >= filter.assurance as u8))
    }
}

impl Block {
    fn price_last(&self) -> i64 {
        self.entries.last().map_or(i64::MIN, |entry| entry.price)
    }

    fn renew(&mut self, records: &[Option<Record>]) {
        self.removals = 0;
        self.summary = Summary { seen_at: i64::MIN, ..Summary::default() };
        for entry in &self.entries {
            if let Some(Some(record)) = records.get(entry.slot as usize) {
                self.summary.add(record);
            }
        }
    }
}

/// By price, then by reference: the order of plans where all else is equal.
fn order(entry: &Entry, record: &Record, records: &[Option<Record>]) -> Ordering {
    entry.price.cmp(&record.price).then_with(|| match records.get(entry.slot as usize) {
        Some(Some(other)) => other.reference.cmp(&record.reference),
        _ => Ordering::Less,
    })
}

impl Shelf {
    pub(super) fn new(class: u32, network: u32, group: Group) -> Self {
        let (exact, startup_min, fee_min, billing) = match group {
            Group::Exact(terms) => (true, terms.startup, terms.fee, Some(terms.billing())),
            Group::Rough(0) => (false, Millis::ZERO, Usd::ZERO, None),
            Group::Rough(bits) => (false, Millis(1 << (bits - 1)), Usd::ZERO, None),
        };
        let (provider, blocks) = (Sole::Nobody, Vec::new());
        Self { class, network, exact, provider, startup_min, fee_min, billing, blocks }
    }

    pub(super) fn price_min(&self) -> Option<i64> {
        self.blocks.first().and_then(|block| block.entries.first()).map(|entry| entry.price)
    }

    /// A bound of the total of any offer here at this price or above, times the milliseconds of an hour.
    pub(super) fn bound(&self, price: i64, work: Millis) -> i128 {
        let used = self.startup_min + work;
        let billed = self.billing.map_or(used, |billing| billing.billed(used));
        let hour = i128::from(Millis::HOUR.0);
        i128::from(price)
            .saturating_mul(i128::from(billed.0))
            .saturating_add(self.fee_min.micros().saturating_mul(hour))
    }

    pub(super) fn insert(&mut self, entry: Entry, record: &Record, records: &[Option<Record>]) {
        self.provider = match self.provider {
            Sole::Nobody => Sole::One(record.provider),
            Sole::One(known) if known == record.provider => self.provider,
            _ => Sole::Several,
        };
        let n = self.block_of(record, records).min(self.blocks.len().saturating_sub(1));
        if self.blocks.is_empty() {
            let summary = Summary { seen_at: i64::MIN, ..Summary::default() };
            self.blocks.push(Block { summary, ..Block::default() });
        }
        let block = &mut self.blocks[n];
        let at = block.entries.partition_point(|other| order(other, record, records) == Ordering::Less);
        block.entries.insert(at, entry);
        block.summary.add(record);
        if block.entries.len() >= BLOCK {
            let mut upper = Block { entries: block.entries.split_off(BLOCK / 2), ..Block::default() };
            upper.renew(records);
            block.renew(records);
            self.blocks.insert(n + 1, upper);
        }
    }

    pub(super) fn replace(&mut self, entry: Entry, record: &Record, records: &[Option<Record>]) {
        let Some((n, at)) = self.find(record, entry.slot, records) else { return };
        let block = &mut self.blocks[n];
        block.entries[at] = entry;
        block.summary.add(record);
        if self.provider != Sole::One(record.provider) {
            self.provider = Sole::Several;
        }
    }

    pub(super) fn remove(&mut self, record: &Record, slot: u32, records: &[Option<Record>]) {
        let Some((n, at)) = self.find(record, slot, records) else { return };
        let block = &mut self.blocks[n];
        block.entries.remove(at);
        block.removals += 1;
        if block.entries.is_empty() {
            self.blocks.remove(n);
        } else if block.removals >= STALE_REMOVALS {
            // The record is still there, and no longer in the block.
            block.renew(records);
        }
        if self.blocks.is_empty() {
            self.provider = Sole::Nobody;
        }
    }

    /// The first block whose last entry does not come before the record.
    fn block_of(&self, record: &Record, records: &[Option<Record>]) -> usize {
        self.blocks.partition_point(|block| {
            block.entries.last().is_some_and(|last| order(last, record, records) == Ordering::Less)
        })
    }

    fn find(&self, record: &Record, slot: u32, records: &[Option<Record>]) -> Option<(usize, usize)> {
        let n = self.block_of(record, records);
        let entries = &self.blocks.get(n)?.entries;
        let at = entries.partition_point(|other| order(other, record, records) == Ordering::Less);
        (entries.get(at)?.slot == slot).then_some((n, at))
    }

    pub(super) fn at(&self, spot: Spot) -> Option<Entry> {
        self.blocks.get(spot.block as usize)?.entries.get(spot.at as usize).copied()
    }

    /// The first entry from `spot` on that the filter lets through.
    pub(super) fn next(&self, spot: Spot, filter: &Filter) -> Option<(Spot, Entry)> {
        let mut from = spot.at as usize;
        for (n, block) in self.blocks.iter().enumerate().skip(spot.block as usize) {
            if block.summary.may_pass(filter) {
                for (at, entry) in block.entries.iter().enumerate().skip(from) {
                    if entry.price > filter.price_max {
                        return None;
                    }
                    if entry.may_pass(filter) {
                        return Some((spot_of(n, at), *entry));
                    }
                }
            } else if block.price_last() > filter.price_max {
                return None;
            }
            from = 0;
        }
        None
    }

    /// The place of the first entry that costs more.
    pub(super) fn after_price(&self, price: i64) -> Spot {
        let n = self.blocks.partition_point(|block| block.price_last() <= price);
        let at = self.blocks.get(n).map_or(0, |b| b.entries.partition_point(|entry| entry.price <= price));
        spot_of(n, at)
    }
}

fn spot_of(block: usize, at: usize) -> Spot {
    Spot { block: super::record::id_of(block), at: super::record::id_of(at) }
}
