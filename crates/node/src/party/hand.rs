//! Transactions that happen once, each under a key.

use std::path::Path;
use std::sync::Arc;

use chain::DynProvider;
use chain::journal::FileJournal;
use chain::sender::{Call, IntentKey, JournalError, SendError, Sender, SenderSettings};
use custody::EvmSigner;
use domain::{Millis, RetryStatus};

const GWEI: u128 = 1_000_000_000;
const GAS_CEILING: u64 = 1_000_000;
const SEND_WAIT: Millis = Millis(20_000);
const SEND_POLL: Millis = Millis(50);
const REPLACE_AFTER: Millis = Millis(10_000);

/// What an owner pays for gas at most, and when something counts as done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gas {
    pub(crate) fee_cap_gwei: u64,
    pub(crate) tip_gwei: u64,
    pub(crate) confirmations: u64,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    Mined,
    /// It did not happen, and would not if it were sent again.
    Refused(String),
    /// It may happen later, or has: looking tells.
    Later,
}

/// Sends for one account.
pub(crate) struct Hand {
    sender: Sender,
    /// What a contract's refusal says, where it is known.
    words: fn(&SendError) -> Option<String>,
}

impl Hand {
    /// For the account of this key, with a journal in this file.
    pub(crate) fn new(
        provider: DynProvider,
        chain_id: u64,
        signer: &EvmSigner,
        journal: &Path,
        gas: Gas,
        words: fn(&SendError) -> Option<String>,
    ) -> Result<Self, JournalError> {
        let settings = SenderSettings {
            chain_id,
            fee_cap_wei: u128::from(gas.fee_cap_gwei) * GWEI,
            tip_wei: u128::from(gas.tip_gwei) * GWEI,
            gas_ceiling: GAS_CEILING,
            wait: SEND_WAIT,
            poll: SEND_POLL,
            replace_after: REPLACE_AFTER,
            confirmations: gas.confirmations,
        };
        let journal = Arc::new(FileJournal::open(journal)?);
        Ok(Self { sender: Sender::new(provider, Arc::new(signer.clone()), journal, settings), words })
    }

    /// Sends a transaction whose effect the chain shows. Its key is forgotten once it is done: if the same is wanted
    /// again, it is another transaction.
    pub(crate) async fn send(&self, key: &str, call: &Call) -> Result<Sent, JournalError> {
        let sent = self.send_once(key, call).await;
        if sent != Sent::Later {
            self.forget(key).await?;
        }
        Ok(sent)
    }

    /// The same, with the key kept: repeated, it is the same transaction until [`Self::forget`].
    pub(crate) async fn send_once(&self, key: &str, call: &Call) -> Sent {
        match self.sender.send(&IntentKey(key.to_owned()), call).await {
            Ok(mined) => {
                tracing::info!(key, hash = %mined.hash, gas = mined.gas_used, "done on chain");
                Sent::Mined
            }
            Err(error) => {
                // The contract's own words where there are some.
                let why = (self.words)(&error).unwrap_or_else(|| domain::chain(&error));
                tracing::warn!(key, why, "not done on chain");
                if error.status() == RetryStatus::Permanent { Sent::Refused(why) } else { Sent::Later }
            }
        }
    }

    /// Lets a key go.
    pub(crate) async fn forget(&self, key: &str) -> Result<(), JournalError> {
        self.sender.forget(&IntentKey(key.to_owned())).await
    }
}
