//! Reading parameters: an array of values, the last of which may be missing.

use alloy::eips::{BlockId, BlockNumberOrTag};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::RpcError;
use crate::embedded::core::Core;

/// More than any method takes.
const PARAMS_MAX: usize = 16;

/// The parameters of one request.
pub(super) struct Params<'a>(Vec<&'a RawValue>);

/// Which state a request speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// The head.
    Head,
    /// The head with the next block's number and time.
    Next,
}

impl<'a> Params<'a> {
    pub(super) fn read(raw: Option<&'a RawValue>) -> Result<Self, RpcError> {
        let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(Self(Vec::new())) };
        let list: Vec<&RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| RpcError::params("params must be an array"))?;
        if list.len() > PARAMS_MAX {
            return Err(RpcError::params("too many params"));
        }
        Ok(Self(list))
    }

    /// A parameter that must be there.
    pub(super) fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, RpcError> {
        self.optional(index)?.ok_or_else(|| RpcError::params(format!("parameter {index} is missing")))
    }

    /// A parameter that may be missing or null.
    pub(super) fn optional<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, RpcError> {
        let Some(raw) = self.0.get(index).filter(|raw| raw.get() != "null") else { return Ok(None) };
        serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|error| RpcError::params(format!("parameter {index}: {error}")))
    }

    /// The block whose state is meant; the given one where none is named.
    pub(super) fn at(&self, index: usize, core: &Core, default: At) -> Result<At, RpcError> {
        let Some(block) = self.optional::<BlockId>(index)? else { return Ok(default) };
        let (head, hash) = {
            let tip = core.tip();
            (tip.header.number, tip.hash)
        };
        let not_kept =
            |what: String| RpcError::server(format!("the state of block {what} is not kept: ask for latest"));
        match block {
            BlockId::Number(BlockNumberOrTag::Pending) => Ok(At::Next),
            BlockId::Number(tag) => match number(tag, head) {
                asked if asked > head => Err(out_of_range(asked, head)),
                asked if asked < head => Err(not_kept(asked.to_string())),
                _ => Ok(At::Head),
            },
            BlockId::Hash(asked) if asked.block_hash == hash => Ok(At::Head),
            BlockId::Hash(asked) => Err(not_kept(asked.block_hash.to_string())),
        }
    }
}

/// The number that a tag stands for. A block is final at once, so `safe` and `finalized` are the head.
pub(super) fn number(tag: BlockNumberOrTag, head: u64) -> u64 {
    match tag {
        BlockNumberOrTag::Number(number) => number,
        BlockNumberOrTag::Earliest => 0,
        BlockNumberOrTag::Pending => head.saturating_add(1),
        BlockNumberOrTag::Latest | BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized => head,
    }
}

pub(super) fn out_of_range(asked: u64, head: u64) -> RpcError {
    RpcError::params(format!("block out of range: the head is {head}, asked for {asked}"))
}
