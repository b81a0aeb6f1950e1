//! The engine with the network `waag` on a real chain, between real providers, in simulated time.
//!
//! What is played is everything but processes: an embedded chain in memory, the contracts, the control plane, daemons on
//! folders of their own, reached over HTTP that can be cut, and agents that sign with the agent's own code. Everything
//! follows from a seed, and the same seed plays the same world, block by block. In another process the control plane has
//! another certificate, from which the names of leases on the chain follow: there a provider may take two orders of one
//! moment in another order. The rules are checked whenever nothing moves.
//!
//! - `story.rs`: what is to happen; `common/chance.rs`: how it is drawn.
//! - `world.rs`: lets it happen; `place.rs`: the chain; `mills.rs`: the providers; `agents.rs`: who works on the leases.
//! - `line.rs`, `gate.rs`: how the control plane reaches the network, and how everybody reaches the chain.
//! - `truth.rs`: what the chain says; `rules.rs`: what must hold.
//! - `exits.rs`: how each lease ends by time alone, without chance.
//! - `planted.rs`: bugs that the simulation must find.
#![cfg(test)]

mod agents;
#[path = "../common/audit.rs"]
mod audit;
#[path = "../common/chance.rs"]
mod chance;
mod exits;
mod gate;
mod line;
mod mills;
mod place;
mod planted;
#[path = "../common/receipts.rs"]
mod receipts;
mod rules;
#[path = "../common/stand.rs"]
#[expect(dead_code, reason = "the other simulation also sets the clock")]
mod stand;
mod story;
mod truth;
mod world;

use std::collections::BTreeMap;

use waag_engine::Planted;

use rules::Violation;
use story::Story;
use world::{Report, World};

/// The lives that every run of the tests plays.
const LIVES_LEAST: u64 = 50;
/// A world that a person reads along is chosen by this.
const SEED: &str = "WAAG_CHAIN_SIM_SEED";
/// More lives than usual, to look for what the usual ones do not show.
const LIVES: &str = "WAAG_CHAIN_SIM_LIVES";

fn runtime() -> tokio::runtime::Runtime {
    stand::stay_on_one_core();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Plays one world to its end.
fn play(seed: u64, bug: Option<Planted>, talk: bool) -> Result<Report, Violation> {
    runtime().block_on(async {
        let mut world = World::new(Story::of(seed), bug).await;
        world.talk = talk;
        world.live().await.map_err(|wrong| {
            let at = world.time.real();
            format!("seed {seed}, after {at} ms: {wrong}")
        })
    })
}

fn replay(seed: u64) -> String {
    format!("{SEED}={seed} cargo test -p waag-engine --test chain_simulation -- one_seed --nocapture")
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn lives_on_chain_break_no_rule() {
    let least = number(LIVES).unwrap_or(LIVES_LEAST);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let (mut lives, mut worlds) = (0, 0);
    while lives < least {
        let report =
            play(worlds, None, false).unwrap_or_else(|wrong| panic!("{wrong}\nreplay: {}", replay(worlds)));
        (lives, worlds) = (lives + report.lives, worlds + 1);
        report.counts.into_iter().for_each(|(what, n)| *counts.entry(what).or_default() += n);
    }
    // Each single point has its turn in `exits`; which of them the seeds bring here is chance.
    for family in ["transaction", "settlement.escrow"] {
        let died: u64 = counts
            .iter()
            .filter(|(what, _)| what.starts_with(&format!("died at {family}.")))
            .map(|(_, n)| n)
            .sum();
        assert!(died > 0, "no control plane ever died at {family}");
    }
    println!("{lives} lives in {worlds} worlds: {counts:#?}");
}

#[test]
fn one_seed() {
    let seed = number(SEED).unwrap_or(1);
    match play(seed, None, true) {
        Ok(report) => println!("{report:#?}"),
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn the_same_seed_plays_the_same_world() {
    let played = [(); 2].map(|()| play(5, None, false).map(|report| report.digest));
    assert_eq!(played[0], played[1]);
}
