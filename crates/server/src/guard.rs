//! Who may use the user API. It runs commands, so it answers only who holds the token, and a browser only on a page that
//! came from here: a page of another site can reach loopback, but it sends its own Origin, and a rebound name its own
//! Host.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::Engine;

use crate::error::ApiError;

/// The port on which Host and Origin must name us.
#[derive(Clone)]
pub struct Guard {
    hosts: Arc<[String]>,
}

impl Guard {
    /// Admits requests that name this port of this machine.
    pub fn new(port: u16) -> Self {
        Self { hosts: ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")).into() }
    }

    fn check(&self, engine: &Engine, request: &Request) -> Result<(), ApiError> {
        let ours = |host: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        // A target with a host of its own (`GET http://.. HTTP/1.1`) overrides the header.
        let target_ours = request.uri().authority().is_none_or(|host| ours(host.as_str()));
        if !(target_ours && only(request, &header::HOST).is_some_and(|host| host.is_some_and(ours))) {
            let message = "the Host header does not name this control plane";
            let next = "use http://127.0.0.1 and its port";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "foreign_host", message, next));
        }
        let origin = only(request, &header::ORIGIN);
        let from_here = |origin: &str| origin.strip_prefix("http://").is_some_and(ours);
        if !origin.is_none_or(|origin| origin.is_some_and(from_here)) {
            let message = "requests from pages of other origins are not served";
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "foreign_origin",
                message,
                "use the command line",
            ));
        }
        let token = only(request, &header::AUTHORIZATION).flatten().and_then(|v| v.strip_prefix("Bearer "));
        if !token.is_some_and(|token| engine.user_admits(token)) {
            let message = "the request has no valid token";
            let next =
                "send `Authorization: Bearer <token>`; the token is in keys/api-token of the data folder";
            return Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message, next));
        }
        Ok(())
    }
}

/// The header's value: `None` where it is missing, `Some(None)` where it is repeated or no text, which is never right.
fn only<'r>(request: &'r Request, name: &HeaderName) -> Option<Option<&'r str>> {
    let mut values = request.headers().get_all(name).iter();
    let first = values.next()?;
    Some(values.next().is_none().then(|| first.to_str().ok()).flatten())
}

pub(crate) async fn admit(
    State((engine, guard)): State<(Engine, Guard)>,
    request: Request,
    next: Next,
) -> Response {
    match guard.check(&engine, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}
