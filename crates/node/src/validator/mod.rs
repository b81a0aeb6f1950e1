//! `waag validator`: checks the work of others by running parts of it again, and stakes its word on what it finds.
//!
//! - `config`, `folder`: what the owner says, what lies where;
//! - `state`: what the daemon remembers, one file with the follower's cursor in it;
//! - `notary`: what of the chain it sees and asks;
//! - `look`: the chain, the folder and the replays as one view;
//! - `decide`: from a view to acts, pure;
//! - `act`: one transaction or one step of a replay for each act;
//! - `examine`: one proof, from its openings to a finding; `replays`: those that run now;
//! - `status`: what shows to its owner.
//!
//! [`Validator::tick`] looks, decides and acts. What it found is in the folder before the chain hears of it, with the salt that
//! hides it: killed anywhere, the next daemon says the same, or runs the replay again where nothing was said yet.

mod act;
mod config;
mod decide;
mod error;
mod examine;
mod folder;
mod look;
mod notary;
mod replays;
mod state;
mod status;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use agent::replay::Replayer;
use chain::Address;
use chain::embedded::CHAIN_ID;
use chain::follow::Follower;
use custody::EvmSigner;
use domain::{Clock, Entropy, Millis, Probe, RetryStatus, Timestamp};
use tokio::sync::watch;

pub use self::config::{Config, ConfigError, Given};
pub use self::error::ValidatorError;
pub use self::folder::Folder;
pub use self::status::{ProofStatus, SeatStatus, Status, status};

use self::decide::Wish;
use self::notary::Link;
use self::replays::Replays;
use self::state::State;
use crate::party::daemon::{self, Next, Ticks};
use crate::party::files;
use crate::party::hand::{Gas, Hand};

/// Places at which a [`Probe`] is told that a validator has come there. Killed at any of them, it says one thing about a proof.
pub mod points {
    /// It has a finding that is not written yet.
    pub const KEEP_BEFORE: &str = "validator.keep.before";
    /// The finding is written.
    pub const KEEP_AFTER: &str = "validator.keep.after";
    /// It is about to commit.
    pub const COMMIT_BEFORE: &str = "validator.commit.before";
    /// The commitment is sent.
    pub const COMMIT_AFTER: &str = "validator.commit.after";
    /// It is about to reveal.
    pub const REVEAL_BEFORE: &str = "validator.reveal.before";
    /// The finding is revealed.
    pub const REVEAL_AFTER: &str = "validator.reveal.after";
    /// All of them.
    pub const ALL: &[&str] =
        &[KEEP_BEFORE, KEEP_AFTER, COMMIT_BEFORE, COMMIT_AFTER, REVEAL_BEFORE, REVEAL_AFTER];
}

/// A replay that runs is looked at this often.
const REPLAY_POLL: Millis = Millis(100);

/// Misbehaviour for demonstrations and tests, on the embedded chain only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Says that all is the same, and runs nothing.
    RubberStamp,
    /// Says nothing.
    Silent,
    /// Says that something differs, and runs nothing.
    Contrary,
}

/// What a validator is made of.
pub struct Parts {
    /// Its folder.
    pub folder: Folder,
    /// Runs segments again.
    pub replayer: Arc<dyn Replayer>,
    /// Where its keys and salts come from.
    pub entropy: Arc<dyn Entropy>,
    /// By which what it asks for is dated.
    pub clock: Arc<dyn Clock>,
    /// Told of [`points`].
    pub probe: Arc<dyn Probe>,
    /// Whether it misbehaves.
    pub fault: Option<Fault>,
}

/// A validator with its folder locked.
pub struct Validator {
    folder: Folder,
    replayer: Arc<dyn Replayer>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
    config: Config,
    wish: Wish,
    signer: EvmSigner,
    link: Link,
    hand: Hand,
    follower: Follower,
    replays: Replays,
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
    /// It was asked to leave, and nothing is left.
    pub left: bool,
}

/// How a daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// It was asked to leave, and nothing is left.
    Left,
}

/// Makes folder, key and configuration. The account that was made; it needs gas and dollars before it can take a seat.
///
/// # Errors
/// `Present` when the folder holds a validator already, `Config` when a given value is wrong; nothing is changed then.
pub fn init(folder: &Path, given: &Given, entropy: &dyn Entropy) -> Result<Address, ValidatorError> {
    Config::of(given)?;
    let folder = Folder::at(folder);
    if folder.config().exists() {
        return Err(ValidatorError::Present { folder: folder.path().to_owned() });
    }
    folder.make()?;
    let signer = folder.account(entropy)?;
    let path = folder.config();
    // Last, so that a folder with it is whole.
    files::write_whole(&path, Config::file(given).as_bytes())
        .map_err(|source| ValidatorError::File { path, source })?;
    Ok(signer.address())
}

/// Runs a validator until it is told to stop, or has left. What fails and may succeed later is tried again with growing waits.
///
/// # Errors
/// What only a person can mend.
pub async fn run(
    mut validator: Validator,
    clock: &dyn Clock,
    stopped: watch::Receiver<bool>,
) -> Result<Ended, ValidatorError> {
    Ok(daemon::run(&mut validator, clock, stopped).await?.unwrap_or(Ended::Stopped))
}

impl Ticks for Validator {
    type Ended = Ended;
    type Error = ValidatorError;

    async fn step(&mut self, now: Timestamp) -> Result<Next<Ended>, ValidatorError> {
        let tick = self.tick(now).await?;
        Ok(if tick.left { Next::Over(Ended::Left) } else { Next::At(tick.next_due) })
    }

    fn status(error: &ValidatorError) -> RetryStatus {
        error.status()
    }

    fn poll(&self) -> Millis {
        self.config.poll
    }
}

impl Validator {
    /// Takes the folder, and finds the notary.
    ///
    /// # Errors
    /// `Absent` and `InUse` for the folder, `FaultRefused` on another chain than the embedded one, and what is wrong with
    /// configuration or chain.
    pub async fn open(parts: Parts) -> Result<Self, ValidatorError> {
        let Parts { folder, replayer, entropy, clock, probe, fault } = parts;
        if !folder.config().exists() {
            return Err(ValidatorError::Absent { folder: folder.path().to_owned() });
        }
        let lock = folder.lock()?;
        let config = Config::load(&folder.config())?;
        let link = Link::open(&config).await?;
        let chain_id = link.chain_id();
        if fault.is_some() && chain_id != CHAIN_ID {
            return Err(ValidatorError::FaultRefused { chain_id, embedded: CHAIN_ID });
        }
        let signer = folder.account(entropy.as_ref())?;
        let amount = |amount, field| chain::market::micros(amount).ok_or(ValidatorError::Amount { field });
        let wish = Wish {
            units: config.units,
            stake: link.stake_per_unit().saturating_mul(u64::from(config.units)),
            conclude_after: config.conclude_after,
            withdraw_above: config
                .withdraw_above
                .map(|above| amount(above, "withdraw_above_usd"))
                .transpose()?,
            fault,
        };
        let state = state::load(&folder.state(), chain_id, link.address())?;
        let Config { fee_cap_gwei, tip_gwei, confirmations, .. } = config;
        let gas = Gas { fee_cap_gwei, tip_gwei, confirmations };
        let hand =
            Hand::new(link.provider().clone(), chain_id, &signer, &folder.journal(), gas, notary::words)?;
        let follower = link.follower(config.from_block, config.confirmations);
        let saved_block = state.cursor.as_ref().map_or(0, |cursor| cursor.number);
        Ok(Self {
            folder,
            replayer,
            entropy,
            clock,
            probe,
            config,
            wish,
            signer,
            link,
            hand,
            follower,
            replays: Replays::default(),
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

    /// Looks at chain, folder and replays, decides, and does what is due. May be stopped anywhere and called again. `now`
    /// says only when to look next: deadlines are held against the chain's clock.
    ///
    /// # Errors
    /// When the chain or the folder cannot be read; what was done stays done.
    pub async fn tick(&mut self, now: Timestamp) -> Result<Tick, ValidatorError> {
        let at_head = self.follow().await?;
        let view = self.look().await?;
        let plan = decide::decide(&view, &self.wish);
        if plan.missing > 0 {
            let missing = chain::market::usd(plan.missing);
            tracing::warn!(%missing, account = %self.address(), "dollars are missing for the stake");
        }
        let mut done = false;
        for act in plan.acts {
            done |= self.act(act).await?;
        }
        let poll = if self.replays.is_empty() { self.config.poll } else { REPLAY_POLL.min(self.config.poll) };
        let next_due = if done || !at_head { now } else { now + poll };
        Ok(Tick { next_due, left: plan.left && at_head && !done })
    }

    fn save(&mut self) -> Result<(), ValidatorError> {
        self.unsaved = true;
        state::save(&self.state, &self.folder.state(), self.link.chain_id(), self.link.address())?;
        self.unsaved = false;
        self.saved_block = self.state.cursor.as_ref().map_or(0, |cursor| cursor.number);
        Ok(())
    }
}
