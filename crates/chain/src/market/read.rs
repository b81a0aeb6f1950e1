//! What the chain keeps of the market, by views.

use std::collections::BTreeMap;

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{Log, TransactionRequest};
use alloy::sol_types::SolCall;
use alloy::transports::{RpcError, TransportErrorKind};
use domain::{RetryStatus, Timestamp};
use futures::future::try_join_all;

use super::bindings::{Market as contract, TestDollar};
use super::call::{Calls, TokenCalls};
use super::events::{Happened, MarketEvent};
use super::moment;
use super::nouns::{Account, Lease, Offer, Unbonding};
use super::order::{Digests, OfferId};
use crate::follow::{FollowSettings, Follower};

/// What one page of a follower spans.
const BLOCKS_PER_PAGE: u64 = 5_000;
const EVENTS_PER_PAGE: usize = 2_000;
/// The deepest reorganization that a follower undoes by itself.
const REORG_DEPTH: usize = 64;
/// Views that are asked for at the same time.
const READS_AT_ONCE: usize = 16;

/// A market on a chain, with what never changes of it.
#[derive(Clone)]
pub struct Market {
    provider: DynProvider,
    address: Address,
    chain_id: u64,
    settings: Settings,
    digests: Digests,
}

/// What a market was deployed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The only token it takes.
    pub token: Address,
    /// Receives what slashes take beyond the shares of the parties.
    pub insurance: Address,
    /// Stake that each offered unit needs, in micro-units.
    pub stake_per_unit: u64,
    /// Stake reserved for a lease, in ten-thousandths of its price.
    pub reserve_bps: u32,
    /// Seconds between the request for stake and its release.
    pub unbonding_period: u32,
    /// Seconds to commit after a lease is over.
    pub commit_window: u32,
    /// Seconds for a verdict or a dispute after the commitment.
    pub verdict_window: u32,
    /// Seconds for the verdict after a dispute.
    pub dispute_window: u32,
}

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

/// The market could not be read.
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
    /// The chain does not know a block that it has just named.
    #[error("the chain has no block {0} any more")]
    NoBlock(u64),
}

impl ReadError {
    /// Whether it may be asked again. A read leaves nothing, so its outcome is never unknown.
    pub fn status(&self) -> RetryStatus {
        match self {
            Self::Unreachable(_) | Self::NoBlock(_) => RetryStatus::Temporary,
            Self::NoMarket { .. } => RetryStatus::Permanent,
        }
    }
}

pub(crate) fn unreachable(error: RpcError<TransportErrorKind>) -> ReadError {
    ReadError::Unreachable(Box::new(error))
}

/// The newest block of a chain.
pub(crate) async fn head(provider: &DynProvider) -> Result<Head, ReadError> {
    let block = provider.get_block(BlockId::latest()).await.map_err(unreachable)?;
    let header = block.ok_or(ReadError::NoBlock(0))?.header;
    Ok(Head { number: header.number, at: moment(header.timestamp) })
}

/// The time that a block made now would have: what a transaction sent now is measured by. On a chain that makes no blocks while
/// nothing happens, the head's time is long past.
pub(crate) async fn next_time(provider: &DynProvider) -> Result<Timestamp, ReadError> {
    match provider.get_block(BlockId::pending()).await.map_err(unreachable)? {
        Some(block) => Ok(moment(block.header.timestamp)),
        // Some nodes show no pending block.
        None => Ok(head(provider).await?.at),
    }
}

impl Market {
    /// The market at `address`.
    ///
    /// # Errors
    /// `NoMarket` when there is none of this version.
    pub async fn open(provider: DynProvider, address: Address) -> Result<Self, ReadError> {
        let chain_id = provider.get_chain_id().await.map_err(unreachable)?;
        let digests = Digests::new(chain_id, address);
        let settings = Settings {
            token: Address::ZERO,
            insurance: Address::ZERO,
            stake_per_unit: 0,
            reserve_bps: 0,
            unbonding_period: 0,
            commit_window: 0,
            verdict_window: 0,
            dispute_window: 0,
        };
        let mut market = Self { provider, address, chain_id, settings, digests };
        market.settings = Settings {
            token: market.ask(contract::tokenCall {}).await?,
            insurance: market.ask(contract::insuranceCall {}).await?,
            stake_per_unit: market.ask(contract::stakePerUnitCall {}).await?,
            reserve_bps: market.ask(contract::reserveBpsCall {}).await?,
            unbonding_period: market.ask(contract::unbondingPeriodCall {}).await?,
            commit_window: market.ask(contract::commitWindowCall {}).await?,
            verdict_window: market.ask(contract::verdictWindowCall {}).await?,
            dispute_window: market.ask(contract::disputeWindowCall {}).await?,
        };
        // One that hashes orders in another way would name leases otherwise than we do.
        let probe = contract::delegationDigestCall { id: B256::ZERO, agent: address };
        if market.ask(probe).await? != market.digests.delegation(B256::ZERO, address) {
            return Err(market.no_market());
        }
        Ok(market)
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        self.address
    }

    /// EIP-155 id of its chain.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// What it was deployed with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is signed for it.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Its chain.
    pub fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// What transactions may ask of it.
    pub fn calls(&self) -> Calls {
        Calls { market: self.address }
    }

    /// What transactions may ask of its token.
    pub fn token_calls(&self) -> TokenCalls {
        TokenCalls { token: self.settings.token }
    }

    /// A follower of its events from a block on, of those with these first topics; of all where there are none.
    pub fn follower(&self, from_block: u64, confirmations: u64, signatures: &[B256]) -> Follower {
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

    /// The newest block.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn head(&self) -> Result<Head, ReadError> {
        head(&self.provider).await
    }

    /// The time that a block made now would have: what a transaction sent now is measured by.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn next_time(&self) -> Result<Timestamp, ReadError> {
        next_time(&self.provider).await
    }

    /// What `owner` has in the market.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn account(&self, owner: Address) -> Result<Account, ReadError> {
        Ok(self.ask(contract::accountCall { owner }).await?.into())
    }

    /// The stake of `owner` that is on its way out.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn unbonding(&self, owner: Address) -> Result<Option<Unbonding>, ReadError> {
        let found = self.ask(contract::unbondingCall { owner }).await?;
        let release_at = moment(found.releaseAt.to());
        Ok((found.amount != 0).then_some(Unbonding { amount: found.amount, release_at }))
    }

    /// An offer, if there is one.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn offer(&self, id: OfferId) -> Result<Option<Offer>, ReadError> {
        Ok(Offer::from_chain(&self.ask(contract::offerCall { id: id.0 }).await?))
    }

    /// Several offers, in the order asked for.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn offers(&self, ids: &[OfferId]) -> Result<Vec<Option<Offer>>, ReadError> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(READS_AT_ONCE) {
            found.extend(try_join_all(some.iter().map(|id| self.offer(*id))).await?);
        }
        Ok(found)
    }

    /// A lease, if there ever was one.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn lease(&self, id: B256) -> Result<Option<Lease>, ReadError> {
        Ok(Lease::from_chain(&self.ask(contract::leaseCall { id }).await?))
    }

    /// Several leases, in the order asked for.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn leases(&self, ids: &[B256]) -> Result<Vec<Option<Lease>>, ReadError> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(READS_AT_ONCE) {
            found.extend(try_join_all(some.iter().map(|id| self.lease(*id))).await?);
        }
        Ok(found)
    }

    /// The root that a lease's provider committed to; zero while there is none.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn root_of(&self, lease: B256) -> Result<B256, ReadError> {
        self.ask(contract::rootOfCall { id: lease }).await
    }

    /// What is in escrow for a lease now, in micro-units.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn escrow_of(&self, lease: B256) -> Result<u64, ReadError> {
        self.ask(contract::escrowOfCall { id: lease }).await
    }

    /// The provider's stake behind a lease, in micro-units.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn reserve_of(&self, lease: B256) -> Result<u64, ReadError> {
        self.ask(contract::reserveOfCall { id: lease }).await
    }

    /// Whether the owner has stopped new leases.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn paused(&self) -> Result<bool, ReadError> {
        self.ask(contract::pausedCall {}).await
    }

    /// Whose verdicts count now; zero for nobody's.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn verifier(&self) -> Result<Address, ReadError> {
        self.ask(contract::verifierCall {}).await
    }

    /// What `owner` has of the token outside the market; more than the market could take is the most it could.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn token_balance(&self, owner: Address) -> Result<u64, ReadError> {
        let call = TestDollar::balanceOfCall { account: owner };
        Ok(self.ask_at(self.settings.token, call).await?.saturating_to())
    }

    /// What the market may still pull from `owner`.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn token_allowance(&self, owner: Address) -> Result<u64, ReadError> {
        let call = TestDollar::allowanceCall { owner, spender: self.address };
        Ok(self.ask_at(self.settings.token, call).await?.saturating_to())
    }

    /// What `owner` can pay for gas, in wei.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn gas_balance(&self, owner: Address) -> Result<U256, ReadError> {
        self.provider.get_balance(owner).await.map_err(unreachable)
    }

    /// Who sent a transaction that is in a block, and the gas that it used.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn spent(&self, tx: B256) -> Result<Option<Spent>, ReadError> {
        let receipt = self.provider.get_transaction_receipt(tx).await.map_err(unreachable)?;
        Ok(receipt.map(|receipt| Spent { from: receipt.from, gas: receipt.gas_used }))
    }

    /// The market's events among these logs, in their order, each with the time of its block. Logs of other contracts, and
    /// what no market of ours says, are left out.
    ///
    /// # Errors
    /// When a log has no time and the chain does not tell it.
    pub async fn events(&self, logs: &[Log]) -> Result<Vec<Happened>, ReadError> {
        let mut times: BTreeMap<u64, u64> = BTreeMap::new();
        let mut happened = Vec::new();
        for log in logs.iter().filter(|log| log.address() == self.address && !log.removed) {
            let (Some(block), Some(tx)) = (log.block_number, log.transaction_hash) else { continue };
            let Some(event) = MarketEvent::decode(log) else { continue };
            let seconds = match log.block_timestamp.or_else(|| times.get(&block).copied()) {
                Some(seconds) => seconds,
                None => self.time_of(block).await?,
            };
            times.insert(block, seconds);
            happened.push(Happened { event, at: moment(seconds), block, tx });
        }
        Ok(happened)
    }

    /// The time of a block.
    ///
    /// # Errors
    /// When the chain does not answer, or has no such block.
    pub async fn time(&self, block: u64) -> Result<Timestamp, ReadError> {
        self.time_of(block).await.map(moment)
    }

    async fn time_of(&self, block: u64) -> Result<u64, ReadError> {
        let found = self.provider.get_block_by_number(block.into()).await.map_err(unreachable)?;
        found.map(|block| block.header.timestamp).ok_or(ReadError::NoBlock(block))
    }

    async fn ask<C: SolCall>(&self, call: C) -> Result<C::Return, ReadError> {
        self.ask_at(self.address, call).await
    }

    async fn ask_at<C: SolCall>(&self, to: Address, call: C) -> Result<C::Return, ReadError> {
        let request = TransactionRequest::default().to(to).input(Bytes::from(call.abi_encode()).into());
        match self.provider.call(request).await {
            Ok(answer) => C::abi_decode_returns_validate(&answer).map_err(|_| self.no_market()),
            // No view of a market reverts, so what reverts is something else.
            Err(error) if error.as_error_resp().is_some_and(|said| said.as_revert_data().is_some()) => {
                Err(self.no_market())
            }
            Err(error) => Err(unreachable(error)),
        }
    }

    fn no_market(&self) -> ReadError {
        ReadError::NoMarket { address: self.address, chain_id: self.chain_id }
    }
}
