//! What of the chain a validator sees and asks: the notary, its token, and the market whose leases it judges.

use chain::follow::Follower;
use chain::market::{Contact, Market, MarketEvent, Order, ReadError, Refusal};
use chain::notary::{Calls, Notary, NotaryEvent, Phase as ChainPhase, Request, finding_hash};
use chain::sender::{Call, SendError};
use chain::{Address, B256, DynProvider, U256};
use domain::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::decide::{OnChain, Phase, Place, Seat};
use super::error::ValidatorError;
use super::state::{Whereabouts, Word};
use crate::party::stake::Purse;

/// So many blocks back, a chain knows the hash that draws: a seat that was left is not free before.
const HASHES_KEPT: u64 = 256;
/// Pages of the market's events that are looked through for one lease.
const ORDER_PAGES_MAX: usize = 1_000;
/// A signature of the market's event that names a lease's order.
const LEASE_CREATED: usize = 2;

/// What is to be checked, as its consumer asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) consumer: Address,
    pub(crate) subject: B256,
    pub(crate) job_hash: B256,
    pub(crate) root: B256,
    pub(crate) leaf_count: u32,
    pub(crate) segments: u32,
    pub(crate) sample: u32,
    pub(crate) validators: u32,
    pub(crate) fee: u64,
    pub(crate) provider: Address,
    pub(crate) salt: u64,
}

impl Asked {
    fn of(request: &Request) -> Self {
        Self {
            consumer: request.consumer,
            subject: request.subject,
            job_hash: request.job_hash,
            root: request.root,
            leaf_count: request.leaf_count,
            segments: request.segments,
            sample: request.sample,
            validators: request.validators,
            fee: request.fee,
            provider: request.provider,
            salt: request.salt,
        }
    }

    fn request(&self) -> Request {
        Request {
            consumer: self.consumer,
            subject: self.subject,
            job_hash: self.job_hash,
            root: self.root,
            leaf_count: self.leaf_count,
            segments: self.segments,
            sample: self.sample,
            validators: self.validators,
            fee: self.fee,
            provider: self.provider,
            salt: self.salt,
        }
    }
}

/// A proof that was opened.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) id: B256,
    pub(crate) block: u64,
    pub(crate) asked: Asked,
    pub(crate) contact: Option<Whereabouts>,
}

/// What a contract says of a transaction that it refuses.
pub(crate) fn words(error: &SendError) -> Option<String> {
    Refusal::of(error).map(|refusal| refusal.to_string())
}

pub(crate) struct Link {
    provider: DynProvider,
    notary: Notary,
    market: Market,
    from_block: u64,
}

impl Link {
    /// The notary that a configuration names, with its market.
    pub(crate) async fn open(config: &Config) -> Result<Self, ValidatorError> {
        let provider = chain::remote::connect(&config.rpc_url)?;
        let address = config.notary.ok_or(ValidatorError::NoNotary)?;
        let notary = Notary::open(provider.clone(), address).await?;
        let market = Market::open(provider.clone(), notary.settings().market).await?;
        Ok(Self { provider, notary, market, from_block: config.from_block })
    }

    pub(crate) fn chain_id(&self) -> u64 {
        self.notary.chain_id()
    }

    pub(crate) fn address(&self) -> Address {
        self.notary.address()
    }

    pub(crate) fn provider(&self) -> &DynProvider {
        &self.provider
    }

    pub(crate) fn stake_per_unit(&self) -> u64 {
        self.notary.settings().stake_per_unit
    }

    /// How long validators have to find something.
    pub(crate) fn finding_window(&self) -> Millis {
        Millis::from_secs(u64::from(self.notary.settings().finding_window))
    }

    /// A follower of the proofs that are opened; how each of them goes on is asked of the chain.
    pub(crate) fn follower(&self, from_block: u64, confirmations: u64) -> Follower {
        self.notary.follower(from_block, confirmations, &NotaryEvent::CALLING)
    }

    /// The proofs opened on a page of the follower.
    pub(crate) async fn opened(&self, page: &chain::follow::Page) -> Result<Vec<Opened>, ReadError> {
        let opened = |happened: chain::notary::NotaryHappened| {
            let NotaryEvent::ProofOpened { proof, request, contact, .. } = happened.event else {
                return None;
            };
            let contact = Contact::from_bytes(&contact).ok();
            let contact =
                contact.map(|contact| Whereabouts { url: contact.url, pin: B256::from(contact.pin) });
            Some(Opened { id: proof, block: happened.block, asked: Asked::of(&request), contact })
        };
        Ok(self.notary.events(&page.events).await?.into_iter().filter_map(opened).collect())
    }

    pub(crate) async fn next_time(&self) -> Result<Timestamp, ReadError> {
        self.notary.next_time().await
    }

    pub(crate) async fn next_block(&self) -> Result<u64, ReadError> {
        Ok(self.notary.head().await?.number + 1)
    }

    /// A proof as it stands now, with our place in it.
    pub(crate) async fn proof(&self, id: B256, me: Address) -> Result<Option<OnChain>, ReadError> {
        let Some(proof) = self.notary.proof(id).await? else { return Ok(None) };
        let place = proof.drawn.iter().zip(0..).find(|(drawn, _)| drawn.validator == me);
        Ok(Some(OnChain {
            phase: match proof.phase {
                ChainPhase::Opened => Phase::Opened,
                ChainPhase::Committing => Phase::Committing,
                ChainPhase::Revealing => Phase::Revealing,
                ChainPhase::Closing => Phase::Closing,
                ChainPhase::Excusing => Phase::Excusing,
                ChainPhase::Concluded | ChainPhase::Abandoned => Phase::Over,
            },
            deadline: proof.deadline,
            seed: proof.seed,
            place: place.map(|(drawn, number)| Place {
                number,
                committed: drawn.committed,
                revealed: drawn.finding.is_some(),
            }),
        }))
    }

    /// What we have. What the notary may pull is not asked: it is allowed anew with each payment.
    pub(crate) async fn purse(&self, me: Address) -> Result<Purse, ReadError> {
        let account = self.notary.account(me).await?;
        let tokens = self.market.token_balance(me).await?;
        Ok(Purse { stake: account.stake, balance: account.balance, tokens, allowance: tokens })
    }

    pub(crate) async fn seat(&self, me: Address) -> Result<Seat, ReadError> {
        let seat = self.notary.members().await?.into_iter().find(|seat| seat.validator == me);
        let delay = u64::from(self.notary.settings().draw_delay);
        Ok(match seat.map(|seat| seat.until) {
            None => Seat::None,
            Some(None) => Seat::Taken,
            Some(Some(until)) => Seat::Left { free_from: u64::from(until) + delay + HASHES_KEPT + 1 },
        })
    }

    pub(crate) async fn gas_balance(&self, me: Address) -> Result<U256, ReadError> {
        self.market.gas_balance(me).await
    }

    /// What a drawn validator commits to.
    pub(crate) fn finding_hash(&self, id: B256, me: Address, word: &Word) -> B256 {
        finding_hash(id, me, word.finding, word.result, word.salt)
    }

    pub(crate) fn calls(&self) -> Calls {
        self.notary.calls()
    }

    /// Lets the notary pull so much of the token.
    pub(crate) fn approve(&self, amount: u64) -> Call {
        self.notary.token_calls().approve(self.notary.address(), amount)
    }

    /// Brings a proof to its end. `None` when its lease is not to be found in the market.
    pub(crate) async fn conclude(&self, asked: &Asked) -> Result<Option<Call>, ValidatorError> {
        let (request, calls) = (asked.request(), self.calls());
        if asked.provider.is_zero() {
            return Ok(Some(calls.conclude_signed(&request)));
        }
        Ok(self.order(asked.subject).await?.map(|order| calls.conclude(&request, &order)))
    }

    /// The order of a lease, which the market tells once, as it is created.
    async fn order(&self, lease: B256) -> Result<Option<Order>, ValidatorError> {
        let created = &MarketEvent::NAMING[LEASE_CREATED..];
        let follower = self.market.follower(self.from_block, 0, created);
        let mut cursor = None;
        for _ in 0..ORDER_PAGES_MAX {
            let page = follower.page(cursor.as_ref()).await?;
            let found =
                self.market.events(&page.events).await?.into_iter().find_map(|happened| {
                    match happened.event {
                        MarketEvent::LeaseCreated { lease: found, order, .. } if found == lease => {
                            Some(order)
                        }
                        _ => None,
                    }
                });
            if found.is_some() || page.at_head {
                return Ok(found);
            }
            cursor = Some(page.cursor);
        }
        Ok(None)
    }
}
