//! Ed25519 signatures (RFC 8032), each for one named purpose: what is signed is `purpose` ‖ 0x00 ‖ message, so that a
//! signature made for one purpose proves nothing for another. A purpose is a constant of its caller and has no zero byte.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// Signs messages for a purpose.
pub trait Signer: Send + Sync {
    /// The public key, 32 bytes in hex.
    fn public_key(&self) -> String;

    /// The signature, 64 bytes in hex.
    fn sign(&self, purpose: &str, message: &[u8]) -> String;
}

/// A signing key held in memory. Wiped when dropped, never printed.
pub struct LocalSigner(SigningKey);

/// A key is malformed or a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The key is not 32 bytes, or none of its curve.
    #[error("not a key of this kind")]
    Key,
    /// The signature is not by this key over this message for this purpose.
    #[error("the signature does not hold")]
    Signature,
}

impl LocalSigner {
    pub(crate) fn from_seed(seed: &[u8]) -> Result<Self, SignerError> {
        seed.try_into().map(|seed| Self(SigningKey::from_bytes(seed))).map_err(|_| SignerError::Key)
    }
}

impl Signer for LocalSigner {
    fn public_key(&self) -> String {
        hex::encode(self.0.verifying_key().as_bytes())
    }

    fn sign(&self, purpose: &str, message: &[u8]) -> String {
        hex::encode(self.0.sign(&framed(purpose, message)).to_bytes())
    }
}

/// Checks a signature, strictly: a weak key, under which one signature holds for many messages, is refused too.
///
/// # Errors
/// `Key` or `Signature`.
pub fn verify(public_key: &str, purpose: &str, message: &[u8], signature: &str) -> Result<(), SignerError> {
    let (mut key, mut bytes) = ([0u8; 32], [0u8; 64]);
    hex::decode_to_slice(public_key, &mut key).map_err(|_| SignerError::Key)?;
    hex::decode_to_slice(signature, &mut bytes).map_err(|_| SignerError::Signature)?;
    VerifyingKey::from_bytes(&key)
        .map_err(|_| SignerError::Key)?
        .verify_strict(&framed(purpose, message), &Signature::from_bytes(&bytes))
        .map_err(|_| SignerError::Signature)
}

fn framed(purpose: &str, message: &[u8]) -> Vec<u8> {
    let mut out = purpose.as_bytes().to_vec();
    out.push(0);
    out.extend_from_slice(message);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_and_purpose_only() {
        let signer = LocalSigner::from_seed(&[3; 32]).unwrap();
        let signature = signer.sign("receipt", b"paid");
        let key = signer.public_key();
        assert_eq!(verify(&key, "receipt", b"paid", &signature), Ok(()));
        assert_eq!(verify(&key, "audit", b"paid", &signature), Err(SignerError::Signature));
        assert_eq!(verify(&key, "receipt", b"paid!", &signature), Err(SignerError::Signature));
        assert_eq!(verify("00", "receipt", b"paid", &signature), Err(SignerError::Key));
        assert_eq!(verify(&key, "receipt", b"paid", "00"), Err(SignerError::Signature));
    }

    // Seed and public key: RFC 8032, section 7.1, test 1. Ed25519 is deterministic, so two libraries must agree in every byte.
    #[test]
    fn another_library_agrees_on_key_and_signature() {
        use ring::signature::{Ed25519KeyPair, KeyPair};
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let signer = LocalSigner::from_seed(&seed).unwrap();
        let other = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        assert_eq!(signer.public_key(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(signer.public_key(), hex::encode(other.public_key()));
        assert_eq!(signer.sign("receipt", b"paid"), hex::encode(other.sign(b"receipt\0paid")));
    }

    // With the neutral point as key and as R, and S = 0, the plain verification equation holds for every message.
    #[test]
    fn a_weak_key_vouches_for_nothing() {
        let neutral = format!("01{}", "00".repeat(31));
        let forged = format!("{neutral}{}", "00".repeat(32));
        assert_eq!(verify(&neutral, "receipt", b"anything", &forged), Err(SignerError::Signature));
    }
}
