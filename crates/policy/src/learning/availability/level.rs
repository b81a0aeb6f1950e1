//! The rate at which a state is left: its shape by age, which is common to all, and its level, which is learned.

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
    /// All hours of a day count like so many changes of one block of them.
    pub strength_daily: f64,
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
            strength_daily: 8.0,
            half_life_h: 30.0 * 24.0,
            half_life_recent_h: 12.0,
        }
    }
}

impl Prior {
    /// The integral of `h / c` between two ages in hours.
    pub(super) fn exposure(&self, from_h: f64, to_h: f64) -> f64 {
        let integral = |age: f64| (age + self.offset_h).powf(1.0 - self.shape) / (1.0 - self.shape);
        (integral(to_h) - integral(from_h)).max(0.0)
    }
}

/// Changes seen and the time watched, as the integral of `h / c`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Evidence {
    pub(super) changes: f64,
    pub(super) exposure: f64,
}

impl Evidence {
    pub(super) fn add(&mut self, other: Self) {
        self.changes += other.changes;
        self.exposure += other.exposure;
    }

    pub(super) fn fade(&mut self, factor: f64) {
        self.changes *= factor;
        self.exposure *= factor;
    }
}

/// The posterior of a level: a Gamma distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    changes: f64,
    exposure: f64,
    prior: Prior,
}

impl Level {
    /// What is known of a state before anything was seen.
    pub(super) const fn shipped(prior: Prior, state: usize) -> Self {
        Self { changes: prior.level[state], exposure: 1.0, prior }
    }

    /// Its mean.
    pub fn mean(&self) -> f64 {
        self.changes / self.exposure
    }

    /// The same after more evidence, this counting like `strength` changes.
    pub(super) fn learn(self, seen: Evidence, strength: f64) -> Self {
        let exposure = strength / self.mean() + seen.exposure;
        Self { changes: strength + seen.changes, exposure, prior: self.prior }
    }

    /// The chance that a state of age `age_h` is still held `for_h` later, both in hours.
    pub fn stays(&self, age_h: f64, for_h: f64) -> f64 {
        self.outlasts(self.exposure_between(age_h, age_h + for_h))
    }

    /// The chance to stay over a unit exposure.
    pub(super) fn outlasts(&self, exposure: f64) -> f64 {
        (self.exposure / (self.exposure + exposure)).powf(self.changes)
    }

    /// The unit exposure between two ages in hours.
    pub(super) fn exposure_between(&self, from_h: f64, to_h: f64) -> f64 {
        self.prior.exposure(from_h, to_h)
    }

    /// The expected rate of leaving at `age_h`, per hour.
    pub fn hazard(&self, age_h: f64) -> f64 {
        self.mean() * (age_h + self.prior.offset_h).powf(-self.prior.shape)
    }
}
