//! Places. A region is a path of names from wide to narrow, e.g. `EU`, `EU-DE`, `US-CA-SF`.

use std::fmt;
use std::str::FromStr;

/// Where compute stands, or may stand. The first part is a continent-sized area (`EU`, `US`, `ASIA`), the next
/// usually an ISO 3166 country code, the rest the network's own names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

/// A text is not a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a region: write names of letters and digits joined by `-`, for example EU, EU-DE or US-CA"
)]
pub struct RegionError(String);

const CHARS_MAX: usize = 40;

impl Region {
    /// Whether `place` lies in this region: `EU` holds `EU` and `EU-DE`, not `EUR`.
    pub fn holds(&self, place: &Region) -> bool {
        place.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        let part_ok = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric());
        if text.len() > CHARS_MAX || !text.split('-').all(part_ok) {
            return Err(RegionError(text.chars().take(CHARS_MAX).collect()));
        }
        Ok(Self(text.to_ascii_uppercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_holds_its_parts_and_no_namesake() {
        let eu: Region = "eu".parse().unwrap();
        assert!(eu.holds(&"EU-DE".parse().unwrap()));
        assert!(eu.holds(&eu));
        assert!(!eu.holds(&"EUR".parse().unwrap()));
        assert!(!"EU-DE".parse::<Region>().unwrap().holds(&eu));
        assert!("EU--DE".parse::<Region>().is_err());
    }
}
