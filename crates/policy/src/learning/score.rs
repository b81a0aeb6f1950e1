//! How good a forecast of a yes or no was: Brier score and log loss, the lower the better.
//!
//! Both are proper: the expected score is least for the true probability (Brier, "Verification of forecasts expressed
//! in terms of probability", Monthly Weather Review 78, 1950; Good, "Rational decisions", JRSS B 14, 1952).

/// A forecast is taken as at least this far from 0 and from 1, since the log loss of a wrong certainty has no bound.
pub const CERTAINTY_MAX: f64 = 0.005;

/// The scores of many forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scores {
    count: u64,
    brier: f64,
    log_loss: f64,
}

impl Scores {
    /// One more forecast, a probability, and what happened.
    pub fn add(&mut self, forecast: f64, happened: bool) {
        let outcome = if happened { 1.0 } else { 0.0 };
        let told = forecast.clamp(CERTAINTY_MAX, 1.0 - CERTAINTY_MAX);
        self.count += 1;
        self.brier += (forecast - outcome).powi(2);
        self.log_loss -= if happened { told.ln() } else { (1.0 - told).ln() };
    }

    /// Those of another part of the same forecasts.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.brier += other.brier;
        self.log_loss += other.log_loss;
    }

    /// How many forecasts were scored.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The mean of `(forecast - outcome)^2`; nothing without forecasts.
    pub fn brier(&self) -> Option<f64> {
        mean(self.brier, self.count)
    }

    /// The mean of `-ln(probability given to what happened)`, in nats, after the clamp of [`CERTAINTY_MAX`]; nothing
    /// without forecasts.
    pub fn log_loss(&self) -> Option<f64> {
        mean(self.log_loss, self.count)
    }
}

fn mean(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expected(told: f64, truth: f64) -> (f64, f64) {
        let (mut yes, mut no) = (Scores::default(), Scores::default());
        yes.add(told, true);
        no.add(told, false);
        let mix = |a: Option<f64>, b: Option<f64>| truth * a.unwrap() + (1.0 - truth) * b.unwrap();
        (mix(yes.brier(), no.brier()), mix(yes.log_loss(), no.log_loss()))
    }

    proptest! {
        #[test]
        fn no_forecast_scores_better_than_the_truth(truth in 0.01..0.99f64, told in 0.0..=1.0f64) {
            let (honest, other) = (expected(truth, truth), expected(told, truth));
            prop_assert!(honest.0 <= other.0 + 1e-12 && honest.1 <= other.1 + 1e-12);
        }
    }

    #[test]
    fn a_wrong_certainty_costs_much_but_not_everything() {
        let mut scores = Scores::default();
        assert_eq!(scores.brier(), None);
        scores.add(1.0, false);
        assert_eq!(scores.brier(), Some(1.0));
        assert!((scores.log_loss().unwrap() - 5.3).abs() < 0.01);
    }
}
