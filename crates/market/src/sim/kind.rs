//! What differs between the kinds of simulated networks.

use domain::{Assurance, Billing, Firmness, Hardware, Millis, ProviderName, Region, Timestamp, Usd};

use crate::Capability;

/// A provider on a simulated network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its name.
    pub name: ProviderName,
    /// Where it stands.
    pub region: Region,
    /// Its machines.
    pub class: &'static str,
    /// What each of them has.
    pub hardware: Hardware,
    /// Its usual price per hour.
    pub price: Usd,
    /// What is known of it.
    pub assurance: Assurance,
    /// How many machines it has.
    pub stock: u32,
}

/// What a purchase becomes first.
pub(super) enum Start {
    /// Ours at once, by this provider.
    Live(ProviderName),
    /// Open for bids until then.
    Requested(Timestamp),
    /// In line until then.
    Queued(Timestamp),
}

/// A kind of network: its abilities, its providers and its way of selling.
pub trait Kind: Send + Sync {
    /// What it can do.
    fn capability(&self) -> Capability;

    /// How it sells.
    fn firmness(&self) -> Firmness;

    /// Who sells on it.
    fn providers(&self) -> &[Provider];

    /// How time is billed by this provider.
    fn billing(&self, provider: &Provider) -> Billing;

    /// Charged once at purchase.
    fn fee(&self) -> Usd;

    /// From purchase to a running agent.
    fn startup(&self) -> Millis;
}

pub(super) struct Row(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) u32,
    pub(super) u64,
    pub(super) Option<(&'static str, u32)>,
    pub(super) i64,
    pub(super) Assurance,
    pub(super) u32,
);

/// Providers from a table: name, region, class, cores, GiB of memory, accelerators, micro-dollars per hour, assurance,
/// stock. A row with a name or region that is none is left out.
pub(super) fn providers(rows: &[Row]) -> Vec<Provider> {
    rows.iter()
        .filter_map(|Row(name, region, class, cores, memory_gib, accelerators, price, assurance, stock)| {
            Some(Provider {
                name: name.parse().ok()?,
                region: region.parse().ok()?,
                class,
                hardware: Hardware {
                    cpus_milli: cores * 1000,
                    memory_mib: memory_gib * 1024,
                    disk_mib: 64 * 1024,
                    accelerators: accelerators
                        .map(|(model, count)| domain::Accelerators { model: model.to_owned(), count }),
                },
                price: Usd::from_micros(*price),
                assurance: *assurance,
                stock: *stock,
            })
        })
        .collect()
}
