//! A notary and the market that it judges, on a fresh chain. May be repeated after a crash at any place.

use alloy::primitives::Address;
use alloy::sol_types::SolConstructor;

use super::call::Calls;
use crate::market::bindings::{self, Notary};
use crate::market::deploy::{create, deploy_market, deploy_token};
use crate::market::{self, DeployError, MarketTerms};
use crate::sender::{IntentKey, Sender};

const NOTARY_CODE: &str = include_str!("../market/code/Notary.hex");

/// What a notary is deployed with. None of it changes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotaryTerms {
    /// Receives what silent and careless validators lose.
    pub insurance: Address,
    /// Stake that each unit of a validator needs, in micro-units.
    pub stake_per_unit: u64,
    /// Stake reserved of each drawn validator, in micro-units; at most that of a unit.
    pub stake_per_proof: u64,
    /// The least fee for one validator and one segment, in micro-units.
    pub min_fee: u64,
    /// Seconds between the request for stake and its release.
    pub unbonding_period: u32,
    /// Blocks between the opening of a proof and the one whose hash draws; at least 1.
    pub draw_delay: u32,
    /// Seconds in which the draw must be made, and again for the validators to replay and commit.
    pub finding_window: u32,
    /// Seconds to reveal, and again for the consumer alone to show a canary or conclude.
    pub reveal_window: u32,
    /// Seconds to show receipts for states that were kept back.
    pub excuse_window: u32,
}

impl NotaryTerms {
    /// Seconds that a lease must have left when a proof of it is opened. The market's verdict window is at least this, and
    /// better longer: the time before the proof is opened counts too.
    pub fn lead_time(&self) -> u64 {
        let closing = self.reveal_window.max(self.excuse_window);
        2 * u64::from(self.finding_window) + 2 * u64::from(self.reveal_window) + u64::from(closing)
    }
}

/// Where the contracts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployed {
    /// The notary.
    pub notary: Address,
    /// The block of its creation: none of its events is older.
    pub block: u64,
    /// Token and market.
    pub market: market::Deployed,
}

/// Deploys test dollar, notary and market, the first and the last owned by the sender's account, and binds the notary to the
/// market; or finds where they are. The market's verifier is the notary, whatever `market` says.
///
/// # Errors
/// When a transaction is not done.
pub async fn deploy(
    sender: &Sender,
    notary: &NotaryTerms,
    market: &MarketTerms,
) -> Result<Deployed, DeployError> {
    let token = deploy_token(sender).await?;
    let config = bindings::NotaryConfig {
        token,
        insurance: notary.insurance,
        stakePerUnit: notary.stake_per_unit,
        stakePerProof: notary.stake_per_proof,
        minFee: notary.min_fee,
        unbondingPeriod: notary.unbonding_period,
        drawDelay: notary.draw_delay,
        findingWindow: notary.finding_window,
        revealWindow: notary.reveal_window,
        excuseWindow: notary.excuse_window,
    };
    let arguments = Notary::constructorCall { config }.abi_encode();
    let (notary, block) = create(sender, "Notary", NOTARY_CODE, &arguments).await?;
    let market = deploy_market(sender, token, &MarketTerms { verifier: notary, ..*market }).await?;
    let bind = Calls { notary }.bind(market.market);
    let bound = sender.send(&IntentKey("bind:Notary".to_owned()), &bind).await;
    bound.map_err(|source| DeployError::Send { what: "the notary's market", source })?;
    Ok(Deployed { notary, block, market })
}
