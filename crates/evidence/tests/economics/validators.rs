//! Validators that would rather not work.

use domain::Verdict;
use waag_evidence::deterrence::validator_stake;

use crate::world::*;

const PROOFS: u64 = 1_000_000;
const SAMPLE: u32 = 8;
/// One of each, among honest ones.
const WAYS: [Way; VALIDATORS] = {
    let mut ways = [Way::Honest; VALIDATORS];
    ways[0] = Way::Stamps;
    ways[1] = Way::Ends;
    ways[2] = Way::Copies;
    ways[3] = Way::Silent;
    ways
};

/// Proofs in a market where no provider cheats, so that only canaries tell who works: the mean income of each validator, for a
/// proof that it was drawn for.
fn incomes(terms: Terms, seed: u64) -> [f64; VALIDATORS] {
    let mut world = World::new(terms, WAYS, seed);
    for _ in 0..PROOFS {
        let planted = world.dice.chance(CANARIES);
        let wrong = if planted { 1 << world.dice.below(u64::from(SEGMENTS)) } else { 0 };
        let found = world.job(&Deed { wrong, planted, receipts: true, ..Deed::default() });
        assert!(found.is_some());
    }
    let times = PROOFS as f64 * DRAWN as f64 / VALIDATORS as f64;
    std::array::from_fn(|n| world.books.of(Party::Validator(n)) as f64 / times)
}

#[test]
fn whoever_does_not_replay_earns_less_than_who_does_and_less_than_nothing() {
    let incomes = incomes(Terms::deterring(1.0, SAMPLE, 0.0), 23);
    let honest = incomes[VALIDATORS - 1];
    assert!(incomes[4..].iter().all(|income| *income > 0.0), "{incomes:?}");
    for (n, way) in WAYS.into_iter().enumerate().take(4) {
        assert!(incomes[n] < honest, "{way:?}: {} beside {honest}", incomes[n]);
        // Two of ten segments are honest work, and the planted one may be among them: that one loses less.
        assert!(incomes[n] < 0.0 || way == Way::Ends, "{way:?}: {}", incomes[n]);
    }
}

#[test]
fn a_tenth_of_the_stake_needed_lets_rubber_stamps_pay() {
    let terms = Terms::deterring(1.0, SAMPLE, 0.0);
    let incomes = incomes(Terms { stake_per_proof: terms.stake_per_proof / 10, ..terms }, 29);
    let honest = incomes[VALIDATORS - 1];
    assert!(incomes[0] > honest && incomes[1] > honest, "{incomes:?}");
    // Silence loses the stake itself and not a small share of it.
    assert!(incomes[2] < 0.0 && incomes[3] < 0.0, "{incomes:?}");
}

/// Where the planted segment is always drawn, `r / rate` is enough against those that replay nothing, and nothing is enough
/// against those that replay the ends only.
#[test]
fn canaries_at_the_ends_catch_stamps_for_less_stake_and_miss_who_replays_the_ends() {
    let replayed = f64::from(SAMPLE + 2) * SEGMENT_COST as f64;
    let stake_per_proof = (1.5 * replayed / CANARIES) as i64;
    assert!((stake_per_proof as f64) < validator_stake(SEGMENT_COST as f64, SEGMENTS, CANARIES));
    let terms = Terms { stake_per_proof, ..Terms::deterring(1.0, SAMPLE, 0.0) };
    let mut world = World::new(terms, WAYS, 31);
    for _ in 0..PROOFS {
        let planted = world.dice.chance(CANARIES);
        let end = (SEGMENTS - 1) * world.dice.below(2) as u32;
        let wrong = if planted { 1 << end } else { 0 };
        world.job(&Deed { wrong, planted, receipts: true, ..Deed::default() });
    }
    let income = |n| world.books.of(Party::Validator(n));
    assert!(income(0) < 0, "stamps: {}", income(0));
    assert!(income(1) > income(VALIDATORS - 1), "ends: {}", income(1));
}

/// A rubber stamp beside honest ones makes a failed verdict a dispute: it is no challenger and has no share.
#[test]
fn rubber_stamps_have_no_share_in_a_slash() {
    let terms = Terms::deterring(1.0, SAMPLE, 0.0);
    let mut world = World::new(terms, but(1, Way::Stamps), 37);
    let (mut failed, mut disputed) = (0, 0);
    let mut stamp_paid = 0;
    for _ in 0..20_000 {
        let before = world.books.of(Party::Validator(0));
        match world.job(&Deed { wrong: u64::MAX, receipts: true, ..Deed::default() }) {
            Some(Verdict::Failed) => {
                failed += 1;
                assert_eq!(world.books.of(Party::Validator(0)), before, "it was not on a unanimous panel");
            }
            Some(Verdict::Disputed) => {
                disputed += 1;
                stamp_paid += world.books.of(Party::Validator(0)) - before;
            }
            other => panic!("{other:?}"),
        }
    }
    // A quarter of the panels have one of twelve.
    assert!((0.23..0.27).contains(&(f64::from(disputed) / f64::from(failed + disputed))));
    assert_eq!(stamp_paid, i64::from(disputed) * i64::from(SAMPLE + 2) * terms.fee, "its fee, and no more");
}

#[test]
fn honest_validators_live_on_their_fees_alone() {
    let terms = Terms::deterring(1.0, SAMPLE, 0.0);
    let mut world = World::new(terms, but(0, Way::Honest), 41);
    for _ in 0..1_000 {
        world.job(&Deed { receipts: true, ..Deed::default() });
    }
    let all: i64 = (0..VALIDATORS).map(|n| world.books.of(Party::Validator(n))).sum();
    assert_eq!(all, 1_000 * DRAWN as i64 * i64::from(SAMPLE + 2) * (terms.fee - SEGMENT_COST));
}
