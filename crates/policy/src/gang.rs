//! Several nodes in one place: the cheapest set on one network and in one region.
//!
//! A place's cost is the sum of its cheapest nodes, so the best place is the least of these sums. Offers are taken in the order of
//! plans until no place can still undercut the best: one that lacks nodes needs at least the last total seen for each of them.

use std::collections::BTreeMap;

use domain::{NetworkName, Region, Usd};

use crate::index::{Hit, Index};
use crate::placement::Situation;

/// A gang has at most so many nodes.
pub const NODES_MAX: u32 = 1_024;
/// Offers that are looked at first; more as long as they may matter.
const LOOK_AT: usize = 64;

/// Nodes in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gang<'a> {
    /// On which network.
    pub network: &'a NetworkName,
    /// Where.
    pub region: &'a Region,
    /// Offers with how many nodes each gives, cheapest first.
    pub nodes: Vec<(Hit<'a>, u32)>,
    /// What all are expected to cost.
    pub total: Usd,
}

/// What is known of a place so far.
#[derive(Default)]
struct Place<'a> {
    nodes: Vec<(Hit<'a>, u32)>,
    count: u32,
    total: Usd,
}

impl Index {
    /// The cheapest `nodes` nodes on one network and in one region, each of which may be taken for the job; `None` where no place
    /// has so many. The network that lost an execution of the job counts like any other. An offer gives as many nodes as its
    /// stock, and one where that is not known; one whose region is not known gives none.
    pub fn gang<'a>(&'a self, situation: &Situation<'_>, nodes: u32) -> Option<Gang<'a>> {
        let nodes = nodes.clamp(1, NODES_MAX);
        let situation = Situation { lost: &[], ..situation.clone() };
        let mut look_at = LOOK_AT;
        loop {
            let hits = self.best(&situation, look_at);
            let all = hits.len() < look_at;
            let places = places(&hits, nodes);
            let best = places
                .iter()
                .filter(|(_, place)| place.count == nodes)
                .min_by_key(|(name, place)| (place.total, **name));
            let least = best.map(|(_, place)| place.total);
            let last = hits.last().map_or(Usd::ZERO, |hit| hit.estimate.total);
            if all || least.is_some_and(|least| settled(&places, nodes, last, least)) {
                let ((network, region), place) = best?;
                return Some(Gang { network, region, nodes: place.nodes.clone(), total: place.total });
            }
            look_at = look_at.saturating_mul(4);
        }
    }
}

type Places<'a> = BTreeMap<(&'a NetworkName, &'a Region), Place<'a>>;

fn places<'a>(hits: &[Hit<'a>], nodes: u32) -> Places<'a> {
    let mut places = Places::new();
    for hit in hits {
        let Some(region) = hit.region else { continue };
        let place = places.entry((hit.network, region)).or_default();
        let take = hit.stock.unwrap_or(1).min(nodes - place.count);
        if take > 0 {
            place.count += take;
            place.total += hit.estimate.total.times(u64::from(take));
            place.nodes.push((*hit, take));
        }
    }
    places
}

/// Whether no place can cost less than `least`, when every node that was not seen costs `last` or more. Equal ones are decided by
/// name, so those are waited for.
fn settled(places: &Places<'_>, nodes: u32, last: Usd, least: Usd) -> bool {
    let open = |place: &Place<'_>| place.total + last.times(u64::from(nodes - place.count));
    last.times(u64::from(nodes)) > least
        && places.values().filter(|place| place.count < nodes).all(|place| open(place) > least)
}
