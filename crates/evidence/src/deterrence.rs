//! Whether cheating pays, and what must be audited or staked so that it does not.
//!
//! A provider that fakes a share `f` of `n` segments saves `f * c * P` of its costs and may gain `B` outside. The job is audited
//! with probability `q`, and a faked segment is among the replayed ones with probability `d(f)`. Then the `m` drawn validators
//! speak, of which each is corrupt with probability `a`, and calls wrong work right:
//!
//! - all are corrupt, `a^m`: nobody notices;
//! - some are, `1 - a^m - (1-a)^m`: they do not agree, which costs the provider the price `P` and nothing else;
//! - none is, `(1-a)^m`: the verdict is unanimous, and costs the price and the slash `S`.
//!
//! An honest check errs with probability `eps`. So cheating does not pay if and only if, for every `f`,
//!
//! `q * d(f) * (1 - eps) * [(1 - a^m) * P + (1-a)^m * S] > f * c * P + B`.
//!
//! With `B = 0` the hardest case is to fake everything, since `f / d(f)` grows with `f`; more samples help against small `f`. More
//! validators make it less likely that nobody notices and likelier that they do not agree, so that a slash can be relied on
//! less the more of them are drawn, until a dispute is narrowed down to a step that a contract can judge.

mod audit;

pub use audit::{
    Audit, CORRUPT, COST, Job, MILLION, PROBATION_JOBS, RISK_VALIDATORS, Record, SOFT_FAILURE_JOBS,
    Uncovered, Why, audit,
};

/// Safety factor on what audit and stake must reach.
pub const MARGIN: f64 = 1.5;

/// The validators that are drawn for one proof.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel {
    /// How many; each replays the whole sample.
    pub validators: u32,
    /// Share of the validators' stake that may be corrupt, 0 to 1.
    pub corrupt: f64,
    /// Probability that an honest check errs, 0 to 1.
    pub miss: f64,
}

impl Panel {
    /// Probability that at least one calls a replayed fake wrong, and its provider is not paid.
    pub fn notices(&self) -> f64 {
        (1.0 - all_corrupt(self.corrupt, self.validators)) * (1.0 - self.miss)
    }

    /// Probability that all do, and its provider is slashed. Each is taken to be drawn by itself; out of few validators, of which
    /// a share is corrupt, the chance is a little smaller, by less than [`MARGIN`] from six on.
    pub fn agrees(&self) -> f64 {
        all_corrupt(1.0 - self.corrupt, self.validators) * (1.0 - self.miss)
    }

    /// What a provider can expect to lose whose replayed work is wrong.
    fn loss(&self, money: &Money) -> f64 {
        self.notices() * money.price + self.agrees() * money.slash
    }
}

/// How a job's proof is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checks {
    /// Probability that the job is audited at all, 0 to 1.
    pub audit: f64,
    /// Segments sampled beside the first and the last.
    pub sample: u32,
    /// Who replays them.
    pub panel: Panel,
}

/// What is at stake for a provider, in any one unit of money.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Money {
    /// What the job pays.
    pub price: f64,
    /// What the work costs an honest provider, as a share of the price.
    pub cost: f64,
    /// What a failed verdict takes from its stake. Stake that a verdict cannot reach deters nobody.
    pub slash: f64,
    /// What a wrong result is worth to it outside.
    pub outside: f64,
}

impl Money {
    /// What faking this share brings.
    fn gain(&self, share: f64) -> f64 {
        share * self.cost * self.price + self.outside
    }
}

/// Probability that at least one of `sample` segments, drawn out of `segments` without replacement, is one of the `faked`.
pub fn detection(segments: u32, faked: u32, sample: u32) -> f64 {
    let (n, bad) = (f64::from(segments), f64::from(faked.min(segments)));
    let drawn = sample.min(segments);
    let missed = (0..drawn).map(|i| ((n - bad - f64::from(i)) / (n - f64::from(i))).max(0.0));
    1.0 - missed.product::<f64>()
}

/// The same where a share of very many segments is faked.
pub fn detection_limit(share: f64, sample: u32) -> f64 {
    1.0 - (1.0 - share).powf(f64::from(sample))
}

/// Probability that a replay hits one of `faked` segments, put where it is least likely: the first and the last of all are always
/// replayed, and `sample` of those between.
pub fn replayed(segments: u32, faked: u32, sample: u32) -> f64 {
    let between = segments.saturating_sub(2);
    match faked {
        0 => 0.0,
        _ if faked > between => 1.0,
        _ => detection(between, faked, sample),
    }
}

impl Checks {
    /// Probability that a provider that fakes this share of very many segments is not paid.
    pub fn caught(&self, share: f64) -> f64 {
        self.audit * detection_limit(share, self.sample) * self.panel.notices()
    }

    /// The slash above which faking this share of very many segments does not pay.
    pub fn slash_needed(&self, share: f64, money: &Money) -> f64 {
        let hit = self.audit * detection_limit(share, self.sample);
        let noticed = self.panel.notices() * money.price;
        ((money.gain(share) / hit - noticed) / self.panel.agrees()).max(0.0)
    }

    /// Whether no share of `segments` pays. An outside gain is the same for every share, so a single segment counts too.
    pub fn deters(&self, segments: u32, money: &Money) -> bool {
        (1..=segments).all(|faked| self.surplus(segments, faked, money) > 0.0)
    }

    /// The most that a wrong result may be worth to somebody, so that price and slash still outweigh it, however much of it is
    /// faked: a single segment is the hardest to find, and all of them save the most. Work of more value is refused, or needs
    /// another kind of proof.
    pub fn value_covered(&self, segments: u32, money: &Money) -> f64 {
        let without = Money { outside: 0.0, ..*money };
        [1, segments]
            .map(|faked| self.surplus(segments, faked, &without))
            .into_iter()
            .fold(f64::INFINITY, f64::min)
    }

    /// By how much the expected loss exceeds the gain.
    fn surplus(&self, segments: u32, faked: u32, money: &Money) -> f64 {
        let share = f64::from(faked) / f64::from(segments.max(1));
        self.audit * replayed(segments, faked, self.sample) * self.panel.loss(money) - money.gain(share)
    }
}

/// Probability that all of `validators`, each corrupt with this probability, are.
pub fn all_corrupt(corrupt: f64, validators: u32) -> f64 {
    corrupt.powf(f64::from(validators))
}

/// Probability that more than half of them are, which decides only where a majority does; here it does not.
pub fn majority_corrupt(corrupt: f64, validators: u32) -> f64 {
    (validators / 2 + 1..=validators).map(|k| binomial(validators, k, corrupt)).sum()
}

fn binomial(n: u32, k: u32, p: f64) -> f64 {
    let ways: f64 = (0..k).map(|i| f64::from(n - i) / f64::from(i + 1)).product();
    ways * p.powf(f64::from(k)) * (1.0 - p).powf(f64::from(n - k))
}

/// The share of a provider's jobs that must be audited: `min(1, MARGIN * c * P / [(1 - a^m) * P + (1-a)^m * S])`, up to `eps`. For a
/// panel without corrupt validators that is `MARGIN * c * P / (P + S)`. 1 where price and slash are too small for less.
pub fn audit_rate(money: &Money, panel: &Panel) -> f64 {
    let loss = panel.loss(money);
    if loss <= 0.0 { 1.0 } else { (MARGIN * money.cost * money.price / loss).min(1.0) }
}

/// The stake that a validator must lose with a canary, so that skipping replays does not pay: `s * n / rate`, where replaying one
/// segment costs it `s`, a wrong segment is planted in one proof out of `1 / rate`, and in any of the `n` segments alike. Then each
/// segment that it skips saves `s` and costs `rate / n` of the stake, whichever and however many it skips.
///
/// Where the planted segment is certain to be drawn, which only the first and the last are, `r / rate` is enough against those
/// that replay nothing, `r` being the cost of the whole sample; but these two can then be the only ones that are replayed.
pub fn validator_stake(segment_cost: f64, segments: u32, canary_rate: f64) -> f64 {
    segment_cost * f64::from(segments) / canary_rate
}

#[cfg(test)]
mod tests;
