//! What of the chain a validator sees and asks.

use chain::follow::Follower;
use chain::market::{Order, ReadError};
use chain::sender::{Call, SendError};
use chain::{Address, B256, DynProvider, U256};
use domain::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::decide::{OnChain, Seat};
use super::error::ValidatorError;
use super::state::{Whereabouts, Word};
use crate::party::stake::Purse;

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

/// A proof that was opened.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) id: B256,
    pub(crate) block: u64,
    pub(crate) asked: Asked,
    pub(crate) contact: Option<Whereabouts>,
}

pub(crate) struct Link {
    provider: DynProvider,
}
pub(crate) struct Calls;
pub(crate) fn words(_error: &SendError) -> Option<String> {
    None
}
fn no() -> ReadError {
    ReadError::NoBlock(0)
}
impl Link {
    pub(crate) async fn open(config: &Config) -> Result<Self, ValidatorError> {
        let provider = chain::remote::connect(&config.rpc_url)?;
        config.notary.ok_or(ValidatorError::NoNotary)?;
        Ok(Self { provider })
    }
    pub(crate) fn chain_id(&self) -> u64 {
        0
    }
    pub(crate) fn address(&self) -> Address {
        Address::ZERO
    }
    pub(crate) fn provider(&self) -> &DynProvider {
        &self.provider
    }
    pub(crate) fn stake_per_unit(&self) -> u64 {
        0
    }
    pub(crate) fn finding_window(&self) -> Millis {
        Millis(0)
    }
    pub(crate) fn follower(&self, _from: u64, _confirmations: u64) -> Follower {
        Follower::new(self.provider.clone(), unimplemented())
    }
    pub(crate) async fn opened<T>(&self, _logs: &[T]) -> Result<Vec<Opened>, ReadError> {
        Err(no())
    }
    pub(crate) async fn next_time(&self) -> Result<Timestamp, ReadError> {
        Err(no())
    }
    pub(crate) async fn next_block(&self) -> Result<u64, ReadError> {
        Err(no())
    }
    pub(crate) async fn proof(&self, _id: B256, _me: Address) -> Result<Option<OnChain>, ReadError> {
        Err(no())
    }
    pub(crate) async fn purse(&self, _me: Address) -> Result<Purse, ReadError> {
        Err(no())
    }
    pub(crate) async fn unbonding(&self, _me: Address) -> Result<Option<(u64, Timestamp)>, ReadError> {
        Err(no())
    }
    pub(crate) async fn seat(&self, _me: Address) -> Result<Seat, ReadError> {
        Err(no())
    }
    pub(crate) async fn gas_balance(&self, _me: Address) -> Result<U256, ReadError> {
        Err(no())
    }
    pub(crate) async fn order(&self, _asked: &Asked) -> Result<Option<Order>, ReadError> {
        Err(no())
    }
    pub(crate) fn finding_hash(&self, _id: B256, _me: Address, _word: &Word) -> B256 {
        B256::ZERO
    }
    pub(crate) fn calls(&self) -> Calls {
        Calls
    }
}
fn unimplemented() -> chain::follow::FollowSettings {
    chain::follow::FollowSettings {
        addresses: vec![],
        signatures: vec![],
        from_block: 0,
        blocks_max: 1,
        events_max: 1,
        confirmations: 0,
        reorg_depth: 1,
    }
}
fn call() -> Call {
    Call::contract(Address::ZERO, Vec::new())
}
impl Calls {
    pub(crate) fn approve(&self, _amount: u64) -> Call {
        call()
    }
    pub(crate) fn deposit(&self, _amount: u64) -> Call {
        call()
    }
    pub(crate) fn stake(&self, _amount: u64) -> Call {
        call()
    }
    pub(crate) fn join(&self, _units: u32) -> Call {
        call()
    }
    pub(crate) fn leave(&self) -> Call {
        call()
    }
    pub(crate) fn depart(&self, _me: Address) -> Call {
        call()
    }
    pub(crate) fn unbond(&self, _amount: u64) -> Call {
        call()
    }
    pub(crate) fn claim(&self) -> Call {
        call()
    }
    pub(crate) fn withdraw(&self, _amount: u64, _to: Address) -> Call {
        call()
    }
    pub(crate) fn commit_finding(&self, _id: B256, _hash: B256) -> Call {
        call()
    }
    pub(crate) fn reveal_finding(&self, _id: B256, _word: &Word) -> Call {
        call()
    }
    pub(crate) fn conclude(&self, _asked: &Asked, _order: Option<&Order>) -> Option<Call> {
        Some(call())
    }
}
