//! The demo, as a program reads it.

use std::process::Command;

use serde_json::Value;

use crate::common::WAAG;

#[test]
fn demo_prints_one_document_that_tells_the_whole_story() {
    let home = tempfile::tempdir().unwrap();
    let output =
        Command::new(WAAG).args(["demo", "--json"]).env("XDG_DATA_HOME", home.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let demo: Value = serde_json::from_str(&text).expect("one JSON document and nothing else");

    assert_eq!(demo["job"]["state"], "settled");
    assert!(demo["job"]["accuracy"].as_f64().unwrap() >= 0.95);
    let executions = demo["executions"].as_array().unwrap();
    assert_eq!(executions[0]["outcome"], "lost");
    assert_eq!(
        (&executions[0]["network"], &executions[1]["network"]),
        (&"waag".into(), &"sim-auction".into())
    );
    // A machine that is very busy may lose a second one; then a third goes on.
    for pair in executions.windows(2) {
        assert_eq!(pair[0]["to_segment"], pair[1]["from_segment"], "nothing stored is done again");
    }
    let last = executions.last().unwrap();
    assert_eq!((&last["outcome"], &last["to_segment"]), (&"completed".into(), &demo["job"]["segments"]));
    assert!(executions[0]["to_segment"].as_u64() > Some(0), "work before the loss was kept");

    let offers = demo["offers"].as_array().unwrap();
    let refused: Vec<&str> = offers.iter().filter_map(|offer| offer["refused"].as_str()).collect();
    assert!(refused.len() < offers.len() && refused.contains(&"region"), "{refused:?}");
    for offer in offers {
        assert_eq!(offer["simulated"], true);
        for field in ["network", "region", "price_usd_hour", "age_ms", "expected_usd"] {
            assert!(offer.get(field).is_some(), "{field} is missing: {offer}");
        }
    }
    let money = |field: &str| demo["settlement"][field].as_str().unwrap().parse::<f64>().unwrap();
    assert!(money("paid_usd") > 0.0 && money("fees_usd") >= 0.0 && money("cloud_usd") > 0.0);
    assert!(
        (money("paid_usd") + money("refunded_usd") - 2.0).abs() < 1e-9,
        "what was held is paid or refunded"
    );
    let each = |execution: &Value| execution["paid_usd"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(each(&executions[0]) > 0.0, "the work of the provider that died is paid to the second");
    assert!((executions.iter().map(each).sum::<f64>() - money("paid_usd")).abs() < 1e-9);
    assert!(demo["settlement"]["cloud_source"].as_str().unwrap().contains("2024"));
    let gas = demo["settlement"]["gas"].as_u64().unwrap();
    assert!((600_000..2_500_000).contains(&gas), "a lease and two proofs cost their consumer {gas} gas");
    let hashes = demo["settlement"]["tx"].as_array().unwrap();
    // Created, ended, committed by the agent's word; then for each of two executions a proof opened, drawn and concluded, which
    // settles.
    assert_eq!(hashes.len(), 9, "{hashes:?}");
    assert!(hashes.iter().all(|hash| hash.as_str().is_some_and(|text| text.len() == 66)), "{hashes:?}");
    assert!(demo["elapsed_ms"].as_u64() > Some(0));
    proven(&demo);
    cheat_is_caught(&demo["cheater"]);
    let outputs = std::path::Path::new(demo["outputs"].as_str().unwrap());
    assert!(outputs.join("model.bin").exists() && outputs.join("metrics.json").exists());
}

fn proven(demo: &Value) {
    let proof = &demo["proof"];
    assert_eq!(proof["verdict"], "passed");
    let executions = demo["executions"].as_array().unwrap();
    assert!(executions.iter().all(|execution| execution["verdict"] == "passed"), "{executions:?}");
    // All of the lost execution, and ten of the other.
    let lost = executions[0]["to_segment"].as_u64().unwrap();
    assert!(proof["segments_replayed"].as_u64() >= Some(lost + 2), "{proof}");
    let validators = proof["validators"].as_array().unwrap();
    assert!((3..=7).contains(&validators.len()), "{validators:?}");
    let miss = proof["miss_probability"].as_f64().unwrap();
    assert!((0.0..0.05).contains(&miss), "{miss}");
    assert_eq!(demo["audit"]["verified"], true);
    assert!(demo["audit"]["records"].as_u64() > Some(20));
    assert_eq!(demo["receipt"]["verified"], true, "{}", demo["receipt"]);
}

fn cheat_is_caught(cheater: &Value) {
    assert_eq!((&cheater["verdict"], &cheater["slashed"]), (&"failed".into(), &true.into()), "{cheater}");
    assert_eq!(cheater["outcome"], "proof_failed");
    let money = |field: &str| cheater[field].as_str().unwrap().parse::<f64>().unwrap();
    assert!(money("refunded_usd") > 0.0 && money("slashed_usd") > 0.0, "{cheater}");
    let miss = cheater["proof"]["miss_probability"].as_f64().unwrap();
    assert!((miss - 0.000_513).abs() < 0.000_001, "14 over 8 of 30 over 8: {miss}");
}
