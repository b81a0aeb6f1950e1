//! Who is let in.

use crate::document::documented;
use crate::http::{Request, exchange};
use crate::plane::Plane;

// It walks the document, so that a new route cannot be forgotten.
#[tokio::test]
async fn no_route_answers_without_the_token() {
    let plane = Plane::start().await;
    let mut routes = documented();
    routes.push(("/v1/nothing".to_owned(), vec!["get".to_owned(), "patch".to_owned()]));
    routes.push(("/".to_owned(), vec!["get".to_owned(), "options".to_owned()]));
    for (path, methods) in routes {
        for method in methods {
            let request = Request::new(&plane, &method.to_uppercase(), &path).without("Authorization");
            let error = request.send().await.must_be(401, "unauthorized");
            assert!(error.next.unwrap().contains("keys/api-token"), "{method} {path}");
            request.json("{").send().await.must_be(401, "unauthorized");
        }
    }
}

#[tokio::test]
async fn token_that_is_not_ours_is_refused() {
    let plane = Plane::start().await;
    let token = plane.token().to_owned();
    let (shorter, longer) = (&token[..token.len() - 1], format!("{token}0"));
    let upper = token.to_uppercase();
    for wrong in [
        "Bearer ".to_owned(),
        "Bearer".to_owned(),
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer {shorter}"),
        format!("Bearer {longer}"),
        format!("Bearer {token},{token}"),
        format!("Bearer {upper}"),
        format!("Bearer {}", "0".repeat(64)),
    ] {
        let request = Request::new(&plane, "GET", "/v1/health").with("Authorization", &wrong);
        request.send().await.must_be(401, "unauthorized");
    }
    let right = format!("Bearer {token}");
    let twice = Request::new(&plane, "GET", "/v1/health").and("Authorization", &right);
    twice.send().await.must_be(401, "unauthorized");
    let in_query = Request::new(&plane, "GET", &format!("/v1/health?token={token}")).without("Authorization");
    in_query.send().await.must_be(401, "unauthorized");
    assert_eq!(Request::new(&plane, "GET", "/v1/health").send().await.status, 200);
}

// A page of another site whose name was rebound to loopback sends its own name; so does one that lies about the port.
#[tokio::test]
async fn host_that_does_not_name_us_is_refused() {
    let plane = Plane::start().await;
    let port = plane.users.port();
    for foreign in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("evil.example#127.0.0.1:{port}"),
        format!("user@127.0.0.1:{port}"),
        format!("127.0.0.1:{}", port.wrapping_add(1)),
        format!("localhost:{}", port.wrapping_add(1)),
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        format!("127.0.0.2:{port}"),
        format!("127.0.0.1:0{port}"),
        format!("0.0.0.0:{port}"),
        format!("2130706433:{port}"),
        format!("localhost.:{port}"),
        String::new(),
    ] {
        let request = Request::new(&plane, "GET", "/v1/health").with("Host", &foreign);
        request.send().await.must_be(403, "foreign_host");
        request.without("Authorization").send().await.must_be(403, "foreign_host");
    }
    for own in ["127.0.0.1", "localhost", "LocalHost", "[::1]"] {
        let request = Request::new(&plane, "GET", "/v1/health").with("Host", &format!("{own}:{port}"));
        assert_eq!(request.send().await.status, 200, "{own}");
    }
}

#[tokio::test]
async fn host_that_is_missing_repeated_or_overridden_is_refused() {
    let plane = Plane::start().await;
    let good = Request::new(&plane, "GET", "/v1/health");
    good.clone().without("Host").send().await.must_be(403, "foreign_host");
    good.clone().without("Host").version("HTTP/1.0").send().await.must_be(403, "foreign_host");
    good.clone().and("Host", "evil.example").send().await.must_be(403, "foreign_host");
    good.and("Host", &plane.users.to_string()).send().await.must_be(403, "foreign_host");
    let overridden = Request::new(&plane, "GET", "http://evil.example/v1/health");
    overridden.send().await.must_be(403, "foreign_host");
    let absolute = Request::new(&plane, "GET", &format!("http://{}/v1/health", plane.users));
    assert_eq!(absolute.send().await.status, 200);
}

#[tokio::test]
async fn page_of_another_origin_is_refused() {
    let plane = Plane::start().await;
    let port = plane.users.port();
    for foreign in [
        "null".to_owned(),
        String::new(),
        "http://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        format!("http://127.0.0.1.evil.example:{port}"),
        format!("http://127.0.0.1:{}", port.wrapping_add(1)),
        "http://127.0.0.1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("file://127.0.0.1:{port}"),
        format!("127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port} http://evil.example"),
    ] {
        for method in ["GET", "OPTIONS"] {
            let request = Request::new(&plane, method, "/v1/health").with("Origin", &foreign);
            let reply = request.send().await;
            reply.must_be(403, "foreign_origin");
            assert_eq!(reply.header("access-control-allow-origin"), None);
        }
    }
    let own = format!("http://localhost:{port}");
    let request = Request::new(&plane, "GET", "/v1/health").with("Origin", &own);
    assert_eq!(request.send().await.status, 200);
    request.and("Origin", &own).send().await.must_be(403, "foreign_origin");
}

// The client never sends what it declares, so an answer can only come from who did not wait for it.
#[tokio::test]
async fn stranger_is_answered_before_its_body_is_read() {
    let plane = Plane::start().await;
    for (method, path) in [("PUT", "/v1/inputs"), ("POST", "/v1/jobs"), ("POST", "/v1/offers")] {
        let stranger = Request::new(&plane, method, path).without("Authorization");
        let declared = stranger.clone().with("Content-Length", "17179869184");
        declared.send().await.must_be(401, "unauthorized");
        let waiting = declared.with("Expect", "100-continue").send().await;
        waiting.must_be(401, "unauthorized");
        let endless = stranger.with("Transfer-Encoding", "chunked");
        endless.send().await.must_be(401, "unauthorized");
    }
    assert_eq!(plane.object_files(), 0);
}

#[tokio::test]
async fn other_protocols_on_the_port_do_no_harm() {
    let plane = Plane::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/health\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET /v1/he alth HTTP/1.1\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost : x\r\n\r\n",
    ] {
        let reply = exchange(plane.users, bytes).await;
        let status = reply.map(|reply| reply.status);
        assert!(status.is_none_or(|status| status == 400), "{status:?} {}", bytes.escape_ascii());
    }
    assert_eq!(Request::new(&plane, "GET", "/v1/health").send().await.status, 200);
}

#[tokio::test]
async fn head_that_is_too_large_is_refused() {
    let plane = Plane::start().await;
    let long = Request::new(&plane, "GET", "/v1/health").with("X-Long", &"a".repeat(2_000_000));
    assert_eq!(long.send().await.status, 431);
    let mut many = Request::new(&plane, "GET", "/v1/health");
    many.headers.extend((0..1000).map(|n| (format!("X-{n}"), "a".to_owned())));
    assert_eq!(many.send().await.status, 431);
    let target = Request::new(&plane, "GET", &format!("/v1/jobs/{}", "a".repeat(70_000)));
    assert_eq!(target.send().await.status, 414);
    assert_eq!(Request::new(&plane, "GET", "/v1/health").send().await.status, 200);
}
