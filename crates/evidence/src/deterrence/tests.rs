//! The tables of the design, by formula and by playing it a million times.

use super::*;

const RUNS: u32 = 1_000_000;
const HONEST: Panel = Panel { validators: 1, corrupt: 0.0, miss: 0.0 };

/// xorshift64* (Vigna, 2016): quick, and the same every time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn chance(&mut self, p: f64) -> bool {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64 <= p
    }
}

/// Within four standard errors, and within 1 % where the probability is not small.
fn agrees(hits: u32, p: f64, what: &str) {
    let seen = f64::from(hits) / f64::from(RUNS);
    let error = (p * (1.0 - p) / f64::from(RUNS)).sqrt();
    assert!((seen - p).abs() <= 4.0 * error + 1e-12, "{what}: {seen} beside {p}");
    assert!(p < 0.1 || (seen / p - 1.0).abs() < 0.01, "{what}: {seen} beside {p}");
}

fn rounds_to(value: f64, digits: i32, expected: f64) -> bool {
    let unit = 10f64.powi(digits);
    ((value * unit).round() / unit - expected).abs() < 1e-9
}

#[test]
fn detection_is_that_of_the_table() {
    let samples = [1, 2, 4, 8, 16, 32, 64];
    let table = [
        (0.50, [0.500, 0.750, 0.938, 0.996, 1.0, 1.0, 1.0], 7),
        (0.20, [0.200, 0.360, 0.590, 0.832, 0.972, 0.999, 1.0], 21),
        (0.10, [0.100, 0.190, 0.344, 0.570, 0.815, 0.966, 0.999], 44),
        (0.05, [0.050, 0.098, 0.185, 0.337, 0.560, 0.806, 0.962], 90),
        (0.01, [0.010, 0.020, 0.039, 0.077, 0.149, 0.275, 0.474], 459),
    ];
    for (share, row, for_99) in table {
        for (sample, expected) in samples.into_iter().zip(row) {
            let value = detection_limit(share, sample);
            assert!(rounds_to(value, 3, expected), "f={share} k={sample}: {value}");
        }
        assert!(detection_limit(share, for_99) >= 0.99 && detection_limit(share, for_99 - 1) < 0.99);
    }
}

#[test]
fn detection_without_replacement_is_what_a_million_draws_give() {
    let mut dice = Dice(1);
    for (segments, faked, sample) in [(32, 16, 8), (256, 26, 8), (256, 3, 16), (10, 1, 9), (7, 7, 1)] {
        let mut hits = 0;
        let mut order: Vec<u32> = (0..segments).collect();
        for _ in 0..RUNS {
            let hit = (0..sample as usize).any(|i| {
                let j = i + dice.below(u64::from(segments) - i as u64) as usize;
                order.swap(i, j);
                order[i] < faked
            });
            hits += u32::from(hit);
        }
        agrees(hits, detection(segments, faked, sample), &format!("{faked} of {segments}, {sample} drawn"));
    }
    assert_eq!(detection(32, 0, 8), 0.0);
    assert_eq!(detection(32, 1, 32), 1.0);
}

#[test]
fn slash_needed_is_that_of_the_table() {
    let rows = [
        (0.02, [(39.0, 59.0), (6.0, 9.5), (4.9, 7.9)]),
        (0.05, [(15.0, 23.0), (1.8, 3.2), (1.4, 2.6)]),
        (0.10, [(7.0, 11.0), (0.4, 1.1), (0.2, 0.8)]),
        (0.20, [(3.0, 5.0), (0.0, 0.05), (0.0, 0.0)]),
        (1.00, [(0.0, 0.2), (0.0, 0.0), (0.0, 0.0)]),
    ];
    for (audit, row) in rows {
        for (share, (even, with_margin)) in [1.0, 0.1, 0.05].into_iter().zip(row) {
            let checks = Checks { audit, sample: 8, panel: HONEST };
            let money = Money { price: 1.0, cost: 0.8, slash: 0.0, outside: 0.0 };
            let dear = Money { cost: 0.8 * MARGIN, ..money };
            for (found, expected) in
                [(checks.slash_needed(share, &money), even), (checks.slash_needed(share, &dear), with_margin)]
            {
                assert!((found - expected).abs() <= 0.05 + 1e-9, "q={audit} f={share}: {found}, {expected}");
            }
        }
    }
}

#[test]
fn corrupt_committees_are_those_of_the_table() {
    let table = [
        (0.20, [(0.0080, 0.104), (0.00032, 0.058), (1.3e-5, 0.033), (1e-6, 0.020)]),
        (0.25, [(0.0156, 0.156), (0.00098, 0.104), (6e-5, 0.071), (4e-6, 0.049)]),
        (0.33, [(0.0359, 0.255), (0.0039, 0.205), (4.3e-4, 0.168), (4.6e-5, 0.140)]),
    ];
    let mut dice = Dice(2);
    for (corrupt, row) in table {
        for (validators, (all, majority)) in [3, 5, 7, 9].into_iter().zip(row) {
            let (found_all, found_most) =
                (all_corrupt(corrupt, validators), majority_corrupt(corrupt, validators));
            assert!((found_all / all - 1.0).abs() < 0.5, "all of {validators} at {corrupt}: {found_all}");
            assert!(rounds_to(found_most, 3, majority), "most of {validators} at {corrupt}: {found_most}");
            let (mut every, mut most) = (0, 0);
            for _ in 0..RUNS {
                let bad = (0..validators).filter(|_| dice.chance(corrupt)).count() as u32;
                every += u32::from(bad == validators);
                most += u32::from(bad > validators / 2);
            }
            agrees(every, found_all, &format!("all of {validators} at {corrupt}"));
            agrees(most, found_most, &format!("most of {validators} at {corrupt}"));
        }
    }
}

#[test]
fn cheating_is_deterred_exactly_where_the_slash_exceeds_what_is_needed() {
    let panel = Panel { validators: 3, corrupt: 0.33, miss: 0.01 };
    let checks = Checks { audit: 0.1, sample: 8, panel };
    let money = Money { price: 2.0, cost: 0.8, slash: 0.0, outside: 0.0 };
    let needed = checks.slash_needed(1.0, &money);
    let with = |slash: f64| Money { slash, ..money };
    assert!(checks.deters(256, &with(needed * 1.001)));
    assert!(!checks.deters(256, &with(needed * 0.999)), "faking everything pays a little");
    // A gain outside cannot be outweighed by sampling: a single faked segment brings it.
    assert!(!checks.deters(256, &Money { outside: 10.0, ..with(needed * 2.0) }));
}

#[test]
fn audits_grow_rarer_with_the_slash_and_never_too_rare() {
    let corrupt = Panel { validators: 3, corrupt: CORRUPT, miss: 0.0 };
    for panel in [HONEST, corrupt] {
        let mut before = 1.0;
        for slash in [0.0, 0.1, 1.0, 10.0, 100.0] {
            let money = Money { price: 1.0, cost: 0.8, slash, outside: 0.0 };
            let audit = audit_rate(&money, &panel);
            assert!(audit <= before && audit > 0.0);
            before = audit;
            let checks = Checks { audit, sample: 8, panel };
            assert!(checks.deters(1_000, &money), "slash {slash}");
            assert!(checks.value_covered(1_000, &money) > 0.0);
            if audit < 1.0 {
                // What is needed for this rate, with the margin, is what was there.
                let dear = Money { cost: 0.8 * MARGIN, ..money };
                assert!((checks.slash_needed(1.0, &dear) - slash).abs() < 1e-6);
            }
        }
        let nothing = Money { price: 1.0, cost: 0.8, slash: 0.0, outside: 0.0 };
        assert_eq!(audit_rate(&nothing, &panel), 1.0, "without a slash every job is audited");
        assert_eq!(audit_rate(&Money { price: 0.0, ..nothing }, &panel), 1.0);
    }
}

/// The whole inequality, played a million times: audits, samples, panels with corrupt members, and what each outcome costs.
#[test]
fn expected_loss_is_what_a_million_jobs_cost() {
    let mut dice = Dice(3);
    let (segments, sample) = (32u32, 4u32);
    for (audit, corrupt, faked, slash) in [(0.5, 1.0 / 3.0, 30, 2.0), (1.0, 0.2, 3, 1.0), (0.2, 0.0, 16, 9.0)]
    {
        let panel = Panel { validators: 3, corrupt, miss: 0.0 };
        let (mut noticed, mut agreed) = (0, 0);
        for _ in 0..RUNS {
            if !dice.chance(audit) {
                continue;
            }
            let mut between: Vec<u64> = (0..u64::from(segments - 2)).collect();
            let hit = (0..sample as usize).any(|i| {
                let j = i + dice.below((between.len() - i) as u64) as usize;
                between.swap(i, j);
                between[i] < u64::from(faked)
            });
            let bad = (0..3).filter(|_| dice.chance(corrupt)).count();
            noticed += u32::from(hit && bad < 3);
            agreed += u32::from(hit && bad == 0);
        }
        let hit = audit * replayed(segments, faked, sample);
        agrees(noticed, hit * panel.notices(), "noticed");
        agrees(agreed, hit * panel.agrees(), "unanimous");
        let money = Money { price: 1.0, cost: 0.8, slash, outside: 0.0 };
        let surplus = Checks { audit, sample, panel }.surplus(segments, faked, &money);
        let (noticed, agreed) = (f64::from(noticed) / f64::from(RUNS), f64::from(agreed) / f64::from(RUNS));
        let seen = noticed + agreed * slash - 0.8 * f64::from(faked) / f64::from(segments);
        assert!((seen - surplus).abs() < 0.01 * (1.0 + slash), "{seen} beside {surplus}");
    }
}

#[test]
fn first_and_last_segment_cannot_be_faked_unseen() {
    assert_eq!(replayed(32, 31, 0), 1.0);
    assert_eq!(replayed(32, 30, 0), 0.0);
    assert_eq!(replayed(32, 1, 30), 1.0);
    assert_eq!(replayed(2, 1, 0), 1.0);
    assert_eq!(replayed(2, 0, 5), 0.0);
    assert!((replayed(32, 1, 3) - 0.1).abs() < 1e-12);
}

#[test]
fn validator_stake_outweighs_every_way_to_skip_replays() {
    let (segment_cost, segments, rate) = (0.025, 32u32, 0.02);
    let stake = validator_stake(segment_cost, segments, rate);
    // The cost of the whole job at fifty times.
    assert!((stake - 50.0 * 0.8).abs() < 1e-9);
    for skipped in 1..=10u32 {
        let saved = f64::from(skipped) * segment_cost;
        let lost = rate * f64::from(skipped) / f64::from(segments) * stake;
        assert!((saved - lost).abs() < 1e-12, "{skipped} skipped");
    }
}

/// `docs/a-provider-cheats.md` has these.
#[test]
fn figures_of_the_walkthrough_are_those_of_the_formulas() {
    for (faked, percent, digits) in [(1, 73.3, 1), (2, 53.1, 1), (4, 26.7, 1), (8, 5.46, 2), (16, 0.0513, 4)]
    {
        let missed = 100.0 * (1.0 - replayed(32, faked, 8));
        assert!(rounds_to(missed, digits, percent), "{faked}: {missed}");
    }
    assert!((23..=32).all(|faked| replayed(32, faked, 8) == 1.0) && replayed(32, 22, 8) < 1.0);
    let panel = Panel { validators: 3, corrupt: 0.0, miss: 0.0 };
    let money = Money { price: 1.0, cost: COST, slash: 1.0, outside: 0.0 };
    for (faked, lost) in [(1, 0.53), (16, 2.0), (32, 2.0)] {
        assert!(rounds_to(replayed(32, faked, 8) * panel.loss(&money), 2, lost), "{faked}");
    }
    for (segments, audit, share) in [(32.0, 1.0, 0.94), (256.0, 1.0, 0.12), (256.0, 0.1, 0.012)] {
        assert!(rounds_to(audit * 3.0 * 10.0 / segments, if audit < 1.0 { 3 } else { 2 }, share));
    }
}
