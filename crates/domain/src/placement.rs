//! An immutable plan: ranked offers for a job, why, and which plan it replaces.

use std::collections::BTreeMap;
use std::fmt;

use crate::{ExecutionId, JobId, LeaseId, Millis, Offer, OfferRef, PlacementId, Timestamp, Usd};

/// A plan. It has no effects and never changes; a change of mind is a child plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Its id.
    pub id: PlacementId,
    /// For which job.
    pub job: JobId,
    /// The plan it replaces.
    pub parent: Option<PlacementId>,
    /// The attempt it is made for, from 1.
    pub attempt: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// Why it was made.
    pub cause: PlacementCause,
    /// Best first, at most 20.
    pub ranked: Vec<Ranked>,
    /// How many offers were admissible, those beyond `ranked` included.
    pub admissible: u32,
    /// How many offers were refused, by reason.
    pub refused: RefusalCounts,
    /// The version of the offer catalogue it was made from.
    pub catalogue: u64,
}

/// Why a plan was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementCause {
    /// The job's first plan.
    First,
    /// An execution was lost.
    Lost(ExecutionId),
    /// Bids came in for a request of ours.
    Bids(LeaseId),
    /// The lease could not be had.
    NotBought(LeaseId),
}

/// An offer with its place in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// The offer as it was when the plan was made.
    pub offer: Offer,
    /// What the rest of the job is expected to cost on it.
    pub estimate: Estimate,
    /// How likely the job is done on it by its deadline, in ten-thousandths; `None` where no loss rate is known.
    pub chance_bps: Option<u32>,
    /// Whether its network lost an execution of this job, so that every other network comes first.
    pub lost_here: bool,
}

/// What a job is expected to cost on an offer, term by term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Time to the end, start-up included.
    pub span: Millis,
    /// Price times start-up and work, by the offer's billing terms.
    pub compute: Usd,
    /// Purchase fees.
    pub fees: Usd,
    /// What is expected beside them.
    pub terms: Terms,
    /// The sum of all, that offers are ranked by.
    pub total: Usd,
    /// What must be held before buying.
    pub hold: Usd,
}

/// What a job is expected to cost beside machine time and fees; nothing where nothing is known. Nothing that is part of the
/// total is outside this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Moving inputs and outputs out of the network.
    pub egress: Usd,
    /// Machine time spent on saving states.
    pub checkpoints: Usd,
    /// Machine time done again after a loss, times how likely a loss is.
    pub interruption: Usd,
    /// Fees of the validators that check the work.
    pub verification: Usd,
    /// Changing money into the network's token.
    pub slippage: Usd,
    /// What distance to the users is worth, for inference.
    pub latency: Usd,
    /// What jobs of its class cost on the network beyond what was expected.
    pub class: Usd,
}

impl Terms {
    /// Each with its stable code.
    pub const fn named(&self) -> [(&'static str, Usd); 7] {
        [
            ("egress", self.egress),
            ("checkpoints", self.checkpoints),
            ("interruption", self.interruption),
            ("verification", self.verification),
            ("slippage", self.slippage),
            ("latency", self.latency),
            ("class", self.class),
        ]
    }

    /// From codes, the other way round; `None` for one that is not known.
    pub fn from_named<'a>(named: impl IntoIterator<Item = (&'a str, Usd)>) -> Option<Self> {
        let mut terms = Self::default();
        for (code, usd) in named {
            match code {
                "egress" => terms.egress = usd,
                "checkpoints" => terms.checkpoints = usd,
                "interruption" => terms.interruption = usd,
                "verification" => terms.verification = usd,
                "slippage" => terms.slippage = usd,
                "latency" => terms.latency = usd,
                "class" => terms.class = usd,
                _ => return None,
            }
        }
        Some(terms)
    }

    /// All together.
    pub fn sum(&self) -> Usd {
        self.named().into_iter().map(|(_, usd)| usd).sum()
    }
}

/// Why an offer was not admissible. One code per offer: the first rule it breaks, in the order of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// `resources.infra` or `failover.to` leaves this network out.
    Network,
    /// Outside `regions`, or the region is unknown.
    Region,
    /// Too little is known of the provider for the job's level.
    Assurance,
    /// It may be taken away, or it stays, other than `resources.use_spot` says.
    UseSpot,
    /// Not the cores asked for.
    Cpus,
    /// Not the memory asked for.
    Memory,
    /// Not the disk asked for.
    Disk,
    /// Not the accelerators asked for.
    Accelerators,
    /// Dearer per hour than the job allows.
    HourlyPrice,
    /// The whole job would cost more than its budget has left.
    Budget,
    /// It would end after the deadline.
    Deadline,
    /// The price is zero, so unknown.
    PriceUnknown,
    /// A wrong result may be worth more than checks, price and stake outweigh there.
    ValueUncovered,
    /// The offer is older than may be relied on, or has expired.
    Stale,
    /// Nothing left, or it was refused a short while ago.
    Stock,
    /// This provider lost an execution of this job.
    ProviderLost,
    /// The provider's promises are worth less than `waag.availability` asks.
    Reputation,
    /// The spot policy waits, or holds the other kind of machine for now.
    SpotPolicy,
}

impl Refusal {
    /// All, in the order in which rules are tried.
    pub const ALL: [Self; 18] = [
        Self::Network,
        Self::Region,
        Self::Assurance,
        Self::UseSpot,
        Self::Cpus,
        Self::Memory,
        Self::Disk,
        Self::Accelerators,
        Self::HourlyPrice,
        Self::Budget,
        Self::Deadline,
        Self::PriceUnknown,
        Self::ValueUncovered,
        Self::Stale,
        Self::Stock,
        Self::ProviderLost,
        Self::Reputation,
        Self::SpotPolicy,
    ];

    /// The stable code in tables and JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::ValueUncovered => "value_uncovered",
            Self::Region => "region",
            Self::Assurance => "assurance",
            Self::UseSpot => "use_spot",
            Self::Reputation => "reputation",
            Self::SpotPolicy => "spot_policy",
            Self::Cpus => "cpus",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Accelerators => "accelerators",
            Self::HourlyPrice => "hourly_price",
            Self::Budget => "budget",
            Self::Deadline => "deadline",
            Self::PriceUnknown => "price_unknown",
            Self::Stale => "stale",
            Self::Stock => "stock",
            Self::ProviderLost => "provider_lost",
        }
    }

    /// The refusal with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// How many offers each rule refused.
pub type RefusalCounts = BTreeMap<Refusal, u32>;

/// One refused offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub offer: OfferRef,
    /// Why.
    pub refusal: Refusal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_sum_to_what_their_names_say_and_codes_lead_back() {
        let usd = Usd::from_micros;
        let terms = Terms {
            egress: usd(1),
            checkpoints: usd(20),
            interruption: usd(300),
            verification: usd(4_000),
            slippage: usd(50_000),
            latency: usd(600_000),
            class: usd(7_000_000),
        };
        assert_eq!(terms.sum(), usd(7_654_321));
        assert_eq!(Terms::from_named(terms.named()), Some(terms));
        assert_eq!(Terms::from_named([("luck", usd(1))]), None);
    }
}
