//! Learning from what happened: who keeps promises, where capacity stays, where prices go, and what to do about it.
//!
//! Formulas, sources and scores on recorded traces: `docs/forecasts.md`. Measured by `waag bench forecast`.
//!
//! - `history.rs`: what leases that lived come to, as plans need it.
//! - `reputation.rs`: a lower bound of the chance that a provider keeps its promise.
//! - `availability.rs`: chances that capacity is up later, and until then.
//! - `price.rs`: where a spot price goes.
//! - `bidding.rs`: when to wait, to take spot, to pay for on-demand.
//! - `checkpoint.rs`: when to save, by the age of the machine.
//! - `classes.rs`: which networks suit which kind of work.
//! - `redundancy.rs`: when two cheap leases beat one good one.
//! - `score.rs`: Brier score and log loss.
//! - `beta.rs`, `solve.rs`, `together.rs`: the mathematics they share.

pub mod availability;
mod beta;
pub mod bidding;
pub mod checkpoint;
pub mod classes;
pub mod history;
pub mod losses;
pub mod price;
pub mod redundancy;
pub mod reputation;
pub mod score;
mod solve;
mod together;

use domain::Millis;

/// A length of time in hours.
pub(crate) fn hours(span: Millis) -> f64 {
    span.0 as f64 / 3_600_000.0
}
