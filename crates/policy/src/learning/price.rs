//! Where a spot price goes.
//!
//! The rival is "as now", and over short times little beats it. What can be learned is how far a price returns to
//! where it has been, and to its neighbours in the region. Of the log price `p` of a series the features
//! ([`FEATURES`]) are its distances from its own past means and from its neighbours' mean, and the change after each
//! horizon is regressed on them:
//!
//! ```text
//! p(t + h) - p(t) = b . x(t)
//! ```
//!
//! by ridge regression (Hoerl and Kennard, Technometrics 12, 1970): for the instance type, with the coefficients of all
//! types as the centre it is drawn to, and those drawn to 0, which is "as now". Whether to trust it is learned too: of
//! [`SHARES`] of the change, the one is told whose absolute errors were least so far, and 0 is one of them.

use super::solve::solve;

/// How many numbers a forecast is made of.
pub const FEATURES: usize = 5;
/// A past mean weighs the past by these half-lives, in hours.
const MEANS_H: [f64; 3] = [6.0, 24.0, 168.0];
/// Coefficients are drawn to their centre as by so many observations of the usual size.
const RIDGE: f64 = 100.0;
/// The usual size of a feature, squared: changes of some percent.
const USUAL: f64 = 0.05 * 0.05;
/// An observation counts half after so many later ones of its type.
const HALF_LIFE_OBSERVATIONS: f64 = 60_000.0;
/// Shares of the regressed change that may be told.
pub const SHARES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// Another share than 0 must have been better by this part, since a tie is better told as "as now".
const BETTER: f64 = 0.002;

/// The numbers a forecast is made of.
pub type Features = [f64; FEATURES];

/// The past of one series of prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Track {
    log_price: f64,
    means: [f64; MEANS_H.len()],
}

impl Track {
    /// A series that begins at this price, above 0, in any unit.
    pub fn new(price: f64) -> Self {
        let log_price = price.ln();
        Self { log_price, means: [log_price; MEANS_H.len()] }
    }

    /// It was at its price for `for_h` hours, and is at `price`, above 0, now.
    pub fn observe(&mut self, for_h: f64, price: f64) {
        for (mean, half_life) in self.means.iter_mut().zip(MEANS_H) {
            let keep = (-for_h / half_life).exp2();
            *mean = *mean * keep + self.log_price * (1.0 - keep);
        }
        self.log_price = price.ln();
    }

    /// The logarithm of the price now.
    pub const fn log_price(&self) -> f64 {
        self.log_price
    }

    /// The features now, beside neighbours whose log prices have this mean, if there are any.
    pub fn features(&self, neighbours: Option<f64>) -> Features {
        let [short, middle, long] = self.means.map(|mean| self.log_price - mean);
        let beside = neighbours.map_or(0.0, |mean| self.log_price - mean);
        // The last is as large as a usual feature, so that the ridge treats a steady drift like the others.
        [short, middle, long, beside, USUAL.sqrt()]
    }
}

/// Sums of a regression.
#[derive(Debug, Clone, PartialEq)]
struct Sums {
    squares: [[f64; FEATURES]; FEATURES],
    products: Features,
    /// Absolute errors of each share.
    errors: [f64; SHARES.len()],
}

impl Sums {
    const fn new() -> Self {
        Self { squares: [[0.0; FEATURES]; FEATURES], products: [0.0; FEATURES], errors: [0.0; SHARES.len()] }
    }

    fn add(&mut self, features: &Features, change: f64, weight: f64) {
        for (i, x) in features.iter().enumerate() {
            self.products[i] += weight * x * change;
            for (j, y) in features.iter().enumerate() {
                self.squares[i][j] += weight * x * y;
            }
        }
    }

    fn fade(&mut self, factor: f64) {
        self.squares.iter_mut().flatten().for_each(|one| *one *= factor);
        self.products.iter_mut().chain(&mut self.errors).for_each(|one| *one *= factor);
    }

    /// The coefficients, drawn to `centre`.
    fn coefficients(&self, centre: &Features) -> Features {
        let mut squares = self.squares;
        let mut products = self.products;
        for i in 0..FEATURES {
            squares[i][i] += RIDGE * USUAL;
            products[i] += RIDGE * USUAL * centre[i];
        }
        solve(squares, products)
    }
}

/// What was learned about one horizon of one instance type.
#[derive(Debug, Clone, PartialEq)]
pub struct Learner {
    sums: Sums,
    coefficients: Features,
    centre: Features,
}

impl Default for Learner {
    fn default() -> Self {
        Self { sums: Sums::new(), coefficients: [0.0; FEATURES], centre: [0.0; FEATURES] }
    }
}

impl Learner {
    /// The price changed by `change` in its logarithm over the horizon after these features.
    pub fn observe(&mut self, features: &Features, change: f64) {
        let raw = self.raw(features);
        self.sums.fade((-1.0 / HALF_LIFE_OBSERVATIONS).exp2());
        self.sums.add(features, change, 1.0);
        for (error, share) in self.sums.errors.iter_mut().zip(SHARES) {
            *error += (share * raw - change).abs();
        }
    }

    /// Takes in what was observed, beside what was learned of all types, if that is kept. Costly: once for many
    /// observations is enough.
    pub fn refit(&mut self, all: Option<&Self>) {
        self.centre = all.map_or([0.0; FEATURES], |all| all.coefficients);
        self.coefficients = self.sums.coefficients(&self.centre);
    }

    /// The whole regressed change of the log price.
    pub fn raw(&self, features: &Features) -> f64 {
        self.coefficients.iter().zip(features).map(|(b, x)| b * x).sum()
    }

    /// Which share of it has been best so far.
    pub fn share(&self) -> f64 {
        let mut best = (self.sums.errors[0] * (1.0 - BETTER), SHARES[0]);
        for (error, share) in self.sums.errors.into_iter().zip(SHARES) {
            if error < best.0 {
                best = (error, share);
            }
        }
        best.1
    }

    /// The forecast change of the log price.
    pub fn change(&self, features: &Features) -> f64 {
        self.share() * self.raw(features)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform in -0.5..0.5.
    fn noise(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    }

    /// Plays a price of which `back` of its distance from 1 is taken back at each step, beside noise.
    fn played(back: f64) -> (Learner, Track) {
        let (mut learner, mut log, mut state) = (Learner::default(), 0.0f64, 3);
        let mut track = Track::new(1.0);
        for step in 0..6000 {
            let features = track.features(None);
            let change = -back * log + 0.05 * noise(&mut state);
            log += change;
            track.observe(6.5, log.exp());
            learner.observe(&features, change);
            if step % 50 == 0 {
                learner.refit(None);
            }
        }
        (learner, track)
    }

    #[test]
    fn a_price_that_returns_is_forecast_to_return() {
        let (learner, mut track) = played(0.3);
        track.observe(6.5, 1.2);
        let features = track.features(None);
        assert!(learner.share() > 0.0);
        assert!(learner.change(&features) < -0.02, "{}", learner.change(&features));
    }

    #[test]
    fn of_a_price_that_only_wanders_nothing_is_told_but_as_now() {
        let (learner, mut track) = played(0.0);
        track.observe(6.5, track.log_price().exp() * 1.2);
        let change = learner.change(&track.features(None));
        assert!(change.abs() < 0.02, "{change}");
        assert_eq!(Learner::default().change(&track.features(None)), 0.0);
    }

    #[test]
    fn a_type_without_history_follows_what_all_types_show() {
        let (all, mut track) = played(0.3);
        track.observe(6.5, 1.2);
        let mut fresh = Learner::default();
        fresh.refit(Some(&all));
        let features = track.features(None);
        assert!((fresh.raw(&features) / all.raw(&features) - 1.0).abs() < 1e-9);
        // But tells it only once it has been right.
        assert_eq!(fresh.share(), 0.0);
    }

    #[test]
    fn features_are_distances_from_the_past_and_from_the_neighbours() {
        let mut track = Track::new(2.0);
        assert_eq!(track.features(None)[..4], [0.0; 4]);
        track.observe(6.0, 4.0);
        track.observe(6.0, 4.0);
        let [short, middle, long, beside, _] = track.features(Some(2f64.ln()));
        assert!((short - 2f64.ln() / 2.0).abs() < 1e-12);
        assert!(short < middle && middle < long && long < beside);
        assert!((beside - 2f64.ln()).abs() < 1e-12);
    }
}
