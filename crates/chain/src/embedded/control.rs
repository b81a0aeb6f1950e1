//! Control over an embedded chain that tests need and nobody else may have: no RPC method leads here. Time is controlled by
//! the clock that a test passes in.

use redb::Savepoint;

use super::block::Tip;
use super::disk::DiskError;
use super::{EmbeddedChain, core::Core};

/// Makes blocks, holds them back, and takes the chain back to an earlier head.
pub struct TestControl<'a> {
    core: &'a Core,
}

/// A head to which the chain can go back, as long as the process lives.
pub struct Snapshot((Tip, Savepoint));

impl<'a> TestControl<'a> {
    /// The control of this chain.
    pub fn of(chain: &'a EmbeddedChain) -> Self {
        Self { core: chain.core() }
    }

    /// Makes `count` blocks now, the first with what waits; also while mining is paused.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn mine(&self, count: u64) -> Result<(), DiskError> {
        for _ in 0..count {
            self.core.make_block(true)?;
        }
        Ok(())
    }

    /// No blocks from now on, except by [`Self::mine`]: sent transactions stay pending.
    pub fn pause(&self) {
        self.core.queue().paused = true;
    }

    /// Blocks again, with what has been waiting.
    pub fn resume(&self) {
        self.core.queue().paused = false;
        self.core.changed.notify_all();
    }

    /// Marks the present head.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn snapshot(&self) -> Result<Snapshot, DiskError> {
        self.core.mark().map(Snapshot)
    }

    /// Takes the chain back to the snapshot; blocks after it are gone, and so are pending transactions. Snapshots taken
    /// after this one cannot be used any more.
    ///
    /// # Errors
    /// When the file cannot be used or the snapshot is void.
    pub fn revert(&self, snapshot: &Snapshot) -> Result<(), DiskError> {
        self.core.back_to(&snapshot.0)
    }
}
