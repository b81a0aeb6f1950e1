//! Who may use the user API. It runs commands, so it answers only who holds the token, and a browser only on a page that
//! came from here: a page of another site can reach loopback, but it sends its own Origin, and a rebound name its own
//! Host.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use custody::Secret;

use crate::error::ApiError;

/// The token, and the port on which Host and Origin must name us.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

struct Inner {
    token: Secret,
    hosts: Vec<String>,
}

impl Guard {
    /// Admits requests with this token that name this port of this machine.
    pub fn new(token: Secret, port: u16) -> Self {
        let hosts = ["127.0.0.1", "localhost", "[::1]"].iter().map(|host| format!("{host}:{port}")).collect();
        Self { inner: Arc::new(Inner { token, hosts }) }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let ours = |host: &str| self.inner.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        if !text(header::HOST).is_some_and(ours) {
            let message = "the Host header does not name this control plane";
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "foreign_host",
                message,
                "use http://127.0.0.1 and its port",
            ));
        }
        if let Some(origin) = text(header::ORIGIN)
            && !origin.strip_prefix("http://").is_some_and(ours)
        {
            let message = "requests from pages of other origins are not served";
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "foreign_origin",
                message,
                "use the command line",
            ));
        }
        let token = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.inner.token.matches(token)) {
            let message = "the request has no valid token";
            let next =
                "send `Authorization: Bearer <token>`; the token is in keys/api-token of the data folder";
            return Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message, next));
        }
        Ok(())
    }
}

pub(crate) async fn admit(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}
