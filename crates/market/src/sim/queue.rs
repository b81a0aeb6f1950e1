//! A queue: a machine class is paid for in advance, for a fixed span, and the network assigns a provider later. Nobody
//! knows before where it will stand.

use domain::{Assurance, Billing, Firmness, Label, Millis, Offer, ProviderName, Timestamp, Usd};

use super::books::Books;
use super::lease::{Lease, Phase};
use super::order::Order;
use super::shop::{A100X1, Area, C2, C4, C8, Class, H100X8, Hiring, Kind, Listing, Provider, RTX1, Shop};
use super::{SimConfig, VISIBILITY};
use crate::dice::Dice;
use crate::{Capability, ErrorKind};

pub(super) struct Queue;

const CORE_MICROS: u64 = 24_000;
const SPAN: Millis = Millis(30 * 60_000);

/// Classes, each with whether unused time is given back.
const POOLS: [(Class, bool); 6] =
    [(C2, true), (C4, false), (C8, true), (RTX1, true), (A100X1, false), (H100X8, false)];

const AREAS: [Area; 4] = [Area::Eu, Area::Us, Area::Eu, Area::Asia];

impl Kind for Queue {
    fn capability(&self, _config: &SimConfig) -> Capability {
        Capability {
            logs: false,
            exec: false,
            files: false,
            regions: false,
            labels: true,
            // A purchase that is not listed yet is not seen, so a repetition before `visibility` buys again.
            idempotency: false,
            stock: false,
            auction: false,
            queue: true,
            extend: false,
            // What is paid in advance cannot be refused afterwards.
            introduces: false,
            withholds_payment: false,
            reserve_bps: 0,
            visibility: VISIBILITY,
            bid_window: Millis::ZERO,
            simulated: true,
        }
    }

    fn listings(&self, dice: Dice) -> Vec<(Listing, Vec<Provider>)> {
        let mut hiring = Hiring::new("meadow", dice);
        let pool = |(class, refundable): &(Class, bool)| {
            let stands = |(n, area): (usize, &Area)| area.region(dice, &format!("{}{n}", class.name));
            let members: Vec<_> =
                AREAS.iter().enumerate().filter_map(|place| hiring.provider(stands(place))).collect();
            let listing = Listing {
                reference: class.name.to_owned(),
                region: None,
                hardware: class.hardware(),
                mean_micros: hiring.micros(class, CORE_MICROS, class.name),
                unit_micros: 100,
                billing: Billing::Prepaid { span: SPAN, refundable: *refundable },
                sold_out: false,
                members: members.iter().map(|p| p.name.clone()).collect(),
            };
            (listing, members)
        };
        POOLS.iter().map(pool).collect()
    }

    fn fee(&self) -> Usd {
        Usd::ZERO
    }

    fn offer(&self, shop: &Shop, books: &Books, listing: &Listing, plain: Offer) -> Option<Offer> {
        listing.members.iter().any(|name| !books.is_dead(name)).then(|| Offer {
            firmness: Firmness::Queue,
            assurance: Assurance::Claimed,
            startup: plain.startup + shop.config.queue_wait,
            ..plain
        })
    }

    fn open(&self, shop: &Shop, books: &Books, order: &Order, now: Timestamp) -> Result<Phase, ErrorKind> {
        let listing = order.listing(shop).ok_or(ErrorKind::NotFound)?;
        if listing.members.iter().all(|name| books.is_dead(name)) {
            return Err(ErrorKind::NoCapacity);
        }
        Ok(Phase::Queued { assign_at: now + wait(shop, &order.label) })
    }
}

/// At least a fifth of the longest wait.
fn wait(shop: &Shop, label: &Label) -> Millis {
    let longest = shop.config.queue_wait.0;
    let least = longest / 5;
    Millis(least + shop.dice.below(longest - least + 1, "queue_wait", label.as_str(), 0))
}

/// Who gets the lease: somebody with room, in the EU or the US unless the network has the habit of not caring.
pub(super) fn assign(shop: &Shop, books: &Books, lease: &Lease) -> Option<ProviderName> {
    let listing = shop.listings.get(&lease.listing)?;
    let foreign = shop.fate(&lease.label).foreign;
    let usual = |p: &Provider| {
        p.region.as_ref().is_some_and(|r| r.as_str().starts_with("EU") || r.as_str().starts_with("US"))
    };
    let free: Vec<_> = shop.free(books, listing).filter(|p| usual(p) != foreign).collect();
    let drawn = shop.dice.below(free.len() as u64, "assign", lease.label.as_str(), 0);
    free.get(usize::try_from(drawn).unwrap_or(0)).map(|p| p.name.clone())
}
