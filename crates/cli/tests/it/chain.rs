//! Leases on our own market: the control plane dies in the middle of its transactions, providers die and come back or do
//! not. Nobody is paid twice, nothing is stuck, and chain and ledger agree.

use std::process::Child;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{World, eventually, signal, training};

/// Transactions of the consumer in the life of one job: approve, deposit, create, end, settle.
const TRANSACTIONS: u32 = 5;

/// Runs a job with a control plane that dies at the `nth` transaction's point, once.
fn killed_at(point: &str, nth: u32) {
    let mut world = World::with_providers(1);
    let file = world.file("job.yaml", &training("waag"));
    let submit = ["run", file.to_str().unwrap(), "--detach", "--key", "once"];
    world.crash_at(".", &format!("{point} {nth}"));
    // It may die while it pays into the market, before it is ready.
    if world.up().is_some() {
        world.offered("waag");
        world.waag(&submit);
    }
    world.wait_for_death();
    assert!(world.crashed("."), "{point} {nth} was reached");
    world.up().expect("the control plane comes up again");
    world.offered("waag");
    let id = world.json(&submit)["id"].as_str().unwrap().to_owned();
    let settled = world.settled(&id);
    assert_eq!(settled["outcome"], "completed", "{settled:#}");
    assert_eq!(settled["executions"].as_array().unwrap().len(), 1, "{settled:#}");
    world.assert_clean();
}

#[test]
fn control_plane_killed_with_a_transaction_signed_and_not_sent_sends_it_once() {
    (1..=TRANSACTIONS).for_each(|nth| killed_at("transaction.stored", nth));
}

#[test]
fn control_plane_killed_with_a_transaction_sent_does_not_send_another() {
    (1..=TRANSACTIONS).for_each(|nth| killed_at("transaction.sent", nth));
}

#[test]
fn control_plane_killed_with_a_transaction_in_a_block_sees_it_there() {
    (1..=TRANSACTIONS).for_each(|nth| killed_at("transaction.mined", nth));
}

/// A control plane with a provider and a job of some seconds on it, of which something is stored.
fn at_work() -> (World, String) {
    at_work_in(World::with_providers(1), 80)
}

fn at_work_in(mut world: World, epochs: u32) -> (World, String) {
    world.up().expect("the control plane comes up");
    world.offered("waag");
    let file = world.file("job.yaml", &training("waag").replace("--epochs 4", &format!("--epochs {epochs}")));
    let id = world.json(&["run", file.to_str().unwrap(), "--detach"])["id"].as_str().unwrap().to_owned();
    world.job_when(&id, "its first segment is stored", |doc| doc["segments_done"].as_u64() >= Some(1));
    (world, id)
}

fn lease_states(world: &World) -> Value {
    world.json(&["market"])["lease_states"].clone()
}

fn run_provider(world: &World, more: &[&str]) -> Child {
    let folder = world.data().join("providers/1");
    world.spawn(&[&["provider", "run", "--folder", folder.to_str().unwrap()], more].concat())
}

#[test]
fn provider_that_is_killed_and_comes_back_adopts_its_agent_and_is_paid() {
    let (mut world, id) = at_work();
    let agents = world.agents();
    world.daemons().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    let mut again = run_provider(&world, &[]);
    let settled = world.settled(&id);
    assert_eq!(settled["outcome"], "completed", "{settled:#}");
    assert_eq!(settled["executions"].as_array().unwrap().len(), 1, "{settled:#}");
    assert!(
        !agents.is_empty() && world.agents().iter().all(|pid| agents.contains(pid)),
        "no agent is doubled"
    );
    // Its own commitment: ours were creation, end and settlement.
    assert_eq!(settled["settlement"]["tx"].as_array().unwrap().len(), 3, "{settled:#}");
    assert_eq!(lease_states(&world)["settled"], 1);
    eventually("the agent is forgotten", || world.agents().is_empty().then_some(()));
    signal(again.id(), Signal::TERM);
    assert!(again.wait().unwrap().success(), "a provider that is told to stop ends well");
    world.assert_clean();
}

#[test]
fn provider_that_never_comes_back_is_paid_for_the_work_that_its_agent_signed() {
    let (mut world, id) = at_work();
    world.daemons().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    let settled = world.settled(&id);
    assert_eq!(settled["outcome"], "completed", "the agent needs no daemon: {settled:#}");
    assert_eq!(settled["settlement"]["tx"].as_array().unwrap().len(), 4, "its word was brought: {settled:#}");
    assert_ne!(settled["settlement"]["paid_usd"], "0.00");
    assert_eq!(lease_states(&world)["settled"], 1);
    world.assert_clean();
}

#[test]
fn provider_whose_agent_dies_ends_the_lease_and_is_paid_for_what_is_stored() {
    let (mut world, id) = at_work();
    world.agents().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    let lost = |doc: &Value| doc["executions"][0]["state"] == "lost";
    let job = world.job_when(&id, "its execution is lost", lost);
    assert!(job["executions"][0]["to_segment"].as_u64() >= Some(1));
    world.json(&["cancel", &id]);
    let settled = world.settled(&id);
    assert_ne!(settled["settlement"]["paid_usd"], "0.00", "{settled:#}");
    world.assert_clean();
}

/// The workload looks at its own states after they were saved.
#[test]
fn provider_that_fabricates_changes_the_state_after_its_segment_and_no_other() {
    let mut world = World::with_providers(1);
    world.up().expect("the control plane comes up");
    world.offered("waag");
    world.daemons().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    let mut cheat = run_provider(&world, &["--fault", "fabricate=1"]);
    let job = "name: states\nresources: { infra: waag }\nrun: |\n  for n in 1 2 3; do\n    \
               printf state-$n > $WAAG_CHECKPOINT_DIR/new; mv $WAAG_CHECKPOINT_DIR/new $WAAG_CHECKPOINT_DIR/$n\n    \
               sleep 1; cat $WAAG_CHECKPOINT_DIR/$n; echo\n  done\nwaag:\n  budget: { max_total_usd: 1.00 }\n  \
               deadline: 5m\n  checkpoint: { path: /checkpoint }\n  verify: { segments: 3, sample: 1 }\n";
    let file = world.file("states.yaml", job);
    let id = world.json(&["run", file.to_str().unwrap(), "--detach"])["id"].as_str().unwrap().to_owned();
    assert_eq!(world.settled(&id)["outcome"], "completed");
    let log = String::from_utf8(world.waag(&["logs", &id]).stdout).unwrap();
    let seen: Vec<&str> = log.lines().collect();
    assert_eq!((seen.first(), seen.last()), (Some(&"state-1"), Some(&"state-3")), "{log}");
    assert!(seen.len() == 3 && seen[1] != "state-2", "{log}");
    signal(cheat.id(), Signal::TERM);
    cheat.wait().unwrap();
    world.assert_clean();
}

#[test]
fn chain_out_of_reach_for_a_while_loses_no_provider() {
    let (mut world, id) = at_work();
    let daemons = world.daemons();
    world.kill();
    // The chain is gone with the control plane; the provider finds out.
    let log = world.data().join("providers/1/provider.log");
    eventually("the provider waits", || {
        std::fs::read_to_string(&log).unwrap().contains("the daemon waits").then_some(())
    });
    world.up().expect("the control plane comes up again");
    let settled = world.settled(&id);
    assert_eq!((&settled["outcome"], world.daemons()), (&"completed".into(), daemons), "{settled:#}");
    world.assert_clean();
}

#[test]
fn lease_of_a_job_that_takes_longer_is_extended_to_what_is_held() {
    let mut world = World::with_providers(1);
    // The lease is bought for twice this and the margin, so it runs short at once.
    world.set("WAAG_ENGINE_ASSUMED_RUN", "500ms");
    world.set("WAAG_ENGINE_RELEASE_MARGIN", "4s");
    world.set("WAAG_ENGINE_HOLD_STEP", "3s");
    let (mut world, id) = at_work_in(world, 300);
    let spans = |world: &World| world.json(&["market"])["leases"][0]["span_s"].as_u64();
    let settled = world.settled(&id);
    assert_eq!(settled["outcome"], "completed", "{settled:#}");
    assert!(spans(&world) >= Some(8), "bought for 5 s, extended by 3 at least: {:?}", spans(&world));
    let txs = settled["settlement"]["tx"].as_array().unwrap().len();
    assert!(txs >= 4, "created, extended, ended, settled: {settled:#}");
    world.assert_clean();
}

#[test]
fn market_is_read_from_the_chain_alone() {
    let (mut world, id) = at_work();
    let market = world.json(&["market"]);
    assert_eq!(market["lease_states"], serde_json::json!({ "active": 1 }), "{market:#}");
    let (offer, lease) = (&market["offers"][0], &market["leases"][0]);
    assert_eq!((&offer["name"], &offer["leased"]), (&"local-1".into(), &1.into()), "{market:#}");
    assert_eq!(lease["offer"], offer["id"]);
    let provider = &market["providers"][0];
    assert_eq!(provider["address"], offer["provider"]);
    assert_ne!(provider["reserved_usd"], "0.00", "stake stands behind the lease: {market:#}");
    let shown = world.job(&id).unwrap()["executions"][0]["provider"].as_str().unwrap().to_owned();
    assert_eq!(offer["provider"].as_str().unwrap().to_ascii_lowercase(), shown);
    let text = String::from_utf8(world.waag(&["market"]).stdout).unwrap();
    assert!(text.contains("local-1") && text.contains("1 of 1 leases shown; in all: 1 active"), "{text}");
    world.json(&["cancel", &id]);
    world.settled(&id);
    world.assert_clean();
}
