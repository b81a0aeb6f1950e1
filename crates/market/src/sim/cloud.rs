//! A catalogue, like a cloud's: firm offers of named machines in named regions, by the minute, paid later whatever the
//! work was worth.

use domain::{Billing, Firmness, Millis, Offer, Timestamp, Usd};

use super::books::Books;
use super::lease::{Phase, Seat};
use super::order::Order;
use super::shop::{
    A100X1, Area, C2, C4, C8, C16, C32, C64, Class, H100X1, H100X8, Hiring, Kind, Listing, NANO, Provider,
    RTX1, Shop,
};
use super::{SimConfig, VISIBILITY};
use crate::dice::Dice;
use crate::{Capability, ErrorKind};

pub(super) struct Cloud;

/// What a core costs an hour, as on the general-purpose machines of large clouds.
const CORE_MICROS: u64 = 45_000;
const MINIMUM: Millis = Millis(60_000);

/// How a machine is out of the ordinary.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quirk {
    None,
    SoldOut,
    NoPrice,
}

const MACHINES: [(Class, Area, Quirk); 15] = [
    (NANO, Area::Eu, Quirk::None),
    (C2, Area::Eu, Quirk::None),
    (C2, Area::Us, Quirk::None),
    (C2, Area::Asia, Quirk::None),
    (C2, Area::Us, Quirk::NoPrice),
    (C4, Area::Eu, Quirk::None),
    (C4, Area::Us, Quirk::SoldOut),
    (C8, Area::Us, Quirk::None),
    (C16, Area::Eu, Quirk::None),
    (C32, Area::Us, Quirk::None),
    (C64, Area::Asia, Quirk::None),
    (RTX1, Area::Us, Quirk::None),
    (A100X1, Area::Eu, Quirk::None),
    (H100X1, Area::Us, Quirk::None),
    (H100X8, Area::Eu, Quirk::None),
];

impl Kind for Cloud {
    fn capability(&self, _config: &SimConfig) -> Capability {
        Capability {
            logs: false,
            exec: false,
            files: false,
            regions: true,
            labels: true,
            idempotency: true,
            stock: true,
            auction: false,
            queue: false,
            extend: true,
            introduces: false,
            withholds_payment: false,
            reserve_bps: 0,
            visibility: VISIBILITY,
            bid_window: Millis::ZERO,
            simulated: true,
        }
    }

    fn listings(&self, dice: Dice) -> Vec<(Listing, Vec<Provider>)> {
        let mut hiring = Hiring::new("forge", dice);
        let machine = |(n, (class, area, quirk)): (usize, &(Class, Area, Quirk))| {
            let region = area.region(dice, &n.to_string());
            let provider = hiring.provider(region.clone())?;
            let reference = format!("{}.{}", class.name, provider.name);
            let mean = hiring.micros(class, CORE_MICROS, &reference);
            let listing = Listing {
                reference,
                region,
                hardware: class.hardware(),
                mean_micros: if *quirk == Quirk::NoPrice { 0 } else { mean },
                unit_micros: 100,
                billing: Billing::Metered { minimum: MINIMUM },
                sold_out: *quirk == Quirk::SoldOut,
                members: vec![provider.name.clone()],
            };
            Some((listing, vec![provider]))
        };
        MACHINES.iter().enumerate().filter_map(machine).collect()
    }

    fn fee(&self) -> Usd {
        Usd::ZERO
    }

    fn offer(&self, shop: &Shop, books: &Books, listing: &Listing, plain: Offer) -> Option<Offer> {
        let provider = shop.providers.get(listing.members.first()?)?;
        if books.is_dead(&provider.name) {
            return None;
        }
        Some(Offer {
            provider: Some(provider.name.clone()),
            assurance: provider.assurance,
            firmness: Firmness::Firm,
            stock: Some(shop.left(books, listing, &provider.name)),
            ..plain
        })
    }

    fn open(&self, shop: &Shop, books: &Books, order: &Order, now: Timestamp) -> Result<Phase, ErrorKind> {
        let listing = order.listing(shop).ok_or(ErrorKind::NotFound)?;
        let provider = shop.free(books, listing).next().ok_or(ErrorKind::NoCapacity)?;
        Ok(Phase::Live(Seat { until: Some(now + order.span), ..Seat::new(provider.name.clone(), now) }))
    }
}
