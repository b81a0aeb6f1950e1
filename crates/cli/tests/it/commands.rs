//! The smaller commands, and what each says when it cannot.

use std::process::Output;

use serde_json::Value;

use crate::common::{World, in_repository};

/// Exit code, and the error document on standard output.
fn failed(output: &Output) -> (i32, Value) {
    let text = String::from_utf8_lossy(&output.stdout);
    (output.status.code().unwrap(), serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
}

#[test]
fn without_a_control_plane_every_client_says_how_to_start_one() {
    let world = World::new();
    for args in [vec!["jobs"], vec!["offers"], vec!["logs", "x"], vec!["explain", "x"], vec!["cancel", "x"]] {
        let args: Vec<&str> = args.into_iter().chain(["--json"]).collect();
        let (code, error) = failed(&world.waag(&args));
        assert_eq!((code, error["code"].as_str()), (5, Some("no_control_plane")), "{args:?}");
        assert!(error["next"].as_str().unwrap().contains("waag up"));
    }
}

#[test]
fn control_plane_that_died_is_told_apart_from_one_that_never_was() {
    let mut world = World::new();
    world.up().unwrap();
    world.kill();
    let (code, error) = failed(&world.waag(&["jobs", "--json"]));
    assert_eq!((code, error["code"].as_str()), (5, Some("unreachable")));
}

#[test]
fn second_control_plane_on_one_folder_is_refused() {
    let mut world = World::new();
    world.up().unwrap();
    let (code, error) = failed(&world.waag(&["up", "--json"]));
    assert_eq!((code, error["code"].as_str()), (6, Some("data_folder_in_use")));
    assert!(world.is_up());
}

#[test]
fn offers_are_ranked_for_a_file_and_refused_with_codes() {
    let mut world = World::new();
    world.up().unwrap();
    let all = world.json(&["offers"]);
    let file = in_repository("examples/digits-train.yaml");
    let ranked = world.json(&["offers", file.to_str().unwrap()]);
    let admissible = ranked["admissible"].as_u64().unwrap();
    assert!(admissible > 0 && admissible < all["offers"].as_array().unwrap().len() as u64);
    let text = String::from_utf8(world.waag(&["offers", file.to_str().unwrap()]).stdout).unwrap();
    assert!(
        text.contains("REFUSED") && text.contains("simulated") && text.contains("offers admissible"),
        "{text}"
    );
    assert!(text.lines().all(|line| line == line.trim_end()), "no line has a tail");
}

#[test]
fn wrong_job_files_are_refused_with_line_field_and_fix_before_anything_is_bought() {
    let mut world = World::new();
    world.up().unwrap();
    let file = world.file("bad.yaml", "name: bad\nrun: x\nwaag:\n  budget: { max_total_usd: -1 }\n");
    let (code, error) = failed(&world.waag(&["run", file.to_str().unwrap(), "--json"]));
    let message = error["message"].as_str().unwrap();
    assert_eq!((code, error["code"].as_str()), (2, Some("job_file_invalid")));
    assert!(message.contains("bad.yaml:4:") && message.contains("waag.budget.max_total_usd"), "{message}");
    assert_eq!(world.json(&["jobs"])["jobs"], serde_json::json!([]));
}

#[test]
fn jobs_nobody_can_run_are_refused_by_policy() {
    let mut world = World::new();
    world.up().unwrap();
    let refuse = |text: &str| {
        let file = world.file("job.yaml", text);
        let (code, error) = failed(&world.waag(&["run", file.to_str().unwrap(), "--json"]));
        (code, error["code"].as_str().unwrap().to_owned())
    };
    let dear = "name: a\nrun: x\nwaag: { budget: { max_total_usd: 5000 } }\n";
    assert_eq!(refuse(dear), (6, "budget_exceeds_account".to_owned()));
    let high = "name: a\nrun: x\nwaag: { level: high }\n";
    assert_eq!(refuse(high), (6, "level_unsupported".to_owned()));
    let far = "name: a\nrun: x\nresources: { infra: sim-cloud }\nwaag: { regions: [MARS] }\n";
    assert_eq!(refuse(far), (6, "no_admissible_offer".to_owned()));
}

#[test]
fn job_is_explained_listed_and_removed() {
    let mut world = World::new();
    world.up().unwrap();
    let file = in_repository("examples/hello.yaml");
    let done = world.json(&["run", file.to_str().unwrap(), "--outputs", "out"]);
    let id = done["id"].as_str().unwrap();
    let explained = world.json(&["explain", "hello"]);
    let plan = explained["placements"][0]["text"].as_str().unwrap();
    assert!(plan.contains("admissible") && plan.contains("total $"), "{plan}");
    let refused = explained["refused_now"].as_array().unwrap();
    assert!(refused.iter().any(|one| one["code"] == "price_unknown"), "{refused:?}");
    assert!(!explained["cautions"].as_array().unwrap().is_empty());
    assert_eq!(world.json(&["jobs"])["jobs"][0]["id"], id);
    let (code, error) = failed(&world.waag(&["jobs", "rm", id, "--json"]));
    assert_eq!((code, error["code"].as_str()), (2, Some("confirmation_needed")), "nobody can be asked");
    world.json(&["jobs", "rm", &id[..8], "--yes"]);
    let (code, _) = failed(&world.waag(&["jobs", "show", id, "--json"]));
    assert_eq!(code, 4);
    assert_eq!(world.json(&["jobs"])["jobs"], serde_json::json!([]));
    world.assert_clean();
}

#[test]
fn repeated_key_is_the_same_job_and_another_job_is_refused_under_it() {
    let mut world = World::new();
    world.up().unwrap();
    let hello = in_repository("examples/hello.yaml");
    let run = |file: &str| world.waag(&["run", file, "--detach", "--key", "k", "--json"]);
    let first: Value = serde_json::from_slice(&run(hello.to_str().unwrap()).stdout).unwrap();
    let again: Value = serde_json::from_slice(&run(hello.to_str().unwrap()).stdout).unwrap();
    assert_eq!((&first["id"], first["existing"].as_bool()), (&again["id"], Some(false)));
    assert_eq!(again["existing"], true);
    let other = world.file("other.yaml", "name: other\nrun: x\n");
    let (_, error) = failed(&run(other.to_str().unwrap()));
    assert_eq!(error["code"], "key_reused");
    world.settled(first["id"].as_str().unwrap());
    world.assert_clean();
}

#[test]
fn commands_that_need_no_control_plane_print_one_document_too() {
    let world = World::new();
    let codes = world.json(&["help", "exit-codes"]);
    assert!(codes.as_array().unwrap().iter().any(|row| row["code"] == 6 && row["meaning"] != ""));
    assert!(world.json(&["help", "run"])["text"].as_str().unwrap().contains("Examples:"));
    assert!(world.json(&["openapi"])["paths"]["/v1/jobs"].is_object());
    let output = std::process::Command::new(crate::common::WAAG)
        .args(["example", "digits-train", "--epochs", "1", "--hidden", "8", "--json"])
        .env("WAAG_OUTPUT_DIR", world.data())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["finished"].as_bool(), report["test_images"].as_u64()), (Some(true), Some(359)));
}

#[test]
fn doctor_and_config_answer_without_a_control_plane() {
    let world = World::new();
    let checks = world.json(&["doctor"]);
    let names: Vec<&str> = checks.as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"sandbox") && names.contains(&"control plane"), "{names:?}");
    let config = world.json(&["config", "show"]);
    let heartbeat = config.as_array().unwrap().iter().find(|row| row["key"] == "engine.heartbeat").unwrap();
    assert_eq!(
        (heartbeat["value"].as_str(), heartbeat["origin"].as_str()),
        (Some("300ms"), Some("WAAG_ENGINE_HEARTBEAT"))
    );
    let bad = world.file("waag.toml", "[engine]\nheartbeet = 1\n");
    let (code, error) = failed(&world.waag(&["config", "show", "--json", "--config", bad.to_str().unwrap()]));
    assert_eq!((code, error["code"].as_str()), (2, Some("config_invalid")));
}
