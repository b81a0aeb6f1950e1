//! Why a contract said no, by the name of its error and with the values that it gave.

#![expect(missing_docs, reason = "the fields are those of the contract's errors, which explains them")]

use alloy::primitives::Address;
use alloy::sol_types::SolInterface;
use domain::Timestamp;

use super::bindings::Market::MarketErrors;
use super::bindings::TestDollar::TestDollarErrors;
use super::moment;
use super::nouns::State;
use super::order::OfferId;
use crate::sender::SendError;

/// A contract's own reason for a refusal. Amounts are micro-units.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("ZeroValue: a value that must not be zero is")]
    ZeroValue,
    #[error("Unauthorized: {caller} is not the party whose act this is")]
    Unauthorized { caller: Address },
    #[error("InsufficientBalance: {owner} has {available} micro-units and needs {needed}")]
    InsufficientBalance { owner: Address, available: u64, needed: u64 },
    #[error("InsufficientStake: {provider} has {stake} micro-units and needs {needed}")]
    InsufficientStake { provider: Address, stake: u64, needed: u64 },
    #[error("InsufficientAllowance: {spender} may pull {allowance} micro-units and needs {needed}")]
    InsufficientAllowance { spender: Address, allowance: u64, needed: u64 },
    #[error("InsufficientTokens: {owner} has {balance} micro-units of the token and needs {needed}")]
    InsufficientTokens { owner: Address, balance: u64, needed: u64 },
    #[error("NotReleased: stake may be claimed from {release_at} on")]
    NotReleased { release_at: Timestamp },
    #[error("OfferExists: offer {offer} was posted before")]
    OfferExists { offer: OfferId },
    #[error("OfferNotAvailable: there is no offer {offer}, or it was withdrawn")]
    OfferNotAvailable { offer: OfferId },
    #[error("OutsideWindow: a lease from {from} to {until} does not fit into the offer's window")]
    OutsideWindow { from: Timestamp, until: Timestamp },
    #[error("NotEnoughUnits: offer {offer} has {free} units free, {asked} were asked for")]
    NotEnoughUnits { offer: OfferId, free: u32, asked: u32 },
    #[error(
        "PriceTooHigh: an hour costs {price_per_hour} micro-units, the order allows {max_price_per_hour}"
    )]
    PriceTooHigh { price_per_hour: u64, max_price_per_hour: u64 },
    /// `state` is `None` for a lease that was never created.
    #[error("WrongState: the lease is {}", state.map_or("none", State::code))]
    WrongState { state: Option<State> },
    #[error("TooLate: the deadline was {deadline}")]
    TooLate { deadline: Timestamp },
    #[error("TooEarly: the deadline is {deadline}")]
    TooEarly { deadline: Timestamp },
    #[error("TooLong: {value} seconds are more than {max}")]
    TooLong { value: u64, max: u64 },
    #[error("WrongContact: the contact does not hash to what the order says")]
    WrongContact,
    #[error("WrongSignature: the signature is not that of {signer}")]
    WrongSignature { signer: Address },
    #[error("EnforcedPause: the market takes no new leases at present")]
    EnforcedPause,
    /// One of the errors that no caller of ours decides by.
    #[error("{0}")]
    Other(&'static str),
}

impl Refusal {
    /// The contract's reason in a failed transaction; `None` when the failure is of another kind, or gave no reason.
    pub fn of(error: &SendError) -> Option<Self> {
        match error {
            SendError::Reverted { data, .. } => Self::decode(data),
            _ => None,
        }
    }

    /// From revert data.
    pub fn decode(data: &[u8]) -> Option<Self> {
        let market = MarketErrors::abi_decode_validate(data).ok().map(of_market);
        market.or_else(|| TestDollarErrors::abi_decode_validate(data).ok().map(of_token))
    }
}

fn of_market(error: MarketErrors) -> Refusal {
    use MarketErrors as M;
    match error {
        M::ZeroValue(_) => Refusal::ZeroValue,
        M::Unauthorized(e) => Refusal::Unauthorized { caller: e.caller },
        M::InsufficientBalance(e) => {
            Refusal::InsufficientBalance { owner: e.owner, available: e.available, needed: e.needed }
        }
        M::InsufficientStake(e) => {
            let needed = e.needed.saturating_to();
            Refusal::InsufficientStake { provider: e.provider, stake: e.stake, needed }
        }
        M::NotReleased(e) => Refusal::NotReleased { release_at: moment(e.releaseAt.to()) },
        M::OfferExists(e) => Refusal::OfferExists { offer: OfferId(e.id) },
        M::OfferNotAvailable(e) => Refusal::OfferNotAvailable { offer: OfferId(e.id) },
        M::OutsideWindow(e) => {
            Refusal::OutsideWindow { from: moment(e.from.to()), until: moment(e.until.to()) }
        }
        M::NotEnoughUnits(e) => {
            Refusal::NotEnoughUnits { offer: OfferId(e.id), free: e.free, asked: e.asked }
        }
        M::PriceTooHigh(e) => {
            Refusal::PriceTooHigh { price_per_hour: e.pricePerHour, max_price_per_hour: e.maxPricePerHour }
        }
        M::WrongState(e) => Refusal::WrongState { state: State::from_number(e.state) },
        M::TooLate(e) => Refusal::TooLate { deadline: moment(e.deadline.to()) },
        M::TooEarly(e) => Refusal::TooEarly { deadline: moment(e.deadline.to()) },
        M::TooLong(e) => Refusal::TooLong { value: e.value.saturating_to(), max: e.max.saturating_to() },
        M::WrongContact(_) => Refusal::WrongContact,
        M::WrongSignature(e) => Refusal::WrongSignature { signer: e.signer },
        M::EnforcedPause(_) => Refusal::EnforcedPause,
        other => Refusal::Other(MarketErrors::name_by_selector(other.selector()).unwrap_or("unknown error")),
    }
}

fn of_token(error: TestDollarErrors) -> Refusal {
    match error {
        TestDollarErrors::ERC20InsufficientAllowance(e) => Refusal::InsufficientAllowance {
            spender: e.spender,
            allowance: e.allowance.saturating_to(),
            needed: e.needed.saturating_to(),
        },
        TestDollarErrors::ERC20InsufficientBalance(e) => Refusal::InsufficientTokens {
            owner: e.sender,
            balance: e.balance.saturating_to(),
            needed: e.needed.saturating_to(),
        },
        other => {
            Refusal::Other(TestDollarErrors::name_by_selector(other.selector()).unwrap_or("unknown error"))
        }
    }
}
