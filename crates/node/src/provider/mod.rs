//! `waag provider`: sells this machine on the market, and runs an agent for each lease.
//!
//! - `config`, `folder`, `hardware`: what the owner says, what lies where, what the machine has;
//! - `state`: what the daemon remembers, one file with the follower's cursor in it;
//! - `look`: the chain, the machine and the folder as one view;
//! - `decide`: from a view to acts, pure;
//! - `act`: one transaction or one step of an agent for each act; `boot`: what an agent is started with;
//!   `canary`: what is left of a planted state; `excuse`: receipts for states that are said to be kept back;
//! - `status`: what shows to its owner.
//!
//! [`Provider::tick`] looks, decides and acts. It remembers nothing between two calls but what is in the folder and on the
//! chain, so the daemon may be killed at any place: an act that was under way is decided again, a transaction has a key
//! under which it happens once, and an agent is found again by its folder. A daemon that ends leaves its agents running.

mod act;
mod boot;
mod canary;
mod config;
mod decide;
mod error;
mod excuse;
mod folder;
mod hardware;
mod look;
mod state;
mod status;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use chain::Address;
use chain::embedded::CHAIN_ID;
use chain::follow::Follower;
use chain::market::{Market, MarketEvent, Refusal, Spec, charge, micros};
use chain::notary::Notary;
use chain::sender::SendError;
use custody::EvmSigner;
use domain::{Entropy, Hardware, Millis, RetryStatus, Timestamp, UsdPerHour};
use market::Machine;
use tokio::sync::watch;

pub use self::canary::Planted;
pub use self::config::{Config, ConfigError, Given};
pub use self::error::ProviderError;
pub use self::folder::{Folder, Withdrawal};
pub use self::status::{LeaseStatus, OfferStatus, Status, status};

use self::decide::Wish;
use self::state::State;
use crate::party::daemon::{self, Next, Ticks};
use crate::party::files;
use crate::party::hand::{Gas, Hand};

/// A daemon that is to die has to see the moment.
const FAULT_POLL: Millis = Millis(50);
const BASIS_POINTS: u128 = 10_000;

/// Misbehaviour on purpose: for demonstrations and tests, on the embedded chain only, or to try validators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Agents and daemon are killed together once an agent has committed to so many leaves.
    Die {
        /// At least this many.
        leaves: u32,
    },
    /// Agents put bytes of their own in the place of the state after each of these segments.
    Fabricate {
        /// Counted from 0.
        segments: BTreeSet<u32>,
    },
    /// Each lease is served with one planted state, by which the owner tries the validators of its own jobs. On any chain:
    /// whoever does it to another's job loses the stake behind it.
    Canary,
}

/// What a provider is made of.
pub struct Parts {
    /// Its folder.
    pub folder: Folder,
    /// Runs agents, each in a folder of its label below [`Folder::machines`].
    pub machine: Arc<dyn Machine>,
    /// Where its keys come from.
    pub entropy: Arc<dyn Entropy>,
    /// Where the kernel tells of the machine: `/proc`.
    pub proc: std::path::PathBuf,
    /// Whether it misbehaves.
    pub fault: Option<Fault>,
}

/// A provider with its folder locked.
pub struct Provider {
    folder: Folder,
    machine: Arc<dyn Machine>,
    entropy: Arc<dyn Entropy>,
    fault: Option<Fault>,
    config: Config,
    wish: Wish,
    signer: EvmSigner,
    market: Market,
    /// Judges its leases; `None` where nobody does.
    notary: Option<Notary>,
    hand: Hand,
    follower: Follower,
    state: State,
    /// Something is not in the file that belongs there.
    unsaved: bool,
    /// The block of the cursor in the file.
    saved_block: u64,
    _lock: File,
}

/// What a tick leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// When to look again.
    pub next_due: Timestamp,
    /// It was asked to drain, and nothing is left.
    pub drained: bool,
    /// By its fault, the daemon is to be killed now; its agents have been.
    pub dies: bool,
}

/// How a daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop; agents run on.
    Stopped,
    /// It was asked to drain, and nothing is left.
    Drained,
    /// By its fault: this process is to be killed now.
    Dies,
}

/// Makes folder, key and configuration. The account that was made; it needs gas and dollars before it can offer anything.
///
/// # Errors
/// `Present` when the folder holds a provider already, `Config` when a given value is wrong; nothing is changed then.
pub fn init(folder: &Path, given: &Given, entropy: &dyn Entropy) -> Result<Address, ProviderError> {
    Config::of(given)?;
    let folder = Folder::at(folder);
    if folder.config().exists() {
        return Err(ProviderError::Present { folder: folder.path().to_owned() });
    }
    folder.make()?;
    let signer = folder.account(entropy)?;
    let path = folder.config();
    // Last, so that a folder with it is whole.
    files::write_whole(&path, Config::file(given).as_bytes())
        .map_err(|source| ProviderError::File { path, source })?;
    Ok(signer.address())
}

/// Runs a provider until it is told to stop, has drained, or is to die. What fails and may succeed later is tried again
/// with growing waits.
///
/// # Errors
/// What only a person can mend.
pub async fn run(
    mut provider: Provider,
    clock: &dyn domain::Clock,
    stopped: watch::Receiver<bool>,
) -> Result<Ended, ProviderError> {
    Ok(daemon::run(&mut provider, clock, stopped).await?.unwrap_or(Ended::Stopped))
}

impl Ticks for Provider {
    type Ended = Ended;
    type Error = ProviderError;

    async fn step(&mut self, now: Timestamp) -> Result<Next<Ended>, ProviderError> {
        Ok(match self.tick(now).await? {
            Tick { dies: true, .. } => Next::Over(Ended::Dies),
            Tick { drained: true, .. } => Next::Over(Ended::Drained),
            Tick { next_due, .. } => Next::At(next_due),
        })
    }

    fn status(error: &ProviderError) -> RetryStatus {
        error.status()
    }

    fn poll(&self) -> Millis {
        self.config.poll
    }
}

/// The market that a configuration names.
async fn market_of(config: &Config) -> Result<Market, ProviderError> {
    let provider = chain::remote::connect(&config.rpc_url)?;
    let address = config.market.ok_or(ProviderError::NoMarket)?;
    Ok(Market::open(provider, address).await?)
}

impl Provider {
    /// Takes the folder, measures the machine, and finds the market.
    ///
    /// # Errors
    /// `Absent` and `InUse` for the folder, `FaultRefused` on another chain than the embedded one, and what is wrong with
    /// configuration or chain.
    pub async fn open(parts: Parts) -> Result<Self, ProviderError> {
        let Parts { folder, machine, entropy, proc, fault } = parts;
        if !folder.config().exists() {
            return Err(ProviderError::Absent { folder: folder.path().to_owned() });
        }
        let lock = folder.lock()?;
        let config = Config::load(&folder.config())?;
        let market = market_of(&config).await?;
        let notary = excuse::judge_of(&market).await?;
        let chain_id = market.chain_id();
        if fault.as_ref().is_some_and(|fault| *fault != Fault::Canary) && chain_id != CHAIN_ID {
            return Err(ProviderError::FaultRefused { chain_id, embedded: CHAIN_ID });
        }
        let measured = hardware::measure(&proc, folder.path()).map_err(ProviderError::Hardware)?;
        let signer = folder.account(entropy.as_ref())?;
        let wish = wish(&config, &measured, &market, signer.address())?;
        let state = state::load(&folder.state(), chain_id, market.address())?;
        let Config { fee_cap_gwei, tip_gwei, confirmations, .. } = config;
        let gas = Gas { fee_cap_gwei, tip_gwei, confirmations };
        let words = |error: &SendError| Refusal::of(error).map(|refusal| refusal.to_string());
        let hand = Hand::new(market.provider().clone(), chain_id, &signer, &folder.journal(), gas, words)?;
        let follower = market.follower(config.from_block, config.confirmations, &MarketEvent::NAMING);
        let saved_block = state.cursor.as_ref().map_or(0, |cursor| cursor.number);
        Ok(Self {
            folder,
            machine,
            entropy,
            fault,
            config,
            wish,
            signer,
            market,
            notary,
            hand,
            follower,
            state,
            unsaved: false,
            saved_block,
            _lock: lock,
        })
    }

    /// Its account.
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// What one unit of it has, as it is offered.
    pub fn hardware(&self) -> &Hardware {
        &self.wish.spec.hardware
    }

    /// Looks at chain, machine and folder, decides, and does what is due. May be stopped anywhere and called again. `now`
    /// says only when to look next: deadlines are held against the chain's clock.
    ///
    /// # Errors
    /// When the chain or the folder cannot be read; what was done stays done.
    pub async fn tick(&mut self, now: Timestamp) -> Result<Tick, ProviderError> {
        let at_head = self.follow().await?;
        let view = self.look().await?;
        if let Some(Fault::Die { leaves }) = self.fault
            && act::is_time_to_die(&view, leaves)
        {
            self.kill_all().await;
            return Ok(Tick { next_due: now, drained: false, dies: true });
        }
        let plan = decide::decide(&view, &self.wish);
        if plan.missing > 0 {
            let missing = chain::market::usd(plan.missing);
            tracing::warn!(%missing, account = %self.address(), "dollars are missing for the stake");
        }
        let mut done = false;
        for act in plan.acts {
            done |= self.act(act).await?;
        }
        let poll = if matches!(self.fault, Some(Fault::Die { .. })) {
            FAULT_POLL.min(self.config.poll)
        } else {
            self.config.poll
        };
        let next_due = if done || !at_head { now } else { now + poll };
        Ok(Tick { next_due, drained: plan.drained && at_head, dies: false })
    }

    /// Sends earnings where that was asked for or is due, and does nothing else. Whether some were sent.
    ///
    /// # Errors
    /// As [`Self::tick`].
    pub async fn withdraw(&mut self) -> Result<bool, ProviderError> {
        let view = self.look().await?;
        match decide::earnings(&view, &self.wish) {
            Some(act) => self.act(act).await,
            None => Ok(false),
        }
    }

    fn save(&mut self) -> Result<(), ProviderError> {
        self.unsaved = true;
        state::save(&self.state, &self.folder.state(), self.market.chain_id(), self.market.address())?;
        self.unsaved = false;
        self.saved_block = self.state.cursor.as_ref().map_or(0, |cursor| cursor.number);
        Ok(())
    }
}

/// What the owner wants, in the chain's units.
fn wish(config: &Config, machine: &Hardware, market: &Market, me: Address) -> Result<Wish, ProviderError> {
    let unit = hardware::unit(machine, config);
    let spec = Spec {
        name: config.name.clone(),
        region: config.region.clone(),
        hardware: hardware::offered(&unit),
        startup: config.startup,
    };
    // What could not be posted is said at start.
    spec.to_bytes().map_err(ProviderError::Spec)?;
    let amount = |amount, field| micros(amount).ok_or(ProviderError::Amount { field });
    let price_per_hour = amount(UsdPerHour::per_hour(config.price), "price_per_hour_usd")?;
    let least = stake_needed(market, price_per_hour, config);
    let asked = config.stake.map(|stake| amount(stake, "stake_usd")).transpose()?.unwrap_or_default();
    Ok(Wish {
        price_per_hour,
        units: config.units,
        stake: asked.max(least),
        available: config.available,
        span_max: config.span_max,
        spec,
        unit,
        withdraw_to: config.withdraw_to.unwrap_or(me),
        withdraw_above: config.withdraw_above.map(|above| amount(above, "withdraw_above_usd")).transpose()?,
    })
}

/// What the market binds at most: so much for each unit, or the reserves of leases of the greatest length on all of them.
fn stake_needed(market: &Market, price_per_hour: u64, config: &Config) -> u64 {
    let settings = market.settings();
    let span = u32::try_from(config.span_max.0 / 1000).unwrap_or(u32::MAX);
    let price = u128::from(charge(price_per_hour, span).unwrap_or(u64::MAX));
    let reserve = (price * u128::from(settings.reserve_bps)).div_ceil(BASIS_POINTS);
    let each = reserve.max(u128::from(settings.stake_per_unit));
    u64::try_from(each * u128::from(config.units)).unwrap_or(u64::MAX)
}
