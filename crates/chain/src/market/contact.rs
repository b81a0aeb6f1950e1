//! Where a lease's agent reports to. It stands on chain for everybody to read, and holds no secret.
//!
//! `version u8 = 1 | lease 10 bytes | execution 10 bytes | SHA-256 of the server's certificate 32 bytes | URL, UTF-8`

use alloy::primitives::{B256, keccak256};
use domain::{ExecutionId, LeaseId};

const VERSION: u8 = 1;
const ID_BYTES: usize = 10;
const PIN_BYTES: usize = 32;
const URL_BYTES_MAX: usize = 256;
const CONTACT_BYTES_MIN: usize = CONTACT_BYTES_MAX - URL_BYTES_MAX + 1;
/// The longest contact.
pub const CONTACT_BYTES_MAX: usize = 1 + 2 * ID_BYTES + PIN_BYTES + URL_BYTES_MAX;

/// Where an agent reports to, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The consumer's name for the lease.
    pub lease: LeaseId,
    /// What the agent works on.
    pub execution: ExecutionId,
    /// SHA-256 of the server's certificate (DER).
    pub pin: [u8; PIN_BYTES],
    /// Base URL of the agent API.
    pub url: String,
}

/// Bytes are no contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// Too short for its fixed parts, or longer than any.
    #[error("a contact has {CONTACT_BYTES_MIN} to {CONTACT_BYTES_MAX} bytes, this has {0}")]
    Length(usize),
    /// Written by another version.
    #[error("the contact has version {0}, this program reads {VERSION}")]
    Version(u8),
    /// The address is not one of HTTPS in plain characters.
    #[error("the contact's address is no https:// URL in printable ASCII")]
    Url,
}

impl Contact {
    /// As it goes on chain.
    ///
    /// # Errors
    /// When the URL is none that [`Self::from_bytes`] would take.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ContactError> {
        let bytes =
            [&[VERSION][..], &self.lease.bytes(), &self.execution.bytes(), &self.pin, self.url.as_bytes()]
                .concat();
        Self::from_bytes(&bytes).map(|_| bytes)
    }

    /// Reads what a stranger wrote.
    ///
    /// # Errors
    /// When it is no contact, or one that could lead an agent or a terminal astray.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContactError> {
        let wrong_length = ContactError::Length(bytes.len());
        if bytes.len() > CONTACT_BYTES_MAX {
            return Err(wrong_length);
        }
        let (version, rest) = bytes.split_first().ok_or(wrong_length)?;
        if *version != VERSION {
            return Err(ContactError::Version(*version));
        }
        let (lease, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or(wrong_length)?;
        let (execution, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or(wrong_length)?;
        let (pin, url) = rest.split_first_chunk::<PIN_BYTES>().ok_or(wrong_length)?;
        if url.is_empty() {
            return Err(wrong_length);
        }
        let url = std::str::from_utf8(url).map_err(|_| ContactError::Url)?;
        let host = url.strip_prefix("https://").ok_or(ContactError::Url)?;
        if host.is_empty() || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ContactError::Url);
        }
        Ok(Self {
            lease: LeaseId::from_bytes(*lease),
            execution: ExecutionId::from_bytes(*execution),
            pin: *pin,
            url: url.to_owned(),
        })
    }

    /// What an order says of a contact with these bytes.
    pub fn hash(bytes: &[u8]) -> B256 {
        keccak256(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(url: &str) -> Contact {
        Contact {
            lease: LeaseId::from_bytes([1; 10]),
            execution: ExecutionId::from_bytes([2; 10]),
            pin: [3; 32],
            url: url.to_owned(),
        }
    }

    #[test]
    fn contact_comes_back_from_its_bytes() {
        for url in
            ["https://127.0.0.1:7443", "https://a", &format!("https://{}", "h".repeat(URL_BYTES_MAX - 8))]
        {
            let bytes = contact(url).to_bytes().unwrap();
            assert_eq!(Contact::from_bytes(&bytes), Ok(contact(url)));
            assert!(bytes.len() <= CONTACT_BYTES_MAX);
        }
    }

    #[test]
    fn contact_of_a_stranger_is_read_with_care() {
        let good = contact("https://a").to_bytes().unwrap();
        for cut in 0..54 {
            let cut = &good[..cut.min(53)];
            assert!(matches!(Contact::from_bytes(cut), Err(ContactError::Length(_))), "{}", cut.len());
        }
        let mut other = good.clone();
        other[0] = 2;
        assert_eq!(Contact::from_bytes(&other), Err(ContactError::Version(2)));
        let long = [&good[..], &[b'a'; URL_BYTES_MAX]].concat();
        assert_eq!(Contact::from_bytes(&long), Err(ContactError::Length(long.len())));
        for url in
            ["http://a", "https://", "https://a b", "https://a\n", "https://\u{1b}[2J", "https://ä", "a"]
        {
            assert_eq!(contact(url).to_bytes(), Err(ContactError::Url), "{url:?}");
        }
        assert_eq!(Contact::from_bytes(&[&good[..53], &[0xff]].concat()), Err(ContactError::Url));
    }
}
