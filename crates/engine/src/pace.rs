//! What is done at a steady pace, whatever changes meanwhile.

use domain::{Millis, Timestamp};

/// When something was done last.
#[derive(Default)]
pub(crate) struct Pace(Option<Timestamp>);

impl Pace {
    /// It is done now.
    pub(crate) fn mark(&mut self, now: Timestamp) {
        self.0 = Some(now);
    }

    /// When its next turn comes, while that is still ahead. A clock that was set back makes it due.
    pub(crate) fn ahead(&self, now: Timestamp, every: Millis) -> Option<Timestamp> {
        let last = self.0.filter(|last| *last <= now && now.since(*last) < every)?;
        Some(last + every)
    }

    /// The same, and takes the turn where it is due.
    pub(crate) fn turn(&mut self, now: Timestamp, every: Millis) -> Option<Timestamp> {
        let ahead = self.ahead(now, every);
        if ahead.is_none() {
            self.mark(now);
        }
        ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_comes_once_in_its_time_and_at_once_when_the_clock_went_back() {
        let (mut pace, every) = (Pace::default(), Millis(100));
        assert_eq!(pace.turn(Timestamp(1_000), every), None);
        assert_eq!(pace.turn(Timestamp(1_001), every), Some(Timestamp(1_100)));
        assert_eq!(pace.turn(Timestamp(1_100), every), None);
        assert_eq!(pace.ahead(Timestamp(1_150), every), Some(Timestamp(1_200)));
        assert_eq!(pace.turn(Timestamp(500), every), None);
        assert_eq!(pace.turn(Timestamp(550), every), Some(Timestamp(600)));
    }
}
