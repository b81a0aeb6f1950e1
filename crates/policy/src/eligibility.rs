//! Which offers a job may take: one code for each it may not.

use domain::{
    Assurance, Firmness, HardwareGap, NetworkName, Offer, OfferRef, ProviderName, Refusal, Region, Timestamp,
    Usd,
};

use crate::placement::{Situation, estimate};

/// The first rule, in the order of [`Refusal::ALL`], that the offer breaks.
pub fn refusal(situation: &Situation<'_>, offer: &Offer) -> Option<Refusal> {
    let spec = situation.spec;
    if !spec.infra.admits(&offer.id.network)
        || (situation.failover && !spec.failover.to.admits(&offer.id.network))
    {
        return Some(Refusal::Network);
    }
    let assigned_later = offer.firmness == Firmness::Queue && offer.provider.is_none();
    if let Some(refusal) = provider_refusal(situation, offer.region.as_ref(), offer.assurance, assigned_later)
    {
        return Some(refusal);
    }
    if let Some(gap) = spec.resources.gap(&offer.hardware) {
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
    // The hold covers the expected total, so what fits the hold fits the cost.
    let estimate = estimate(situation, offer);
    if estimate.hold > situation.budget_left {
        return Some(Refusal::Budget);
    }
    if situation.now + estimate.span > situation.deadline_at {
        return Some(Refusal::Deadline);
    }
    // A network that names a negative price or fee would otherwise rank first.
    if offer.price.per_hour() <= Usd::ZERO || offer.fee.is_negative() {
        return Some(Refusal::PriceUnknown);
    }
    if !covers_value(situation, offer) {
        return Some(Refusal::ValueUncovered);
    }
    if situation.now.since(offer.seen_at) > situation.stale_after
        || offer.valid_until.is_some_and(|until| until < situation.now)
    {
        return Some(Refusal::Stale);
    }
    let remembered = |(id, until): &(OfferRef, Timestamp)| *id == offer.id && *until > situation.now;
    if offer.stock == Some(0) || situation.refused_recently.iter().any(remembered) {
        return Some(Refusal::Stock);
    }
    let provider = offer.provider.as_ref()?;
    was_lost(situation, &offer.id.network, provider).then_some(Refusal::ProviderLost)
}

/// Whether a wrong result is worth no more than what a provider would lose by it.
fn covers_value(situation: &Situation<'_>, offer: &Offer) -> bool {
    let at_risk = situation.spec.value_at_risk;
    let cover = situation.covers.get(&offer.id.network).copied().unwrap_or_default();
    at_risk <= Usd::ZERO || at_risk <= estimate(situation, offer).total.basis_points(cover)
}

/// The rules about a provider, for one that the network assigned after the purchase; keys and inputs wait for `None`.
pub fn refusal_of_assigned(
    situation: &Situation<'_>,
    network: &NetworkName,
    provider: &ProviderName,
    region: Option<&Region>,
    assurance: Assurance,
) -> Option<Refusal> {
    provider_refusal(situation, region, assurance, false)
        .or_else(|| was_lost(situation, network, provider).then_some(Refusal::ProviderLost))
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
