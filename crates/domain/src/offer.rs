//! What could be bought now.

use crate::{Assurance, Hardware, Millis, NetworkName, ProviderName, Region, Timestamp, Usd, UsdPerHour};

/// The name of an offer: its network and the network's own reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferRef {
    /// Where it is offered.
    pub network: NetworkName,
    /// The network's own word for it (an instance type and zone, a bid id).
    pub reference: String,
}

/// Something that could be bought now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub id: OfferRef,
    /// Who owns the machine; unknown where the network assigns it later.
    pub provider: Option<ProviderName>,
    /// Where the machine stands; unknown stays unknown and fits no region rule.
    pub region: Option<Region>,
    /// What the machine has.
    pub hardware: Hardware,
    /// The price in dollars per hour, derived from `quote`.
    pub price: UsdPerHour,
    /// What the network quoted, in its own unit.
    pub quote: Quote,
    /// Charged once at purchase.
    pub fee: Usd,
    /// How time is billed.
    pub billing: Billing,
    /// Take it and it is ours, or an auction or a queue will tell.
    pub firmness: Firmness,
    /// From purchase to a running agent, as expected.
    pub startup: Millis,
    /// How many are left, where the network says so.
    pub stock: Option<u32>,
    /// Whether the network may take the machine away at any time (spot, preemptible).
    pub interruptible: bool,
    /// What is known about the provider.
    pub assurance: Assurance,
    /// When the network told us.
    pub seen_at: Timestamp,
    /// After this it can no longer be taken.
    pub valid_until: Option<Timestamp>,
    /// Whether network, price and hardware are simulated.
    pub simulated: bool,
}

/// A price as its network states it, kept beside the price derived from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The number as quoted.
    pub amount: String,
    /// Its unit, e.g. `USD/h` or `uact/block`.
    pub unit: String,
    /// How it was converted; `None` where the unit is already dollars per hour.
    pub conversion: Option<Conversion>,
}

/// How a quoted price became dollars per hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// Dollars per hour for one quoted unit, as a decimal.
    pub rate: String,
    /// Where the rate is from.
    pub source: String,
    /// When it held.
    pub at: Timestamp,
}

/// How time on a lease is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// By use, but at least `minimum`.
    Metered {
        /// The shortest time that is billed.
        minimum: Millis,
    },
    /// Paid before use for a whole `span`.
    Prepaid {
        /// What is paid for at once.
        span: Millis,
        /// Whether unused time is given back.
        refundable: bool,
    },
}

impl Billing {
    /// What `used` costs at `price`, without the purchase fee.
    pub fn charge(self, price: UsdPerHour, used: Millis) -> Usd {
        match self {
            Self::Metered { minimum } => price.charge(used.max(minimum)),
            Self::Prepaid { span, refundable: true } => price.charge(used.min(span)),
            Self::Prepaid { span, refundable: false } => price.charge(span),
        }
    }

    /// How long is billed when `used` is used, however many leases that takes: at least the minimum, and whole spans where unused
    /// time is not given back.
    pub const fn billed(self, used: Millis) -> Millis {
        match self {
            Self::Metered { minimum } if used.0 < minimum.0 => minimum,
            Self::Prepaid { span, refundable: false } if span.0 > 0 => {
                let spans = used.0.div_ceil(span.0);
                span.times(if spans == 0 { 1 } else { spans })
            }
            _ => used,
        }
    }

    /// The most that a lease of at most `span` can cost at `price`, without the purchase fee: what a hold must cover.
    pub fn ceiling(self, price: UsdPerHour, span: Millis) -> Usd {
        match self {
            Self::Metered { minimum } => price.charge(span.max(minimum)),
            Self::Prepaid { span: paid, .. } => price.charge(paid.max(span)),
        }
    }
}

/// Whether taking an offer makes it ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmness {
    /// Take it and it is ours.
    Firm,
    /// An auction will tell the provider and the price.
    Auction,
    /// A queue will tell the provider; the price is fixed.
    Queue,
}

impl Firmness {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Firm => "firm",
            Self::Auction => "auction",
            Self::Queue => "queue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn billing_charges_as_its_terms_say() {
        let price: UsdPerHour = "3.60".parse().unwrap();
        let metered = Billing::Metered { minimum: Millis(60_000) };
        assert_eq!(metered.charge(price, Millis(1000)), "0.06".parse().unwrap());
        assert_eq!(metered.charge(price, Millis(120_000)), "0.12".parse().unwrap());
        let prepaid = |refundable| Billing::Prepaid { span: Millis::HOUR, refundable };
        assert_eq!(prepaid(false).charge(price, Millis(1000)), "3.60".parse().unwrap());
        assert_eq!(prepaid(true).charge(price, Millis(1000)), "0.001".parse().unwrap());
        assert_eq!(prepaid(false).billed(Millis(3_600_001)), Millis::HOUR.times(2));
        assert_eq!(prepaid(false).billed(Millis::ZERO), Millis::HOUR);
        assert_eq!(prepaid(true).billed(Millis(1000)), Millis(1000));
        assert_eq!(metered.billed(Millis(1000)), Millis(60_000));
        assert_eq!(prepaid(true).ceiling(price, Millis(1000)), "3.60".parse().unwrap());
    }
}
