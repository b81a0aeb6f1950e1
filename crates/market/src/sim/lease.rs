//! One lease as its network records it.

use domain::{Billing, Label, Millis, ProviderName, Timestamp, Usd, UsdPerHour};
use serde::{Deserialize, Serialize};

use super::habits::{Fate, OVERBILLED};
use crate::MachineRef;

/// The record of a lease: one line of the state file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Lease {
    #[serde(with = "text")]
    pub(super) label: Label,
    /// Which listing it was bought from.
    pub(super) listing: String,
    pub(super) bought_at: Timestamp,
    /// Shown from then on.
    pub(super) visible_at: Timestamp,
    pub(super) span: Millis,
    pub(super) ceiling: UsdPerHour,
    /// The price it is billed at; in an auction the indicative one until a bid is accepted.
    pub(super) price: UsdPerHour,
    pub(super) fee: Usd,
    #[serde(with = "BillingRecord")]
    pub(super) billing: Billing,
    /// How often it was really bought; more than once is a fault of the buyer, who pays for each.
    pub(super) purchases: u32,
    /// Bidders that withdrew.
    pub(super) withdrawn: Vec<String>,
    pub(super) phase: Phase,
    /// When something happens to it by itself.
    pub(super) due: Option<Timestamp>,
}

/// Where it stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    Bidding { closes_at: Timestamp, expires_at: Timestamp },
    Queued { assign_at: Timestamp },
    Live(Seat),
    Ended { at: Timestamp, billed: Usd, seat: Option<Seat> },
}

/// Its place on a provider's machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Seat {
    #[serde(with = "text")]
    pub(super) provider: ProviderName,
    pub(super) since: Timestamp,
    pub(super) until: Option<Timestamp>,
    /// When the network needs the machine for itself.
    #[serde(default)]
    pub(super) taken_at: Option<Timestamp>,
    /// The agent, once it has been started.
    pub(super) machine: Option<MachineRef>,
    /// When the agent died with its provider.
    pub(super) lost_at: Option<Timestamp>,
    /// How often its release was asked for, and when first.
    pub(super) asks: u32,
    pub(super) asked_at: Option<Timestamp>,
}

impl Seat {
    pub(super) const fn new(provider: ProviderName, since: Timestamp) -> Self {
        Self {
            provider,
            since,
            until: None,
            taken_at: None,
            machine: None,
            lost_at: None,
            asks: 0,
            asked_at: None,
        }
    }
}

/// An ended lease's agent folder is removed after this, so that its log can be read for a while.
const FORGET_AFTER: Millis = Millis(300_000);

impl Lease {
    /// Its place, while it is billed.
    pub(super) const fn live(&self) -> Option<&Seat> {
        match &self.phase {
            Phase::Live(seat) => Some(seat),
            _ => None,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Ended { .. })
    }

    /// What it takes from our account: the bill once it has ended, before that what it may come to.
    pub(super) fn committed(&self) -> Usd {
        match &self.phase {
            Phase::Ended { billed, .. } => *billed,
            Phase::Bidding { .. } => self.billing.ceiling(self.ceiling, self.span) + self.fee,
            _ => self.billing.ceiling(self.price, self.span) + self.fee,
        }
    }

    /// The bill of a lease that ends at `at`: an honest network counts until it was asked to end it.
    pub(super) fn bill(&self, seat: &Seat, at: Timestamp, fate: &Fate) -> Usd {
        let counted = if fate.overbilled { at + OVERBILLED } else { seat.asked_at.unwrap_or(at).min(at) };
        let once = self.billing.charge(self.price, counted.since(seat.since)) + self.fee;
        (0..self.purchases).map(|_| once).sum()
    }

    /// When the network ends the lease by itself.
    pub(super) fn ends_at(seat: &Seat, fate: &Fate) -> Option<Timestamp> {
        let early = fate.end_after.map(|after| seat.since + after);
        let noticed = seat.lost_at.and_then(|at| fate.noticed_after.map(|after| at + after));
        [seat.until, seat.taken_at, early, noticed].into_iter().flatten().min()
    }

    /// When something happens to the lease by itself.
    pub(super) fn next(&self, fate: &Fate) -> Option<Timestamp> {
        match &self.phase {
            Phase::Bidding { expires_at, .. } => Some(*expires_at),
            Phase::Queued { assign_at } => Some(*assign_at),
            Phase::Live(seat) if seat.machine.is_none() => Some(seat.since),
            Phase::Live(seat) => {
                let loss = fate.loss_after.filter(|_| seat.lost_at.is_none()).map(|after| seat.since + after);
                [loss, Self::ends_at(seat, fate)].into_iter().flatten().min()
            }
            Phase::Ended { at, seat, .. } => {
                seat.as_ref().and_then(|seat| seat.machine).map(|_| *at + FORGET_AFTER)
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Billing", rename_all = "snake_case")]
enum BillingRecord {
    Metered { minimum: Millis },
    Prepaid { span: Millis, refundable: bool },
}

/// Names as text, since the domain keeps them free of serde.
pub(super) mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::sim) fn serialize<T: Display, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(value)
    }

    pub(in crate::sim) fn deserialize<'de, T, D>(d: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}
