//! When two cheap, unreliable leases beat one good one.
//!
//! A lease that needs `work_h` hours and is lost at a constant rate finishes with chance `exp(-rate x work)`. Two
//! leases that run the same work finish unless both are lost. What takes one down often takes the other down too, so
//! of their rates a common part hits both at once: the bivariate exponential of Marshall and Olkin (JASA 62, 1967).
//! The first that finishes ends the other. Nothing is saved on the way; with checkpoints, ask this of each segment.

/// A lease that could be bought for the work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lease {
    /// Dollars per hour, paid while it lives.
    pub usd_per_hour: f64,
    /// Hours until the work is done, if it lives.
    pub work_h: f64,
    /// Losses per hour.
    pub losses_per_hour: f64,
}

/// What an attempt is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attempt {
    /// The chance that the work is done.
    pub finishes: f64,
    /// The expected cost in dollars.
    pub usd: f64,
    /// Expected hours until it is done or lost.
    pub hours: f64,
}

/// Which attempt to buy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The first of the options named.
    One,
    /// The pair.
    Both,
    /// No option meets the floor.
    Neither,
}

/// The integral of `exp(-rate x t)` over a span of hours.
fn lived(rate: f64, from_h: f64, to_h: f64) -> f64 {
    if rate * (to_h - from_h) < 1e-9 {
        return (-rate * from_h).exp() * (to_h - from_h);
    }
    ((-rate * from_h).exp() - (-rate * to_h).exp()) / rate
}

impl Lease {
    /// An attempt on this lease alone.
    pub fn attempt(&self) -> Attempt {
        let hours = lived(self.losses_per_hour, 0.0, self.work_h);
        Attempt {
            finishes: (-self.losses_per_hour * self.work_h).exp(),
            usd: self.usd_per_hour * hours,
            hours,
        }
    }
}

/// An attempt on both at once; `common` in 0..=1 is the part of the smaller rate of loss that hits both together.
pub fn pair(a: &Lease, b: &Lease, common: f64) -> Attempt {
    let (fast, slow) = if a.work_h <= b.work_h { (a, b) } else { (b, a) };
    let both = common.clamp(0.0, 1.0) * fast.losses_per_hour.min(slow.losses_per_hour);
    let (fast_own, slow_own) = (fast.losses_per_hour - both, slow.losses_per_hour - both);
    let (soon, late) = (fast.work_h, slow.work_h);
    let fast_finishes = (-fast.losses_per_hour * soon).exp();
    // The slow one lives at `t` past the fast one's end, though the fast one was lost: exp(-slow t) less what also has
    // the fast one alive at its end, exp(-fast_own soon - both t - slow_own t).
    let alone = |upper: f64, lower: f64| {
        lived(slow.losses_per_hour, lower, upper)
            - (-fast_own * soon).exp() * lived(both + slow_own, lower, upper)
    };
    let slow_finishes_alone = (-slow.losses_per_hour * late).exp() * (1.0 - (-fast_own * soon).exp());
    let slow_alone = alone(late, soon);
    let fast_h = lived(fast.losses_per_hour, 0.0, soon);
    let slow_h = lived(slow.losses_per_hour, 0.0, soon);
    let either_h = fast_h + slow_h - lived(fast_own + slow_own + both, 0.0, soon);
    Attempt {
        finishes: fast_finishes + slow_finishes_alone,
        usd: fast.usd_per_hour * fast_h + slow.usd_per_hour * (slow_h + slow_alone),
        hours: either_h + slow_alone,
    }
}

impl Attempt {
    /// Expected dollars until the work is done, when a lost attempt is made again and each hour of waiting is worth
    /// `usd_per_hour`: attempts are alike, so their number is geometric.
    pub fn until_done(&self, usd_per_hour: f64) -> f64 {
        (self.usd + usd_per_hour * self.hours) / self.finishes
    }
}

/// Whether to run `one` lease or a `both` attempt: of those that finish with chance `floor` at least, the one that costs less
/// until the work is done, with an hour of waiting worth `usd_per_hour`.
pub fn choose(one: &Attempt, both: &Attempt, floor: f64, usd_per_hour: f64) -> Choice {
    let fits = |attempt: &Attempt| attempt.finishes >= floor;
    match (fits(one), fits(both)) {
        (false, false) => Choice::Neither,
        (true, false) => Choice::One,
        (false, true) => Choice::Both,
        (true, true) if both.until_done(usd_per_hour) < one.until_done(usd_per_hour) => Choice::Both,
        (true, true) => Choice::One,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: Lease = Lease { usd_per_hour: 3.0, work_h: 10.0, losses_per_hour: 0.002 };
    const CHEAP: Lease = Lease { usd_per_hour: 0.6, work_h: 10.0, losses_per_hour: 0.08 };

    /// A small generator of uniform numbers.
    fn uniforms() -> impl FnMut() -> f64 {
        let mut state = 11u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        }
    }

    /// Attempts on both, lived through: each is hit by shocks of its own and by common ones.
    fn drawn(a: &Lease, b: &Lease, common: f64) -> Attempt {
        let mut uniform = uniforms();
        let mut draw = |rate: f64| if rate > 0.0 { -uniform().ln() / rate } else { f64::INFINITY };
        let both = common * a.losses_per_hour.min(b.losses_per_hour);
        let times = 200_000;
        let mut sum = Attempt { finishes: 0.0, usd: 0.0, hours: 0.0 };
        for _ in 0..times {
            let shock = draw(both);
            let lost = [a, b].map(|lease| draw(lease.losses_per_hour - both).min(shock));
            let done =
                |n: usize, lease: &Lease| if lost[n] > lease.work_h { lease.work_h } else { f64::INFINITY };
            let end = done(0, a).min(done(1, b));
            let (until_a, until_b) = (lost[0].min(end).min(a.work_h), lost[1].min(end).min(b.work_h));
            sum.finishes += f64::from(u8::from(end.is_finite()));
            sum.usd += until_a * a.usd_per_hour + until_b * b.usd_per_hour;
            sum.hours += until_a.max(until_b);
        }
        let times = f64::from(times);
        Attempt { finishes: sum.finishes / times, usd: sum.usd / times, hours: sum.hours / times }
    }

    #[test]
    fn the_closed_form_agrees_with_attempts_that_were_lived_through() {
        let slow = Lease { usd_per_hour: 0.4, work_h: 17.0, losses_per_hour: 0.05 };
        for (a, b, common) in [(CHEAP, CHEAP, 0.0), (CHEAP, slow, 0.0), (slow, CHEAP, 0.6), (GOOD, slow, 1.0)]
        {
            let (told, drawn) = (pair(&a, &b, common), drawn(&a, &b, common));
            assert!((told.finishes - drawn.finishes).abs() < 0.005, "{told:?} {drawn:?}");
            assert!((told.usd / drawn.usd - 1.0).abs() < 0.01, "{told:?} {drawn:?}");
            assert!((told.hours / drawn.hours - 1.0).abs() < 0.01, "{told:?} {drawn:?}");
        }
    }

    #[test]
    fn two_cheap_leases_beat_a_dear_one_until_the_floor_or_their_fate_is_shared() {
        let (one, two) = (GOOD.attempt(), pair(&CHEAP, &CHEAP, 0.0));
        assert_eq!(choose(&one, &two, 0.5, 0.0), Choice::Both);
        assert_eq!(choose(&one, &two, 0.95, 0.0), Choice::One);
        assert_eq!(choose(&one, &two, 0.999, 0.0), Choice::Neither);
        let bound = pair(&CHEAP, &CHEAP, 1.0);
        assert!((bound.finishes - CHEAP.attempt().finishes).abs() < 1e-12);
        assert!(bound.until_done(0.0) > CHEAP.attempt().until_done(0.0) * 1.9);
        // Waiting for another attempt is what the second lease saves.
        let cheap = CHEAP.attempt();
        assert_eq!(choose(&cheap, &two, 0.0, 0.0), Choice::One);
        assert_eq!(choose(&cheap, &two, 0.0, 20.0), Choice::Both);
    }

    proptest! {
        #[test]
        fn a_second_lease_never_makes_it_less_likely_and_order_does_not_matter(
            rates in prop::array::uniform2(0.0..0.5f64), works in prop::array::uniform2(0.5..30.0f64), common in 0.0..=1.0f64,
        ) {
            let lease = |n: usize| Lease { usd_per_hour: 1.0, work_h: works[n], losses_per_hour: rates[n] };
            let (a, b) = (lease(0), lease(1));
            let both = pair(&a, &b, common);
            prop_assert!(both.finishes >= a.attempt().finishes.max(b.attempt().finishes) - 1e-9);
            prop_assert!(both.finishes <= 1.0 + 1e-9 && both.usd > 0.0 && both.hours <= works[0].max(works[1]) + 1e-9);
            prop_assert!(pair(&a, &b, 0.0).finishes >= both.finishes - 1e-9);
            let turned = pair(&b, &a, common);
            prop_assert!((turned.usd - both.usd).abs() < 1e-9 && (turned.finishes - both.finishes).abs() < 1e-9);
        }
    }
}
