//! What the chain keeps of a notary, by views.

use alloy::primitives::{Address, B256, U256};
use alloy::providers::DynProvider;
use alloy::rpc::types::Log;
use domain::Timestamp;

use super::call::Calls;
use super::events::{NotaryEvent, NotaryHappened};
use super::nouns::{Anchored, Proof, Seat};
use super::request::Digests;
use crate::follow::Follower;
use crate::market::bindings::Notary as contract;
use crate::market::reader::{Kind, Reader};
use crate::market::{Account, Head, ReadError, Spent, TokenCalls, Unbonding, moment};

/// A notary on a chain, with what never changes of it.
#[derive(Clone)]
pub struct Notary {
    reader: Reader,
    settings: Settings,
    digests: Digests,
}

/// What a notary was deployed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The only token it takes.
    pub token: Address,
    /// The market that it judges; zero for none.
    pub market: Address,
    /// Receives what silent and careless validators lose.
    pub insurance: Address,
    /// Stake that each unit of a validator needs, in micro-units.
    pub stake_per_unit: u64,
    /// Stake reserved of each drawn validator, in micro-units.
    pub stake_per_proof: u64,
    /// The least fee for one validator and one segment, in micro-units.
    pub min_fee: u64,
    /// Seconds between the request for stake and its release.
    pub unbonding_period: u32,
    /// Blocks between the opening of a proof and the one whose hash draws.
    pub draw_delay: u32,
    /// Seconds to draw, and again to commit.
    pub finding_window: u32,
    /// Seconds to reveal, and again to close.
    pub reveal_window: u32,
    /// Seconds to show receipts.
    pub excuse_window: u32,
    /// Seconds that a lease must have left when a proof of it is opened.
    pub lead_time: u64,
}

impl Notary {
    /// The notary at `address`.
    ///
    /// # Errors
    /// `NoNotary` when there is none of this version.
    pub async fn open(provider: DynProvider, address: Address) -> Result<Self, ReadError> {
        let reader = Reader::open(provider, address, Kind::Notary).await?;
        let digests = Digests::new(reader.chain_id, address);
        // One that hashes in another way would name proofs otherwise than we do.
        let probe = contract::commitmentDigestCall { subject: B256::ZERO, root: B256::ZERO, leafCount: 1 };
        if reader.ask(probe).await? != digests.commitment(B256::ZERO, B256::ZERO, 1) {
            return Err(reader.missing());
        }
        let settings = Settings {
            token: reader.ask(contract::tokenCall {}).await?,
            market: reader.ask(contract::marketCall {}).await?,
            insurance: reader.ask(contract::insuranceCall {}).await?,
            stake_per_unit: reader.ask(contract::stakePerUnitCall {}).await?,
            stake_per_proof: reader.ask(contract::stakePerProofCall {}).await?,
            min_fee: reader.ask(contract::minFeeCall {}).await?,
            unbonding_period: reader.ask(contract::unbondingPeriodCall {}).await?,
            draw_delay: reader.ask(contract::drawDelayCall {}).await?,
            finding_window: reader.ask(contract::findingWindowCall {}).await?,
            reveal_window: reader.ask(contract::revealWindowCall {}).await?,
            excuse_window: reader.ask(contract::excuseWindowCall {}).await?,
            lead_time: reader.ask(contract::leadTimeCall {}).await?.to(),
        };
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
        Calls { notary: self.reader.address }
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

    /// The time that a block made now would have: what a transaction sent now is measured by.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn next_time(&self) -> Result<Timestamp, ReadError> {
        self.reader.next_time().await
    }

    /// A proof as it stands, if it was opened. Phase and deadline are those of the newest block.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn proof(&self, id: B256) -> Result<Option<Proof>, ReadError> {
        Ok(Proof::from_chain(self.reader.ask(contract::proofCall { id }).await?))
    }

    /// The proof that `consumer` opened for `subject`, if any.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn proof_of(&self, consumer: Address, subject: B256) -> Result<Option<B256>, ReadError> {
        let id = self.reader.ask(contract::proofOfCall { consumer, subject }).await?;
        Ok((id != B256::ZERO).then_some(id))
    }

    /// What `owner` has at the notary. `offered` are the units of its seat.
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

    /// All seats by their numbers; `None` where nobody sits.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn seats(&self) -> Result<Vec<Option<Seat>>, ReadError> {
        let seats = self.reader.ask(contract::seatsCall {}).await?;
        Ok(seats.iter().map(Seat::from_chain).collect())
    }

    /// The validators that are there, those that have left but may still be drawn among them.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn members(&self) -> Result<Vec<Seat>, ReadError> {
        Ok(self.seats().await?.into_iter().flatten().collect())
    }

    /// How far a log had come when `sender` last wrote it down, if it did.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn anchored(&self, sender: Address, log: B256) -> Result<Option<Anchored>, ReadError> {
        Ok(Anchored::from_chain(&self.reader.ask(contract::anchoredCall { sender, log }).await?))
    }

    /// What `owner` has of the token outside the notary; more than the notary could take is the most it could.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn token_balance(&self, owner: Address) -> Result<u64, ReadError> {
        self.reader.token_balance(self.settings.token, owner).await
    }

    /// What the notary may still pull from `owner`.
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

    /// The transactions that moved a proof, oldest first.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn txs_of(&self, proof: B256, from_block: u64) -> Result<Vec<B256>, ReadError> {
        self.reader.txs_of(proof, from_block).await
    }

    /// Who sent a transaction that is in a block, and the gas that it used.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn spent(&self, tx: B256) -> Result<Option<Spent>, ReadError> {
        self.reader.spent(tx).await
    }

    /// The notary's events among these logs, in their order, each with the time of its block. Logs of other contracts, and
    /// what no notary of ours says, are left out.
    ///
    /// # Errors
    /// When a log has no time and the chain does not tell it.
    pub async fn events(&self, logs: &[Log]) -> Result<Vec<NotaryHappened>, ReadError> {
        self.reader.events(logs, NotaryEvent::decode).await
    }
}
