//! Which offers a job may take: one code for each it may not.

use domain::{Assurance, Estimate, HardwareGap, NetworkName, Offer, ProviderName, Refusal, Region, Usd};

use crate::facts::Facts;
use crate::objective::estimate;
use crate::placement::Situation;

/// The first rule, in the order of [`Refusal::ALL`], that the offer breaks.
pub fn refusal(situation: &Situation<'_>, offer: &Offer) -> Option<Refusal> {
    let offer = Facts::from(offer);
    broken_rule(situation, &offer, &estimate(situation, &offer))
}

/// Whether the job may be on the network at all.
pub(crate) fn admits(situation: &Situation<'_>, network: &NetworkName) -> bool {
    let spec = situation.spec;
    spec.infra.admits(network) && (!situation.failover || spec.failover.to.admits(network))
}

/// The one place where rules are applied, to offers wherever they are kept; `estimate` is that of the offer.
pub(crate) fn broken_rule(
    situation: &Situation<'_>,
    offer: &Facts<'_>,
    estimate: &Estimate,
) -> Option<Refusal> {
    let spec = situation.spec;
    if !admits(situation, offer.network) {
        return Some(Refusal::Network);
    }
    let assigned_later = offer.assigned_later();
    if let Some(refusal) = provider_refusal(situation, offer.region, offer.assurance, assigned_later) {
        return Some(refusal);
    }
    if spec.use_spot.is_some_and(|spot| spot != offer.interruptible) {
        return Some(Refusal::UseSpot);
    }
    let fits = |wanted: &_| offer.fit(wanted);
    if let Some(gap) = spec.resources.gap_by(offer.cpus_milli, offer.memory_mib, offer.disk_mib, fits) {
        return Some(match gap {
            HardwareGap::Cpus => Refusal::Cpus,
            HardwareGap::Memory => Refusal::Memory,
            HardwareGap::Disk => Refusal::Disk,
            HardwareGap::Accelerators => Refusal::Accelerators,
        });
    }
    if spec.max_hourly.is_some_and(|cap| offer.price > cap) {
        return Some(Refusal::HourlyPrice);
    }
    // Checks are paid from what the work leaves, and are left out where that is too little.
    let work = estimate.total - estimate.terms.verification;
    if estimate.hold.max(work) > situation.budget_left {
        return Some(Refusal::Budget);
    }
    if situation.now + estimate.span > situation.deadline_at {
        return Some(Refusal::Deadline);
    }
    // A network that names a negative price or fee would otherwise rank first.
    if offer.price.per_hour() <= Usd::ZERO || offer.fee.is_negative() {
        return Some(Refusal::PriceUnknown);
    }
    if !covers_value(situation, offer.network, work) {
        return Some(Refusal::ValueUncovered);
    }
    if situation.now.since(offer.seen_at) > situation.stale_after
        || offer.valid_until.is_some_and(|until| until < situation.now)
    {
        return Some(Refusal::Stale);
    }
    let remembered = situation.refused_recently.iter().any(|(id, until)| {
        *until > situation.now && id.reference == offer.reference && id.network == *offer.network
    });
    if offer.stock == Some(0) || remembered {
        return Some(Refusal::Stock);
    }
    let Some(provider) = offer.provider else { return held_back(situation, offer) };
    if was_lost(situation, offer.network, provider) {
        return Some(Refusal::ProviderLost);
    }
    if situation.knowledge.promise_bps(offer.network, provider) < spec.availability_bps {
        return Some(Refusal::Reputation);
    }
    held_back(situation, offer)
}

/// What the spot policy holds instead, for now.
fn held_back(situation: &Situation<'_>, offer: &Facts<'_>) -> Option<Refusal> {
    (!situation.tenure.admits(offer.interruptible)).then_some(Refusal::SpotPolicy)
}

/// Whether a wrong result is worth no more than what a provider would lose by it.
fn covers_value(situation: &Situation<'_>, network: &NetworkName, work: Usd) -> bool {
    let at_risk = situation.spec.value_at_risk;
    let cover = situation.covers.get(network).copied().unwrap_or_default();
    at_risk <= Usd::ZERO || at_risk <= work.basis_points(cover)
}

/// The rules about a provider, for one that the network assigned after the purchase; keys and inputs wait for `None`.
pub fn refusal_of_assigned(
    situation: &Situation<'_>,
    network: &NetworkName,
    provider: &ProviderName,
    region: Option<&Region>,
    assurance: Assurance,
) -> Option<Refusal> {
    let promise = situation.knowledge.promise_bps(network, provider);
    provider_refusal(situation, region, assurance, false)
        .or_else(|| was_lost(situation, network, provider).then_some(Refusal::ProviderLost))
        .or_else(|| (promise < situation.spec.availability_bps).then_some(Refusal::Reputation))
}

fn was_lost(situation: &Situation<'_>, network: &NetworkName, provider: &ProviderName) -> bool {
    situation.lost.iter().any(|(n, p)| n == network && p == provider)
}

fn provider_refusal(
    situation: &Situation<'_>,
    region: Option<&Region>,
    assurance: Assurance,
    assigned_later: bool,
) -> Option<Refusal> {
    let regions = &situation.spec.regions;
    let inside = match region {
        Some(place) => regions.iter().any(|wanted| wanted.holds(place)),
        // A queue names the place at assignment, where the rule is applied again.
        None => assigned_later,
    };
    if !regions.is_empty() && !inside {
        return Some(Refusal::Region);
    }
    (assurance < situation.spec.level.assurance() && !assigned_later).then_some(Refusal::Assurance)
}
