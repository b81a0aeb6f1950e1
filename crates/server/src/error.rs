//! Engine errors as HTTP answers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::{AgentRefusal, SubmitError};
use wire::rest::ErrorBody;

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) body: ErrorBody,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>, next: &str) -> Self {
        let body = ErrorBody {
            code: code.to_owned(),
            message: message.into(),
            why: None,
            next: Some(next.to_owned()),
            retryable: status.is_server_error(),
        };
        Self { status, body }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no {what}"),
            "`waag jobs` lists what there is",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// What went wrong inside is logged once, here; the caller learns that it was our side.
impl From<engine::Error> for ApiError {
    fn from(error: engine::Error) -> Self {
        if let engine::Error::Missing { what: "job", of } = &error {
            return Self::not_found(&format!("job {of}"));
        }
        tracing::error!(error = %chain(&error), "a request failed on our side");
        let message = "the control plane failed to answer";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            message,
            "look at the log of `waag up`, then try again",
        )
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        let (status, next) = match &error {
            SubmitError::Engine(_) => match error {
                SubmitError::Engine(inner) => return inner.into(),
                _ => (StatusCode::INTERNAL_SERVER_ERROR, ""),
            },
            SubmitError::File(_) => (StatusCode::UNPROCESSABLE_ENTITY, "mend the job file and submit again"),
            SubmitError::Refused(refusal) => (StatusCode::CONFLICT, refusal.next()),
            SubmitError::NoAdmissibleOffer(_) => {
                (StatusCode::CONFLICT, "`waag offers FILE` shows each offer's reason")
            }
            SubmitError::SecretMissing(_) | SubmitError::SecretUnknown(_) | SubmitError::InputsMissing => {
                (StatusCode::UNPROCESSABLE_ENTITY, "submit again with what is missing")
            }
            SubmitError::KeyReused(_) => (StatusCode::CONFLICT, "choose another key"),
        };
        let message = match &error {
            SubmitError::File(inner) => inner.to_string(),
            SubmitError::Refused(inner) => inner.to_string(),
            other => other.to_string(),
        };
        let mut answer = Self::new(status, error.code(), message, next);
        answer.body.why = match &error {
            SubmitError::Refused(inner) => std::error::Error::source(inner).map(ToString::to_string),
            _ => None,
        };
        answer
    }
}

impl From<AgentRefusal> for ApiError {
    fn from(error: AgentRefusal) -> Self {
        let (status, code) = match &error {
            AgentRefusal::Unknown => (StatusCode::UNAUTHORIZED, "token_unknown"),
            AgentRefusal::OtherInstance => (StatusCode::CONFLICT, "other_instance"),
            AgentRefusal::Ended => (StatusCode::GONE, "execution_ended"),
            AgentRefusal::NotYet => (StatusCode::SERVICE_UNAVAILABLE, "not_yet"),
            AgentRefusal::Malformed(_) => (StatusCode::UNPROCESSABLE_ENTITY, "malformed"),
            AgentRefusal::LogGap { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "log_gap"),
            AgentRefusal::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            AgentRefusal::BrokeOff => (StatusCode::REQUEST_TIMEOUT, "broke_off"),
            AgentRefusal::Engine(_) => {
                tracing::error!(error = %chain(&error), "an agent's request failed on our side");
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        };
        Self::new(status, code, error.to_string(), "")
    }
}

/// An agent's error; a log gap also says in a header where to go on.
pub(crate) struct AgentError(pub(crate) AgentRefusal);

impl IntoResponse for AgentError {
    fn into_response(self) -> Response {
        let next = match &self.0 {
            AgentRefusal::LogGap { next_offset } => Some(*next_offset),
            _ => None,
        };
        let mut response = ApiError::from(self.0).into_response();
        if let Some(next) = next {
            response.headers_mut().insert("waag-next-offset", HeaderValue::from(next));
        }
        response
    }
}

impl From<AgentRefusal> for AgentError {
    fn from(refusal: AgentRefusal) -> Self {
        Self(refusal)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
