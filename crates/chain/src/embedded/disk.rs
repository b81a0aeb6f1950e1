//! Blocks and state in one redb file. A block and everything it changes is one durable transaction, so that after a crash
//! a block is there whole or not at all.

use std::path::Path;

use alloy::consensus::Header;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use redb::{
    Database, ReadableDatabase, ReadableTable, Savepoint, TableDefinition, WriteTransaction,
    backends::InMemoryBackend,
};
use revm::bytecode::Bytecode;

use super::block::NewBlock;
use super::records::{BlockRef, LogRecord, TxRecord};
use super::state::{Account, BLOCK_HASHES_KEPT, Changes, World};

/// Raised with every change of the tables below.
const FORMAT: u64 = 1;
const PAGE_CACHE_BYTES: usize = 32 * 1024 * 1024;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Block number to hash and RLP header.
const HEADERS: TableDefinition<'_, u64, (&[u8; 32], &[u8])> = TableDefinition::new("headers");
const BLOCK_NUMBERS: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("block_numbers");
/// Block number and index in the block.
type Position = (u64, u32);
const TRANSACTIONS: TableDefinition<'_, Position, &[u8]> = TableDefinition::new("transactions");
const TX_POSITIONS: TableDefinition<'_, &[u8; 32], Position> = TableDefinition::new("tx_positions");
const LOGS: TableDefinition<'_, Position, &[u8]> = TableDefinition::new("logs");
const ACCOUNTS: TableDefinition<'_, &[u8; 20], &[u8]> = TableDefinition::new("accounts");
const CODES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("codes");
/// Address and slot.
const STORAGE: TableDefinition<'_, (&[u8; 20], &[u8; 32]), &[u8; 32]> = TableDefinition::new("storage");

/// The chain's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The key-value store refused.
    #[error("the chain's file could not be {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Why. Boxed, because redb's error is large.
        #[source]
        source: Box<redb::Error>,
    },
    /// A record cannot be read back.
    #[error("the chain's file holds a damaged {what}: restore it from a backup")]
    Damaged {
        /// Which kind of record.
        what: &'static str,
    },
    /// It was written by another version of this program.
    #[error("the chain's file has format {found}, this program reads {FORMAT}")]
    Format {
        /// Which.
        found: u64,
    },
}

/// What the chain began with.
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(super) struct Origin {
    format: u64,
    pub(super) chain_id: u64,
    pub(super) deployer: Address,
    pub(super) deployer_wei: U256,
    /// Start of the chain of block randomness. Whoever knows it knows every draw.
    pub(super) seed: B256,
}

impl Origin {
    pub(super) fn new(chain_id: u64, deployer: Address, deployer_wei: U256, seed: B256) -> Self {
        Self { format: FORMAT, chain_id, deployer, deployer_wei, seed }
    }
}

#[derive(RlpEncodable, RlpDecodable)]
struct AccountRecord {
    nonce: u64,
    balance: U256,
    code_hash: B256,
}

pub(super) struct Disk {
    db: Database,
}

/// Where a transaction lies, with its block.
pub(super) struct Found {
    pub(super) block: BlockRef,
    pub(super) index: u32,
    pub(super) record: TxRecord,
}

fn failed<E: Into<redb::Error>>(doing: &'static str) -> impl FnOnce(E) -> DiskError {
    move |source| DiskError::Store { doing, source: Box::new(source.into()) }
}

fn decode<T: Decodable>(what: &'static str, mut bytes: &[u8]) -> Result<T, DiskError> {
    T::decode(&mut bytes).map_err(|_| DiskError::Damaged { what })
}

fn encode(value: &impl Encodable) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.length());
    value.encode(&mut out);
    out
}

impl Disk {
    /// Opens the file, or makes it; `None` for a chain that lives in memory only.
    pub(super) fn open(file: Option<&Path>) -> Result<Self, DiskError> {
        let mut builder = Database::builder();
        builder.set_cache_size(PAGE_CACHE_BYTES);
        let db = match file {
            Some(file) => builder.create(file),
            None => builder.create_with_backend(InMemoryBackend::new()),
        };
        Ok(Self { db: db.map_err(failed("opened"))? })
    }

    /// What the chain began with; `None` before its first block.
    pub(super) fn origin(&self) -> Result<Option<Origin>, DiskError> {
        let read = self.db.begin_read().map_err(failed("read"))?;
        let meta = match read.open_table(META) {
            Ok(meta) => meta,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(other) => return Err(failed("read")(other)),
        };
        let Some(bytes) = meta.get("origin").map_err(failed("read"))? else { return Ok(None) };
        let origin: Origin = decode("origin", bytes.value())?;
        if origin.format != FORMAT {
            return Err(DiskError::Format { found: origin.format });
        }
        Ok(Some(origin))
    }

    /// Writes the first block together with what the chain began with.
    pub(super) fn begin(&self, origin: &Origin, block: &NewBlock) -> Result<(), DiskError> {
        let write = self.db.begin_write().map_err(failed("written"))?;
        {
            let mut meta = write.open_table(META).map_err(failed("written"))?;
            meta.insert("origin", encode(origin).as_slice()).map_err(failed("written"))?;
        }
        put_block(&write, block)?;
        write.commit().map_err(failed("written"))
    }

    /// Writes a block. When this returns, the block survives the loss of power.
    pub(super) fn append(&self, block: &NewBlock) -> Result<(), DiskError> {
        let write = self.db.begin_write().map_err(failed("written"))?;
        put_block(&write, block)?;
        write.commit().map_err(failed("written"))
    }

    /// The state at the head, the head, and its hash.
    pub(super) fn load(&self) -> Result<(World, Header, B256), DiskError> {
        let read = self.db.begin_read().map_err(failed("read"))?;
        let mut world = World::default();
        let accounts = read.open_table(ACCOUNTS).map_err(failed("read"))?;
        for entry in accounts.iter().map_err(failed("read"))? {
            let (address, bytes) = entry.map_err(failed("read"))?;
            let AccountRecord { nonce, balance, code_hash } = decode("account", bytes.value())?;
            world.insert_account(Address::from(address.value()), Account { nonce, balance, code_hash });
        }
        let storage = read.open_table(STORAGE).map_err(failed("read"))?;
        for entry in storage.iter().map_err(failed("read"))? {
            let (key, value) = entry.map_err(failed("read"))?;
            let (address, slot) = key.value();
            let (slot, value) = (U256::from_be_bytes(*slot), U256::from_be_bytes(*value.value()));
            world.insert_storage(Address::from(address), slot, value);
        }
        let codes = read.open_table(CODES).map_err(failed("read"))?;
        for entry in codes.iter().map_err(failed("read"))? {
            let (hash, code) = entry.map_err(failed("read"))?;
            let code = Bytecode::new_raw_checked(Bytes::copy_from_slice(code.value()))
                .map_err(|_| DiskError::Damaged { what: "contract" })?;
            world.insert_code(B256::from(hash.value()), code);
        }
        let headers = read.open_table(HEADERS).map_err(failed("read"))?;
        let mut head = None;
        for entry in headers.iter().map_err(failed("read"))?.rev().take(BLOCK_HASHES_KEPT) {
            let (number, value) = entry.map_err(failed("read"))?;
            let (hash, header) = value.value();
            world.remember_hash(number.value(), B256::from(hash));
            if head.is_none() {
                head = Some((decode("block header", header)?, B256::from(hash)));
            }
        }
        let (header, hash) = head.ok_or(DiskError::Damaged { what: "chain: it has no block" })?;
        Ok((world, header, hash))
    }

    pub(super) fn header(&self, number: u64) -> Result<Option<(Header, B256)>, DiskError> {
        let read = self.db.begin_read().map_err(failed("read"))?;
        let headers = read.open_table(HEADERS).map_err(failed("read"))?;
        let Some(value) = headers.get(number).map_err(failed("read"))? else { return Ok(None) };
        let (hash, header) = value.value();
        Ok(Some((decode("block header", header)?, B256::from(hash))))
    }

    pub(super) fn block_number(&self, hash: B256) -> Result<Option<u64>, DiskError> {
        let read = self.db.begin_read().map_err(failed("read"))?;
        let numbers = read.open_table(BLOCK_NUMBERS).map_err(failed("read"))?;
        Ok(numbers.get(&hash.0).map_err(failed("read"))?.map(|number| number.value()))
    }

    /// All transactions of a block, in order.
    pub(super) fn transactions(&self, number: u64) -> Result<Vec<TxRecord>, DiskError> {
        let read = self.db.begin_read().map_err(failed("read"))?;
        let table = read.open_table(TRANSACTIONS).map_err(failed("read"))?;
        let range = table.range((number, 0)..=(number, u32::MAX)).map_err(failed("read"))?;
        range.map(|entry| decode("transaction", entry.map_err(failed("read"))?.1.value())).collect()
    }

    pub(super) fn transaction(&self, hash: B256) -> Result<Option<Found>, DiskError> {
        let read = self.db.begin_read().map_err(failed("read"))?;
        let positions = read.open_table(TX_POSITIONS).map_err(failed("read"))?;
        let Some((number, index)) = positions.get(&hash.0).map_err(failed("read"))?.map(|at| at.value())
        else {
            return Ok(None);
        };
        let table = read.open_table(TRANSACTIONS).map_err(failed("read"))?;
        let bytes = table.get((number, index)).map_err(failed("read"))?;
        let bytes = bytes.ok_or(DiskError::Damaged { what: "transaction" })?;
        let headers = read.open_table(HEADERS).map_err(failed("read"))?;
        let block = block_ref(&headers, number)?;
        Ok(Some(Found { block, index, record: decode("transaction", bytes.value())? }))
    }

    /// The logs from one position to another, both inclusive, that `wanted` lets through; `None` when there are more
    /// than `max`.
    pub(super) fn logs(
        &self,
        positions: std::ops::RangeInclusive<Position>,
        max: usize,
        wanted: impl Fn(&LogRecord) -> bool,
    ) -> Result<Option<Vec<alloy::rpc::types::Log>>, DiskError> {
        let read = self.db.begin_read().map_err(failed("read"))?;
        let table = read.open_table(LOGS).map_err(failed("read"))?;
        let headers = read.open_table(HEADERS).map_err(failed("read"))?;
        let mut found = Vec::new();
        let mut block: Option<BlockRef> = None;
        for entry in table.range(positions).map_err(failed("read"))? {
            let (at, bytes) = entry.map_err(failed("read"))?;
            let (number, index) = at.value();
            let record: LogRecord = decode("log", bytes.value())?;
            if !wanted(&record) {
                continue;
            }
            if found.len() == max {
                return Ok(None);
            }
            let here = match block {
                Some(block) if block.number == number => block,
                _ => block_ref(&headers, number)?,
            };
            block = Some(here);
            found.push(record.to_rpc(here, index));
        }
        Ok(Some(found))
    }

    /// Marks the present content, for as long as the process lives.
    pub(super) fn savepoint(&self) -> Result<Savepoint, DiskError> {
        let write = self.db.begin_write().map_err(failed("marked"))?;
        write.ephemeral_savepoint().map_err(failed("marked"))
    }

    /// Goes back to a mark.
    pub(super) fn restore(&self, savepoint: &Savepoint) -> Result<(), DiskError> {
        let mut write = self.db.begin_write().map_err(failed("taken back"))?;
        write.restore_savepoint(savepoint).map_err(failed("taken back"))?;
        write.commit().map_err(failed("taken back"))
    }
}

fn block_ref(
    headers: &impl ReadableTable<u64, (&'static [u8; 32], &'static [u8])>,
    number: u64,
) -> Result<BlockRef, DiskError> {
    let damaged = DiskError::Damaged { what: "block header" };
    let value = headers.get(number).map_err(failed("read"))?.ok_or(damaged)?;
    let (hash, header) = value.value();
    let header: Header = decode("block header", header)?;
    Ok(BlockRef { number, hash: B256::from(hash), timestamp: header.timestamp })
}

fn put_block(write: &WriteTransaction, block: &NewBlock) -> Result<(), DiskError> {
    let number = block.header.number;
    let mut headers = write.open_table(HEADERS).map_err(failed("written"))?;
    let header = encode(&block.header);
    headers.insert(number, (&block.hash.0, header.as_slice())).map_err(failed("written"))?;
    let mut numbers = write.open_table(BLOCK_NUMBERS).map_err(failed("written"))?;
    numbers.insert(&block.hash.0, number).map_err(failed("written"))?;
    let mut table = write.open_table(TRANSACTIONS).map_err(failed("written"))?;
    let mut positions = write.open_table(TX_POSITIONS).map_err(failed("written"))?;
    for (index, record) in (0u32..).zip(&block.transactions) {
        table.insert((number, index), encode(record).as_slice()).map_err(failed("written"))?;
        positions.insert(&record.hash.0, (number, index)).map_err(failed("written"))?;
    }
    let mut logs = write.open_table(LOGS).map_err(failed("written"))?;
    for (index, record) in (0u32..).zip(&block.logs) {
        logs.insert((number, index), encode(record).as_slice()).map_err(failed("written"))?;
    }
    put_changes(write, &block.changes)
}

fn put_changes(write: &WriteTransaction, changes: &Changes) -> Result<(), DiskError> {
    let mut accounts = write.open_table(ACCOUNTS).map_err(failed("written"))?;
    let mut storage = write.open_table(STORAGE).map_err(failed("written"))?;
    let mut codes = write.open_table(CODES).map_err(failed("written"))?;
    for (hash, code) in &changes.codes {
        codes.insert(&hash.0, code.original_byte_slice()).map_err(failed("written"))?;
    }
    for (address, change) in &changes.accounts {
        let key: &[u8; 20] = &address.0.0;
        if change.wiped {
            let all = (key, &[0u8; 32])..=(key, &[0xff; 32]);
            storage.retain_in(all, |_, _| false).map_err(failed("written"))?;
        }
        match &change.account {
            Some(Account { nonce, balance, code_hash }) => {
                let record = AccountRecord { nonce: *nonce, balance: *balance, code_hash: *code_hash };
                accounts.insert(key, encode(&record).as_slice()).map_err(failed("written"))?;
            }
            None => {
                accounts.remove(key).map_err(failed("written"))?;
            }
        }
        for (slot, value) in &change.storage {
            let at = (key, &slot.to_be_bytes::<32>());
            if value.is_zero() {
                storage.remove(at).map_err(failed("written"))?;
            } else {
                storage.insert(at, &value.to_be_bytes::<32>()).map_err(failed("written"))?;
            }
        }
    }
    Ok(())
}
