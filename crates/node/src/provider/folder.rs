//! What lies in a provider's folder, and who may use it.
//!
//! | file | what |
//! |---|---|
//! | `provider.toml` | what the owner tells it; see `config` |
//! | `keys/provider.key` | the account's key |
//! | `keys/agents/<label>.key` | the key of an agent, until its lease is over |
//! | `sent.redb` | signed transactions, kept before they are sent |
//! | `state.json` | where the follower stands and what it saw; replaced whole |
//! | `canaries/<lease>.json` | a planted state, for the owner alone |
//! | `machines/<label>/` | an agent's working folder, with `commitment.json` in it |
//! | `provider.lock` | held by the one daemon of this folder |
//! | `drain` | while it is there, the daemon takes no lease and ends with the last one |
//! | `withdraw.json` | a request to send earnings, removed when it is done |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chain::Address;
use custody::{EvmSigner, KeystoreError};
use domain::{Entropy, Label};
use serde::{Deserialize, Serialize};

use super::error::ProviderError;
use crate::party::files::{self, removed, write_whole};

const ACCOUNT_KEY: &str = "provider.key";

/// Paths in a provider's folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// A request to send earnings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Tells it from other requests: each is met once.
    pub id: String,
    /// To whom.
    pub to: Address,
    /// Micro-units; `None` for all that is there.
    pub amount: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct WithdrawalDoc {
    id: String,
    to: String,
    amount: Option<u64>,
}

impl Withdrawal {
    /// A new request.
    pub fn new(to: Address, amount: Option<u64>, entropy: &dyn Entropy) -> Self {
        let mut id = [0; 8];
        entropy.fill(&mut id);
        Self { id: hex::encode(id), to, amount }
    }
}

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
        self.0.join("provider.toml")
    }

    /// Where agents have their folders: what a [`market::ProcessMachine`] is to be given.
    pub fn machines(&self) -> PathBuf {
        self.0.join("machines")
    }

    /// Whether somebody asked for the end.
    pub fn is_draining(&self) -> bool {
        self.0.join("drain").exists()
    }

    /// Asks for the end, or takes that back.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn drain(&self, on: bool) -> Result<(), ProviderError> {
        let path = self.0.join("drain");
        files::mark(&path, on).map_err(|source| ProviderError::File { path, source })
    }

    /// Asks the daemon to send earnings.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn ask_withdrawal(&self, request: &Withdrawal) -> Result<(), ProviderError> {
        let Withdrawal { id, to, amount } = request.clone();
        let doc = WithdrawalDoc { id, to: to.to_string(), amount };
        let text = serde_json::to_vec(&doc).map_err(io::Error::from);
        let path = self.withdrawal_path();
        text.and_then(|text| write_whole(&path, &text)).map_err(|source| ProviderError::File { path, source })
    }

    /// What was asked for and is not done. A file that is no request asks for nothing.
    pub(crate) fn withdrawal(&self) -> Option<Withdrawal> {
        let text = fs::read(self.withdrawal_path()).ok()?;
        let doc: WithdrawalDoc = serde_json::from_slice(&text).ok()?;
        Some(Withdrawal { id: doc.id, to: doc.to.parse().ok()?, amount: doc.amount })
    }

    pub(crate) fn withdrawal_done(&self) -> io::Result<()> {
        removed(&self.withdrawal_path())
    }

    fn withdrawal_path(&self) -> PathBuf {
        self.0.join("withdraw.json")
    }

    pub(crate) fn make(&self) -> Result<(), ProviderError> {
        files::make(&self.0).map_err(|source| ProviderError::File { path: self.0.clone(), source })
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.0.join("sent.redb")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state.json")
    }

    pub(crate) fn commitment(&self, label: &Label) -> PathBuf {
        self.machines().join(label.as_str()).join(wire::agent::COMMITMENT_FILE)
    }

    /// Takes the folder for one daemon; the lock is let go when the file is dropped.
    pub(crate) fn lock(&self) -> Result<File, ProviderError> {
        let path = self.0.join("provider.lock");
        let taken = files::lock(&path).map_err(|source| ProviderError::File { path, source })?;
        taken.ok_or_else(|| ProviderError::InUse { folder: self.0.clone() })
    }

    /// Whether a daemon runs on the folder.
    pub fn is_running(&self) -> bool {
        matches!(self.lock(), Err(ProviderError::InUse { .. }))
    }

    /// The account's key, made where it is missing.
    pub fn account(&self, entropy: &dyn Entropy) -> Result<EvmSigner, KeystoreError> {
        EvmSigner::open(&self.0.join("keys"), ACCOUNT_KEY, entropy)
    }

    pub(crate) fn has_account(&self) -> bool {
        self.0.join("keys").join(ACCOUNT_KEY).exists()
    }

    /// The key of the lease's agent, made where it is missing: after a crash it is the same one.
    pub(crate) fn agent_key(&self, label: &Label, entropy: &dyn Entropy) -> Result<EvmSigner, KeystoreError> {
        EvmSigner::open(&self.agents(), &format!("{label}.key"), entropy)
    }

    pub(crate) fn forget_agent_key(&self, label: &Label) -> io::Result<()> {
        removed(&self.agents().join(format!("{label}.key")))
    }

    fn agents(&self) -> PathBuf {
        self.0.join("keys").join("agents")
    }
}
