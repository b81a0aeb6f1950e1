//! What a network can do, as data.

use domain::Millis;

/// The abilities and limits of a network. A caller looks here before it asks; a network asked for what it lacks answers
/// with the error kind `Unsupported`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Serves the workload's logs itself.
    pub logs: bool,
    /// Runs further commands in a lease.
    pub exec: bool,
    /// Moves files in and out by itself.
    pub files: bool,
    /// Says in which region an offer stands.
    pub regions: bool,
    /// Keeps our label and lists by it.
    pub labels: bool,
    /// Sees a repeated purchase as the same one.
    pub idempotency: bool,
    /// Says how many of an offer are left.
    pub stock: bool,
    /// Sells by auction: offers are indicative and bids follow a funded request.
    pub auction: bool,
    /// Assigns the provider after the purchase.
    pub queue: bool,
    /// Can lengthen a lease.
    pub extend: bool,
    /// Its providers start agents themselves and introduce them; the boot token never reaches them.
    pub introduces: bool,
    /// Can be refused payment after the fact. A cloud cannot, and reports say so.
    pub withholds_payment: bool,
    /// Stake of the provider that stands behind a lease and that a failed verdict takes, in ten-thousandths of its price.
    pub reserve_bps: u32,
    /// How late a purchase may show up in `observe` and `list_ours`.
    pub visibility: Millis,
    /// How long bids for a request may come in.
    pub bid_window: Millis,
    /// Everything about it is simulated.
    pub simulated: bool,
}
