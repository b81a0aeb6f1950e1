//! What stops a validator, with the way on.

use std::io;
use std::path::PathBuf;

use chain::follow::FollowError;
use chain::market::ReadError;
use chain::remote::ConnectError;
use chain::sender::JournalError;
use custody::KeystoreError;
use domain::RetryStatus;

use super::config::ConfigError;

/// A validator cannot go on, or not now.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    /// The folder holds no validator.
    #[error("{folder} holds no validator: make one with `waag validator init`")]
    Absent {
        /// Which.
        folder: PathBuf,
    },
    /// The folder holds one already.
    #[error("{folder} holds a validator already: its key and its settings stay as they are")]
    Present {
        /// Which.
        folder: PathBuf,
    },
    /// Another daemon uses the folder.
    #[error("a validator runs on {folder} already")]
    InUse {
        /// Which.
        folder: PathBuf,
    },
    /// A file cannot be used.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The state cannot be read back.
    #[error(
        "{path} is damaged, and holds the salts of what was committed to: restore it, or remove it and lose their stake"
    )]
    State {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The folder belongs to another notary.
    #[error("the folder belongs to notary {notary} on chain {chain_id}: give this one a folder of its own")]
    OtherNotary {
        /// Which.
        notary: String,
        /// Where.
        chain_id: u64,
    },
    /// The configuration is wrong.
    #[error("the configuration cannot be used")]
    Config(#[from] ConfigError),
    /// No notary is named.
    #[error("`notary` in validator.toml names no notary: write its address, which `waag up` prints")]
    NoNotary,
    /// A fault is asked for where real money could be.
    #[error("faults are for the embedded chain (id {embedded}) only, this is chain {chain_id}")]
    FaultRefused {
        /// The chain that was found.
        chain_id: u64,
        /// The only one on which faults are allowed.
        embedded: u64,
    },
    /// A stake is more than the chain can count.
    #[error("`{field}` is more than an account on chain can hold")]
    Amount {
        /// Which setting.
        field: &'static str,
    },
    /// A key cannot be used.
    #[error("a key cannot be used")]
    Key(#[from] KeystoreError),
    /// The journal cannot be used.
    #[error("the journal of transactions cannot be used")]
    Journal(#[from] JournalError),
    /// The chain's address is wrong.
    #[error("the chain cannot be reached under `rpc_url`")]
    Connect(#[from] ConnectError),
    /// The notary could not be read.
    #[error("the notary could not be read")]
    Read(#[from] ReadError),
    /// Events could not be read.
    #[error("the notary's events could not be read")]
    Follow(#[from] FollowError),
    /// A test stopped it here.
    #[error(transparent)]
    Interrupted(#[from] domain::Interrupted),
}

impl ValidatorError {
    /// Whether the same may succeed later without a person.
    pub fn status(&self) -> RetryStatus {
        match self {
            Self::Read(error) => error.status(),
            Self::Follow(FollowError::Unreachable(_) | FollowError::Moved) => RetryStatus::Temporary,
            _ => RetryStatus::Permanent,
        }
    }
}
