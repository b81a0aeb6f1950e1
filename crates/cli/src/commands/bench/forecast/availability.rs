//! How well availability is forecast: each trace is played in the order of time, and every half hour the future is
//! forecast from what was seen until then, by us and by the rivals.

use std::collections::VecDeque;

use domain::{Millis, Timestamp};
use policy::learning::availability::{Availability, Prior, SeriesKey};
use policy::learning::score::Scores;
use serde::Serialize;

use crate::traces::Trace;

/// Forecasts look so far ahead, in hours.
pub(super) const HORIZONS_H: [f64; 6] = [0.5, 1.0, 2.0, 4.0, 8.0, 24.0];
/// Forecasts are made so far apart.
const EVERY: Millis = Millis(30 * 60_000);

/// What is forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Question {
    /// Is it up in h hours?
    UpAt,
    /// Is it up throughout the next h hours?
    UpThroughout,
}

/// Who forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Forecaster {
    /// `policy::learning::availability`.
    Ours,
    /// What is, stays, for certain.
    Persistence,
    /// How often that was so in this trace's past.
    PersistenceLearned,
    /// How often the answer was yes in this trace's past.
    ZoneMean,
}

pub(super) const FORECASTERS: [Forecaster; 4] =
    [Forecaster::Ours, Forecaster::Persistence, Forecaster::PersistenceLearned, Forecaster::ZoneMean];
pub(super) const QUESTIONS: [Question; 2] = [Question::UpAt, Question::UpThroughout];

/// Scores by question, horizon and forecaster.
pub(super) type Grid = [[[Scores; FORECASTERS.len()]; HORIZONS_H.len()]; QUESTIONS.len()];

/// A trace in play.
struct Play<'a> {
    trace: &'a Trace,
    key: SeriesKey,
    ticks: Vec<bool>,
    /// From this tick on forecasts are scored.
    score_from: usize,
    next_at: Timestamp,
    past: [[Past; HORIZONS_H.len()]; QUESTIONS.len()],
    grid: Grid,
}

/// Answers of one question and horizon, by the state they were asked in; an answer is known only after its horizon.
#[derive(Default)]
struct Past {
    open: VecDeque<(Timestamp, bool, bool)>,
    yes: [f64; 2],
    all: [f64; 2],
}

impl Past {
    fn learn_until(&mut self, now: Timestamp) {
        while let Some((_, up, yes)) = self.open.pop_front_if(|(known_at, ..)| *known_at <= now) {
            self.all[usize::from(up)] += 1.0;
            self.yes[usize::from(up)] += f64::from(u8::from(yes));
        }
    }
}

/// Plays all traces; the scores of each, in their order. Of each trace, forecasts made in the first `share` of its
/// time only teach.
pub(super) fn score(traces: &[Trace], prior: Prior, share: f64) -> Vec<Grid> {
    let mut plays: Vec<Play<'_>> = traces.iter().map(|trace| Play::new(trace, share)).collect();
    let mut looks: Vec<(Timestamp, usize, usize)> = Vec::new();
    for (at, play) in plays.iter().enumerate() {
        looks.extend((0..play.ticks.len()).map(|tick| (play.time(tick), at, tick)));
    }
    looks.sort_unstable();
    let mut learner = Availability::new(prior);
    for (now, at, tick) in looks {
        let play = &mut plays[at];
        learner.observe(&play.key, now, play.ticks[tick]);
        if now >= play.next_at {
            play.next_at = now + EVERY;
            play.forecast(&learner, tick, now);
        }
    }
    plays.into_iter().map(|play| play.grid).collect()
}

/// Many nodes at once are another series than one.
pub(super) fn key_of(trace: &Trace) -> SeriesKey {
    let about = &trace.about;
    let hardware = format!("{} x{}", about.instance_type, about.capacity);
    SeriesKey { provider: about.provider.clone(), hardware, zone: about.zone.clone() }
}

impl<'a> Play<'a> {
    fn new(trace: &'a Trace, share: f64) -> Self {
        let ticks: Vec<bool> = trace.ticks().collect();
        let score_from = (ticks.len() as f64 * share) as usize;
        let key = key_of(trace);
        let (past, grid) = (Default::default(), Grid::default());
        Self { trace, key, ticks, score_from, next_at: Timestamp(i64::MIN), past, grid }
    }

    fn time(&self, tick: usize) -> Timestamp {
        self.trace.start + Millis::from_secs(u64::from(self.trace.about.gap_seconds)).times(tick as u64)
    }

    fn forecast(&mut self, learner: &Availability, tick: usize, now: Timestamp) {
        let Some(outlook) = learner.outlook(&self.key, now) else { return };
        let up = self.ticks[tick];
        let up_at = outlook.up_at(&HORIZONS_H);
        for (h, hours) in HORIZONS_H.into_iter().enumerate() {
            let ahead = (hours * 3600.0 / f64::from(self.trace.about.gap_seconds)).round() as usize;
            let Some(future) = self.ticks.get(tick..=tick + ahead) else { continue };
            let answers = [future[ahead], future.iter().all(|up| *up)];
            let ours = [up_at[h], outlook.up_throughout(hours)];
            for (q, answer) in answers.into_iter().enumerate() {
                let past = &mut self.past[q][h];
                past.learn_until(now);
                let [yes, all] = [past.yes[usize::from(up)], past.all[usize::from(up)]];
                let state = f64::from(u8::from(up));
                let mean = (past.yes[0] + past.yes[1] + 0.5) / (past.all[0] + past.all[1] + 1.0);
                let told = [ours[q], state, (yes + state) / (all + 1.0), mean];
                past.open.push_back((now + Millis((hours * 3.6e6) as u64), up, answer));
                if tick >= self.score_from {
                    for (scores, told) in self.grid[q][h].iter_mut().zip(told) {
                        scores.add(told, answer);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::{Run, TraceRow};

    /// A trace of one node with ten minutes a tick: so many ticks up, then down, and so on.
    fn trace(zone: &str, spans: &[u32]) -> Trace {
        let about = TraceRow {
            trace_id: zone.to_owned(),
            provider: "p".to_owned(),
            zone: zone.to_owned(),
            instance_type: "h".to_owned(),
            gpu: "V100".to_owned(),
            kind: "availability".to_owned(),
            start_utc: String::new(),
            gap_seconds: 600,
            gpus_per_node: 1,
            capacity: 1,
            n_ticks: spans.iter().sum(),
        };
        let run = |(n, ticks): (usize, &u32)| Run { ticks: *ticks, available: u32::from(n % 2 == 0) };
        Trace { about, start: Timestamp(0), runs: spans.iter().enumerate().map(run).collect() }
    }

    #[test]
    fn an_answer_teaches_only_once_its_horizon_has_passed() {
        let mut past = Past::default();
        past.open.push_back((Timestamp(10), true, true));
        past.learn_until(Timestamp(9));
        assert_eq!(past.all, [0.0; 2]);
        past.learn_until(Timestamp(10));
        assert_eq!((past.all, past.yes), ([0.0, 1.0], [0.0, 1.0]));
    }

    #[test]
    fn forecasts_do_not_see_the_future() {
        // Two traces that are the same for 600 ticks; before that nothing of what follows may be told.
        let (calm, broken) = (trace("z", &[600, 1, 599]), trace("z", &[600, 300, 300]));
        let early = |trace: &Trace| {
            let mut learner = Availability::new(Prior::default());
            let mut play = Play::new(trace, 0.0);
            for tick in 0..500 {
                let now = play.time(tick);
                learner.observe(&play.key, now, play.ticks[tick]);
                if now >= play.next_at {
                    play.next_at = now + EVERY;
                    play.forecast(&learner, tick, now);
                }
            }
            play.grid[0][..3].to_vec()
        };
        assert_eq!(early(&calm), early(&broken));
    }

    #[test]
    fn what_never_changes_is_soon_told_so_and_only_the_later_part_is_scored() {
        let grids = score(&[trace("z", &[1000])], Prior::default(), 0.5);
        let scores = &grids[0][1][0];
        // 500 ticks less the last three, one forecast in three ticks.
        assert_eq!(scores[0].count(), 166);
        assert!(scores[0].brier().unwrap() < 0.001);
        assert_eq!(scores[1].brier(), Some(0.0));
    }
}
