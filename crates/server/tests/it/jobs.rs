//! Submissions: taken once, or refused with the reason and what to do.

use futures::future::join_all;
use wire::rest::{AccountDoc, JobDoc, JobsDoc, LogDoc, OffersDoc};

use crate::http::{Reply, Request};
use crate::plane::Plane;

fn submission(file: &str, rest: &serde_json::Value) -> String {
    let mut body = serde_json::json!({ "file": file });
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    body.to_string()
}

async fn submit(plane: &Plane, file: &str, rest: serde_json::Value) -> Reply {
    Request::new(plane, "POST", "/v1/jobs").json(submission(file, &rest)).send().await
}

const JOB: &str = "name: a\nrun: echo\nwaag: { budget: { max_total_usd: 2.00 } }\n";

#[tokio::test]
async fn job_submitted_is_shown_everywhere() {
    let plane = Plane::start().await;
    let reply = submit(&plane, JOB, serde_json::json!({})).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let job: JobDoc = reply.doc();
    assert_eq!((job.name.as_str(), job.state.as_str(), job.existing), ("a", "waiting", false));
    let get = async |target: String| Request::new(&plane, "GET", &target).send().await;
    let listed: JobsDoc = get("/v1/jobs".to_owned()).await.doc();
    assert_eq!(listed.jobs, std::slice::from_ref(&job));
    for name in [job.id.to_string(), job.id.to_string()[..6].to_owned(), "a".to_owned()] {
        assert_eq!(get(format!("/v1/jobs/{name}")).await.doc::<JobDoc>(), job);
    }
    let account: AccountDoc = get("/v1/account".to_owned()).await.doc();
    assert_eq!(
        (account.held_usd.to_string(), account.available_usd.to_string()),
        ("2.00".into(), "8.00".into())
    );
    let log: LogDoc = get("/v1/jobs/a/log?offset=5".to_owned()).await.doc();
    assert_eq!((log.text.as_str(), log.next_offset, log.open), ("", 0, true));
    assert_eq!(get("/v1/jobs/a/explain".to_owned()).await.status, 200);
    assert!(!get("/v1/offers".to_owned()).await.doc::<OffersDoc>().offers.is_empty());
    get("/v1/jobs/a/outputs".to_owned()).await.must_be(404, "not_found");

    Request::new(&plane, "DELETE", "/v1/jobs/a").send().await.must_be(409, "job_open");
    let cancelled = Request::new(&plane, "POST", "/v1/jobs/a/cancel").send().await;
    assert_eq!((cancelled.status, cancelled.doc::<JobDoc>().state.as_str()), (200, "ending"));
}

#[tokio::test]
async fn job_named_by_what_fits_several_is_refused() {
    let plane = Plane::start().await;
    let first: JobDoc = submit(&plane, JOB, serde_json::json!({})).await.doc();
    submit(&plane, JOB, serde_json::json!({})).await;
    let error = Request::new(&plane, "POST", "/v1/jobs/a/cancel").send().await.must_be(409, "ambiguous");
    assert!(error.message.contains(&first.id.to_string()), "{}", error.message);
    Request::new(&plane, "GET", "/v1/jobs/j_").send().await.must_be(409, "ambiguous");
    assert!(plane.engine.job_views(10).await.unwrap().iter().all(|job| job.state == "waiting"));
}

#[tokio::test]
async fn submission_refused_says_why_and_holds_nothing() {
    let plane = Plane::start().await;
    let none = || serde_json::json!({});
    let dear = JOB.replace("2.00", "10.01");
    let error = submit(&plane, &dear, none()).await.must_be(409, "budget_exceeds_account");
    assert!(error.retryable, "a job that ends frees its hold");
    assert!(error.message.contains("10.01") && error.message.contains("10.00"), "{}", error.message);
    let high = JOB.replace("waag: {", "waag: { level: high,");
    let error = submit(&plane, &high, none()).await.must_be(409, "level_unsupported");
    assert!(!error.retryable);
    let secret = format!("{JOB}secrets: {{ KEY: null }}\n");
    submit(&plane, &secret, none()).await.must_be(422, "secret_missing");
    let unknown = serde_json::json!({ "secrets": { "OTHER": "x" } });
    submit(&plane, JOB, unknown).await.must_be(422, "secret_unknown");
    let impossible = format!("{JOB}resources: {{ accelerators: H100:8 }}\n");
    submit(&plane, &impossible, none()).await.must_be(409, "no_admissible_offer");
    let inputs = serde_json::json!({ "inputs": "o_0000000000000000" });
    submit(&plane, JOB, inputs).await.must_be(422, "inputs_missing");
    let account = plane.engine.account_view().await.unwrap();
    assert_eq!((account.held_usd, account.available_usd), ("0".parse().unwrap(), "10".parse().unwrap()));
    assert!(plane.engine.job_views(10).await.unwrap().is_empty());
    assert_eq!(plane.object_files(), 0, "its bundle is not kept");
}

#[tokio::test]
async fn key_used_again_names_the_same_job_or_is_refused() {
    let plane = Plane::start().await;
    let key = serde_json::json!({ "key": "k" });
    let first = submit(&plane, JOB, key.clone()).await;
    let again = submit(&plane, JOB, key.clone()).await;
    assert_eq!((first.status, again.status), (201, 200));
    let (first, again): (JobDoc, JobDoc) = (first.doc(), again.doc());
    assert_eq!((first.id, again.existing), (again.id, true));
    let error = submit(&plane, &JOB.replace("echo", "true"), key).await.must_be(409, "key_reused");
    assert!(error.message.contains(&first.id.to_string()));
}

// Two of them may both find that the key is free; one must win, and the other must be told of the winner's job.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn key_used_at_once_makes_one_job() {
    let plane = Plane::start().await;
    for round in 0..5 {
        let key = format!("key-{round}");
        let replies = join_all((0..8).map(|_| submit(&plane, JOB, serde_json::json!({ "key": key })))).await;
        let ids: Vec<_> = replies.iter().map(|reply| reply.doc::<JobDoc>().id).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
        assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 201)));
        assert_eq!(plane.object_files(), round + 1, "one bundle for each job");
        let cancel = Request::new(&plane, "POST", &format!("/v1/jobs/{}/cancel", ids[0]));
        assert_eq!(cancel.send().await.status, 200);
        plane.engine.fund("2.00".parse().unwrap()).await.unwrap();
    }
    assert_eq!(plane.engine.ledger_check().await.unwrap(), Vec::<String>::new());
}
