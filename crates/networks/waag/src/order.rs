//! From an offer and terms to an order, and to the bytes that are kept until it is sent.

use chain::market::{Contact, OfferId, Order, micros};
use chain::{Address, B256, keccak256};
use domain::{ExecutionId, Label, Millis, Offer, Timestamp};
use market::Terms;
use serde::{Deserialize, Serialize};

use crate::seconds;

/// The version of the bytes of an intent.
const VERSION: u8 = 1;
/// A provider has this long to accept; it looks at the chain far more often.
pub(crate) const ACCEPT_WITHIN: Millis = Millis(60_000);
/// The contract's own bounds (`contracts/src/Leases.sol`).
const SPAN_MAX: u64 = 365 * 24 * 3600;

/// What this network reads of the boot document; the credential in it goes nowhere.
#[derive(Deserialize)]
struct Boot {
    url: String,
    pin: String,
    execution: ExecutionId,
}

/// An order with its contact, as it is kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Purchase {
    pub(crate) order: Order,
    pub(crate) contact: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    v: u8,
    order: Vec<u8>,
    contact: Vec<u8>,
}

impl Purchase {
    /// What is to be sent. `Err` says what is wrong with offer or terms.
    pub(crate) fn of(
        offer: &Offer,
        terms: &Terms,
        consumer: Address,
        now: Timestamp,
    ) -> Result<Self, String> {
        let id: OfferId =
            offer.id.reference.parse().map_err(|_| "the offer is none of this network".to_owned())?;
        let contact = contact(terms)?.to_bytes().map_err(|e| e.to_string())?;
        let lease = terms.label.lease().ok_or("the label is none of ours")?.bytes();
        let mut salt = [0; 8];
        salt.copy_from_slice(&lease[..8]);
        let span = (terms.span.0 / 1000).clamp(1, SPAN_MAX);
        let order = Order {
            consumer,
            offer: id,
            job_hash: B256::from(terms.job),
            contact_hash: keccak256(&contact),
            max_price_per_hour: micros(terms.ceiling.per_hour()).ok_or("the ceiling is below nothing")?,
            units: 1,
            span: u32::try_from(span).unwrap_or(u32::MAX),
            accept_by: seconds(now + ACCEPT_WITHIN),
            salt: u64::from_be_bytes(salt),
        };
        Ok(Self { order, contact })
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Kept { v: VERSION, order: self.order.to_bytes(), contact: self.contact.clone() })
    }

    /// Back from [`Self::to_bytes`]; `None` when the bytes are nothing of the kind.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(bytes).ok()?;
        let order = Order::from_bytes(&kept.order).filter(|_| kept.v == VERSION)?;
        Some(Self { order, contact: kept.contact })
    }
}

fn contact(terms: &Terms) -> Result<Contact, String> {
    let boot: Boot = serde_json::from_slice(terms.boot.expose())
        .map_err(|_| "the boot document names no agent API".to_owned())?;
    Ok(Contact {
        lease: lease_of(&terms.label)?,
        execution: boot.execution,
        pin: pin_of(&boot.pin).ok_or("the certificate's pin is not 64 hex digits")?,
        url: boot.url,
    })
}

fn lease_of(label: &Label) -> Result<domain::LeaseId, String> {
    label.lease().ok_or_else(|| "the label is none of ours".to_owned())
}

fn pin_of(text: &str) -> Option<[u8; 32]> {
    // The type that is nearest: 32 bytes in hex.
    text.parse::<B256>().ok().map(|bytes| bytes.0)
}
