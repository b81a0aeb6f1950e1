//! Consumers that would rather not pay, and those that pay for nothing.

use domain::Verdict;

use crate::world::*;

const JOBS: i64 = 50_000;
const SAMPLE: u32 = 8;

fn terms() -> Terms {
    Terms::deterring(1.0, SAMPLE, 0.0)
}

/// Honest work for a consumer that does this: its mean balance, and that of the provider.
fn means(ways: [Way; VALIDATORS], deed: &Deed) -> (i64, i64) {
    let mut world = World::new(terms(), ways, 43);
    for _ in 0..JOBS {
        world.job(deed);
    }
    (world.books.of(Party::Consumer) / JOBS, world.books.of(Party::Provider) / JOBS)
}

fn honest() -> (i64, i64) {
    means(but(0, Way::Honest), &Deed { receipts: true, ..Deed::default() })
}

#[test]
fn states_kept_back_from_all_validators_save_the_consumer_nothing() {
    let kept = Deed { kept_from: [true; DRAWN], receipts: true, ..Deed::default() };
    assert_eq!(means(but(0, Way::Honest), &kept), honest());
}

#[test]
fn states_kept_back_from_some_validators_save_the_consumer_nothing() {
    for kept_from in [[true, false, false], [false, true, true]] {
        let kept = Deed { kept_from, receipts: true, ..Deed::default() };
        assert_eq!(means(but(0, Way::Honest), &kept), honest());
    }
}

/// With a slanderer among its validators, and the states kept back from all others, a consumer must not reach the stake.
#[test]
fn states_kept_back_from_honest_validators_do_not_leave_slanderers_alone() {
    let ways = but(1, Way::Slanders);
    let mut world = World::new(terms(), ways, 47);
    let (mut slashed, mut disputed) = (0, 0);
    for _ in 0..JOBS {
        match world.job(&Deed { kept_from: [true; DRAWN], receipts: true, ..Deed::default() }) {
            Some(Verdict::Failed) => slashed += 1,
            Some(Verdict::Disputed) => disputed += 1,
            _ => {}
        }
    }
    assert_eq!(slashed, 0);
    assert!(disputed > 0);
}

#[test]
fn proofs_for_nothing_cost_who_opens_them_and_nobody_else() {
    let mut world = World::new(terms(), but(0, Way::Honest), 53);
    for _ in 0..1_000 {
        assert_eq!(world.job(&Deed { receipts: true, ..Deed::default() }), Some(Verdict::Passed));
    }
    let fee = DRAWN as i64 * i64::from(SAMPLE + 2) * terms().fee;
    assert_eq!(world.books.of(Party::Consumer), -1_000 * (PRICE + fee));
    assert_eq!(world.books.of(Party::Provider), 1_000 * PRICE / 5, "as without proofs");
    assert!((0..VALIDATORS).all(|n| world.books.of(Party::Validator(n)) > 0));
}

#[test]
fn a_canary_costs_its_consumer_work_and_fee_and_its_provider_no_stake() {
    let mut world = World::new(terms(), but(0, Way::Honest), 59);
    let fee = DRAWN as i64 * i64::from(SAMPLE + 2) * terms().fee;
    for _ in 0..1_000 {
        let wrong = 1 << world.dice.below(u64::from(SEGMENTS));
        let found = world.job(&Deed { wrong, planted: true, receipts: true, ..Deed::default() });
        assert_eq!(found, Some(Verdict::Canary));
    }
    assert_eq!(world.books.of(Party::Consumer), -1_000 * fee);
    assert_eq!(world.books.of(Party::Provider), -1_000 * i64::from(SEGMENTS - 1) * SEGMENT_COST);
    assert_eq!(world.books.of(Party::Insurance), 0);
}

/// What stays possible: a consumer that holds a third of the validators has most of its audits end in a dispute, and then does not
/// pay for honest work. It reaches the provider's stake only where its validators are alone.
#[test]
fn a_third_of_the_stake_can_dispute_honest_work_but_seldom_slash_it() {
    let mut world = World::new(terms(), but(VALIDATORS / 3, Way::Slanders), 61);
    let mut counts = [0i64; 3];
    for _ in 0..JOBS {
        let at = match world.job(&Deed { receipts: true, ..Deed::default() }) {
            Some(Verdict::Passed) => 0,
            Some(Verdict::Disputed) => 1,
            Some(Verdict::Failed) => 2,
            other => panic!("{other:?}"),
        };
        counts[at] += 1;
    }
    let share = counts.map(|count| count as f64 / JOBS as f64);
    // Out of twelve without replacement: 336, 960 and 24 of 1,320 panels.
    for (share, panels) in share.into_iter().zip([336.0, 960.0, 24.0]) {
        let exact: f64 = panels / 1_320.0;
        assert!((share - exact).abs() <= 4.0 * (exact / JOBS as f64).sqrt(), "{share} beside {exact}");
    }
}
