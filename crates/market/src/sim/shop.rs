//! What a simulated network sells: providers, machines and prices that follow from the seed and the time.

use std::collections::BTreeMap;

use domain::{
    Accelerators, Assurance, Billing, Firmness, Hardware, Millis, Offer, OfferRef, ProviderName, Quote,
    Region, Timestamp, Usd, UsdPerHour,
};

use super::books::Books;
use super::habits::Fate;
use super::lease::Phase;
use super::order::Order;
use super::{Habits, SimConfig};
use crate::dice::Dice;
use crate::{Capability, ErrorKind};

/// What is particular to one kind of network.
pub(super) trait Kind: Send + Sync {
    fn capability(&self, config: &SimConfig) -> Capability;

    /// All that is for sale.
    fn listings(&self, dice: Dice) -> Vec<(Listing, Vec<Provider>)>;

    /// Charged once for a lease that came to be.
    fn fee(&self) -> Usd;

    /// Turns the plain firm offer of a listing into one of this kind; `None` when nobody is left to serve it.
    fn offer(&self, shop: &Shop, books: &Books, listing: &Listing, plain: Offer) -> Option<Offer>;

    /// The first phase of a lease.
    fn open(&self, shop: &Shop, books: &Books, order: &Order, now: Timestamp) -> Result<Phase, ErrorKind>;
}

/// Something with a price.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    /// The network's word for it.
    pub(super) reference: String,
    pub(super) region: Option<Region>,
    pub(super) hardware: Hardware,
    /// The mean price, micro-dollars per hour; zero where the network names none.
    pub(super) mean_micros: u64,
    /// Prices are multiples of this, micro-dollars per hour.
    pub(super) unit_micros: u64,
    pub(super) billing: Billing,
    pub(super) sold_out: bool,
    pub(super) members: Vec<ProviderName>,
}

/// Somebody who serves a listing.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    pub(super) name: ProviderName,
    pub(super) region: Option<Region>,
    pub(super) assurance: Assurance,
}

/// A machine class.
pub(super) struct Class {
    pub(super) name: &'static str,
    cpus_milli: u32,
    memory_gib: u64,
    disk_gib: u64,
    accelerators: Option<(&'static str, u32)>,
}

const fn class(
    name: &'static str,
    cpus_milli: u32,
    memory_gib: u64,
    disk_gib: u64,
    accelerators: Option<(&'static str, u32)>,
) -> Class {
    Class { name, cpus_milli, memory_gib, disk_gib, accelerators }
}

/// Too small for most jobs.
pub(super) const NANO: Class = class("nano", 500, 0, 4, None);
pub(super) const C2: Class = class("c2", 2_000, 8, 64, None);
pub(super) const C4: Class = class("c4", 4_000, 16, 128, None);
pub(super) const C8: Class = class("c8", 8_000, 32, 256, None);
pub(super) const C16: Class = class("c16", 16_000, 64, 512, None);
pub(super) const C32: Class = class("c32", 32_000, 128, 1_024, None);
pub(super) const C64: Class = class("c64", 64_000, 256, 2_048, None);
pub(super) const RTX1: Class = class("rtx4090x1", 8_000, 32, 256, Some(("RTX-4090", 1)));
pub(super) const RTX4: Class = class("rtx4090x4", 32_000, 128, 1_024, Some(("RTX-4090", 4)));
pub(super) const A100X1: Class = class("a100x1", 12_000, 96, 512, Some(("A100", 1)));
pub(super) const A100X8: Class = class("a100x8", 64_000, 768, 4_096, Some(("A100", 8)));
pub(super) const H100X1: Class = class("h100x1", 16_000, 128, 1_024, Some(("H100", 1)));
pub(super) const H100X8: Class = class("h100x8", 64_000, 1_024, 8_192, Some(("H100", 8)));

/// Half a GiB, where `memory_gib` says none.
const MEMORY_LEAST_MIB: u64 = 512;

impl Class {
    pub(super) fn hardware(&self) -> Hardware {
        Hardware {
            cpus_milli: self.cpus_milli,
            memory_mib: (self.memory_gib * 1_024).max(MEMORY_LEAST_MIB),
            disk_mib: self.disk_gib * 1_024,
            accelerators: self
                .accelerators
                .map(|(model, count)| Accelerators { model: model.to_owned(), count }),
        }
    }

    /// The mean price at `core_micros` an hour for a core.
    pub(super) fn micros(&self, core_micros: u64) -> u64 {
        micros_of(self.cpus_milli, self.accelerators, core_micros)
    }
}

/// The mean price of a machine at `core_micros` an hour for a core. An accelerator counts as many cores as rent for its price: at
/// 0.04 dollars a core that is 0.6 dollars an hour for an RTX-4090, 1.8 for an A100, 2.4 for a V100 and 3.0 for an H100.
pub(super) fn micros_of(cpus_milli: u32, accelerators: Option<(&str, u32)>, core_micros: u64) -> u64 {
    let (cores_each, count) = match accelerators {
        Some(("H100", n)) => (75, n),
        Some(("V100", n)) => (60, n),
        Some(("A100", n)) => (45, n),
        Some((_, n)) => (15, n),
        None => (0, 0),
    };
    core_micros * u64::from(cpus_milli) / 1_000 + core_micros * cores_each * u64::from(count)
}

/// An offer can be taken for so long after it was seen.
const OFFER_VALID: Millis = Millis(120_000);
/// A price holds for this long.
const PRICE_STEP: Millis = Millis(60_000);
/// It wanders between values drawn every so many steps ...
const PRICE_STRIDE: i64 = 30;
/// ... up to this far from the mean, in parts of 10,000.
const PRICE_SWING: u64 = 800;

/// All that does not change while the network runs.
pub(super) struct Shop {
    pub(super) config: SimConfig,
    pub(super) capability: Capability,
    pub(super) dice: Dice,
    pub(super) fee: Usd,
    pub(super) listings: BTreeMap<String, Listing>,
    pub(super) providers: BTreeMap<ProviderName, Provider>,
}

impl Shop {
    pub(super) fn new(mut config: SimConfig, kind: &dyn Kind) -> Self {
        config.latency = config.latency.min(super::LATENCY_MAX);
        config.bid_window = config.bid_window.min(super::BID_WINDOW_MAX);
        let dice = Dice::new(Dice::new(config.seed).roll("network", config.name.as_str(), 0));
        let (mut listings, mut providers) = (BTreeMap::new(), BTreeMap::new());
        for (mut listing, members) in kind.listings(dice) {
            withhold_refund(&mut listing, &config.habits, dice);
            providers.extend(members.into_iter().map(|p| (p.name.clone(), p)));
            listings.insert(listing.reference.clone(), listing);
        }
        let capability = kind.capability(&config);
        Self { capability, dice, fee: kind.fee(), listings, providers, config }
    }

    /// Whether a purchase is paid from what our account was funded with; a cloud bills later.
    pub(super) const fn takes_funds(&self) -> bool {
        self.capability.auction || self.capability.queue
    }

    pub(super) fn fate(&self, label: &domain::Label) -> Fate {
        Fate::of(label, &self.config.habits, self.dice)
    }

    /// The price of a listing at a moment: it wanders slowly, in straight lines between drawn values, and is the same
    /// whenever it is asked for again.
    pub(super) fn price(&self, listing: &Listing, at: Timestamp) -> UsdPerHour {
        let step = at.0.div_euclid(PRICE_STEP.0.cast_signed());
        let (stretch, within) = (step.div_euclid(PRICE_STRIDE), step.rem_euclid(PRICE_STRIDE).unsigned_abs());
        let drawn =
            |n: i64| self.dice.below(2 * PRICE_SWING + 1, "price", &listing.reference, n.cast_unsigned());
        let stride = PRICE_STRIDE.unsigned_abs();
        let swing = (drawn(stretch) * (stride - within) + drawn(stretch + 1) * within) / stride;
        let micros = listing.mean_micros * (10_000 - PRICE_SWING + swing) / 10_000;
        usd_per_hour(micros.next_multiple_of(listing.unit_micros.max(1)))
    }

    /// A listing as a firm offer of nobody in particular.
    pub(super) fn plain(&self, listing: &Listing, now: Timestamp) -> Offer {
        let price = self.price(listing, now);
        Offer {
            id: OfferRef { network: self.config.name.clone(), reference: listing.reference.clone() },
            provider: None,
            region: listing.region.clone(),
            hardware: listing.hardware.clone(),
            price,
            quote: quote_in_dollars(price),
            fee: self.fee,
            billing: listing.billing,
            firmness: Firmness::Firm,
            startup: Millis(500),
            stock: None,
            interruptible: false,
            assurance: Assurance::Claimed,
            seen_at: now,
            valid_until: Some(now + OFFER_VALID),
            simulated: true,
        }
    }

    /// Whether an offer seen then can still be taken.
    pub(super) fn still_valid(&self, quoted_at: Timestamp, now: Timestamp) -> bool {
        now <= quoted_at + OFFER_VALID
    }

    /// Those who can take one more lease of the listing.
    pub(super) fn free<'a>(
        &'a self,
        books: &'a Books,
        listing: &'a Listing,
    ) -> impl Iterator<Item = &'a Provider> {
        let members = listing.members.iter().filter_map(|name| self.providers.get(name));
        members.filter(|p| self.left(books, listing, &p.name) > 0)
    }

    /// How many leases the provider can still take.
    pub(super) fn left(&self, books: &Books, listing: &Listing, provider: &ProviderName) -> u32 {
        if listing.sold_out || books.is_dead(provider) {
            return 0;
        }
        self.config.capacity.saturating_sub(books.load(provider))
    }
}

fn withhold_refund(listing: &mut Listing, habits: &Habits, dice: Dice) {
    if let Billing::Prepaid { refundable, .. } = &mut listing.billing
        && dice.hits(habits.non_refundable, "non_refundable", &listing.reference, 0)
    {
        *refundable = false;
    }
}

pub(super) fn usd_per_hour(micros: u64) -> UsdPerHour {
    UsdPerHour::new(Usd::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)))
}

/// A quote in dollars per hour. A price of zero is no price: the quote says that it is unknown.
pub(super) fn quote_in_dollars(price: UsdPerHour) -> Quote {
    let known = price.per_hour() > Usd::ZERO;
    let amount = if known { price.to_string() } else { UNKNOWN.to_owned() };
    Quote { amount, unit: "USD/h".to_owned(), conversion: None }
}

/// The quoted amount where a network names no price.
pub(super) const UNKNOWN: &str = "unknown";

/// Where a provider may stand.
#[derive(Clone, Copy)]
pub(super) enum Area {
    Eu,
    Us,
    Asia,
}

impl Area {
    const fn places(self) -> [&'static str; 3] {
        match self {
            Self::Eu => ["EU-DE", "EU-FR", "EU-FI"],
            Self::Us => ["US-VA", "US-OR", "US-TX"],
            Self::Asia => ["ASIA-SG", "ASIA-JP", "ASIA-IN"],
        }
    }

    /// A region of the area.
    pub(super) fn region(self, dice: Dice, about: &str) -> Option<Region> {
        let places = self.places();
        let drawn = usize::try_from(dice.below(places.len() as u64, "region", about, 0)).unwrap_or(0);
        places.get(drawn).and_then(|place| place.parse().ok())
    }
}

/// Makes providers one after the other, with numbers that rise by one to three: `forge-07`, `forge-09`.
pub(super) struct Hiring {
    prefix: &'static str,
    dice: Dice,
    number: u64,
}

impl Hiring {
    pub(super) const fn new(prefix: &'static str, dice: Dice) -> Self {
        Self { prefix, dice, number: 0 }
    }

    /// Another provider; `None` only if the prefix were no name.
    pub(super) fn provider(&mut self, region: Option<Region>) -> Option<Provider> {
        self.number += 1 + self.dice.below(3, "number", self.prefix, self.number);
        let name: ProviderName = format!("{}-{:02}", self.prefix, self.number).parse().ok()?;
        let assurance = match self.dice.below(10, "assurance", name.as_str(), 0) {
            0..6 => Assurance::Claimed,
            6..9 => Assurance::Audited,
            _ => Assurance::Attested,
        };
        Some(Provider { name, region, assurance })
    }

    /// The mean price of a class here, within a fifth of what its cores cost.
    pub(super) fn micros(&self, class: &Class, core_micros: u64, about: &str) -> u64 {
        class.micros(core_micros) * (8_000 + self.dice.below(4_001, "mean", about, 0)) / 10_000
    }
}
