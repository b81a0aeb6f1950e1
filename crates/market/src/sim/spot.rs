//! A cloud that sells its spare machines for less, and takes them away when it needs them: each zone sells one kind of machine both
//! ways. How many spare ones there are follows a record of real capacity; prices and machines are made up.

use std::sync::Arc;

use domain::{Assurance, Billing, Firmness, Hardware, Millis, Offer, ProviderName, Timestamp, Usd};

use super::SimConfig;
use super::books::Books;
use super::cloud::Cloud;
use super::lease::{Phase, Seat};
use super::order::Order;
use super::recording::{RecordedZone, Recording};
use super::shop::{Kind, Listing, Provider, Shop, micros_of};
use crate::dice::Dice;
use crate::{Capability, ErrorKind};

pub(super) struct Spot {
    pub(super) recording: Arc<Recording>,
}

/// What a core costs an hour, as on the general-purpose machines of large clouds.
const CORE_MICROS: u64 = 45_000;
/// A spare machine costs three tenths of one that stays, as spot prices of the recorded time did.
const SPARE_TENTHS: u64 = 3;
const MINIMUM: Millis = Millis(60_000);
/// How the two ways to buy a machine are called, after the zone.
const SPARE: &str = "/spot";
const STAYS: &str = "/on-demand";

impl Kind for Spot {
    fn capability(&self, config: &SimConfig) -> Capability {
        Cloud.capability(config)
    }

    fn listings(&self, _dice: Dice) -> Vec<(Listing, Vec<Provider>)> {
        let both = |zone: &RecordedZone| [listing(zone, SPARE), listing(zone, STAYS)];
        self.recording.zones().iter().flat_map(both).flatten().collect()
    }

    fn fee(&self) -> Usd {
        Usd::ZERO
    }

    fn offer(&self, shop: &Shop, books: &Books, listing: &Listing, plain: Offer) -> Option<Offer> {
        let provider = shop.providers.get(listing.members.first()?)?;
        if books.is_dead(&provider.name) {
            return None;
        }
        let left = shop.left(books, listing, &provider.name);
        let spare =
            self.spare(listing, plain.seen_at).map(|nodes| nodes.saturating_sub(books.load(&provider.name)));
        Some(Offer {
            provider: Some(provider.name.clone()),
            assurance: provider.assurance,
            firmness: Firmness::Firm,
            interruptible: spare.is_some(),
            stock: Some(spare.map_or(left, |spare| spare.min(left))),
            ..plain
        })
    }

    fn open(&self, shop: &Shop, books: &Books, order: &Order, now: Timestamp) -> Result<Phase, ErrorKind> {
        let listing = order.listing(shop).ok_or(ErrorKind::NotFound)?;
        let provider = shop.free(books, listing).next().ok_or(ErrorKind::NoCapacity)?;
        let taken_at = match listing.reference.strip_suffix(SPARE) {
            None => None,
            Some(zone) => {
                // Whoever came first is the last to lose its machine.
                let place = books.load(&provider.name) + 1;
                if self.recording.nodes(zone, now) < place {
                    return Err(ErrorKind::NoCapacity);
                }
                self.recording.fewer(zone, place, now)
            }
        };
        Ok(Phase::Live(Seat {
            until: Some(now + order.span),
            taken_at,
            ..Seat::new(provider.name.clone(), now)
        }))
    }
}

impl Spot {
    /// Spare machines that there are; `None` for what stays.
    fn spare(&self, listing: &Listing, now: Timestamp) -> Option<u32> {
        listing.reference.strip_suffix(SPARE).map(|zone| self.recording.nodes(zone, now))
    }
}

/// A zone's machine, sold one way, and who sells it; nothing only if its name were none for a provider.
fn listing(zone: &RecordedZone, way: &str) -> Option<(Listing, Vec<Provider>)> {
    let name: ProviderName = format!("{}-{}", zone.name, way.trim_start_matches('/')).parse().ok()?;
    let hardware = hardware(zone);
    let mean = micros_of(
        hardware.cpus_milli,
        hardware.accelerators.as_ref().map(|chips| (chips.model.as_str(), chips.count)),
        CORE_MICROS,
    );
    let listing = Listing {
        reference: format!("{}{way}", zone.name),
        region: zone.region.clone(),
        mean_micros: if way == SPARE { mean * SPARE_TENTHS / 10 } else { mean },
        hardware,
        unit_micros: 100,
        billing: Billing::Metered { minimum: MINIMUM },
        sold_out: false,
        members: vec![name.clone()],
    };
    let provider = Provider { name, region: zone.region.clone(), assurance: Assurance::Claimed };
    Some((listing, vec![provider]))
}

/// Eight cores, 61 GiB and 256 GiB of disk, and as much again for each further accelerator.
fn hardware(zone: &RecordedZone) -> Hardware {
    let units = zone.accelerators.as_ref().map_or(1, |chips| chips.count.max(1));
    Hardware {
        cpus_milli: 8_000 * units,
        memory_mib: 61 * 1_024 * u64::from(units),
        disk_mib: 256 * 1_024 * u64::from(units),
        accelerators: zone.accelerators.clone(),
    }
}
