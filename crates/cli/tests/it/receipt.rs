//! Receipts, from a running control plane to a file that is checked once nothing of it is left.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::{WAAG, World, eventually, training};

/// Runs `waag` where there is no control plane, no configuration and nothing but the files that are named.
fn elsewhere(folder: &Path, args: &[&str]) -> (i32, Value) {
    let mut command = Command::new(WAAG);
    command.args(args).arg("--json").current_dir(folder).env_clear().env("HOME", folder);
    let output: Output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let doc = serde_json::from_str(&text);
    (output.status.code().unwrap(), doc.unwrap_or_else(|e| panic!("{e}: {text}")))
}

/// The job's receipt, once it is in the audit log.
fn receipt(world: &World, job: &str, to: &str) -> PathBuf {
    eventually("the receipt can be had", || {
        let output = world.waag(&["receipt", job, "-o", to, "--json"]);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let waits = answer["code"] == "receipt_not_ready" && answer["retryable"] == true;
        assert!(output.status.success() || waits, "{answer:#}");
        output.status.success().then_some(())
    });
    world.data().join("..").join(to)
}

fn key(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.data().join("audit").join(name)).unwrap().trim().to_owned()
}

#[test]
fn receipt_is_verified_on_a_copy_of_the_file_with_the_control_plane_gone() {
    let mut world = World::new();
    world.up().unwrap();
    let file = world.file("job.yaml", &training("sim-cloud"));
    let done = world.json(&["run", file.to_str().unwrap(), "--outputs", "out"]);
    let job = done["id"].as_str().unwrap();
    let proof = world.json(&["proof", job]);
    assert_eq!((proof["job"].as_str(), proof["executions"][0]["attempt"].as_u64()), (Some(job), Some(1)));
    let shown = String::from_utf8(world.waag(&["proof", job]).stdout).unwrap();
    assert!(shown.contains("ATTEMPT 1") && shown.contains("checked"), "{shown}");
    let path = receipt(&world, job, "receipt.json");
    let printed = world.json(&["receipt", job]);
    let (receipts, audit) = (key(&world, "receipts.pub"), key(&world, "audit.vkey"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(path, folder.path().join("copy.json")).unwrap();
    world.assert_clean();
    drop(world);

    let pins = ["--key", &receipts, "--audit-key", &audit];
    let verify =
        |file: &str, more: &[&str]| elsewhere(folder.path(), &[&["receipt", "verify", file], more].concat());
    let (code, report) = verify("copy.json", &pins);
    assert_eq!((code, &report["verified"], &report["pinned"]), (0, &true.into(), &true.into()), "{report:#}");
    assert_eq!((report["job"].as_str(), report["outcome"].as_str()), (Some(job), Some("completed")));
    let gaps: Vec<&str> =
        report["unproven"].as_array().unwrap().iter().map(|gap| gap["code"].as_str().unwrap()).collect();
    assert!(gaps.contains(&"simulated") && gaps.contains(&"place_not_attested"), "{gaps:?}");
    let (code, report) = verify("copy.json", &[]);
    assert_eq!((code, &report["verified"], &report["pinned"]), (0, &true.into(), &false.into()));

    let text = std::fs::read_to_string(folder.path().join("copy.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["body"], printed["body"]);
    let failing = |name: &str, text: &str, expected: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        let (code, report) = verify(name, &pins);
        assert_eq!((code, report["verified"].as_bool()), (8, Some(false)), "{report:#}");
        let found = report["wrong"].as_array().unwrap().iter().any(|wrong| wrong["code"] == expected);
        assert!(found && report["code"].is_string(), "{report:#}");
    };
    failing("cut.json", &text[..text.len() / 2], "receipt_unreadable");
    failing("other.json", &text.replacen("\"completed\"", "\"cancelled\"", 1), "receipt_signature_wrong");
    let (code, report) = verify("copy.json", &["--key", &"00".repeat(32)]);
    assert_eq!((code, report["code"].as_str()), (8, Some("receipt_key_differs")));
    let (code, report) = verify("nothing.json", &[]);
    assert_eq!((code, report["code"].as_str()), (2, Some("receipt_file")));
    let shown =
        Command::new(WAAG).args(["receipt", "verify", "copy.json"]).current_dir(folder.path()).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    assert!(
        shown.contains("CHECKED") && shown.contains("NOT PROVEN") && shown.contains("but whose?"),
        "{shown}"
    );
}

#[test]
fn receipt_of_a_checked_lease_binds_signatures_draws_verdicts_and_outputs() {
    let mut world = World::with_providers(1);
    world.weigh();
    world.up().unwrap();
    world.offered("waag");
    let file = world.file("job.yaml", &training("waag"));
    let done = world.json(&["run", file.to_str().unwrap(), "--outputs", "out"]);
    let job = done["id"].as_str().unwrap();
    assert_eq!(world.json(&["proof", job])["executions"][0]["proof"]["verdict"], "passed");
    let path = receipt(&world, job, "receipt.json");
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(path, folder.path().join("receipt.json")).unwrap();
    let out = world.data().join("../out");
    let verify = |out: &Path| {
        elsewhere(folder.path(), &["receipt", "verify", "receipt.json", "--outputs", out.to_str().unwrap()])
    };
    let (code, report) = verify(&out);
    assert_eq!(code, 0, "{report:#}");
    let holds = |name: &str| {
        report["checks"].as_array().unwrap().iter().any(|one| one["check"] == name && one["holds"] == true)
    };
    for check in ["commitments", "signatures", "states", "draws", "verdicts", "outputs"] {
        assert!(holds(check), "{check}: {report:#}");
    }
    let gaps: Vec<&str> =
        report["unproven"].as_array().unwrap().iter().map(|gap| gap["code"].as_str().unwrap()).collect();
    assert!(gaps.contains(&"draw_not_shown"), "{gaps:?}");
    assert!(!gaps.contains(&"result_unchecked") && !gaps.contains(&"signature_unchecked"), "{gaps:?}");
    std::fs::write(out.join("more"), "more").unwrap();
    let (code, report) = verify(&out);
    assert_eq!((code, report["code"].as_str()), (8, Some("outputs_differ")), "{report:#}");
    world.assert_clean();
}

#[test]
fn job_that_is_not_settled_has_no_receipt_yet() {
    let mut world = World::new();
    world.up().unwrap();
    let file = world.file("job.yaml", &training("sim-cloud").replace("--epochs 4", "--epochs 4000"));
    let job = world.json(&["run", file.to_str().unwrap(), "--detach"]);
    let job = job["id"].as_str().unwrap();
    let answer: Value = serde_json::from_slice(&world.waag(&["receipt", job, "--json"]).stdout).unwrap();
    assert_eq!((answer["code"].as_str(), answer["retryable"].as_bool()), (Some("job_open"), Some(true)));
    world.json(&["cancel", job]);
    world.settled(job);
    world.assert_clean();
}
