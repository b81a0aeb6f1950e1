//! The control plane is killed with SIGKILL at every named point and started again: the job reaches its end, once, and
//! nothing is left behind.

use engine::POINTS;

use crate::common::{World, eventually, signal, training};

/// Points that are reached only when an agent is lost.
const NEED_A_LOSS: [&str; 2] = ["execution.lose.before", "execution.lose.after"];
/// Points that are reached only where an escrow stands between.
const NEED_AN_ESCROW: [&str; 2] = ["settlement.escrow.before", "settlement.escrow.after"];
const SIMULATED: [&str; 3] = ["sim-cloud", "sim-auction", "sim-queue"];
const KEY: &str = "once";

/// On the simulated networks in turn.
fn killed_at(point: &str) {
    let number = POINTS.iter().position(|known| *known == point).expect("the engine knows the point");
    let on_chain = NEED_AN_ESCROW.contains(&point);
    killed_on(if on_chain { "waag" } else { SIMULATED[number % SIMULATED.len()] }, point);
}

fn killed_on(network: &str, point: &str) {
    let needs_loss = NEED_A_LOSS.contains(&point);
    let mut world = match network {
        // The provider that lost the job is not asked again.
        "waag" => World::with_providers(if needs_loss { 2 } else { 1 }),
        _ => World::new(),
    };
    if point.starts_with("proof.") {
        world.weigh();
    }
    // A job that waits for a file of nobody's would run for ever; this one runs long enough to be killed meanwhile.
    let job =
        if needs_loss { training(network).replace("--epochs 4", "--epochs 400") } else { training(network) };
    let file = world.file("job.yaml", &job);
    let file = file.to_str().unwrap();
    let submit = ["run", file, "--detach", "--key", KEY];
    // The log is published for the first time before there is a job.
    let nth = if point.starts_with("audit.") { 2 } else { 1 };
    world.crash_at(".", &format!("{point} {nth}"));
    world.up().expect("the control plane comes up");
    world.offered(network);
    // It may die before it answers: then nobody knows what became of the job, and the key finds it again.
    let answered = world.waag(&submit).status.success();
    if needs_loss {
        world
            .job_when("train", "its first segment is stored", |doc| doc["segments_done"].as_u64() >= Some(1));
        // The provider first, or it would say on the chain that its agent is gone.
        let dead = world.daemons().into_iter().chain(world.agents());
        dead.for_each(|pid| signal(pid, rustix::process::Signal::KILL));
    }
    world.wait_for_death();
    assert!(world.crashed("."), "{point} was reached");
    world.up().expect("the control plane comes up again");
    let taken = world.json(&submit);
    if answered {
        assert_eq!(taken["existing"], true, "the answered job is known after the crash");
    }
    let id = taken["id"].as_str().unwrap().to_owned();
    if needs_loss {
        // What is to be shown is that the loss was not forgotten; the long work itself need not be waited for.
        world.job_when(&id, "a second attempt runs", |doc| doc["executions"][1]["state"] == "running");
        world.json(&["cancel", &id]);
    }
    let settled = world.settled(&id);
    let executions = settled["executions"].as_array().unwrap();
    if point.starts_with("proof.") {
        let proof = &executions[0]["proof"];
        assert_eq!(proof["verdict"], "passed", "{settled:#}");
        assert_eq!(proof["validators"].as_array().map(Vec::len), Some(3), "{settled:#}");
    }
    let outcome = if needs_loss { "cancelled" } else { "completed" };
    assert_eq!(settled["outcome"], outcome, "{settled:#}");
    assert_eq!(
        executions.len(),
        if needs_loss { 2 } else { 1 },
        "an agent is adopted and not doubled: {settled:#}"
    );
    assert_eq!(world.json(&["jobs"])["jobs"].as_array().unwrap().len(), 1, "the key names one job");
    eventually("every agent has ended", || world.agents().is_empty().then_some(()));
    world.assert_clean();
}

macro_rules! killed {
    ($($name:ident: $point:literal;)*) => {
        $(#[test]
        fn $name() {
            killed_at($point);
        })*

        mod on_our_own_market {
            $(#[test]
            fn $name() {
                super::killed_on("waag", $point);
            })*
        }

        #[test]
        fn every_point_has_its_test() {
            assert_eq!([$($point),*].as_slice(), POINTS);
        }
    };
}

killed! {
    job_admit_before: "job.admit.before";
    job_admit_after: "job.admit.after";
    placement_store_before: "placement.store.before";
    placement_store_after: "placement.store.after";
    lease_prepare_after: "lease.prepare.after";
    lease_hold_after: "lease.hold.after";
    lease_submit_before: "lease.submit.before";
    lease_submit_after: "lease.submit.after";
    lease_observe_after: "lease.observe.after";
    lease_apply_after: "lease.apply.after";
    lease_release_before: "lease.release.before";
    lease_release_after: "lease.release.after";
    execution_connect_before: "execution.connect.before";
    execution_connect_after: "execution.connect.after";
    execution_checkpoint_stored: "execution.checkpoint.stored";
    execution_checkpoint_after: "execution.checkpoint.after";
    execution_finish_before: "execution.finish.before";
    execution_finish_after: "execution.finish.after";
    execution_lose_before: "execution.lose.before";
    execution_lose_after: "execution.lose.after";
    proof_begin_after: "proof.begin.after";
    proof_request_after: "proof.request.after";
    proof_open_before: "proof.open.before";
    proof_open_after: "proof.open.after";
    proof_conclude_before: "proof.conclude.before";
    proof_conclude_after: "proof.conclude.after";
    settlement_escrow_before: "settlement.escrow.before";
    settlement_escrow_after: "settlement.escrow.after";
    settlement_post_before: "settlement.post.before";
    settlement_post_after: "settlement.post.after";
    job_settle_before: "job.settle.before";
    job_settle_after: "job.settle.after";
    audit_tiles_before: "audit.tiles.before";
    audit_tiles_after: "audit.tiles.after";
    audit_head_after: "audit.head.after";
    audit_mark_after: "audit.mark.after";
}
