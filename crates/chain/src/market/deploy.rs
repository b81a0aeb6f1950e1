//! The contracts on a fresh chain, and money for those who begin there. May be repeated after a crash at any place: each
//! transaction has a key of its own in the deployer's journal.

use alloy::primitives::{Address, TxKind, U256, hex};
use alloy::sol_types::SolConstructor;

use super::bindings::{Config, Market, TestDollar};
use super::call::{TokenCalls, give_gas};
use crate::sender::{Call, IntentKey, SendError, Sender};

const TOKEN_CODE: &str = include_str!("code/TestDollar.hex");
const MARKET_CODE: &str = include_str!("code/Market.hex");

/// What a market is deployed with. None of it changes later, save the verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketTerms {
    /// Whose verdicts count; zero for nobody's.
    pub verifier: Address,
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

/// Where the contracts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployed {
    /// The test dollar.
    pub token: Address,
    /// The market.
    pub market: Address,
    /// The block of the market's creation: none of its events is older.
    pub block: u64,
}

/// The contracts could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// A transaction is not done; asking again goes on where it stopped.
    #[error("{what} could not be deployed")]
    Send {
        /// Which contract.
        what: &'static str,
        /// Why.
        #[source]
        source: SendError,
    },
    /// The chain shows no contract for a transaction that made one.
    #[error("the chain names no address for {0}")]
    NoAddress(&'static str),
    /// This program was built with code that is none.
    #[error("the code of {0} is damaged: build this program again")]
    Code(&'static str),
}

/// Deploys test dollar and market, owned by the sender's account, or finds where they are.
///
/// # Errors
/// When a transaction is not done.
pub async fn deploy(sender: &Sender, terms: &MarketTerms) -> Result<Deployed, DeployError> {
    let token = deploy_token(sender).await?;
    deploy_market(sender, token, terms).await
}

pub(crate) async fn deploy_token(sender: &Sender) -> Result<Address, DeployError> {
    let arguments = TestDollar::constructorCall { owner: sender.address() }.abi_encode();
    let (token, _) = create(sender, "TestDollar", TOKEN_CODE, &arguments).await?;
    Ok(token)
}

pub(crate) async fn deploy_market(
    sender: &Sender,
    token: Address,
    terms: &MarketTerms,
) -> Result<Deployed, DeployError> {
    let config = Config {
        token,
        verifier: terms.verifier,
        insurance: terms.insurance,
        stakePerUnit: terms.stake_per_unit,
        reserveBps: terms.reserve_bps,
        unbondingPeriod: terms.unbonding_period,
        commitWindow: terms.commit_window,
        verdictWindow: terms.verdict_window,
        disputeWindow: terms.dispute_window,
    };
    let arguments = Market::constructorCall { owner: sender.address(), config }.abi_encode();
    let (market, block) = create(sender, "Market", MARKET_CODE, &arguments).await?;
    Ok(Deployed { token, market, block })
}

/// Sends gas and makes test dollars for `to`, once for each `key`.
///
/// # Errors
/// When a transaction is not done; asking again under the same key goes on where it stopped.
pub async fn hand_out(
    sender: &Sender,
    token: Address,
    to: Address,
    wei: U256,
    micros: u64,
    key: &str,
) -> Result<(), SendError> {
    sender.send(&IntentKey(format!("gas:{key}")), &give_gas(to, wei)).await?;
    let mint = TokenCalls { token }.mint(to, micros);
    sender.send(&IntentKey(format!("mint:{key}")), &mint).await.map(|_| ())
}

pub(crate) async fn create(
    sender: &Sender,
    what: &'static str,
    code: &str,
    arguments: &[u8],
) -> Result<(Address, u64), DeployError> {
    let mut input = hex::decode(code.trim()).map_err(|_| DeployError::Code(what))?;
    input.extend_from_slice(arguments);
    let call = Call { to: TxKind::Create, input: input.into(), value: U256::ZERO };
    let key = IntentKey(format!("deploy:{what}"));
    let mined = sender.send(&key, &call).await.map_err(|source| DeployError::Send { what, source })?;
    let address = mined.receipt.contract_address.ok_or(DeployError::NoAddress(what))?;
    Ok((address, mined.block))
}
