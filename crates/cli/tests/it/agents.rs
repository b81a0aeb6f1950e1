//! An agent is killed with SIGKILL at each of its named points: only work since the last checkpoint is lost.

use serde_json::Value;

use crate::common::{World, eventually, training};

/// Runs a job whose first agent dies at the point, and gives the settled job.
fn killed_at(point: &str) -> Value {
    let mut world = World::new();
    let file = world.file("job.yaml", &training("sim-cloud"));
    world.crash_at("machines", point);
    world.up().expect("the control plane comes up");
    let job = world.json(&["run", file.to_str().unwrap(), "--detach"]);
    let settled = world.settled(job["id"].as_str().unwrap());
    assert!(world.crashed("machines"), "{point} was reached");
    assert_eq!(settled["outcome"], "completed", "{settled:#}");
    assert_eq!(settled["segments_done"], 4);
    assert_eq!(settled["outputs"], true);
    eventually("every agent has ended", || world.agents().is_empty().then_some(()));
    world.assert_clean();
    settled
}

/// The first attempt is lost, the second goes on where the last checkpoint was stored.
fn is_replaced(settled: &Value, from_segment: impl Fn(u64) -> bool) {
    let executions = settled["executions"].as_array().unwrap();
    let states: Vec<&str> = executions.iter().map(|x| x["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["lost", "completed"], "{settled:#}");
    assert_eq!(executions[0]["to_segment"], executions[1]["from_segment"], "no stored work is done again");
    let from = executions[1]["from_segment"].as_u64().unwrap();
    assert!(from_segment(from), "goes on from {from}");
}

#[test]
fn agent_that_dies_before_it_connects_is_replaced() {
    let settled = killed_at("agent.hello.before");
    is_replaced(&settled, |from| from == 0);
    assert_eq!(settled["executions"][0]["reason"], "never_connected");
}

#[test]
fn agent_that_dies_with_opened_inputs_is_replaced() {
    is_replaced(&killed_at("agent.inputs.opened"), |from| from == 0);
}

#[test]
fn agent_that_dies_as_its_workload_starts_is_replaced() {
    is_replaced(&killed_at("agent.workload.started"), |from| from == 0);
}

#[test]
fn agent_that_dies_after_its_second_checkpoint_loses_nothing_before_it() {
    is_replaced(&killed_at("agent.checkpoint.uploaded 2"), |from| from == 2);
}

#[test]
fn agent_that_dies_before_its_outputs_are_sent_is_replaced_at_the_end_of_its_work() {
    is_replaced(&killed_at("agent.outputs.before"), |from| from == 4);
}

#[test]
fn agent_that_dies_before_it_says_how_it_ended_is_replaced_at_the_end_of_its_work() {
    is_replaced(&killed_at("agent.finish.before"), |from| from == 4);
}

#[test]
fn agent_that_dies_after_it_said_how_it_ended_is_missed_by_nobody() {
    let settled = killed_at("agent.finish.after");
    assert_eq!(settled["executions"].as_array().unwrap().len(), 1, "{settled:#}");
}
