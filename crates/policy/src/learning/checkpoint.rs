//! When to save a checkpoint, given how long the machine has lived.
//!
//! Young ("A first order approximation to the optimum checkpoint interval", CACM 17(9), 1974) and Daly ("A higher order
//! estimate of the optimum checkpoint interval for restart dumps", FGCS 22(3), 2006) take losses at a constant rate. Real
//! up-times are heavy-tailed: many end young, few of those that grew old. What is lost does not depend on the
//! interval, only what was saved before, so the best plan saves the most work that can be expected:
//!
//! ```text
//! V(a) = max over w of  S(a + w + C) / S(a) x (w + V(a + w + C))
//! ```
//!
//! at age `a`, for work of `w` and then a checkpoint that takes `C`, with `S` the chance to reach an age (Bellman,
//! Dynamic Programming, 1957; for checkpoints Toueg and Babaoglu, "On the optimum checkpoint selection problem", SIAM J.
//! Comput. 13(3), 1984).

use super::availability::Level;

/// Young's interval: work between checkpoints that take `cost_h`, with losses every `mean_h` on average; all in hours.
pub fn young(cost_h: f64, mean_h: f64) -> f64 {
    (2.0 * cost_h * mean_h).sqrt()
}

/// Daly's interval, his equation (37): work between checkpoints, in hours as [`young`].
pub fn daly(cost_h: f64, mean_h: f64) -> f64 {
    if cost_h >= 2.0 * mean_h {
        return mean_h;
    }
    let ratio = cost_h / (2.0 * mean_h);
    young(cost_h, mean_h) * (1.0 + ratio.sqrt() / 3.0 + ratio / 9.0) - cost_h
}

/// The work of the next interval by the rate of loss at this age alone: Young's rule with `1 / h(a)` as the mean, at the
/// age in the middle of the interval. In hours.
pub fn local(cost_h: f64, level: &Level, age_h: f64) -> f64 {
    let mut work = cost_h;
    for _ in 0..ROUNDS {
        work = young(cost_h, 1.0 / level.hazard(age_h + (work + cost_h) / 2.0));
    }
    work
}

/// The fixed point of [`local`] is reached to a percent after so many rounds: each halves the error or better.
const ROUNDS: usize = 8;
/// Ages of a plan grow by this factor from one to the next.
const GROWTH: f64 = 1.02;
/// The first step of a plan's ages, as a share of the cost of a checkpoint.
const FIRST: f64 = 0.25;
/// Sums of steps miss an age of the plan by less than this, in hours.
const ROUNDED_H: f64 = 1e-6;
/// A plan looks so far, in hours; for older machines [`local`] is near enough.
const PLAN_H: f64 = 24.0 * 14.0;
/// The longest interval that a plan considers, in steps of its ages.
const REACH: usize = 160;

/// Intervals by age.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Rising.
    ages_h: Vec<f64>,
    /// Work before the next checkpoint, at each age.
    work_h: Vec<f64>,
    useful: f64,
}

impl Plan {
    /// The plan that saves the most work, for checkpoints that take `cost_h` on a machine that is lost at `level`, and
    /// for certain at the age of `end_h`, where it has one. In hours.
    pub fn new(cost_h: f64, level: &Level, end_h: Option<f64>) -> Self {
        let last = end_h.unwrap_or(PLAN_H).max(cost_h);
        let mut ages_h = vec![0.0];
        let (mut age, mut step) = (0.0, cost_h * FIRST);
        while age < last {
            age = (age + step).min(last);
            ages_h.push(age);
            step = (age * (GROWTH - 1.0)).max(step);
        }
        let reach: Vec<f64> = ages_h.iter().map(|age| level.stays(0.0, *age)).collect();
        let oldest = ages_h.len() - 1;
        let mut value = vec![0.0; ages_h.len()];
        let mut work_h = vec![f64::INFINITY; ages_h.len()];
        if end_h.is_none() {
            // With heavy tails the time still to come is about the age that was reached.
            (value[oldest], work_h[oldest]) = (ages_h[oldest], local(cost_h, level, ages_h[oldest]));
        }
        for at in (0..oldest).rev() {
            let mut best = (0.0, f64::INFINITY);
            for then in at + 1..ages_h.len().min(at + 1 + REACH) {
                let work = ages_h[then] - ages_h[at] - cost_h;
                if work <= 0.0 {
                    continue;
                }
                let saved = reach[then] / reach[at] * (work + value[then]);
                if saved > best.0 {
                    best = (saved, work);
                }
            }
            (value[at], work_h[at]) = best;
        }
        let mean_h: f64 = ages_h
            .windows(2)
            .zip(reach.windows(2))
            .map(|(ages, reach)| (ages[1] - ages[0]) * (reach[0] + reach[1]) / 2.0)
            .sum();
        let after = if end_h.is_none() { reach[oldest] * value[oldest] } else { 0.0 };
        let useful = (value[0] / (mean_h + after)).min(1.0);
        Self { ages_h, work_h, useful }
    }

    /// The share of a new machine's time that is expected to end up saved, in 0..=1.
    pub const fn useful(&self) -> f64 {
        self.useful
    }

    /// Work before the next checkpoint, at this age, in hours; infinite where no further one is worth its time.
    pub fn work(&self, age_h: f64) -> f64 {
        let at = self.ages_h.partition_point(|age| *age <= age_h + ROUNDED_H).saturating_sub(1);
        self.work_h[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::availability::{Availability, Prior, SeriesKey};
    use proptest::prelude::*;

    fn level(changes: f64) -> Level {
        let key = SeriesKey { provider: "p".into(), hardware: "h".into(), zone: "z".into() };
        Availability::new(Prior { level: [changes; 2], ..Prior::default() }).loss_level(&key)
    }

    /// Work that is expected to be saved on a machine, by any rule.
    fn saved(level: &Level, cost_h: f64, end_h: f64, work: impl Fn(f64) -> f64) -> f64 {
        let (mut age, mut saved) = (0.0, 0.0);
        loop {
            let step = work(age);
            age += step + cost_h;
            if age > end_h + ROUNDED_H {
                return saved;
            }
            saved += step * level.stays(0.0, age);
        }
    }

    #[test]
    fn young_and_daly_agree_where_checkpoints_are_cheap() {
        assert!((young(1.0 / 12.0, 6.0) - 1.0).abs() < 1e-12);
        assert!((daly(1e-6, 100.0) / young(1e-6, 100.0) - 1.0).abs() < 1e-3);
        // The limits of his equation (37).
        assert_eq!(daly(5.0, 2.0), 2.0);
        assert!((daly(0.5, 1.0) - (1.0 + 0.5 / 3.0 + 0.25 / 9.0 - 0.5)).abs() < 1e-12);
    }

    #[test]
    fn old_machines_are_saved_less_often_than_young_ones() {
        let plan = Plan::new(1.0 / 12.0, &level(0.6), None);
        let works: Vec<f64> = [0.0, 2.0, 10.0, 50.0, 1000.0].into_iter().map(|age| plan.work(age)).collect();
        assert!(works.is_sorted_by(|a, b| a < b), "{works:?}");
    }

    #[test]
    fn a_machine_with_an_end_is_saved_just_before_it() {
        let cost = 1.0 / 12.0;
        let plan = Plan::new(cost, &level(0.6), Some(24.0));
        let mut age = 0.0;
        while plan.work(age).is_finite() {
            age += plan.work(age) + cost;
        }
        assert!((23.9..=24.0 + 1e-9).contains(&age), "{age}");
    }

    #[test]
    fn the_useful_share_falls_with_losses_and_with_cost() {
        let share = |changes, cost| Plan::new(cost, &level(changes), None).useful();
        assert!(share(0.1, 0.05) > share(0.6, 0.05) && share(0.6, 0.05) > share(0.6, 0.3));
        assert!(share(0.1, 0.05) < 1.0 && share(3.0, 0.5) > 0.0);
    }

    proptest! {
        #[test]
        fn no_fixed_interval_and_no_local_rule_saves_more(changes in 0.1..3.0f64, cost in 0.02..0.5f64, fixed in 0.05..8.0f64) {
            let (level, end) = (level(changes), 48.0);
            let plan = Plan::new(cost, &level, Some(end));
            let ours = saved(&level, cost, end, |age| plan.work(age));
            // Ages are rounded to a grid of 2 %, and so is what can be saved.
            prop_assert!(ours * 1.01 >= saved(&level, cost, end, |_| fixed));
            prop_assert!(ours * 1.01 >= saved(&level, cost, end, |age| local(cost, &level, age)));
        }
    }
}
