//! Ed25519 signatures (RFC 8032), each for one named purpose: what is signed is `purpose` ‖ 0x00 ‖ message, so that a
//! signature made for one purpose proves nothing for another.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// Signs messages for a purpose.
pub trait Signer: Send + Sync {
    /// The public key, 32 bytes in hex.
    fn public_key(&self) -> String;

    /// The signature, 64 bytes in hex.
    fn sign(&self, purpose: &str, message: &[u8]) -> String;
}

/// A signing key held in memory.
pub struct LocalSigner(Ed25519KeyPair);

/// A key is malformed or a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The key is not 32 bytes.
    #[error("not an Ed25519 key")]
    Key,
    /// The signature is not by this key over this message for this purpose.
    #[error("the signature does not hold")]
    Signature,
}

impl LocalSigner {
    pub(crate) fn from_seed(seed: &[u8]) -> Result<Self, SignerError> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| SignerError::Key)
    }
}

impl Signer for LocalSigner {
    fn public_key(&self) -> String {
        hex::encode(self.0.public_key())
    }

    fn sign(&self, purpose: &str, message: &[u8]) -> String {
        hex::encode(self.0.sign(&framed(purpose, message)))
    }
}

/// Checks a signature.
///
/// # Errors
/// `Key` or `Signature`.
pub fn verify(public_key: &str, purpose: &str, message: &[u8], signature: &str) -> Result<(), SignerError> {
    let key = hex::decode(public_key).map_err(|_| SignerError::Key)?;
    let signature = hex::decode(signature).map_err(|_| SignerError::Signature)?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&framed(purpose, message), &signature)
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
    }
}
