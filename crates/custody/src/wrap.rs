//! Data keys wrapped to the parties that may open an object: HPKE (RFC 9180) in base mode with DHKEM(X25519,
//! HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. A wrapped key is the encapsulated key (32 bytes) ‖ ciphertext (48 bytes).

use std::fmt;
use std::str::FromStr;

use domain::Entropy;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use crate::DataKey;
use crate::entropy::Rng;

type Suite = X25519HkdfSha256;
type Private = <Suite as Kem>::PrivateKey;
type Public = <Suite as Kem>::PublicKey;
type Encapped = <Suite as Kem>::EncappedKey;

const KEY: usize = 32;

/// The public half of an X25519 key: whom something is wrapped to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; KEY]);

/// A text is not a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an X25519 public key: 64 hex digits are needed")]
pub struct PublicKeyError;

/// A data key could not be wrapped or unwrapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// The public key is not a point to which anything can be wrapped.
    #[error("nothing can be wrapped to this public key")]
    Wrap,
    /// It was wrapped to another key or for another purpose, or was changed.
    #[error("the wrapped key does not open: it was wrapped to another key or changed")]
    Unwrap,
}

/// A private X25519 key, held in memory. Wiped when dropped, never printed.
pub struct InstanceKey {
    private: Private,
    public: PublicKey,
}

impl InstanceKey {
    /// A fresh key.
    pub fn mint(entropy: &dyn Entropy) -> Self {
        let (private, public) = Suite::gen_keypair_with_rng(&mut Rng(entropy));
        Self { private, public: public_of(&public) }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let private = Private::from_bytes(bytes).ok()?;
        let public = public_of(&Suite::sk_to_pk(&private));
        Some(Self { private, public })
    }

    pub(crate) fn bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.private.to_bytes().to_vec())
    }

    /// Its public half.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Unwraps a data key that was wrapped to this key for `info`.
    ///
    /// # Errors
    /// `Unwrap`.
    pub fn unwrap_key(&self, wrapped: &[u8], info: &[u8]) -> Result<DataKey, WrapError> {
        if wrapped.len() < KEY {
            return Err(WrapError::Unwrap);
        }
        let (encapped, ciphertext) = wrapped.split_at(KEY);
        let encapped = Encapped::from_bytes(encapped).map_err(|_| WrapError::Unwrap)?;
        let plain = hpke::single_shot_open::<AesGcm256, HkdfSha256, Suite>(
            &OpModeR::Base,
            &self.private,
            &encapped,
            info,
            ciphertext,
            b"",
        )
        .map(Zeroizing::new)
        .map_err(|_| WrapError::Unwrap)?;
        let bytes: [u8; KEY] = plain.as_slice().try_into().map_err(|_| WrapError::Unwrap)?;
        Ok(DataKey::from_bytes(bytes))
    }
}

/// Wraps a data key to a public key for `info`.
///
/// # Errors
/// `Wrap` for a public key that is no usable point.
pub fn wrap(key: &DataKey, to: &PublicKey, info: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, WrapError> {
    let to = Public::from_bytes(&to.0).map_err(|_| WrapError::Wrap)?;
    let (encapped, ciphertext) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, Suite>(
        &OpModeS::Base,
        &to,
        info,
        key.bytes(),
        b"",
        &mut Rng(entropy),
    )
    .map_err(|_| WrapError::Wrap)?;
    let mut out = encapped.to_bytes().to_vec();
    out.extend_from_slice(&ciphertext);
    Ok(out)
}

fn public_of(public: &Public) -> PublicKey {
    let mut bytes = [0u8; KEY];
    bytes.copy_from_slice(&public.to_bytes());
    PublicKey(bytes)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let mut bytes = [0u8; KEY];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| PublicKeyError)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;

    #[test]
    fn only_the_party_it_was_wrapped_to_can_unwrap_and_only_for_that_purpose() {
        let (alice, mallory) = (InstanceKey::mint(&OsEntropy), InstanceKey::mint(&OsEntropy));
        let key = DataKey::mint(&OsEntropy);
        let wrapped = wrap(&key, &alice.public(), b"purpose", &OsEntropy).unwrap();
        assert_eq!(alice.unwrap_key(&wrapped, b"purpose").unwrap().bytes(), key.bytes());
        assert!(alice.unwrap_key(&wrapped, b"other").is_err());
        assert!(mallory.unwrap_key(&wrapped, b"purpose").is_err());
        for at in 0..wrapped.len() {
            let mut bad = wrapped.clone();
            bad[at] ^= 1;
            assert!(alice.unwrap_key(&bad, b"purpose").is_err(), "byte {at}");
        }
        assert!(alice.unwrap_key(&wrapped[..10], b"purpose").is_err());
    }

    #[test]
    fn a_key_comes_back_from_its_bytes() {
        let key = InstanceKey::mint(&OsEntropy);
        let again = InstanceKey::from_bytes(&key.bytes()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), key.public());
    }
}
