//! What a transaction asks for. Who may ask, and what comes of it, stands in `contracts/src/interfaces`.

use alloy::primitives::{Address, B256, Bytes, TxKind, U256, aliases::U96};
use alloy::sol_types::SolCall;

use super::bindings::{self, Market, TestDollar};
use super::nouns::OfferTerms;
use super::order::{OfferId, Order};
use crate::sender::Call;

/// Calls of one market.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// Where it is.
    pub market: Address,
}

/// Calls of its token.
#[derive(Debug, Clone, Copy)]
pub struct TokenCalls {
    /// Where it is.
    pub token: Address,
}

/// Sends `wei` for gas, without a contract.
pub fn give_gas(to: Address, wei: U256) -> Call {
    Call { to: TxKind::Call(to), input: Bytes::new(), value: wei }
}

impl TokenCalls {
    /// Lets `spender` pull up to `amount`.
    pub fn approve(&self, spender: Address, amount: u64) -> Call {
        self.call(TestDollar::approveCall { spender, value: U256::from(amount) })
    }

    /// Sends `amount`.
    pub fn transfer(&self, to: Address, amount: u64) -> Call {
        self.call(TestDollar::transferCall { to, value: U256::from(amount) })
    }

    /// Makes `amount` for `to`. Only the owner of a test token can.
    pub fn mint(&self, to: Address, amount: u64) -> Call {
        self.call(TestDollar::mintCall { to, amount: U256::from(amount) })
    }

    fn call(&self, call: impl SolCall) -> Call {
        Call::contract(self.token, call.abi_encode())
    }
}

impl Calls {
    /// Pulls `amount` from the caller's allowance into its balance.
    pub fn deposit(&self, amount: u64) -> Call {
        self.call(Market::depositCall { amount })
    }

    /// Sends `amount` of the caller's balance to `to`.
    pub fn withdraw(&self, amount: u64, to: Address) -> Call {
        self.call(Market::withdrawCall { amount, to })
    }

    /// Turns balance into stake.
    pub fn stake(&self, amount: u64) -> Call {
        self.call(Market::stakeCall { amount })
    }

    /// Asks for stake back.
    pub fn unbond(&self, amount: u64) -> Call {
        self.call(Market::unbondCall { amount })
    }

    /// Turns unbonded stake into balance.
    pub fn claim_unbonded(&self) -> Call {
        self.call(Market::claimUnbondedCall {})
    }

    /// Posts the caller's offer `id`.
    pub fn post_offer(&self, id: OfferId, terms: &OfferTerms, spec: Vec<u8>) -> Call {
        let salt = U96::from_be_bytes(id.salt());
        self.call(Market::postOfferCall { salt, terms: terms.bound(), spec: spec.into() })
    }

    /// Lets no further lease begin on an offer of the caller.
    pub fn withdraw_offer(&self, id: OfferId) -> Call {
        self.call(Market::withdrawOfferCall { id: id.0 })
    }

    /// The consumer pays the whole span into escrow.
    pub fn create_lease(&self, order: &Order, contact: Vec<u8>) -> Call {
        self.call(Market::createLeaseCall { order: order.into(), contact: contact.into() })
    }

    /// [`Self::create_lease`] by anybody who holds the consumer's signature of the order.
    pub fn create_lease_for(&self, order: &Order, contact: Vec<u8>, signature: Vec<u8>) -> Call {
        let (contact, signature) = (contact.into(), signature.into());
        self.call(Market::createLeaseForCall { order: order.into(), contact, signature })
    }

    /// Before acceptance: consumer or provider ends it.
    pub fn cancel(&self, order: &Order) -> Call {
        self.call(Market::cancelCall { order: order.into() })
    }

    /// The provider takes the order.
    pub fn accept(&self, order: &Order) -> Call {
        self.call(Market::acceptCall { order: order.into() })
    }

    /// The consumer buys `extra` seconds.
    pub fn extend(&self, order: &Order, extra: u32) -> Call {
        self.call(Market::extendCall { order: order.into(), extra })
    }

    /// Consumer or provider ends a running lease.
    pub fn end(&self, order: &Order) -> Call {
        self.call(Market::endCall { order: order.into() })
    }

    /// The provider commits to its work.
    pub fn commit(&self, order: &Order, root: B256, leaf_count: u32) -> Call {
        self.call(Market::commitCall { order: order.into(), root, leafCount: leaf_count })
    }

    /// Somebody brings the agent's signed root.
    pub fn commit_signed(
        &self,
        order: &Order,
        root: B256,
        leaf_count: u32,
        delegation: Vec<u8>,
        signature: Vec<u8>,
    ) -> Call {
        self.call(Market::commitSignedCall {
            order: order.into(),
            root,
            leafCount: leaf_count,
            delegation: delegation.into(),
            signature: signature.into(),
        })
    }

    /// Pays the provider.
    pub fn settle(&self, order: &Order) -> Call {
        self.call(Market::settleCall { order: order.into() })
    }

    /// Gives the consumer everything back.
    pub fn refund(&self, order: &Order) -> Call {
        self.call(Market::refundCall { order: order.into() })
    }

    /// The exit by time, for anybody.
    pub fn expire(&self, order: &Order) -> Call {
        self.call(Market::expireCall { order: order.into() })
    }

    /// The verifier reports a mismatch.
    pub fn dispute(&self, order: &Order) -> Call {
        self.call(Market::disputeCall { order: order.into() })
    }

    /// The verifier finds the work wrong, as `challenger` said. Nobody but consumer and insurance gets a share of `penalty`.
    pub fn slash(&self, order: &Order, penalty: u64, to_consumer: u64, challenger: Address) -> Call {
        let penalty =
            bindings::Penalty { amount: penalty, toConsumer: to_consumer, toChallenger: 0, challenger };
        self.call(Market::slashCall { order: order.into(), penalty })
    }

    /// The owner stops new leases.
    pub fn pause(&self) -> Call {
        self.call(Market::pauseCall {})
    }

    fn call(&self, call: impl SolCall) -> Call {
        Call::contract(self.market, call.abi_encode())
    }
}
