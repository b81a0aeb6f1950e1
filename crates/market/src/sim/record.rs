//! A lease as a simulated network keeps it.

use domain::{Billing, Label, Millis, Timestamp, Usd, UsdPerHour};
use serde::{Deserialize, Serialize};

use crate::MachineRef;

/// What the network knows of one lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) label: String,
    pub(super) class: String,
    pub(super) provider: Option<String>,
    pub(super) price: UsdPerHour,
    pub(super) fee: Usd,
    pub(super) ceiling: UsdPerHour,
    pub(super) billing: Terms,
    pub(super) submitted_at: Timestamp,
    pub(super) visible_at: Timestamp,
    pub(super) span: Millis,
    pub(super) phase: Phase,
    pub(super) machine: Option<MachineRef>,
    /// The boot bytes, kept only until an agent has been started with them.
    pub(super) boot: Option<Vec<u8>>,
    pub(super) lost: bool,
}

/// Where a lease stands on its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Requested { closes_at: Timestamp },
    Queued { assign_at: Timestamp },
    Live { since: Timestamp, until: Option<Timestamp> },
    Closing { since: Option<Timestamp>, at: Timestamp },
    Ended { at: Timestamp, billed: Usd },
}

/// [`Billing`] as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Terms {
    Metered(Millis),
    Prepaid(Millis, bool),
}

impl From<Billing> for Terms {
    fn from(billing: Billing) -> Self {
        match billing {
            Billing::Metered { minimum } => Self::Metered(minimum),
            Billing::Prepaid { span, refundable } => Self::Prepaid(span, refundable),
        }
    }
}

impl From<Terms> for Billing {
    fn from(terms: Terms) -> Self {
        match terms {
            Terms::Metered(minimum) => Self::Metered { minimum },
            Terms::Prepaid(span, refundable) => Self::Prepaid { span, refundable },
        }
    }
}

impl Record {
    pub(super) fn label(&self) -> Option<Label> {
        self.label.parse().ok()
    }

    pub(super) const fn ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }
}

/// What `prepare` hands out and `submit` takes back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) reference: String,
    pub(super) ceiling: UsdPerHour,
    pub(super) span: Millis,
    pub(super) boot: Vec<u8>,
}
