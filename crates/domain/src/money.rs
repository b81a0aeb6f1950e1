//! Money in whole micro-dollars and prices per hour.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use crate::Millis;

/// An amount in micro-dollars (1 USD = 1,000,000). Kept in a 64-bit column, so readers accept no larger amount.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Usd(i128);

/// A price per hour, exact to a micro-dollar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UsdPerHour(Usd);

/// A text is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number.
    #[error("`{0}` is not an amount in dollars: write for example 2, 2.50 or 0.000125")]
    NotDecimal(String),
    /// More precise than a micro-dollar.
    #[error("`{0}` is finer than a micro-dollar: at most six digits may follow the point")]
    TooFine(String),
    /// Does not fit the 64-bit column.
    #[error("`{0}` is more than an account can hold")]
    TooLarge(String),
}

const MICROS_PER_USD: i128 = 1_000_000;

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// This many micro-dollars.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros as i128)
    }

    /// The amount in micro-dollars.
    pub const fn micros(self) -> i128 {
        self.0
    }

    /// The amount for a 64-bit column; amounts beyond it are capped there, which no parsed amount reaches.
    pub fn column(self) -> i64 {
        i64::try_from(self.0).unwrap_or(if self.0 < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whether it is less than nothing.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// `self - other`, at least nothing.
    pub fn less(self, other: Self) -> Self {
        Self((self.0 - other.0).max(0))
    }

    /// So many times as much.
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n as i128))
    }

    /// One of `parts` equal parts, rounded up; all of it for none.
    pub fn share(self, parts: u32) -> Self {
        let parts = i128::from(parts.max(1));
        Self((self.0 + parts - 1).div_euclid(parts))
    }

    /// `self` scaled by `basis_points` / 10,000, rounded up.
    pub const fn basis_points(self, basis_points: u32) -> Self {
        Self((self.0 * basis_points as i128 + 9_999).div_euclid(10_000))
    }
}

impl UsdPerHour {
    /// The price of one hour.
    pub const fn new(per_hour: Usd) -> Self {
        Self(per_hour)
    }

    /// The price of one hour.
    pub const fn per_hour(self) -> Usd {
        self.0
    }

    /// What `span` costs at this price, rounded up to a micro-dollar: this is the one place where a charge is rounded.
    pub const fn charge(self, span: Millis) -> Usd {
        let hour = Millis::HOUR.0 as i128;
        Usd((self.0.0 * span.0 as i128 + hour - 1).div_euclid(hour))
    }

    /// The longest span that costs no more than `amount` at this price; without end where it costs nothing.
    pub fn affords(self, amount: Usd) -> Millis {
        if self.0.0 <= 0 {
            return Millis(u64::MAX);
        }
        let span = amount.0.max(0) * i128::from(Millis::HOUR.0) / self.0.0;
        Millis(u64::try_from(span).unwrap_or(u64::MAX))
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, rhs: Self) {
        self.0 += rhs.0;
    }
}

impl Sub for Usd {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Usd {
    /// A decimal with two to six digits after the point: `2.00`, `0.000125`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        let unit = MICROS_PER_USD.unsigned_abs();
        let mut fraction = format!("{:06}", micros % unit);
        while fraction.len() > 2 && fraction.ends_with('0') {
            fraction.pop();
        }
        f.pad(&format!("{sign}{}.{fraction}", micros / unit))
    }
}

impl fmt::Debug for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${self}")
    }
}

impl fmt::Display for UsdPerHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for UsdPerHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${self}/h")
    }
}

impl FromStr for Usd {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let shown = || text.chars().take(40).collect::<String>();
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
            return Err(MoneyError::NotDecimal(shown()));
        }
        if fraction.len() > 6 {
            return Err(MoneyError::TooFine(shown()));
        }
        let parse = |s: &str| s.parse::<i64>().map_err(|_| MoneyError::TooLarge(shown()));
        let micros =
            i128::from(parse(whole)?) * MICROS_PER_USD + i128::from(parse(&format!("{fraction:0<6}"))?);
        if micros > i128::from(i64::MAX) {
            return Err(MoneyError::TooLarge(shown()));
        }
        Ok(Self(sign * micros))
    }
}

impl FromStr for UsdPerHour {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        text.parse().map(Self)
    }
}

crate::text::text_serde!(Usd, UsdPerHour);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_charge_is_rounded_up_once() {
        let price: UsdPerHour = "0.36".parse().unwrap();
        assert_eq!(price.charge(Millis(1000)), "0.0001".parse().unwrap());
        assert_eq!(price.charge(Millis(1)), Usd::from_micros(1));
        assert_eq!(price.charge(Millis(0)), Usd::ZERO);
        assert_eq!(Usd::from_micros(1).basis_points(1), Usd::from_micros(1));
    }

    #[test]
    fn malformed_amounts_are_refused_with_the_reason() {
        for text in ["", ".", "1.", "-", "1e3", "0x1", " 1", "1,5", "--1"] {
            assert!(matches!(text.parse::<Usd>(), Err(MoneyError::NotDecimal(_))), "{text}");
        }
        assert!(matches!("0.0000001".parse::<Usd>(), Err(MoneyError::TooFine(_))));
        assert!(matches!("9223372036855".parse::<Usd>(), Err(MoneyError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn money_text_round_trips(micros in -i64::MAX..i64::MAX) {
            let amount = Usd::from_micros(micros);
            prop_assert_eq!(amount.to_string().parse::<Usd>().unwrap(), amount);
        }
    }
}
