//! What shows to a provider's owner, from the chain and the folder. Works while the daemon runs and while it does not.

use std::path::Path;

use chain::market::{Account, Lease, OfferTerms, State};
use chain::{Address, B256, U256};
use custody::OsEntropy;
use domain::{Hardware, Label, Timestamp};

use super::canary::Planted;
use super::config::Config;
use super::error::ProviderError;
use super::folder::Folder;
use super::state::{self, label_of};

/// A provider as it stands. Amounts are micro-units.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its account.
    pub address: Address,
    /// EIP-155 id of its chain.
    pub chain_id: u64,
    /// The market's address.
    pub market: Address,
    /// Whether a daemon runs on the folder.
    pub running: bool,
    /// Whether it was asked to drain.
    pub draining: bool,
    /// What it can pay for gas, in wei.
    pub gas_wei: U256,
    /// Of the token, outside the market.
    pub tokens: u64,
    /// What it has in the market.
    pub account: Account,
    /// Its offers that were not withdrawn.
    pub offers: Vec<OfferStatus>,
    /// Its leases that are not forgotten.
    pub leases: Vec<LeaseStatus>,
    /// States that were planted to try validators.
    pub canaries: Vec<Planted>,
}

/// An offer as it stands.
#[derive(Debug, Clone)]
pub struct OfferStatus {
    /// Its name.
    pub id: B256,
    /// What it promises.
    pub terms: OfferTerms,
    /// Units in accepted leases.
    pub leased: u32,
    /// What a unit has.
    pub hardware: Option<Hardware>,
}

/// A lease as it stands.
#[derive(Debug, Clone)]
pub struct LeaseStatus {
    /// Its name on chain.
    pub id: B256,
    /// The name of its agent's folder.
    pub label: Label,
    /// Who pays.
    pub consumer: Address,
    /// Where it is; `None` when the chain does not know it.
    pub state: Option<State>,
    /// Seconds bought.
    pub span: u32,
    /// Billing runs since then.
    pub started_at: Option<Timestamp>,
    /// The next deadline.
    pub deadline: Option<Timestamp>,
    /// Whether an agent was started for it.
    pub has_agent: bool,
}

/// The provider in `folder`, as of the daemon's last look at the events, with what the chain says now.
///
/// # Errors
/// When the folder holds no provider, or the chain cannot be read.
pub async fn status(folder: &Path) -> Result<Status, ProviderError> {
    let folder = Folder::at(folder);
    if !folder.config().exists() || !folder.has_account() {
        return Err(ProviderError::Absent { folder: folder.path().to_owned() });
    }
    let config = Config::load(&folder.config())?;
    let address = folder.account(&OsEntropy)?.address();
    let market = super::market_of(&config).await?;
    let seen = state::load(&folder.state(), market.chain_id(), market.address())?;
    let ids: Vec<_> = seen.offers.iter().filter(|(_, offer)| !offer.withdrawn).map(|(id, _)| *id).collect();
    let standing = market.offers(&ids).await?;
    let offers = ids.iter().zip(standing).filter_map(|(id, offer)| {
        let offer = offer.filter(|offer| !offer.withdrawn)?;
        let hardware = seen.offers[id].spec.as_ref().map(|spec| spec.hardware.clone());
        Some(OfferStatus { id: id.0, terms: offer.terms, leased: offer.leased, hardware })
    });
    let ids: Vec<B256> = seen.leases.keys().copied().collect();
    let on_chain = market.leases(&ids).await?;
    let leases = seen.leases.iter().zip(on_chain).map(|((id, seen), on_chain)| LeaseStatus {
        id: *id,
        label: label_of(*id),
        consumer: seen.order.consumer,
        state: on_chain.map(|lease| lease.state),
        span: on_chain.map_or(seen.order.span, |lease| lease.span),
        started_at: on_chain.and_then(|lease: Lease| lease.started_at),
        deadline: on_chain.map(|lease| lease.deadline),
        has_agent: seen.agent.is_some(),
    });
    Ok(Status {
        address,
        chain_id: market.chain_id(),
        market: market.address(),
        running: folder.is_running(),
        draining: folder.is_draining(),
        gas_wei: market.gas_balance(address).await?,
        tokens: market.token_balance(address).await?,
        account: market.account(address).await?,
        offers: offers.collect(),
        leases: leases.collect(),
        canaries: folder.canaries()?,
    })
}
