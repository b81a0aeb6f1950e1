//! What the drawn validators' words come to. No majority ends a dispute: one that differs is enough to open one.

/// What a validator found, by replaying its sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Every replayed state has the digest that was committed to.
    Same,
    /// At least one has another.
    Differs,
    /// It did not say in time.
    Silent,
    /// The states could not be opened, through the fault of whoever held them.
    Withheld,
}

/// What follows for a job's proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All who spoke found the same: the provider is paid.
    Passed,
    /// All who spoke found a difference: the provider is slashed, the consumer made whole first.
    Failed,
    /// They do not agree: refund, and nobody is slashed.
    Disputed,
    /// Nobody can say: the holder of the states kept them back, or no validator spoke.
    Unknown,
}

impl Verdict {
    /// The verdict of these findings. Who is silent has lost its say, and its stake elsewhere.
    pub fn of(findings: &[Finding]) -> Self {
        let said = |what: Finding| findings.contains(&what);
        match (said(Finding::Same), said(Finding::Differs), said(Finding::Withheld)) {
            (true, false, false) => Self::Passed,
            (false, true, _) => Self::Failed,
            (true, true, _) => Self::Disputed,
            // One that could open the states and one that could not: the states are there.
            (true, false, true) => Self::Disputed,
            (false, false, _) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Finding::{Differs, Same, Silent, Withheld};
    use super::*;

    #[test]
    fn one_that_differs_is_never_outvoted() {
        for (findings, verdict) in [
            (vec![Same, Same, Same], Verdict::Passed),
            (vec![Same, Silent, Same], Verdict::Passed),
            (vec![Differs, Differs, Differs], Verdict::Failed),
            (vec![Differs, Silent], Verdict::Failed),
            (vec![Same, Same, Differs], Verdict::Disputed),
            (vec![Same, Differs, Differs], Verdict::Disputed),
            (vec![Same, Withheld], Verdict::Disputed),
            (vec![Withheld, Withheld], Verdict::Unknown),
            (vec![Silent, Silent], Verdict::Unknown),
            (vec![], Verdict::Unknown),
        ] {
            assert_eq!(Verdict::of(&findings), verdict, "{findings:?}");
        }
    }
}
