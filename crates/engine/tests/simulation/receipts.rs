//! Receipts of jobs that lived here: whatever happened, each holds, and what is changed in one is found and named.

use std::sync::Arc;

use custody::Signer;
use domain::{NoProbe, Usd};
use evidence::log::{Checkpoint, Growing, Key};
use market::Registry;
use serde_json::{Value, json};
use store::Store;
use waag_engine::{Engine, Parts, ReceiptError, receipt_verify};
use wire::audit::{Event as Row, record};
use wire::receipt::{Pins, RECEIPT_PURPOSE, ReceiptDoc, ReportDoc, body_digest, signed_bytes};

use crate::common_receipts::{audit_key, verified};
use crate::parts::keys;
use crate::stand::SimTime;
use crate::story::{Event, JobPlan, Story, config};
use crate::tampering::{partly, to_bodies, to_envelopes};
use crate::world::World;

/// Worlds among which one is looked for in which enough happens.
const SEEDS: u64 = 200;

fn codes(report: &ReportDoc) -> Vec<&str> {
    report.wrong.iter().map(|wrong| wrong.code.as_str()).collect()
}

fn story(seed: u64) -> Story {
    let file = "name: proven\nresources: { cpus: 1+ }\nrun: work\nwaag:\n  budget: { max_total_usd: 2.00 }\n  deadline: 1h\n  \
                checkpoint: { path: /checkpoint }\n  outputs: { path: /outputs }\n  verify: { method: replay, segments: 12, sample: 2 }\n  \
                failover: { attempts: 4, to: [any] }\n";
    let mut story = Story::quiet(seed);
    let cap = Usd::from_micros(2_000_000);
    story.jobs = vec![JobPlan { file: file.to_owned(), cap }, JobPlan { file: file.to_owned(), cap }];
    story.events = vec![(0, Event::Submit(0)), (1_000, Event::Submit(1)), (20_000, Event::KillProvider)];
    story.segment_ms = (4_000, 4_000);
    story.cheats = 40;
    story
}

/// Whether a provider of the first job was lost, one was caught, and its result rests on several that passed.
fn eventful(receipt: &ReceiptDoc) -> bool {
    let verdict = |code: &str| {
        let of = |one: &&wire::receipt::ExecutionPart| {
            one.proof.as_ref().and_then(|proof| proof.verdict.as_deref()) == Some(code)
        };
        receipt.body.executions.iter().filter(of).count()
    };
    let passed = |one: &Value| one["proof"]["verdict"] == "passed";
    let body = serde_json::to_value(&receipt.body).unwrap();
    let executions = body["executions"].as_array().unwrap();
    receipt.body.job.outcome == "completed"
        && verdict("failed") >= 1
        && executions.iter().any(|one| passed(one) && partly(one))
        && executions.iter().any(|one| passed(one) && one["from_segment"] != 0)
}

/// The receipts of both jobs of a world in which enough happened.
async fn receipts() -> (Value, Value) {
    for seed in 0..SEEDS {
        let mut world = World::new(story(seed), config(), None).await;
        world.live().await.unwrap();
        let engine = Engine::new(world.parts(Arc::new(NoProbe)));
        let of = async |n: usize| engine.job_receipt(world.lives[n].job.unwrap()).await.unwrap();
        let (first, second) = (of(0).await, of(1).await);
        if eventful(&first) {
            return (serde_json::to_value(first).unwrap(), serde_json::to_value(second).unwrap());
        }
    }
    panic!("not enough happens in any of {SEEDS} worlds");
}

/// A tampered receipt that a control plane which lies records and signs anew.
fn sealed(mut receipt: Value) -> Value {
    let body: wire::receipt::BodyDoc = serde_json::from_value(receipt["body"].clone()).unwrap();
    let body_text = format!("{{\"receipt_sha256\":\"{}\"}}", body_digest(&body).unwrap());
    let (key, at) = (audit_key(), domain::Timestamp(1_800_000_000_000));
    let subject = body.job.id.to_string();
    let row = Row { seq: 1, at, kind: "job.settled", subject: &subject, body: &body_text };
    let entry = record(key.name(), &row);
    let mut log = Growing::default();
    log.push(&entry).unwrap();
    let head = Checkpoint { origin: key.name().to_owned(), size: log.size(), root: log.root() };
    receipt["audit"] = json!({
        "record": String::from_utf8(entry).unwrap(),
        "index": 0,
        "proof": [],
        "checkpoint": head.sign(&key, |text| keys().audit().sign(text)),
        "key": key.to_string(),
    });
    let audit = serde_json::from_value(receipt["audit"].clone()).unwrap();
    let signature = keys().receipts().sign(RECEIPT_PURPOSE, &signed_bytes(&body, &audit).unwrap());
    receipt["signature"]["signature"] = json!(signature);
    receipt
}

#[tokio::test]
async fn every_tampering_with_a_receipt_is_found_and_named() {
    let (receipt, other) = receipts().await;
    let whole = serde_json::to_vec(&receipt).unwrap();
    assert_eq!(codes(&verified(&whole)), Vec::<&str>::new());
    let (mut tried, mut missed) = (0, Vec::new());
    for (name, code, tamper) in to_bodies().into_iter().chain(to_envelopes()) {
        let mut changed = receipt.clone();
        tamper(&mut changed);
        assert_ne!(changed, receipt, "{name} changes nothing");
        let report = verified(&serde_json::to_vec(&changed).unwrap());
        let found = codes(&report);
        // What is no receipt has no signature to look at, and a known key still holds where another is named.
        let other = ["receipt_malformed", "receipt_version", "receipt_key_differs"].contains(&code);
        if !found.contains(&code) || !other && !found.contains(&"receipt_signature_wrong") {
            missed.push(format!("{name}: {code} is not in {:#?}", report.wrong));
        }
        tried += 1;
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let mut foreign = receipt.clone();
    foreign["audit"] = other["audit"].clone();
    let text = String::from_utf8(whole.clone()).unwrap();
    let files = [
        ("the place of another job in the log", serde_json::to_vec(&foreign).unwrap(), "record_of_another"),
        ("cut short", whole[..whole.len() / 2].to_vec(), "receipt_unreadable"),
        ("one byte short", whole[..whole.len() - 1].to_vec(), "receipt_unreadable"),
        ("something after it", [whole.as_slice(), b"{}"].concat(), "receipt_unreadable"),
        ("nothing", Vec::new(), "receipt_unreadable"),
        ("another document", b"{}".to_vec(), "receipt_malformed"),
        (
            "a field twice",
            text.replacen("\"version\":1", "\"version\":1,\"version\":1", 1).into_bytes(),
            "receipt_malformed",
        ),
    ];
    for (name, file, code) in &files {
        let report = verified(file);
        assert!(codes(&report).contains(code), "{name}: {:#?}", report.wrong);
        tried += 1;
    }
    println!("{tried} tamperings");
    assert!(tried >= 60);
}

#[tokio::test]
async fn control_plane_that_signs_what_is_not_so_is_found_too() {
    let (receipt, _) = receipts().await;
    assert_eq!(codes(&verified(&serde_json::to_vec(&sealed(receipt.clone())).unwrap())), Vec::<&str>::new());
    let mut missed = Vec::new();
    for (name, code, tamper) in to_bodies() {
        // What nothing else binds is its word, and what is no receipt cannot be signed as one.
        if ["body_not_recorded", "receipt_malformed", "receipt_version"].contains(&code) {
            continue;
        }
        let mut changed = receipt.clone();
        tamper(&mut changed);
        let report = verified(&serde_json::to_vec(&sealed(changed)).unwrap());
        let found = codes(&report);
        let envelope =
            ["receipt_signature_wrong", "body_not_recorded", "inclusion_wrong", "record_malformed"];
        if !found.contains(&code) || envelope.iter().any(|code| found.contains(code)) {
            missed.push(format!("{name}: {code} is not alone in {:#?}", report.wrong));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[tokio::test]
async fn receipt_is_the_same_however_it_is_laid_out_and_whose_it_is_needs_a_key() {
    let (receipt, _) = receipts().await;
    let pretty = serde_json::to_vec_pretty(&receipt).unwrap();
    assert!(verified(&pretty).verified);
    let unpinned = receipt_verify(&pretty, Pins::default()).doc();
    assert!(unpinned.verified && !unpinned.pinned);
    let wrong = "00".repeat(32);
    let audit = audit_key().to_string();
    let pins = Pins { key: Some(&wrong), audit: Some(&audit) };
    assert_eq!(
        codes(&receipt_verify(&pretty, pins).doc()),
        ["receipt_key_differs", "receipt_signature_wrong"]
    );
    let key = keys().receipts().public_key();
    let other = Key::new("waag.local/other", [7; 32]).unwrap().to_string();
    let pins = Pins { key: Some(&key), audit: Some(&other) };
    assert!(codes(&receipt_verify(&pretty, pins).doc()).contains(&"audit_key_differs"));
}

#[tokio::test]
async fn receipt_is_issued_once_it_is_published_and_never_another() {
    let quiet = waag_engine::Config { audit_every: domain::Millis::HOUR, ..config() };
    let mut world = World::new(story(1), quiet, None).await;
    world.come_to_rest().await.unwrap();
    while world.lives[0].job.is_none() {
        world.go_on().await.unwrap();
    }
    let job = world.lives[0].job.unwrap();
    let engine = Engine::new(world.parts(Arc::new(NoProbe)));
    let refused = engine.job_receipt(job).await.unwrap_err();
    assert!(matches!(refused, ReceiptError::Open(_)) && refused.retryable());
    world.settle().await.unwrap();
    let refused = engine.job_receipt(job).await.unwrap_err();
    assert!(matches!(refused, ReceiptError::NotReady(_)) && refused.retryable(), "{refused:?}");
    engine.audit_publish().await.unwrap();
    let first = engine.job_receipt(job).await.unwrap();
    assert!(verified(&serde_json::to_vec(&first).unwrap()).verified);
    // Somebody takes the job back in the database.
    let mut tx = world.store.begin().await.unwrap();
    tx.job_go_back(job, 0).await.unwrap();
    tx.commit().await.unwrap();
    let refused = engine.job_receipt(job).await.unwrap_err();
    assert!(matches!(refused, ReceiptError::Differs(_)) && !refused.retryable(), "{refused:?}");
}

#[tokio::test]
async fn receipt_is_the_same_after_a_restart_without_networks_and_notary() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "start-0").await.unwrap();
    let mut world = World::on(store, story(5), config(), None).await;
    world.live().await.unwrap();
    let job = world.lives[0].job.unwrap();
    let before = Engine::new(world.parts(Arc::new(NoProbe))).job_receipt(job).await.unwrap();
    let Parts { keys, entropy, probe, config, agent_url, store, .. } = world.parts(Arc::new(NoProbe));
    drop(world);
    store.close().await;
    drop(store);
    let store = Store::open(folder.path(), "later").await.unwrap();
    let (registry, clock) = (Registry::new([]), Arc::new(SimTime::new()));
    let engine = Engine::new(Parts { store, registry, keys, clock, entropy, probe, config, agent_url });
    let after = engine.job_receipt(job).await.unwrap();
    assert_eq!(body_digest(&after.body).unwrap(), body_digest(&before.body).unwrap());
    assert_eq!(after, before);
}
