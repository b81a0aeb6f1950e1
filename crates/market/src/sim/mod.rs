//! Simulated networks: members of the family, with prices, stock, regions, delays and bad habits that follow from a seed.
//!
//! A simulated network is a party of its own. It has its own state file, written before it answers, so it outlives the
//! control plane; it starts real agents through a [`Machine`](crate::Machine) and it bills what its terms say. It runs
//! nothing in the background: its state moves forward, by the injected clock, at every call.
//!
//! - `cloud.rs`, `auction.rs`, `queue.rs`, `spot.rs`: what is particular to each kind; `recording.rs`: capacity as it was recorded.
//! - `network.rs`: the shared core behind the trait; `purchase.rs`: buying; `life.rs`: how a lease moves on;
//!   `inspect.rs`: what only demos and tests may do and see.
//! - `shop.rs`: what is for sale and at which price; `books.rs`: the leases; `lease.rs`: one of them.
//! - `state.rs`: the state file; `habits.rs`: what goes wrong.

mod auction;
mod books;
mod cloud;
mod habits;
mod inspect;
mod lease;
mod life;
mod network;
mod order;
mod purchase;
mod queue;
mod recording;
mod shop;
mod spot;
mod state;

use domain::{Millis, NetworkName, Usd};

pub use habits::Habits;
pub use inspect::Truth;
pub use network::SimNetwork;
pub use recording::{BadRecording, PACE_MAX, RecordedZone, Recording};
pub use state::{StateError, StateFile};

/// A network answers at the latest after this.
pub const LATENCY_MAX: Millis = Millis(50);
/// Bids for a request come in for at most this long.
pub const BID_WINDOW_MAX: Millis = Millis(500);
/// A purchase shows up at the latest after this.
pub const VISIBILITY: Millis = Millis(2_000);

/// How a simulated network is set up.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Its name; it is part of every draw, so two networks of one seed differ.
    pub name: NetworkName,
    /// What its providers, prices and habits follow from.
    pub seed: u64,
    /// The slowest answer, at most [`LATENCY_MAX`]; zero in a simulation, where nothing may wait for real time.
    pub latency: Millis,
    /// How many leases one provider can hold at a time.
    pub capacity: u32,
    /// How long bids come in, at most [`BID_WINDOW_MAX`]. Auctions only.
    pub bid_window: Millis,
    /// The longest wait for a provider. Queues only.
    pub queue_wait: Millis,
    /// What our account was funded with. Networks that bill later take no notice of it.
    pub funds: Usd,
    /// What goes wrong, and how often; by default nothing.
    pub habits: Habits,
}

impl SimConfig {
    /// A well-behaved network that answers at once.
    pub fn new(name: NetworkName, seed: u64) -> Self {
        Self {
            name,
            seed,
            latency: Millis::ZERO,
            capacity: 16,
            bid_window: Millis(400),
            queue_wait: Millis(1_500),
            funds: Usd::from_micros(10_000_000_000),
            habits: Habits::default(),
        }
    }
}
