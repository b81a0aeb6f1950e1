//! Accounts, code and storage: what the chain holds in memory, and the changes of one block on top of it.

use std::collections::BTreeMap;
use std::convert::Infallible;

use alloy::primitives::map::{AddressMap, B256Map, HashMap};
use alloy::primitives::{Address, B256, KECCAK256_EMPTY, Keccak256, U256};
use revm::bytecode::Bytecode;
use revm::state::AccountInfo;
use revm::{Database, DatabaseCommit};

/// How many block hashes the opcode BLOCKHASH can see (yellow paper, section 9.4.2).
pub(super) const BLOCK_HASHES_KEPT: usize = 256;

/// An account without its storage. Balances are in wei.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) nonce: u64,
    pub(super) balance: U256,
    pub(super) code_hash: B256,
}

#[derive(Debug, Clone)]
struct Held {
    account: Account,
    storage: HashMap<U256, U256>,
}

/// The whole state at the head of the chain.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    accounts: AddressMap<Held>,
    codes: B256Map<Bytecode>,
    hashes: BTreeMap<u64, B256>,
}

/// What a block does to one account.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    /// `None`: the account is gone.
    pub(super) account: Option<Account>,
    /// Whether all storage from before the block is void.
    pub(super) wiped: bool,
    /// Slots and their values after the block.
    pub(super) storage: BTreeMap<U256, U256>,
}

/// What a block does to the state, in a fixed order.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    pub(super) accounts: BTreeMap<Address, Change>,
    pub(super) codes: BTreeMap<B256, Bytecode>,
}

/// A state that can be executed on: the world below, the changes of this block above.
pub(super) struct Overlay<'a> {
    world: &'a World,
    changes: Changes,
}

impl World {
    pub(super) fn account(&self, address: Address) -> Option<&Account> {
        self.accounts.get(&address).map(|held| &held.account)
    }

    pub(super) fn nonce(&self, address: Address) -> u64 {
        self.account(address).map_or(0, |account| account.nonce)
    }

    pub(super) fn balance(&self, address: Address) -> U256 {
        self.account(address).map_or(U256::ZERO, |account| account.balance)
    }

    pub(super) fn storage(&self, address: Address, slot: U256) -> U256 {
        self.accounts.get(&address).and_then(|held| held.storage.get(&slot)).copied().unwrap_or_default()
    }

    pub(super) fn code(&self, hash: B256) -> Bytecode {
        self.codes.get(&hash).cloned().unwrap_or_default()
    }

    /// Makes a block's hash known to the opcode BLOCKHASH and forgets the oldest one.
    pub(super) fn remember_hash(&mut self, number: u64, hash: B256) {
        self.hashes.insert(number, hash);
        while self.hashes.len() > BLOCK_HASHES_KEPT {
            self.hashes.pop_first();
        }
    }

    pub(super) fn insert_account(&mut self, address: Address, account: Account) {
        self.accounts.insert(address, Held { account, storage: HashMap::default() });
    }

    /// Sets a slot of an account that is there; storage without an account does not exist.
    pub(super) fn insert_storage(&mut self, address: Address, slot: U256, value: U256) {
        if let Some(held) = self.accounts.get_mut(&address) {
            held.storage.insert(slot, value);
        }
    }

    pub(super) fn insert_code(&mut self, hash: B256, code: Bytecode) {
        self.codes.insert(hash, code);
    }

    pub(super) fn apply(&mut self, changes: Changes) {
        self.codes.extend(changes.codes);
        for (address, change) in changes.accounts {
            let Some(account) = change.account else {
                self.accounts.remove(&address);
                continue;
            };
            let held = self
                .accounts
                .entry(address)
                .or_insert_with(|| Held { account: account.clone(), storage: HashMap::default() });
            held.account = account;
            if change.wiped {
                held.storage.clear();
            }
            for (slot, value) in change.storage {
                if value.is_zero() {
                    held.storage.remove(&slot);
                } else {
                    held.storage.insert(slot, value);
                }
            }
        }
    }
}

impl Changes {
    /// A digest of the state after these changes: it chains every change since genesis, so that two states with the same
    /// digest came about in the same way. It is not a Merkle-Patricia root, which nothing on this chain needs.
    pub(super) fn state_digest(&self, before: B256) -> B256 {
        let mut hasher = Keccak256::new();
        hasher.update(before);
        for (address, change) in &self.accounts {
            hasher.update(address);
            hasher.update([u8::from(change.account.is_some()), u8::from(change.wiped)]);
            if let Some(account) = &change.account {
                hasher.update(account.nonce.to_be_bytes());
                hasher.update(account.balance.to_be_bytes::<32>());
                hasher.update(account.code_hash);
            }
            for (slot, value) in &change.storage {
                hasher.update(slot.to_be_bytes::<32>());
                hasher.update(value.to_be_bytes::<32>());
            }
        }
        hasher.finalize()
    }
}

impl<'a> Overlay<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        Self { world, changes: Changes::default() }
    }

    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }

    fn account(&self, address: Address) -> Option<&Account> {
        match self.changes.accounts.get(&address) {
            Some(change) => change.account.as_ref(),
            None => self.world.account(address),
        }
    }

    fn commit_account(&mut self, address: Address, touched: revm::state::Account) {
        let change = self.changes.accounts.entry(address).or_default();
        // EIP-161: a touched account that is empty does not exist.
        if touched.is_selfdestructed() || touched.info.is_empty() {
            *change = Change { account: None, wiped: true, storage: BTreeMap::new() };
            return;
        }
        if touched.is_created() {
            change.wiped = true;
            change.storage.clear();
        }
        if let Some(code) = touched.info.code.filter(|code| !code.is_empty()) {
            self.changes.codes.insert(touched.info.code_hash, code);
        }
        change.account = Some(Account {
            nonce: touched.info.nonce,
            balance: touched.info.balance,
            code_hash: touched.info.code_hash,
        });
        let changed = touched.storage.into_iter().filter(|(_, slot)| slot.is_changed());
        change.storage.extend(changed.map(|(slot, value)| (slot, value.present_value())));
    }
}

impl Database for Overlay<'_> {
    type Error = Infallible;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.account(address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: (account.code_hash == KECCAK256_EMPTY).then(Bytecode::default),
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.changes.codes.get(&hash).cloned().unwrap_or_else(|| self.world.code(hash)))
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Infallible> {
        let below = || self.world.storage(address, slot);
        Ok(match self.changes.accounts.get(&address) {
            Some(change) => match change.storage.get(&slot) {
                Some(value) => *value,
                None if change.wiped => U256::ZERO,
                None => below(),
            },
            None => below(),
        })
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Infallible> {
        Ok(self.world.hashes.get(&number).copied().unwrap_or_default())
    }
}

impl DatabaseCommit for Overlay<'_> {
    fn commit(&mut self, changes: AddressMap<revm::state::Account>) {
        for (address, account) in changes {
            if account.is_touched() {
                self.commit_account(address, account);
            }
        }
    }
}
