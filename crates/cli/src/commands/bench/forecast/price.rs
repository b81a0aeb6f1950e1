//! How well spot prices are forecast, and what waiting by that forecast saves.
//!
//! All series are looked at on one grid of time. What happened after a look teaches only once it has happened.

use std::collections::BTreeMap;

use policy::learning::bidding::{Ahead, worth_waiting};
use policy::learning::price::{FEATURES, Features, Learner, Track};
use serde::Serialize;

use crate::traces::PriceChange;

/// Between two looks, in hours: as often as these prices were recorded.
const STEP_H: f64 = 6.5;
/// Forecasts look so many steps ahead: 6.5 h, 13 h, 26 h, 3 days, 7 days.
pub(super) const AHEAD: [usize; 5] = [1, 2, 4, 11, 26];
/// Coefficients are fitted anew after so many steps.
const REFIT: usize = 4;
/// A move counts as one from this change of the log price on.
const MOVED: f64 = 0.01;
/// The run that is bought: so many steps from its start, 26 hours.
const RUN: usize = 4;
/// It may start so many steps late: 3 days.
const WAIT: usize = 11;
/// Errors of one horizon.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Errors {
    pub(super) hours: f64,
    pub(super) forecasts: u64,
    /// Mean of |forecast - price| / price: ours, and "as now".
    pub(super) relative: [f64; 2],
    /// Mean of |ln forecast - ln price|.
    pub(super) log: [f64; 2],
    /// Root of the mean of its square.
    pub(super) log_rms: [f64; 2],
    /// Moves of 1 % or more.
    pub(super) moves: u64,
    /// Of them, those whose direction the whole regressed change had right.
    pub(super) direction: f64,
    /// And those that "always up" or "always down" had right, whichever was better.
    pub(super) direction_constant: f64,
    /// Share of forecasts that differed from "as now".
    pub(super) told: f64,
}

/// What waiting saved, as a share of buying now; the mean over all starts.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Waiting {
    pub(super) starts: u64,
    pub(super) by_forecast: f64,
    /// Share of starts that waited at all.
    pub(super) waited: f64,
    pub(super) to_the_end: f64,
    /// The best start in hindsight: not reachable.
    pub(super) hindsight: f64,
}

/// Prices on the grid, by series.
struct Grid {
    types: Vec<usize>,
    type_count: usize,
    /// Of the log price; nothing where none was offered.
    prices: Vec<Vec<Option<f64>>>,
    features: Vec<Vec<Features>>,
    steps: usize,
}

/// Plays the changes; forecasts made in the first `share` of the time only teach.
pub(super) fn score(changes: &[PriceChange], share: f64) -> (Vec<Errors>, Waiting) {
    let grid = Grid::new(changes);
    let from = (grid.steps as f64 * share) as usize;
    let mut errors = vec![Errors::default(); AHEAD.len()];
    let mut all = vec![Learner::default(); AHEAD.len()];
    let mut types = vec![vec![Learner::default(); AHEAD.len()]; grid.type_count];
    let mut told = Vec::with_capacity(grid.steps);
    let mut ups = vec![0u64; AHEAD.len()];
    for step in 0..grid.steps {
        let mut told_now = vec![[0.0; AHEAD.len()]; grid.prices.len()];
        for (h, ahead) in AHEAD.into_iter().enumerate() {
            if step >= ahead {
                grid.learn(step - ahead, ahead, &mut all[h], &mut types, h);
            }
            if step % REFIT == 0 {
                all[h].refit(None);
                types.iter_mut().for_each(|of| of[h].refit(Some(&all[h])));
            }
            for (series, told) in told_now.iter_mut().enumerate() {
                let Some(now) = grid.prices[series][step] else { continue };
                let (learner, features) = (&types[grid.types[series]][h], &grid.features[series][step]);
                let change = learner.change(features);
                told[h] = change;
                let then = grid.prices[series].get(step + ahead).copied().flatten();
                if let Some(then) = then.filter(|_| step >= from) {
                    errors[h].add(change, learner.raw(features), then - now, &mut ups[h]);
                }
            }
        }
        told.push(told_now);
    }
    for ((errors, ahead), ups) in errors.iter_mut().zip(AHEAD).zip(ups) {
        errors.finish(ahead as f64 * STEP_H, ups);
    }
    (errors, grid.wait(&told, from))
}

impl Errors {
    fn add(&mut self, told: f64, raw: f64, change: f64, ups: &mut u64) {
        self.forecasts += 1;
        for (at, forecast) in [told, 0.0].into_iter().enumerate() {
            self.relative[at] += ((forecast - change).exp() - 1.0).abs();
            self.log[at] += (forecast - change).abs();
            self.log_rms[at] += (forecast - change).powi(2);
        }
        if told != 0.0 {
            self.told += 1.0;
        }
        if change.abs() >= MOVED {
            self.moves += 1;
            *ups += u64::from(change > 0.0);
            self.direction += f64::from(u8::from(raw * change > 0.0));
        }
    }

    fn finish(&mut self, hours: f64, ups: u64) {
        let (count, moves) = (self.forecasts.max(1) as f64, self.moves.max(1) as f64);
        self.hours = hours;
        for at in 0..2 {
            self.relative[at] /= count;
            self.log[at] /= count;
            self.log_rms[at] = (self.log_rms[at] / count).sqrt();
        }
        self.told /= count;
        self.direction /= moves;
        self.direction_constant = (ups.max(self.moves - ups)) as f64 / moves;
    }
}

impl Grid {
    fn new(changes: &[PriceChange]) -> Self {
        let mut by_time: Vec<&PriceChange> = changes.iter().collect();
        by_time.sort_by_key(|change| change.unix_s);
        let (mut series, mut types, mut regions) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut of: Vec<(usize, usize)> = Vec::new();
        let mut place = Vec::with_capacity(by_time.len());
        for change in &by_time {
            let fresh = (types.len(), regions.len());
            let kind = *types.entry(change.instance_type.as_str()).or_insert(fresh.0);
            let region = (change.instance_type.as_str(), change.region.as_str());
            let region = *regions.entry(region).or_insert(fresh.1);
            let next = series.len();
            let at = *series.entry((change.instance_type.as_str(), change.zone.as_str())).or_insert(next);
            if at == of.len() {
                of.push((kind, region));
            }
            place.push(at);
        }
        let begin = by_time.first().map_or(0, |change| change.unix_s);
        let span = by_time.last().map_or(0, |change| change.unix_s) - begin;
        let steps = (span as f64 / (STEP_H * 3600.0)) as usize + 1;
        let mut grid = Self {
            types: of.iter().map(|(kind, _)| *kind).collect(),
            type_count: types.len(),
            prices: vec![Vec::with_capacity(steps); of.len()],
            features: vec![Vec::with_capacity(steps); of.len()],
            steps,
        };
        let mut now: Vec<Option<f64>> = vec![None; of.len()];
        let mut tracks: Vec<Option<Track>> = vec![None; of.len()];
        let mut coming = by_time.iter().zip(place).peekable();
        for step in 0..steps {
            let until = begin as f64 + step as f64 * STEP_H * 3600.0;
            while let Some((change, at)) = coming.next_if(|(change, _)| change.unix_s as f64 <= until) {
                now[at] = change.spot_usd_hour.filter(|price| *price > 0.0 && change.event != "gone");
            }
            grid.look(&now, &mut tracks, &of, regions.len());
        }
        grid
    }

    /// One look at all series: their prices and features.
    fn look(
        &mut self,
        now: &[Option<f64>],
        tracks: &mut [Option<Track>],
        of: &[(usize, usize)],
        regions: usize,
    ) {
        let mut sums = vec![(0.0, 0.0); regions];
        for ((track, price), (_, region)) in tracks.iter_mut().zip(now).zip(of) {
            match (track.as_mut(), price) {
                (_, None) => *track = None,
                (None, Some(price)) => *track = Some(Track::new(*price)),
                (Some(track), Some(price)) => track.observe(STEP_H, *price),
            }
            if let Some(track) = track {
                sums[*region].0 += track.log_price();
                sums[*region].1 += 1.0;
            }
        }
        for (series, (track, (_, region))) in tracks.iter().zip(of).enumerate() {
            let (sum, count) = sums[*region];
            let beside = |track: &Track| (count > 1.0).then(|| (sum - track.log_price()) / (count - 1.0));
            self.prices[series].push(track.as_ref().map(Track::log_price));
            let features = track.as_ref().map_or([0.0; FEATURES], |track| track.features(beside(track)));
            self.features[series].push(features);
        }
    }

    /// Teaches what followed `ahead` steps after the look at `step`.
    fn learn(&self, step: usize, ahead: usize, all: &mut Learner, types: &mut [Vec<Learner>], h: usize) {
        for (series, prices) in self.prices.iter().enumerate() {
            let (Some(then), Some(now)) = (prices[step], prices[step + ahead]) else { continue };
            let features = &self.features[series][step];
            all.observe(features, now - then);
            types[self.types[series]][h].observe(features, now - then);
        }
    }

    /// For each series and step, a run that may start now or later.
    fn wait(&self, told: &[Vec<[f64; AHEAD.len()]>], from: usize) -> Waiting {
        let mut sums = Waiting::default();
        for (series, prices) in self.prices.iter().enumerate() {
            for step in from..self.steps.saturating_sub(WAIT + RUN) {
                let Some(whole) =
                    prices[step..step + WAIT + RUN].iter().copied().collect::<Option<Vec<f64>>>()
                else {
                    continue;
                };
                let cost = |start: usize| whole[start..start + RUN].iter().map(|log| log.exp()).sum::<f64>();
                let ours =
                    (0..WAIT).find(|late| !waits(&told[step + late][series], WAIT - late)).unwrap_or(WAIT);
                let best = (0..=WAIT).map(cost).fold(f64::INFINITY, f64::min);
                let saved = |cost_then: f64| 1.0 - cost_then / cost(0);
                sums.starts += 1;
                sums.by_forecast += saved(cost(ours));
                sums.waited += f64::from(u8::from(ours > 0));
                sums.to_the_end += saved(cost(WAIT));
                sums.hindsight += saved(best);
            }
        }
        let count = sums.starts.max(1) as f64;
        for sum in [&mut sums.by_forecast, &mut sums.waited, &mut sums.to_the_end, &mut sums.hindsight] {
            *sum /= count;
        }
        sums
    }
}

/// Whether a forecast within the steps left is low enough.
fn waits(told: &[f64; AHEAD.len()], left: usize) -> bool {
    let ahead = |(change, ahead): (&f64, usize)| Ahead { in_h: ahead as f64 * STEP_H, change: *change };
    let ahead: Vec<Ahead> = told.iter().zip(AHEAD).map(ahead).collect();
    worth_waiting(&ahead, left as f64 * STEP_H)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prices every 6.5 h, by step.
    fn changes(price: impl Fn(usize) -> f64) -> Vec<PriceChange> {
        let zones = ["a", "b"];
        let at = |step: usize, zone: &str| PriceChange {
            unix_s: (step as f64 * STEP_H * 3600.0) as i64,
            instance_type: "p3".to_owned(),
            region: "r".to_owned(),
            zone: zone.to_owned(),
            spot_usd_hour: Some(price(step)),
            event: "price".to_owned(),
        };
        (0..800).flat_map(|step| zones.map(|zone| at(step, zone))).collect()
    }

    #[test]
    fn prices_that_swing_slowly_are_forecast_better_than_as_now() {
        let (errors, waiting) = score(&changes(|step| 1.0 + 0.2 * (step as f64 / 20.0).sin()), 0.5);
        for row in &errors[..4] {
            assert!(row.relative[0] < 0.7 * row.relative[1] && row.direction > 0.8, "{row:?}");
        }
        assert!(waiting.by_forecast > 0.01 && waiting.by_forecast <= waiting.hindsight, "{waiting:?}");
    }

    #[test]
    fn prices_that_stand_still_are_told_as_now() {
        let (errors, waiting) = score(&changes(|_| 2.0), 0.5);
        assert!(errors.iter().all(|row| row.forecasts > 0 && row.relative == [0.0; 2]));
        assert_eq!((waiting.by_forecast, waiting.waited), (0.0, 0.0));
    }

    #[test]
    fn a_price_that_is_gone_is_neither_forecast_nor_waited_for() {
        let mut changes = changes(|_| 2.0);
        changes
            .iter_mut()
            .filter(|change| change.unix_s > 0)
            .for_each(|change| change.event = "gone".to_owned());
        let (errors, waiting) = score(&changes, 0.5);
        assert_eq!((errors[0].forecasts, waiting.starts), (0, 0));
    }
}
