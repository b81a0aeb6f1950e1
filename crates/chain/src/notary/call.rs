//! What a transaction asks of a notary. Who may ask, and what comes of it, stands in `contracts/src/interfaces`.

use alloy::primitives::{Address, B256};
use alloy::sol_types::SolCall;
use domain::Finding;

use super::nouns::number_of;
use super::request::Request;
use crate::market::Order;
use crate::market::bindings::{self, Notary};
use crate::sender::Call;

/// Calls of one notary.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// Where it is.
    pub notary: Address,
}

/// A state that a consumer planted, and the way from its leaf to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// Hides the planted digest, which is `keccak256("CANARY/1" || salt || index as 8 bytes, big-endian)`.
    pub salt: B256,
    /// The number of the state in its job.
    pub index: u64,
    /// The place of its leaf in the tree.
    pub position: u32,
    /// Digest of outputs in the leaf; zero for a state.
    pub out: B256,
    /// Siblings from the leaf upwards.
    pub siblings: Vec<B256>,
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

    /// The caller takes a seat with this weight, which its stake has to cover.
    pub fn join(&self, units: u32) -> Call {
        self.call(Notary::joinCall { units })
    }

    /// The caller is drawn for nothing that is opened later.
    pub fn leave(&self) -> Call {
        self.call(Notary::leaveCall {})
    }

    /// Anybody frees the seat of a validator that has left, once no draw can fall on it any more.
    pub fn depart(&self, validator: Address) -> Call {
        self.call(Notary::departCall { validator })
    }

    /// The deployer names the market.
    pub fn bind(&self, market: Address) -> Call {
        self.call(Notary::bindCall { served: market })
    }

    /// The consumer has a lease of the market checked. `contact` says where the states are, see [`crate::market::Contact`].
    pub fn open(&self, request: &Request, order: &Order, contact: Vec<u8>) -> Call {
        let (request, order) = (request.into(), order.into());
        self.call(Notary::openCall { request, order, contact: contact.into() })
    }

    /// [`Self::open`] for a lease outside the market, by its agent's signature over [`super::Digests::commitment`].
    pub fn open_signed(&self, request: &Request, signature: Vec<u8>, contact: Vec<u8>) -> Call {
        let (signature, contact) = (signature.into(), contact.into());
        self.call(Notary::openSignedCall { request: request.into(), signature, contact })
    }

    /// Anybody draws.
    pub fn draw(&self, request: &Request) -> Call {
        self.call(Notary::drawCall { request: request.into() })
    }

    /// Anybody gives the fee back when nobody drew in time.
    pub fn abandon(&self, request: &Request) -> Call {
        self.call(Notary::abandonCall { request: request.into() })
    }

    /// A drawn validator commits to [`super::finding_hash`].
    pub fn commit_finding(&self, id: B256, hash: B256) -> Call {
        self.call(Notary::commitFindingCall { id, hash })
    }

    /// It says what it committed to.
    pub fn reveal_finding(&self, id: B256, finding: Finding, result: B256, salt: B256) -> Call {
        self.call(Notary::revealFindingCall { id, finding: number_of(finding), result, salt })
    }

    /// The consumer shows that it planted a state among those checked.
    pub fn open_canary(&self, request: &Request, planted: &Planted) -> Call {
        let planted = bindings::Planted {
            salt: planted.salt,
            index: planted.index,
            position: planted.position,
            out: planted.out,
            siblings: planted.siblings.clone(),
        };
        self.call(Notary::openCanaryCall { request: request.into(), planted })
    }

    /// Anybody shows that the consumer had received every state below the root, by its signature over [`super::Digests::upload`].
    pub fn excuse(&self, request: &Request, signature: Vec<u8>) -> Call {
        self.call(Notary::excuseCall { request: request.into(), signature: signature.into() })
    }

    /// Brings the findings on a lease of the market to their end there.
    pub fn conclude(&self, request: &Request, order: &Order) -> Call {
        self.call(Notary::concludeCall { request: request.into(), order: order.into() })
    }

    /// [`Self::conclude`] for a lease outside the market.
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
