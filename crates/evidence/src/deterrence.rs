//! Whether cheating pays, and what must be audited or staked so that it does not.
//!
//! A provider that fakes a share `f` of `n` segments saves `f * c * P` of its costs and may gain `B` outside. It is caught with
//! probability `p(f) = q * d(f) * (1 - a^m) * (1 - eps)`: the job is audited (`q`), a faked segment is among the sampled ones
//! (`d`), not all `m` drawn validators are corrupt (a share `a` of the stake is), and the check does not err (`eps`). Caught,
//! it loses the price `P` and the slash `S`. Cheating does not pay if and only if `p(f) * (P + S) > f * c * P + B` for every `f`.
//! With `B = 0` the hardest case is to fake everything, since `f / d(f)` grows with `f`; more samples help against small `f`.

/// Safety factor on what audit and stake must reach.
pub const MARGIN: f64 = 1.5;

/// How a job's proof is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checks {
    /// Probability that the job is audited at all, 0 to 1.
    pub audit: f64,
    /// Segments sampled beside the first and the last.
    pub sample: u32,
    /// Validators drawn; each replays the whole sample, and one that differs opens a dispute.
    pub validators: u32,
    /// Share of the validators' stake that may be corrupt, 0 to 1.
    pub corrupt: f64,
    /// Probability that an honest check errs, 0 to 1.
    pub miss: f64,
}

/// What is at stake for a provider, in any one unit of money.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Money {
    /// What the job pays.
    pub price: f64,
    /// What the work costs an honest provider, as a share of the price.
    pub cost: f64,
    /// What a failed verdict takes from its stake.
    pub slash: f64,
    /// What a wrong result is worth to it outside.
    pub outside: f64,
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

impl Checks {
    /// Probability that an audited job's faked segment, once sampled, is called wrong.
    fn called(&self) -> f64 {
        (1.0 - all_corrupt(self.corrupt, self.validators)) * (1.0 - self.miss)
    }

    /// Probability that a provider that fakes this share is caught.
    pub fn caught(&self, share: f64) -> f64 {
        self.audit * detection_limit(share, self.sample) * self.called()
    }

    /// The slash above which faking this share does not pay.
    pub fn slash_needed(&self, share: f64, money: &Money) -> f64 {
        ((share * money.cost * money.price + money.outside) / self.caught(share) - money.price).max(0.0)
    }

    /// Whether no share of `segments` pays. An outside gain is the same for every share, so a single segment counts too.
    pub fn deters(&self, segments: u32, money: &Money) -> bool {
        (1..=segments).all(|faked| {
            let share = f64::from(faked) / f64::from(segments);
            let caught = self.audit * detection(segments, faked, self.sample) * self.called();
            caught * (money.price + money.slash) > share * money.cost * money.price + money.outside
        })
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

/// The share of a provider's jobs that must be audited, from the stake that backs nothing else yet. 1 where the stake is too
/// small for less.
pub fn audit_rate(price: f64, cost: f64, free_stake: f64) -> f64 {
    let covered = free_stake + price;
    if covered <= 0.0 { 1.0 } else { (MARGIN * cost * price / covered).min(1.0) }
}

/// The most that a wrong result may be worth to somebody, so that price and slash still outweigh it when everything is faked.
/// Work of more value is refused, or needs another kind of proof.
pub fn value_covered(checks: &Checks, money: &Money) -> f64 {
    (money.price + money.slash) * checks.caught(1.0) - money.cost * money.price
}

#[cfg(test)]
mod tests;
