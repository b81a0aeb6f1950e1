//! Recorded capacity of spot machines, played over and over by the clock.
//!
//! The record begins at the Unix epoch and starts again at its end, so that what is played follows from the time alone: a
//! network that was closed meanwhile goes on where the record is by then.

use domain::{Accelerators, Millis, Region, Timestamp};

/// Zones as they were recorded, and how fast they are played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    zones: Vec<RecordedZone>,
    pace: u32,
}

/// One kind of machine in one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedZone {
    /// Its name.
    pub name: String,
    /// Where it is, if that is known.
    pub region: Option<Region>,
    /// The machine's accelerators.
    pub accelerators: Option<Accelerators>,
    /// How often it was looked at.
    pub tick: Millis,
    /// Ticks in a row with so many nodes, in the order of time.
    pub runs: Vec<(u32, u32)>,
}

/// What cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecording {
    /// It stands still.
    #[error("a record is played at a pace of 1 to {PACE_MAX} times, not {0}")]
    Pace(u32),
    /// Nothing was recorded.
    #[error("zone `{0}` has no ticks, or ticks of no length")]
    Empty(String),
    /// Two zones cannot be told apart.
    #[error("two zones are called `{0}`")]
    Twice(String),
}

/// A day in a second.
pub const PACE_MAX: u32 = 86_400;

impl Recording {
    /// These zones, played `pace` times as fast as they were recorded.
    ///
    /// # Errors
    /// The pace is out of bounds, a zone has no ticks, or two have one name.
    pub fn new(mut zones: Vec<RecordedZone>, pace: u32) -> Result<Self, BadRecording> {
        if pace == 0 || pace > PACE_MAX {
            return Err(BadRecording::Pace(pace));
        }
        zones.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(twice) = zones.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(BadRecording::Twice(twice[0].name.clone()));
        }
        if let Some(empty) = zones.iter().find(|zone| zone.ticks() == 0 || zone.tick == Millis::ZERO) {
            return Err(BadRecording::Empty(empty.name.clone()));
        }
        Ok(Self { zones, pace })
    }

    /// How many times as fast as recorded.
    pub const fn pace(&self) -> u32 {
        self.pace
    }

    /// All zones, by name.
    pub fn zones(&self) -> &[RecordedZone] {
        &self.zones
    }

    /// Nodes that are to be had in a zone; none in one that was not recorded.
    pub fn nodes(&self, zone: &str, at: Timestamp) -> u32 {
        self.zone(zone).map_or(0, |zone| zone.at(self.tick_of(zone, at)).nodes)
    }

    /// When fewer than `nodes` are to be had for the first time from `from` on; `None` where that never happens.
    pub fn fewer(&self, zone: &str, nodes: u32, from: Timestamp) -> Option<Timestamp> {
        let zone = self.zone(zone)?;
        let mut tick = self.tick_of(zone, from);
        // Once around, and the run that it began in once more.
        for _ in 0..=zone.runs.len() {
            let found = zone.at(tick);
            if found.nodes < nodes {
                return Some(self.begins(zone, tick).max(from));
            }
            tick += i128::from(found.ticks_left);
        }
        None
    }

    fn zone(&self, name: &str) -> Option<&RecordedZone> {
        let at = self.zones.binary_search_by(|zone| zone.name.as_str().cmp(name)).ok()?;
        self.zones.get(at)
    }

    /// The tick that is played then, counted from the epoch.
    fn tick_of(&self, zone: &RecordedZone, at: Timestamp) -> i128 {
        (i128::from(at.0) * i128::from(self.pace)).div_euclid(i128::from(zone.tick.0))
    }

    /// The first moment of a tick.
    fn begins(&self, zone: &RecordedZone, tick: i128) -> Timestamp {
        let pace = i128::from(self.pace);
        let played = tick.saturating_mul(i128::from(zone.tick.0));
        let at = played.div_euclid(pace) + i128::from(played.rem_euclid(pace) > 0);
        Timestamp(i64::try_from(at).unwrap_or(i64::MAX))
    }
}

/// What is recorded for a tick.
struct Found {
    nodes: u32,
    /// Ticks with as many, this one among them.
    ticks_left: u32,
}

impl RecordedZone {
    fn ticks(&self) -> u64 {
        self.runs.iter().map(|(ticks, _)| u64::from(*ticks)).sum()
    }

    fn at(&self, tick: i128) -> Found {
        let mut within = tick.rem_euclid(i128::from(self.ticks().max(1)));
        for (ticks, nodes) in &self.runs {
            if within < i128::from(*ticks) {
                let passed = u32::try_from(within).unwrap_or(0);
                return Found { nodes: *nodes, ticks_left: ticks - passed };
            }
            within -= i128::from(*ticks);
        }
        Found { nodes: 0, ticks_left: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str, runs: &[(u32, u32)]) -> RecordedZone {
        RecordedZone {
            name: name.to_owned(),
            region: None,
            accelerators: None,
            tick: Millis(300_000),
            runs: runs.to_vec(),
        }
    }

    #[test]
    fn record_is_played_at_its_pace_and_over_and_over() {
        // Three ticks with two nodes, one with none, one with a single one; a tick takes five seconds.
        let recording = Recording::new(vec![zone("a", &[(3, 2), (1, 0), (1, 1)])], 60).unwrap();
        let loops = Timestamp(1_000 * 25_000);
        let nodes = |ms: i64| recording.nodes("a", Timestamp(loops.0 + ms));
        assert_eq!([0, 14_999, 15_000, 19_999, 20_000, 24_999, 25_000].map(nodes), [2, 2, 0, 0, 1, 1, 2]);
        let fewer =
            |needed, ms: i64| recording.fewer("a", needed, Timestamp(loops.0 + ms)).map(|at| at.0 - loops.0);
        assert_eq!(fewer(1, 0), Some(15_000));
        assert_eq!(fewer(1, 16_000), Some(16_000), "it is so already");
        assert_eq!(fewer(1, 21_000), Some(40_000), "after the record began again");
        assert_eq!(fewer(2, 21_000), Some(21_000));
        assert_eq!(fewer(0, 0), None);
        assert_eq!(recording.nodes("b", loops), 0);
    }

    #[test]
    fn what_cannot_be_played_is_refused() {
        let a = || zone("a", &[(1, 1)]);
        assert_eq!(Recording::new(vec![a()], 0), Err(BadRecording::Pace(0)));
        assert_eq!(Recording::new(vec![a(), a()], 1), Err(BadRecording::Twice("a".to_owned())));
        assert_eq!(Recording::new(vec![zone("b", &[(0, 1)])], 1), Err(BadRecording::Empty("b".to_owned())));
    }

    proptest! {
        #[test]
        fn nothing_is_missing_before_the_moment_that_is_named(
            runs in prop::collection::vec((0u32..4, 0u32..4), 1..6), pace in 1u32..500, from in 0i64..1_000_000_000, needed in 1u32..4,
        ) {
            prop_assume!(runs.iter().any(|(ticks, _)| *ticks > 0));
            let recording = Recording::new(vec![zone("a", &runs)], pace).unwrap();
            let at = |ms: i64| recording.nodes("a", Timestamp(ms));
            match recording.fewer("a", needed, Timestamp(from)) {
                Some(end) => {
                    prop_assert!(at(end.0) < needed && end.0 >= from);
                    let step = ((end.0 - from) / 50).max(1);
                    for ms in (from..end.0).step_by(usize::try_from(step).unwrap()) {
                        prop_assert!(at(ms) >= needed, "{ms}");
                    }
                    prop_assert!(end.0 == from || at(end.0 - 1) >= needed);
                }
                None => prop_assert!(runs.iter().all(|(ticks, nodes)| *ticks == 0 || *nodes >= needed)),
            }
        }
    }
}
