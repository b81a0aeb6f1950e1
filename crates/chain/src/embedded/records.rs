//! What rests on disk beside the state: transactions with their outcome, and logs. Encoded in RLP, like the chain itself.

use alloy::consensus::transaction::Recovered;
use alloy::consensus::{Receipt, ReceiptEnvelope, ReceiptWithBloom, TxEnvelope, TxReceipt};
use alloy::eips::eip2718::Decodable2718;
use alloy::primitives::{Address, B256, Bytes, LogData, TxKind};
use alloy::rpc::types::{Log, Transaction, TransactionReceipt};
use alloy_rlp::{RlpDecodable, RlpEncodable};

/// A transaction that is in a block, and what it did there.
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(super) struct TxRecord {
    pub(super) hash: B256,
    pub(super) sender: Address,
    pub(super) success: bool,
    /// Of this transaction alone.
    pub(super) gas_used: u64,
    /// Of the block up to and with this transaction.
    pub(super) cumulative_gas_used: u64,
    /// Wei per gas, base fee and tip together.
    pub(super) effective_gas_price: u128,
    /// The index in the block of its first log.
    pub(super) first_log: u32,
    pub(super) logs: u32,
    /// The signed transaction as it was sent (EIP-2718).
    pub(super) raw: Bytes,
}

/// One log, with what a reader needs beside its block.
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(super) struct LogRecord {
    pub(super) address: Address,
    pub(super) topics: Vec<B256>,
    pub(super) data: Bytes,
    pub(super) tx_hash: B256,
    pub(super) tx_index: u32,
}

/// Where a block stands, as its parts repeat it.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockRef {
    pub(super) number: u64,
    pub(super) hash: B256,
    /// Seconds since 1970.
    pub(super) timestamp: u64,
}

impl LogRecord {
    pub(super) fn to_rpc(&self, block: BlockRef, log_index: u32) -> Log {
        Log {
            inner: alloy::primitives::Log {
                address: self.address,
                data: LogData::new_unchecked(self.topics.clone(), self.data.clone()),
            },
            block_hash: Some(block.hash),
            block_number: Some(block.number),
            block_timestamp: Some(block.timestamp),
            transaction_hash: Some(self.tx_hash),
            transaction_index: Some(self.tx_index.into()),
            log_index: Some(log_index.into()),
            removed: false,
        }
    }
}

impl TxRecord {
    /// `None` when the record does not hold a transaction, which only a damaged file can bring about.
    pub(super) fn to_rpc(&self, block: BlockRef, index: u32) -> Option<Transaction> {
        let envelope = TxEnvelope::decode_2718(&mut self.raw.as_ref()).ok()?;
        Some(Transaction {
            inner: Recovered::new_unchecked(envelope, self.sender),
            block_hash: Some(block.hash),
            block_number: Some(block.number),
            transaction_index: Some(index.into()),
            effective_gas_price: Some(self.effective_gas_price),
            block_timestamp: Some(block.timestamp),
        })
    }

    /// As [`Self::to_rpc`].
    pub(super) fn to_receipt(
        &self,
        block: BlockRef,
        index: u32,
        logs: Vec<Log>,
    ) -> Option<TransactionReceipt> {
        use alloy::consensus::Transaction as _;
        let envelope = TxEnvelope::decode_2718(&mut self.raw.as_ref()).ok()?;
        let created = envelope.kind() == TxKind::Create;
        Some(TransactionReceipt {
            inner: receipt(&envelope, self.success, self.cumulative_gas_used, logs),
            transaction_hash: self.hash,
            transaction_index: Some(index.into()),
            block_hash: Some(block.hash),
            block_number: Some(block.number),
            gas_used: self.gas_used,
            effective_gas_price: self.effective_gas_price,
            blob_gas_used: None,
            blob_gas_price: None,
            from: self.sender,
            to: envelope.to(),
            contract_address: created.then(|| self.sender.create(envelope.nonce())),
        })
    }
}

/// The consensus receipt of a transaction (EIP-658, EIP-2718).
pub(super) fn receipt<L>(
    envelope: &TxEnvelope,
    success: bool,
    cumulative_gas_used: u64,
    logs: Vec<L>,
) -> ReceiptEnvelope<L>
where
    Receipt<L>: TxReceipt,
{
    let receipt = Receipt { status: success.into(), cumulative_gas_used, logs };
    let logs_bloom = receipt.bloom();
    ReceiptEnvelope::from_typed(envelope.tx_type(), ReceiptWithBloom { receipt, logs_bloom })
}
