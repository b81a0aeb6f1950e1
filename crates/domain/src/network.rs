//! Names that outside parties gave: networks, providers, and the label by which we find a lease again.

use std::fmt;
use std::str::FromStr;

use crate::LeaseId;

/// A name is empty, too long, or holds characters that could confuse a terminal or a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {noun} name: 1 to {max} lower-case letters, digits, `-`, `_` or `.`")]
pub struct NameError {
    text: String,
    noun: &'static str,
    max: usize,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $noun:literal, $max:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
                if text.is_empty() || text.len() > $max || !text.bytes().all(fits) {
                    let shown = text.chars().flat_map(char::escape_default).take(40).collect();
                    return Err(NameError { text: shown, noun: $noun, max: $max });
                }
                Ok(Self(text.to_owned()))
            }
        }
    )*};
}

names! {
    /// A place where compute can be bought, e.g. `akash` or `sim-auction`.
    NetworkName, "network", 40;
    /// The party that owns a machine, as its network names it.
    ProviderName, "provider", 80;
    /// What a lease is called on its network. It follows from the lease id, so that after a crash the network's own
    /// list tells which lease a purchase belongs to.
    Label, "lease label", 40;
}

impl Label {
    const PREFIX: &'static str = "waag.";

    /// The label of a lease.
    pub fn of(lease: LeaseId) -> Self {
        Self(format!("{}{lease}", Self::PREFIX))
    }

    /// The lease this label belongs to, if we made the label.
    pub fn lease(&self) -> Option<LeaseId> {
        self.0.strip_prefix(Self::PREFIX)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_leads_back_to_its_lease() {
        let lease = LeaseId::from_bytes([7; 10]);
        assert_eq!(Label::of(lease).lease(), Some(lease));
        assert_eq!("other.thing".parse::<Label>().unwrap().lease(), None);
        assert_eq!(Label::of(lease).to_string().parse::<Label>().unwrap(), Label::of(lease));
    }

    #[test]
    fn names_that_could_confuse_a_terminal_are_refused() {
        for text in ["", "a b", "A", "x\u{1b}[31m", "../x/..", &"a".repeat(41)] {
            assert!(text.parse::<NetworkName>().is_err(), "{text:?}");
        }
    }
}
