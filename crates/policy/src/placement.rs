//! Which offers, in which order, and why: an immutable plan.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domain::{
    Billing, Estimate, JobId, JobSpec, Millis, NetworkName, Offer, OfferRef, Placement, PlacementCause,
    PlacementId, ProviderName, Ranked, Refused, Timestamp, Usd,
};

use crate::facts::Facts;
use crate::objective::Knowledge;
use crate::{eligibility, objective};

/// A plan keeps this many offers; how many more were admissible is counted.
pub const RANKED_MAX: usize = 20;

/// All that a plan is decided on, beside the offers.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// The job.
    pub job: JobId,
    /// What it asks for.
    pub spec: &'a JobSpec,
    /// The time.
    pub now: Timestamp,
    /// When it must have ended.
    pub deadline_at: Timestamp,
    /// What it may still spend.
    pub budget_left: Usd,
    /// Segments that need not be done again.
    pub segments_done: u32,
    /// How long the whole job takes: measured, or the configured assumption.
    pub expected_run: Millis,
    /// The attempt the plan is for, from 1.
    pub attempt: u32,
    /// The plan it replaces.
    pub parent: Option<PlacementId>,
    /// Why it is made.
    pub cause: PlacementCause,
    /// Providers that lost an execution of this job.
    pub lost: &'a [(NetworkName, ProviderName)],
    /// Offers that could not be had, each until when it is remembered.
    pub refused_recently: &'a [(OfferRef, Timestamp)],
    /// What a wrong result may be worth on a network, in ten-thousandths of the price, so that checks and stake still outweigh it;
    /// nothing on those that are not named.
    pub covers: &'a BTreeMap<NetworkName, u32>,
    /// What checking the work costs on any network, in ten-thousandths of its machine time.
    pub verification_bps: u32,
    /// What was measured or is assumed beside job and offers.
    pub knowledge: &'a Knowledge,
    /// Which kind of machine the spot policy holds for now.
    pub tenure: Tenure,
    /// Whether an execution was lost, so that `failover.to` applies.
    pub failover: bool,
    /// Older offers are not relied on.
    pub stale_after: Millis,
    /// What a release may still take.
    pub release_margin: Millis,
}

/// Which machines may be bought now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tenure {
    /// Either kind.
    #[default]
    Any,
    /// Those that may be taken away.
    Spot,
    /// Those that stay.
    OnDemand,
    /// None.
    Idle,
}

impl Tenure {
    /// Whether a machine may be bought that may be taken away, or that stays.
    pub const fn admits(self, interruptible: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Spot => interruptible,
            Self::OnDemand => !interruptible,
            Self::Idle => false,
        }
    }
}

/// How long a job is taken to run that has not been measured: `assumed`, and at most half of the time it has left, so
/// that a deadline alone, of which nobody knows better, refuses no offer.
pub fn unmeasured(assumed: Millis, time_left: Millis) -> Millis {
    assumed.min(Millis(time_left.0 / 2))
}

/// What the rest of the job is expected to cost on the offer: [`objective`](crate::objective) has the formula.
pub fn estimate(situation: &Situation<'_>, offer: &Offer) -> Estimate {
    objective::estimate(situation, &Facts::from(offer))
}

/// Makes the plan, and tells for each offer left out why.
///
/// The least expected total comes first, then the shorter span, then the name. What took a provider down often takes
/// its neighbours with it, so a network that lost an execution of this job comes after every other.
pub fn place(
    id: PlacementId,
    situation: &Situation<'_>,
    offers: &[Offer],
    catalogue: u64,
) -> (Placement, Vec<Refused>) {
    let mut ranked = Vec::new();
    let mut refused = Vec::new();
    for offer in offers {
        let facts = Facts::from(offer);
        let estimate = objective::estimate(situation, &facts);
        match eligibility::broken_rule(situation, &facts, &estimate) {
            Some(refusal) => refused.push(Refused { offer: offer.id.clone(), refusal }),
            None => ranked.push(Ranked {
                offer: offer.clone(),
                estimate,
                chance_bps: None,
                lost_here: situation.lost.iter().any(|(network, _)| *network == offer.id.network),
            }),
        }
    }
    ranked.sort_by(|a, b| {
        let key = |r: &'_ Ranked| (r.lost_here, r.estimate.total, r.estimate.span);
        key(a).cmp(&key(b)).then_with(|| a.offer.id.cmp(&b.offer.id))
    });
    let admissible = u32::try_from(ranked.len()).unwrap_or(u32::MAX);
    ranked.truncate(RANKED_MAX);
    for one in &mut ranked {
        one.chance_bps = objective::finish_chance_bps(situation, &Facts::from(&one.offer));
    }
    let mut counts = domain::RefusalCounts::new();
    for one in &refused {
        *counts.entry(one.refusal).or_default() += 1;
    }
    let placement = Placement {
        id,
        job: situation.job,
        parent: situation.parent,
        attempt: situation.attempt,
        made_at: situation.now,
        cause: situation.cause,
        ranked,
        admissible,
        refused: counts,
        catalogue,
    };
    (placement, refused)
}

/// The plan as text. One line per fact, so that two plans can be compared line by line:
///
/// ```text
/// placement ID of job ID, attempt N
///   made      TIME: CAUSE
///   replaces  ID                                                       (where it has a parent)
///   offers    N admissible, N refused, catalogue version N
///    1. NETWORK REFERENCE PROVIDER in REGION: total $T = SPAN (STARTUP to start) at $P/h is $COMPUTE + fees $FEES + CODE $TERM; hold $H; FIRMNESS BILLING
///        then a term for each of `Terms` that is not zero, ", may be taken away", ", simulated", "; done in time by N %" and "; lost here before" where they hold
///   refused   COUNT CODE                                               (in the order of `Refusal::ALL`)
/// ```
///
/// A reference is the network's own text, so what is not printable ASCII in it is escaped.
pub fn render(plan: &Placement) -> String {
    let mut out = String::new();
    let cause = match plan.cause {
        PlacementCause::First => "first plan".to_owned(),
        PlacementCause::Lost(execution) => format!("execution {execution} was lost"),
        PlacementCause::Bids(lease) => format!("bids came in for lease {lease}"),
        PlacementCause::NotBought(lease) => format!("lease {lease} could not be had"),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "placement {} of job {}, attempt {}", plan.id, plan.job, plan.attempt);
    let _ = writeln!(out, "  made      {}: {cause}", plan.made_at);
    if let Some(parent) = plan.parent {
        let _ = writeln!(out, "  replaces  {parent}");
    }
    let refused: u32 = plan.refused.values().sum();
    let _ = writeln!(
        out,
        "  offers    {} admissible, {refused} refused, catalogue version {}",
        plan.admissible, plan.catalogue
    );
    for (rank, ranked) in plan.ranked.iter().enumerate() {
        let _ = writeln!(out, "  {:>2}. {}", rank + 1, ranked_line(ranked));
    }
    for (refusal, count) in &plan.refused {
        let _ = writeln!(out, "  refused   {count:>4} {refusal}");
    }
    out
}

fn ranked_line(ranked: &Ranked) -> String {
    let Ranked { offer, estimate, .. } = ranked;
    let provider = offer.provider.as_ref().map_or("assigned later", ProviderName::as_str);
    let region = offer.region.as_ref().map_or("unknown", |r| r.as_str());
    let billing = match offer.billing {
        Billing::Metered { minimum } => format!("metered, at least {minimum}"),
        Billing::Prepaid { span, refundable: true } => format!("prepaid {span}, unused time refunded"),
        Billing::Prepaid { span, refundable: false } => format!("prepaid {span}, no refund"),
    };
    let may_be_taken = if offer.interruptible { ", may be taken away" } else { "" };
    let simulated = if offer.simulated { ", simulated" } else { "" };
    let lost_here = if ranked.lost_here { "; lost here before" } else { "" };
    let chance = ranked
        .chance_bps
        .map_or_else(String::new, |bps| format!("; done in time by {}.{:02} %", bps / 100, bps % 100));
    let reference = offer.id.reference.escape_default();
    let terms: String = (estimate.terms.named().into_iter())
        .filter(|(_, usd)| *usd != Usd::ZERO)
        .map(|(code, usd)| format!(" + {code} ${usd}"))
        .collect();
    format!(
        "{} {reference} {provider} in {region}: total ${} = {} ({} to start) at ${}/h is ${} + fees ${}{terms}; hold ${}; {} {billing}{may_be_taken}{simulated}{chance}{lost_here}",
        offer.id.network,
        estimate.total,
        estimate.span,
        offer.startup,
        offer.price,
        estimate.compute,
        estimate.fees,
        estimate.hold,
        offer.firmness.code(),
    )
}
