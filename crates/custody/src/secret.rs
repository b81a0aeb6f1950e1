//! Tokens and digests.

use std::fmt;

use domain::Entropy;
use ring::digest as sha;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A text that only its owner may know. Printed as `***`, compared in constant time, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over a text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// A fresh token of 32 random bytes in hex.
    pub fn mint(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(bytes.as_mut());
        Self::new(hex::encode(bytes.as_ref()))
    }

    /// The text; take care where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `other` is the same text, in time that does not depend on where they differ.
    pub fn matches(&self, other: &str) -> bool {
        let hash = |text: &str| sha::digest(&sha::SHA256, text.as_bytes());
        // Hashes are equally long whatever the texts are.
        hash(&self.0).as_ref().ct_eq(hash(other).as_ref()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a database may keep of a token: SHA-256 of `waag/token/1`, a zero byte and the token, in hex.
pub fn token_hash(token: &str) -> String {
    let mut context = sha::Context::new(&sha::SHA256);
    context.update(b"waag/token/1\0");
    context.update(token.as_bytes());
    hex::encode(context.finish())
}

/// SHA-256 of bytes that arrive in pieces.
#[derive(Clone)]
pub struct Digest(sha::Context);

impl Default for Digest {
    fn default() -> Self {
        Self(sha::Context::new(&sha::SHA256))
    }
}

impl Digest {
    /// Takes a piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// `sha256:<hex>`.
    pub fn finish(self) -> String {
        format!("sha256:{}", hex::encode(self.0.finish()))
    }
}

/// `sha256:<hex>` of the bytes.
pub fn digest(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.update(bytes);
    digest.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Both values were computed with another implementation of SHA-256: rows in a database are found by them.
    #[test]
    fn hashes_stay_what_they_are() {
        assert_eq!(digest(b"abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(token_hash("abc"), "0d9fe002b24bc0cceac4588e75f67c8e6db82503c62506ed5de8f814c5d94dd9");
    }
}
