//! One id type per noun, from a single append-only list.

use crate::Entropy;

/// Crockford's base 32 alphabet in lower case: no i, l, o, u, so an id can be read aloud.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BYTES: usize = 10;
const CHARS: usize = 16;

/// A text is not an id of the expected noun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {noun} id: it has the form {prefix} and 16 letters or digits")]
pub struct IdError {
    text: String,
    noun: &'static str,
    prefix: &'static str,
}

fn encode(bytes: [u8; BYTES]) -> String {
    let mut value = bytes.iter().fold(0u128, |acc, b| (acc << 8) | u128::from(*b));
    let mut out = [0u8; CHARS];
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    out.iter().map(|b| char::from(*b)).collect()
}

fn decode(text: &str) -> Option<[u8; BYTES]> {
    if text.len() != CHARS {
        return None;
    }
    let mut value = 0u128;
    for c in text.bytes() {
        let digit = ALPHABET.iter().position(|a| *a == c)?;
        value = (value << 5) | digit as u128;
    }
    let mut out = [0u8; BYTES];
    out.copy_from_slice(&value.to_be_bytes()[16 - BYTES..]);
    Some(out)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $noun:literal, $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; BYTES]);

        impl $name {
            /// What stands before the 16 letters or digits.
            pub const PREFIX: &'static str = $prefix;

            /// A new id of 80 random bits.
            pub fn mint(entropy: &dyn Entropy) -> Self {
                let mut bytes = [0u8; BYTES];
                entropy.fill(&mut bytes);
                Self(bytes)
            }

            /// The id with these bytes, for ids that follow from others.
            pub const fn from_bytes(bytes: [u8; BYTES]) -> Self {
                Self(bytes)
            }

            /// The bytes of the id.
            pub const fn bytes(&self) -> [u8; BYTES] {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}{}", $prefix, encode(self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix).and_then(decode).map(Self).ok_or_else(|| IdError {
                    text: text.chars().take(40).collect(),
                    noun: $noun,
                    prefix: $prefix,
                })
            }
        }

        crate::text::text_serde!($name);
    )*};
}

ids! {
    /// A job.
    JobId, "job", "j_";
    /// A placement: one immutable plan.
    PlacementId, "placement", "p_";
    /// A lease.
    LeaseId, "lease", "l_";
    /// An execution: one attempt of a job.
    ExecutionId, "execution", "x_";
    /// Money set aside.
    HoldId, "hold", "h_";
    /// A sealed object: inputs, a checkpoint, outputs.
    ObjectId, "object", "o_";
    /// Whose money it is.
    AccountId, "account", "a_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_text_round_trips_and_other_nouns_are_refused() {
        let id = JobId::from_bytes([0, 1, 2, 3, 4, 250, 251, 252, 253, 255]);
        assert_eq!(id.to_string().len(), 18);
        assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
        assert!(id.to_string().parse::<LeaseId>().is_err());
        assert!("j_ilou000000000000".parse::<JobId>().is_err());
        assert!("j_".parse::<JobId>().is_err());
    }
}
