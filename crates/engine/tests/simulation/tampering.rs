//! What can be done to a receipt, each with its name and the code by which it has to be found.

use domain::Usd;
use serde_json::{Value, json};

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
pub(crate) fn partly(execution: &Value) -> bool {
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

/// Its name, the code that it is found by, and what it does.
pub(crate) type Tampering = (&'static str, &'static str, Box<dyn Fn(&mut Value)>);

/// What is done to a body, and how it is named; also where the control plane that lies signs it anew.
pub(crate) fn to_bodies() -> Vec<Tampering> {
    [of_the_job(), of_attempts(), of_commitments(), of_proofs(), of_money(), of_the_rest()]
        .into_iter()
        .flatten()
        .collect()
}

fn row(name: &'static str, code: &'static str, with: impl Fn(&mut Value) + 'static) -> Tampering {
    (name, code, Box::new(with))
}

fn of_the_job() -> Vec<Tampering> {
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
        row("bundle", "job_hash_differs", change("/body/job/bundle")),
        row("no time", "receipt_malformed", set("/body/job/ended_at", json!("yesterday"))),
        row("ended before it was admitted", "unproven_differs", |receipt| {
            *at(receipt, "/body/job/ended_at") = json!("2001-01-01T00:00:00.000Z");
        }),
    ]
}

fn of_attempts() -> Vec<Tampering> {
    vec![
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
    ]
}

fn of_commitments() -> Vec<Tampering> {
    vec![
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
    ]
}

fn of_proofs() -> Vec<Tampering> {
    vec![
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
    ]
}

fn of_money() -> Vec<Tampering> {
    vec![
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
    ]
}

fn of_the_rest() -> Vec<Tampering> {
    vec![
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

/// What is done to the rest of a receipt.
pub(crate) fn to_envelopes() -> Vec<Tampering> {
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
