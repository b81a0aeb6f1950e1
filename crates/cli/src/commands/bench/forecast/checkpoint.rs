//! What checkpoints save: each up-time of the traces is lived through by a job that saves by one rule or another.
//!
//! Lost work and the time of checkpoints are counted; a restart costs all rules the same and is left out. An up-time
//! cut off by the end of its trace is left out, since whether it was lost is not known.

use domain::{Millis, Timestamp};
use policy::learning::availability::{Availability, Level, Prior, SeriesKey};
use policy::learning::checkpoint::{Plan, daly, young};
use serde::Serialize;

use super::availability::key_of;
use crate::traces::{Lifetime, Trace, time};

/// What a checkpoint takes, in minutes.
pub(super) const COSTS_MIN: [f64; 4] = [1.0, 5.0, 15.0, 30.0];

/// When to save.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rule {
    /// `policy::learning::checkpoint::Plan`, from the level known when the up-time began.
    Ours,
    /// With the mean of the up-times seen so far in the zone.
    Young,
    /// The same.
    Daly,
    /// The best fixed interval of each zone in hindsight: not reachable.
    FixedBest,
}

pub(super) const RULES: [Rule; 4] = [Rule::Ours, Rule::Young, Rule::Daly, Rule::FixedBest];

/// What a rule did, in hours.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(super) struct Spent {
    pub(super) up_h: f64,
    pub(super) lost_h: f64,
    pub(super) saving_h: f64,
}

impl Spent {
    /// Lives through an up-time of `life_h` with checkpoints of `cost_h` after `work(age)` hours each.
    fn live(&mut self, life_h: f64, cost_h: f64, work: impl Fn(f64) -> f64) {
        let mut age = 0.0;
        loop {
            let next = age + work(age) + cost_h;
            if next > life_h {
                break;
            }
            age = next;
            self.saving_h += cost_h;
        }
        self.up_h += life_h;
        self.lost_h += life_h - age;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.up_h += other.up_h;
        self.lost_h += other.lost_h;
        self.saving_h += other.saving_h;
    }

    /// Lost work and checkpoints, as a share of the time up.
    pub(super) fn wasted(&self) -> f64 {
        if self.up_h > 0.0 { (self.lost_h + self.saving_h) / self.up_h } else { 0.0 }
    }
}

/// By cost and rule.
pub(super) type Table = [[Spent; RULES.len()]; COSTS_MIN.len()];

/// An up-time, with what was known when it began.
struct Life {
    life_h: f64,
    level: Level,
    mean_h: f64,
    end_h: Option<f64>,
}

/// The up-times of the traces that began after `share` of each; one table for each trace.
pub(super) fn traces(traces: &[Trace], prior: Prior, share: f64) -> Vec<Table> {
    let mut looks: Vec<(Timestamp, usize, bool)> = Vec::new();
    let mut score_at = Vec::with_capacity(traces.len());
    for (at, trace) in traces.iter().enumerate() {
        let gap = Millis::from_secs(u64::from(trace.about.gap_seconds));
        let mut now = trace.start;
        for up in trace.ticks() {
            looks.push((now, at, up));
            now = now + gap;
        }
        score_at.push(trace.start + Millis((now.since(trace.start).0 as f64 * share) as u64));
    }
    looks.sort_unstable();
    let mut learner = Availability::new(prior);
    let keys: Vec<SeriesKey> = traces.iter().map(key_of).collect();
    let mut means = vec![Mean::default(); traces.len()];
    let mut open: Vec<Option<(Timestamp, Level, f64)>> = vec![None; traces.len()];
    let mut lives: Vec<Vec<Life>> = traces.iter().map(|_| Vec::new()).collect();
    for (now, at, up) in looks {
        learner.observe(&keys[at], now, up);
        match (up, open[at].take()) {
            (true, None) => {
                let all = Mean::of_all(&means);
                open[at] = Some((now, learner.loss_level(&keys[at]), means[at].mean(all)));
            }
            (true, Some(life)) => open[at] = Some(life),
            (false, Some((since, level, mean_h))) => {
                let life_h = now.since(since).0 as f64 / 3.6e6;
                means[at].add(life_h);
                if since >= score_at[at] {
                    lives[at].push(Life { life_h, level, mean_h, end_h: None });
                }
            }
            (false, None) => {}
        }
    }
    lives.iter().map(|lives| replay(lives)).collect()
}

/// Single machines, the later half of them by creation; each is judged by those that had ended when it was created.
pub(super) fn lifetimes(rows: &[Lifetime], prior: Prior, share: f64) -> Table {
    let mut rows: Vec<(Timestamp, &Lifetime)> =
        rows.iter().filter_map(|row| Some((time(&row.created_utc)?, row))).collect();
    rows.sort_by_key(|(created, _)| *created);
    let life = |row: &Lifetime| {
        let gone = row.gone_by_s.filter(|_| row.censored == 0).unwrap_or(row.last_seen_running_s);
        (row.last_seen_running_s + gone) / 2.0 / 3600.0
    };
    let mut lives = Vec::new();
    for at in (rows.len() as f64 * share) as usize..rows.len() {
        let (created, row) = rows[at];
        if row.censored != 0 {
            continue;
        }
        let mut learner = Availability::new(prior);
        let (mut own, mut all) = (Mean::default(), Mean::default());
        for (began, other) in &rows[..at] {
            let life_h = life(other);
            if *began + Millis((life_h * 3.6e6) as u64) <= created {
                // A machine that reached its provider's limit was not lost by chance.
                learner.observe_life(&series_of(other), life_h, life_h < LIMIT_H - LIMIT_NEAR_H);
                all.add(life_h);
                if series_of(other) == series_of(row) {
                    own.add(life_h);
                }
            }
        }
        let level = learner.loss_level(&series_of(row));
        lives.push(Life { life_h: life(row), level, mean_h: own.mean(all), end_h: Some(LIMIT_H) });
    }
    replay(&lives)
}

/// The provider of these machines ends them at this age, and says so.
const LIMIT_H: f64 = 24.0;
/// Probes were a quarter of an hour apart.
const LIMIT_NEAR_H: f64 = 0.5;

fn series_of(row: &Lifetime) -> SeriesKey {
    SeriesKey { provider: row.provider.clone(), hardware: row.gpu.clone(), zone: row.zone.clone() }
}

fn replay(lives: &[Life]) -> Table {
    let mut table = Table::default();
    for (row, cost_min) in table.iter_mut().zip(COSTS_MIN) {
        let cost_h = cost_min / 60.0;
        let [ours, of_young, of_daly, fixed] = row;
        for life in lives {
            let plan = Plan::new(cost_h, &life.level, life.end_h);
            ours.live(life.life_h, cost_h, |age| plan.work(age));
            of_young.live(life.life_h, cost_h, |_| young(cost_h, life.mean_h));
            of_daly.live(life.life_h, cost_h, |_| daly(cost_h, life.mean_h));
        }
        *fixed = best_fixed(lives, cost_h);
    }
    table
}

/// The fixed interval that wastes least, of those from half the cost of a checkpoint on, each 5 % longer.
fn best_fixed(lives: &[Life], cost_h: f64) -> Spent {
    let mut best: Option<Spent> = None;
    let mut work = cost_h / 2.0;
    while work < 50.0 {
        let mut spent = Spent::default();
        lives.iter().for_each(|life| spent.live(life.life_h, cost_h, |_| work));
        if best.is_none_or(|best| spent.wasted() < best.wasted()) {
            best = Some(spent);
        }
        work *= 1.05;
    }
    best.unwrap_or_default()
}

/// A mean that starts at that of others, as if that had been seen once.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn of_all(means: &[Self]) -> Self {
        means
            .iter()
            .fold(Self::default(), |all, one| Self { sum: all.sum + one.sum, count: all.count + one.count })
    }

    /// One hour where nothing at all was seen.
    fn mean(&self, others: Self) -> f64 {
        let other = (others.sum + 1.0) / (others.count + 1.0);
        (self.sum + other) / (self.count + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_loses_what_came_after_its_last_checkpoint() {
        let mut spent = Spent::default();
        spent.live(5.0, 0.5, |_| 1.0);
        // Saved at 1.5, 3.0 and 4.5.
        assert_eq!(spent, Spent { up_h: 5.0, lost_h: 0.5, saving_h: 1.5 });
        spent.live(1.0, 0.5, |_| 1.0);
        assert_eq!(spent, Spent { up_h: 6.0, lost_h: 1.5, saving_h: 1.5 });
        spent.live(2.0, 0.5, |_| f64::INFINITY);
        assert_eq!(spent.lost_h, 3.5);
    }

    #[test]
    fn the_best_fixed_interval_saves_right_before_lives_of_one_length_end() {
        let level = Availability::new(Prior::default()).loss_level(&SeriesKey {
            provider: "p".into(),
            hardware: "h".into(),
            zone: "z".into(),
        });
        let life = || Life { life_h: 3.0, level, mean_h: 3.0, end_h: None };
        let lives = [life(), life()];
        let best = best_fixed(&lives, 0.5);
        assert!(best.wasted() < 0.2, "{best:?}");
        let table = replay(&lives);
        assert!(table.iter().all(|row| row[3].wasted() <= row[1].wasted()));
    }

    #[test]
    fn a_mean_starts_at_that_of_others() {
        let mut own = Mean::default();
        let others = Mean { sum: 8.0, count: 2.0 };
        assert_eq!(own.mean(others), 3.0);
        own.add(9.0);
        assert_eq!(own.mean(others), 6.0);
        assert_eq!(Mean::default().mean(Mean::default()), 1.0);
    }
}
