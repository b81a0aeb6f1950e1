//! Chances for the time to come, from what is known of a series now.

use domain::{Millis, Timestamp};

use super::level::Level;

/// Times at which a state may change in a forecast of the state are so far apart, in hours.
pub(super) const STEP_H: f64 = 1.0 / 6.0;
/// The furthest that a state is forecast, in steps: seven days.
const STEPS_MAX: usize = 7 * 24 * 6;
/// A day has so many blocks of hours: launches fail more often when a region is at work.
pub(super) const BLOCKS: usize = 6;
const DAY_MS: i64 = 24 * 3_600_000;
const BLOCK_MS: i64 = DAY_MS / BLOCKS as i64;
const MILLIS_PER_HOUR: f64 = 3_600_000.0;

/// What is known now about one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// Whether it was up when last looked at.
    pub up: bool,
    /// For how long it has been so, in hours.
    pub age_h: f64,
    /// The level at which it leaves up.
    pub leaves_up: Level,
    /// The level at which it leaves down.
    pub leaves_down: Level,
    /// The time.
    pub(super) now: Timestamp,
    /// How much more than on average each state is left in each block of the day.
    pub(super) daily: [[f64; BLOCKS]; 2],
}

impl Outlook {
    /// The chance that it is up throughout the next `for_h` hours.
    pub fn up_throughout(&self, for_h: f64) -> f64 {
        if !self.up {
            return 0.0;
        }
        let (mut passed, mut exposure) = (0.0, 0.0);
        while passed < for_h {
            let then = self.now + Millis((passed * MILLIS_PER_HOUR).round() as u64);
            let until = (passed + block_left_h(then)).min(for_h);
            let whole = self.leaves_up.exposure_between(self.age_h + passed, self.age_h + until);
            exposure += self.daily[0][block(then)] * whole;
            passed = until;
        }
        self.leaves_up.outlasts(exposure)
    }

    /// The chance that it is up in `in_h` hours, at most seven days, for each of them in rising order.
    ///
    /// Masses of "in this state since n steps" are moved step by step: an alternating renewal process (Cox, Renewal
    /// Theory, 1962) on a grid of ten minutes.
    pub fn up_at(&self, in_h: &[f64]) -> Vec<f64> {
        let last = in_h.last().copied().unwrap_or(0.0);
        let steps = grid_steps(last);
        let chances = self.walk(steps);
        in_h.iter().map(|h| chances[grid_steps(*h).min(steps)]).collect()
    }

    fn walk(&self, steps: usize) -> Vec<f64> {
        let leaves = [self.leaves_up, self.leaves_down];
        // Chance to leave within the step after n whole steps in a state, on an average hour.
        let leave: [Vec<f64>; 2] =
            leaves.map(|level| (0..steps).map(|n| 1.0 - level.stays(at(n), STEP_H)).collect());
        let start = usize::from(!self.up);
        let (mut stayed, mut exposure) = (1.0, 0.0);
        // Mass by steps in the state, the youngest at the end, so that ageing is free.
        let mut young: [Vec<f64>; 2] = [Vec::with_capacity(steps), Vec::with_capacity(steps)];
        let mut chances = Vec::with_capacity(steps + 1);
        chances.push(if self.up { 1.0 } else { 0.0 });
        for step in 0..steps {
            let block = block(self.now + Millis((at(step) * MILLIS_PER_HOUR).round() as u64));
            let before = stayed;
            exposure += self.daily[start][block]
                * leaves[start].exposure_between(self.age_h + at(step), self.age_h + at(step + 1));
            stayed = leaves[start].outlasts(exposure);
            let mut moved = [0.0; 2];
            moved[start] += before - stayed;
            for state in 0..2 {
                let daily = self.daily[state][block];
                for (masses, chance) in young[state].iter_mut().rev().zip(&leave[state]) {
                    let gone = *masses * (daily * chance).min(1.0);
                    *masses -= gone;
                    moved[state] += gone;
                }
            }
            young[0].push(moved[1]);
            young[1].push(moved[0]);
            let up: f64 = young[0].iter().sum::<f64>() + if self.up { stayed } else { 0.0 };
            chances.push(up.clamp(0.0, 1.0));
        }
        chances
    }
}

/// The block of the day, in UTC.
pub(super) const fn block(at: Timestamp) -> usize {
    (at.0.rem_euclid(DAY_MS) / BLOCK_MS) as usize
}

/// Hours until its block of the day ends.
fn block_left_h(at: Timestamp) -> f64 {
    (BLOCK_MS - at.0.rem_euclid(BLOCK_MS)) as f64 / MILLIS_PER_HOUR
}

fn at(step: usize) -> f64 {
    step as f64 * STEP_H
}

fn grid_steps(in_h: f64) -> usize {
    ((in_h / STEP_H).round().max(0.0) as usize).min(STEPS_MAX)
}
