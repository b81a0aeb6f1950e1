//! A table of settings, one value each: as a file, and back. What is wrong is said by field, with the fix.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chain::Address;
use domain::{Millis, Usd, UsdPerHour};

pub(crate) const POLL_MIN: Millis = Millis(50);
pub(crate) const POLL_MAX: Millis = Millis(60_000);

/// A setting or the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{path} is not TOML: mend it at the place named")]
    Form {
        /// Which.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// There is no such setting.
    #[error("`{field}` is not a setting here: remove it; the settings are {known}")]
    Unknown {
        /// As it was written.
        field: String,
        /// All there are.
        known: String,
    },
    /// A setting has a value that it cannot have.
    #[error("`{field}` cannot be `{value}`: {why}")]
    Value {
        /// Which.
        field: &'static str,
        /// As it was written.
        value: String,
        /// What is wrong, and what would be right.
        why: String,
    },
}

/// Settings as text, by name.
pub type Given = BTreeMap<String, String>;

/// How a text is taken.
pub(crate) type Set<C> = fn(&mut C, &str) -> Result<(), String>;

/// One setting: its name, one line about it, its default as text, and how a text is taken.
pub(crate) struct Row<C: 'static> {
    pub(crate) key: &'static str,
    pub(crate) about: &'static str,
    pub(crate) default: &'static str,
    pub(crate) set: Set<C>,
}

/// What can be set.
pub(crate) trait Table: Sized + 'static {
    /// Every setting, in the order in which they are written.
    const ROWS: &'static [Row<Self>];
    /// The first line of a file.
    const HEAD: &'static str;

    /// Something to write settings into; every one of its values is replaced by a default at least.
    fn blank() -> Result<Self, ConfigError>;
}

macro_rules! rows {
    ($config:ty: $($key:literal, $about:literal, $default:literal, $set:expr;)*) => {
        &[$(crate::party::settings::Row::<$config> { key: $key, about: $about, default: $default, set: $set },)*]
    };
}
pub(crate) use rows;

/// The settings in `file`; what it does not name has its default.
pub(crate) fn load<C: Table>(file: &Path) -> Result<C, ConfigError> {
    let path = || file.to_owned();
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Read { path: path(), source })?;
    let table: toml::Table =
        text.parse().map_err(|e| ConfigError::Form { path: path(), source: Box::new(e) })?;
    let text_of = |value: toml::Value| match value {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    of(&table.into_iter().map(|(key, value)| (key, text_of(value))).collect())
}

/// The settings with these values, and defaults for the rest.
pub(crate) fn of<C: Table>(given: &Given) -> Result<C, ConfigError> {
    if let Some(field) = given.keys().find(|key| !C::ROWS.iter().any(|row| row.key == key.as_str())) {
        let known = C::ROWS.iter().map(|row| row.key).collect::<Vec<_>>().join(", ");
        return Err(ConfigError::Unknown { field: field.escape_default().to_string(), known });
    }
    let mut config = C::blank()?;
    for row in C::ROWS {
        let text = given.get(row.key).map_or(row.default, String::as_str);
        (row.set)(&mut config, text).map_err(|why| {
            let value = text.chars().take(80).flat_map(char::escape_default).collect();
            ConfigError::Value { field: row.key, value, why }
        })?;
    }
    Ok(config)
}

/// A file with these values and every other setting at its default.
pub(crate) fn file<C: Table>(given: &Given) -> String {
    let mut text = format!("# {}\n", C::HEAD);
    for row in C::ROWS {
        let value = given.get(row.key).map_or(row.default, String::as_str);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n# {}\n{} = {}\n", row.about, row.key, toml::Value::from(value));
    }
    text
}

pub(crate) fn read<T: FromStr<Err: Display>>(slot: &mut T, text: &str) -> Result<(), String> {
    *slot = text.parse().map_err(|e: T::Err| e.to_string())?;
    Ok(())
}

/// An empty text is no value.
pub(crate) fn perhaps<T: FromStr<Err: Display>>(slot: &mut Option<T>, text: &str) -> Result<(), String> {
    *slot = if text.is_empty() { None } else { Some(text.parse().map_err(|e: T::Err| e.to_string())?) };
    Ok(())
}

pub(crate) fn address(slot: &mut Option<Address>, text: &str) -> Result<(), String> {
    perhaps(slot, text).map_err(|_| "write an address: 0x and 40 hexadecimal digits".to_owned())
}

pub(crate) fn number<T: FromStr + PartialOrd + Display + Copy>(
    slot: &mut T,
    text: &str,
    least: T,
    most: T,
) -> Result<(), String> {
    let wrong = || format!("write a whole number from {least} to {most}");
    let value: T = text.parse().map_err(|_| wrong())?;
    if !(least..=most).contains(&value) {
        return Err(wrong());
    }
    *slot = value;
    Ok(())
}

pub(crate) fn limit<T: FromStr + PartialOrd + Display + Copy + From<u8>>(
    slot: &mut Option<T>,
    text: &str,
) -> Result<(), String> {
    let wrong = "write a whole number from 1, or nothing for all that there is";
    *slot = match text {
        "" => None,
        text => {
            let value: T = text.parse().map_err(|_| wrong.to_owned())?;
            Some(value).filter(|value| *value >= T::from(1)).ok_or_else(|| wrong.to_owned())?.into()
        }
    };
    Ok(())
}

pub(crate) fn span(slot: &mut Millis, text: &str, least: Millis, most: Millis) -> Result<(), String> {
    let mut value = Millis::ZERO;
    read(&mut value, text)?;
    if !(least..=most).contains(&value) {
        return Err(format!("write a length of time from {least} to {most}"));
    }
    *slot = value;
    Ok(())
}

pub(crate) fn amount(slot: &mut Option<Usd>, text: &str) -> Result<(), String> {
    perhaps(slot, text)?;
    let negative = slot.is_some_and(Usd::is_negative);
    if negative { Err("write an amount of dollars that is not below nothing".to_owned()) } else { Ok(()) }
}

pub(crate) fn price(slot: &mut UsdPerHour, text: &str) -> Result<(), String> {
    let mut value = UsdPerHour::default();
    read(&mut value, text)?;
    if value.per_hour() <= Usd::ZERO {
        return Err("write a price above nothing, for example 0.50".to_owned());
    }
    *slot = value;
    Ok(())
}

pub(crate) fn url(slot: &mut String, text: &str) -> Result<(), String> {
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Err("write the URL of a JSON-RPC endpoint, for example http://127.0.0.1:8545".to_owned());
    }
    text.clone_into(slot);
    Ok(())
}
