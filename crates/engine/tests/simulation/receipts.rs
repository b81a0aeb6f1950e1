//! Receipts of jobs that lived here: whatever happened, each holds, and what is changed in one is found and named.

use std::sync::Arc;

use custody::Signer;
use domain::{JobId, NoProbe, Usd};
use evidence::log::{Checkpoint, Growing, Key};
use market::Registry;
use serde_json::{Value, json};
use store::Store;
use waag_engine::{Engine, Parts, ReceiptError, receipt_verify};
use wire::audit::{Event as Row, record};
use wire::receipt::{Pins, RECEIPT_PURPOSE, ReceiptDoc, ReportDoc, body_digest, signed_bytes};

use crate::parts::keys;
use crate::stand::SimTime;
use crate::story::{Event, JobPlan, Story, config};
use crate::world::World;

/// Worlds among which one is looked for in which enough happens.
const SEEDS: u64 = 200;

/// Issues the receipts of these settled jobs, and checks each as a stranger would. Returns what they do not prove.
pub(crate) async fn hold(engine: &Engine, jobs: &[JobId]) -> Result<Vec<String>, String> {
    let mut gaps = Vec::new();
    for job in jobs {
        let receipt =
            engine.job_receipt(*job).await.map_err(|e| format!("no receipt of job {job}: {e:?}"))?;
        let report = verified(&serde_json::to_vec(&receipt).unwrap());
        if !report.verified || !report.pinned {
            let text = serde_json::to_string_pretty(&receipt.body).unwrap();
            return Err(format!("the receipt of job {job} does not hold: {:#?}\n{text}", report.wrong));
        }
        gaps.extend(report.unproven.into_iter().map(|gap| gap.code));
    }
    Ok(gaps)
}

fn audit_key() -> Key {
    let public = keys().audit().public();
    let name = hex::encode(&evidence::log::sha256(&[&public])[..8]);
    Key::new(&format!("waag.local/{name}"), public).unwrap()
}

fn verified(file: &[u8]) -> ReportDoc {
    let (key, audit) = (keys().receipts().public_key(), audit_key().to_string());
    receipt_verify(file, Pins { key: Some(&key), audit: Some(&audit) }).doc()
}

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

/// Changes the last character of a text that is no part of its form.
fn flip(at: &mut Value) {
    let text = at.as_str().unwrap();
    let place = text.rfind(|c: char| c.is_ascii_hexdigit()).unwrap();
    let other = if text[place..].starts_with('1') { "2" } else { "1" };
    *at = json!(format!("{}{other}{}", &text[..place], &text[place + 1..]));
}

fn change(path: &'static str) -> impl Fn(&mut Value) {
    move |receipt| flip(at(receipt, path))
}

fn set(path: &'static str, to: Value) -> impl Fn(&mut Value) {
    move |receipt| *at(receipt, path) = to.clone()
}

/// A value by its path. `passed` is the first execution that passed although not all of it was replayed, `failed` the first that
/// failed, `next` the first that passed and goes on from another.
fn at<'a>(receipt: &'a mut Value, path: &str) -> &'a mut Value {
    let executions = receipt["body"]["executions"].as_array().unwrap().clone();
    let place = |found: &dyn Fn(&Value) -> bool| executions.iter().position(found).unwrap_or(0);
    let passed = place(&|one| one["proof"]["verdict"] == "passed" && partly(one));
    let failed = place(&|one| one["proof"]["verdict"] == "failed");
    let next = place(&|one| one["from_segment"] != 0 && one["proof"]["verdict"] == "passed");
    let path = path
        .replace("/passed/", &format!("/body/executions/{passed}/"))
        .replace("/failed/", &format!("/body/executions/{failed}/"))
        .replace("/next/", &format!("/body/executions/{next}/"));
    receipt.pointer_mut(&path).unwrap_or_else(|| panic!("there is no {path}"))
}

/// Whether some segments of an execution were left out when validators replayed it.
fn partly(execution: &Value) -> bool {
    let drawn = execution["proof"]["drawn"].as_array().map_or(0, Vec::len) as u64;
    drawn > 2 && execution["proof"]["segments"].as_u64() > Some(drawn + 1)
}

fn list<'a>(receipt: &'a mut Value, path: &str) -> &'a mut Vec<Value> {
    at(receipt, path).as_array_mut().unwrap()
}

fn add(at: &mut Value, cents: &str) {
    let sum = at.as_str().unwrap().parse::<Usd>().unwrap() + cents.parse().unwrap();
    *at = json!(sum.to_string());
}

type Tampering = (&'static str, &'static str, Box<dyn Fn(&mut Value)>);

/// What is done to a body, and how it is named; also where the control plane that lies signs it anew.
fn to_bodies() -> Vec<Tampering> {
    fn row(name: &'static str, code: &'static str, with: impl Fn(&mut Value) + 'static) -> Tampering {
        (name, code, Box::new(with))
    }
    vec![
        row("outcome: failed", "outcome_differs", |receipt| {
            *at(receipt, "/body/job/outcome") = json!("failed");
            *at(receipt, "/body/job/reason") = json!("exit:1");
        }),
        row("outcome: unknown word", "receipt_malformed", set("/body/job/outcome", json!("done"))),
        row("a byte of the spec", "job_hash_differs", |receipt| {
            let spec = at(receipt, "/body/job/spec");
            *spec = json!(spec.as_str().unwrap().replacen("work", "wore", 1));
        }),
        row("the spec is no job file", "spec_differs", set("/body/job/spec", json!("name: x"))),
        row("another name", "spec_differs", set("/body/job/name", json!("another"))),
        row("job hash", "job_hash_differs", change("/body/job/job_hash")),
        row("no time", "receipt_malformed", set("/body/job/ended_at", json!("yesterday"))),
        row("ended before it was admitted", "unproven_differs", |receipt| {
            *at(receipt, "/body/job/ended_at") = json!("2001-01-01T00:00:00.000Z");
        }),
        row("an execution is left out", "attempts_incomplete", |receipt| {
            list(receipt, "/body/executions").remove(0);
        }),
        row("executions are swapped", "attempts_incomplete", |receipt| {
            list(receipt, "/body/executions").swap(0, 1);
        }),
        row("an execution twice", "attempts_incomplete", |receipt| {
            let last = list(receipt, "/body/executions").last().unwrap().clone();
            list(receipt, "/body/executions").push(last);
        }),
        row("it goes on from an earlier state", "states_unchained", set("/next/from_segment", json!(0))),
        row("fewer segments than committed to", "segments_differ", set("/passed/to_segment", json!(0))),
        row("more segments than the job has", "segments_differ", set("/passed/to_segment", json!(99))),
        row("root", "root_differs", change("/passed/commitment/root")),
        row("a digest", "root_differs", change("/passed/commitment/digests/1")),
        row("a digest is left out", "leaves_differ", |receipt| {
            list(receipt, "/passed/commitment/digests").pop();
        }),
        row("leaf count", "leaves_differ", set("/passed/commitment/leaf_count", json!(99))),
        row("what the last leaf is about", "root_differs", |receipt| {
            let outputs = at(receipt, "/passed/commitment/binds_outputs");
            *outputs = json!(!outputs.as_bool().unwrap());
        }),
        row("agent's signature", "agent_signature_wrong", change("/passed/commitment/signature")),
        row("agent", "agent_signature_wrong", change("/passed/commitment/agent")),
        row("lease", "agent_signature_wrong", change("/passed/commitment/lease")),
        row("domain", "agent_signature_wrong", change("/passed/commitment/domain")),
        row("a delegation by nobody", "delegation_wrong", |receipt| {
            *at(receipt, "/passed/commitment/delegation") = json!(format!("0x{}", "11".repeat(65)));
        }),
        row("the root that was checked", "proof_root_differs", change("/passed/proof/root")),
        row("seed", "draw_differs", change("/passed/proof/seed")),
        row("sample", "draw_differs", set("/passed/proof/sample", json!(0))),
        row("drawn segments", "draw_differs", set("/passed/proof/drawn", json!([0]))),
        row("a finding", "result_differs", set("/passed/proof/validators/0/finding", json!("differs"))),
        row(
            "an unknown finding",
            "receipt_malformed",
            set("/passed/proof/validators/0/finding", json!("ok")),
        ),
        row("a result", "result_differs", change("/passed/proof/validators/0/result")),
        row("a validator twice", "validators_wrong", |receipt| {
            let first = list(receipt, "/passed/proof/validators")[0].clone();
            list(receipt, "/passed/proof/validators")[1] = first;
        }),
        row("no validators", "validators_wrong", set("/passed/proof/validators", json!([]))),
        row(
            "verdict: passed instead of failed",
            "verdict_differs",
            set("/failed/proof/verdict", json!("passed")),
        ),
        row(
            "verdict: failed instead of passed",
            "verdict_differs",
            set("/passed/proof/verdict", json!("failed")),
        ),
        row("not checked after all", "proof_malformed", |receipt| {
            let proof = at(receipt, "/failed/proof");
            proof["state"] = json!("unchecked");
            proof["verdict"] = Value::Null;
            proof["reason"] = json!("not_drawn");
        }),
        row("refuted work is paid", "refuted_paid", |receipt| {
            *at(receipt, "/failed/withholds_payment") = json!(true);
            for path in ["/failed/paid_usd", "/body/settlement/paid_usd", "/body/settlement/held_usd"] {
                add(at(receipt, path), "0.05");
            }
        }),
        row("what an execution was paid", "sums_differ", |receipt| {
            add(at(receipt, "/passed/paid_usd"), "0.01")
        }),
        row("what was paid in all", "sums_differ", set("/body/settlement/paid_usd", json!("0.00"))),
        row("what was given back", "sums_differ", |receipt| {
            add(at(receipt, "/body/settlement/refunded_usd"), "0.01");
        }),
        row("fees", "sums_differ", |receipt| add(at(receipt, "/body/settlement/fees_usd"), "0.01")),
        row("a slash of who passed", "sums_differ", set("/passed/proof/slashed_usd", json!("1.00"))),
        row("an amount in another form", "receipt_malformed", set("/body/settlement/paid_usd", json!("1.0"))),
        row("not simulated", "unproven_differs", set("/passed/simulated", json!(false))),
        row("something unproven is left out", "unproven_differs", |receipt| {
            list(receipt, "/body/unproven").remove(0);
        }),
        row("something is said to be unproven", "unproven_differs", |receipt| {
            let one = json!({ "code": "canary_claimed", "attempt": 1, "text": "" });
            list(receipt, "/body/unproven").push(one);
        }),
        row("a field more", "receipt_malformed", |receipt| {
            at(receipt, "/body/job").as_object_mut().unwrap().insert("note".to_owned(), json!(1));
        }),
        row("a field more of a validator", "receipt_malformed", |receipt| {
            let one = at(receipt, "/passed/proof/validators/0").as_object_mut().unwrap();
            one.insert("note".to_owned(), json!(1));
        }),
        row("a field less", "receipt_malformed", |receipt| {
            at(receipt, "/body/job").as_object_mut().unwrap().remove("reason");
        }),
        row("another version", "receipt_version", set("/body/version", json!(2))),
        // Nothing else says so, which is what the record is for.
        row("network", "body_not_recorded", set("/passed/network", json!("other"))),
        row("provider", "body_not_recorded", set("/passed/provider", json!("other"))),
        row("region", "body_not_recorded", set("/passed/region", json!("MARS"))),
        row("price", "body_not_recorded", set("/passed/price_usd_hour", json!("0.01"))),
        row("execution", "body_not_recorded", set("/passed/id", json!("x_0000000000000000"))),
        row("name at the notary", "body_not_recorded", change("/passed/proof/notary_id")),
    ]
}

fn to_envelopes() -> Vec<Tampering> {
    fn row(name: &'static str, code: &'static str, with: impl Fn(&mut Value) + 'static) -> Tampering {
        (name, code, Box::new(with))
    }
    let checkpoint = |from: usize, with: fn(&str) -> String| {
        move |receipt: &mut Value| {
            let note = at(receipt, "/audit/checkpoint");
            let mut lines: Vec<String> = note.as_str().unwrap().split('\n').map(str::to_owned).collect();
            lines[from] = with(&lines[from]);
            *note = json!(lines.join("\n"));
        }
    };
    vec![
        row("job id", "record_of_another", set("/body/job/id", json!("j_0000000000000000"))),
        row("a byte of the record", "inclusion_wrong", |receipt| {
            let record = at(receipt, "/audit/record");
            *record = json!(record.as_str().unwrap().replacen("refunded_usd\":\"1", "refunded_usd\":\"0", 1));
        }),
        row("the record is no JSON", "record_malformed", set("/audit/record", json!("{}"))),
        row("a space in the record", "record_malformed", |receipt| {
            let record = at(receipt, "/audit/record");
            *record = json!(record.as_str().unwrap().replacen(':', ": ", 1));
        }),
        row("index", "record_malformed", |receipt| {
            let index = at(receipt, "/audit/index");
            *index = json!(index.as_u64().unwrap() + 1);
        }),
        row("a hash of the proof", "inclusion_wrong", change("/audit/proof/0")),
        row("a hash less", "inclusion_wrong", |receipt| {
            list(receipt, "/audit/proof").pop();
        }),
        row("size of the log", "checkpoint_signature_wrong", checkpoint(1, |size| format!("1{size}"))),
        row(
            "root of the log",
            "checkpoint_signature_wrong",
            checkpoint(2, |root| root.replacen(&root[..1], if root.starts_with('A') { "B" } else { "A" }, 1)),
        ),
        row(
            "signature of the log",
            "checkpoint_signature_wrong",
            checkpoint(4, |line| {
                let place = line.len() - 5;
                let other = if line[place..].starts_with('A') { "B" } else { "A" };
                format!("{}{other}{}", &line[..place], &line[place + 1..])
            }),
        ),
        row(
            "name of the log",
            "checkpoint_signature_wrong",
            checkpoint(0, |_| "waag.local/other".to_owned()),
        ),
        row("no checkpoint", "checkpoint_malformed", set("/audit/checkpoint", json!(""))),
        row("key of the log", "audit_key_differs", set("/audit/key", json!("waag.local/other"))),
        row("key", "receipt_key_differs", change("/signature/key")),
        row("signature", "receipt_signature_wrong", change("/signature/signature")),
    ]
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
