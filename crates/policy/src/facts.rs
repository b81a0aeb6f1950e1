//! An offer as the rules and the objective see it, borrowed from wherever it is kept: an `Offer`, or a record of the index. One
//! set of rules decides about both.

use domain::{
    Accelerators, Assurance, Billing, Firmness, Gpu, Millis, NetworkName, Offer, ProviderName, Region,
    Timestamp, Usd, UsdPerHour,
};

use crate::placement::Situation;

/// What is known about an offer. Fields mean what those of [`Offer`] mean.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub(crate) network: &'a NetworkName,
    pub(crate) reference: &'a str,
    pub(crate) provider: Option<&'a ProviderName>,
    pub(crate) region: Option<&'a Region>,
    pub(crate) cpus_milli: u32,
    pub(crate) memory_mib: u64,
    pub(crate) disk_mib: u64,
    pub(crate) chips: Chips<'a>,
    pub(crate) price: UsdPerHour,
    pub(crate) fee: Usd,
    pub(crate) billing: Billing,
    pub(crate) firmness: Firmness,
    pub(crate) startup: Millis,
    pub(crate) stock: Option<u32>,
    pub(crate) interruptible: bool,
    pub(crate) assurance: Assurance,
    pub(crate) seen_at: Timestamp,
    pub(crate) valid_until: Option<Timestamp>,
}

/// Accelerators as they are called, or what the index knows about them already.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chips<'a> {
    Named(Option<&'a Accelerators>),
    Known { gpu: Option<Gpu>, fit: bool },
}

impl<'a> From<&'a Offer> for Facts<'a> {
    fn from(offer: &'a Offer) -> Self {
        Self {
            network: &offer.id.network,
            reference: &offer.id.reference,
            provider: offer.provider.as_ref(),
            region: offer.region.as_ref(),
            cpus_milli: offer.hardware.cpus_milli,
            memory_mib: offer.hardware.memory_mib,
            disk_mib: offer.hardware.disk_mib,
            chips: Chips::Named(offer.hardware.accelerators.as_ref()),
            price: offer.price,
            fee: offer.fee,
            billing: offer.billing,
            firmness: offer.firmness,
            startup: offer.startup,
            stock: offer.stock,
            interruptible: offer.interruptible,
            assurance: offer.assurance,
            seen_at: offer.seen_at,
            valid_until: offer.valid_until,
        }
    }
}

impl Facts<'_> {
    /// The accelerators' model, where speed depends on it; reading a name takes longer than all the rest.
    pub(crate) fn gpu(&self, situation: &Situation<'_>) -> Option<Gpu> {
        match self.chips {
            Chips::Known { gpu, .. } => gpu,
            Chips::Named(_) if situation.knowledge.speeds_permille.is_empty() => None,
            Chips::Named(named) => Gpu::parse(&named?.model),
        }
    }

    /// Whether the accelerators are those that are wanted.
    pub(crate) fn fit(&self, wanted: &Accelerators) -> bool {
        match self.chips {
            Chips::Known { fit, .. } => fit,
            Chips::Named(have) => have.is_some_and(|have| have.meet(wanted)),
        }
    }

    /// Whether provider and place are known only after the purchase.
    pub(crate) fn assigned_later(&self) -> bool {
        self.firmness == Firmness::Queue && self.provider.is_none()
    }
}
