//! Signed transactions as they arrive: decoded, of this chain, and with their sender known.

use std::sync::Arc;

use alloy::consensus::transaction::SignerRecoverable;
use alloy::consensus::{Transaction, TxEnvelope, TxType};
use alloy::eips::eip2718::Decodable2718;
use alloy::primitives::{Address, B256, Bytes, U256};
use revm::context::TxEnv;
use revm::context_interface::either::Either;
use revm::handler::validation::validate_initial_tx_gas;

use super::execute::SPEC;
use super::rpc::RpcError;
use super::state::World;

/// A transaction larger than this is refused, as geth does.
const TX_BYTES_MAX: usize = 128 * 1024;
/// EIP-7825: no transaction may ask for more gas than this.
pub(super) const TX_GAS_MAX: u64 = revm::primitives::eip7825::TX_GAS_LIMIT_CAP;

/// A transaction whose signature holds for this chain.
pub(super) struct Checked {
    pub(super) envelope: TxEnvelope,
    pub(super) sender: Address,
    pub(super) hash: B256,
    pub(super) raw: Bytes,
}

impl Checked {
    /// Decodes a signed transaction (EIP-2718) and recovers its sender. Error codes are those of anvil.
    pub(super) fn decode(raw: Bytes, chain_id: u64) -> Result<Arc<Self>, RpcError> {
        if raw.len() > TX_BYTES_MAX {
            return Err(RpcError::rejected("oversized data: a transaction has at most 131072 bytes"));
        }
        let mut rest = raw.as_ref();
        let envelope = TxEnvelope::decode_2718(&mut rest)
            .ok()
            .filter(|_| rest.is_empty())
            .ok_or_else(|| RpcError::params("failed to decode transaction"))?;
        if envelope.tx_type() == TxType::Eip4844 {
            return Err(RpcError::rejected("transaction type not supported: there are no blobs here"));
        }
        // A transaction that names no chain (before EIP-155) could be replayed on any other.
        if envelope.chain_id() != Some(chain_id) {
            return Err(RpcError::rejected("invalid chain id for signer"));
        }
        let sender = envelope.recover_signer().map_err(|_| RpcError::rejected("invalid sender"))?;
        let hash = *envelope.tx_hash();
        Ok(Arc::new(Self { envelope, sender, hash, raw }))
    }

    /// Whether the transaction could be executed next or later, in the order in which geth asks.
    pub(super) fn admissible(&self, world: &World, base_fee: u64, block_gas: u64) -> Result<(), RpcError> {
        let tx = &self.envelope;
        let tip = tx.max_priority_fee_per_gas().unwrap_or_default();
        if tx.gas_limit() > block_gas.min(TX_GAS_MAX) {
            return Err(RpcError::server(
                "intrinsic gas too high: the gas limit exceeds what a block or EIP-7825 allows",
            ));
        }
        if tip > tx.max_fee_per_gas() {
            return Err(RpcError::rejected("max priority fee per gas higher than max fee per gas"));
        }
        if tx.nonce() < world.nonce(self.sender) {
            return Err(RpcError::rejected("nonce too low"));
        }
        if tx.max_fee_per_gas() < u128::from(base_fee) {
            return Err(RpcError::rejected("max fee per gas less than block base fee"));
        }
        if self.cost_max().is_none_or(|cost| cost > world.balance(self.sender)) {
            return Err(RpcError::rejected("insufficient funds for gas * price + value"));
        }
        validate_initial_tx_gas(self.env(), SPEC, false, false, TX_GAS_MAX, None)
            .map_err(|_| RpcError::server("intrinsic gas too low"))?;
        Ok(())
    }

    /// Wei that the sender must hold; `None` when no account could.
    pub(super) fn cost_max(&self) -> Option<U256> {
        let gas = U256::from(self.envelope.gas_limit());
        gas.checked_mul(U256::from(self.envelope.max_fee_per_gas()))?.checked_add(self.envelope.value())
    }

    /// The transaction as revm takes it.
    pub(super) fn env(&self) -> TxEnv {
        let tx = &self.envelope;
        let authorizations = tx.authorization_list().unwrap_or_default();
        TxEnv {
            tx_type: tx.tx_type() as u8,
            caller: self.sender,
            gas_limit: tx.gas_limit(),
            gas_price: tx.max_fee_per_gas(),
            kind: tx.kind(),
            value: tx.value(),
            data: tx.input().clone(),
            nonce: tx.nonce(),
            chain_id: tx.chain_id(),
            access_list: tx.access_list().cloned().unwrap_or_default(),
            gas_priority_fee: tx.max_priority_fee_per_gas(),
            blob_hashes: Vec::new(),
            max_fee_per_blob_gas: 0,
            authorization_list: authorizations.iter().cloned().map(Either::Left).collect(),
        }
    }
}
