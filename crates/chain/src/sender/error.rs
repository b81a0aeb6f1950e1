//! Why a transaction did not happen, or may have.

use alloy::primitives::{B256, Bytes};
use alloy::transports::{RpcError, TransportErrorKind};
use domain::{Interrupted, RetryStatus};

use super::JournalError;

pub(super) type RpcFailure = RpcError<TransportErrorKind>;

/// A transaction that is not done.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The contract refused it, in simulation or, with a hash, in a block, where it has cost gas.
    #[error("the contract refused: {reason}")]
    Reverted {
        /// In words, as the chain gave it.
        reason: String,
        /// ABI-encoded error; empty when the code gave none.
        data: Bytes,
        /// The transaction that failed in a block.
        hash: Option<B256>,
    },
    /// It needs more gas than the configuration allows.
    #[error("it needs {needed} gas, the ceiling is {ceiling}")]
    GasCeiling {
        /// By the chain's estimate.
        needed: u64,
        /// Configured.
        ceiling: u64,
    },
    /// Gas is dearer than the configuration allows.
    #[error("gas costs {needed_wei} wei, the cap is {cap_wei} wei")]
    FeeCap {
        /// Base fee and tip, for a unit of gas.
        needed_wei: u128,
        /// Configured.
        cap_wei: u128,
    },
    /// The account cannot pay for it.
    #[error("the account cannot pay for value and gas")]
    NoFunds,
    /// The chain did not take the transaction, which no one else has seen.
    #[error("the chain refused the transaction: {reason}")]
    Refused {
        /// In its words.
        reason: String,
    },
    /// The chain did not answer before anything was sent.
    #[error("the chain cannot be asked")]
    Unreachable(#[source] Box<RpcFailure>),
    /// It is signed and perhaps sent, and in no block yet.
    #[error("transaction {hash} is in no block yet, or not deep enough")]
    Pending {
        /// Its newest version.
        hash: B256,
    },
    /// The nonce was used and it is not certain yet by which transaction.
    #[error("nonce {nonce} is used, and the chain does not show by which transaction")]
    NonceUsed {
        /// Which.
        nonce: u64,
    },
    /// The journal failed before anything was sent.
    #[error("the signed transaction could not be stored")]
    Journal(#[source] JournalError),
    /// The journal holds something else than transactions of this account.
    #[error("the journal holds no transaction of this account under this key")]
    JournalDamaged,
    /// A test stopped it here.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The key could not sign.
    #[error("the key could not sign")]
    Sign(#[source] alloy::signers::Error),
}

impl SendError {
    /// Whether it may be asked for again.
    pub fn status(&self) -> RetryStatus {
        match self {
            Self::Reverted { .. } | Self::GasCeiling { .. } => RetryStatus::Permanent,
            Self::FeeCap { .. }
            | Self::NoFunds
            | Self::Refused { .. }
            | Self::Unreachable(_)
            | Self::Journal(_)
            | Self::Sign(_) => RetryStatus::Temporary,
            Self::Pending { .. } | Self::NonceUsed { .. } | Self::JournalDamaged | Self::Interrupted(_) => {
                RetryStatus::UnknownOutcome
            }
        }
    }

    /// A call that the chain tried out and did not like. Nothing was sent.
    pub(super) fn simulation(error: RpcFailure) -> Self {
        let Some(payload) = error.as_error_resp() else { return Self::Unreachable(Box::new(error)) };
        let reason = payload.message.to_string();
        let said = reason.to_ascii_lowercase();
        let data = payload.as_revert_data();
        // Code 3 is a revert (geth, anvil); other ways to stop have only words.
        let stopped = ["execution reverted", "evm error", "out of gas", "invalid opcode", "invalid jump"];
        if payload.code == 3 || data.is_some() || stopped.iter().any(|words| said.contains(words)) {
            return Self::Reverted { reason, data: data.unwrap_or_default(), hash: None };
        }
        if said.contains("insufficient funds") {
            return Self::NoFunds;
        }
        Self::Unreachable(Box::new(error))
    }
}
