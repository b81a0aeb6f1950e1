//! Makes blocks: a header (EIP-1559, EIP-4399), the transactions that fit, and what they change.

use std::sync::Arc;

use alloy::consensus::constants::EMPTY_WITHDRAWALS;
use alloy::consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy::consensus::{EMPTY_OMMER_ROOT_HASH, Header, Transaction};
use alloy::eips::eip1559::BaseFeeParams;
use alloy::eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy::primitives::{B256, Bloom, Keccak256, keccak256};
use revm::ExecuteCommitEvm;
use revm::context::result::ExecutionResult;

use super::checked::Checked;
use super::disk::Origin;
use super::execute::{block_env, evm};
use super::records::{LogRecord, TxRecord, receipt};
use super::state::{Account, Change, Changes, World};

/// Gas that fits into a block. The same as anvil's, so that the two can be compared.
pub(super) const BLOCK_GAS_MAX: u64 = 30_000_000;
/// Wei per gas in the first block (EIP-1559); later ones follow from how full their parents were.
const FIRST_BASE_FEE: u64 = 1_000_000_000;

/// The head of the chain and the state there.
#[derive(Clone)]
pub(super) struct Tip {
    pub(super) world: World,
    pub(super) header: Header,
    pub(super) hash: B256,
}

/// A block that is not yet part of the chain.
pub(super) struct NewBlock {
    pub(super) header: Header,
    pub(super) hash: B256,
    pub(super) transactions: Vec<TxRecord>,
    pub(super) logs: Vec<LogRecord>,
    pub(super) changes: Changes,
    /// Transactions that turned out to be impossible; they leave the pool.
    pub(super) refused: Vec<B256>,
}

/// Randomness of a block (EIP-4399): a hash chain from the seed. Whoever holds the seed knows all of it beforehand, so a
/// draw on this chain proves nothing to a stranger.
fn randomness_after(before: B256, seed: B256) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(b"waag block randomness\0");
    hasher.update(seed);
    hasher.update(before);
    hasher.finalize()
}

fn empty_header() -> Header {
    Header {
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        gas_limit: BLOCK_GAS_MAX,
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

/// The first block: only the deployer has funds.
pub(super) fn first(origin: &Origin, timestamp: u64) -> NewBlock {
    let mut changes = Changes::default();
    let deployer = Account { nonce: 0, balance: origin.deployer_wei, code_hash: keccak256([]) };
    let change = Change { account: Some(deployer), ..Change::default() };
    changes.accounts.insert(origin.deployer, change);
    let header = Header {
        timestamp,
        state_root: changes.state_digest(B256::ZERO),
        mix_hash: randomness_after(B256::ZERO, origin.seed),
        base_fee_per_gas: Some(FIRST_BASE_FEE),
        ..empty_header()
    };
    let hash = header.hash_slow();
    NewBlock { header, hash, transactions: Vec::new(), logs: Vec::new(), changes, refused: Vec::new() }
}

impl Tip {
    /// Wei per gas that the next block asks (EIP-1559).
    pub(super) fn next_base_fee(&self) -> u64 {
        self.header.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or(FIRST_BASE_FEE)
    }

    /// The header of the next block, before anything is executed. Time never goes back, and several blocks may share a
    /// second.
    pub(super) fn next_header(&self, now_s: u64, origin: &Origin) -> Header {
        Header {
            parent_hash: self.hash,
            number: self.header.number + 1,
            timestamp: now_s.max(self.header.timestamp),
            state_root: self.header.state_root,
            mix_hash: randomness_after(self.header.mix_hash, origin.seed),
            base_fee_per_gas: Some(self.next_base_fee()),
            ..empty_header()
        }
    }

    /// Executes transactions in order, up to the first that does not fit any more; the rest waits for the next block.
    pub(super) fn next_block(&self, now_s: u64, origin: &Origin, candidates: &[Arc<Checked>]) -> NewBlock {
        let mut header = self.next_header(now_s, origin);
        let mut parts = Parts::default();
        let mut evm = evm(&self.world, block_env(&header), origin.chain_id);
        for tx in candidates {
            if parts.gas_used + tx.envelope.gas_limit() > BLOCK_GAS_MAX {
                break;
            }
            match evm.transact_commit(tx.env()) {
                Ok(result) => parts.add(tx, result, self.next_base_fee()),
                Err(reason) => {
                    tracing::debug!(tx = %tx.hash, %reason, "a pooled transaction cannot be executed");
                    parts.refused.push(tx.hash);
                }
            }
        }
        let changes = evm.ctx.journaled_state.database.into_changes();
        header.state_root = changes.state_digest(header.state_root);
        header.transactions_root = calculate_transaction_root(&parts.included);
        header.receipts_root = calculate_receipt_root(&parts.receipts);
        header.logs_bloom = parts.bloom;
        header.gas_used = parts.gas_used;
        let hash = header.hash_slow();
        let Parts { records, logs, refused, .. } = parts;
        NewBlock { header, hash, transactions: records, logs, changes, refused }
    }

    /// Puts a block on top, after it is durable.
    pub(super) fn advance(&mut self, block: NewBlock) {
        self.world.apply(block.changes);
        self.world.remember_hash(block.header.number, block.hash);
        self.header = block.header;
        self.hash = block.hash;
    }
}

/// What piles up while the transactions of a block are executed.
#[derive(Default)]
struct Parts {
    gas_used: u64,
    included: Vec<alloy::consensus::TxEnvelope>,
    receipts: Vec<alloy::consensus::ReceiptEnvelope<alloy::primitives::Log>>,
    records: Vec<TxRecord>,
    logs: Vec<LogRecord>,
    bloom: Bloom,
    refused: Vec<B256>,
}

impl Parts {
    fn add(&mut self, tx: &Checked, result: ExecutionResult, base_fee: u64) {
        let gas_used = result.tx_gas_used();
        self.gas_used += gas_used;
        let success = result.is_success();
        let logs = result.into_logs();
        let index = u32::try_from(self.included.len()).unwrap_or(u32::MAX);
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        self.records.push(TxRecord {
            hash: tx.hash,
            sender: tx.sender,
            success,
            gas_used,
            cumulative_gas_used: self.gas_used,
            effective_gas_price: tx.envelope.effective_gas_price(Some(base_fee)),
            first_log: count(self.logs.len()),
            logs: count(logs.len()),
            raw: tx.raw.clone(),
        });
        self.logs.extend(logs.iter().map(|log| LogRecord {
            address: log.address,
            topics: log.topics().to_vec(),
            data: log.data.data.clone(),
            tx_hash: tx.hash,
            tx_index: index,
        }));
        let receipt = receipt(&tx.envelope, success, self.gas_used, logs);
        self.bloom |= *receipt.logs_bloom();
        self.receipts.push(receipt);
        self.included.push(tx.envelope.clone());
    }
}
