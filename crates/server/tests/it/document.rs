//! The OpenAPI document and the routes are one: what is documented is served, what is served is documented.

use serde_json::Value;
use waag_server::openapi;

use crate::http::Request;
use crate::plane::Plane;

pub(crate) const METHODS: [&str; 6] = ["get", "put", "post", "delete", "patch", "options"];

/// Every documented path, with a value for its parameter, and its methods.
pub(crate) fn documented() -> Vec<(String, Vec<String>)> {
    let document: Value = serde_json::from_str(&openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 10, "{paths:?}");
    paths
        .iter()
        .map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| METHODS.contains(&key.as_str()));
            (path.replace("{job}", "j_0000000000000000"), methods.cloned().collect())
        })
        .collect()
}

#[tokio::test]
async fn document_is_served_as_it_is_committed() {
    let plane = Plane::start().await;
    let reply = Request::new(&plane, "GET", "/v1/openapi.json").send().await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert_eq!(String::from_utf8(reply.body).unwrap(), openapi());
}

// A route that is not there would answer `no such route`, a method that is not there 405.
#[tokio::test]
async fn routes_answer_their_documented_methods_and_no_other() {
    let plane = Plane::start().await;
    for (path, methods) in documented() {
        for method in METHODS {
            let reply = Request::new(&plane, &method.to_uppercase(), &path).send().await;
            if methods.iter().any(|known| known == method) {
                assert_ne!(reply.status, 405, "{method} {path}: {}", reply.text());
                assert!(!reply.text().contains("no such route"), "{method} {path}");
            } else {
                reply.must_be(405, "method_not_allowed");
            }
        }
    }
}

// `OpenApiRouter::route` would add a route that the document does not have.
#[test]
fn routes_are_added_with_their_document_only() {
    let source = include_str!("../../src/user.rs");
    for undocumented in [".route(", ".route_service(", ".nest", ".fallback_service("] {
        assert!(!source.contains(undocumented), "{undocumented}");
    }
}

#[test]
fn every_operation_documents_its_refusals() {
    let document: Value = serde_json::from_str(&openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            let named =
                if path.contains('{') { &["400", "401", "403", "404", "409"][..] } else { &["401", "403"] };
            for status in named {
                assert!(responses.contains_key(*status), "{method} {path} lacks {status}");
            }
            for (status, response) in responses.iter().filter(|(status, _)| status.starts_with('4')) {
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ErrorBody", "{method} {path} {status}");
            }
        }
    }
}

#[tokio::test]
async fn route_that_is_not_there_is_told() {
    let plane = Plane::start().await;
    for path in
        ["/", "/v1", "/v1/", "/v1/jobs/", "/v2/jobs", "/v1/jobs/a/b/c", "/agent/v1/hello", "/../etc/passwd"]
    {
        Request::new(&plane, "GET", path).send().await.must_be(404, "not_found");
    }
}
