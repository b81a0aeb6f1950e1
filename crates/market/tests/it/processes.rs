//! A simulated network with agents that are processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use domain::UsdPerHour;
use waag_market::sim::{SimConfig, SimNetwork, StateFile};
use waag_market::{Boot, Network, Observation, ProcessMachine, Terms};

use crate::common::{ManualClock, SPAN, label};

#[tokio::test]
async fn agents_outlive_the_control_plane_and_end_with_their_lease() {
    let dir = tempfile::tempdir().unwrap();
    let executable = dir.path().join("stand-in");
    fs::write(&executable, "#!/bin/sh\ncat > /dev/null; exec sleep 60\n").unwrap();
    fs::set_permissions(&executable, fs::Permissions::from_mode(0o755)).unwrap();
    let clock = Arc::new(ManualClock::new());
    let state = StateFile::at(dir.path().join("sim.state"));
    let open = || {
        let machine = ProcessMachine::new(executable.clone(), dir.path().join("machines"));
        let config = SimConfig::new("sim-cloud".parse().unwrap(), 1);
        SimNetwork::cloud(config, clock.clone(), Arc::new(machine), &state).unwrap()
    };
    let network = open();
    let offers = network.offers().await.unwrap();
    let offer = offers.iter().find(|o| o.stock > Some(0) && o.price > UsdPerHour::default()).unwrap();
    let boot = Boot::new(b"boot".to_vec());
    let terms = Terms { label: label(1), span: SPAN, ceiling: offer.price, job: [7; 32], boot };
    network.submit(&network.prepare(offer, &terms).await.unwrap()).await.unwrap();
    assert_eq!(network.running().await, [label(1)]);
    drop(network);
    let network = open();
    assert_eq!(network.running().await, [label(1)], "the agent is adopted, not started again");
    assert!(matches!(network.observe(&label(1)).await.unwrap(), Observation::Live { .. }));
    assert!(matches!(network.release(&label(1)).await.unwrap(), Observation::Ended { .. }));
    assert!(network.running().await.is_empty());
}
