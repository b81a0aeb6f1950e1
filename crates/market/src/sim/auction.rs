//! An auction, like Akash: an offer is indicative, a funded request collects bids for a short window, and one of them is
//! accepted under the same label. Time is metered out of an escrow that is topped up from our account, so the network
//! can be refused payment. A request nobody accepts expires and costs nothing.

use domain::{
    Billing, Conversion, Firmness, Millis, Offer, OfferRef, ProviderName, Quote, Timestamp, Usd, UsdPerHour,
};

use super::books::Books;
use super::lease::{Lease, Phase};
use super::order::Order;
use super::shop::{
    A100X8, Area, C2, C4, C8, C16, Class, H100X1, Hiring, Kind, Listing, NANO, Provider, RTX1, RTX4, Shop,
    UNKNOWN,
};
use super::{SimConfig, VISIBILITY};
use crate::dice::Dice;
use crate::{Capability, ErrorKind};

pub(super) struct Auction;

/// What a core costs an hour: idle machines compete.
const CORE_MICROS: u64 = 18_000;
/// Prices are quoted in micro-ACT (a millionth of a dollar) for a block of six seconds, of which an hour has 600.
const BLOCKS_PER_HOUR: u64 = 600;
const FEE: Usd = Usd::from_micros(2_000);
/// A bid can be accepted for so long after the window closed.
const ACCEPT_WITHIN: Millis = Millis(60_000);
/// A bid lies between these parts of 10,000 of the indicative price.
const BID_LEAST: u64 = 9_300;
const BID_MOST: u64 = 11_200;

const GROUPS: [(Class, Area, u8, bool); 11] = [
    (NANO, Area::Us, 2, true),
    (C2, Area::Eu, 4, true),
    (C2, Area::Asia, 2, true),
    (C4, Area::Us, 3, true),
    (C4, Area::Eu, 2, false),
    (C8, Area::Eu, 3, true),
    (C16, Area::Us, 2, true),
    (RTX1, Area::Eu, 3, true),
    (RTX4, Area::Us, 2, true),
    (A100X8, Area::Asia, 2, true),
    (H100X1, Area::Eu, 2, true),
];

impl Kind for Auction {
    fn capability(&self, config: &SimConfig) -> Capability {
        Capability {
            logs: false,
            exec: false,
            files: false,
            regions: true,
            labels: true,
            idempotency: true,
            stock: false,
            auction: true,
            queue: false,
            extend: false,
            introduces: false,
            withholds_payment: true,
            reserve_bps: 0,
            visibility: VISIBILITY,
            bid_window: config.bid_window,
            simulated: true,
        }
    }

    fn listings(&self, dice: Dice) -> Vec<(Listing, Vec<Provider>)> {
        let mut hiring = Hiring::new("harbor", dice);
        let group = |(class, area, bidders, priced): &(Class, Area, u8, bool)| {
            let region = area.region(dice, class.name);
            let members: Vec<_> = (0..*bidders).filter_map(|_| hiring.provider(region.clone())).collect();
            let place = region.as_ref().map(|r| r.as_str().to_ascii_lowercase()).unwrap_or_default();
            let reference = format!("{}.{place}", class.name);
            let mean = hiring.micros(class, CORE_MICROS, &reference);
            let listing = Listing {
                reference,
                region,
                hardware: class.hardware(),
                mean_micros: if *priced { mean } else { 0 },
                unit_micros: BLOCKS_PER_HOUR,
                billing: Billing::Metered { minimum: Millis::ZERO },
                sold_out: false,
                members: members.iter().map(|p| p.name.clone()).collect(),
            };
            (listing, members)
        };
        GROUPS.iter().map(group).collect()
    }

    fn fee(&self) -> Usd {
        FEE
    }

    fn offer(&self, shop: &Shop, books: &Books, listing: &Listing, plain: Offer) -> Option<Offer> {
        let bidders = listing.members.iter().filter(|name| !books.is_dead(name));
        let assurance = bidders.filter_map(|name| shop.providers.get(name)).map(|p| p.assurance).min()?;
        Some(Offer {
            firmness: Firmness::Auction,
            assurance,
            startup: plain.startup + shop.config.bid_window,
            quote: quote(plain.price, plain.seen_at),
            ..plain
        })
    }

    fn open(&self, shop: &Shop, _books: &Books, order: &Order, now: Timestamp) -> Result<Phase, ErrorKind> {
        order.listing(shop).ok_or(ErrorKind::NotFound)?;
        let closes_at = now + shop.config.bid_window;
        Ok(Phase::Bidding { closes_at, expires_at: closes_at + ACCEPT_WITHIN })
    }
}

/// The bids that have come in for a request by `now`, none above its ceiling. They follow from the seed, the label and
/// the bidder, so they need not be kept.
pub(super) fn bids(shop: &Shop, books: &Books, lease: &Lease, now: Timestamp) -> Vec<Offer> {
    let Some(listing) = shop.listings.get(&lease.listing) else { return Vec::new() };
    let Phase::Bidding { expires_at, .. } = lease.phase else { return Vec::new() };
    let bidders = shop.free(books, listing).filter(|p| !lease.withdrawn.iter().any(|w| w == p.name.as_str()));
    let bid = |bidder: &Provider| {
        let about = format!("{}/{}", lease.label, bidder.name);
        let comes_after = Millis(shop.dice.below(shop.config.bid_window.0 + 1, "bid_after", &about, 0));
        let price = bid_price(shop, listing, lease, &about);
        if lease.bought_at + comes_after > now || price > lease.ceiling {
            return None;
        }
        Some(Offer {
            id: OfferRef { network: shop.config.name.clone(), reference: about },
            provider: Some(bidder.name.clone()),
            price,
            quote: quote(price, lease.bought_at),
            firmness: Firmness::Firm,
            assurance: bidder.assurance,
            valid_until: Some(expires_at),
            ..shop.plain(listing, now)
        })
    };
    bidders.filter_map(bid).collect()
}

fn bid_price(shop: &Shop, listing: &Listing, lease: &Lease, about: &str) -> UsdPerHour {
    let indicative = u64::try_from(shop.price(listing, lease.bought_at).per_hour().micros()).unwrap_or(0);
    let asked = BID_LEAST + shop.dice.below(BID_MOST - BID_LEAST + 1, "bid", about, 0);
    super::shop::usd_per_hour((indicative * asked / 10_000).next_multiple_of(BLOCKS_PER_HOUR))
}

/// The bid of this provider, if it stands.
pub(super) fn bid_of(
    shop: &Shop,
    books: &Books,
    lease: &Lease,
    provider: &ProviderName,
    now: Timestamp,
) -> Option<Offer> {
    bids(shop, books, lease, now).into_iter().find(|bid| bid.provider.as_ref() == Some(provider))
}

fn quote(price: UsdPerHour, at: Timestamp) -> Quote {
    let known = price.per_hour() > Usd::ZERO;
    let per_block = price.per_hour().micros() / i128::from(BLOCKS_PER_HOUR);
    Quote {
        amount: if known { per_block.to_string() } else { UNKNOWN.to_owned() },
        unit: "uact/block".to_owned(),
        conversion: known.then(|| Conversion {
            rate: "0.0006".to_owned(),
            source: "600 blocks an hour, 1 ACT = 1 USD (simulated)".to_owned(),
            at,
        }),
    }
}
