//! Bodies, queries and paths that are not what they should be.

use crate::http::{Request, exchange};
use crate::plane::{Plane, UPLOAD_BYTES_MAX};
use wire::rest::InputsDoc;

const JOB: &str = r#"{"file": "name: a\nrun: echo\n"}"#;

#[tokio::test]
async fn json_body_that_is_too_large_is_refused() {
    let plane = Plane::start().await;
    let large = format!("{{\"file\": \"{}\"}}", "a".repeat(5 * 1024 * 1024));
    for path in ["/v1/jobs", "/v1/offers"] {
        let request = Request::new(&plane, "POST", path);
        request.clone().json(large.clone()).send().await.must_be(413, "too_large");
        let chunks: Vec<&[u8]> = large.as_bytes().chunks(100_000).collect();
        let streamed = request.with("Content-Type", "application/json").chunked(&chunks);
        streamed.send().await.must_be(413, "too_large");
    }
}

#[tokio::test]
async fn json_body_that_is_malformed_is_refused() {
    let plane = Plane::start().await;
    let malformed: [&[u8]; 8] = [
        b"",
        b"{",
        b"name: a",
        b"{\"file\": \"a\"} trailing",
        b"{\"file\": \"\xff\xfe\"}",
        b"{\"file\": 'a'}",
        b"{\"file\": \"a\",}",
        b"{\"file\": \"\\ud800\"}",
    ];
    for body in malformed {
        for path in ["/v1/jobs", "/v1/offers"] {
            let error =
                Request::new(&plane, "POST", path).json(body).send().await.must_be(400, "body_malformed");
            assert!(error.message.len() < 500, "{}", error.message);
        }
    }
}

#[tokio::test]
async fn json_body_of_another_shape_is_refused_by_field() {
    let plane = Plane::start().await;
    // Nested deeper than any stack: it must be refused before it is followed.
    let deep = format!("{{\"file\": {}", "[".repeat(1_000_000));
    for (body, named) in [
        (deep.as_str(), "file"),
        ("[]", "SubmitJob"),
        ("null", "null"),
        ("{}", "file"),
        (r#"{"file": 7}"#, "file"),
        (r#"{"file": "a", "file": "b"}"#, "file"),
        (r#"{"file": "a", "surprise": 1}"#, "surprise"),
        (r#"{"file": "a", "secrets": ["b"]}"#, "secrets"),
        (r#"{"file": "a", "inputs": "j_0000000000000000"}"#, "inputs"),
        (r#"{"file": "a", "inputs": "../../etc/passwd"}"#, "inputs"),
    ] {
        let error =
            Request::new(&plane, "POST", "/v1/jobs").json(body).send().await.must_be(422, "body_malformed");
        assert!(error.message.contains(named), "{body}: {}", error.message);
    }
}

#[tokio::test]
async fn json_body_of_another_content_type_is_refused() {
    let plane = Plane::start().await;
    // A form can be sent by any page without being asked first; JSON cannot.
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/yaml", ""]
    {
        let request = Request::new(&plane, "POST", "/v1/jobs").json(JOB).with("Content-Type", kind);
        request.send().await.must_be(415, "content_type");
    }
    let request = Request::new(&plane, "POST", "/v1/jobs").json(JOB).without("Content-Type");
    request.send().await.must_be(415, "content_type");
    assert!(plane.engine.job_views(10).await.unwrap().is_empty());
    let charset = Request::new(&plane, "POST", "/v1/jobs")
        .json(JOB)
        .with("Content-Type", "application/json; charset=utf-8");
    assert_eq!(charset.send().await.status, 201);
}

#[tokio::test]
async fn length_that_is_a_lie_is_refused() {
    let plane = Plane::start().await;
    let request = Request::new(&plane, "POST", "/v1/jobs").json(JOB);
    for (name, value) in [("Content-Length", "x"), ("Content-Length", "-1"), ("Transfer-Encoding", "gzip")] {
        assert_eq!(request.clone().with(name, value).send().await.status, 400, "{name}: {value}");
    }
    let two = request.clone().and("Content-Length", "3");
    assert_eq!(two.send().await.status, 400);
    let shorter = request.with("Content-Length", "10").send().await;
    shorter.must_be(400, "body_malformed");
    assert!(plane.engine.job_views(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn inputs_that_are_too_large_are_refused_and_not_kept() {
    let plane = Plane::start().await;
    let put = Request::new(&plane, "PUT", "/v1/inputs");
    // Nothing is sent, so only who looks at the declared length can answer.
    let declared = put.clone().with("Content-Length", &(UPLOAD_BYTES_MAX + 1).to_string());
    declared.send().await.must_be(413, "too_large");
    let whole = vec![7u8; usize::try_from(UPLOAD_BYTES_MAX).unwrap()];
    let mut chunks: Vec<&[u8]> = whole.chunks(500_000).collect();
    chunks.push(b"a");
    let error = put.clone().chunked(&chunks).send().await.must_be(413, "too_large");
    assert!(error.message.contains(&UPLOAD_BYTES_MAX.to_string()), "{}", error.message);
    assert_eq!(plane.object_files(), 0);
    let reply = put.body(whole).send().await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.doc::<InputsDoc>().bytes, UPLOAD_BYTES_MAX);
    assert_eq!(plane.object_files(), 1);
}

#[tokio::test]
async fn inputs_without_a_body_are_refused() {
    let plane = Plane::start().await;
    let put = Request::new(&plane, "PUT", "/v1/inputs");
    put.send().await.must_be(400, "body_malformed");
    put.clone().body("").send().await.must_be(400, "body_malformed");
    put.chunked(&[]).send().await.must_be(400, "body_malformed");
    assert_eq!(plane.object_files(), 0);
}

#[tokio::test]
async fn inputs_that_break_off_are_not_kept() {
    let plane = Plane::start().await;
    let head = format!(
        "PUT /v1/inputs HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n",
        plane.users,
        plane.token()
    );
    let broken = format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n");
    for request in [format!("{head}Content-Length: 100\r\n\r\nabc"), broken.clone()] {
        let stream = tokio::net::TcpStream::connect(plane.users).await.unwrap();
        stream.writable().await.unwrap();
        assert_eq!(stream.try_write(request.as_bytes()).unwrap(), request.len());
    }
    let reply = exchange(plane.users, broken.as_bytes()).await.unwrap();
    reply.must_be(408, "broke_off");
    assert_eq!(plane.object_files(), 0);
}

#[tokio::test]
async fn query_that_is_not_understood_is_refused() {
    let plane = Plane::start().await;
    let job = "/v1/jobs/j_0000000000000000/log";
    for target in [
        "/v1/jobs?limit=many",
        "/v1/jobs?limit=-1",
        "/v1/jobs?limit=4294967296",
        "/v1/jobs?limit=1001",
        "/v1/jobs?limit=1&limit=2",
        "/v1/jobs?limit=",
        "/v1/jobs?Limit=1",
        "/v1/jobs?page=2",
        &format!("{job}?offset=abc"),
        &format!("{job}?offset=-1"),
        &format!("{job}?offset=18446744073709551616"),
        &format!("{job}?offset=9223372036854775808"),
        &format!("{job}?from=1"),
    ] {
        Request::new(&plane, "GET", target).send().await.must_be(400, "query_malformed");
    }
    for target in ["/v1/jobs?limit=1000", "/v1/jobs?limit=0", "/v1/jobs?", "/v1/jobs"] {
        assert_eq!(Request::new(&plane, "GET", target).send().await.status, 200, "{target}");
    }
}

#[tokio::test]
async fn path_that_names_nothing_is_refused() {
    let plane = Plane::start().await;
    for (method, tail) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("GET", "/explain"),
        ("GET", "/log"),
        ("GET", "/outputs"),
    ] {
        for name in ["%ff", "%c3%28"] {
            let request = Request::new(&plane, method, &format!("/v1/jobs/{name}{tail}"));
            request.send().await.must_be(400, "path_malformed");
        }
        for name in [
            "j_0000000000000000",
            "j_",
            "nobody",
            "..",
            "%2e%2e%2fkeys",
            "a%00b",
            "%25",
            "'%20OR%201=1",
            "%e2%80%ae",
        ] {
            let reply = Request::new(&plane, method, &format!("/v1/jobs/{name}{tail}")).send().await;
            let error = reply.must_be(404, "not_found");
            assert!(error.message.is_ascii() && !error.message.contains('\0'), "{}", error.message);
        }
        let long = Request::new(&plane, method, &format!("/v1/jobs/{}{tail}", "a".repeat(20_000)));
        let error = long.send().await.must_be(404, "not_found");
        assert!(error.message.len() < 200, "{}", error.message);
    }
}

#[tokio::test]
async fn job_file_with_errors_is_refused_with_its_place() {
    let plane = Plane::start().await;
    for (file, named) in [
        ("name: a\nrum: echo\n", "rum"),
        ("name: a\nrun: echo\nnum_nodes: 4\n", "num_nodes"),
        ("name: a\nrun: [1]\n", "run"),
        ("run: &a [*a, *a]\n", "team.yaml"),
        ("", "team.yaml"),
    ] {
        let body = serde_json::json!({ "file": file, "file_name": "team.yaml" }).to_string();
        for path in ["/v1/jobs", "/v1/offers"] {
            let reply = Request::new(&plane, "POST", path).json(body.clone()).send().await;
            let error = reply.must_be(422, "job_file_invalid");
            assert!(error.message.contains(named), "{file}: {}", error.message);
            assert!(error.message.contains("team.yaml"), "{file}: {}", error.message);
            assert!(!error.retryable);
        }
    }
    assert!(plane.engine.job_views(10).await.unwrap().is_empty());
}
