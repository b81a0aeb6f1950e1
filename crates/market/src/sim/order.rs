//! A purchase made ready: what the bytes of an intent say.

use domain::{Label, Millis, ProviderName, Timestamp, UsdPerHour};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::lease::text;
use super::shop::{Listing, Shop};
use crate::{Boot, Intent, Terms};

/// The first line of an intent's bytes; the boot bytes follow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    #[serde(with = "text")]
    pub(super) label: Label,
    pub(super) what: Wanted,
    pub(super) span: Millis,
    pub(super) ceiling: UsdPerHour,
}

/// What is to be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wanted {
    /// A listing, as it was offered then.
    Listing { reference: String, quoted_at: Timestamp },
    /// The bid of this provider for our request.
    Bid {
        #[serde(with = "text")]
        provider: ProviderName,
    },
}

/// Boot bytes are handed over through a pipe, which must take them whole.
pub(super) const BOOT_BYTES_MAX: usize = 32 * 1024;

impl Order {
    pub(super) fn new(what: Wanted, terms: &Terms) -> Self {
        Self { label: terms.label.clone(), what, span: terms.span, ceiling: terms.ceiling }
    }

    pub(super) fn intent(&self, boot: &Boot) -> Result<Intent, serde_json::Error> {
        let mut bytes = Zeroizing::new(serde_json::to_vec(self)?);
        bytes.push(b'\n');
        bytes.extend(boot.expose());
        Ok(Intent { label: self.label.clone(), bytes })
    }

    /// What an intent asks for; `None` when it is not one of ours.
    pub(super) fn read(intent: &Intent) -> Option<(Self, Boot)> {
        let end = intent.bytes.iter().position(|b| *b == b'\n')?;
        let order: Self = serde_json::from_slice(&intent.bytes[..end]).ok()?;
        let boot = Boot::new(intent.bytes[end + 1..].to_vec());
        (order.label == intent.label).then_some((order, boot))
    }
}

impl Order {
    /// The listing it names.
    pub(super) fn listing<'a>(&self, shop: &'a Shop) -> Option<&'a Listing> {
        match &self.what {
            Wanted::Listing { reference, .. } => shop.listings.get(reference),
            Wanted::Bid { .. } => None,
        }
    }
}
