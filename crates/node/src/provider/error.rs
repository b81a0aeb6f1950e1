//! What stops a provider, with the way on.

use std::io;
use std::path::PathBuf;

use chain::follow::FollowError;
use chain::market::{ReadError, SpecError};
use chain::remote::ConnectError;
use chain::sender::JournalError;
use custody::KeystoreError;
use domain::RetryStatus;

use super::config::ConfigError;

/// A provider cannot go on, or not now.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The folder holds no provider.
    #[error("{folder} holds no provider: make one with `waag provider init`")]
    Absent {
        /// Which.
        folder: PathBuf,
    },
    /// The folder holds one already.
    #[error("{folder} holds a provider already: its key and its settings stay as they are")]
    Present {
        /// Which.
        folder: PathBuf,
    },
    /// Another daemon uses the folder.
    #[error("a provider runs on {folder} already")]
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
    #[error("{path} is damaged: remove it, and the provider reads the chain from its first block")]
    State {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The folder belongs to another market.
    #[error("the folder belongs to market {market} on chain {chain_id}: give this one a folder of its own")]
    OtherMarket {
        /// Which.
        market: String,
        /// Where.
        chain_id: u64,
    },
    /// The configuration is wrong.
    #[error("the configuration cannot be used")]
    Config(#[from] ConfigError),
    /// No market is named.
    #[error("`market` in provider.toml names no market: write its address, which `waag up` prints")]
    NoMarket,
    /// A fault is asked for where real money could be.
    #[error("faults are for the embedded chain (id {embedded}) only, this is chain {chain_id}")]
    FaultRefused {
        /// The chain that was found.
        chain_id: u64,
        /// The only one on which faults are allowed.
        embedded: u64,
    },
    /// The machine could not be measured.
    #[error("the machine's hardware could not be measured")]
    Hardware(#[source] io::Error),
    /// The offer cannot be described.
    #[error("the offer cannot be described: the machine divided by `units` leaves too little")]
    Spec(#[source] SpecError),
    /// A price or a stake is more than the chain can count.
    #[error("`{field}` is more than an account on chain can hold")]
    Amount {
        /// Which setting.
        field: &'static str,
    },
    /// A key cannot be used.
    #[error("a key cannot be used")]
    Key(#[from] KeystoreError),
    /// A key could not sign.
    #[error("a key could not sign")]
    Sign(#[source] custody::SignerError),
    /// The journal cannot be used.
    #[error("the journal of transactions cannot be used")]
    Journal(#[from] JournalError),
    /// The chain's address is wrong.
    #[error("the chain cannot be reached under `rpc_url`")]
    Connect(#[from] ConnectError),
    /// The market could not be read.
    #[error("the market could not be read")]
    Read(#[from] ReadError),
    /// Events could not be read.
    #[error("the market's events could not be read")]
    Follow(#[from] FollowError),
}

impl ProviderError {
    /// Whether the same may succeed later without a person.
    pub fn status(&self) -> RetryStatus {
        match self {
            Self::Read(error) => error.status(),
            Self::Follow(FollowError::Unreachable(_) | FollowError::Moved) => RetryStatus::Temporary,
            _ => RetryStatus::Permanent,
        }
    }
}
