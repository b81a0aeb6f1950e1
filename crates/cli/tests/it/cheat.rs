//! A provider that fabricates states and vanishes: the job still ends right, and nobody is paid for what was fabricated.

use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::common::{WAAG, World, eventually, signal, training};

/// The same provider again, but one that does not do as it should.
fn cheating(world: &World, how: &[&str]) -> Child {
    let honest = world.daemons();
    honest.iter().for_each(|pid| signal(*pid, Signal::TERM));
    eventually("the provider has stopped", || world.daemons().is_empty().then_some(()));
    Command::new(WAAG)
        .args(["provider", "run"])
        .args(how)
        .arg("--folder")
        .arg(world.data().join("providers/1"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn what_was_fabricated_is_done_again_and_not_paid() {
    let mut world = World::with_providers(1);
    world.weigh();
    world.up().unwrap();
    world.offered("waag");
    let mut cheat = cheating(&world, &["--fault", "fabricate=0..2"]);
    // It runs long enough for the provider to vanish in the middle.
    let job = training("waag").replace("--epochs 4", "--epochs 40").replace(", infra: waag", "");
    let failover = "  failover: { attempts: 4, to: [sim-auction] }\n  verify:";
    let file = world.file("job.yaml", &job.replace("  verify:", failover));
    let taken = world.json(&["run", file.to_str().unwrap(), "--detach"]);
    let id = taken["id"].as_str().unwrap().to_owned();
    world.job_when(&id, "two states are fabricated", |doc| doc["segments_done"].as_u64() >= Some(2));
    cheat.kill().unwrap();
    cheat.wait().unwrap();
    world.agents().into_iter().for_each(|pid| signal(pid, Signal::KILL));

    let settled = world.settled(&id);
    assert_eq!(settled["outcome"], "completed", "{settled:#}");
    let executions = settled["executions"].as_array().unwrap();
    let first = &executions[0];
    assert_eq!((&first["network"], &first["state"]), (&"waag".into(), &"lost".into()), "{settled:#}");
    assert_eq!(first["proof"]["verdict"], "failed", "{settled:#}");
    assert_eq!(
        first["paid_usd"], first["proof"]["fee_usd"],
        "validators are paid, the provider is not: {settled:#}"
    );
    assert_ne!(first["proof"]["slashed_usd"], "0.00", "{settled:#}");
    // Whatever went on from a fabricated state does not count; the work was begun again from nothing.
    let last = executions.last().unwrap();
    assert_eq!(
        (&last["state"], &last["proof"]["verdict"]),
        (&"completed".into(), &"passed".into()),
        "{settled:#}"
    );
    assert!(executions.iter().skip(1).any(|execution| execution["from_segment"] == 0), "{settled:#}");
    eventually("every agent has ended", || world.agents().is_empty().then_some(()));
    world.assert_clean();
}

#[test]
fn planted_state_is_shown_once_the_validators_have_spoken() {
    let mut world = World::with_providers(1);
    world.weigh();
    let planted = world.data().join("providers/1/canaries");
    world.set("WAAG_ENGINE_CANARIES", planted.to_str().unwrap());
    world.up().unwrap();
    world.offered("waag");
    let mut own = cheating(&world, &["--canary"]);
    // Every segment is drawn, so the planted one is.
    let job = training("waag").replace("sample: 1", "sample: 2");
    let file = world.file("job.yaml", &job);
    let taken = world.json(&["run", file.to_str().unwrap(), "--detach"]);
    let settled = world.settled(taken["id"].as_str().unwrap());
    assert_eq!(settled["outcome"], "completed", "the work itself is right: {settled:#}");
    let proof = &settled["executions"][0]["proof"];
    assert_eq!(proof["verdict"], "canary", "{settled:#}");
    for validator in proof["validators"].as_array().unwrap() {
        assert_eq!(validator["finding"], "differs", "{settled:#}");
    }
    assert_eq!(proof["slashed_usd"], "0.00", "nobody loses by a planted state that was found: {settled:#}");
    assert_eq!(std::fs::read_dir(planted).unwrap().count(), 1);
    own.kill().unwrap();
    own.wait().unwrap();
    world.assert_clean();
}
