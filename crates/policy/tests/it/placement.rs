//! The estimate's arithmetic, and plans against brute force.

use std::collections::BTreeMap;

use domain::{
    Billing, Estimate, Firmness, Millis, NetworkName, Offer, PlacementId, ProviderName, Region, Terms,
    Timestamp, Usd, UsdPerHour,
};
use proptest::prelude::*;
use waag_policy::eligibility::refusal;
use waag_policy::placement::{RANKED_MAX, Situation, estimate, place, unmeasured};

use crate::strategies::{any_offer, any_world, named};
use crate::support::{MINUTE, NOW, SECOND, first, hourly, offer, spec, usd};

const ID: PlacementId = PlacementId::from_bytes([9; 10]);

#[test]
fn an_estimate_is_the_sum_of_its_terms() {
    let spec = spec("5.00");
    let mut offer = offer("sim-cloud", "a", "acme", "3.60");
    offer.fee = usd("0.01");
    // 30 s to start and 10 min of work, at a tenth of a cent per second.
    let expected = Estimate {
        span: Millis(630_000),
        compute: usd("0.63"),
        fees: usd("0.01"),
        terms: Terms::default(),
        total: usd("0.64"),
        hold: usd("1.33"),
    };
    assert_eq!(estimate(&first(&spec), &offer), expected);
}

#[test]
fn only_the_segments_left_are_estimated_rounded_up_to_a_millisecond() {
    let spec = spec("5.00");
    let mut offer = offer("sim-cloud", "a", "acme", "3.60");
    offer.startup = Millis::ZERO;
    let span = |segments_done, run| {
        let situation = Situation { segments_done, expected_run: Millis(run), ..first(&spec) };
        estimate(&situation, &offer).span.0
    };
    assert_eq!(span(0, 3_200), 3_200);
    assert_eq!(span(20, 3_200), 1_200);
    assert_eq!(span(31, 3_201), 101, "100.03 ms are not done in 100");
    assert_eq!(span(32, 3_200), 0);
    assert_eq!(span(40, 3_200), 0, "more than everything is everything");
}

#[test]
fn billing_terms_count_as_they_will_be_charged() {
    let spec = spec("50.00");
    let mut offer = offer("sim-cloud", "a", "acme", "3.60");
    let mut with = |billing| {
        offer.billing = billing;
        let estimate = estimate(&first(&spec), &offer);
        (estimate.compute, estimate.hold)
    };
    // The job takes 630 s; twice that and a minute are 1320 s.
    assert_eq!(with(Billing::Metered { minimum: Millis::HOUR }), (usd("3.60"), usd("3.60")));
    let prepaid = |refundable| Billing::Prepaid { span: Millis::HOUR, refundable };
    assert_eq!(with(prepaid(true)), (usd("0.63"), usd("3.60")));
    assert_eq!(with(prepaid(false)), (usd("3.60"), usd("3.60")));
    let short = Billing::Prepaid { span: MINUTE.times(15), refundable: true };
    assert_eq!(with(short), (usd("0.63"), usd("1.32")));
}

#[test]
fn a_spec_that_was_never_checked_divides_by_nothing() {
    let mut spec = spec("5.00");
    spec.verify.segments = 0;
    let situation = first(&spec);
    assert_eq!(
        estimate(&situation, &offer("n", "a", "p", "1")).span,
        situation.expected_run + SECOND.times(30)
    );
}

#[test]
fn equal_cost_is_decided_by_time_and_equal_time_by_name() {
    let spec = spec("5.00");
    let slow = Offer { startup: MINUTE, ..offer("a-net", "slow", "p", "1.00") };
    // A minimum makes both cost the same, however long they take.
    let hour = Billing::Metered { minimum: Millis::HOUR };
    let quick = |network, reference| offer(network, reference, "p", "1.00");
    let offers = [slow, quick("z-net", "a"), quick("b-net", "b"), quick("b-net", "a")]
        .map(|offer| Offer { billing: hour, ..offer });
    let (plan, _) = place(ID, &first(&spec), &offers, 1);
    let names: Vec<_> =
        plan.ranked.iter().map(|r| format!("{}/{}", r.offer.id.network, r.offer.id.reference)).collect();
    assert_eq!(names, ["b-net/a", "b-net/b", "z-net/a", "a-net/slow"]);
}

#[test]
fn a_plan_keeps_what_it_was_made_from_and_changes_nothing_of_the_offers() {
    let spec = spec("5.00");
    let situation = Situation { attempt: 3, parent: Some(PlacementId::from_bytes([4; 10])), ..first(&spec) };
    let offers = [offer("sim-cloud", "a", "acme", "1.00")];
    let (plan, refused) = place(ID, &situation, &offers, 77);
    assert_eq!((plan.id, plan.job, plan.parent), (ID, situation.job, situation.parent));
    assert_eq!((plan.attempt, plan.made_at, plan.cause), (3, NOW, situation.cause));
    assert_eq!((plan.catalogue, plan.admissible, refused.len()), (77, 1, 0));
    assert_eq!(plan.ranked[0].offer, offers[0]);
    assert_eq!(plan.ranked[0].estimate, estimate(&situation, &offers[0]));
}

#[test]
fn without_offers_a_plan_is_empty() {
    let spec = spec("5.00");
    let (plan, refused) = place(ID, &first(&spec), &[], 0);
    assert!(plan.ranked.is_empty() && plan.refused.is_empty() && refused.is_empty());
    assert_eq!(plan.admissible, 0);
}

/// Cost, time and hold in plain integers, written down from the terms and not from the code.
fn reckon(s: &Situation<'_>, o: &Offer) -> (i128, i128, i128) {
    let up = |a: i128, b: i128| a.div_euclid(b) + i128::from(a.rem_euclid(b) > 0);
    let cost = |ms: i128| up(o.price.per_hour().micros() * ms, 3_600_000);
    let left = i128::from(32 - s.segments_done.min(32));
    let span = i128::from(o.startup.0) + up(i128::from(s.expected_run.0) * left, 32);
    let held = 2 * span + i128::from(s.release_margin.0);
    let (billed, ceiling) = match o.billing {
        Billing::Metered { minimum } => (span.max(minimum.0.into()), held.max(minimum.0.into())),
        Billing::Prepaid { span: Millis(0), .. } => (span, held),
        Billing::Prepaid { span: paid, refundable: true } => (span, held.max(paid.0.into())),
        Billing::Prepaid { span: paid, refundable: false } => {
            let paid = i128::from(paid.0);
            (up(span, paid).max(1) * paid, held.max(paid))
        }
    };
    (cost(billed) + o.fee.micros(), span, cost(ceiling) + o.fee.micros())
}

/// Whether the offer may be taken: all rules at once, in no order.
fn admissible(s: &Situation<'_>, o: &Offer) -> bool {
    let (total, span, hold) = reckon(s, o);
    let left = s.budget_left.micros();
    let open_queue = o.firmness == Firmness::Queue && o.provider.is_none();
    let inside = |r: &Region| s.spec.regions.iter().any(|wanted| wanted.holds(r));
    s.spec.infra.admits(&o.id.network)
        && (!s.failover || s.spec.failover.to.admits(&o.id.network))
        && (s.spec.regions.is_empty() || o.region.as_ref().map_or(open_queue, inside))
        && (open_queue || o.assurance >= s.spec.level.assurance())
        && s.spec.resources.cpus_milli.is_none_or(|need| u64::from(o.hardware.cpus_milli) >= need.least())
        && s.spec.max_hourly.is_none_or(|cap| o.price.per_hour().micros() <= cap.per_hour().micros())
        && total <= left
        && hold <= left
        && i128::from(s.now.0) + span <= i128::from(s.deadline_at.0)
        && o.price.per_hour().micros() > 0
        && o.fee.micros() >= 0
        && s.now.0 - o.seen_at.0 <= 60_000
        && o.valid_until.is_none_or(|until| until.0 >= s.now.0)
        && o.stock != Some(0)
        && !s.refused_recently.iter().any(|(id, until)| *id == o.id && until.0 > s.now.0)
        && !o.provider.as_ref().is_some_and(|p| s.lost.contains(&(o.id.network.clone(), p.clone())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_first_offer_is_the_cheapest_admissible_one_on_a_network_that_lost_nothing(
        world in any_world(), offers in prop::collection::vec(any_offer(), 0..60).prop_map(named),
    ) {
        let situation = world.situation();
        let (plan, refused) = place(ID, &situation, &offers, 0);
        let fitting: Vec<&Offer> = offers.iter().filter(|o| admissible(&situation, o)).collect();
        let lost_on = |offer: &Offer| situation.lost.iter().any(|(network, _)| *network == offer.id.network);
        let best = fitting.iter().map(|o| (lost_on(o), reckon(&situation, o).0)).min();
        prop_assert_eq!(plan.ranked.first().map(|r| (r.lost_here, r.estimate.total.micros())), best);
        prop_assert_eq!(plan.admissible as usize, fitting.len());
        prop_assert_eq!(plan.ranked.len(), fitting.len().min(RANKED_MAX));
        prop_assert_eq!(refused.len() + fitting.len(), offers.len());
        for ranked in &plan.ranked {
            let Estimate { span, compute, fees, terms: _, total, hold } = ranked.estimate;
            let exact = reckon(&situation, &ranked.offer);
            prop_assert_eq!((total.micros(), i128::from(span.0), hold.micros()), exact);
            prop_assert_eq!(compute + fees, total);
            prop_assert!(total <= hold, "what is expected to be spent is held");
        }
        let costs: Vec<_> =
            plan.ranked.iter().map(|r| (lost_on(&r.offer), r.estimate.total, r.estimate.span, &r.offer.id)).collect();
        prop_assert!(costs.is_sorted());
        let worst = plan.ranked.last().map(|r| (lost_on(&r.offer), r.estimate.total));
        let left_out = fitting.iter().filter(|o| !plan.ranked.iter().any(|r| r.offer.id == o.id));
        for offer in left_out {
            prop_assert!(Some((lost_on(offer), estimate(&situation, offer).total)) >= worst);
        }
    }

    #[test]
    fn every_refused_offer_is_counted_once_under_its_code(
        world in any_world(), offers in prop::collection::vec(any_offer(), 0..60).prop_map(named),
    ) {
        let situation = world.situation();
        let (plan, refused) = place(ID, &situation, &offers, 0);
        let mut counts = BTreeMap::new();
        for one in &refused {
            let offer = offers.iter().find(|o| o.id == one.offer).unwrap();
            prop_assert_eq!(refusal(&situation, offer), Some(one.refusal));
            *counts.entry(one.refusal).or_insert(0) += 1;
        }
        prop_assert_eq!(counts, plan.refused);
    }

    #[test]
    fn the_order_in_which_offers_come_changes_nothing(
        world in any_world(),
        (offers, shuffled) in prop::collection::vec(any_offer(), 0..60).prop_map(named)
            .prop_flat_map(|offers| (Just(offers.clone()), Just(offers).prop_shuffle())),
    ) {
        let situation = world.situation();
        prop_assert_eq!(place(ID, &situation, &offers, 0).0, place(ID, &situation, &shuffled, 0).0);
    }

    #[test]
    fn no_number_a_network_may_send_stops_a_plan(
        price: i64, fee: i64, startup: u64, run: u64, margin: u64, span: u64, refundable: bool, seen: i64, deadline: i64,
    ) {
        let spec = spec("5.00");
        let mut offer = offer("sim-cloud", "a", "acme", "1");
        (offer.price, offer.fee) = (UsdPerHour::new(Usd::from_micros(price)), Usd::from_micros(fee));
        (offer.startup, offer.seen_at) = (Millis(startup), Timestamp(seen));
        offer.billing = Billing::Prepaid { span: Millis(span), refundable };
        let situation = Situation {
            expected_run: Millis(run), release_margin: Millis(margin), deadline_at: Timestamp(deadline), ..first(&spec)
        };
        let (plan, refused) = place(ID, &situation, &[offer], 0);
        prop_assert_eq!(plan.ranked.len() + refused.len(), 1);
    }
}

#[test]
fn a_cap_on_the_price_admits_the_cap_itself() {
    let mut spec = spec("5.00");
    spec.max_hourly = Some(hourly("1.00"));
    assert_eq!(refusal(&first(&spec), &offer("n", "a", "p", "1.00")), None);
    assert!(refusal(&first(&spec), &offer("n", "a", "p", "1.000001")).is_some());
}

#[test]
fn a_network_that_lost_the_job_comes_after_every_other() {
    let spec = spec("50.00");
    let lost: [(NetworkName, ProviderName); 1] = [("a-net".parse().unwrap(), "gone".parse().unwrap())];
    let situation = Situation { lost: &lost, failover: true, ..first(&spec) };
    let offers = [
        offer("a-net", "cheap", "p", "0.10"),
        offer("b-net", "dear", "p", "2.00"),
        offer("a-net", "b", "q", "0.20"),
    ];
    let (plan, _) = place(ID, &situation, &offers, 1);
    let ranked: Vec<_> = plan.ranked.iter().map(|r| (r.offer.id.reference.as_str(), r.lost_here)).collect();
    assert_eq!(ranked, [("dear", false), ("cheap", true), ("b", true)]);
}

#[test]
fn a_short_deadline_alone_refuses_nothing_before_the_job_was_measured() {
    let mut spec = spec("5.00");
    spec.deadline = MINUTE.times(2);
    let run = unmeasured(MINUTE.times(10), spec.deadline);
    assert_eq!(run, MINUTE);
    let situation = Situation { expected_run: run, deadline_at: NOW + spec.deadline, ..first(&spec) };
    let (plan, _) = place(ID, &situation, &[offer("sim-cloud", "a", "acme", "1.00")], 1);
    assert_eq!(plan.admissible, 1);
    assert_eq!(unmeasured(MINUTE, Millis::HOUR), MINUTE);
}
