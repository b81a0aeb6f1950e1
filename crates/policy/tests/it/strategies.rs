//! Any offers and any job, of few different values, so that ties and every refusal come up often.

use domain::{
    Assurance, Billing, Firmness, JobSpec, Millis, NetworkName, Offer, OfferRef, ProviderName, Timestamp,
    Usd, UsdPerHour,
};
use proptest::prelude::*;
use waag_policy::placement::Situation;

use crate::support::{NOW, first, offer, only, spec};

pub(crate) const NETWORKS: [&str; 3] = ["akash", "sim-cloud", "vast"];
const PLACES: [&str; 3] = ["EU-DE", "US-CA", "ASIA"];

pub(crate) fn network() -> impl Strategy<Value = NetworkName> {
    prop::sample::select(&NETWORKS[..]).prop_map(|name| name.parse().unwrap())
}

pub(crate) fn provider() -> impl Strategy<Value = ProviderName> {
    prop::sample::select(&["p1", "p2", "p3", "p4"][..]).prop_map(|name| name.parse().unwrap())
}

fn billing() -> impl Strategy<Value = Billing> {
    let span = || prop::sample::select(&[0u64, 60_000, 900_000, 3_600_000][..]).prop_map(Millis);
    prop_oneof![
        span().prop_map(|minimum| Billing::Metered { minimum }),
        (span(), any::<bool>()).prop_map(|(span, refundable)| Billing::Prepaid { span, refundable }),
    ]
}

prop_compose! {
    /// Few different values, so that ties and every refusal come up often.
    pub(crate) fn any_offer()(
        network in network(), provider in prop::option::weighted(0.8, provider()),
        place in prop::option::weighted(0.9, prop::sample::select(&PLACES[..])),
        cpus_milli in prop::sample::select(&[1_000u32, 2_000, 4_000][..]),
        price in prop_oneof![1 => -1i64..1, 9 => (1i64..40).prop_map(|n| n * 100_000)],
        fee in prop_oneof![8 => Just(0i64), 3 => 0i64..300_000, 1 => -5i64..0],
        billing in billing(), startup in prop::sample::select(&[0u64, 30_000, 1_800_000][..]),
        stock in prop::option::of(0u32..3), audited: bool, age in 0u64..80_000,
        valid in prop::option::of(-1_000i64..60_000),
        firmness in prop::sample::select(&[Firmness::Firm, Firmness::Auction, Firmness::Queue][..]),
    ) -> Offer {
        let mut offer = offer(network.as_str(), "", "p", "1");
        (offer.provider, offer.firmness) = (provider, firmness);
        offer.region = place.map(|name| name.parse().unwrap());
        offer.hardware.cpus_milli = cpus_milli;
        (offer.price, offer.fee) = (UsdPerHour::new(Usd::from_micros(price)), Usd::from_micros(fee));
        (offer.billing, offer.startup, offer.stock) = (billing, Millis(startup), stock);
        offer.assurance = if audited { Assurance::Audited } else { Assurance::Claimed };
        offer.seen_at = NOW - Millis(age);
        offer.valid_until = valid.map(|n| Timestamp(NOW.0 + n));
        offer
    }
}

/// What a job has been through, owned.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) spec: JobSpec,
    pub(crate) budget_left: Usd,
    pub(crate) segments_done: u32,
    pub(crate) lost: Vec<(NetworkName, ProviderName)>,
    pub(crate) refused_recently: Vec<(OfferRef, Timestamp)>,
    pub(crate) failover: bool,
}

impl World {
    pub(crate) fn situation(&self) -> Situation<'_> {
        Situation {
            budget_left: self.budget_left,
            segments_done: self.segments_done,
            lost: &self.lost,
            refused_recently: &self.refused_recently,
            failover: self.failover,
            ..first(&self.spec)
        }
    }
}

prop_compose! {
    pub(crate) fn any_world()(
        budget in 100_000i64..20_000_000, segments_done in 0u32..33,
        lost in prop::collection::vec((network(), provider()), 0..3),
        refused in prop::collection::vec((network(), 0usize..40, -5_000i64..5_000), 0..4),
        infra in prop::option::of(0usize..3), failover: bool, to in prop::option::of(0usize..3),
        cap in prop::option::of(1i64..40), region in prop::option::of(prop::sample::select(&["EU", "US-CA"][..])),
        high: bool, cpus in prop::option::of(1u64..4), deadline in 300_000u64..7_200_000,
    ) -> World {
        let mut spec = spec("1");
        spec.infra = infra.map_or_else(Default::default, |left_out| only(&NETWORKS[left_out..]));
        spec.failover.to = to.map_or_else(Default::default, |last| only(&NETWORKS[..=last]));
        spec.max_hourly = cap.map(|n| UsdPerHour::new(Usd::from_micros(n * 100_000)));
        spec.regions = region.map(|name| name.parse().unwrap()).into_iter().collect();
        spec.level = if high { domain::Level::High } else { domain::Level::Standard };
        spec.resources.cpus_milli = cpus.map(|n| domain::Need::AtLeast(n * 1_000));
        spec.deadline = Millis(deadline);
        let refused_recently = refused
            .into_iter()
            .map(|(network, n, until)| (OfferRef { network, reference: n.to_string() }, Timestamp(NOW.0 + until)))
            .collect();
        World { spec, budget_left: Usd::from_micros(budget), segments_done, lost, refused_recently, failover }
    }
}

pub(crate) fn named(mut offers: Vec<Offer>) -> Vec<Offer> {
    for (n, offer) in offers.iter_mut().enumerate() {
        offer.id.reference = n.to_string();
    }
    offers
}
