//! The simulated networks are held to what every network is held to.

use std::sync::Arc;

use crate::common::{Build, World};
use async_trait::async_trait;
use domain::{Clock, Millis, Timestamp};
use waag_market::conformance::{self, CaseOutcome, Subject};
use waag_market::sim::{Habits, RecordedZone, Recording, SimConfig, SimNetwork, StateError, StateFile};
use waag_market::{Machine, Network};

struct Sim(World);

#[async_trait]
impl Subject for Sim {
    fn network(&self) -> Arc<dyn Network> {
        self.0.network.clone()
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    async fn pass(&mut self, time: Millis) {
        self.0.clock.pass(time);
    }

    async fn restart(&mut self) -> bool {
        self.0.restart();
        true
    }
}

async fn check(name: &str, build: Build, skipped: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    for seed in 0..20 {
        let file = StateFile::at(dir.path().join(format!("{seed}.state")));
        for state in [StateFile::memory(), file] {
            let mut sim = Sim(World::with(build, Habits::default(), state, seed));
            let results = conformance::run(&mut sim).await;
            let failed: Vec<_> =
                results.iter().filter(|r| matches!(r.outcome, CaseOutcome::Failed(_))).collect();
            assert!(failed.is_empty(), "{name}, seed {seed}: {failed:#?}");
            let left_out: Vec<_> =
                results.iter().filter(|r| r.outcome != CaseOutcome::Passed).map(|r| r.name).collect();
            assert_eq!(left_out, skipped, "{name} passes by leaving cases out");
            let World { network, machine, .. } = &sim.0;
            assert!(network.running().await.is_empty() && machine.alive().is_empty());
            assert_eq!(network.open_leases().await, 0);
        }
    }
}

const AUCTIONS: [&str; 3] = [
    "no_bid_exceeds_the_ceiling",
    "bids_are_firm_and_come_within_the_window",
    "a_request_nobody_accepts_costs_nothing",
];

#[tokio::test]
async fn the_cloud_conforms() {
    let [a, b, c] = AUCTIONS;
    check("sim-cloud", SimNetwork::cloud, &["the_balance_can_be_read", a, b, c]).await;
}

#[tokio::test]
async fn the_auction_conforms() {
    check("sim-auction", SimNetwork::auction, &[]).await;
}

#[tokio::test]
async fn the_queue_conforms() {
    check("sim-queue", SimNetwork::queue, &AUCTIONS).await;
}

/// Spare machines are there all the time, so that the suite sees nothing of its own taken away.
fn spot(
    config: SimConfig,
    clock: Arc<dyn Clock>,
    machine: Arc<dyn Machine>,
    state: &StateFile,
) -> Result<SimNetwork, StateError> {
    let zone = RecordedZone {
        name: "zone".to_owned(),
        region: "EU-DE".parse().ok(),
        accelerators: None,
        tick: Millis(300_000),
        runs: vec![(1, 16)],
    };
    let recording = Recording::new(vec![zone], 1).unwrap();
    SimNetwork::spot(config, Arc::new(recording), clock, machine, state)
}

#[tokio::test]
async fn the_cloud_with_spare_machines_conforms() {
    let [a, b, c] = AUCTIONS;
    check("sim-spot", spot, &["the_balance_can_be_read", a, b, c]).await;
}
