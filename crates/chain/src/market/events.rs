//! What happened in the market, read from the chain's logs.

#![expect(missing_docs, reason = "the fields are those of the contract's events, which explains them")]

use alloy::primitives::{Address, B256, Bytes};
use alloy::rpc::types::Log;
use alloy::sol_types::{SolEvent, SolEventInterface};
use domain::Timestamp;

use super::bindings::Market::{self, MarketEvents};
use super::moment;
use super::nouns::{Cause, OfferTerms};
use super::order::{OfferId, Order};

/// An event, with where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened<E = MarketEvent> {
    /// What.
    pub event: E,
    /// The time of its block.
    pub at: Timestamp,
    /// The number of its block.
    pub block: u64,
    /// The transaction that made it.
    pub tx: B256,
}

/// One transition in the market. Amounts are micro-units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketEvent {
    /// Somebody paid in, by a deposit or for a lease.
    Deposited { owner: Address, amount: u64 },
    /// Somebody took out.
    Withdrawn { owner: Address, to: Address, amount: u64 },
    /// Balance became stake.
    Staked { provider: Address, amount: u64 },
    /// Stake is asked back; `total` may be claimed from `release_at` on.
    UnbondingStarted { provider: Address, amount: u64, total: u64, release_at: Timestamp },
    /// Former stake became balance.
    Unbonded { provider: Address, amount: u64 },
    /// An offer is there; `spec` is a stranger's text, read it by [`super::Spec::from_bytes`].
    OfferPosted { offer: OfferId, terms: OfferTerms, spec: Bytes },
    /// No further lease begins on the offer.
    OfferWithdrawn { offer: OfferId },
    /// Paid into escrow; `contact` is a stranger's text, read it by [`super::Contact::from_bytes`].
    LeaseCreated { lease: B256, order: Order, escrow: u64, contact: Bytes },
    /// Ended before acceptance.
    LeaseCancelled { lease: B256, refunded: u64, cause: Cause },
    /// Accepted; billing runs from this block on.
    LeaseAccepted { lease: B256, reserved: u64 },
    /// It now lasts `span` seconds from its start.
    LeaseExtended { lease: B256, span: u32, paid: u64, reserved: u64 },
    /// Billing stopped at `used` seconds.
    LeaseEnded { lease: B256, used: u32, refunded: u64, cause: Cause },
    /// `signer` committed to the work of `used` seconds.
    LeaseCommitted { lease: B256, root: B256, leaf_count: u32, signer: Address, used: u32, refunded: u64 },
    /// The verifier found a mismatch.
    LeaseDisputed { lease: B256, deadline: Timestamp },
    /// The provider was paid.
    LeaseSettled { lease: B256, paid: u64, cause: Cause },
    /// The consumer has the escrow back.
    LeaseRefunded { lease: B256, refunded: u64, cause: Cause },
    /// The consumer has the escrow back, and `penalty` was taken from the provider's stake.
    LeaseSlashed { lease: B256, refunded: u64, penalty: u64 },
    /// The owner stopped new leases.
    Paused,
    /// New leases begin again.
    Unpaused,
    /// What concerns the contract's owner and verifier only.
    Administered,
}

impl MarketEvent {
    /// First topics of what tells which offers and leases there are: posted, withdrawn, created.
    pub const NAMING: [B256; 3] = [
        Market::OfferPosted::SIGNATURE_HASH,
        Market::OfferWithdrawn::SIGNATURE_HASH,
        Market::LeaseCreated::SIGNATURE_HASH,
    ];

    /// The event in a log of the market. `None` for what no market of ours says.
    pub fn decode(log: &Log) -> Option<Self> {
        let event = MarketEvents::decode_log(&log.inner).ok()?.data;
        of_account(&event).or_else(|| of_lease(event))
    }

    /// The lease it is about.
    pub fn lease(&self) -> Option<B256> {
        match self {
            Self::LeaseCreated { lease, .. }
            | Self::LeaseCancelled { lease, .. }
            | Self::LeaseAccepted { lease, .. }
            | Self::LeaseExtended { lease, .. }
            | Self::LeaseEnded { lease, .. }
            | Self::LeaseCommitted { lease, .. }
            | Self::LeaseDisputed { lease, .. }
            | Self::LeaseSettled { lease, .. }
            | Self::LeaseRefunded { lease, .. }
            | Self::LeaseSlashed { lease, .. } => Some(*lease),
            _ => None,
        }
    }
}

/// `None` when it is about a lease.
fn of_account(event: &MarketEvents) -> Option<MarketEvent> {
    use MarketEvent as E;
    Some(match event {
        MarketEvents::Deposited(e) => E::Deposited { owner: e.owner, amount: e.amount },
        MarketEvents::Withdrawn(e) => E::Withdrawn { owner: e.owner, to: e.to, amount: e.amount },
        MarketEvents::Staked(e) => E::Staked { provider: e.provider, amount: e.amount },
        MarketEvents::UnbondingStarted(e) => {
            let release_at = moment(e.releaseAt.to());
            E::UnbondingStarted { provider: e.provider, amount: e.amount, total: e.total, release_at }
        }
        MarketEvents::Unbonded(e) => E::Unbonded { provider: e.provider, amount: e.amount },
        MarketEvents::OfferPosted(e) => {
            E::OfferPosted { offer: OfferId(e.id), terms: e.terms.clone().into(), spec: e.spec.clone() }
        }
        MarketEvents::OfferWithdrawn(e) => E::OfferWithdrawn { offer: OfferId(e.id) },
        MarketEvents::Paused(_) => E::Paused,
        MarketEvents::Unpaused(_) => E::Unpaused,
        MarketEvents::EIP712DomainChanged(_)
        | MarketEvents::OwnershipTransferStarted(_)
        | MarketEvents::OwnershipTransferred(_)
        | MarketEvents::VerifierScheduled(_)
        | MarketEvents::VerifierChanged(_) => E::Administered,
        _ => return None,
    })
}

fn of_lease(event: MarketEvents) -> Option<MarketEvent> {
    use MarketEvent as E;
    let cause = Cause::from_number;
    Some(match event {
        MarketEvents::LeaseCreated(e) => {
            E::LeaseCreated { lease: e.id, order: e.order.into(), escrow: e.escrow, contact: e.contact }
        }
        MarketEvents::LeaseCancelled(e) => {
            E::LeaseCancelled { lease: e.id, refunded: e.refunded, cause: cause(e.cause)? }
        }
        MarketEvents::LeaseAccepted(e) => E::LeaseAccepted { lease: e.id, reserved: e.reserved },
        MarketEvents::LeaseExtended(e) => {
            E::LeaseExtended { lease: e.id, span: e.span, paid: e.paid, reserved: e.reserved }
        }
        MarketEvents::LeaseEnded(e) => {
            E::LeaseEnded { lease: e.id, used: e.used, refunded: e.refunded, cause: cause(e.cause)? }
        }
        MarketEvents::LeaseCommitted(e) => E::LeaseCommitted {
            lease: e.id,
            root: e.root,
            leaf_count: e.leafCount,
            signer: e.signer,
            used: e.used,
            refunded: e.refunded,
        },
        MarketEvents::LeaseDisputed(e) => E::LeaseDisputed { lease: e.id, deadline: moment(e.deadline.to()) },
        MarketEvents::LeaseSettled(e) => {
            E::LeaseSettled { lease: e.id, paid: e.paid, cause: cause(e.cause)? }
        }
        MarketEvents::LeaseRefunded(e) => {
            E::LeaseRefunded { lease: e.id, refunded: e.refunded, cause: cause(e.cause)? }
        }
        MarketEvents::LeaseSlashed(e) => {
            E::LeaseSlashed { lease: e.id, refunded: e.refunded, penalty: e.penalty.amount }
        }
        _ => return None,
    })
}
