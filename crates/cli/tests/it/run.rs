//! `waag run`, from the job file to the opened outputs.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin};

use rustix::process::Signal;

use crate::common::{World, eventually, in_repository, signal, training};

#[test]
fn hello_runs_and_leaves_its_output() {
    let mut world = World::new();
    world.up().unwrap();
    let file = in_repository("examples/hello.yaml");
    let done = world.json(&["run", file.to_str().unwrap(), "--outputs", "here"]);
    assert_eq!((done["state"].as_str(), done["outcome"].as_str()), (Some("settled"), Some("completed")));
    let when = std::fs::read_to_string(world.data().join("../here/when.txt")).unwrap();
    assert!(!when.trim().is_empty());
    let log = world.json(&["logs", done["id"].as_str().unwrap()]);
    assert_eq!(log["text"], "hello from waag-job\n");
    world.assert_clean();
}

#[test]
fn local_files_and_secrets_reach_the_workload_and_nothing_else() {
    let mut world = World::new();
    world.up().unwrap();
    world.file("work/greeting.txt", "good morning");
    world.file("set/numbers.csv", "1,2,3");
    let job = "name: files\nresources: { infra: sim-cloud }\nworkdir: ./work\nfile_mounts: { /data: ./set }\n\
         secrets: { TOKEN: s3cret-value }\n\
         run: |\n  cat greeting.txt /data/numbers.csv > /outputs/seen\n  printf %s \"$TOKEN\" | sha256sum | cut -c1-8 >> /outputs/seen\n\
         waag: { outputs: { path: /outputs } }\n";
    let file = world.file("job.yaml", job);
    let done = world.json(&["run", file.to_str().unwrap(), "--outputs", "out"]);
    assert_eq!(done["outcome"], "completed", "{done:#}");
    let seen = std::fs::read_to_string(world.data().join("../out/seen")).unwrap();
    assert_eq!(seen, "good morning1,2,3bf496b76\n");
    world.assert_clean();
    let secret = b"s3cret-value";
    for file in ["waag.db", "waag.db-wal"].map(|name| world.data().join(name)) {
        let bytes = std::fs::read(file).unwrap_or_default();
        assert!(
            !bytes.windows(secret.len()).any(|window| window == secret),
            "a secret rests in the database"
        );
    }
}

#[test]
fn workload_that_fails_ends_the_job_with_its_code_and_is_not_tried_elsewhere() {
    let mut world = World::new();
    world.up().unwrap();
    let file = world.file("job.yaml", "name: fails\nresources: { infra: sim-cloud }\nrun: echo no; exit 3\n");
    let output = world.waag(&["run", file.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(7));
    let job = world.job("fails").unwrap();
    assert_eq!(
        (job["outcome"].as_str(), job["executions"][0]["reason"].as_str()),
        (Some("failed"), Some("exit:3"))
    );
    assert_eq!(job["executions"].as_array().unwrap().len(), 1);
    world.assert_clean();
}

#[test]
fn interrupted_run_without_a_terminal_detaches_and_the_job_runs_on() {
    let mut world = World::new();
    world.up().unwrap();
    let file = world.file("job.yaml", &training("sim-cloud"));
    let mut run = world.spawn(&["run", file.to_str().unwrap()]);
    let job = eventually("the job is taken", || world.job("train"));
    signal(run.id(), Signal::INT);
    let status = run.wait().unwrap();
    let mut said = String::new();
    run.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("runs on") && said.contains("waag logs"), "{said}");
    let settled = world.settled(job["id"].as_str().unwrap());
    assert_eq!(settled["outcome"], "completed");
    world.assert_clean();
}

#[test]
fn cancelled_job_pays_what_it_used_and_gets_the_rest_back() {
    let mut world = World::new();
    world.up().unwrap();
    let file = world.file("job.yaml", &training("sim-auction").replace("--epochs 4", "--epochs 4000"));
    let job = world.json(&["run", file.to_str().unwrap(), "--detach"]);
    let id = job["id"].as_str().unwrap();
    world.job_when(id, "runs", |doc| doc["state"] == "running");
    world.json(&["cancel", id]);
    world.json(&["cancel", id]);
    let settled = world.settled(id);
    assert_eq!(settled["outcome"], "cancelled");
    assert_eq!(settled["executions"][0]["state"], "cancelled");
    let money = |field: &str| settled["settlement"][field].as_str().unwrap().parse::<f64>().unwrap();
    assert!(money("paid_usd") > 0.0 && (money("paid_usd") + money("refunded_usd") - 1.0).abs() < 1e-9);
    eventually("its agent has ended", || world.agents().is_empty().then_some(()));
    world.assert_clean();
}

#[test]
fn work_goes_on_while_the_control_plane_is_away_and_is_adopted() {
    let mut world = World::new();
    world.up().unwrap();
    let file = world.file("job.yaml", &training("sim-cloud").replace("--epochs 4", "--epochs 60"));
    let job = world.json(&["run", file.to_str().unwrap(), "--detach"]);
    let id = job["id"].as_str().unwrap();
    world.job_when(id, "its first segment is stored", |doc| doc["segments_done"].as_u64() >= Some(1));
    let before = world.agents();
    world.stop();
    assert_eq!(world.agents(), before, "agents outlive the control plane");
    world.up().unwrap();
    let settled = world.settled(id);
    assert_eq!(settled["outcome"], "completed");
    assert_eq!(settled["executions"].as_array().unwrap().len(), 1, "{settled:#}");
    world.assert_clean();
}

const CTRL_C: &[u8] = b"\x03";

/// A long job on a terminal, watched until it runs: the terminal, its keyboard, and the job.
fn running_on_a_terminal(world: &mut World) -> (Child, ChildStdin, String) {
    world.up().unwrap();
    let job = training("sim-cloud").replace("--epochs 4", "--epochs 4000");
    let file = world.file("job.yaml", &job);
    let mut terminal = world.spawn_on_terminal(&["run", file.to_str().unwrap(), "--yes"]);
    let keyboard = terminal.stdin.take().unwrap();
    let job = world.job_when("train", "runs", |doc| doc["state"] == "running");
    (terminal, keyboard, job["id"].as_str().unwrap().to_owned())
}

/// Reads the terminal until it shows a text.
fn read_until(terminal: &mut Child, text: &str) {
    let out = terminal.stdout.as_mut().unwrap();
    let (mut seen, mut byte) = (Vec::new(), [0u8]);
    while !String::from_utf8_lossy(&seen).contains(text) {
        assert!(out.read(&mut byte).unwrap() > 0, "no {text:?} in {}", String::from_utf8_lossy(&seen));
        seen.extend(byte);
    }
}

#[test]
fn ctrl_c_on_a_terminal_asks_once_and_cancels_when_told() {
    let mut world = World::new();
    let (mut terminal, mut keyboard, job) = running_on_a_terminal(&mut world);
    keyboard.write_all(CTRL_C).unwrap();
    read_until(&mut terminal, "[c]ancel");
    keyboard.write_all(b"c\n").unwrap();
    read_until(&mut terminal, "cancelled");
    assert_eq!(world.settled(&job)["outcome"], "cancelled");
    read_until(&mut terminal, "SETTLEMENT");
    drop(keyboard);
    assert_eq!(terminal.wait().unwrap().code(), Some(7), "the job ended without its result");
    world.assert_clean();
}

#[test]
fn second_ctrl_c_detaches() {
    let mut world = World::new();
    let (mut terminal, mut keyboard, job) = running_on_a_terminal(&mut world);
    keyboard.write_all(CTRL_C).unwrap();
    read_until(&mut terminal, "[c]ancel");
    keyboard.write_all(CTRL_C).unwrap();
    read_until(&mut terminal, "runs on");
    drop(keyboard);
    assert_eq!(terminal.wait().unwrap().code(), Some(130));
    assert_eq!(world.job(&job).unwrap()["state"], "running");
    world.json(&["cancel", &job]);
    world.settled(&job);
    world.assert_clean();
}
