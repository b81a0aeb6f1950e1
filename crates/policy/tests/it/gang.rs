//! Gangs against brute force.

use std::collections::BTreeMap;

use domain::{NetworkName, Offer, Region, Usd};
use proptest::prelude::*;
use waag_policy::eligibility::refusal;
use waag_policy::index::Index;
use waag_policy::placement::{Situation, estimate};

use crate::strategies::{any_offer, any_world, named};
use crate::support::{first, offer, spec, usd};

/// The least sum over all places, each node for itself.
fn brute_force(situation: &Situation<'_>, offers: &[Offer], nodes: usize) -> Option<Usd> {
    let mut places: BTreeMap<(&NetworkName, &Region), Vec<Usd>> = BTreeMap::new();
    for offer in offers.iter().filter(|offer| refusal(situation, offer).is_none()) {
        let Some(region) = &offer.region else { continue };
        let place = places.entry((&offer.id.network, region)).or_default();
        for _ in 0..offer.stock.unwrap_or(1) {
            place.push(estimate(situation, offer).total);
        }
    }
    let sum = |mut totals: Vec<Usd>| {
        totals.sort_unstable();
        (totals.len() >= nodes).then(|| totals.into_iter().take(nodes).sum())
    };
    places.into_values().filter_map(sum).min()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_gang_is_the_cheapest_of_all_places(
        world in any_world(), nodes in 1u32..12,
        offers in prop::collection::vec(any_offer(), 0..400).prop_map(named),
    ) {
        let mut index = Index::default();
        offers.iter().for_each(|offer| { index.upsert(offer); });
        let mut world = world;
        world.lost.clear();
        let situation = world.situation();
        let gang = index.gang(&situation, nodes);
        prop_assert_eq!(gang.as_ref().map(|gang| gang.total), brute_force(&situation, &offers, nodes as usize));
        if let Some(gang) = gang {
            prop_assert_eq!(gang.nodes.iter().map(|(_, n)| n).sum::<u32>(), nodes);
            let together = gang.nodes.iter().all(|(hit, n)| {
                hit.network == gang.network && hit.region == Some(gang.region) && *n <= hit.stock.unwrap_or(1)
            });
            prop_assert!(together);
        }
    }
}

#[test]
fn the_cheapest_node_does_not_decide_where_a_gang_goes() {
    let job = spec("50.00");
    let mut index = Index::default();
    let mut at = |reference: &str, region: &str, price: &str, stock| {
        index.upsert(&Offer {
            region: Some(region.parse().unwrap()),
            stock,
            ..offer("vast", reference, "p", price)
        });
    };
    at("a", "EU-DE", "0.36", None);
    at("b", "EU-DE", "3.60", Some(5));
    at("c", "EU-FI", "1.80", Some(2));
    let gang = index.gang(&first(&job), 2).unwrap();
    // 10.5 minutes at $1.80, twice.
    assert_eq!((gang.region.as_str(), gang.total, gang.nodes[0].1), ("EU-FI", usd("0.63"), 2));
    assert_eq!(index.gang(&first(&job), 3).unwrap().region.as_str(), "EU-DE");
    assert_eq!(index.gang(&first(&job), 7), None);
}
