//! Spot, on-demand or idle: costs of the known policies against golden ones, and what must hold of ours on any record.
//!
//! `tests/spot/costs.csv` was computed by the reference simulator (in Python, not part of this repository) on records
//! made by [`record`]; whoever has a simulator with the same rules can make it again.

use proptest::prelude::*;
use waag_policy::spot::{
    Adaptive, Kind, Plan, Policy, Prices, Run, SHIPPED, SpotElseOnDemand, State, Terms, UniformProgress,
    bound_usd, decide, optimum_usd, run,
};
use waag_policy::spot::{Greedy, OnDemand};

const PRICES: Prices = Prices { spot_usd_h: 0.9731, on_demand_usd_h: 3.06 };

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Spells in turn, the first with spot if the first draw is even. Each takes two draws: the first's rest by 3 says
/// whether it is short (1 to 4 ticks; rests 0 and 1) or 1 to `up_long` or `down_long` ticks; the second says how many.
fn record(seed: u64, ticks: usize, up_long: u64, down_long: u64) -> Vec<bool> {
    let mut draws = Draws(seed);
    let mut up = draws.next().is_multiple_of(2);
    let mut record = Vec::new();
    while record.len() < ticks {
        let short = draws.next() % 3 < 2;
        let longest = if short {
            4
        } else if up {
            up_long
        } else {
            down_long
        };
        record.extend(std::iter::repeat_n(up, (1 + draws.next() % longest) as usize));
        up = !up;
    }
    record.truncate(ticks);
    record
}

fn any_up(zones: &[&[bool]]) -> Vec<bool> {
    (0..zones[0].len()).map(|tick| zones.iter().any(|zone| zone[tick])).collect()
}

#[test]
fn known_policies_cost_what_the_reference_simulator_says() {
    let golden = include_str!("../spot/costs.csv");
    let mut checked = 0;
    for line in golden.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |at: usize| fields[at].parse::<f64>().unwrap();
        let [tick_s, work_h, deadline_h, delay_h] = [2, 5, 6, 7].map(number);
        let hours = [work_h, deadline_h, delay_h].map(|hours| hours * 3600.0);
        let terms = Terms::new(tick_s, hours[0], hours[1], hours[2], PRICES).unwrap();
        let ticks = (2.0 * hours[1] / tick_s).ceil() as usize;
        let records: Vec<Vec<bool>> = fields[1]
            .split('+')
            .map(|seed| {
                record(seed.parse().unwrap(), ticks, fields[3].parse().unwrap(), fields[4].parse().unwrap())
            })
            .collect();
        let zones: Vec<&[bool]> = records.iter().map(Vec::as_slice).collect();
        let found = match fields[0] {
            "on_demand" => run(&zones, &terms, &mut OnDemand),
            "spot_else_od" => run(&zones, &terms, &mut SpotElseOnDemand),
            "greedy" => run(&zones, &terms, &mut Greedy),
            _ => run(&zones, &terms, &mut UniformProgress),
        };
        let bound = bound_usd(&any_up(&zones), &terms);
        let hour = |seconds: f64| seconds / 3600.0;
        let spent = [found.cost_usd, hour(found.spot_s), hour(found.on_demand_s), bound];
        for (found, golden) in spent.iter().zip([8, 11, 12, 13].map(number)) {
            assert!((found - golden).abs() < 1e-9, "{found} is not {golden}: {line}");
        }
        assert_eq!((found.finish_s, f64::from(found.changeovers)), (number(9), number(10)), "{line}");
        checked += 1;
    }
    assert_eq!(checked, 76);
}

/// Terms and zones of a small job that on-demand can do in time.
fn jobs() -> impl Strategy<Value = (Terms, Vec<Vec<bool>>)> {
    let zone = prop_oneof![
        prop::collection::vec(any::<bool>(), 80),
        (any::<u64>(), 1_u64..30, 1_u64..30).prop_map(|(seed, up, down)| record(seed, 80, up, down)),
        any::<bool>().prop_map(|up| vec![up; 80]),
    ];
    let zones = prop::collection::vec(zone, 1..4);
    let prices = prop_oneof![Just(PRICES), Just(Prices { spot_usd_h: 1.0, on_demand_usd_h: 1.1 })];
    (30_u32..900, 1.0..30.0_f64, 0.0..4.0_f64, 0.0..20.0_f64, prices, 0.0..2.0_f64, zones).prop_map(
        |(tick_s, work, delay, slack, prices, move_usd, zones)| {
            let tick_s = f64::from(tick_s);
            let least = ((work + delay).ceil() + slack) * tick_s;
            // One in two delays is a whole number of seconds, as in the recorded jobs.
            let delay_s = if slack > 10.0 { (delay * tick_s).floor() } else { delay * tick_s };
            let terms = Terms::new(tick_s, work * tick_s, least, delay_s, prices).unwrap();
            (terms.with_move_usd(move_usd).unwrap(), zones)
        },
    )
}

fn ours(plan: &Plan, zones: &[&[bool]]) -> Run {
    run(zones, plan.terms(), &mut Adaptive::new(plan, SHIPPED, zones.len()))
}

/// What the adversary of our policy sees: takes spot away as soon as it is used, and offers it again.
struct Spite<'a> {
    ours: Adaptive<'a>,
    chosen: Vec<Kind>,
}

impl Policy for Spite<'_> {
    fn want(&mut self, state: &State<'_>, up: &[bool]) -> Kind {
        let kind = self.ours.want(state, up);
        self.chosen.push(kind);
        kind
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn ours_is_never_late_and_never_cheaper_than_the_bound((terms, records) in jobs()) {
        prop_assert!(terms.feasible());
        let zones: Vec<&[bool]> = records.iter().map(Vec::as_slice).collect();
        let plan = Plan::new(terms, SHIPPED, zones.len());
        let found = ours(&plan, &zones);
        prop_assert!(!found.is_late(&terms), "{found:?} of {terms:?}");
        prop_assert!(found.cost_usd >= bound_usd(&any_up(&zones), &terms) - 1e-9);
        if let Some(optimum) = optimum_usd(&any_up(&zones), &terms) {
            prop_assert!(found.cost_usd >= optimum - 1e-9, "{found:?} is cheaper than {optimum}");
        }
        prop_assert_eq!(found, ours(&plan, &zones));
    }

    #[test]
    fn ours_is_in_time_when_spot_is_taken_away_as_soon_as_it_is_used((terms, mut records) in jobs()) {
        records.truncate(1);
        let plan = Plan::new(terms, SHIPPED, 1);
        let mut record = records.remove(0);
        // Spot goes at the tick after each start; what was chosen before depends on nothing later.
        for _ in 0..40 {
            let mut spite = Spite { ours: Adaptive::new(&plan, SHIPPED, 1), chosen: Vec::new() };
            let found = run(&[&record], &terms, &mut spite);
            prop_assert!(!found.is_late(&terms), "{found:?} of {terms:?}");
            let used = spite.chosen.windows(2).position(|two| two == [Kind::Spot, Kind::Spot]);
            let Some(tick) = used else { break };
            record[tick + 1] = false;
        }
    }
}

#[test]
fn ours_costs_less_than_uniform_progress_on_heavy_tailed_records() {
    for (deadline_h, up_long, down_long) in [(53.0, 120, 40), (60.0, 60, 60), (80.0, 60, 120)] {
        let terms = Terms::new(600.0, 48.0 * 3600.0, deadline_h * 3600.0, 720.0, PRICES).unwrap();
        let plan = Plan::new(terms, SHIPPED, 1);
        let (mut ours_usd, mut paced_usd) = (0.0, 0.0);
        for seed in 0..60 {
            let record = record(seed, 600, up_long, down_long);
            ours_usd += ours(&plan, &[&record]).cost_usd;
            paced_usd += run(&[&record], &terms, &mut UniformProgress).cost_usd;
        }
        assert!(ours_usd < 0.99 * paced_usd, "{deadline_h} h: {ours_usd:.2}, not below {paced_usd:.2}");
    }
}

#[test]
fn ours_costs_less_than_uniform_progress_in_several_zones_with_a_price_on_moves() {
    for deadline_h in [53.0, 60.0, 80.0] {
        let terms = Terms::new(600.0, 48.0 * 3600.0, deadline_h * 3600.0, 720.0, PRICES).unwrap();
        let terms = terms.with_move_usd(0.32).unwrap();
        let plan = Plan::new(terms, SHIPPED, 3);
        let (mut ours_usd, mut paced_usd) = (0.0, 0.0);
        for seed in 0..30 {
            let records = [0, 100, 200].map(|more| record(seed + more, 600, 40 + more, 60));
            let zones: Vec<&[bool]> = records.iter().map(Vec::as_slice).collect();
            ours_usd += ours(&plan, &zones).cost_usd;
            paced_usd += run(&zones, &terms, &mut UniformProgress).cost_usd;
        }
        assert!(ours_usd < 0.99 * paced_usd, "{deadline_h} h: {ours_usd:.2}, not below {paced_usd:.2}");
    }
}

#[test]
fn moves_are_paid_when_the_zone_changes_and_only_then() {
    let terms = Terms::new(600.0, 3600.0, 7200.0, 0.0, PRICES).unwrap().with_move_usd(5.0).unwrap();
    let (first, second) =
        ([true, true, false, false, false, true, true], [false, false, true, true, false, true, true]);
    let first: Vec<bool> = first.into_iter().cycle().take(20).collect();
    let second: Vec<bool> = second.into_iter().cycle().take(20).collect();
    // Two ticks in the first zone, two in the second, then on-demand for one where the checkpoint lies, then the first.
    let found = run(&[&first, &second], &terms, &mut SpotElseOnDemand);
    assert_eq!((found.moves, found.changeovers, found.finish_s), (2, 4, 3600.0));
    let hours_usd = (5.0 * 0.9731 + 3.06) / 6.0;
    assert!((found.cost_usd - hours_usd - 10.0).abs() < 1e-9, "{found:?}");
}

#[test]
fn decisions_outside_the_simulator_are_those_within() {
    let terms = Terms::new(600.0, 24.0 * 3600.0, 30.0 * 3600.0, 720.0, PRICES).unwrap();
    let plan = Plan::new(terms, SHIPPED, 1);
    let record = record(5, 200, 30, 30);
    struct Engine<'a>(&'a Plan, waag_policy::spot::Belief);
    impl Policy for Engine<'_> {
        fn want(&mut self, state: &State<'_>, up: &[bool]) -> Kind {
            self.1.see(up[0], 600.0);
            decide(self.0, state, &self.1)
        }
    }
    let engine = run(&[&record], &terms, &mut Engine(&plan, plan.belief()));
    assert_eq!(engine, ours(&plan, &[&record]));
}

#[test]
fn optimum_uses_a_long_spell_and_skips_a_short_one() {
    let terms = Terms::new(600.0, 6.0 * 600.0, 9.0 * 600.0, 600.0, PRICES).unwrap();
    // Six ticks of work in nine, a delay is one tick: the lone tick of spot is worth nothing.
    let up = [true, false, true, true, true, true, true, true, true];
    let optimum = optimum_usd(&up, &terms).unwrap();
    assert!((optimum - 7.0 * 0.9731 / 6.0).abs() < 1e-9, "{optimum}");
    let late = Terms::new(600.0, 9.0 * 600.0, 9.0 * 600.0, 600.0, PRICES).unwrap();
    assert_eq!(optimum_usd(&up, &late), None);
}

#[test]
fn terms_that_no_job_can_have_say_what_is_wrong() {
    let message = |tick, work, delay| Terms::new(tick, work, 100.0, delay, PRICES).unwrap_err().to_string();
    assert_eq!(message(0.0, 1.0, 1.0), "the tick is 0: give a number above zero");
    assert_eq!(message(1.0, f64::NAN, 1.0), "the work is NaN: give a number above zero");
    assert_eq!(message(1.0, 1.0, -1.0), "the delay is -1: give a number not below zero");
}
