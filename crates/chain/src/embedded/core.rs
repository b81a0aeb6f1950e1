//! What the chain's parts share: the head, the queue of transactions, the file. Blocks are made here, one at a time.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256};
use domain::Clock;

use super::block::{self, BLOCK_GAS_MAX, Tip};
use super::checked::Checked;
use super::disk::{Disk, DiskError, Origin};
use super::pool::Pool;
use super::rpc::RpcError;

/// How long a sender is kept waiting for its block before it gets its hash anyway.
const SUBMIT_WAIT_MAX: Duration = Duration::from_secs(2);

/// What a chain begins with.
#[derive(Debug, Clone)]
pub struct Genesis {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The only account that has funds.
    pub deployer: Address,
    /// Its funds, in wei.
    pub deployer_wei: U256,
    /// Start of the chain of block randomness; taken from a good source of entropy, and only at the first start. Whoever
    /// knows it knows every later value.
    pub seed: [u8; 32],
}

/// The chain could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its file cannot be used.
    #[error("the embedded chain could not be opened")]
    Disk(#[source] DiskError),
    /// The file holds another chain.
    #[error("the file holds chain {found} with deployer {deployer}: give it a data folder of its own")]
    OtherChain {
        /// The chain id in the file.
        found: u64,
        /// The deployer in the file.
        deployer: Address,
    },
    /// The thread that makes blocks could not be started.
    #[error("the thread that makes blocks could not be started")]
    Thread(#[source] std::io::Error),
}

/// What waits for the next block, and who asks for one.
pub(super) struct Queue {
    pub(super) pool: Pool,
    /// How many ask for a block each second.
    pub(super) askers: usize,
    /// How many transactions the maker of blocks hopes for before it begins.
    pub(super) wanted: usize,
    /// Whether a transaction waits for the base fee to fall.
    pub(super) stuck: bool,
    pub(super) paused: bool,
    pub(super) stop: bool,
}

pub(super) struct Core {
    pub(super) origin: Origin,
    pub(super) disk: Disk,
    tip: RwLock<Tip>,
    queue: Mutex<Queue>,
    pub(super) changed: Condvar,
    building: Mutex<()>,
    failed: AtomicBool,
    clock: Arc<dyn Clock>,
}

/// Nothing that holds one of these locks can leave what they guard half changed, so a poisoned one is still good.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    pub(super) fn open(
        file: Option<&Path>,
        genesis: &Genesis,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let disk = Disk::open(file).map_err(OpenError::Disk)?;
        let origin = match disk.origin().map_err(OpenError::Disk)? {
            Some(origin) => origin,
            None => {
                let Genesis { chain_id, deployer, deployer_wei, seed } = genesis.clone();
                let origin = Origin::new(chain_id, deployer, deployer_wei, B256::from(seed));
                let first = block::first(&origin, seconds(clock.as_ref()));
                disk.begin(&origin, &first).map_err(OpenError::Disk)?;
                origin
            }
        };
        if (origin.chain_id, origin.deployer) != (genesis.chain_id, genesis.deployer) {
            return Err(OpenError::OtherChain { found: origin.chain_id, deployer: origin.deployer });
        }
        let (world, header, hash) = disk.load().map_err(OpenError::Disk)?;
        let queue =
            Queue { pool: Pool::default(), askers: 0, wanted: 1, stuck: false, paused: false, stop: false };
        Ok(Self {
            origin,
            disk,
            tip: RwLock::new(Tip { world, header, hash }),
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            building: Mutex::new(()),
            failed: AtomicBool::new(false),
            clock,
        })
    }

    /// The head. Whoever holds it may take the queue, never the other way round.
    pub(super) fn tip(&self) -> RwLockReadGuard<'_, Tip> {
        self.tip.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    pub(super) fn now_s(&self) -> u64 {
        seconds(self.clock.as_ref())
    }

    /// Takes a signed transaction, and answers when it is durable if it can be executed now.
    pub(super) async fn submit(&self, raw: Bytes) -> Result<B256, RpcError> {
        let tx = Checked::decode(raw, self.origin.chain_id)?;
        let hash = tx.hash;
        if let Some(durable) = self.admit(tx)? {
            // Time may pass, or the transaction may turn out to be impossible: its hash is the answer all the same, as
            // on any node, and the receipt tells.
            let _ = tokio::time::timeout(SUBMIT_WAIT_MAX, durable).await;
        }
        Ok(hash)
    }

    fn admit(&self, tx: Arc<Checked>) -> Result<Option<tokio::sync::oneshot::Receiver<()>>, RpcError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(RpcError::internal("the chain cannot write to its file: restart it"));
        }
        let tip = self.tip();
        tx.admissible(&tip.world, tip.next_base_fee(), BLOCK_GAS_MAX)?;
        let mut queue = self.queue();
        let before = queue.pool.fresh;
        let waiter = queue.pool.insert(tx, &tip.world)?;
        if queue.pool.fresh > before && (before == 0 || queue.pool.fresh >= queue.wanted) {
            self.changed.notify_all();
        }
        Ok(waiter.filter(|_| !queue.paused))
    }

    /// Makes a block of what is ready; an empty one only if `even_empty`. It is durable when this returns. The number of
    /// its transactions, or `None` when there was nothing to do.
    pub(super) fn make_block(&self, even_empty: bool) -> Result<Option<usize>, DiskError> {
        let _one_at_a_time = lock(&self.building);
        let block = {
            let tip = self.tip();
            let mut queue = self.queue();
            let ready = queue.pool.ready(&tip.world, tip.next_base_fee());
            if ready.is_empty() && !even_empty {
                queue.pool.fresh = 0;
                return Ok(None);
            }
            drop(queue);
            tip.next_block(self.now_s(), &self.origin, &ready)
        };
        self.disk.append(&block).inspect_err(|_| self.failed.store(true, Ordering::Release))?;
        let included: Vec<(B256, Address)> =
            block.transactions.iter().map(|tx| (tx.hash, tx.sender)).collect();
        let refused = block.refused.clone();
        let mut tip = self.tip.write().unwrap_or_else(PoisonError::into_inner);
        tip.advance(block);
        let mut queue = self.queue();
        queue.pool.settle(included.iter().map(|(hash, _)| *hash), &refused);
        for (_, sender) in &included {
            queue.pool.drop_stale(*sender, &tip.world);
        }
        queue.pool.fresh = queue.pool.ready(&tip.world, tip.next_base_fee()).len();
        queue.stuck = queue.pool.fresh == 0 && !queue.pool.ready(&tip.world, 0).is_empty();
        Ok(Some(included.len()))
    }

    /// The head with its state, and a mark in the file.
    pub(super) fn mark(&self) -> Result<(Tip, redb::Savepoint), DiskError> {
        let _one_at_a_time = lock(&self.building);
        let savepoint = self.disk.savepoint()?;
        Ok((self.tip().clone(), savepoint))
    }

    /// Goes back to a mark; transactions that wait are forgotten.
    pub(super) fn back_to(&self, mark: &(Tip, redb::Savepoint)) -> Result<(), DiskError> {
        let _one_at_a_time = lock(&self.building);
        let mut tip = self.tip.write().unwrap_or_else(PoisonError::into_inner);
        self.disk.restore(&mark.1)?;
        *tip = mark.0.clone();
        self.queue().pool.clear();
        Ok(())
    }
}

fn seconds(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now().0 / 1000).unwrap_or_default()
}
