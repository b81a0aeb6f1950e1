//! Which networks suit which kind of work: a guess to begin with, then what was measured.
//!
//! The guess is a protocol selection matrix: Render for inference and rendering, Akash for batch work and training, Golem for
//! preprocessing. It makes an expected cost [`GUESS`] cheaper, no more, and counts like [`STRENGTH`] jobs: what jobs of
//! the class really cost on the network, as a multiple of what was expected, soon outweighs it (the mean of a
//! normal with a normal prior, Gelman et al., Bayesian Data Analysis, 2.5).

use std::collections::BTreeMap;

use domain::NetworkName;

/// A network that the matrix names is expected to cost this much of the estimate.
pub const GUESS: f64 = 0.95;
/// The matrix counts like so many jobs.
pub const STRENGTH: f64 = 5.0;
/// A single job counts at most as this multiple of its estimate, so that one broken estimate does not decide.
pub const MULTIPLE_MAX: f64 = 10.0;

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkClass {
    /// Answers requests while somebody waits.
    Inference,
    /// Trains a model.
    Training,
    /// Anything whose time is flexible.
    Batch,
    /// Prepares data, mostly on processors.
    Preprocessing,
    /// Makes images.
    Rendering,
}

impl WorkClass {
    /// The network that the matrix names for it.
    pub const fn guess(self) -> &'static str {
        match self {
            Self::Inference | Self::Rendering => "render",
            Self::Training | Self::Batch => "akash",
            Self::Preprocessing => "golem",
        }
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
        let guess = if class.guess() == network.as_str() { GUESS } else { 1.0 };
        let (sum, count) = self.measured.get(&(class, network.clone())).copied().unwrap_or_default();
        (STRENGTH * guess + sum) / (STRENGTH + count)
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
