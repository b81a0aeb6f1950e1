//! Blocks, transactions, receipts, logs and fees.

use alloy::consensus::Header;
use alloy::eips::BlockNumberOrTag;
use alloy::network::primitives::BlockTransactions;
use alloy::primitives::{B256, U256};
use alloy::rpc::types::{
    Block, FeeHistory, Filter, FilterBlockOption, Log, Transaction, TransactionReceipt, Withdrawals,
};
use alloy_rlp::Encodable;

use super::RpcError;
use super::params::{number, out_of_range};
use crate::embedded::core::Core;
use crate::embedded::disk::{DiskError, Found};
use crate::embedded::records::{BlockRef, TxRecord};

/// Logs in one answer.
const LOGS_MAX: usize = 10_000;
/// Blocks that one question for logs may span.
const LOG_BLOCKS_MAX: u64 = 1_000_000;
/// Blocks in one fee history (geth's bound).
const FEE_BLOCKS_MAX: u64 = 1_024;
const PERCENTILES_MAX: usize = 100;
/// Wei per gas that is suggested as tip: anvil's figure. Tips buy nothing here, where blocks are rarely full.
pub(super) const SUGGESTED_TIP: u64 = 1_000_000_000;

/// A block and where it stands.
pub(super) struct Stored {
    header: Header,
    hash: B256,
}

impl Stored {
    fn at(&self) -> BlockRef {
        BlockRef { number: self.header.number, hash: self.hash, timestamp: self.header.timestamp }
    }
}

fn storage(error: DiskError) -> RpcError {
    tracing::error!(error = &error as &dyn std::error::Error, "the embedded chain cannot read its file");
    RpcError::internal("the chain cannot read its file")
}

fn damaged() -> RpcError {
    storage(DiskError::Damaged { what: "transaction" })
}

pub(super) fn by_number(core: &Core, tag: BlockNumberOrTag) -> Result<Option<Stored>, RpcError> {
    let head = core.tip().header.number;
    let asked = number(tag, head);
    // The file may be one block ahead of the head that everybody sees.
    if asked > head {
        return Ok(None);
    }
    let found = core.disk.header(asked).map_err(storage)?;
    Ok(found.map(|(header, hash)| Stored { header, hash }))
}

pub(super) fn by_hash(core: &Core, hash: B256) -> Result<Option<Stored>, RpcError> {
    match core.disk.block_number(hash).map_err(storage)? {
        Some(number) => by_number(core, number.into()),
        None => Ok(None),
    }
}

/// The block as `eth_getBlockByNumber` shows it. Its size is that of its header and transactions.
pub(super) fn show(core: &Core, block: Stored, full: bool) -> Result<Block, RpcError> {
    let records = core.disk.transactions(block.header.number).map_err(storage)?;
    let at = block.at();
    let size = block.header.length() + records.iter().map(|record| record.raw.len()).sum::<usize>();
    let transactions = if full {
        let shown =
            (0u32..).zip(&records).map(|(index, record)| record.to_rpc(at, index).ok_or_else(damaged));
        BlockTransactions::Full(shown.collect::<Result<_, _>>()?)
    } else {
        BlockTransactions::Hashes(records.iter().map(|record| record.hash).collect())
    };
    Ok(assemble(block, size, transactions))
}

/// The block that would come next: nothing in it is executed yet.
pub(super) fn show_pending(core: &Core, full: bool) -> Block {
    let tip = core.tip();
    let header = tip.next_header(core.now_s(), &core.origin);
    let waiting = core.queue().pool.ready(&tip.world, tip.next_base_fee());
    let transactions = if full {
        BlockTransactions::Full(waiting.iter().map(|tx| super::pending(tx)).collect())
    } else {
        BlockTransactions::Hashes(waiting.iter().map(|tx| tx.hash).collect())
    };
    let size = header.length() + waiting.iter().map(|tx| tx.raw.len()).sum::<usize>();
    let hash = header.hash_slow();
    assemble(Stored { header, hash }, size, transactions)
}

fn assemble(block: Stored, size: usize, transactions: BlockTransactions<Transaction>) -> Block {
    Block {
        header: alloy::rpc::types::Header {
            hash: block.hash,
            inner: block.header,
            total_difficulty: Some(U256::ZERO),
            size: Some(U256::from(size)),
        },
        uncles: Vec::new(),
        transactions,
        withdrawals: Some(Withdrawals::default()),
    }
}

pub(super) fn transaction_count(core: &Core, block: &Stored) -> Result<u64, RpcError> {
    Ok(core.disk.transactions(block.header.number).map_err(storage)?.len() as u64)
}

pub(super) fn transaction(core: &Core, hash: B256) -> Result<Option<Transaction>, RpcError> {
    if let Some(Found { block, index, record }) = core.disk.transaction(hash).map_err(storage)? {
        return record.to_rpc(block, index).ok_or_else(damaged).map(Some);
    }
    Ok(core.queue().pool.get(hash).map(|tx| super::pending(tx)))
}

pub(super) fn receipt(core: &Core, hash: B256) -> Result<Option<TransactionReceipt>, RpcError> {
    match core.disk.transaction(hash).map_err(storage)? {
        Some(Found { block, index, record }) => receipt_of(core, block, index, &record).map(Some),
        None => Ok(None),
    }
}

pub(super) fn receipts(core: &Core, block: &Stored) -> Result<Vec<TransactionReceipt>, RpcError> {
    let records = core.disk.transactions(block.header.number).map_err(storage)?;
    (0u32..).zip(&records).map(|(index, record)| receipt_of(core, block.at(), index, record)).collect()
}

fn receipt_of(
    core: &Core,
    block: BlockRef,
    index: u32,
    tx: &TxRecord,
) -> Result<TransactionReceipt, RpcError> {
    let logs = if tx.logs == 0 {
        Vec::new()
    } else {
        let last = tx.first_log + (tx.logs - 1);
        let found = core.disk.logs((block.number, tx.first_log)..=(block.number, last), usize::MAX, |_| true);
        found.map_err(storage)?.unwrap_or_default()
    };
    tx.to_receipt(block, index, logs).ok_or_else(damaged)
}

/// `eth_getLogs` (EIP-234 for the block hash).
pub(super) fn logs(core: &Core, filter: &Filter) -> Result<Vec<Log>, RpcError> {
    let head = core.tip().header.number;
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let block = by_hash(core, hash)?.ok_or_else(|| RpcError::server("unknown block"))?;
            (block.header.number, block.header.number)
        }
        FilterBlockOption::Range { from_block, to_block } => {
            let or_head = |tag: Option<BlockNumberOrTag>| tag.map_or(head, |tag| number(tag, head));
            (or_head(from_block), or_head(to_block).min(head))
        }
    };
    if from > head {
        return Err(out_of_range(from, head));
    }
    if from > to {
        return Err(RpcError::params(format!("invalid block range: {from} is after {to}")));
    }
    if to - from >= LOG_BLOCKS_MAX {
        return Err(RpcError::limit(format!("a question for logs spans at most {LOG_BLOCKS_MAX} blocks")));
    }
    let wanted = |log: &crate::embedded::records::LogRecord| {
        filter.matches_address(log.address) && filter.matches_topics(&log.topics)
    };
    let found = core.disk.logs((from, 0)..=(to, u32::MAX), LOGS_MAX, wanted).map_err(storage)?;
    found.ok_or_else(|| RpcError::limit(format!("more than {LOGS_MAX} logs: ask for fewer blocks")))
}

/// `eth_feeHistory` (EIP-1559).
pub(super) fn fee_history(
    core: &Core,
    count: u64,
    newest: BlockNumberOrTag,
    percentiles: Option<&[f64]>,
) -> Result<FeeHistory, RpcError> {
    if percentiles.is_some_and(|list| list.len() > PERCENTILES_MAX || !list.is_sorted()) {
        return Err(RpcError::params("at most 100 percentiles, in ascending order"));
    }
    let head = core.tip().header.number;
    let newest = number(newest, head).min(head);
    let count = count.clamp(1, FEE_BLOCKS_MAX).min(newest + 1);
    let oldest = newest + 1 - count;
    let mut history = FeeHistory { oldest_block: oldest, ..FeeHistory::default() };
    let mut rewards = Vec::new();
    let mut next_base_fee = 0;
    for number in oldest..=newest {
        let block = by_number(core, number.into())?.ok_or_else(|| out_of_range(number, head))?;
        let base_fee = u128::from(block.header.base_fee_per_gas.unwrap_or_default());
        history.base_fee_per_gas.push(base_fee);
        history.base_fee_per_blob_gas.push(1);
        history.blob_gas_used_ratio.push(0.0);
        history.gas_used_ratio.push(block.header.gas_used as f64 / block.header.gas_limit as f64);
        next_base_fee = block
            .header
            .next_block_base_fee(alloy::eips::eip1559::BaseFeeParams::ethereum())
            .unwrap_or_default();
        if let Some(percentiles) = percentiles {
            let records = core.disk.transactions(number).map_err(storage)?;
            rewards.push(tips_at(&records, base_fee, percentiles));
        }
    }
    history.base_fee_per_gas.push(next_base_fee.into());
    history.base_fee_per_blob_gas.push(1);
    history.reward = percentiles.map(|_| rewards);
    Ok(history)
}

/// The tips, in wei per gas, below which the given shares of a block's gas were bought.
fn tips_at(records: &[TxRecord], base_fee: u128, percentiles: &[f64]) -> Vec<u128> {
    let mut tips: Vec<(u128, u64)> =
        records.iter().map(|tx| (tx.effective_gas_price.saturating_sub(base_fee), tx.gas_used)).collect();
    tips.sort_unstable();
    let total: u64 = tips.iter().map(|(_, gas)| gas).sum();
    let at = |percent: &f64| {
        let wanted = total as f64 * percent.clamp(0.0, 100.0) / 100.0;
        let mut sum = 0;
        let found = tips.iter().find(|(_, gas)| {
            sum += gas;
            sum as f64 >= wanted
        });
        found.map_or(0, |(tip, _)| *tip)
    };
    percentiles.iter().map(at).collect()
}
