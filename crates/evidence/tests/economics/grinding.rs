//! A provider that makes many roots of the same fabricated work and commits to the one that it likes best.

use crate::world::*;

const SAMPLE: u32 = 8;
const FAKED: u32 = 13;
const JOBS: u64 = 2_000;
/// Roots that it may try for each job; a changed byte in a segment that nobody has to have computed makes another.
const ROOTS: u64 = 64;

fn terms() -> Terms {
    Terms::deterring(1.0, SAMPLE, 0.0)
}

/// Plays with the randomness that a provider supposes and the one that is drawn: its mean profit, and how often it was missed.
fn grind(supposed: impl Fn(u64) -> u64, drawn: impl Fn(u64) -> u64) -> (f64, f64) {
    let mut world = World::new(terms(), but(0, Way::Honest), 3);
    let mut missed = 0;
    for job in 0..JOBS {
        let wrong = fake(FAKED, &mut world.dice);
        let kind = |root: &u64| draw(supposed(job), job, *root, SAMPLE).segments & wrong == 0;
        let root = (0..ROOTS).find(kind).unwrap_or(0);
        let real = draw(drawn(job), job, root, SAMPLE);
        missed += u64::from(real.segments & wrong == 0);
        world.job_drawn(&Deed { wrong, receipts: true, ..Deed::default() }, Some(real));
    }
    (world.books.of(Party::Provider) as f64 / JOBS as f64, missed as f64 / JOBS as f64)
}

fn honest() -> f64 {
    PRICE as f64 * (1.0 - COST)
}

#[test]
fn known_randomness_would_make_grinding_pay() {
    let (profit, missed) = grind(|job| job, |job| job);
    assert!(missed > 0.99, "{missed}");
    assert!(profit > honest(), "{profit}");
}

#[test]
fn randomness_fixed_after_the_commitment_makes_grinding_worthless() {
    let (profit, missed) = grind(|job| job, |job| job + 1_000_000);
    let formula = 1.0 - waag_evidence::deterrence::replayed(SEGMENTS, FAKED, SAMPLE);
    let error = 4.0 * (formula * (1.0 - formula) / JOBS as f64).sqrt();
    assert!((missed - formula).abs() <= error, "{missed} beside {formula}: not less than without grinding");
    assert!(profit < honest(), "{profit}");
}

/// With a panel of its own validators the provider would not need a kind sample: that cannot be ground for either.
#[test]
fn panels_of_ones_own_cannot_be_ground_for() {
    let own = |at: &usize| *at < VALIDATORS / 3;
    let mut won = [0u64; 2];
    for job in 0..JOBS {
        let mine = |randomness: u64, root: u64| draw(randomness, job, root, 1).panel.iter().all(own);
        let root = (0..ROOTS).find(|root| mine(job, *root)).unwrap_or(0);
        won[0] += u64::from(mine(job, root));
        won[1] += u64::from(mine(job + 1_000_000, root));
    }
    let share = won.map(|won| won as f64 / JOBS as f64);
    // 1 - (1 - 2/110)^64 of the jobs where it is known, 2/110 where it is not.
    assert!(share[0] > 0.6, "{share:?}");
    assert!(share[1] < 0.035, "{share:?}");
}
