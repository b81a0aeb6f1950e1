//! Spot, on-demand or nothing: what a job with a deadline should hold from tick to tick.
//!
//! Spot costs a third of on-demand and is taken away at any time. A job that may wait can use more of it, but each change
//! costs a delay, and slack that is idled away is missing when spot returns later. `docs/spot.md` tells what the policy
//! does, from which formulas, and how it fares on recorded availability.
//!
//! - `rules.rs`: terms of a job, what a policy sees, the guard against being late.
//! - `simulate.rs`: a job played over a record; costs agree with the simulator of the literature to the cent.
//! - `baselines.rs`: on-demand, spot else on-demand, greedy, Uniform Progress.
//! - `belief.rs`: how long spot stays and stays away, learned from what is seen.
//! - `table.rs`: cost to the end under one assumption, by dynamic programming.
//! - `adaptive.rs`: our policy, [`decide`]: it weighs the assumptions by the belief.
//! - `zones.rs`: where to start when several zones have spot.
//! - `bounds.rs`: what nobody can be cheaper than.
//! - `fit.rs`: the prior that spells of many zones make most likely.
//! - `broker.rs`: the policy outside the simulator, for one job by the clock.

mod adaptive;
mod baselines;
mod belief;
mod bounds;
mod broker;
mod fit;
mod rules;
mod simulate;
mod table;
mod zones;

pub use adaptive::{Adaptive, Plan, decide};
pub use baselines::{Greedy, OnDemand, SpotElseOnDemand, UniformProgress};
pub use belief::{Belief, Prior, SHIPPED, SpellPrior};
pub use bounds::{bound_usd, optimum_usd};
pub use broker::{Broker, Market, Need, Seen, TICK, look};
pub use fit::{Spells, fit};
pub use rules::{BadTerms, Kind, Policy, Prices, State, Terms};
pub use simulate::{Run, run};
