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

use std::collections::BTreeMap;

use domain::{Millis, Timestamp};

use super::hours;

/// What is known before anything was seen, and how fast it gives way to what is.
///
/// [`Default`] is what is shipped; `docs/forecasts.md` says on what it was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Added to an age, in hours.
    pub offset_h: f64,
    /// How fast the rate of leaving a state falls with age, in 0..1.
    pub shape: f64,
    /// The level of leaving the state up, and of leaving the state down.
    pub level: [f64; 2],
    /// A wider group counts like so many changes of the narrower one.
    pub strength: f64,
    /// A whole series counts like so many changes of its recent past.
    pub strength_recent: f64,
    /// Evidence of a whole series counts half after this time, in hours.
    pub half_life_h: f64,
    /// And as recent past after this time, in hours.
    pub half_life_recent_h: f64,
}

impl Default for Prior {
    fn default() -> Self {
        Self {
            offset_h: 0.05,
            shape: 0.5,
            level: [0.6, 0.6],
            strength: 8.0,
            strength_recent: 4.0,
            half_life_h: 30.0 * 24.0,
            half_life_recent_h: 12.0,
        }
    }
}

impl Prior {
    /// The integral of `h / c` between two ages in hours.
    fn exposure(&self, from_h: f64, to_h: f64) -> f64 {
        let integral = |age: f64| (age + self.offset_h).powf(1.0 - self.shape) / (1.0 - self.shape);
        (integral(to_h) - integral(from_h)).max(0.0)
    }
}

/// Between looks further apart than this, changes may have been missed, so the age starts anew.
pub const GAP_MAX: Millis = Millis(6 * 3_600_000);
/// Times at which a state may change in a forecast of the state are so far apart, in hours.
const STEP_H: f64 = 1.0 / 6.0;
/// The furthest that a state is forecast, in steps: seven days.
const STEPS_MAX: usize = 7 * 24 * 6;

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

/// Changes seen and the time watched, as the integral of `h / c`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Evidence {
    changes: f64,
    exposure: f64,
}

impl Evidence {
    fn add(&mut self, other: Self) {
        self.changes += other.changes;
        self.exposure += other.exposure;
    }

    fn fade(&mut self, factor: f64) {
        self.changes *= factor;
        self.exposure *= factor;
    }
}

/// Up and down, in this order.
type Both = [Evidence; 2];

/// The posterior of a level: a Gamma distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    changes: f64,
    exposure: f64,
    prior: Prior,
}

impl Level {
    /// Its mean.
    pub fn mean(&self) -> f64 {
        self.changes / self.exposure
    }

    /// The same after more evidence, this counting like `strength` changes.
    fn learn(self, seen: Evidence, strength: f64) -> Self {
        let exposure = strength / self.mean() + seen.exposure;
        Self { changes: strength + seen.changes, exposure, prior: self.prior }
    }

    /// The chance that a state of age `age_h` is still held `for_h` later, both in hours.
    pub fn stays(&self, age_h: f64, for_h: f64) -> f64 {
        (self.exposure / (self.exposure + self.prior.exposure(age_h, age_h + for_h))).powf(self.changes)
    }

    /// The expected rate of leaving at `age_h`, per hour.
    pub fn hazard(&self, age_h: f64) -> f64 {
        self.mean() * (age_h + self.prior.offset_h).powf(-self.prior.shape)
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Series {
    up: bool,
    since: Timestamp,
    seen: Timestamp,
    whole: Both,
    recent: Both,
}

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
        let fresh = Series { up, since: at, seen: at, whole: Both::default(), recent: Both::default() };
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
        Some(Outlook {
            up: series.up,
            age_h: hours(now.since(series.since)),
            leaves_up: self.level(key, 0),
            leaves_down: self.level(key, 1),
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
        let Prior { level, strength, strength_recent, .. } = self.prior;
        let known = Level { changes: level[state], exposure: 1.0, prior: self.prior }
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

impl Outlook {
    /// The chance that it is up throughout the next `for_h` hours.
    pub fn up_throughout(&self, for_h: f64) -> f64 {
        if self.up { self.leaves_up.stays(self.age_h, for_h) } else { 0.0 }
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
        // Chance to leave within the step after n whole steps in a state.
        let leave: [Vec<f64>; 2] =
            leaves.map(|level| (0..steps).map(|n| 1.0 - level.stays(at(n), STEP_H)).collect());
        let mut stayed = 1.0;
        let start = usize::from(!self.up);
        // Mass by steps in the state, the youngest at the end, so that ageing is free.
        let mut young: [Vec<f64>; 2] = [Vec::with_capacity(steps), Vec::with_capacity(steps)];
        let mut chances = Vec::with_capacity(steps + 1);
        chances.push(if self.up { 1.0 } else { 0.0 });
        for step in 0..steps {
            let before = stayed;
            stayed = leaves[start].stays(self.age_h, at(step + 1));
            let mut moved = [0.0; 2];
            moved[start] += before - stayed;
            for state in 0..2 {
                for (masses, chance) in young[state].iter_mut().rev().zip(&leave[state]) {
                    let gone = *masses * chance;
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

fn at(step: usize) -> f64 {
    step as f64 * STEP_H
}

fn grid_steps(in_h: f64) -> usize {
    ((in_h / STEP_H).round().max(0.0) as usize).min(STEPS_MAX)
}

#[cfg(test)]
mod tests {
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
        let outlook = outlook(&learner, "z", now);
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
