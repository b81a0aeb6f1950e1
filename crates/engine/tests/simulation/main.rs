//! The engine over real simulated networks and a real database, in simulated time.
//!
//! Everything follows from a seed: what users ask for, what goes wrong, in which order the reconcilers tick. A world
//! lives until every job in it is settled; the rules are checked after every tick. A seed that breaks one is printed
//! with the command that replays it.
//!
//! - `story.rs`: what is to happen; `common/chance.rs`: how it is drawn.
//! - `world.rs`: lets it happen; `parts.rs`: what the control plane stands on; `agents.rs`: who works on the leases.
//! - `notary.rs`: who checks the work, in half of the worlds.
//! - `rules.rs`: what must hold.
//! - `planted.rs`: bugs that the simulation must find.
//! - `actions.rs`: every action repeated, failed before and after its effect, and applied too late.
//! - `receipts.rs`: that every change of a receipt is found; `tampering.rs`: the changes.
//! - `window.rs`: jobs that may only run in a window of time.
//! - `race.rs`: many users at once, on real threads.
#![cfg(test)]

mod actions;
mod agents;
#[path = "../common/audit.rs"]
mod audit;
#[path = "../common/chance.rs"]
mod chance;
#[path = "../common/receipts.rs"]
mod common_receipts;
mod notary;
mod parts;
mod planted;
mod race;
mod receipts;
mod rules;
#[path = "../common/stand.rs"]
mod stand;
mod story;
mod tampering;
mod window;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use waag_engine::{POINTS, Planted};

use parts::lock;
use rules::Violation;
use stand::stay_on_one_core;
use story::{Story, config};
use world::{Report, World};

/// The lives that every run of the tests plays.
const LIVES_LEAST: u64 = 10_000;
const THREADS: usize = 2;
/// A world that a person reads along is chosen by this.
const SEED: &str = "WAAG_SIM_SEED";
/// More worlds than usual, to look for what the usual ones do not show.
const SEEDS: &str = "WAAG_SIM_SEEDS";

/// Plays one world to its end.
fn play(seed: u64, bug: Option<Planted>, talk: bool) -> Result<Report, Violation> {
    // The database answers from another thread, so time is real and everything else waits for it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(Story::of(seed), config(), bug).await;
        world.talk = talk;
        world.live().await.map_err(|wrong| {
            let at = world.time.real();
            format!("seed {seed}, after {at} ms: {wrong}")
        })
    })
}

fn replay(seed: u64) -> String {
    format!("{SEED}={seed} cargo test -p waag-engine --test simulation -- one_seed --nocapture")
}

/// Plays worlds in threads until enough lives were lived.
fn play_all(lives_least: u64) -> Result<BTreeMap<String, u64>, Violation> {
    let (next, lives) = (AtomicU64::new(0), AtomicU64::new(0));
    let (counts, failed) = (Mutex::new(BTreeMap::new()), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let (next, lives, counts, failed) = (&next, &lives, &counts, &failed);
            scope.spawn(move || {
                stay_on_one_core();
                while lives.load(SeqCst) < lives_least && lock(failed).is_none() {
                    let seed = next.fetch_add(1, SeqCst);
                    match play(seed, None, false) {
                        Ok(report) => {
                            lives.fetch_add(report.lives, SeqCst);
                            let mut counts = lock(counts);
                            let points = report
                                .points
                                .into_iter()
                                .map(|(point, (_, died))| (format!("died at {point}"), died));
                            for (what, n) in report.counts.into_iter().chain(points) {
                                *counts.entry(what).or_default() += n;
                            }
                        }
                        Err(wrong) => *lock(failed) = Some(format!("{wrong}\nreplay: {}", replay(seed))),
                    }
                }
            });
        }
    });
    let mut counts = lock(&counts).clone();
    counts.insert("lives".to_owned(), lives.load(SeqCst));
    counts.insert("worlds".to_owned(), next.load(SeqCst));
    match lock(&failed).take() {
        Some(wrong) => Err(wrong),
        None => Ok(counts),
    }
}

/// The points that a control plane without an escrow reaches; the simulation with the chain reaches the others.
fn points() -> impl Iterator<Item = &'static str> {
    POINTS.iter().copied().filter(|point| !point.starts_with("settlement.escrow."))
}

#[test]
fn ten_thousand_lives_break_no_rule() {
    let least = std::env::var(SEEDS).ok().and_then(|n| n.parse().ok()).unwrap_or(LIVES_LEAST);
    let counts = play_all(least).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{counts:#?}");
    let lived = counts["lives"];
    assert!(lived >= LIVES_LEAST, "only {lived} lives");
    for point in points() {
        let died = counts.get(&format!("died at {point}")).copied().unwrap_or(0);
        assert!(died > 0, "no control plane ever died at {point}");
    }
    for gap in ["did_not_pass", "part_replayed", "start_not_linked", "result_unchecked", "clock_went_back"] {
        assert!(counts.contains_key(&format!("unproven {gap}")), "no receipt ever said {gap}");
    }
}

#[test]
fn one_seed() {
    let seed = std::env::var(SEED).ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    match play(seed, None, true) {
        Ok(report) => println!("{report:#?}"),
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn the_same_seed_plays_the_same_world() {
    for seed in [3, 8, 21] {
        let played = [(); 2].map(|()| play(seed, None, false).map(|report| report.digest));
        assert_eq!(played[0], played[1], "seed {seed}");
    }
}
