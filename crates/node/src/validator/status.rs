//! What shows to a validator's owner, from the chain and the folder. Works while the daemon runs and while it does not.

use std::path::Path;

use chain::{Address, B256, U256};
use custody::OsEntropy;
use domain::{Finding, Timestamp};

use super::config::Config;
use super::decide::{Phase, Seat};
use super::error::ValidatorError;
use super::folder::Folder;
use super::notary::Link;
use super::state;

/// A validator as it stands. Amounts are micro-units.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its account.
    pub address: Address,
    /// EIP-155 id of its chain.
    pub chain_id: u64,
    /// The notary's address.
    pub notary: Address,
    /// Whether a daemon runs on the folder.
    pub running: bool,
    /// Whether it was asked to leave.
    pub leaving: bool,
    /// Its seat.
    pub seat: SeatStatus,
    /// What it can pay for gas, in wei.
    pub gas_wei: U256,
    /// Of the token, outside the notary.
    pub tokens: u64,
    /// Earned, and free to go.
    pub balance: u64,
    /// Its stake.
    pub stake: u64,
    /// The proofs that it knows of and has not forgotten.
    pub proofs: Vec<ProofStatus>,
}

/// Whether it can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatStatus {
    /// It has no seat.
    None,
    /// It has one.
    Taken,
    /// It left, and the seat is not free yet.
    Left,
}

impl SeatStatus {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Taken => "taken",
            Self::Left => "left",
        }
    }
}

/// A proof as it stands.
#[derive(Debug, Clone)]
pub struct ProofStatus {
    /// Its name on chain.
    pub id: B256,
    /// How far it has come; `None` when the chain does not know it.
    pub phase: Option<&'static str>,
    /// The phase's deadline.
    pub deadline: Option<Timestamp>,
    /// Whether this validator was drawn.
    pub drawn: bool,
    /// What it found, once it has written that down.
    pub finding: Option<Finding>,
}

impl Phase {
    const fn code(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Committing => "committing",
            Self::Revealing => "revealing",
            Self::Closing => "closing",
            Self::Excusing => "excusing",
            Self::Over => "over",
        }
    }
}

/// The validator in `folder`, as of the daemon's last look at the events, with what the chain says now.
///
/// # Errors
/// When the folder holds no validator, or the chain cannot be read.
pub async fn status(folder: &Path) -> Result<Status, ValidatorError> {
    let folder = Folder::at(folder);
    if !folder.config().exists() || !folder.has_account() {
        return Err(ValidatorError::Absent { folder: folder.path().to_owned() });
    }
    let config = Config::load(&folder.config())?;
    let address = folder.account(&OsEntropy)?.address();
    let link = Link::open(&config).await?;
    let seen = state::load(&folder.state(), link.chain_id(), link.address())?;
    let mut proofs = Vec::new();
    for (id, seen) in &seen.proofs {
        let on_chain = link.proof(*id, address).await?;
        proofs.push(ProofStatus {
            id: *id,
            phase: on_chain.map(|chain| chain.phase.code()),
            deadline: on_chain.map(|chain| chain.deadline),
            drawn: on_chain.is_some_and(|chain| chain.place.is_some()),
            finding: seen.word.map(|word| word.finding),
        });
    }
    let purse = link.purse(address).await?;
    Ok(Status {
        address,
        chain_id: link.chain_id(),
        notary: link.address(),
        running: folder.is_running(),
        leaving: folder.is_leaving(),
        seat: match link.seat(address).await? {
            Seat::None => SeatStatus::None,
            Seat::Taken => SeatStatus::Taken,
            Seat::Left { .. } => SeatStatus::Left,
        },
        gas_wei: link.gas_balance(address).await?,
        tokens: purse.tokens,
        balance: purse.balance,
        stake: purse.stake,
        proofs,
    })
}
