#![doc = include_str!("../README.md")]

mod entropy;
mod evm;
mod keystore;
mod notes;
mod seal;
mod secret;
mod signer;
mod tls;
mod wrap;

pub use entropy::OsEntropy;
pub use evm::{EvmSigner, signer_of};
pub use keystore::{Keystore, KeystoreError};
pub use notes::{NoteSigner, note_verify};
pub use seal::{DataKey, SealError, Sealed, open, open_bytes, seal, seal_bytes, sealed_len};
pub use secret::{Digest, Secret, digest, token_hash};
pub use signer::{LocalSigner, Signer, SignerError, verify};
pub use tls::{CertificatePin, PinError, ServerIdentity, TlsError, pinned_client_config};
pub use wrap::{InstanceKey, PublicKey, PublicKeyError, WrapError, wrap};
