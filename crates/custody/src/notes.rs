//! Ed25519 signatures over whole texts, as signed notes have them (c2sp.org/signed-note). A note names its purpose itself,
//! so its text is signed as it stands, by a key that signs nothing else.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::SignerError;

/// Signs notes. Wiped when dropped, never printed.
pub struct NoteSigner(SigningKey);

impl NoteSigner {
    pub(crate) fn from_seed(seed: &[u8]) -> Result<Self, SignerError> {
        seed.try_into().map(|seed| Self(SigningKey::from_bytes(seed))).map_err(|_| SignerError::Key)
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The signature over the text.
    pub fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.0.sign(text).to_bytes()
    }
}

/// Whether this is the key's signature over the text. Strict: a weak key, under which one signature holds for many texts,
/// is refused too.
pub fn note_verify(public: &[u8; 32], text: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public)
        .is_ok_and(|key| key.verify_strict(text, &Signature::from_bytes(signature)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_text_and_key_only() {
        let (signer, other) =
            (NoteSigner::from_seed(&[3; 32]).unwrap(), NoteSigner::from_seed(&[4; 32]).unwrap());
        let signature = signer.sign(b"text\n");
        assert!(note_verify(&signer.public(), b"text\n", &signature));
        assert!(!note_verify(&signer.public(), b"text", &signature));
        assert!(!note_verify(&other.public(), b"text\n", &signature));
        assert!(!note_verify(&[0; 32], b"text\n", &[0; 64]), "a weak key");
        assert!(NoteSigner::from_seed(&[3; 31]).is_err());
    }
}
