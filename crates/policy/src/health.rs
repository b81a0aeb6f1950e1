//! Whether an agent is still there. Only time during which the control plane listened counts.

use domain::{Millis, Timestamp};

/// Adds up the time during which the control plane really listened, from the times of its ticks.
///
/// A pause of the process, a restart or a jump of the clock shows as a gap between ticks longer than `gap_max`, or as
/// a step backwards; then nothing is added and the epoch rises, so that everyone gets a full window again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    gap_max: Millis,
    last: Option<Timestamp>,
    total: Millis,
    epoch: u64,
}

/// A moment in listened time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    epoch: u64,
    at: Millis,
}

/// What is to be thought of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Heard from within one interval.
    Alive,
    /// Missed at least one heartbeat.
    Late,
    /// Missed so many that it counts as gone.
    Lost,
}

impl Listening {
    /// Nothing listened yet; a gap longer than `gap_max` between ticks does not count.
    pub const fn new(gap_max: Millis) -> Self {
        Self { gap_max, last: None, total: Millis::ZERO, epoch: 0 }
    }

    /// The control plane is listening at `now`.
    pub fn tick(&mut self, now: Timestamp) {
        if let Some(last) = self.last {
            let step = now.since(last);
            if now < last || step > self.gap_max {
                self.epoch += 1;
            } else {
                self.total = self.total + step;
            }
        }
        self.last = Some(now);
    }

    /// This moment.
    pub const fn moment(&self) -> Moment {
        Moment { epoch: self.epoch, at: self.total }
    }

    /// Listened time since `then`; after a gap only what was listened since the gap, which the caller restarts by
    /// taking a new moment when this says `None`.
    pub fn since(&self, then: Moment) -> Option<Millis> {
        (then.epoch == self.epoch).then(|| Millis(self.total.0.saturating_sub(then.at.0)))
    }
}

/// An agent may take this many times its offer's expected start-up before it counts as never connected.
const STARTUP_FACTOR: u64 = 2;

/// How long an agent may take to connect: a slow offer gets the time it announced and as much again, none gets less
/// than `least`.
pub fn connect_window(startup: Millis, least: Millis) -> Millis {
    startup.times(STARTUP_FACTOR).max(least)
}

/// The verdict after `silence` of listened time without a word, with a heartbeat due every `interval`.
pub const fn verdict(silence: Millis, interval: Millis, misses: u32) -> Health {
    if silence.0 > interval.0.saturating_mul(misses as u64) {
        Health::Lost
    } else if silence.0 > interval.0 {
        Health::Late
    } else {
        Health::Alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Millis = Millis(500);
    const GAP_MAX: Millis = Millis(1_000);
    const HOUR: i64 = 3_600_000;

    /// A control plane that watches one agent as the engine does.
    struct Watch {
        listening: Listening,
        heard: Moment,
    }

    impl Watch {
        fn new() -> Self {
            let listening = Listening::new(GAP_MAX);
            Self { heard: listening.moment(), listening }
        }

        fn hear(&mut self) {
            self.heard = self.listening.moment();
        }

        fn tick(&mut self, now: i64) -> Health {
            self.listening.tick(Timestamp(now));
            if self.listening.since(self.heard).is_none() {
                self.hear();
            }
            verdict(self.listening.since(self.heard).unwrap(), INTERVAL, 3)
        }
    }

    proptest! {
        #[test]
        fn no_jump_of_the_clock_makes_an_agent_lost(jump in -HOUR..HOUR, before in 0i64..200, after in 0i64..200) {
            let mut watch = Watch::new();
            watch.tick(10_000_000);
            watch.tick(10_000_000 + before);
            watch.hear();
            let now = 10_000_000 + before + jump;
            prop_assert_ne!(watch.tick(now), Health::Lost);
            prop_assert_ne!(watch.tick(now + after), Health::Lost);
        }

        /// An agent that beats once in every interval of real time, under a clock that jumps at every other tick.
        #[test]
        fn an_agent_that_beats_in_time_is_never_lost_however_often_the_clock_jumps(
            ticks in prop::collection::vec((1i64..170, prop_oneof![3 => Just(0i64), 1 => -HOUR..0, 1 => 1_001..HOUR]), 1..300),
        ) {
            let mut watch = Watch::new();
            let (mut real, mut offset, mut beat) = (0, 0, 0);
            watch.tick(100 * HOUR);
            for (step, jump) in ticks {
                real += step;
                offset += jump;
                let health = watch.tick(100 * HOUR + real + offset);
                prop_assert_ne!(health, Health::Lost);
                if real - beat >= 300 {
                    beat = real;
                    watch.hear();
                }
            }
        }

        #[test]
        fn enough_listened_silence_always_makes_an_agent_lost(
            jumps in prop::collection::vec(-HOUR..HOUR, 0..5), steps in prop::collection::vec(1i64..1_000, 1..2_000),
        ) {
            let mut watch = Watch::new();
            let mut now = 100 * HOUR;
            watch.tick(now);
            watch.hear();
            for jump in jumps {
                now += jump;
                watch.tick(now);
            }
            let quiet_since = now;
            let mut last = watch.tick(now);
            for step in steps {
                now += step;
                last = watch.tick(now);
            }
            if now - quiet_since > 1_500 {
                prop_assert_eq!(last, Health::Lost);
            }
        }

        #[test]
        fn listened_time_is_no_longer_than_what_the_clock_shows(steps in prop::collection::vec(-3_000i64..3_000, 0..100)) {
            let mut listening = Listening::new(GAP_MAX);
            let start = listening.moment();
            let (mut now, mut forward) = (0, 0);
            listening.tick(Timestamp(now));
            for step in steps {
                now += step;
                forward += step.max(0).unsigned_abs();
                listening.tick(Timestamp(now));
                prop_assert!(listening.since(start).is_none_or(|silence| silence.0 <= forward));
            }
        }
    }

    #[test]
    fn a_missed_beat_counts_once_its_time_has_passed() {
        let at = |silence| verdict(Millis(silence), INTERVAL, 3);
        assert_eq!([at(0), at(500)], [Health::Alive; 2]);
        assert_eq!([at(501), at(1_500)], [Health::Late; 2]);
        assert_eq!([at(1_501), at(u64::MAX)], [Health::Lost; 2]);
        assert_eq!(
            verdict(Millis(9_000), Millis(u64::MAX), 3),
            Health::Alive,
            "no interval is long enough to overflow"
        );
    }

    #[test]
    fn a_pause_of_the_control_plane_gives_a_full_window() {
        let mut watch = Watch::new();
        watch.tick(0);
        watch.hear();
        assert_eq!(watch.tick(900), Health::Late);
        assert_eq!(watch.tick(50_000), Health::Alive, "the pause is not the agent's silence");
        assert_eq!(watch.tick(50_900), Health::Late);
        assert_eq!(watch.tick(51_500), Health::Late);
        assert_eq!(watch.tick(51_501), Health::Lost);
    }

    #[test]
    fn a_tick_at_the_longest_gap_still_counts_as_listening() {
        let mut listening = Listening::new(GAP_MAX);
        listening.tick(Timestamp(0));
        let start = listening.moment();
        listening.tick(Timestamp(1_000));
        assert_eq!(listening.since(start), Some(Millis(1_000)));
        listening.tick(Timestamp(2_001));
        assert_eq!(listening.since(start), None);
        assert_eq!(listening.since(listening.moment()), Some(Millis::ZERO));
    }

    #[test]
    fn a_clock_set_back_gives_a_full_window() {
        let mut listening = Listening::new(GAP_MAX);
        listening.tick(Timestamp(5_000));
        let start = listening.moment();
        listening.tick(Timestamp(4_999));
        assert_eq!(listening.since(start), None);
        let again = listening.moment();
        listening.tick(Timestamp(5_099));
        assert_eq!(listening.since(again), Some(Millis(100)));
    }

    #[test]
    fn a_restarted_control_plane_starts_from_nothing() {
        let mut watch = Watch::new();
        assert_eq!(watch.tick(999_999_999), Health::Alive);
    }

    #[test]
    fn a_slow_offer_gets_the_time_it_announced_to_connect() {
        assert_eq!(connect_window(Millis(10), Millis(120)), Millis(120));
        assert_eq!(connect_window(Millis(60), Millis(120)), Millis(120));
        assert_eq!(connect_window(Millis(300), Millis(120)), Millis(600));
        assert_eq!(connect_window(Millis(u64::MAX), Millis(120)), Millis(u64::MAX));
    }
}
