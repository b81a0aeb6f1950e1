//! The index against brute force: the same offers, changed in the same ways, looked through one by one.

use std::collections::BTreeMap;

use domain::{
    Accelerators, Estimate, GpuModel, Millis, Need, NetworkName, Offer, OfferRef, PlacementId, Region,
    Timestamp, Usd, WorkClass,
};
use proptest::prelude::*;
use waag_policy::index::{Change, Index, Survey};
use waag_policy::objective::{Knowledge, NOTHING_KNOWN, NetworkFacts, ProviderFacts};
use waag_policy::placement::{RANKED_MAX, Situation, Tenure, place};

use crate::strategies::{NETWORKS, World, any_offer, any_world, network, provider};
use crate::support::{NOW, SECOND, first, hourly, offer, spec};

const ID: PlacementId = PlacementId::from_bytes([9; 10]);
const CHIPS: [(&str, u32); 7] = [
    ("H100", 1),
    ("NVIDIA H100 PCIe", 1),
    ("h100-sxm", 2),
    ("A100-80GB", 1),
    ("A100", 8),
    ("Some Chip", 1),
    ("some chip", 2),
];

fn chip(n: usize) -> Accelerators {
    let (model, count) = CHIPS[n];
    Accelerators { model: model.to_owned(), count }
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, Box<Offer>),
    Remove(u8, NetworkName),
    Expire(i64),
    Ask(Box<Question>),
}

#[derive(Debug, Clone)]
struct Question {
    world: World,
    covers: BTreeMap<NetworkName, u32>,
    knowledge: Knowledge,
    tenure: Tenure,
    verification_bps: u32,
}

prop_compose! {
    fn an_offer()(
        mut offer in any_offer(), chips in prop::option::of(0..CHIPS.len()), memory in 0u64..4, plain: bool,
        interruptible: bool,
    ) -> Offer {
        offer.hardware.accelerators = chips.map(chip);
        offer.hardware.memory_mib = memory * 8_192;
        offer.interruptible = interruptible;
        if plain {
            // Few enough terms for shelves of their own.
            (offer.startup, offer.fee) = (SECOND.times(30), Usd::ZERO);
        }
        offer
    }
}

prop_compose! {
    fn a_network()(losses in 0u32..2_000_000, taken in 0u32..2_000_000, egress in -5i64..2_000, verification in 0u32..2_000, slippage in 0u32..300)
        -> NetworkFacts {
        NetworkFacts {
            losses_per_million_hours: losses,
            taken_per_million_hours: taken,
            egress_per_gib: Usd::from_micros(egress),
            verification_bps: verification,
            slippage_bps: slippage,
        }
    }
}

prop_compose! {
    fn some_knowledge()(
        speeds in prop::collection::vec((prop::sample::select(vec!["H100", "A100"]), 200u32..3_000), 0..3),
        networks in prop::collection::vec((0..NETWORKS.len(), a_network()), 0..4),
        latency in prop::collection::vec((prop::sample::select(vec!["EU", "EU-DE", "US"]), -5i64..50_000), 0..3),
        providers in prop::collection::vec(((network(), provider()), (0u32..2_000_000, 0u32..10_000)), 0..4),
        classes in prop::collection::vec((0..NETWORKS.len(), 0u32..9_000), 0..2),
        newcomer_bps in 0u32..1_000, egress_mib in 0u64..5_000, checkpoint_bps in 0u32..2_000,
    ) -> Knowledge {
        let model = |name: &str| GpuModel::all().find(|model| model.name() == name).unwrap();
        let region = |name: &str| name.parse::<Region>().unwrap();
        let mut known: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for ((network, provider), (losses_per_million_hours, promise_bps)) in providers {
            let facts = ProviderFacts { losses_per_million_hours, promise_bps };
            known.entry(network).or_default().insert(provider, facts);
        }
        Knowledge {
            providers: known,
            classes: classes.into_iter().map(|(n, bps)| (WorkClass::Batch, [(NETWORKS[n].parse().unwrap(), bps)].into())).collect(),
            newcomer_bps,
            speeds_permille: speeds.into_iter().map(|(name, speed)| (model(name), speed)).collect(),
            networks: networks.into_iter().map(|(n, facts)| (NETWORKS[n].parse().unwrap(), facts)).collect(),
            latency: latency.into_iter().map(|(name, worth)| (region(name), Usd::from_micros(worth))).collect(),
            egress_mib,
            checkpoint_bps,
        }
    }
}

prop_compose! {
    fn a_question()(
        mut world in any_world(), chips in prop::option::of(0..CHIPS.len()), memory in prop::option::of(0u64..4),
        at_risk in prop_oneof![3 => Just(0i64), 1 => 0i64..2_000_000],
        covers in prop::collection::vec((0..NETWORKS.len(), 0u32..20_000), 0..4),
        knowledge in prop_oneof![1 => Just(NOTHING_KNOWN.clone()), 2 => some_knowledge()],
        batch: bool, use_spot in prop::option::weighted(0.3, any::<bool>()), floor in prop_oneof![3 => Just(0u32), 1 => 0u32..10_000],
        tenure in prop_oneof![4 => Just(Tenure::Any), 1 => Just(Tenure::Spot), 1 => Just(Tenure::OnDemand), 1 => Just(Tenure::Idle)],
        verification_bps in prop_oneof![Just(0u32), 0u32..20_000],
    ) -> Question {
        (world.spec.use_spot, world.spec.availability_bps) = (use_spot, floor);
        world.spec.class = batch.then_some(WorkClass::Batch);
        world.spec.resources.accelerators = chips.map(chip);
        world.spec.resources.memory_mib = memory.map(|n| Need::AtLeast(n * 8_192));
        world.spec.value_at_risk = Usd::from_micros(at_risk);
        let covers = covers.into_iter().map(|(n, cover)| (NETWORKS[n].parse().unwrap(), cover)).collect();
        Question { world, covers, knowledge, tenure, verification_bps }
    }
}

fn a_step() -> impl Strategy<Value = Step> {
    let network = prop::sample::select(&NETWORKS[..]).prop_map(|name| name.parse().unwrap());
    prop_oneof![
        12 => (0u8..120, an_offer()).prop_map(|(n, offer)| Step::Put(n, Box::new(offer))),
        2 => (0u8..120, network).prop_map(|(n, network)| Step::Remove(n, network)),
        1 => (-2_000i64..70_000).prop_map(Step::Expire),
        3 => a_question().prop_map(|question| Step::Ask(Box::new(question))),
    ]
}

type Found<'a> = Vec<(&'a NetworkName, &'a str, Estimate, bool)>;

fn compare(
    index: &Index,
    offers: &BTreeMap<OfferRef, Offer>,
    question: &Question,
) -> Result<(), TestCaseError> {
    let Question { world, covers, knowledge, tenure, verification_bps } = question;
    let situation = Situation {
        covers,
        knowledge,
        tenure: *tenure,
        verification_bps: *verification_bps,
        ..world.situation()
    };
    let all: Vec<Offer> = offers.values().cloned().collect();
    let (plan, _) = place(ID, &situation, &all, 0);
    let hits = index.best(&situation, RANKED_MAX);
    let found: Found<'_> = hits.iter().map(|h| (h.network, h.reference, h.estimate, h.lost_here)).collect();
    let ranked = plan.ranked.iter();
    let expected: Found<'_> =
        ranked.map(|r| (&r.offer.id.network, &*r.offer.id.reference, r.estimate, r.lost_here)).collect();
    prop_assert_eq!(&found, &expected);
    let first: Vec<_> = index.best(&situation, 1).iter().map(|h| h.reference.to_owned()).collect();
    prop_assert_eq!(first, expected.iter().take(1).map(|e| e.1.to_owned()).collect::<Vec<_>>());
    prop_assert_eq!(index.survey(&situation), Survey { admissible: plan.admissible, refused: plan.refused });
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_index_finds_what_brute_force_finds(steps in prop::collection::vec(a_step(), 1..250)) {
        let (mut index, mut offers) = (Index::default(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Put(n, mut offer) => {
                    offer.id.reference = n.to_string();
                    let change = index.upsert(&offer);
                    let known = offers.insert(offer.id.clone(), *offer).is_some();
                    prop_assert_eq!(change == Change::Changed, known);
                }
                Step::Remove(n, network) => {
                    let id = OfferRef { network, reference: n.to_string() };
                    prop_assert_eq!(index.remove(&id), offers.remove(&id).is_some());
                }
                Step::Expire(after) => {
                    let now = Timestamp(NOW.0 + after);
                    let before = offers.len();
                    offers.retain(|_, offer| offer.valid_until.is_none_or(|until| until >= now));
                    prop_assert_eq!(index.expire(now), before - offers.len());
                }
                Step::Ask(question) => compare(&index, &offers, &question)?,
            }
            prop_assert_eq!(index.len(), offers.len());
        }
    }

    /// Long shelves of many blocks, with long runs of one price.
    #[test]
    fn long_shelves_are_searched_as_brute_force_would(
        prices in prop::collection::vec((1i64..30, 0usize..3, 0u64..4, 0u8..3), 300..900),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(1i64..30)), 0..300),
        questions in prop::collection::vec(a_question(), 1..6),
    ) {
        let (mut index, mut offers) = (Index::default(), BTreeMap::new());
        let make = |n: usize, price: i64, place: usize, memory: u64, assurance: u8| {
            let mut one = offer("vast", &format!("{n:04}"), "p1", "1");
            // Prices so near that rounding makes some totals equal.
            one.price = domain::UsdPerHour::new(Usd::from_micros(400_000 + price));
            one.region = Some(["EU-DE", "US-CA", "ASIA-JP"][place].parse().unwrap());
            one.hardware.memory_mib = memory * 8_192;
            one.hardware.accelerators = Some(chip(0));
            one.assurance = [domain::Assurance::Claimed, domain::Assurance::Audited, domain::Assurance::Attested]
                [usize::from(assurance)];
            one
        };
        for (n, (price, place, memory, assurance)) in prices.iter().enumerate() {
            let one = make(n, *price, *place, *memory, *assurance);
            index.upsert(&one);
            offers.insert(one.id.clone(), one);
        }
        for (which, change) in changes {
            let n = which.index(prices.len());
            let (_, place, memory, assurance) = prices[n];
            let one = make(n, change.unwrap_or(1), (place + 1) % 3, memory, assurance);
            if change.is_some() {
                index.upsert(&one);
                offers.insert(one.id.clone(), one);
            } else {
                prop_assert_eq!(index.remove(&one.id), offers.remove(&one.id).is_some());
            }
        }
        for mut question in questions {
            question.world.spec.resources.accelerators = Some(chip(0));
            compare(&index, &offers, &question)?;
        }
    }
}

#[test]
fn a_job_that_asks_for_a_chip_is_offered_every_spelling_of_it() {
    let mut job = spec("50.00");
    job.resources.accelerators = Some(Accelerators { model: "H100".to_owned(), count: 2 });
    let mut index = Index::default();
    for (n, (model, count)) in
        [("NVIDIA H100 PCIe", 2), ("h100-sxm", 8), ("H100", 1), ("H200", 8)].iter().enumerate()
    {
        let mut one = offer("vast", &n.to_string(), "p", &format!("{}.00", n + 1));
        one.hardware.accelerators = Some(Accelerators { model: (*model).to_owned(), count: *count });
        index.upsert(&one);
    }
    let found: Vec<_> =
        index.best(&first(&job), 20).iter().map(|hit| (hit.reference.to_owned(), hit.price)).collect();
    assert_eq!(found, [("0".to_owned(), hourly("1.00")), ("1".to_owned(), hourly("2.00"))]);
}

#[test]
fn an_offer_that_was_removed_or_went_up_no_longer_leads() {
    let job = spec("50.00");
    let mut index = Index::default();
    let lead = |index: &Index| index.best(&first(&job), 1).first().map(|hit| hit.reference.to_owned());
    assert_eq!(lead(&index), None);
    for (name, price) in [("a", "1.00"), ("b", "2.00"), ("c", "3.00")] {
        assert_eq!(index.upsert(&offer("vast", name, "p", price)), Change::Added);
    }
    assert_eq!(lead(&index).as_deref(), Some("a"));
    assert_eq!(index.upsert(&offer("vast", "a", "p", "2.50")), Change::Changed);
    assert_eq!(lead(&index).as_deref(), Some("b"));
    index.upsert(&Offer { stock: Some(0), ..offer("vast", "b", "p", "2.00") });
    assert_eq!(lead(&index).as_deref(), Some("a"));
    assert!(index.remove(&offer("vast", "a", "p", "1").id));
    assert!(!index.remove(&offer("vast", "a", "p", "1").id));
    let until = Some(Timestamp(NOW.0 + 5));
    index.upsert(&Offer { valid_until: until, ..offer("vast", "d", "p", "0.10") });
    assert_eq!(lead(&index).as_deref(), Some("d"));
    assert_eq!(index.expire(Timestamp(NOW.0 + 5)), 0, "it may be taken to the last millisecond");
    assert_eq!(index.expire(NOW + Millis(6)), 1);
    assert_eq!(lead(&index).as_deref(), Some("c"));
    assert_eq!((index.len(), index.is_empty()), (2, false));
}
