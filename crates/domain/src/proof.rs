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

/// How far the check of an execution's work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofState {
    /// The provider has yet to stand by its work.
    Awaited,
    /// The request is fixed and its fee held; it is to be sent.
    Requested,
    /// Validators are drawn, replay and speak.
    Open,
    /// There is a verdict.
    Concluded(Verdict),
    /// There will be none.
    Unchecked(Unchecked),
}

/// Why work is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unchecked {
    /// The job asks for no check.
    NotAsked,
    /// The job keeps no states that could be gone on from.
    NoStates,
    /// No segment was committed to.
    NothingCommitted,
    /// No notary is connected.
    NoNotary,
    /// The provider's stake covers that only a share of its work is checked, and this was not in it.
    NotDrawn,
    /// What is left of the budget does not pay the validators.
    BudgetSpent,
    /// The notary did not take the request in time.
    NotOpened,
}

impl ProofState {
    /// The stable code, without the verdict or the reason.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Awaited => "awaited",
            Self::Requested => "requested",
            Self::Open => "open",
            Self::Concluded(_) => "concluded",
            Self::Unchecked(_) => "unchecked",
        }
    }

    /// Whether nothing changes any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Concluded(_) | Self::Unchecked(_))
    }

    /// Whether what was done is not to be built upon: it did not pass where it was checked.
    pub const fn is_refuted(self) -> bool {
        matches!(self, Self::Concluded(Verdict::Failed | Verdict::Disputed))
    }
}

impl Unchecked {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NotAsked,
        Self::NoStates,
        Self::NothingCommitted,
        Self::NoNotary,
        Self::NotDrawn,
        Self::BudgetSpent,
        Self::NotOpened,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::NoStates => "no_states",
            Self::NothingCommitted => "nothing_committed",
            Self::NoNotary => "no_notary",
            Self::NotDrawn => "not_drawn",
            Self::BudgetSpent => "budget_spent",
            Self::NotOpened => "not_opened",
        }
    }

    /// The reason with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
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
