//! How much a job demands of whoever runs it.

use std::fmt;
use std::str::FromStr;

/// A floor, not a label: what cannot be met is refused, never downgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// Sealed data, commitment and sampled replay, any eligible provider.
    #[default]
    Standard,
    /// Standard, and an audited provider in a region with evidence.
    High,
    /// High, and a known legal entity on attested hardware.
    Critical,
}

/// What is known about the party behind an offer, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Assurance {
    /// Only what the provider says of itself.
    #[default]
    Claimed,
    /// An auditor we trust has signed for it.
    Audited,
    /// Audited, a known legal entity, and the hardware attests itself.
    Attested,
}

impl Level {
    /// The least that must be known of a provider at this level.
    pub const fn assurance(self) -> Assurance {
        match self {
            Self::Standard => Assurance::Claimed,
            Self::High => Assurance::Audited,
            Self::Critical => Assurance::Attested,
        }
    }

    /// The name in job files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Standard, Self::High, Self::Critical]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a level: standard, high or critical"))
    }
}
