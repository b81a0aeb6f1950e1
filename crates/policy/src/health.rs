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

    proptest! {
        #[test]
        fn no_jump_of_the_clock_makes_an_agent_lost(jump in -3_600_000i64..3_600_000, before in 0u64..200, after in 0u64..200) {
            let mut listening = Listening::new(Millis(1000));
            listening.tick(Timestamp(10_000_000));
            listening.tick(Timestamp(10_000_000 + before as i64));
            let heard = listening.moment();
            let now = 10_000_000 + before as i64 + jump;
            listening.tick(Timestamp(now));
            listening.tick(Timestamp(now + after as i64));
            let silence = listening.since(heard).unwrap_or(Millis::ZERO);
            prop_assert!(silence <= Millis(1000 + after));
            prop_assert_ne!(verdict(silence, Millis(500), 3), Health::Lost);
        }

        #[test]
        fn enough_listened_silence_always_makes_an_agent_lost(steps in 31usize..200) {
            let mut listening = Listening::new(Millis(1000));
            listening.tick(Timestamp(0));
            let heard = listening.moment();
            for n in 1..=steps {
                listening.tick(Timestamp(n as i64 * 50));
            }
            prop_assert_eq!(verdict(listening.since(heard).unwrap(), Millis(500), 3), Health::Lost);
        }
    }
}
