//! Which networks suit which kind of work: a guess to begin with, then what was measured.
//!
//! The guess is a protocol selection matrix: Render for inference and rendering, Akash for batch work and training, Golem for
//! preprocessing. It makes an expected cost [`GUESS`] cheaper, no more, and counts like [`STRENGTH`] jobs: what jobs of
//! the class really cost on the network, as a multiple of what was expected, soon outweighs it (the mean of a
//! normal with a normal prior, Gelman et al., Bayesian Data Analysis, 2.5).

use std::collections::BTreeMap;

use domain::{NetworkName, WorkClass};

/// A network that the matrix names is expected to cost this much of the estimate.
pub const GUESS: f64 = 0.95;
/// The matrix counts like so many jobs.
pub const STRENGTH: f64 = 5.0;
/// A single job counts at most as this multiple of its estimate, so that one broken estimate does not decide.
pub const MULTIPLE_MAX: f64 = 10.0;

/// The network that the matrix names for a class.
pub const fn guess(class: WorkClass) -> &'static str {
    match class {
        WorkClass::Inference | WorkClass::Rendering => "render",
        WorkClass::Training | WorkClass::Batch => "akash",
        WorkClass::Preprocessing => "golem",
    }
}

/// What jobs cost by class and network, beside what was expected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Classes {
    measured: BTreeMap<(WorkClass, NetworkName), (f64, f64)>,
}

impl Classes {
    /// A job that did its work cost `multiple` of what was expected, failed attempts included.
    pub fn observe(&mut self, class: WorkClass, network: &NetworkName, multiple: f64) {
        let (sum, count) = self.measured.entry((class, network.clone())).or_default();
        *sum += multiple.clamp(0.0, MULTIPLE_MAX);
        *count += 1.0;
    }

    /// By what an expected cost is to be multiplied when offers are compared.
    pub fn factor(&self, class: WorkClass, network: &NetworkName) -> f64 {
        let guess = if guess(class) == network.as_str() { GUESS } else { 1.0 };
        let (sum, count) = self.measured.get(&(class, network.clone())).copied().unwrap_or_default();
        (STRENGTH * guess + sum) / (STRENGTH + count)
    }
}

/// What jobs of a class cost on a network beyond the best that the matrix hopes for, in ten-thousandths of what is expected.
pub fn surcharge_bps(classes: &Classes, class: WorkClass, network: &NetworkName) -> u32 {
    let over = classes.factor(class, network) / GUESS - 1.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100,000")]
    let bps = (over.max(0.0) * 10_000.0).round() as u32;
    bps
}

impl Classes {
    /// What is known of each class and network of which something was measured, in ten-thousandths.
    pub fn surcharges_bps(&self) -> BTreeMap<WorkClass, BTreeMap<NetworkName, u32>> {
        let mut all: BTreeMap<WorkClass, BTreeMap<NetworkName, u32>> = BTreeMap::new();
        for (class, network) in self.measured.keys() {
            let bps = surcharge_bps(self, *class, network);
            all.entry(*class).or_default().insert(network.clone(), bps);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str) -> NetworkName {
        name.parse().unwrap()
    }

    #[test]
    fn the_matrix_decides_until_jobs_were_measured() {
        let mut classes = Classes::default();
        let (akash, golem) = (network("akash"), network("golem"));
        let prefers_akash = |classes: &Classes| {
            classes.factor(WorkClass::Training, &akash) < classes.factor(WorkClass::Training, &golem)
        };
        assert!(prefers_akash(&classes));
        assert!(
            classes.factor(WorkClass::Preprocessing, &golem)
                < classes.factor(WorkClass::Preprocessing, &akash)
        );
        classes.observe(WorkClass::Training, &akash, 1.5);
        assert!(!prefers_akash(&classes), "one bad job outweighs a guess of 5 %");
        (0..40).for_each(|_| classes.observe(WorkClass::Training, &akash, 0.7));
        assert!(prefers_akash(&classes));
        assert!(
            (classes.factor(WorkClass::Training, &akash) - (5.0 * 0.95 + 1.5 + 28.0) / 46.0).abs() < 1e-12
        );
        // Another class learns nothing from it.
        assert_eq!(classes.factor(WorkClass::Batch, &akash), GUESS);
    }

    #[test]
    fn one_broken_estimate_does_not_decide() {
        let mut classes = Classes::default();
        classes.observe(WorkClass::Batch, &network("akash"), 1e9);
        assert!(classes.factor(WorkClass::Batch, &network("akash")) < 3.0);
    }
}
