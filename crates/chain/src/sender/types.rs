//! What goes into the sender and what comes out.

use std::error::Error;

use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::rpc::types::TransactionReceipt;
use async_trait::async_trait;
use domain::Millis;

/// The caller's name for one thing that must happen at most once. Whoever sends again under the same name sends the same
/// transaction again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentKey(pub String);

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The account that is called, or creation of a contract.
    pub to: TxKind,
    /// ABI-encoded call, or creation code.
    pub input: Bytes,
    /// Sent along, in wei.
    pub value: U256,
}

impl Call {
    /// A call of a contract, without value.
    pub fn contract(to: Address, input: impl Into<Bytes>) -> Self {
        Self { to: TxKind::Call(to), input: input.into(), value: U256::ZERO }
    }
}

/// Bounds of one account's sender.
#[derive(Debug, Clone)]
pub struct SenderSettings {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Most that a unit of gas may cost, base fee and tip together, in wei.
    pub fee_cap_wei: u128,
    /// Tip for a unit of gas, in wei.
    pub tip_wei: u128,
    /// Most gas that one transaction may use.
    pub gas_ceiling: u64,
    /// How long one call of [`super::Sender::send`] waits for a block.
    pub wait: Millis,
    /// Time between two looks.
    pub poll: Millis,
    /// How long a transaction may wait before it is sent again, with a higher fee where the cap allows it.
    pub replace_after: Millis,
    /// Blocks that must follow before a transaction counts as done: the deepest reorganization that is expected.
    pub confirmations: u64,
}

/// A transaction that is in a block, deep enough.
#[derive(Debug, Clone)]
pub struct Mined {
    /// Its hash: of the version that made it, where there were replacements.
    pub hash: B256,
    /// Number of its block.
    pub block: u64,
    /// Gas used.
    pub gas_used: u64,
    /// What the gas cost, in wei.
    pub fee_wei: U256,
    /// All of it.
    pub receipt: TransactionReceipt,
}

/// Where signed transactions are kept before they are sent, so that a crash between the two costs nothing. The caller
/// implements it on its own store.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Stores a signed transaction (EIP-2718) as the newest version of an intent. It is durable when this returns.
    async fn add(&self, key: &IntentKey, raw: &Bytes) -> Result<(), JournalError>;

    /// All versions of an intent, oldest first; none when it was never signed.
    async fn versions(&self, key: &IntentKey) -> Result<Vec<Bytes>, JournalError>;

    /// The newest version of every intent of this account that was not removed.
    async fn newest(&self) -> Result<Vec<Bytes>, JournalError>;

    /// Removes an intent no version of which can ever reach a block.
    async fn remove(&self, key: &IntentKey) -> Result<(), JournalError>;

    /// Removes an intent whose outcome is recorded elsewhere, see [`super::Sender::forget`]. It may be there again after a
    /// loss of power: then its receipt is found once more.
    async fn forget(&self, key: &IntentKey) -> Result<(), JournalError> {
        self.remove(key).await
    }
}

/// The journal could not be used.
#[derive(Debug, thiserror::Error)]
#[error("the journal of signed transactions cannot be used")]
pub struct JournalError(#[source] pub Box<dyn Error + Send + Sync>);
