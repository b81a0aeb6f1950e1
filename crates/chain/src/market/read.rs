//! What the chain keeps of the market, by views.

use alloy::primitives::{Address, B256, U256};
use alloy::providers::DynProvider;
use alloy::rpc::types::Log;
use domain::Timestamp;
use futures::future::try_join_all;

use super::bindings::Market as contract;
use super::call::{Calls, TokenCalls};
use super::events::{Happened, MarketEvent};
use super::moment;
use super::nouns::{Account, Lease, Offer, Unbonding};
use super::order::{Digests, OfferId};
use super::reader::{Head, Kind, ReadError, Reader, Spent};
use crate::follow::Follower;

/// Views that are asked for at the same time.
const READS_AT_ONCE: usize = 16;

/// A market on a chain, with what never changes of it.
#[derive(Clone)]
pub struct Market {
    reader: Reader,
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

impl Market {
    /// The market at `address`.
    ///
    /// # Errors
    /// `NoMarket` when there is none of this version.
    pub async fn open(provider: DynProvider, address: Address) -> Result<Self, ReadError> {
        let reader = Reader::open(provider, address, Kind::Market).await?;
        let digests = Digests::new(reader.chain_id, address);
        let settings = Settings {
            token: reader.ask(contract::tokenCall {}).await?,
            insurance: reader.ask(contract::insuranceCall {}).await?,
            stake_per_unit: reader.ask(contract::stakePerUnitCall {}).await?,
            reserve_bps: reader.ask(contract::reserveBpsCall {}).await?,
            unbonding_period: reader.ask(contract::unbondingPeriodCall {}).await?,
            commit_window: reader.ask(contract::commitWindowCall {}).await?,
            verdict_window: reader.ask(contract::verdictWindowCall {}).await?,
            dispute_window: reader.ask(contract::disputeWindowCall {}).await?,
        };
        // One that hashes orders in another way would name leases otherwise than we do.
        let probe = contract::delegationDigestCall { id: B256::ZERO, agent: address };
        if reader.ask(probe).await? != digests.delegation(B256::ZERO, address) {
            return Err(reader.missing());
        }
        Ok(Self { reader, settings, digests })
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        self.reader.address
    }

    /// EIP-155 id of its chain.
    pub fn chain_id(&self) -> u64 {
        self.reader.chain_id
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
        &self.reader.provider
    }

    /// What transactions may ask of it.
    pub fn calls(&self) -> Calls {
        Calls { market: self.reader.address }
    }

    /// What transactions may ask of its token.
    pub fn token_calls(&self) -> TokenCalls {
        TokenCalls { token: self.settings.token }
    }

    /// A follower of its events from a block on, of those with these first topics; of all where there are none.
    pub fn follower(&self, from_block: u64, confirmations: u64, signatures: &[B256]) -> Follower {
        self.reader.follower(from_block, confirmations, signatures)
    }

    /// The newest block.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn head(&self) -> Result<Head, ReadError> {
        self.reader.head().await
    }

    /// The time that a block made now would have: what a transaction sent now is measured by. On a chain that makes no
    /// blocks while nothing happens, the head's time is long past.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn next_time(&self) -> Result<Timestamp, ReadError> {
        self.reader.next_time().await
    }

    /// What `owner` has in the market.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn account(&self, owner: Address) -> Result<Account, ReadError> {
        Ok(self.reader.ask(contract::accountCall { owner }).await?.into())
    }

    /// The stake of `owner` that is on its way out.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn unbonding(&self, owner: Address) -> Result<Option<Unbonding>, ReadError> {
        let found = self.reader.ask(contract::unbondingCall { owner }).await?;
        let release_at = moment(found.releaseAt.to());
        Ok((found.amount != 0).then_some(Unbonding { amount: found.amount, release_at }))
    }

    /// An offer, if there is one.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn offer(&self, id: OfferId) -> Result<Option<Offer>, ReadError> {
        Ok(Offer::from_chain(&self.reader.ask(contract::offerCall { id: id.0 }).await?))
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
        Ok(Lease::from_chain(&self.reader.ask(contract::leaseCall { id }).await?))
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
        self.reader.ask(contract::rootOfCall { id: lease }).await
    }

    /// What is in escrow for a lease now, in micro-units.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn escrow_of(&self, lease: B256) -> Result<u64, ReadError> {
        self.reader.ask(contract::escrowOfCall { id: lease }).await
    }

    /// The provider's stake behind a lease, in micro-units.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn reserve_of(&self, lease: B256) -> Result<u64, ReadError> {
        self.reader.ask(contract::reserveOfCall { id: lease }).await
    }

    /// Whether the owner has stopped new leases.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn paused(&self) -> Result<bool, ReadError> {
        self.reader.ask(contract::pausedCall {}).await
    }

    /// Whose verdicts count now; zero for nobody's.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn verifier(&self) -> Result<Address, ReadError> {
        self.reader.ask(contract::verifierCall {}).await
    }

    /// What `owner` has of the token outside the market; more than the market could take is the most it could.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn token_balance(&self, owner: Address) -> Result<u64, ReadError> {
        self.reader.token_balance(self.settings.token, owner).await
    }

    /// What the market may still pull from `owner`.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn token_allowance(&self, owner: Address) -> Result<u64, ReadError> {
        self.reader.token_allowance(self.settings.token, owner).await
    }

    /// What `owner` can pay for gas, in wei.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn gas_balance(&self, owner: Address) -> Result<U256, ReadError> {
        self.reader.gas_balance(owner).await
    }

    /// Who sent a transaction that is in a block, and the gas that it used.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn spent(&self, tx: B256) -> Result<Option<Spent>, ReadError> {
        self.reader.spent(tx).await
    }

    /// The market's events among these logs, in their order, each with the time of its block. Logs of other contracts, and
    /// what no market of ours says, are left out.
    ///
    /// # Errors
    /// When a log has no time and the chain does not tell it.
    pub async fn events(&self, logs: &[Log]) -> Result<Vec<Happened>, ReadError> {
        self.reader.events(logs, MarketEvent::decode).await
    }

    /// The time of a block.
    ///
    /// # Errors
    /// When the chain does not answer, or has no such block.
    pub async fn time(&self, block: u64) -> Result<Timestamp, ReadError> {
        self.reader.time_of(block).await.map(moment)
    }
}
