//! What a transaction asks for. Who may ask, and what comes of it, stands in `contracts/src/interfaces`.

use alloy::primitives::{Address, B256};
use alloy::sol_types::SolCall;
use domain::Finding;

use super::nouns::{Planted, finding_number};
use super::request::Request;
use crate::market::Order;
use crate::market::bindings::Notary;
use crate::sender::Call;

/// Calls of one notary.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// Where it is.
    pub notary: Address,
}

impl Calls {
    /// Pulls `amount` from the caller's allowance into its balance.
    pub fn deposit(&self, amount: u64) -> Call {
        self.call(Notary::depositCall { amount })
    }

    /// Sends `amount` of the caller's balance to `to`.
    pub fn withdraw(&self, amount: u64, to: Address) -> Call {
        self.call(Notary::withdrawCall { amount, to })
    }

    /// Turns balance into stake.
    pub fn stake(&self, amount: u64) -> Call {
        self.call(Notary::stakeCall { amount })
    }

    /// Asks for stake back.
    pub fn unbond(&self, amount: u64) -> Call {
        self.call(Notary::unbondCall { amount })
    }

    /// Turns unbonded stake into balance.
    pub fn claim_unbonded(&self) -> Call {
        self.call(Notary::claimUnbondedCall {})
    }

    /// The caller takes a seat with `units`, each backed by its stake.
    pub fn join(&self, units: u32) -> Call {
        self.call(Notary::joinCall { units })
    }

    /// The caller is drawn for nothing that is opened from now on.
    pub fn leave(&self) -> Call {
        self.call(Notary::leaveCall {})
    }

    /// Frees the seat of a validator that has left.
    pub fn depart(&self, validator: Address) -> Call {
        self.call(Notary::departCall { validator })
    }

    /// The consumer has the work of a lease of the market checked.
    pub fn open(&self, request: &Request, order: &Order, contact: Vec<u8>) -> Call {
        let (request, order) = (request.into(), order.into());
        self.call(Notary::openCall { request, order, contact: contact.into() })
    }

    /// The same for a lease of another network, by its agent's signature.
    pub fn open_signed(&self, request: &Request, signature: Vec<u8>, contact: Vec<u8>) -> Call {
        let (signature, contact) = (signature.into(), contact.into());
        self.call(Notary::openSignedCall { request: request.into(), signature, contact })
    }

    /// Anybody draws, once the block of the draw is over.
    pub fn draw(&self, request: &Request) -> Call {
        self.call(Notary::drawCall { request: request.into() })
    }

    /// Gives the fee back where nobody drew in time.
    pub fn abandon(&self, request: &Request) -> Call {
        self.call(Notary::abandonCall { request: request.into() })
    }

    /// A drawn validator commits; `hash` by [`super::finding_hash`].
    pub fn commit_finding(&self, proof: B256, hash: B256) -> Call {
        self.call(Notary::commitFindingCall { id: proof, hash })
    }

    /// It says what it committed to.
    pub fn reveal_finding(&self, proof: B256, finding: Finding, result: B256, salt: B256) -> Call {
        let finding = finding_number(finding);
        self.call(Notary::revealFindingCall { id: proof, finding, result, salt })
    }

    /// The consumer shows that it planted a state among those that were checked.
    pub fn open_canary(&self, request: &Request, planted: &Planted) -> Call {
        self.call(Notary::openCanaryCall { request: request.into(), planted: planted.into() })
    }

    /// Anybody brings the findings on a lease of the market to their end.
    pub fn conclude(&self, request: &Request, order: &Order) -> Call {
        self.call(Notary::concludeCall { request: request.into(), order: order.into() })
    }

    /// The same for a lease of another network.
    pub fn conclude_signed(&self, request: &Request) -> Call {
        self.call(Notary::concludeSignedCall { request: request.into() })
    }

    /// Writes down how far a log of the caller has come.
    pub fn anchor(&self, log: B256, size: u64, root: B256) -> Call {
        self.call(Notary::anchorCall { log, size, root })
    }

    fn call(&self, call: impl SolCall) -> Call {
        Call::contract(self.notary, call.abi_encode())
    }
}
