//! The market's contracts, typed: what `contracts/README.md` describes, for those who trade on it.
//!
//! - `bindings`: the contracts' calls, events and errors, generated from their artifacts;
//! - `order`, `contact`, `spec`: what is signed, where an agent reports to, what hardware an offer is for;
//! - `nouns`: accounts, offers and leases as the chain keeps them;
//! - `events`, `read`, `reader`: what happened, and what is;
//! - `call`, `refusal`: what a transaction asks for, and why the contract said no;
//! - `deploy`: the contracts on a fresh chain, and money for those who begin.
//!
//! Amounts are micro-units of the token, which has six decimals as the dollar tokens have; [`usd`] and [`micros`] lead to
//! money and back. Everything that strangers put on chain is read with bounds.

pub(crate) mod bindings;
mod call;
mod contact;
pub(crate) mod deploy;
mod events;
pub(crate) mod nouns;
pub(crate) mod order;
mod read;
pub(crate) mod reader;
mod refusal;
mod spec;

use domain::{Timestamp, Usd};

pub use self::call::{Calls, TokenCalls, give_gas};
pub use self::contact::{CONTACT_BYTES_MAX, Contact, ContactError};
pub use self::deploy::{DeployError, Deployed, MarketTerms, deploy, hand_out};
pub use self::events::{Happened, MarketEvent};
pub use self::nouns::{Account, Cause, Lease, Offer, OfferTerms, State, Unbonding};
pub use self::order::{Digests, OfferId, Order, SIGNATURE_BYTES, charge, signer_of};
pub use self::read::{Market, Settings};
pub use self::reader::{Head, ReadError, Spent};
pub use self::refusal::Refusal;
pub use self::spec::{SPEC_BYTES_MAX, Spec, SpecError};

/// Micro-units of the token as money; more than money can count is the most it can.
pub fn usd(micros: u64) -> Usd {
    Usd::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Money as micro-units of the token; `None` for what no account on chain can hold.
pub fn micros(amount: Usd) -> Option<u64> {
    u64::try_from(amount.micros()).ok()
}

/// A moment of the chain, which counts in seconds.
pub fn moment(seconds: u64) -> Timestamp {
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000))
}
