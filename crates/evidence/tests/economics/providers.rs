//! Providers that want more than to save work, and identities that are thrown away.

use domain::{Usd, Verdict};
use waag_evidence::deterrence::{Checks, Job, Money, PROBATION_JOBS, Record, audit};

use crate::world::*;

const JOBS: i64 = 100_000;

/// A provider that is paid from outside for a wrong result, for which one faked segment is enough: what it earns beside an honest
/// one, in `outside` as in all else.
fn paid_for_wrong_results(terms: Terms, outside: i64) -> i64 {
    let mut world = World::new(terms, but(VALIDATORS / 3, Way::Stamps), 5);
    let mut honest = 0;
    for _ in 0..JOBS {
        let deed = Deed { wrong: fake(1, &mut world.dice), receipts: true, ..Deed::default() };
        world.job(&deed);
        world.books.pay(Party::Outside, Party::Provider, outside);
        honest += PRICE - i64::from(SEGMENTS) * SEGMENT_COST;
    }
    world.books.of(Party::Provider) - honest
}

#[test]
fn wrong_results_worth_less_than_is_covered_do_not_pay() {
    for (audit, sample, times) in [(1.0, 8, 1), (1.0, 62, 3), (0.5, 16, 10)] {
        let reserve = times * PRICE;
        let terms = Terms { audit, sample, reserve, ..Terms::deterring(audit, sample, 1.0 / 3.0) };
        let checks = Checks { audit, sample, panel: panel(1.0 / 3.0) };
        let money = Money { price: PRICE as f64, cost: COST, slash: reserve as f64, outside: 0.0 };
        let covered = checks.value_covered(SEGMENTS, &money);
        assert!(covered > 0.0);
        // Twelve validators agree a little more rarely than the formula's independent ones: a tenth is left to that and to chance.
        assert!(paid_for_wrong_results(terms, (covered * 0.8) as i64) < 0, "q={audit} k={sample}");
        let dear = checks.audit
            * waag_evidence::deterrence::replayed(SEGMENTS, 1, sample)
            * (PRICE + reserve) as f64;
        assert!(paid_for_wrong_results(terms, dear as i64) > 0, "more than price and stake outweigh");
    }
}

#[test]
fn job_whose_wrong_result_is_worth_more_than_is_covered_is_refused() {
    let usd = Usd::from_micros;
    let job = |value| Job {
        price: usd(PRICE),
        slash: usd(PRICE),
        value_at_risk: usd(value),
        segments: SEGMENTS,
        sample: 8,
        validators: 3,
    };
    let record = Record { audited: PROBATION_JOBS, since_soft_failure: None };
    let covered = audit(&job(i64::MAX), &record).unwrap_err().covered;
    let terms = Terms { reserve: PRICE, ..Terms::deterring(1.0, 8, 1.0 / 3.0) };
    assert!(audit(&job(covered.column()), &record).is_ok());
    assert!(paid_for_wrong_results(terms, covered.column() * 4 / 5) < 0);
    assert!(paid_for_wrong_results(terms, covered.column() * 3) > 0, "for that it would have paid");
}

#[test]
fn states_that_were_never_handed_over_cost_price_and_a_tenth_of_the_reserve() {
    let terms = Terms::deterring(1.0, 4, 0.0);
    for colluding in [0, VALIDATORS / 3] {
        let mut world = World::new(terms, but(colluding, Way::Stamps), 13);
        for _ in 0..20_000 {
            // Garbage is committed to, and what is drawn of it is not there: whoever looks says so.
            world.job(&Deed {
                wrong: u64::MAX,
                kept_from: [true; DRAWN],
                receipts: false,
                ..Deed::default()
            });
        }
        // Nothing was computed, and only where the colluders are alone is it paid: 2 of 110 panels.
        let (mean, honest) = (world.books.of(Party::Provider) / 20_000, PRICE / 5);
        assert!(mean < honest / 10, "{colluding} colluding: {mean}, where an honest one has {honest}");
    }
}

/// One party plays provider, consumer and all validators, and has a failed verdict against itself, so that its stake comes back
/// to it by another way.
#[test]
fn self_challenge_loses_half_of_the_stake() {
    for reserve in [7, 1_000, PRICE, 11 * PRICE] {
        let terms = Terms { reserve, ..Terms::deterring(1.0, 8, 0.0) };
        let mut world = World::new(terms, [Way::Slanders; VALIDATORS], 17);
        let found = world.job(&Deed { wrong: u64::MAX, receipts: true, ..Deed::default() });
        assert_eq!(found, Some(Verdict::Failed));
        let own = (0..VALIDATORS).map(|n| world.books.of(Party::Validator(n))).sum::<i64>()
            + world.books.of(Party::Provider)
            + world.books.of(Party::Consumer);
        assert!(own <= -reserve / 2, "{own} of {reserve}");
        assert!(world.books.of(Party::Insurance) * 2 >= reserve);
    }
}

/// Each identity is new, cheats until it is slashed, and is thrown away; what is slashed is gone, and every job of it is audited.
#[test]
fn throwing_identities_away_does_not_pay() {
    let usd = Usd::from_micros;
    let reserve = PRICE;
    let mut record = Record { audited: 0, since_soft_failure: None };
    let mut world = World::new(
        Terms { reserve, ..Terms::deterring(1.0, 8, 1.0 / 3.0) },
        but(VALIDATORS / 3, Way::Stamps),
        19,
    );
    let (mut identities, mut jobs) = (1, 0i64);
    while jobs < 100_000 {
        let job = Job {
            price: usd(PRICE),
            slash: usd(reserve),
            value_at_risk: Usd::ZERO,
            segments: SEGMENTS,
            sample: 8,
            validators: DRAWN as u32,
        };
        world.terms.audit = f64::from(audit(&job, &record).unwrap().rate_ppm) / 1e6;
        let wrong = fake(13, &mut world.dice);
        let found = world.job(&Deed { wrong, receipts: true, ..Deed::default() });
        record.audited += u32::from(found.is_some());
        record.since_soft_failure = match found {
            Some(Verdict::Disputed) => Some(0),
            Some(_) => record.since_soft_failure.map(|since| since + 1),
            None => record.since_soft_failure,
        };
        if found == Some(Verdict::Failed) {
            record = Record { audited: 0, since_soft_failure: None };
            identities += 1;
        }
        jobs += 1;
    }
    assert!(identities > 1_000);
    let mean = world.books.of(Party::Provider) / jobs;
    assert!(mean < PRICE / 5, "{mean} a job over {identities} identities");
}
