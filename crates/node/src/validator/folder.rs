//! What lies in a validator's folder, and who may use it.
//!
//! | file | what |
//! |---|---|
//! | `validator.toml` | what the owner tells it; see `config` |
//! | `keys/validator.key` | the account's key |
//! | `sent.redb` | signed transactions, kept before they are sent |
//! | `state.json` | where the follower stands, what it saw, and what was found with its salts; replaced whole |
//! | `objects/` | what is fetched for a replay, in nameless files |
//! | `replay/` | the workload's folder, while one runs |
//! | `validator.lock` | held by the one daemon of this folder |
//! | `leave` | while it is there, the daemon gives up its seat and ends when nothing is open |

use std::fs::File;
use std::path::{Path, PathBuf};

use custody::{EvmSigner, KeystoreError};
use domain::Entropy;

use super::error::ValidatorError;
use crate::party::files;

const ACCOUNT_KEY: &str = "validator.key";

/// Paths in a validator's folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at this path, whether it is there or not.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.0.join("validator.toml")
    }

    /// Where a replay's workload has its folder: what an [`agent::replay::Sandboxed`] is to be given.
    pub fn replay(&self) -> PathBuf {
        self.0.join("replay")
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.0.join("objects")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.0.join("sent.redb")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state.json")
    }

    /// Whether somebody asked for the end.
    pub fn is_leaving(&self) -> bool {
        self.0.join("leave").exists()
    }

    /// Asks for the end, or takes that back.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn leave(&self, on: bool) -> Result<(), ValidatorError> {
        let path = self.0.join("leave");
        files::mark(&path, on).map_err(|source| ValidatorError::File { path, source })
    }

    pub(crate) fn make(&self) -> Result<(), ValidatorError> {
        files::make(&self.0).map_err(|source| ValidatorError::File { path: self.0.clone(), source })
    }

    /// Takes the folder for one daemon; the lock is let go when the file is dropped.
    pub(crate) fn lock(&self) -> Result<File, ValidatorError> {
        let path = self.0.join("validator.lock");
        let taken = files::lock(&path).map_err(|source| ValidatorError::File { path, source })?;
        taken.ok_or_else(|| ValidatorError::InUse { folder: self.0.clone() })
    }

    /// Whether a daemon runs on the folder.
    pub fn is_running(&self) -> bool {
        matches!(self.lock(), Err(ValidatorError::InUse { .. }))
    }

    /// The account's key, made where it is missing.
    ///
    /// # Errors
    /// When the key's file cannot be used.
    pub fn account(&self, entropy: &dyn Entropy) -> Result<EvmSigner, KeystoreError> {
        EvmSigner::open(&self.0.join("keys"), ACCOUNT_KEY, entropy)
    }

    pub(crate) fn has_account(&self) -> bool {
        self.0.join("keys").join(ACCOUNT_KEY).exists()
    }
}
