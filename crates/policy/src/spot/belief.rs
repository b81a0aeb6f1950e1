//! What is believed of how long spot stays and how long it is away.
//!
//! Spells of spot and of its absence are heavy-tailed: most are short, and one that has lasted goes on to last. A spell
//! of age `a` ends at the rate `alpha / (scale + a)`, which makes its length a Lomax (Pareto II) variable with
//! `P(longer than t) = (1 + t / scale)^-alpha` (Lomax, J. Am. Stat. Assoc. 49, 1954). The scale is shared by all zones and
//! ships with the code. The exponent differs from zone to zone and is learned: with a Gamma(events, exposure) prior, a
//! stretch from age `a` to `b` adds `ln((scale + b) / (scale + a))` to the exposure, and an end adds one to the events, so
//! the posterior is a Gamma again. What was seen fades with `memory_s`, since zones change.

/// What is believed of one kind of spell before anything was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpellPrior {
    /// Seconds; about the age from which a spell counts as long.
    pub scale_s: f64,
    /// Shape of the Gamma over the exponent: how many ends it is worth.
    pub events: f64,
    /// Rate of the Gamma over the exponent; `events / exposure` is its mean.
    pub exposure: f64,
}

/// What is believed of a zone before anything was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Of spells with spot.
    pub up: SpellPrior,
    /// Of spells without.
    pub down: SpellPrior,
    /// Age in seconds that the spell is taken to have when the job starts and nobody looked before.
    pub first_age_s: f64,
    /// Seconds after which an observation counts 1/e.
    pub memory_s: f64,
}

/// Fitted by marginal likelihood ([`super::fit`]) on spells of AWS V100 and K80 instances in 2022 and 2023, in 16 zones
/// and sizes; `docs/spot.md` says on which and what leaving one out changes. Memory and first age were chosen by hand:
/// costs hardly depend on them.
pub const SHIPPED: Prior = Prior {
    up: SpellPrior { scale_s: 3600.0, events: 8.0, exposure: 8.0 / 1.4 },
    down: SpellPrior { scale_s: 2700.0, events: 8.0, exposure: 8.0 / 1.4 },
    first_age_s: 3600.0,
    memory_s: 86_400.0,
};

impl SpellPrior {
    /// Probability that a spell of this age in seconds lasts so many seconds more, for an exponent.
    pub(super) fn lasts(&self, exponent: f64, age_s: f64, more_s: f64) -> f64 {
        ((self.scale_s + age_s) / (self.scale_s + age_s + more_s)).powf(exponent)
    }

    /// What a stretch of a spell adds to the exposure.
    pub(super) fn exposure(&self, from_s: f64, to_s: f64) -> f64 {
        ((self.scale_s + to_s) / (self.scale_s + from_s)).ln()
    }

    /// Seconds that a spell of this age goes on within the next `horizon_s`, expected.
    fn goes_on_s(&self, exponent: f64, age_s: f64, horizon_s: f64) -> f64 {
        let scale_s = self.scale_s + age_s;
        let grown = 1.0 + horizon_s / scale_s;
        let power = 1.0 - exponent;
        if power.abs() < 1e-6 { scale_s * grown.ln() } else { scale_s * (grown.powf(power) - 1.0) / power }
    }
}

/// Ends seen, and the exposure they were seen in.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Seen {
    events: f64,
    exposure: f64,
}

/// What is believed of one zone, or of several taken together, after what was seen so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    prior: Prior,
    up: Seen,
    down: Seen,
    now: Option<bool>,
    age_s: f64,
}

impl Belief {
    /// Nothing seen yet.
    pub fn new(prior: Prior) -> Self {
        Self { prior, up: Seen::default(), down: Seen::default(), now: None, age_s: 0.0 }
    }

    /// Spot is there or not, `since_s` seconds after the last look.
    pub fn see(&mut self, up: bool, since_s: f64) {
        let Some(was) = self.now.replace(up) else {
            self.age_s = self.prior.first_age_s;
            return;
        };
        let faded = (-since_s / self.prior.memory_s).exp();
        for seen in [&mut self.up, &mut self.down] {
            seen.events *= faded;
            seen.exposure *= faded;
        }
        let (seen, spell) =
            if was { (&mut self.up, self.prior.up) } else { (&mut self.down, self.prior.down) };
        seen.exposure += spell.exposure(self.age_s, self.age_s + since_s);
        if was == up {
            self.age_s += since_s;
        } else {
            seen.events += 1.0;
            self.age_s = 0.0;
        }
    }

    /// Whether spot was there at the last look.
    pub fn is_up(&self) -> bool {
        self.now.unwrap_or(false)
    }

    /// Age in seconds of the spell at the last look.
    pub const fn age_s(&self) -> f64 {
        self.age_s
    }

    /// Events and exposure of the Gamma over the exponent of spells with spot (`true`) or without.
    pub(super) fn gamma(&self, up: bool) -> (f64, f64) {
        let (prior, seen) = if up { (self.prior.up, self.up) } else { (self.prior.down, self.down) };
        (prior.events + seen.events, prior.exposure + seen.exposure)
    }

    /// Probability that the present spell lasts so many seconds more, at the mean exponent.
    pub fn lasts(&self, more_s: f64) -> f64 {
        let spell = if self.is_up() { self.prior.up } else { self.prior.down };
        spell.lasts(self.mean_exponent(self.is_up()), self.age_s, more_s)
    }

    /// Seconds of spot to come from the present spell within `horizon_s`, expected; zero where there is no spot.
    pub fn spot_to_come_s(&self, horizon_s: f64) -> f64 {
        if !self.is_up() {
            return 0.0;
        }
        self.prior.up.goes_on_s(self.mean_exponent(true), self.age_s, horizon_s)
    }

    fn mean_exponent(&self, up: bool) -> f64 {
        let (events, exposure) = self.gamma(up);
        events / exposure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(looks: &[(bool, u32)]) -> Belief {
        let mut belief = Belief::new(SHIPPED);
        for (up, times) in looks {
            (0..*times).for_each(|_| belief.see(*up, 600.0));
        }
        belief
    }

    #[test]
    fn a_spell_ages_and_a_new_one_is_young() {
        assert_eq!(seen(&[(true, 1)]).age_s(), SHIPPED.first_age_s);
        assert_eq!(seen(&[(true, 3)]).age_s(), SHIPPED.first_age_s + 1200.0);
        let lost = seen(&[(true, 3), (false, 1)]);
        assert_eq!((lost.is_up(), lost.age_s()), (false, 0.0));
    }

    #[test]
    fn an_old_spell_lasts_longer_than_a_young_one() {
        let (young, old) = (seen(&[(false, 1), (true, 1)]), seen(&[(false, 1), (true, 60)]));
        assert!(young.spot_to_come_s(28_800.0) < old.spot_to_come_s(28_800.0));
        assert!(young.lasts(3600.0) < old.lasts(3600.0));
        assert_eq!(seen(&[(true, 9), (false, 1)]).spot_to_come_s(28_800.0), 0.0);
    }

    #[test]
    fn lasting_is_the_lomax_law_at_the_mean_exponent() {
        let belief = seen(&[(true, 1)]);
        assert!((belief.lasts(7200.0) - 0.5_f64.powf(1.4)).abs() < 1e-12, "{}", belief.lasts(7200.0));
        // The integral of that law over ten seconds is about its start; over very long, scale / (exponent - 1).
        assert!((belief.spot_to_come_s(10.0) - 10.0).abs() < 0.01);
        assert!((belief.spot_to_come_s(1e15) / (7200.0 / 0.4) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn ends_seen_raise_the_rate_and_fade() {
        let mean = |belief: &Belief| {
            let (events, exposure) = belief.gamma(true);
            events / exposure
        };
        let flaps: Vec<(bool, u32)> = (0..40).map(|n| (n % 2 == 0, 1)).collect();
        let mut flapping = seen(&flaps);
        let learned = mean(&flapping);
        assert!(learned > 1.5 * 1.4, "{learned}");
        flapping.see(false, 10.0 * SHIPPED.memory_s);
        assert!((mean(&flapping) - 1.4).abs() < 1e-3);
        assert!(mean(&seen(&[(true, 400)])) < 1.4);
    }
}
