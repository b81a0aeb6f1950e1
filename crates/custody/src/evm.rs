//! A secp256k1 key for EVM chains, behind alloy's signer traits. A key in a file of the keystore's kind is one holder of
//! keys; whoever takes [`TxSigner`] can be given another without noticing.

use std::fmt;
use std::path::Path;

use alloy::consensus::SignableTransaction;
use alloy::network::{TxSigner, TxSignerSync};
use alloy::primitives::{Address, B256, ChainId, Signature};
use alloy::signers::local::PrivateKeySigner;
use alloy::signers::{Signer, SignerSync};
use domain::Entropy;
use zeroize::Zeroizing;

use crate::SignerError;
use crate::keystore::{KeystoreError, folder_open, key_file};

/// A random scalar is a key unless it is zero or not below the group's order, which no one will ever see happen.
const MINT_TRIES_MAX: usize = 4;

/// A secp256k1 key held in memory: wiped when dropped, never printed. Signs hashes and transactions (EIP-155, EIP-2718),
/// with the low-s signatures of EIP-2.
#[derive(Clone)]
pub struct EvmSigner(PrivateKeySigner);

impl EvmSigner {
    /// Opens the key `name` in a keystore's folder, or makes it.
    ///
    /// # Errors
    /// `Open` when others can read it, `Malformed` when the file holds no such key; that file is never changed.
    pub fn open(folder: &Path, name: &str, entropy: &dyn Entropy) -> Result<Self, KeystoreError> {
        let malformed = || KeystoreError::Malformed { path: folder.join(name) };
        folder_open(folder)?;
        let bytes = key_file(folder, name, || {
            let made = (0..MINT_TRIES_MAX).find_map(|_| mint(entropy)).ok_or_else(malformed)?;
            Ok(made)
        })?;
        from_scalar(&bytes).ok_or_else(malformed)
    }

    /// A key that is not kept: whoever makes it hands it on or lets it go.
    ///
    /// # Errors
    /// When randomness gives no key, which no one will ever see happen.
    pub fn mint(entropy: &dyn Entropy) -> Result<Self, SignerError> {
        (0..MINT_TRIES_MAX)
            .find_map(|_| mint(entropy))
            .and_then(|scalar| from_scalar(&scalar))
            .ok_or(SignerError::Key)
    }

    /// The key whose scalar this is, in hex without `0x`.
    ///
    /// # Errors
    /// `Key` when it is none.
    pub fn from_hex(text: &str) -> Result<Self, SignerError> {
        let bytes = Zeroizing::new(hex::decode(text).map_err(|_| SignerError::Key)?);
        from_scalar(&bytes).ok_or(SignerError::Key)
    }

    /// The scalar in hex without `0x`; take care where it goes.
    pub fn expose_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.to_bytes()))
    }

    /// The account of this key.
    pub fn address(&self) -> Address {
        self.0.address()
    }

    /// The account as text: `0x` and 40 digits with the checksum of EIP-55.
    pub fn address_text(&self) -> String {
        self.0.address().to_checksum(None)
    }

    /// Signs a digest: r, s and v (27 or 28), 65 bytes, as contracts recover it.
    ///
    /// # Errors
    /// When the key cannot sign, which a key in memory always can.
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Result<[u8; 65], SignerError> {
        let signed = self.0.sign_hash_sync(&B256::from(*digest)).map_err(|_| SignerError::Key)?;
        Ok(signed.as_bytes())
    }
}

/// The account that signed a digest, as [`EvmSigner::address_text`] writes it; `None` where the signature is none.
pub fn signer_of(digest: &[u8; 32], signature: &[u8; 65]) -> Option<String> {
    let signature = Signature::try_from(signature.as_slice()).ok()?;
    let address = signature.recover_address_from_prehash(&B256::from(*digest)).ok()?;
    Some(address.to_checksum(None))
}

fn mint(entropy: &dyn Entropy) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0u8; 32]);
    entropy.fill(&mut bytes);
    from_scalar(&bytes).map(|_| bytes)
}

fn from_scalar(bytes: &[u8]) -> Option<EvmSigner> {
    // A shorter slice would be taken too, padded with zeros.
    let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(bytes.try_into().ok()?);
    PrivateKeySigner::from_slice(bytes.as_slice()).ok().map(EvmSigner)
}

impl fmt::Debug for EvmSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EvmSigner({})", self.address())
    }
}

impl SignerSync for EvmSigner {
    fn sign_hash_sync(&self, hash: &B256) -> alloy::signers::Result<Signature> {
        self.0.sign_hash_sync(hash)
    }

    fn chain_id_sync(&self) -> Option<ChainId> {
        self.0.chain_id_sync()
    }
}

#[async_trait::async_trait]
impl Signer for EvmSigner {
    async fn sign_hash(&self, hash: &B256) -> alloy::signers::Result<Signature> {
        self.sign_hash_sync(hash)
    }

    fn address(&self) -> Address {
        self.0.address()
    }

    fn chain_id(&self) -> Option<ChainId> {
        self.0.chain_id()
    }

    fn set_chain_id(&mut self, chain_id: Option<ChainId>) {
        self.0.set_chain_id(chain_id);
    }
}

#[async_trait::async_trait]
impl TxSigner<Signature> for EvmSigner {
    fn address(&self) -> Address {
        self.0.address()
    }

    async fn sign_transaction(
        &self,
        tx: &mut dyn SignableTransaction<Signature>,
    ) -> alloy::signers::Result<Signature> {
        TxSignerSync::sign_transaction_sync(&self.0, tx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;

    struct Fixed(Vec<u8>);

    impl Entropy for Fixed {
        fn fill(&self, out: &mut [u8]) {
            out.copy_from_slice(&self.0);
        }
    }

    // The first key of the mnemonic that every Ethereum tool tests with.
    const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    #[test]
    fn evm_key_has_the_address_that_other_tools_give_it() {
        let dir = tempfile::tempdir().unwrap();
        let entropy = Fixed(hex::decode(KEY).unwrap());
        let signer = EvmSigner::open(&dir.path().join("keys"), "deployer.key", &entropy).unwrap();
        assert_eq!(signer.address().to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        let signature = signer.sign_hash_sync(&B256::repeat_byte(7)).unwrap();
        assert_eq!(signature.recover_address_from_prehash(&B256::repeat_byte(7)).unwrap(), signer.address());
        assert!(signature.normalize_s().is_none(), "EIP-2 wants the low s");
    }

    #[test]
    fn evm_key_comes_back_from_its_file_and_is_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        let first = EvmSigner::open(&folder, "a.key", &OsEntropy).unwrap();
        let again = EvmSigner::open(&folder, "a.key", &OsEntropy).unwrap();
        assert_eq!(first.address(), again.address());
        let bytes = std::fs::read(folder.join("a.key")).unwrap();
        let shown = format!("{first:?}");
        assert_eq!(shown, format!("EvmSigner({})", first.address()));
        assert!(!shown.contains(&hex::encode(bytes)));
    }

    #[test]
    fn evm_key_that_is_no_scalar_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        drop(EvmSigner::open(&folder, "a.key", &OsEntropy).unwrap());
        for damaged in [&[0u8; 32][..], &[0xff; 32], &[7; 31], b""] {
            std::fs::write(folder.join("a.key"), damaged).unwrap();
            let refused = EvmSigner::open(&folder, "a.key", &OsEntropy);
            assert!(matches!(&refused, Err(KeystoreError::Malformed { path }) if path.ends_with("a.key")));
        }
    }
}
