//! The agent API: TLS only, a token for each execution, and nothing of another job.

use custody::{DataKey, InstanceKey, OsEntropy, pinned_client_config, wrap};
use domain::Millis;
use reqwest::{Method, RequestBuilder};
use wire::agent::{
    BootDoc, Commitment, Finish, FinishResult, Heartbeat, Hello, Introduction, LOG_CHUNK_BYTES_MAX,
    NEXT_OFFSET_HEADER, PROTOCOL, SandboxKind, UploadReceipt, WRAP_INFO, WRAPPED_KEY_HEADER, Welcome,
};
use wire::rest::{ErrorBody, LogDoc};

use crate::http::{Request, exchange, must_be};
use crate::plane::{Plane, UPLOAD_BYTES_MAX};

const JOB: &str = r#"{"file": "name: a\nrun: echo\nwaag: { budget: { max_total_usd: 2.00 } }\n"}"#;

/// What an agent has: its boot document, a client that trusts the pin, and its key.
struct Agent {
    boot: BootDoc,
    http: reqwest::Client,
    instance: InstanceKey,
}

fn client(pin: &str) -> reqwest::Client {
    let tls = pinned_client_config(pin.parse().unwrap()).unwrap();
    reqwest::Client::builder().tls_backend_preconfigured(tls).http1_only().no_proxy().build().unwrap()
}

impl Agent {
    fn new(boot: BootDoc) -> Self {
        Self { http: client(&boot.pin), instance: InstanceKey::mint(&OsEntropy), boot }
    }

    fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/agent/v1/{path}", self.boot.url))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(self.boot.token().unwrap())
    }

    fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL,
            instance_key: self.instance.public().to_string(),
            sandbox: SandboxKind::Namespaces,
            introduction: None,
            agent: None,
        }
    }

    async fn welcome(&self) -> Welcome {
        let reply = self.request(Method::POST, "hello").json(&self.hello()).send().await.unwrap();
        assert_eq!(reply.status(), 200);
        reply.json().await.unwrap()
    }

    fn upload(&self, path: &str, welcome: &Welcome, body: Vec<u8>) -> RequestBuilder {
        let to = welcome.customer_key.parse().unwrap();
        let wrapped = wrap(&DataKey::mint(&OsEntropy), &to, WRAP_INFO, &OsEntropy).unwrap();
        let hex: String = wrapped.iter().map(|byte| format!("{byte:02x}")).collect();
        self.request(Method::PUT, path).header(WRAPPED_KEY_HEADER, hex).body(body)
    }
}

async fn refused(request: RequestBuilder, status: u16, code: &str) -> ErrorBody {
    let reply = request.send().await.unwrap();
    let found = reply.status().as_u16();
    let content_type = reply.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let body = reply.bytes().await.unwrap();
    must_be((found, content_type.as_deref(), &body), status, code)
}

/// A control plane with an agent for each of `count` jobs.
async fn with_agents(count: usize) -> (Plane, Vec<Agent>) {
    let plane = Plane::start().await;
    for _ in 0..count {
        assert_eq!(Request::new(&plane, "POST", "/v1/jobs").json(JOB).send().await.status, 201);
    }
    let agents = plane.agents_started(count).await.into_iter().map(Agent::new).collect();
    (plane, agents)
}

const ROUTES: [(Method, &str); 7] = [
    (Method::POST, "hello"),
    (Method::POST, "heartbeat"),
    (Method::POST, "finish"),
    (Method::POST, "logs?offset=0"),
    (Method::GET, "objects/o_0000000000000000"),
    (Method::PUT, "checkpoints/1"),
    (Method::PUT, "outputs"),
];

/// A body that each route would take.
fn body_of(agent: &Agent, path: &str) -> Vec<u8> {
    match path {
        "hello" => serde_json::to_vec(&agent.hello()).unwrap(),
        "heartbeat" => serde_json::to_vec(&Heartbeat { seq: 1, segments_done: 0 }).unwrap(),
        "finish" => {
            serde_json::to_vec(&Finish { result: FinishResult::Completed, segments_done: 0 }).unwrap()
        }
        _ => b"bytes".to_vec(),
    }
}

#[tokio::test]
async fn agent_route_without_an_agent_token_answers_nothing() {
    let (plane, agents) = with_agents(1).await;
    let agent = &agents[0];
    let user = plane.token();
    for (method, path) in ROUTES {
        let request = || {
            agent
                .bare(method.clone(), path)
                .header("content-type", "application/json")
                .header(WRAPPED_KEY_HEADER, "00")
                .body(body_of(agent, path))
        };
        refused(request(), 401, "token_unknown").await;
        refused(request().bearer_auth("0".repeat(64)), 401, "token_unknown").await;
        refused(request().bearer_auth(""), 401, "token_unknown").await;
        refused(request().basic_auth(agent.boot.token().unwrap(), Some("")), 401, "token_unknown").await;
        refused(request().bearer_auth(user), 401, "token_unknown").await;
    }
    let as_user = Request::new(&plane, "GET", "/v1/jobs");
    let as_user = as_user.with("Authorization", &format!("Bearer {}", agent.boot.token().unwrap()));
    as_user.send().await.must_be(401, "unauthorized");
    assert_eq!(plane.engine.job_views(1).await.unwrap()[0].executions[0].state, "starting");
}

// The stranger declares sixteen gibibytes and sends nothing.
#[tokio::test]
async fn upload_of_a_stranger_is_answered_before_it_is_read() {
    let (plane, agents) = with_agents(1).await;
    let agent = &agents[0];
    for path in ["checkpoints/1", "outputs"] {
        let endless =
            reqwest::Body::wrap_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let request = agent.bare(Method::PUT, path).header(WRAPPED_KEY_HEADER, "00").body(endless);
        refused(request.bearer_auth("0".repeat(64)), 401, "token_unknown").await;
    }
    assert_eq!(plane.object_files(), 1, "the bundle only");
}

#[tokio::test]
async fn agent_request_that_is_malformed_is_refused() {
    let (_plane, agents) = with_agents(1).await;
    let agent = &agents[0];
    let json = |path: &str, body: &str| {
        let request = agent.request(Method::POST, path).header("content-type", "application/json");
        request.body(body.to_owned())
    };
    for path in ["hello", "heartbeat", "finish"] {
        refused(json(path, "{"), 400, "body_malformed").await;
        refused(json(path, "[]"), 422, "body_malformed").await;
        let text = agent.request(Method::POST, path).header("content-type", "text/plain").body("{}");
        refused(text, 415, "content_type").await;
        refused(agent.request(Method::POST, path), 415, "content_type").await;
        refused(json(path, &format!("{{\"a\": \"{}\"}}", "a".repeat(70_000))), 413, "too_large").await;
        refused(agent.request(Method::GET, path), 405, "method_not_allowed").await;
    }
    refused(agent.request(Method::GET, "nothing"), 404, "not_found").await;
    refused(agent.request(Method::POST, "logs"), 400, "query_malformed").await;
    refused(agent.request(Method::POST, "logs?offset=-1"), 400, "query_malformed").await;
    refused(agent.request(Method::PUT, "checkpoints/first"), 400, "path_malformed").await;
    refused(agent.request(Method::PUT, "checkpoints/4294967296"), 400, "path_malformed").await;
    refused(agent.request(Method::GET, "objects/%ff"), 400, "path_malformed").await;
    refused(agent.request(Method::GET, "objects/..%2fkeys"), 422, "malformed").await;
    let other_protocol = Hello { protocol: PROTOCOL + 1, ..agent.hello() };
    refused(agent.request(Method::POST, "hello").json(&other_protocol), 422, "malformed").await;
    let no_key = Hello { instance_key: "00".to_owned(), ..agent.hello() };
    refused(agent.request(Method::POST, "hello").json(&no_key), 422, "malformed").await;
}

#[tokio::test]
async fn agent_upload_that_is_not_as_agreed_is_refused_and_not_kept() {
    let (plane, agents) = with_agents(1).await;
    let agent = &agents[0];
    let welcome = agent.welcome().await;
    let segments = welcome.segments;
    for path in ["checkpoints/1", "outputs"] {
        refused(agent.request(Method::PUT, path).body("bytes"), 422, "malformed").await;
        for wrong in ["", "zz", "00ff"] {
            let request = agent.request(Method::PUT, path).header(WRAPPED_KEY_HEADER, wrong).body("bytes");
            refused(request, 422, "malformed").await;
        }
        refused(agent.upload(path, &welcome, Vec::new()), 422, "malformed").await;
        let large = vec![1; usize::try_from(UPLOAD_BYTES_MAX).unwrap() + 1];
        refused(agent.upload(path, &welcome, large), 413, "too_large").await;
    }
    let beyond = format!("checkpoints/{}", segments + 1);
    refused(agent.upload(&beyond, &welcome, b"bytes".to_vec()), 422, "malformed").await;
    assert_eq!(plane.object_files(), 1, "the bundle only");

    let stored = agent.upload("outputs", &welcome, b"bytes".to_vec()).send().await.unwrap();
    let receipt: UploadReceipt = stored.json().await.unwrap();
    assert_eq!((receipt.execution, receipt.segment), (agent.boot.execution, None));
    assert_eq!(plane.object_files(), 2);
}

#[tokio::test]
async fn agent_fetches_what_is_its_jobs_and_nothing_else() {
    let (_plane, agents) = with_agents(2).await;
    let (first, second) = (&agents[0], &agents[1]);
    let (own, foreign) = (first.welcome().await.bundle.object, second.welcome().await.bundle.object);
    let fetched = first.request(Method::GET, &format!("objects/{own}")).send().await.unwrap();
    assert_eq!(fetched.status(), 200);
    assert!(!fetched.bytes().await.unwrap().is_empty());
    refused(first.request(Method::GET, &format!("objects/{foreign}")), 404, "not_found").await;
    refused(first.request(Method::GET, "objects/o_0000000000000000"), 404, "not_found").await;
}

#[tokio::test]
async fn agent_log_is_taken_in_pieces_that_join() {
    let (plane, agents) = with_agents(1).await;
    let agent = &agents[0];
    agent.welcome().await;
    let send = |offset: u64, bytes: Vec<u8>| {
        agent.request(Method::POST, &format!("logs?offset={offset}")).body(bytes)
    };
    refused(send(0, vec![b'a'; LOG_CHUNK_BYTES_MAX + 1]), 413, "too_large").await;
    assert_eq!(send(0, b"one\n".to_vec()).send().await.unwrap().status(), 200);
    let gap = send(9, b"late".to_vec()).send().await.unwrap();
    assert_eq!((gap.status().as_u16(), gap.headers()[NEXT_OFFSET_HEADER].to_str().unwrap()), (416, "4"));
    refused(send(u64::MAX, b"late".to_vec()), 416, "log_gap").await;
    assert_eq!(send(2, b"e\ntwo\n".to_vec()).send().await.unwrap().status(), 200);
    let log: LogDoc = Request::new(&plane, "GET", "/v1/jobs/a/log").send().await.doc();
    assert_eq!((log.text.as_str(), log.next_offset), ("one\ntwo\n", 8));
}

// The job is cancelled while its agent is in the middle of an upload.
#[tokio::test]
async fn agent_upload_of_an_execution_that_ended_meanwhile_is_not_kept() {
    for path in ["checkpoints/1", "outputs"] {
        let (plane, agents) = with_agents(1).await;
        let agent = &agents[0];
        let welcome = agent.welcome().await;
        let (sender, receiver) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
        let body = reqwest::Body::wrap_stream(receiver);
        let upload = tokio::spawn(agent.upload(path, &welcome, Vec::new()).body(body).send());
        sender.unbounded_send(Ok(b"half".to_vec())).unwrap();
        while plane.object_files() < 2 {
            tokio::task::yield_now().await;
        }
        let cancel = Request::new(&plane, "POST", "/v1/jobs/a/cancel").send().await;
        assert_eq!(cancel.status, 200);
        drop(sender);
        assert_eq!(upload.await.unwrap().unwrap().status(), 410, "{path}");
        assert_eq!(plane.object_files(), 1, "the bundle only");
    }
}

#[tokio::test]
async fn agent_of_another_instance_or_an_ended_execution_is_told_so() {
    let (plane, agents) = with_agents(1).await;
    let agent = &agents[0];
    agent.welcome().await;
    agent.welcome().await;
    let other = Hello { instance_key: InstanceKey::mint(&OsEntropy).public().to_string(), ..agent.hello() };
    refused(agent.request(Method::POST, "hello").json(&other), 409, "other_instance").await;
    Request::new(&plane, "POST", "/v1/jobs/a/cancel").send().await;
    plane.pass(Millis(10));
    for (method, path) in ROUTES {
        let request = agent.request(method, path).header("content-type", "application/json");
        let request = request.header(WRAPPED_KEY_HEADER, "00").body(body_of(agent, path));
        refused(request, 410, "execution_ended").await;
    }
}

#[tokio::test]
async fn plain_http_on_the_tls_port_gets_no_answer_and_does_no_harm() {
    let (plane, agents) = with_agents(1).await;
    for bytes in [
        &b"POST /agent/v1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"[..],
        b"\x16\x03\x01\xff\xff",
        b"\0",
    ] {
        assert!(exchange(plane.agents, bytes).await.is_none_or(|reply| reply.status == 400));
    }
    agents[0].welcome().await;
}

#[tokio::test]
async fn server_whose_certificate_is_not_the_pinned_one_gets_no_token() {
    let (_plane, agents) = with_agents(1).await;
    let foreign = client(&Plane::foreign_identity().pin().to_string());
    let url = format!("{}/agent/v1/heartbeat", agents[0].boot.url);
    let refused = foreign.post(url).bearer_auth(agents[0].boot.token().unwrap()).send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    agents[0].welcome().await;
}

/// Only a network whose providers introduce their agents admits one without a token, and only such an agent commits.
#[tokio::test]
async fn agent_that_nobody_introduced_is_not_admitted_by_its_own_word() {
    let (_plane, agents) = with_agents(1).await;
    let agent = &agents[0];
    agent.welcome().await;
    let introduction = |execution| Introduction {
        execution,
        agent: format!("0x{}", "11".repeat(20)),
        delegation: format!("0x{}", "22".repeat(65)),
        signature: format!("0x{}", "33".repeat(65)),
    };
    let hello = |one| Hello { introduction: Some(one), ..agent.hello() };
    let said = |one| agent.bare(Method::POST, "hello").bearer_auth("mine").json(&hello(one));
    refused(said(introduction(agent.boot.execution)), 401, "token_unknown").await;
    refused(said(introduction(domain::ExecutionId::from_bytes([9; 10]))), 401, "token_unknown").await;
    let no_hex = Introduction { delegation: "22".to_owned(), ..introduction(agent.boot.execution) };
    refused(said(no_hex), 401, "token_unknown").await;
    let commitment = |root: &str| Commitment {
        root: root.to_owned(),
        leaf_count: 1,
        signature: format!("0x{}", "44".repeat(65)),
        digest: format!("0x{}", "66".repeat(32)),
        outputs: false,
    };
    let whole = commitment(&format!("0x{}", "55".repeat(32)));
    let tell = |one| agent.request(Method::POST, "commitment").json(&one);
    refused(tell(whole), 422, "malformed").await;
    refused(tell(commitment("0x55")), 422, "malformed").await;
}
