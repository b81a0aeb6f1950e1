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

    /// Hands out fixed bytes, as a test vector needs them.
    struct Fixed(Vec<u8>);

    impl Entropy for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.copy_from_slice(&self.0);
        }
    }

    // The vector of RFC 9180's official set with mode 0, kem_id 32, kdf_id 1 and aead_id 2. Its own plaintexts are bound to
    // associated data that we do not use, so our data key is checked under its `key` and `base_nonce` with another AEAD.
    #[test]
    fn wrapping_follows_the_official_vector_of_this_suite() {
        use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let bytes = |text: &str| hex::decode(text).unwrap();
        let info = bytes("4f6465206f6e2061204772656369616e2055726e");
        let ikm_r = bytes("dac33b0e9db1b59dbbea58d59a14e7b5896e9bdf98fad6891e99d1686492b9ee");
        let ikm_e = bytes("2cd7c601cefb3d42a62b04b7a9041494c06c7843818e0ce28a8f704ae7ab20f9");
        let sk_r = bytes("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d");
        let pk_r = "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c";
        let enc = bytes("6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256");
        let key = bytes("f50b0609186798729ed0564b36ef2ef8044f1f9d05636874d1f46c819c7a669f");
        let base_nonce: [u8; 12] = bytes("151d9929e2449747889bc923").try_into().unwrap();

        let recipient = InstanceKey::mint(&Fixed(ikm_r));
        assert_eq!(recipient.public().to_string(), pk_r);
        // The library keeps the scalar clamped, so the private keys are compared by what they do.
        let recipient = InstanceKey::from_bytes(&sk_r).unwrap();
        assert_eq!(recipient.public().to_string(), pk_r);

        let data_key = DataKey::mint(&OsEntropy);
        let mut expected = data_key.bytes().to_vec();
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap())
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(base_nonce), Aad::empty(), &mut expected)
            .unwrap();
        let expected = [enc, expected].concat();
        assert_eq!(wrap(&data_key, &recipient.public(), &info, &Fixed(ikm_e)).unwrap(), expected);
        assert_eq!(recipient.unwrap_key(&expected, &info).unwrap().bytes(), data_key.bytes());
    }

    #[test]
    fn nothing_is_wrapped_to_a_point_that_shares_no_secret() {
        let key = DataKey::mint(&OsEntropy);
        assert_eq!(wrap(&key, &PublicKey([0; KEY]), b"", &OsEntropy), Err(WrapError::Wrap));
    }

    #[test]
    fn a_key_comes_back_from_its_bytes() {
        let key = InstanceKey::mint(&OsEntropy);
        let again = InstanceKey::from_bytes(&key.bytes()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), key.public());
    }
}
