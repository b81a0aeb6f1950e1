//! Lazy providers, on the whole grid of audit rates, samples and shares faked.

use waag_evidence::deterrence::{Checks, Money, all_corrupt, audit_rate, replayed};

use crate::world::*;

const AUDITS: [f64; 5] = [0.05, 0.1, 0.2, 0.5, 1.0];
const SAMPLES: [u32; 5] = [1, 2, 4, 8, 16];
/// 1/n, .05, .1, .2, .5 and all of 64.
const FAKED: [u32; 6] = [1, 3, 6, 13, 32, SEGMENTS];
/// Each point is played until so many unanimous panels are to be expected: their number is then known to 4 %.
const SLASHED: f64 = 600.0;

/// Jobs to play for this point.
fn jobs(terms: &Terms, faked: u32, colluding: usize) -> i64 {
    let hit = terms.audit * replayed(SEGMENTS, faked, terms.sample);
    (SLASHED / (hit * panel_of(colluding).1)).ceil() as i64
}

/// What so many jobs with faked segments earn their provider, in the mean, beyond honest work: that passes whenever it is audited,
/// since colluding validators call everything of their provider right, and honest ones too.
fn more_than_honest(world: &mut World, faked: u32, jobs: i64) -> f64 {
    world.books = Books::default();
    for _ in 0..jobs {
        let drawn = world.audit();
        let wrong =
            if drawn.is_some() { fake(faked, &mut world.dice) } else { u64::MAX >> (SEGMENTS - faked) };
        world.job_drawn(&Deed { wrong, receipts: true, ..Deed::default() }, drawn);
    }
    world.books.of(Party::Provider) as f64 / jobs as f64 - PRICE as f64 * (1.0 - COST)
}

/// Plays the grid with these terms, and hands to `judge` each point's terms, faked segments, jobs played, and profit beyond that
/// of honest work.
fn play(colluding: usize, terms: impl Fn(f64, u32) -> Terms, mut judge: impl FnMut(&Terms, u32, i64, f64)) {
    for sample in SAMPLES {
        for audit in AUDITS {
            let terms = terms(audit, sample);
            let mut world = World::new(terms, but(colluding, Way::Stamps), 7);
            for faked in FAKED {
                let jobs = jobs(&terms, faked, colluding);
                judge(&terms, faked, jobs, more_than_honest(&mut world, faked, jobs));
            }
        }
    }
}

fn all_of_it_pays_less(colluding: usize, corrupt: f64) {
    let mut points = 0;
    play(
        colluding,
        |audit, sample| Terms::deterring(audit, sample, corrupt),
        |terms, faked, _, more| {
            points += 1;
            assert!(more < 0.0, "q={} k={} faked={faked}: {more} more", terms.audit, terms.sample);
        },
    );
    assert_eq!(points, AUDITS.len() * SAMPLES.len() * FAKED.len());
}

#[test]
fn no_share_faked_pays_at_any_audit_rate_and_sample() {
    all_of_it_pays_less(0, 0.0);
}

#[test]
fn nor_does_it_with_a_third_of_the_stake_colluding() {
    all_of_it_pays_less(VALIDATORS / 3, 1.0 / 3.0);
}

/// At a tenth of the stake that is needed, faking everything pays wherever the stake was what held it back, and the formula says
/// of every point whether it does.
fn some_of_it_pays_more(colluding: usize, corrupt: f64) {
    let drawn = panel_of(colluding);
    let mut paying = 0;
    play(
        colluding,
        |audit, sample| {
            let terms = Terms::deterring(audit, sample, corrupt);
            Terms { reserve: terms.reserve / 10, ..terms }
        },
        |terms, faked, jobs, more| {
            if faked == SEGMENTS && terms.audit <= 0.2 {
                assert!(more > 0.0, "q={} k={}: {more} more", terms.audit, terms.sample);
            }
            let share = f64::from(faked) / f64::from(SEGMENTS);
            let hit = terms.audit * replayed(SEGMENTS, faked, terms.sample);
            let loss = hit * (drawn.0 * PRICE as f64 + drawn.1 * terms.reserve as f64);
            let expected = share * COST * PRICE as f64 - loss;
            let loss_when_hit = (PRICE + terms.reserve) as f64;
            let error = loss_when_hit * (hit / jobs as f64).sqrt() * 4.0 + 0.05 * loss;
            assert!((more - expected).abs() <= error, "{more} beside {expected}, give or take {error}");
            paying += usize::from(more > 0.0);
        },
    );
    assert!(paying >= SAMPLES.len() * 3);
}

/// Chances that a panel out of twelve notices, and that it is unanimous, without replacement.
fn panel_of(colluding: usize) -> (f64, f64) {
    let none =
        |of: usize| (0..DRAWN).map(|i| (of as f64 - i as f64) / (VALIDATORS - i) as f64).product::<f64>();
    (1.0 - none(colluding), none(VALIDATORS - colluding))
}

#[test]
fn a_tenth_of_the_stake_needed_lets_faking_pay() {
    some_of_it_pays_more(0, 0.0);
}

#[test]
fn a_tenth_of_the_stake_needed_lets_faking_pay_with_a_third_colluding() {
    some_of_it_pays_more(VALIDATORS / 3, 1.0 / 3.0);
}

/// The other way round: the stake is given, and the rate follows.
#[test]
fn audit_rate_that_follows_the_stake_deters() {
    for (colluding, corrupt) in [(0, 0.0), (VALIDATORS / 3, 1.0 / 3.0)] {
        for times in [0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0] {
            let money = Money { price: 1.0, cost: COST, slash: times, outside: 0.0 };
            let audit = audit_rate(&money, &panel(corrupt));
            assert!(Checks { audit, sample: 4, panel: panel(corrupt) }.deters(SEGMENTS, &money));
            let reserve = (times * PRICE as f64) as i64;
            let terms = Terms { reserve, ..Terms::deterring(audit, 4, corrupt) };
            let mut world = World::new(terms, but(colluding, Way::Stamps), 11);
            for faked in [1, 13, SEGMENTS] {
                let more = more_than_honest(&mut world, faked, jobs(&terms, faked, colluding));
                assert!(more < 0.0, "S={times}P q={audit} faked={faked}: {more} more");
            }
        }
    }
}

/// The cap of a tenth on what counts of one stake keeps a third of it from being more than a third of the panels.
#[test]
fn colluders_sit_alone_on_as_many_panels_as_the_formula_says() {
    let draws = 40_000;
    let colluding = VALIDATORS / 3;
    let alone = (0..draws).filter(|n| draw(*n, 1, 2, 1).panel.iter().all(|at| *at < colluding)).count();
    let share = alone as f64 / draws as f64;
    // Without replacement: 4/12 * 3/11 * 2/10, less than (1/3)^3.
    let exact = 4.0 * 3.0 * 2.0 / (12.0 * 11.0 * 10.0);
    assert!((share - exact).abs() <= 4.0 * (exact / draws as f64).sqrt(), "{share} beside {exact}");
    assert!(exact <= all_corrupt(1.0 / 3.0, DRAWN as u32));
}
