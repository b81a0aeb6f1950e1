//! The search for the best offers: always at the place with the least bound, until no bound is less than the worst that was
//! found.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use domain::{Estimate, Gpu, Millis, NetworkName, ProviderName, Refusal, Region, UsdPerHour};

use super::shelf::{Entry, Filter, Shelf, Sole, Spot, regions_that_do};
use super::{Chip, Index};
use crate::eligibility;
use crate::objective::{self, work_left};
use crate::placement::Situation;

/// An offer that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit<'a> {
    /// Its network.
    pub network: &'a NetworkName,
    /// The network's name for it.
    pub reference: &'a str,
    /// Who owns the machine, where that is known before the purchase.
    pub provider: Option<&'a ProviderName>,
    /// Where it stands, where that is known.
    pub region: Option<&'a Region>,
    /// How many are left, where the network says so.
    pub stock: Option<u32>,
    /// Its price.
    pub price: UsdPerHour,
    /// What the rest of the job is expected to cost on it.
    pub estimate: Estimate,
    /// Whether its network lost an execution of this job.
    pub lost_here: bool,
}

impl Hit<'_> {
    /// The order of plans.
    fn order(&self, other: &Self) -> Ordering {
        let key = |hit: &Self| (hit.estimate.total, hit.estimate.span);
        let names = || self.network.cmp(other.network).then_with(|| self.reference.cmp(other.reference));
        key(self).cmp(&key(other)).then_with(names)
    }
}

/// Where the search may go on. The fields are in the order in which equal bounds are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Class(u32),
    On { shelf: u32, spot: Spot },
}

/// What to do after an entry was looked at.
enum Step {
    Next,
    /// Nothing else at this price is better.
    AfterPrice,
    /// Nothing else on this shelf is better.
    Leave,
}

struct Search<'a, 's> {
    index: &'a Index,
    situation: &'s Situation<'s>,
    filter: Filter,
    work: Millis,
    /// Whether totals within a shelf differ by price alone.
    by_price: bool,
    lost_phase: bool,
    room: usize,
    frontier: BinaryHeap<Reverse<(i128, Place)>>,
    best: Vec<Hit<'a>>,
}

impl Index {
    /// The `limit` best admissible offers, in the order of a plan: the same that [`place`](crate::placement::place) ranks first
    /// among all offers in the index.
    pub fn best<'a>(&'a self, situation: &Situation<'_>, limit: usize) -> Vec<Hit<'a>> {
        let mut found = self.phase(situation, false, limit);
        if found.len() < limit && !situation.lost.is_empty() {
            found.extend(self.phase(situation, true, limit - found.len()));
        }
        found
    }

    fn phase<'a>(&'a self, situation: &Situation<'_>, lost_phase: bool, room: usize) -> Vec<Hit<'a>> {
        if room == 0 {
            return Vec::new();
        }
        let mut search = Search {
            index: self,
            situation,
            filter: self.filter(situation),
            work: work_left(situation),
            by_price: situation.knowledge.latency.is_empty() && situation.knowledge.providers.is_empty(),
            lost_phase,
            room,
            frontier: BinaryHeap::new(),
            best: Vec::with_capacity(room.min(64)),
        };
        search.start();
        search.run();
        search.best
    }

    fn filter(&self, situation: &Situation<'_>) -> Filter {
        let spec = situation.spec;
        let does = |region| spec.regions.iter().any(|wanted| wanted.holds(region));
        let regions =
            (!spec.regions.is_empty()).then(|| regions_that_do(self.regions.all().iter().map(does)));
        let (regions, region_bits) = regions.map_or((None, u64::MAX), |(all, bits)| (Some(all), bits));
        let least = |need: Option<domain::Need>| need.map_or(0, domain::Need::least);
        Filter {
            regions,
            region_bits,
            assurance: spec.level.assurance(),
            memory_mib: least(spec.resources.memory_mib),
            disk_mib: spec.resources.disk_mib.unwrap_or_default(),
            cpus_milli: least(spec.resources.cpus_milli),
            price_max: spec.max_hourly.map_or(i64::MAX, |cap| cap.per_hour().column()),
            seen_min: (situation.now - situation.stale_after).0,
        }
    }
}

impl<'a> Search<'a, '_> {
    /// All classes whose accelerators will do.
    fn start(&mut self) {
        let index = self.index;
        let Some(wanted) = &self.situation.spec.resources.accelerators else {
            for id in 0..index.classes.len() {
                self.open_class(super::record::id_of(id));
            }
            return;
        };
        if let Some(gpu) = Gpu::parse(&wanted.model) {
            for id in index.models.get(&gpu.model()).into_iter().flatten() {
                let class = &index.classes[*id as usize];
                let enough = class.accelerators.as_ref().is_some_and(|have| have.count >= wanted.count);
                if enough && class.gpu.is_some_and(|have| gpu.met_by(have)) {
                    self.open_class(*id);
                }
            }
            return;
        }
        let named = Chip::Named(wanted.model.to_ascii_lowercase());
        let from = (named.clone(), wanted.count);
        let those = index.class_ids.range(from..).take_while(|((chip, _), _)| *chip == named);
        for (_, id) in those {
            self.open_class(*id);
        }
    }

    fn open_class(&mut self, id: u32) {
        let class = &self.index.classes[id as usize];
        if class.price_min <= self.filter.price_max {
            let work = self.situation.knowledge.work_on(class.gpu, self.work);
            let bound = i128::from(class.price_min).saturating_mul(i128::from(work.0));
            self.frontier.push(Reverse((bound, Place::Class(id))));
        }
    }

    fn run(&mut self) {
        while let Some(Reverse((bound, place))) = self.frontier.pop() {
            let full = self.best.len() == self.room;
            if full && self.best.last().is_some_and(|worst| bound > scaled(worst)) {
                return;
            }
            match place {
                Place::Class(id) => self.open_shelves(id),
                Place::On { shelf, spot } => self.look(shelf, spot),
            }
        }
    }

    fn open_shelves(&mut self, class: u32) {
        let start = Spot { block: 0, at: 0 };
        for id in &self.index.classes[class as usize].shelves {
            let shelf = &self.index.shelves[*id as usize];
            let Some(price) = shelf.price_min() else { continue };
            if price <= self.filter.price_max && self.may_buy_on(shelf) {
                self.push(*id, start, price);
            }
        }
    }

    fn may_buy_on(&self, shelf: &Shelf) -> bool {
        let network = self.index.networks.get(shelf.network);
        let lost = &self.situation.lost;
        if lost.iter().any(|(name, _)| name == network) != self.lost_phase {
            return false;
        }
        let provider = match shelf.provider {
            Sole::One(Some(id)) => Some(self.index.providers.get(id)),
            _ => None,
        };
        let gone = provider.is_some_and(|one| lost.iter().any(|(name, p)| name == network && p == one));
        !gone && eligibility::admits(self.situation, network)
    }

    fn push(&mut self, id: u32, spot: Spot, price: i64) {
        let shelf = &self.index.shelves[id as usize];
        let gpu = self.index.classes[shelf.class as usize].gpu;
        let bound = shelf.bound(price, self.situation.knowledge.work_on(gpu, self.work));
        self.frontier.push(Reverse((bound, Place::On { shelf: id, spot })));
    }

    /// Looks at the next entry that may be taken; if that lies behind others, later, when its own bound is the least.
    fn look(&mut self, id: u32, spot: Spot) {
        let shelf = &self.index.shelves[id as usize];
        let Some((next, entry)) = shelf.next(spot, &self.filter) else { return };
        if next != spot && shelf.at(spot).is_none_or(|here| here.price != entry.price) {
            return self.push(id, next, entry.price);
        }
        let next = match self.judge(shelf, entry) {
            Step::Leave => return,
            Step::AfterPrice => shelf.after_price(entry.price),
            Step::Next => Spot { at: next.at + 1, ..next },
        };
        let next = if shelf.at(next).is_some() { next } else { Spot { block: next.block + 1, at: 0 } };
        if let Some(entry) = shelf.at(next) {
            self.push(id, next, entry.price);
        }
    }

    fn judge(&mut self, shelf: &Shelf, entry: Entry) -> Step {
        let Some(Some(record)) = self.index.records.get(entry.slot as usize) else { return Step::Next };
        let facts = self.index.facts(record, true);
        let estimate = objective::estimate(self.situation, &facts);
        let (network, reference) = (self.index.networks.get(record.network), &*record.reference);
        let hit = Hit {
            network,
            reference,
            provider: facts.provider,
            region: facts.region,
            stock: record.stock,
            price: facts.price,
            estimate,
            lost_here: self.lost_phase,
        };
        let by_price = self.by_price && shelf.exact;
        if self.best.len() == self.room
            && let Some(worst) = self.best.last()
            && hit.order(worst) == Ordering::Greater
        {
            return match (by_price, estimate.total > worst.estimate.total) {
                (true, true) => Step::Leave,
                (true, false) => Step::AfterPrice,
                (false, _) => Step::Next,
            };
        }
        match eligibility::broken_rule(self.situation, &facts, &estimate) {
            None => self.keep(hit),
            // What is dearer on this shelf breaks these as well.
            Some(Refusal::Budget | Refusal::Deadline | Refusal::HourlyPrice) if by_price => {
                return Step::Leave;
            }
            Some(Refusal::ValueUncovered) if by_price => return Step::AfterPrice,
            Some(_) => {}
        }
        Step::Next
    }

    fn keep(&mut self, hit: Hit<'a>) {
        let at = self.best.partition_point(|other| other.order(&hit) == Ordering::Less);
        self.best.insert(at, hit);
        self.best.truncate(self.room);
    }
}

/// The total in the unit of bounds.
fn scaled(hit: &Hit<'_>) -> i128 {
    hit.estimate.total.micros().saturating_mul(i128::from(Millis::HOUR.0))
}
