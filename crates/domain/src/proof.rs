//! What comes of checking work: what a validator finds, and what all of them together come to.

/// What a validator found, by replaying its sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// Every replayed state has the digest that was committed to.
    Same,
    /// At least one has another.
    Differs,
    /// The states could not be opened, through the fault of whoever held them.
    Withheld,
    /// It did not say in time.
    Silent,
}

/// What follows for the work that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// All who spoke found the same: the provider is paid.
    Passed,
    /// All who spoke found the same difference: the provider is slashed where it has a stake, the consumer made whole first.
    Failed,
    /// They do not agree: refund, and nobody is slashed.
    Disputed,
    /// Nobody can say: the holder of the states kept them back, or no validator spoke.
    Unknown,
    /// The difference was planted by the consumer, who is the provider too, to try the validators.
    Canary,
}

impl Finding {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Same, Self::Differs, Self::Withheld, Self::Silent];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Withheld => "withheld",
            Self::Silent => "silent",
        }
    }

    /// The finding with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.code() == code)
    }
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Passed, Self::Failed, Self::Disputed, Self::Unknown, Self::Canary];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Disputed => "disputed",
            Self::Unknown => "unknown",
            Self::Canary => "canary",
        }
    }

    /// The verdict with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back() {
        assert!(Finding::ALL.into_iter().all(|finding| Finding::from_code(finding.code()) == Some(finding)));
        assert!(Verdict::ALL.into_iter().all(|verdict| Verdict::from_code(verdict.code()) == Some(verdict)));
        assert_eq!(Verdict::from_code("perhaps"), None);
    }
}
