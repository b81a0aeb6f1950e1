//! The chain over HTTP, for cast, wallets and other programs: JSON-RPC 2.0 over POST. There are no unlocked accounts and
//! no control methods; what a caller may change it must have signed.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::EmbeddedChain;

const BODY_BYTES_MAX: usize = 1024 * 1024;

pub(super) fn router(chain: EmbeddedChain) -> axum::Router {
    axum::Router::new()
        .route("/", post(answer))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(chain)
}

async fn answer(State(chain): State<EmbeddedChain>, headers: HeaderMap, body: Bytes) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // A web page can send any other type to this address without asking the browser first.
    if !content_type
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("application/json"))
    {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json").into_response();
    }
    match chain.answer(&body).await {
        Some(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}
