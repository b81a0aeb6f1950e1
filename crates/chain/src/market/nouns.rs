//! Accounts, offers and leases as the chain keeps them.

use domain::Timestamp;

use super::bindings;
use super::moment;
use super::order::seconds40;

/// What somebody owns in the market, in micro-units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// May be withdrawn, staked or spent.
    pub balance: u64,
    /// Bonded as a provider.
    pub stake: u64,
    /// The part of the stake that backs open leases.
    pub reserved: u64,
    /// Units in all offers that were not withdrawn.
    pub offered: u64,
}

/// Stake on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unbonding {
    /// How much, in micro-units.
    pub amount: u64,
    /// Not before this.
    pub release_at: Timestamp,
}

/// What a provider promises. Another price is another offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferTerms {
    /// Micro-units for one unit and one hour.
    pub price_per_hour: u64,
    /// How many there are.
    pub units: u32,
    /// Leases begin at or after this second since the epoch,
    pub available_from: u64,
    /// and are over by this one.
    pub available_until: u64,
}

/// An offer as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// What was promised.
    pub terms: OfferTerms,
    /// Units in accepted leases that are not final.
    pub leased: u32,
    /// Whether no further lease begins on it.
    pub withdrawn: bool,
}

/// Where a lease is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Paid into escrow, waits for the provider.
    Open,
    /// Accepted; billing runs.
    Active,
    /// Ended before its time; the provider may still commit.
    Ended,
    /// The provider has committed to the work; a verdict may follow.
    Committed,
    /// A mismatch was found.
    Disputed,
    /// Never accepted: the consumer has everything back.
    Cancelled,
    /// The provider is paid.
    Settled,
    /// The consumer has everything back, nobody is punished.
    Refunded,
    /// The consumer has everything back, and the provider lost stake.
    Slashed,
}

/// Whose word ended something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The consumer's.
    Consumer,
    /// The provider's.
    Provider,
    /// The verifier's.
    Verifier,
    /// Nobody's: a deadline passed.
    Time,
}

/// What the chain keeps of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Where it is.
    pub state: State,
    /// Micro-units for all its units and one hour.
    pub rate: u64,
    /// Seconds bought, extensions included.
    pub span: u32,
    /// Seconds to pay for, once it has ended or was committed to.
    pub used: u32,
    /// Billing runs since then; `None` while it is open.
    pub started_at: Option<Timestamp>,
    /// The last moment for the parties to act; one second later anybody may call `expire`.
    pub deadline: Timestamp,
    /// Leaves below the root, once there is one.
    pub leaf_count: u32,
}

impl State {
    /// Whether nothing moves any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Settled | Self::Refunded | Self::Slashed)
    }

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Active => "active",
            Self::Ended => "ended",
            Self::Committed => "committed",
            Self::Disputed => "disputed",
            Self::Cancelled => "cancelled",
            Self::Settled => "settled",
            Self::Refunded => "refunded",
            Self::Slashed => "slashed",
        }
    }

    /// By its number in the contract; `None` for `None` and for what no contract of ours says.
    pub(super) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Open,
            2 => Self::Active,
            3 => Self::Ended,
            4 => Self::Committed,
            5 => Self::Disputed,
            6 => Self::Cancelled,
            7 => Self::Settled,
            8 => Self::Refunded,
            9 => Self::Slashed,
            _ => return None,
        })
    }
}

impl Cause {
    pub(super) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Consumer,
            1 => Self::Provider,
            2 => Self::Verifier,
            3 => Self::Time,
            _ => return None,
        })
    }
}

impl OfferTerms {
    pub(super) fn bound(&self) -> bindings::OfferTerms {
        bindings::OfferTerms {
            pricePerHour: self.price_per_hour,
            units: self.units,
            availableFrom: seconds40(self.available_from),
            availableUntil: seconds40(self.available_until),
        }
    }
}

impl From<bindings::OfferTerms> for OfferTerms {
    fn from(terms: bindings::OfferTerms) -> Self {
        Self {
            price_per_hour: terms.pricePerHour,
            units: terms.units,
            available_from: terms.availableFrom.to(),
            available_until: terms.availableUntil.to(),
        }
    }
}

impl From<bindings::Account> for Account {
    fn from(account: bindings::Account) -> Self {
        let bindings::Account { balance, stake, reserved, offered } = account;
        Self { balance, stake, reserved, offered }
    }
}

impl Offer {
    /// `None` when there is no such offer.
    pub(super) fn from_chain(offer: &bindings::Offer) -> Option<Self> {
        let terms = OfferTerms {
            price_per_hour: offer.pricePerHour,
            units: offer.units,
            available_from: offer.availableFrom.to(),
            available_until: offer.availableUntil.to(),
        };
        (terms.available_until != 0).then_some(Self {
            terms,
            leased: offer.leased,
            withdrawn: offer.withdrawn,
        })
    }
}

impl Lease {
    /// `None` when there never was such a lease.
    pub(super) fn from_chain(lease: &bindings::Lease) -> Option<Self> {
        let started: u64 = lease.startedAt.to();
        Some(Self {
            state: State::from_number(lease.state)?,
            rate: lease.rate,
            span: lease.span,
            used: lease.used,
            started_at: (started != 0).then(|| moment(started)),
            deadline: moment(lease.deadline.to()),
            leaf_count: lease.leafCount,
        })
    }
}
