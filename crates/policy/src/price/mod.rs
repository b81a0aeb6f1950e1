//! Prices as networks quote them, in dollars per hour. The quoted price is kept beside the derived one, with the rate, its
//! source and its time; a price of zero is unknown, and none is derived from it.
//!
//! - `bands.rs`: which prices can be those of a model.

mod bands;

use domain::{Conversion, Millis, Quote, Timestamp, Usd, UsdPerHour};

pub use self::bands::{Band, band, plausible};

/// A month is billed as a twelfth of 365 days.
pub const MONTH: Millis = Millis::HOUR.times(730);
/// Digits after the point of a quoted amount; tokens have up to 18.
const AMOUNT_DIGITS: usize = 18;
/// Digits after the point of a rate.
const RATE_DIGITS: usize = 12;

/// What a quoted amount is the price of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// An hour.
    Hour,
    /// A second.
    Second,
    /// A month of 730 hours.
    Month,
    /// A block of a chain, which takes so long on average.
    Block(Millis),
    /// A span that is paid for at once.
    Span(Millis),
}

/// What a quoted amount is counted in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Currency {
    /// Dollars.
    Usd,
    /// Hundredths of a dollar.
    UsCents,
    /// Anything else, at a rate.
    Token {
        /// Its name, e.g. `uact`.
        name: String,
        /// Dollars for one, as a decimal of at most 12 digits after the point.
        usd: String,
        /// Who says so.
        source: String,
        /// When it held.
        at: Timestamp,
    },
}

/// A price cannot be derived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The amount or the rate is no decimal number, or finer than can be counted.
    #[error("`{0}` is not an amount: write a decimal number")]
    NotDecimal(String),
    /// Below zero.
    #[error("`{0}` is below zero, which no price is")]
    Negative(String),
    /// Zero, so unknown.
    #[error("the price is zero, which is how a network says that it does not know")]
    Zero,
    /// A span, a block or a rate of nothing.
    #[error("`{0}` of nothing has no price")]
    Nothing(&'static str),
    /// More than an account can hold.
    #[error("the price is more than can be counted")]
    TooLarge,
}

/// A price in dollars per hour with what it was derived from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Rounded up to a micro-dollar.
    pub price: UsdPerHour,
    /// The price as it was quoted, and how it was converted.
    pub quote: Quote,
}

impl Per {
    /// How long one is, and what it is called.
    const fn span(self) -> (Millis, &'static str) {
        match self {
            Self::Hour => (Millis::HOUR, "h"),
            Self::Second => (Millis(1_000), "s"),
            Self::Month => (MONTH, "month"),
            Self::Block(span) => (span, "block"),
            Self::Span(span) => (span, "span"),
        }
    }
}

impl Currency {
    /// Its name, and dollars for one, in units of 10^-12.
    fn rate(&self) -> Result<(&str, i128), PriceError> {
        match self {
            Self::Usd => Ok(("USD", 1_000_000_000_000)),
            Self::UsCents => Ok(("UScent", 10_000_000_000)),
            Self::Token { name, usd, .. } => match decimal(usd, RATE_DIGITS)? {
                0 => Err(PriceError::Nothing("rate")),
                rate => Ok((name, rate)),
            },
        }
    }
}

/// The price per hour of what is quoted as `amount` for each `per`. `block` and `span` name how long theirs are in the unit that is
/// kept.
///
/// # Errors
/// The amount or the rate is no price.
pub fn derive(amount: &str, per: Per, currency: &Currency) -> Result<Derived, PriceError> {
    let (span, called) = per.span();
    let (name, rate) = currency.rate()?;
    if span == Millis::ZERO {
        return Err(PriceError::Nothing(called));
    }
    let units = decimal(amount, AMOUNT_DIGITS)?;
    let hour = i128::from(Millis::HOUR.0);
    let price = micros(units, rate, hour, i128::from(span.0))?;
    let unit = match per {
        Per::Block(span) | Per::Span(span) => format!("{name}/{called} of {span}"),
        _ => format!("{name}/{called}"),
    };
    let plain = matches!((per, currency), (Per::Hour, Currency::Usd));
    let (source, at) = match currency {
        Currency::Token { source, at, .. } => (source.clone(), *at),
        _ => ("the unit".to_owned(), Timestamp::default()),
    };
    // Digits beyond the twelfth say nothing about money.
    let per_unit = rate.checked_mul(hour).ok_or(PriceError::TooLarge)? / i128::from(span.0);
    let conversion = (!plain).then(|| Conversion { rate: decimal_text(per_unit), source, at });
    Ok(Derived { price, quote: Quote { amount: amount.to_owned(), unit, conversion } })
}

/// One part of a usage vector: what one unit costs, and how many units a job uses in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage<'a> {
    /// What is counted, e.g. `cpu_s`.
    pub counter: &'a str,
    /// For one unit.
    pub amount: &'a str,
    /// Expected in an hour; for seconds of one processor 3,600.
    pub units_per_hour: u64,
}

/// The price per hour of a job that is billed by what it uses. The sum is rounded up, not its parts.
///
/// # Errors
/// An amount or the rate is no price, or all are zero.
pub fn derive_usage(vector: &[Usage<'_>], currency: &Currency) -> Result<Derived, PriceError> {
    let (name, rate) = currency.rate()?;
    let mut units: i128 = 0;
    for part in vector {
        let amount = decimal(part.amount, AMOUNT_DIGITS)?;
        let used = amount.checked_mul(i128::from(part.units_per_hour)).ok_or(PriceError::TooLarge)?;
        units = units.checked_add(used).ok_or(PriceError::TooLarge)?;
    }
    let price = micros(units, rate, 1, 1)?;
    let amounts: Vec<String> = vector
        .iter()
        .map(|part| format!("{} {} x {}", part.counter, part.amount, part.units_per_hour))
        .collect();
    let conversion = match currency {
        Currency::Token { usd, source, at, .. } => {
            Some(Conversion { rate: usd.clone(), source: source.clone(), at: *at })
        }
        _ => Some(Conversion {
            rate: decimal_text(rate),
            source: "the unit".to_owned(),
            at: Timestamp::default(),
        }),
    };
    let quote = Quote { amount: amounts.join(" + "), unit: format!("{name} by use in an hour"), conversion };
    Ok(Derived { price, quote })
}

/// A fee for what is counted, such as GiB of traffic, a month of disk, or gas: rounded up to a micro-dollar; zero stays zero.
///
/// # Errors
/// The amount or the rate is no price.
pub fn fee(amount: &str, units: u64, currency: &Currency) -> Result<Usd, PriceError> {
    let (_, rate) = currency.rate()?;
    let all = decimal(amount, AMOUNT_DIGITS)?.checked_mul(i128::from(units)).ok_or(PriceError::TooLarge)?;
    match micros(all, rate, 1, 1) {
        Ok(price) => Ok(price.per_hour()),
        Err(PriceError::Zero) => Ok(Usd::ZERO),
        Err(error) => Err(error),
    }
}

/// `units x rate x times / over` in micro-dollars, rounded up; units count 10^-18, rates 10^-12.
fn micros(units: i128, rate: i128, times: i128, over: i128) -> Result<UsdPerHour, PriceError> {
    if units == 0 {
        return Err(PriceError::Zero);
    }
    let scale = 10i128.pow(24);
    let product = units.checked_mul(rate).and_then(|product| product.checked_mul(times));
    // Large amounts lose digits that are far below a micro-dollar.
    let micros = match product {
        Some(product) => up(product, scale.checked_mul(over).ok_or(PriceError::TooLarge)?),
        None => {
            let coarse =
                up(units, 1_000_000_000).checked_mul(rate).and_then(|product| product.checked_mul(times));
            up(coarse.ok_or(PriceError::TooLarge)?, (scale / 1_000_000_000) * over)
        }
    };
    i64::try_from(micros).map(|n| UsdPerHour::new(Usd::from_micros(n))).map_err(|_| PriceError::TooLarge)
}

fn up(n: i128, by: i128) -> i128 {
    n / by + i128::from(n % by != 0)
}

/// A decimal number that is not negative, in units of the last of `digits` digits after the point.
fn decimal(text: &str, digits: usize) -> Result<i128, PriceError> {
    let wrong = || PriceError::NotDecimal(text.chars().take(40).collect());
    if text.starts_with('-') {
        return Err(PriceError::Negative(text.chars().take(40).collect()));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty()
        || !all_digits(whole)
        || !all_digits(fraction)
        || fraction.len() > digits
        || text.ends_with('.')
    {
        return Err(wrong());
    }
    format!("{whole}{fraction:0<digits$}").parse().map_err(|_| PriceError::TooLarge)
}

/// A rate in units of 10^-12 as a decimal.
fn decimal_text(rate: i128) -> String {
    let text = format!("{}.{:012}", rate / 1_000_000_000_000, rate % 1_000_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
