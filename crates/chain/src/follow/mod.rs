//! Follows the events of contracts page by page. The caller keeps the cursor, in the transaction in which it keeps what the
//! events bring about, so that nothing is seen twice or missed.
//!
//! A cursor names the last event that was seen: block number, block hash and log index, and the hashes of the blocks
//! before. When the chain no longer has that block, the page says from which block on the caller must undo what it did,
//! and its events begin there.

mod cursor;

use alloy::primitives::{Address, B256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{Filter, Log};
use alloy::transports::{RpcError, TransportErrorKind};

pub use self::cursor::{Cursor, CursorError};

/// Which events, and in which portions.
#[derive(Debug, Clone)]
pub struct FollowSettings {
    /// Contracts whose events are wanted; all when there are none.
    pub addresses: Vec<Address>,
    /// First topics (event signatures) that are wanted; all when there are none.
    pub signatures: Vec<B256>,
    /// Block where a follower without a cursor begins.
    pub from_block: u64,
    /// Blocks that one page spans at most.
    pub blocks_max: u64,
    /// Events after which a page ends, once their block is complete or the page holds nothing else.
    pub events_max: usize,
    /// Blocks that must follow an event before it is shown.
    pub confirmations: u64,
    /// The deepest reorganization that can be undone, in blocks below the last that was seen.
    pub reorg_depth: usize,
}

/// Some events, and where to go on.
#[derive(Debug, Clone)]
pub struct Page {
    /// When the chain was reorganized: everything that came from this block or a later one did not happen and must be
    /// undone before the events below are taken.
    pub undo_from: Option<u64>,
    /// In the order of the chain.
    pub events: Vec<Log>,
    /// To be kept with what the events brought about, also when there were none.
    pub cursor: Cursor,
    /// Whether there is nothing more to see at present.
    pub at_head: bool,
}

/// No page could be read; the cursor stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The chain did not answer.
    #[error("the chain cannot be asked for events")]
    Unreachable(#[source] Box<RpcError<TransportErrorKind>>),
    /// The chain changed while the page was read: the next try will do.
    #[error("the chain changed while its events were read")]
    Moved,
    /// None of the blocks that the cursor names is part of the chain any more.
    #[error(
        "the chain was reorganized below block {below}, deeper than {depth} blocks: start again from a trusted block"
    )]
    TooDeep {
        /// The oldest block that the cursor names.
        below: u64,
        /// What was configured.
        depth: usize,
    },
}

/// Reads pages of events. Holds no state of its own.
pub struct Follower {
    provider: DynProvider,
    settings: FollowSettings,
}

fn unreachable(error: RpcError<TransportErrorKind>) -> FollowError {
    FollowError::Unreachable(Box::new(error))
}

impl Follower {
    /// A follower on this chain.
    pub fn new(provider: DynProvider, settings: FollowSettings) -> Self {
        Self { provider, settings }
    }

    /// The events after the cursor. Changes nothing and may be repeated.
    ///
    /// # Errors
    /// `Unreachable` and `Moved` are temporary; `TooDeep` is for a person.
    pub async fn page(&self, cursor: Option<&Cursor>) -> Result<Page, FollowError> {
        let (base, undo_from) = match cursor {
            Some(cursor) => self.common_base(cursor).await?,
            None => (None, None),
        };
        let first = match &base {
            // A block that was seen in part is looked at again.
            Some(base) if base.log_index.is_some() => base.number,
            Some(base) => base.number + 1,
            None => self.settings.from_block,
        };
        let head = self.provider.get_block_number().await.map_err(unreachable)?;
        let Some(newest) = head.checked_sub(self.settings.confirmations).filter(|newest| *newest >= first)
        else {
            return self.nothing_new(base, cursor, undo_from, first).await;
        };
        let last = newest.min(first.saturating_add(self.settings.blocks_max.max(1) - 1));
        let before = self.hash(last).await?.ok_or(FollowError::Moved)?;
        let filter = Filter::new()
            .address(self.settings.addresses.clone())
            .event_signature(self.settings.signatures.clone())
            .from_block(first)
            .to_block(last);
        let mut events = self.provider.get_logs(&filter).await.map_err(unreachable)?;
        if let Some(seen) = base.as_ref().and_then(|base| base.log_index.map(|index| (base.number, index))) {
            events.retain(|event| position(event) > Some(seen));
        }
        let cut = events.len() > self.settings.events_max.max(1);
        events.truncate(self.settings.events_max.max(1));
        let (number, log_index) = match events.last().and_then(position) {
            Some((number, index)) if cut => (number, Some(index)),
            _ => (last, None),
        };
        // A hash stands for everything before it: while the last block is the same, so are all the events.
        if self.hash(last).await?.ok_or(FollowError::Moved)? != before || !self.still_there(&base).await? {
            return Err(FollowError::Moved);
        }
        let cursor = self.cursor_at(base, number, log_index).await?;
        Ok(Page { undo_from, events, cursor, at_head: !cut && last == newest })
    }

    /// A page without events: the chain has no block beyond the cursor that is deep enough.
    async fn nothing_new(
        &self,
        base: Option<Cursor>,
        given: Option<&Cursor>,
        undo_from: Option<u64>,
        first: u64,
    ) -> Result<Page, FollowError> {
        let cursor = match (base, given) {
            (Some(base), _) => base,
            // Nothing was seen yet, so the cursor says where to begin.
            (None, _) => {
                Cursor { number: first, hash: B256::ZERO, log_index: None, before: Vec::new() }.before_first()
            }
        };
        Ok(Page { undo_from, events: Vec::new(), cursor, at_head: true })
    }

    /// The newest block that both the cursor and the chain know, and from where on to undo when it is not the cursor's.
    async fn common_base(&self, cursor: &Cursor) -> Result<(Option<Cursor>, Option<u64>), FollowError> {
        if cursor.hash == B256::ZERO {
            return Ok((None, None));
        }
        if self.hash(cursor.number).await? == Some(cursor.hash) {
            return Ok((Some(cursor.clone()), None));
        }
        let mut older = cursor.clone();
        while let Some(parent) = older.parent() {
            if self.hash(parent.number).await? == Some(parent.hash) {
                let undo_from = parent.number + 1;
                return Ok((Some(parent), Some(undo_from)));
            }
            older = parent;
        }
        // All that was ever seen is gone: begin again, if that is no deeper than what was promised.
        if older.number <= self.settings.from_block && cursor.before.len() < self.settings.reorg_depth {
            return Ok((None, Some(self.settings.from_block)));
        }
        Err(FollowError::TooDeep { below: older.number, depth: self.settings.reorg_depth })
    }

    async fn still_there(&self, base: &Option<Cursor>) -> Result<bool, FollowError> {
        match base {
            Some(base) => Ok(self.hash(base.number).await? == Some(base.hash)),
            None => Ok(true),
        }
    }

    /// A cursor at a block, with the hashes before it: from the old cursor where it knows them, else from the chain.
    async fn cursor_at(
        &self,
        base: Option<Cursor>,
        number: u64,
        log_index: Option<u64>,
    ) -> Result<Cursor, FollowError> {
        let hash = self.hash(number).await?.ok_or(FollowError::Moved)?;
        let mut before = Vec::new();
        let mut below = number;
        while before.len() < self.settings.reorg_depth && below > self.settings.from_block {
            below -= 1;
            let hash = match base.as_ref().and_then(|base| base.hash_of(below)) {
                Some(hash) => hash,
                None => self.hash(below).await?.ok_or(FollowError::Moved)?,
            };
            before.push(hash);
        }
        Ok(Cursor { number, hash, log_index, before })
    }

    async fn hash(&self, number: u64) -> Result<Option<B256>, FollowError> {
        let block = self.provider.get_block_by_number(number.into()).await.map_err(unreachable)?;
        Ok(block.map(|block| block.header.hash))
    }
}

fn position(event: &Log) -> Option<(u64, u64)> {
    Some((event.block_number?, event.log_index?))
}
