//! What the chain keeps of the notary, by views.

use alloy::primitives::{Address, B256, Bytes};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::{Filter, Log, TransactionRequest};
use alloy::sol_types::SolCall;
use domain::Timestamp;

use super::call::Calls;
use super::events::{Happened, NotaryEvent};
use super::nouns::{Proof, Seat};
use super::request::{Digests, Request};
use crate::follow::{FollowSettings, Follower};
use crate::market::bindings::Notary as contract;
use crate::market::{Account, Head, ReadError, TokenCalls, unreachable};

/// What one page of a follower spans.
const BLOCKS_PER_PAGE: u64 = 5_000;
const EVENTS_PER_PAGE: usize = 2_000;
/// The deepest reorganization that a follower undoes by itself.
const REORG_DEPTH: usize = 64;

/// A notary on a chain, with what never changes of it.
#[derive(Clone)]
pub struct Notary {
    provider: DynProvider,
    address: Address,
    chain_id: u64,
    settings: Settings,
    digests: Digests,
}

/// What a notary was deployed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The only token it takes.
    pub token: Address,
    /// The market whose verdicts are given here.
    pub market: Address,
    /// Stake that each unit of a validator needs, in micro-units.
    pub stake_per_unit: u64,
    /// Stake reserved of each drawn validator, in micro-units.
    pub stake_per_proof: u64,
    /// The least fee for one validator and one segment, in micro-units.
    pub min_fee: u64,
    /// Blocks between the opening and the one whose hash draws.
    pub draw_delay: u32,
    /// Seconds in which the draw must be made, and again for validators to replay and commit.
    pub finding_window: u32,
    /// Seconds to reveal, and again to close.
    pub reveal_window: u32,
    /// Seconds to show receipts.
    pub excuse_window: u32,
}

impl Notary {
    /// The notary at `address`.
    ///
    /// # Errors
    /// `NoMarket` when there is none of this version.
    pub async fn open(provider: DynProvider, address: Address) -> Result<Self, ReadError> {
        let chain_id = provider.get_chain_id().await.map_err(unreachable)?;
        let digests = Digests::new(chain_id, address);
        let settings = Settings {
            token: Address::ZERO,
            market: Address::ZERO,
            stake_per_unit: 0,
            stake_per_proof: 0,
            min_fee: 0,
            draw_delay: 0,
            finding_window: 0,
            reveal_window: 0,
            excuse_window: 0,
        };
        let mut notary = Self { provider, address, chain_id, settings, digests };
        notary.settings = Settings {
            token: notary.ask(contract::tokenCall {}).await?,
            market: notary.ask(contract::marketCall {}).await?,
            stake_per_unit: notary.ask(contract::stakePerUnitCall {}).await?,
            stake_per_proof: notary.ask(contract::stakePerProofCall {}).await?,
            min_fee: notary.ask(contract::minFeeCall {}).await?,
            draw_delay: notary.ask(contract::drawDelayCall {}).await?,
            finding_window: notary.ask(contract::findingWindowCall {}).await?,
            reveal_window: notary.ask(contract::revealWindowCall {}).await?,
            excuse_window: notary.ask(contract::excuseWindowCall {}).await?,
        };
        // One that hashes commitments in another way would take no agent's word.
        let (subject, root) = (B256::ZERO, B256::repeat_byte(1));
        let asked = notary.ask(contract::commitmentDigestCall { subject, root, leafCount: 1 }).await?;
        if asked != notary.digests.commitment(subject, root, 1) {
            return Err(notary.no_notary());
        }
        Ok(notary)
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

    /// What transactions may ask of it.
    pub fn calls(&self) -> Calls {
        Calls { notary: self.address }
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
        crate::market::head(&self.provider).await
    }

    /// The time that a block made now would have.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn next_time(&self) -> Result<Timestamp, ReadError> {
        crate::market::next_time(&self.provider).await
    }

    /// What `owner` has at the notary: `offered` counts the units of a validator.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn account(&self, owner: Address) -> Result<Account, ReadError> {
        Ok(self.ask(contract::accountCall { owner }).await?.into())
    }

    /// A proof as it stands now, if it was ever opened.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn proof(&self, id: B256) -> Result<Option<Proof>, ReadError> {
        let shown = self.ask(contract::proofCall { id }).await?;
        Ok(Proof::from_chain(&shown.found, shown.seed, &shown.outcome, &shown.drawn))
    }

    /// The proof that `consumer` opened for `subject`.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn proof_of(&self, consumer: Address, subject: B256) -> Result<Option<B256>, ReadError> {
        let id = self.ask(contract::proofOfCall { consumer, subject }).await?;
        Ok((!id.is_zero()).then_some(id))
    }

    /// The name that the contract gives a request.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn proof_id(&self, request: &Request) -> Result<B256, ReadError> {
        self.ask(contract::proofIdCall { request: request.into() }).await
    }

    /// Everybody who sits in the registry.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn seats(&self) -> Result<Vec<Seat>, ReadError> {
        let seats = self.ask(contract::seatsCall {}).await?;
        Ok(seats.iter().filter_map(Seat::from_chain).collect())
    }

    /// How far a log had come when `sender` last wrote it down: its size and root.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn anchored(&self, sender: Address, log: B256) -> Result<Option<(u64, B256)>, ReadError> {
        let anchor = self.ask(contract::anchoredCall { sender, log }).await?;
        Ok((!anchor.root.is_zero()).then_some((anchor.size, anchor.root)))
    }

    /// The transactions that moved a proof, oldest first.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn txs_of(&self, proof: B256, from_block: u64) -> Result<Vec<B256>, ReadError> {
        let filter = Filter::new().address(self.address).topic1(proof).from_block(from_block);
        let logs = self.provider.get_logs(&filter).await.map_err(unreachable)?;
        let mut txs: Vec<B256> = logs.iter().filter_map(|log| log.transaction_hash).collect();
        txs.dedup();
        Ok(txs)
    }

    /// The notary's events among these logs, in their order. Logs of other contracts, and what no notary of ours says, are
    /// left out.
    pub fn events(&self, logs: &[Log]) -> Vec<Happened> {
        logs.iter()
            .filter(|log| log.address() == self.address && !log.removed)
            .filter_map(|log| {
                let (block, tx) = (log.block_number?, log.transaction_hash?);
                Some(Happened { event: NotaryEvent::decode(log)?, block, tx })
            })
            .collect()
    }

    async fn ask<C: SolCall>(&self, call: C) -> Result<C::Return, ReadError> {
        let request =
            TransactionRequest::default().to(self.address).input(Bytes::from(call.abi_encode()).into());
        match self.provider.call(request).await {
            Ok(answer) => C::abi_decode_returns_validate(&answer).map_err(|_| self.no_notary()),
            Err(error) if error.as_error_resp().is_some_and(|said| said.as_revert_data().is_some()) => {
                Err(self.no_notary())
            }
            Err(error) => Err(unreachable(error)),
        }
    }

    fn no_notary(&self) -> ReadError {
        ReadError::NoMarket { address: self.address, chain_id: self.chain_id }
    }
}
