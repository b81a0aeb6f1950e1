//! Asks one contract of ours, and reads what it said.

use std::collections::BTreeMap;

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{Filter, Log, TransactionRequest};
use alloy::sol_types::SolCall;
use alloy::transports::{RpcError, TransportErrorKind};
use domain::{RetryStatus, Timestamp};

use super::bindings::TestDollar;
use super::events::Happened;
use super::moment;
use crate::follow::{FollowSettings, Follower};

/// What one page of a follower spans.
const BLOCKS_PER_PAGE: u64 = 5_000;
const EVENTS_PER_PAGE: usize = 2_000;
/// The deepest reorganization that a follower undoes by itself.
const REORG_DEPTH: usize = 64;

/// What a transaction cost, and whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Its sender.
    pub from: Address,
    /// Units of gas.
    pub gas: u64,
}

/// The newest block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its time: what deadlines are measured by.
    pub at: Timestamp,
}

/// A contract could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The chain did not answer.
    #[error("the chain cannot be asked")]
    Unreachable(#[source] Box<RpcError<TransportErrorKind>>),
    /// The answer is not that of a market.
    #[error("at {address} on chain {chain_id} there is no market of this version")]
    NoMarket {
        /// Where it was looked for.
        address: Address,
        /// On which chain.
        chain_id: u64,
    },
    /// The answer is not that of a notary.
    #[error("at {address} on chain {chain_id} there is no notary of this version")]
    NoNotary {
        /// Where it was looked for.
        address: Address,
        /// On which chain.
        chain_id: u64,
    },
    /// The chain does not know a block that it has just named.
    #[error("the chain has no block {0} any more")]
    NoBlock(u64),
}

impl ReadError {
    /// Whether it may be asked again. A read leaves nothing, so its outcome is never unknown.
    pub fn status(&self) -> RetryStatus {
        match self {
            Self::Unreachable(_) | Self::NoBlock(_) => RetryStatus::Temporary,
            Self::NoMarket { .. } | Self::NoNotary { .. } => RetryStatus::Permanent,
        }
    }
}

fn unreachable(error: RpcError<TransportErrorKind>) -> ReadError {
    ReadError::Unreachable(Box::new(error))
}

/// Which contract is meant, for the error when it is not there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Market,
    Notary,
}

/// A contract on a chain.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) provider: DynProvider,
    pub(crate) address: Address,
    pub(crate) chain_id: u64,
    kind: Kind,
}

impl Reader {
    pub(crate) async fn open(provider: DynProvider, address: Address, kind: Kind) -> Result<Self, ReadError> {
        let chain_id = provider.get_chain_id().await.map_err(unreachable)?;
        Ok(Self { provider, address, chain_id, kind })
    }

    pub(crate) fn follower(&self, from_block: u64, confirmations: u64, signatures: &[B256]) -> Follower {
        let settings = FollowSettings {
            addresses: vec![self.address],
            signatures: signatures.to_vec(),
            from_block,
            blocks_max: BLOCKS_PER_PAGE,
            events_max: EVENTS_PER_PAGE,
            confirmations,
            reorg_depth: REORG_DEPTH,
        };
        Follower::new(self.provider.clone(), settings)
    }

    pub(crate) async fn head(&self) -> Result<Head, ReadError> {
        let block = self.provider.get_block(BlockId::latest()).await.map_err(unreachable)?;
        let header = block.ok_or(ReadError::NoBlock(0))?.header;
        Ok(Head { number: header.number, at: moment(header.timestamp) })
    }

    /// The time that a block made now would have.
    pub(crate) async fn next_time(&self) -> Result<Timestamp, ReadError> {
        match self.provider.get_block(BlockId::pending()).await.map_err(unreachable)? {
            Some(block) => Ok(moment(block.header.timestamp)),
            // Some nodes show no pending block.
            None => Ok(self.head().await?.at),
        }
    }

    pub(crate) async fn token_balance(&self, token: Address, owner: Address) -> Result<u64, ReadError> {
        let call = TestDollar::balanceOfCall { account: owner };
        Ok(self.ask_at(token, call).await?.saturating_to())
    }

    pub(crate) async fn token_allowance(&self, token: Address, owner: Address) -> Result<u64, ReadError> {
        let call = TestDollar::allowanceCall { owner, spender: self.address };
        Ok(self.ask_at(token, call).await?.saturating_to())
    }

    pub(crate) async fn gas_balance(&self, owner: Address) -> Result<U256, ReadError> {
        self.provider.get_balance(owner).await.map_err(unreachable)
    }

    pub(crate) async fn spent(&self, tx: B256) -> Result<Option<Spent>, ReadError> {
        let receipt = self.provider.get_transaction_receipt(tx).await.map_err(unreachable)?;
        Ok(receipt.map(|receipt| Spent { from: receipt.from, gas: receipt.gas_used }))
    }

    /// The contract's events among these logs, in their order, each with the time of its block. Logs of other contracts, and
    /// those that `decode` does not know, are left out.
    /// The transactions whose events have this second topic, oldest first.
    pub(crate) async fn txs_of(&self, topic: B256, from_block: u64) -> Result<Vec<B256>, ReadError> {
        let filter = Filter::new().address(self.address).topic1(topic).from_block(from_block);
        let logs = self.provider.get_logs(&filter).await.map_err(unreachable)?;
        let mut txs: Vec<B256> = logs.iter().filter_map(|log| log.transaction_hash).collect();
        txs.dedup();
        Ok(txs)
    }

    pub(crate) async fn events<E>(
        &self,
        logs: &[Log],
        decode: impl Fn(&Log) -> Option<E>,
    ) -> Result<Vec<Happened<E>>, ReadError> {
        let mut times: BTreeMap<u64, u64> = BTreeMap::new();
        let mut happened = Vec::new();
        for log in logs.iter().filter(|log| log.address() == self.address && !log.removed) {
            let (Some(block), Some(tx)) = (log.block_number, log.transaction_hash) else { continue };
            let Some(event) = decode(log) else { continue };
            let seconds = match log.block_timestamp.or_else(|| times.get(&block).copied()) {
                Some(seconds) => seconds,
                None => self.time_of(block).await?,
            };
            times.insert(block, seconds);
            happened.push(Happened { event, at: moment(seconds), block, tx });
        }
        Ok(happened)
    }

    /// The time of a block, in seconds.
    pub(crate) async fn time_of(&self, block: u64) -> Result<u64, ReadError> {
        let found = self.provider.get_block_by_number(block.into()).await.map_err(unreachable)?;
        found.map(|block| block.header.timestamp).ok_or(ReadError::NoBlock(block))
    }

    pub(crate) async fn ask<C: SolCall>(&self, call: C) -> Result<C::Return, ReadError> {
        self.ask_at(self.address, call).await
    }

    async fn ask_at<C: SolCall>(&self, to: Address, call: C) -> Result<C::Return, ReadError> {
        let request = TransactionRequest::default().to(to).input(Bytes::from(call.abi_encode()).into());
        match self.provider.call(request).await {
            Ok(answer) => C::abi_decode_returns_validate(&answer).map_err(|_| self.missing()),
            // No view of ours reverts, so what reverts is something else.
            Err(error) if error.as_error_resp().is_some_and(|said| said.as_revert_data().is_some()) => {
                Err(self.missing())
            }
            Err(error) => Err(unreachable(error)),
        }
    }

    pub(crate) fn missing(&self) -> ReadError {
        let (address, chain_id) = (self.address, self.chain_id);
        match self.kind {
            Kind::Market => ReadError::NoMarket { address, chain_id },
            Kind::Notary => ReadError::NoNotary { address, chain_id },
        }
    }
}
