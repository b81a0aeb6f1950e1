//! What a caller decides: arguments, and the environment of a replayable workload.

use std::path::PathBuf;
use std::str::FromStr;

use crate::error::Error;
use crate::network::HIDDEN_MAX;

const EPOCHS_MAX: u32 = 10_000;
const SEGMENTS_MAX: u32 = 10_000;

/// The arguments of `digits-train`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Args {
    /// Passes over the training part, 1 to 10,000.
    pub epochs: u32,
    /// Units of the hidden layer, 1 to 512.
    pub hidden: u32,
    /// Step length; `None` takes the variable `LEARNING_RATE`, or else 0.05.
    pub learning_rate: Option<LearningRate>,
}

impl Default for Args {
    fn default() -> Self {
        Self { epochs: 30, hidden: 256, learning_rate: None }
    }
}

impl Args {
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (name, value, max) in [("epochs", self.epochs, EPOCHS_MAX), ("hidden", self.hidden, HIDDEN_MAX)] {
            if !(1..=max).contains(&value) {
                return Err(Error::Argument { name, value, max });
            }
        }
        Ok(())
    }
}

/// A step length above 0 and at most 1, rounded to a multiple of 1/65536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearningRate(pub(crate) i32);

impl LearningRate {
    /// 0.05.
    pub const DEFAULT: Self = Self(3277);
    const EXPECTED: &'static str = "a decimal number from 0.00001 to 1 with at most 9 decimals, such as 0.05";
}

/// Text that is not a [`LearningRate`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", LearningRate::EXPECTED)]
pub struct NotALearningRate;

impl FromStr for LearningRate {
    type Err = NotALearningRate;

    fn from_str(text: &str) -> Result<Self, NotALearningRate> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_number =
            |digits: &str| (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) {
            return Err(NotALearningRate);
        }
        let parse = |digits: &str| digits.parse::<u64>().map_err(|_| NotALearningRate);
        let unit = 10_u64.pow(fraction.len() as u32);
        let rate = (((parse(whole)? * unit + parse(fraction)?) << 16) + unit / 2) / unit;
        match i32::try_from(rate) {
            Ok(rate @ 1..=65_536) => Ok(Self(rate)),
            _ => Err(NotALearningRate),
        }
    }
}

/// What the agent (or nobody) put into the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Env {
    pub(crate) segments: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) checkpoint_dir: Option<PathBuf>,
    pub(crate) output_dir: PathBuf,
    pub(crate) learning_rate: Option<LearningRate>,
}

impl Env {
    /// Reads the variables through `var`, which answers `None` for one that is not set.
    ///
    /// | variable | meaning | default |
    /// |---|---|---|
    /// | `WAAG_SEGMENTS` | segments of the whole run, 1 to 10,000 | 32 |
    /// | `WAAG_SEGMENT_FROM` | first segment to run | 0 |
    /// | `WAAG_SEGMENT_TO` | the segment before which to stop | `WAAG_SEGMENTS` |
    /// | `WAAG_CHECKPOINT_DIR` | folder of the states | none: states are not kept |
    /// | `WAAG_OUTPUT_DIR` | folder of the results | `/outputs` |
    /// | `LEARNING_RATE` | step length, see [`LearningRate`] | 0.05 |
    ///
    /// # Errors
    ///
    /// [`Error::Variable`] names the variable that cannot be read, [`Error::Range`] a range that is none.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let count = |name, default| match var(name) {
            None => Ok(default),
            Some(value) => match value.parse() {
                Ok(count) if count <= SEGMENTS_MAX => Ok(count),
                _ => Err(Error::Variable { name, value, expected: "a whole number up to 10000" }),
            },
        };
        let folder = |name| match var(name) {
            Some(value) if value.is_empty() => Err(Error::Variable { name, value, expected: "a folder" }),
            value => Ok(value.map(PathBuf::from)),
        };
        let segments = count("WAAG_SEGMENTS", 32)?;
        let from = count("WAAG_SEGMENT_FROM", 0)?;
        let to = count("WAAG_SEGMENT_TO", segments)?;
        if segments == 0 || from > to || to > segments {
            return Err(Error::Range { from, to, segments });
        }
        let learning_rate = match var("LEARNING_RATE") {
            None => None,
            Some(value) => Some(value.parse().map_err(|_| Error::Variable {
                name: "LEARNING_RATE",
                value,
                expected: LearningRate::EXPECTED,
            })?),
        };
        Ok(Self {
            segments,
            from,
            to,
            checkpoint_dir: folder("WAAG_CHECKPOINT_DIR")?,
            output_dir: folder("WAAG_OUTPUT_DIR")?.unwrap_or_else(|| "/outputs".into()),
            learning_rate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rates_are_decimal_numbers_up_to_one() {
        for (text, rate) in [("0.05", 3277), ("1", 65_536), ("0.000010", 1), ("00.500000000", 32_768)] {
            let parsed: LearningRate = text.parse().unwrap();
            assert_eq!(parsed.0, rate, "{text}");
        }
        for text in [
            "",
            ".",
            "0",
            "0.0",
            "1.1",
            "-0.1",
            "+0.1",
            "0.000001",
            ".5",
            "5.",
            "1e-3",
            "0,1",
            "0.1234567890",
        ] {
            assert_eq!(text.parse::<LearningRate>(), Err(NotALearningRate), "{text}");
        }
    }

    #[test]
    fn variables_that_make_no_sense_are_named() {
        for (name, value, message) in [
            ("WAAG_SEGMENTS", "many", "WAAG_SEGMENTS is `many`: expected a whole number up to 10000"),
            ("WAAG_SEGMENTS", "10001", "WAAG_SEGMENTS is `10001`: expected a whole number up to 10000"),
            ("WAAG_SEGMENTS", "0", "segments 0 to 0 of 0 are not a range"),
            ("WAAG_SEGMENT_FROM", "33", "segments 33 to 32 of 32 are not a range"),
            ("WAAG_SEGMENT_TO", "33", "segments 0 to 33 of 32 are not a range"),
            ("WAAG_CHECKPOINT_DIR", "", "WAAG_CHECKPOINT_DIR is ``: expected a folder"),
            ("LEARNING_RATE", "fast", "LEARNING_RATE is `fast`: expected a decimal number"),
        ] {
            let env = Env::from_vars(|asked| (asked == name).then(|| value.to_owned()));
            let error = env.unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
