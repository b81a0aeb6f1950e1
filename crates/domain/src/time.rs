//! Points in time and lengths of time, in milliseconds.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// A text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time: write for example 90s, 30m, 2h or 1h 30m")]
pub struct TimeError(String);

/// A text is not a point in time as we write it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a point in time with milliseconds in UTC: write for example 2023-11-14T22:13:20.123Z")]
pub struct TimestampError(String);

impl Millis {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One hour.
    pub const HOUR: Self = Self(3_600_000);

    /// Whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// As the standard library's type.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// `self` times `n`, at most the largest length.
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

impl Timestamp {
    /// The length from `earlier` to `self`; zero when `earlier` is later (a clock may be set back).
    pub const fn since(self, earlier: Self) -> Millis {
        let delta = self.0.saturating_sub(earlier.0);
        Millis(if delta < 0 { 0 } else { delta.unsigned_abs() })
    }
}

impl Add<Millis> for Timestamp {
    type Output = Self;
    fn add(self, rhs: Millis) -> Self {
        Self(self.0.saturating_add_unsigned(rhs.0))
    }
}

impl Sub<Millis> for Timestamp {
    type Output = Self;
    fn sub(self, rhs: Millis) -> Self {
        Self(self.0.saturating_sub_unsigned(rhs.0))
    }
}

impl Add for Millis {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = UNIX_EPOCH + Duration::from_millis(self.0.max(0).unsigned_abs());
        write!(f, "{}", humantime::format_rfc3339_millis(at))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let refused = || TimestampError(text.chars().take(40).collect());
        let at = humantime::parse_rfc3339(text).map_err(|_| refused())?;
        let since = at.duration_since(UNIX_EPOCH).map_err(|_| refused())?;
        let read = i64::try_from(since.as_millis()).map(Self).map_err(|_| refused())?;
        if read.to_string() == text { Ok(read) } else { Err(refused()) }
    }
}

impl fmt::Display for Millis {
    /// As a person writes it: `2h`, `1m 30s`, `250ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.duration()))
    }
}

impl FromStr for Millis {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let parsed =
            humantime::parse_duration(text.trim()).map_err(|_| TimeError(text.chars().take(40).collect()))?;
        u64::try_from(parsed.as_millis()).map(Self).map_err(|_| TimeError(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_and_print_as_people_write_them() {
        assert_eq!("2h".parse::<Millis>().unwrap(), Millis(7_200_000));
        assert_eq!(Millis(90_000).to_string(), "1m 30s");
        assert_eq!(Timestamp(1_700_000_000_123).to_string(), "2023-11-14T22:13:20.123Z");
        assert!("soon".parse::<Millis>().is_err());
        assert_eq!("2023-11-14T22:13:20.123Z".parse(), Ok(Timestamp(1_700_000_000_123)));
        for text in ["2023-11-14T22:13:20Z", "2023-11-14 22:13:20.123Z", "1969-12-31T00:00:00.000Z", "now"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert_eq!(Timestamp(5).since(Timestamp(9)), Millis(0));
    }
}
