//! How long capacity stays: the chance that it is up at a later time, and that it stays up until then.
//!
//! A series (hardware in a zone of a provider) changes between up and down. The longer it has been in a state, the
//! less likely it is to leave it in the next minute: times in a state are heavy-tailed. So the rate of leaving is
//!
//! ```text
//! h(a) = c (a + offset)^-shape   per hour, at age a in hours
//! ```
//!
//! a Weibull hazard (Weibull 1951) kept finite at age 0. The shape is common to all; the level `c` is learned for each
//! series and state. With `E` changes seen and `X` the sum of the integrals of `h / c` over the time watched, `c` has
//! a Gamma posterior (events of a Poisson process, Gelman et al., Bayesian Data Analysis, 2.6), whose prior is what the
//! next wider group shows: everything shipped, then the provider, then its hardware, then the series, then the
//! series' recent past, which counts by a half-life. Chances are averages over that posterior, so that little
//! evidence makes them careful (Vaupel's Gamma frailty, Demography 16, 1979):
//!
//! ```text
//! P(stays h hours at age a) = (B / (B + X(a, a + h)))^A
//! ```
//!
//! Regions have busy hours: in each block of four hours of the day the rate is multiplied by what that block showed, drawn
//! to 1 in the same way.
//!
//! - `level.rs`: shape, level and its posterior.
//! - `outlook.rs`: the chances for the time to come.

mod level;
mod outlook;

use std::collections::BTreeMap;

use domain::{Millis, Timestamp};

pub use level::{Level, Prior};
pub use outlook::Outlook;

use super::hours;
use level::Evidence;
use outlook::{BLOCKS, block};

/// Between looks further apart than this, changes may have been missed, so the age starts anew.
pub const GAP_MAX: Millis = Millis(6 * 3_600_000);
/// Which series: capacity of one kind in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// Who sells it.
    pub provider: String,
    /// The kind of machine.
    pub hardware: String,
    /// Where, in the provider's own words.
    pub zone: String,
}

/// Up and down, in this order.
type Both = [Evidence; 2];

#[derive(Debug, Clone, PartialEq)]
struct Series {
    up: bool,
    since: Timestamp,
    seen: Timestamp,
    /// What each block of the day showed, beside what was expected on average.
    daily: [[Evidence; BLOCKS]; 2],
    whole: Both,
    recent: Both,
}

/// All series seen so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Availability {
    prior: Prior,
    series: BTreeMap<SeriesKey, Series>,
    lives: BTreeMap<SeriesKey, Both>,
    providers: BTreeMap<String, Both>,
    hardware: BTreeMap<(String, String), Both>,
}

impl Availability {
    /// Nothing seen yet.
    pub fn new(prior: Prior) -> Self {
        Self { prior, ..Self::default() }
    }

    /// One look at a series. Looks come in the order of time; one that is older than the last is passed over.
    pub fn observe(&mut self, key: &SeriesKey, at: Timestamp, up: bool) {
        let levels = [0, 1].map(|state| self.level(key, state).mean());
        let fresh = Series {
            up,
            since: at,
            seen: at,
            daily: Default::default(),
            whole: Both::default(),
            recent: Both::default(),
        };
        let Some(series) = self.series.get_mut(key) else {
            self.series.insert(key.clone(), fresh);
            return;
        };
        if at <= series.seen {
            return;
        }
        let step = at.since(series.seen);
        if step > GAP_MAX {
            (series.up, series.since, series.seen) = (up, at, at);
            return;
        }
        let age = |moment: Timestamp| hours(moment.since(series.since));
        let seen = Evidence {
            changes: if up == series.up { 0.0 } else { 1.0 },
            exposure: self.prior.exposure(age(series.seen), age(at)),
        };
        let state = usize::from(!series.up);
        let expected = Evidence { exposure: seen.exposure * levels[state], ..seen };
        series.daily[state][block(series.seen)].add(expected);
        for (both, half_life) in
            [(&mut series.whole, self.prior.half_life_h), (&mut series.recent, self.prior.half_life_recent_h)]
        {
            both.iter_mut().for_each(|one| one.fade((-hours(step) / half_life).exp2()));
            both[state].add(seen);
        }
        if up != series.up {
            (series.up, series.since) = (up, at);
        }
        series.seen = at;
        self.learn(key, state, seen);
    }

    /// What is known about a series at `now`; nothing when it was never looked at.
    pub fn outlook(&self, key: &SeriesKey, now: Timestamp) -> Option<Outlook> {
        let series = self.series.get(key)?;
        let strength = self.prior.strength_daily;
        Some(Outlook {
            up: series.up,
            age_h: hours(now.since(series.since)),
            leaves_up: self.level(key, 0),
            leaves_down: self.level(key, 1),
            now,
            daily: series
                .daily
                .map(|blocks| blocks.map(|block| (block.changes + strength) / (block.exposure + strength))),
        })
    }

    /// One machine that was held for `life_h` hours, then lost or, if not, given back or still alive.
    pub fn observe_life(&mut self, key: &SeriesKey, life_h: f64, lost: bool) {
        let seen =
            Evidence { changes: if lost { 1.0 } else { 0.0 }, exposure: self.prior.exposure(0.0, life_h) };
        self.learn(key, 0, seen);
        self.lives.entry(key.clone()).or_default()[0].add(seen);
    }

    /// The level at which a machine of this series is lost, whether or not one was ever seen.
    pub fn loss_level(&self, key: &SeriesKey) -> Level {
        self.level(key, 0)
    }

    /// Evidence for the wider groups.
    fn learn(&mut self, key: &SeriesKey, state: usize, seen: Evidence) {
        self.providers.entry(key.provider.clone()).or_default()[state].add(seen);
        self.hardware.entry((key.provider.clone(), key.hardware.clone())).or_default()[state].add(seen);
    }

    fn level(&self, key: &SeriesKey, state: usize) -> Level {
        let group = |both: Option<&Both>| both.map_or_else(Evidence::default, |both| both[state]);
        let hardware = (key.provider.clone(), key.hardware.clone());
        let Prior { strength, strength_recent, .. } = self.prior;
        let known = Level::shipped(self.prior, state)
            .learn(group(self.providers.get(&key.provider)), strength)
            .learn(group(self.hardware.get(&hardware)), strength);
        let known = match self.lives.get(key) {
            Some(lives) => known.learn(lives[state], strength),
            None => known,
        };
        let Some(series) = self.series.get(key) else { return known };
        known.learn(series.whole[state], strength).learn(series.recent[state], strength_recent)
    }
}

#[cfg(test)]
mod tests {
    use super::outlook::STEP_H;
    use super::*;
    use proptest::prelude::*;

    const MINUTES: i64 = 60_000;

    fn key(zone: &str) -> SeriesKey {
        SeriesKey { provider: "p".into(), hardware: "h".into(), zone: zone.into() }
    }

    /// Looks at a series every ten minutes, for so many looks up, then down, and so on; the time after.
    fn play(learner: &mut Availability, zone: &str, from: i64, spans: &[i64]) -> i64 {
        let mut now = from;
        for (n, looks) in spans.iter().enumerate() {
            for _ in 0..*looks {
                learner.observe(&key(zone), Timestamp(now * MINUTES), n % 2 == 0);
                now += 10;
            }
        }
        now
    }

    fn outlook(learner: &Availability, zone: &str, now: i64) -> Outlook {
        learner.outlook(&key(zone), Timestamp(now * MINUTES)).unwrap()
    }

    #[test]
    fn age_makes_a_state_last() {
        let mut learner = Availability::default();
        let now = play(&mut learner, "z", 0, &[6, 6, 2]);
        let young = outlook(&learner, "z", now);
        let later = Outlook { age_h: 20.0, ..young };
        assert!(later.up_throughout(4.0) > young.up_throughout(4.0) + 0.1);
        assert!(later.leaves_up.hazard(20.0) < young.leaves_up.hazard(young.age_h));
    }

    #[test]
    fn a_zone_that_flaps_is_told_from_one_that_stays_and_a_new_one_lies_between() {
        let mut learner = Availability::default();
        play(&mut learner, "flaps", 0, &[2, 3].repeat(60));
        play(&mut learner, "stays", 0, &[300]);
        let throughout = |zone| learner.loss_level(&key(zone)).stays(0.0, 2.0);
        assert!(throughout("flaps") < throughout("new"));
        assert!(throughout("new") + 0.1 < throughout("stays"));
    }

    #[test]
    fn a_new_zone_learns_from_its_provider_and_not_from_another() {
        let mut learner = Availability::default();
        let before = learner.loss_level(&key("new")).mean();
        play(&mut learner, "flaps", 0, &[2, 3].repeat(60));
        let other = SeriesKey { provider: "other".into(), ..key("new") };
        assert!(learner.loss_level(&key("new")).mean() > 1.5 * before);
        assert!((learner.loss_level(&other).mean() - before).abs() < 1e-12);
    }

    #[test]
    fn recent_days_outweigh_older_ones() {
        let mut learner = Availability::default();
        let calm = play(&mut learner, "z", 0, &[1440]);
        let before = outlook(&learner, "z", calm).leaves_up.mean();
        let now =
            play(&mut learner, "z", calm, &[0, 3].into_iter().chain([2, 3].repeat(14)).collect::<Vec<_>>());
        assert!(outlook(&learner, "z", now).leaves_up.mean() > 4.0 * before);
    }

    #[test]
    fn hours_alike_are_told_alike() {
        let mut learner = Availability::default();
        let now = play(&mut learner, "z", 0, &[1, 2].repeat(500));
        let outlook = outlook(&learner, "z", now);
        let all = outlook.daily.iter().flatten();
        assert!(all.clone().all(|factor| (0.8..1.25).contains(factor)), "{:?}", outlook.daily);
    }

    #[test]
    fn what_is_remembered_fades() {
        let (calm, flaps) = (vec![1440], [2, 3].repeat(30));
        let level = |prior: Prior, first: &[i64], then: &[i64]| {
            let mut learner = Availability::new(prior);
            let now = play(&mut learner, "z", 0, first);
            let now = play(&mut learner, "z", now, then);
            outlook(&learner, "z", now).leaves_up.mean()
        };
        let never = Prior { half_life_h: 1e9, half_life_recent_h: 1e9, ..Prior::default() };
        let faded = |first, then| level(Prior::default(), first, then) / level(never, first, then);
        assert!(faded(&calm, &flaps) > 1.2, "{}", faded(&calm, &flaps));
        assert!(faded(&flaps, &calm) < 0.9, "{}", faded(&flaps, &calm));
    }

    #[test]
    fn time_down_teaches_nothing_of_how_long_up_lasts() {
        let mut learner = Availability::default();
        let now = play(&mut learner, "z", 0, &[3, 1]);
        let before = outlook(&learner, "z", now);
        let mut now = now;
        for _ in 0..600 {
            learner.observe(&key("z"), Timestamp(now * MINUTES), false);
            now += 10;
        }
        let after = outlook(&learner, "z", now);
        assert!(after.leaves_up.mean() > 0.9 * before.leaves_up.mean());
        assert!(after.leaves_down.mean() < 0.3 * before.leaves_down.mean());
    }

    #[test]
    fn busy_hours_are_learned() {
        let mut learner = Availability::default();
        // Always up, but down at each second look from 8 to 12 h.
        let mut now = 0;
        for look in 0..20 * 144 {
            let busy = (8 * 60..12 * 60).contains(&(now % 1440));
            learner.observe(&key("z"), Timestamp(now * MINUTES), !(busy && look % 2 == 0));
            now += 10;
        }
        let before_busy = outlook(&learner, "z", now + 8 * 60);
        let before_calm = outlook(&learner, "z", now + 12 * 60);
        assert!(before_busy.up_throughout(2.0) + 0.3 < before_calm.up_throughout(2.0));
        assert!(before_busy.up_at(&[2.0])[0] + 0.05 < before_calm.up_at(&[2.0])[0]);
        // Across the end of calm hours the busy ones count from their begin.
        let late = outlook(&learner, "z", now + 7 * 60);
        let late = Outlook { daily: [[0.0, 0.0, 5.0, 0.0, 0.0, 0.0]; 2], ..late };
        assert_eq!(late.up_throughout(1.0), 1.0);
        let exposure = 5.0 * late.leaves_up.exposure_between(late.age_h + 1.0, late.age_h + 2.0);
        assert!((late.up_throughout(2.0) - late.leaves_up.outlasts(exposure)).abs() < 1e-12);
    }

    #[test]
    fn a_gap_between_looks_teaches_nothing_and_starts_the_age_anew() {
        let mut learner = Availability::default();
        let now = play(&mut learner, "z", 0, &[60]);
        let before = outlook(&learner, "z", now).leaves_up;
        learner.observe(&key("z"), Timestamp((now + 7 * 60) * MINUTES), true);
        let after = outlook(&learner, "z", now + 7 * 60);
        assert_eq!((after.leaves_up, after.age_h), (before, 0.0));
    }

    #[test]
    fn a_life_seen_to_its_end_counts_and_one_given_back_only_reassures() {
        let level = |lost| {
            let mut learner = Availability::default();
            learner.observe_life(&key("z"), 2.0, lost);
            learner.loss_level(&key("z")).mean()
        };
        let unseen = Availability::default().loss_level(&key("z")).mean();
        assert!(level(false) < unseen && level(true) > level(false));
    }

    /// The chance to be up, from many lives of an alternating process with the same rates, drawn by a small generator.
    #[test]
    fn the_walk_agrees_with_many_drawn_lives() {
        let mut learner = Availability::default();
        let now = play(&mut learner, "z", 0, &[12, 6, 30, 3, 5, 20, 9]);
        let outlook = Outlook { daily: [[1.0; BLOCKS]; 2], ..outlook(&learner, "z", now) };
        let mut state = 7u64;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let (times, draws) = (20_000, [1.0, 8.0]);
        let mut counts = [0.0; 2];
        for _ in 0..times {
            for (count, target) in counts.iter_mut().zip(draws) {
                let (mut at, mut up, mut age) = (0.0, outlook.up, outlook.age_h);
                while at < target - 1e-9 {
                    let level = if up { outlook.leaves_up } else { outlook.leaves_down };
                    at += STEP_H;
                    if uniform() < level.stays(age, STEP_H) {
                        age += STEP_H;
                    } else {
                        (up, age) = (!up, 0.0);
                    }
                }
                *count += f64::from(u8::from(up)) / f64::from(times);
            }
        }
        for (told, counted) in outlook.up_at(&draws).into_iter().zip(counts) {
            assert!((told - counted).abs() < 0.02, "{told} {counted}");
        }
    }

    proptest! {
        #[test]
        fn chances_are_chances_and_fall_with_the_horizon(spans in prop::collection::vec(1i64..40, 1..30), h in 0.1..48.0f64) {
            let mut learner = Availability::default();
            let now = play(&mut learner, "z", 0, &spans);
            let outlook = outlook(&learner, "z", now);
            let (near, far) = (outlook.up_throughout(h), outlook.up_throughout(h * 2.0));
            prop_assert!((0.0..=1.0).contains(&near) && far <= near);
            let at = outlook.up_at(&[0.0, h]);
            prop_assert_eq!(at[0], f64::from(u8::from(outlook.up)));
            prop_assert!((0.0..=1.0).contains(&at[1]));
        }
    }
}
