//! The agent API: see `wire::agent` for the protocol.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use domain::ObjectId;
use engine::{AgentRefusal, Engine};
use serde::Deserialize;
use wire::agent::{
    Acknowledgement, COMMITMENT_HEADER, Commitment, Finish, Heartbeat, Hello, JSON_BYTES_MAX,
    LOG_CHUNK_BYTES_MAX, LogAck, Orders, UploadReceipt, WRAPPED_KEY_HEADER, Welcome,
};

use wire::openings::{OpeningRequest, Openings};

use crate::error::{AgentError, ApiError};
use crate::extract::{Doc, Params, Piece, Segment};

const SEE: &str = "speak agent protocol 1";

/// The routes for agents.
pub fn agent_api(engine: Engine) -> Router {
    let small = Router::new()
        .route("/agent/v1/hello", post(hello))
        .route("/agent/v1/heartbeat", post(heartbeat))
        .route("/agent/v1/finish", post(finish))
        .route("/agent/v1/commitment", post(commit))
        .route("/agent/v1/openings", post(openings))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX));
    let logs =
        Router::new().route("/agent/v1/logs", post(logs)).layer(DefaultBodyLimit::max(LOG_CHUNK_BYTES_MAX));
    // Uploads are streamed; the engine bounds them.
    let streams = Router::new()
        .route("/agent/v1/objects/{id}", get(object))
        .route("/agent/v1/checkpoints/{segment}", put(checkpoint))
        .route("/agent/v1/outputs", put(outputs))
        .layer(DefaultBodyLimit::disable());
    small
        .merge(logs)
        .merge(streams)
        .fallback(async || ApiError::no_route(SEE))
        .method_not_allowed_fallback(async || ApiError::no_method(SEE))
        .with_state(engine)
}

/// The agent's token.
struct Token(String);

impl<S: Send + Sync> FromRequestParts<S> for Token {
    type Rejection = AgentError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, AgentError> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            value.and_then(|value| value.strip_prefix("Bearer ")).ok_or(AgentError(AgentRefusal::Unknown))?;
        Ok(Self(token.to_owned()))
    }
}

async fn hello(
    State(engine): State<Engine>,
    Token(token): Token,
    Doc(hello): Doc<Hello>,
) -> Result<Json<Welcome>, AgentError> {
    Ok(Json(engine.agent_hello(&token, &hello).await?))
}

async fn heartbeat(
    State(engine): State<Engine>,
    Token(token): Token,
    Doc(beat): Doc<Heartbeat>,
) -> Result<Json<Orders>, AgentError> {
    Ok(Json(engine.agent_heartbeat(&token, &beat).await?))
}

async fn commit(
    State(engine): State<Engine>,
    Token(token): Token,
    Doc(commitment): Doc<Commitment>,
) -> Result<Json<Acknowledgement>, AgentError> {
    Ok(Json(engine.agent_commitment(&token, &commitment).await?))
}

/// Without a token: the validator signs its request.
async fn openings(
    State(engine): State<Engine>,
    Doc(request): Doc<OpeningRequest>,
) -> Result<Json<Openings>, AgentError> {
    Ok(Json(engine.openings(&request).await?))
}

async fn finish(
    State(engine): State<Engine>,
    Token(token): Token,
    Doc(finish): Doc<Finish>,
) -> Result<Json<Orders>, AgentError> {
    Ok(Json(engine.agent_finish(&token, &finish).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offset {
    offset: u64,
}

async fn logs(
    State(engine): State<Engine>,
    Token(token): Token,
    Params(Offset { offset }): Params<Offset>,
    Piece(bytes): Piece,
) -> Result<Json<LogAck>, AgentError> {
    let stored = engine.agent_logs(&token, offset, &bytes).await?;
    Ok(Json(LogAck { next_offset: stored.next_offset }))
}

async fn object(
    State(engine): State<Engine>,
    Token(token): Token,
    Segment(id): Segment<String>,
) -> Result<Response, AgentError> {
    let id: ObjectId = id.parse().map_err(|_| AgentError(AgentRefusal::Malformed("this is no object id")))?;
    let stream = engine.agent_object(&token, id).await?;
    Ok(Response::new(Body::from_stream(stream)))
}

async fn checkpoint(
    State(engine): State<Engine>,
    Token(token): Token,
    Segment(segment): Segment<u32>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<UploadReceipt>, AgentError> {
    let key = wrapped_key(&headers)?;
    let commitment = commitment(&headers)?;
    let body = body.into_data_stream();
    Ok(Json(engine.agent_checkpoint(&token, segment, &key, commitment.as_ref(), body).await?))
}

async fn outputs(
    State(engine): State<Engine>,
    Token(token): Token,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<UploadReceipt>, AgentError> {
    let key = wrapped_key(&headers)?;
    Ok(Json(engine.agent_outputs(&token, &key, body.into_data_stream()).await?))
}

fn commitment(headers: &HeaderMap) -> Result<Option<Commitment>, AgentError> {
    let Some(value) = headers.get(COMMITMENT_HEADER) else { return Ok(None) };
    let malformed = || AgentError(AgentRefusal::Malformed("the header waag-commitment is malformed"));
    value.to_str().ok().and_then(|text| text.parse().ok()).map(Some).ok_or_else(malformed)
}

fn wrapped_key(headers: &HeaderMap) -> Result<String, AgentError> {
    let value = headers.get(WRAPPED_KEY_HEADER).and_then(|value| value.to_str().ok());
    let missing = AgentError(AgentRefusal::Malformed("the header waag-wrapped-key is missing"));
    value.map(ToOwned::to_owned).ok_or(missing)
}
