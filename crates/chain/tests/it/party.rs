//! Who signs and sends in these tests.

use std::sync::Arc;

use custody::{EvmSigner, OsEntropy};
use domain::{Millis, RetryStatus};
use waag_chain::Address;
use waag_chain::embedded::EmbeddedChain;
use waag_chain::market::Refusal;
use waag_chain::sender::{Call, IntentKey, Mined, SendError, Sender, SenderSettings};

use crate::common::{CHAIN_ID, GWEI};
use crate::faults::MemoryJournal;

fn key(name: &str) -> IntentKey {
    IntentKey(name.to_owned())
}

/// A party with a key, and a sender whose journal outlives it.
pub(crate) struct Party {
    pub(crate) signer: EvmSigner,
    pub(crate) sender: Sender,
    pub(crate) journal: Arc<MemoryJournal>,
}

impl Party {
    pub(crate) fn new(chain: &EmbeddedChain, signer: EvmSigner) -> Self {
        let journal: Arc<MemoryJournal> = Arc::default();
        let settings = SenderSettings {
            chain_id: CHAIN_ID,
            fee_cap_wei: 500 * GWEI,
            tip_wei: GWEI,
            gas_ceiling: 8_000_000,
            wait: Millis(10_000),
            poll: Millis(5),
            replace_after: Millis(60_000),
            confirmations: 0,
        };
        let holder = Arc::new(signer.clone());
        let sender =
            Sender::new(chain.provider(), holder, Arc::<MemoryJournal>::clone(&journal), settings.clone());
        Self { signer, sender, journal }
    }

    pub(crate) fn stranger(chain: &EmbeddedChain) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::new(chain, EvmSigner::open(&dir.path().join("keys"), "a.key", &OsEntropy).unwrap())
    }

    pub(crate) fn address(&self) -> Address {
        self.signer.address()
    }

    pub(crate) async fn send(&self, name: &str, call: &Call) -> Mined {
        self.sender.send(&key(name), call).await.unwrap()
    }

    /// What the contract says against a call.
    pub(crate) async fn refused(&self, call: &Call) -> Refusal {
        let error = self.failed(call).await;
        Refusal::of(&error).unwrap_or_else(|| panic!("{error:?}"))
    }

    pub(crate) async fn failed(&self, call: &Call) -> SendError {
        let error = self.sender.send(&key("refused"), call).await.unwrap_err();
        assert_eq!(error.status(), RetryStatus::Permanent);
        error
    }
}
