//! Errors as HTTP answers: every one is an `ErrorBody` that says what happened and what to do next.

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::chain;
use engine::{AgentRefusal, ReceiptError, SubmitError};
use wire::agent::NEXT_OFFSET_HEADER;
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
            retryable: status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT,
        };
        Self { status, body }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        let message = format!("there is no {what}");
        Self::new(StatusCode::NOT_FOUND, "not_found", message, "`waag jobs` lists what there is")
    }

    pub(crate) fn no_route(next: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such route", next)
    }

    pub(crate) fn no_method(next: &str) -> Self {
        let message = "this route does not know the method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message, next)
    }

    pub(crate) fn query(message: impl Into<String>) -> Self {
        let next = "the API's document names the parameters";
        Self::new(StatusCode::BAD_REQUEST, "query_malformed", message, next)
    }

    pub(crate) fn too_large(max: u64) -> Self {
        let message = format!("the body may have at most {max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message, "send less")
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
        let next = "look at the log of `waag up`, then try again";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message, next)
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        let (status, message, next) = match &error {
            SubmitError::Engine(_) => {
                tracing::error!(error = %chain(&error), "a submission failed on our side");
                let next = "look at the log of `waag up`, then try again";
                (StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), next)
            }
            SubmitError::File(why) => {
                (StatusCode::UNPROCESSABLE_ENTITY, why.to_string(), "mend the job file and submit again")
            }
            SubmitError::Refused(why) => (StatusCode::CONFLICT, why.to_string(), why.next()),
            SubmitError::NoAdmissibleOffer(_) => {
                (StatusCode::CONFLICT, error.to_string(), "`waag offers FILE` shows each offer's reason")
            }
            SubmitError::SecretMissing(_) | SubmitError::SecretUnknown(_) | SubmitError::InputsMissing => {
                (StatusCode::UNPROCESSABLE_ENTITY, error.to_string(), "submit again with what is missing")
            }
            SubmitError::KeyReused(_) => (StatusCode::CONFLICT, error.to_string(), "choose another key"),
        };
        let mut answer = Self::new(status, error.code(), message, next);
        answer.body.retryable = error.retryable();
        if let SubmitError::Refused(why) = &error {
            answer.body.why = std::error::Error::source(why).map(ToString::to_string);
        }
        answer
    }
}

impl From<ReceiptError> for ApiError {
    fn from(error: ReceiptError) -> Self {
        let code = error.code();
        let (status, next) = match error {
            ReceiptError::Engine(error) => return error.into(),
            ReceiptError::Open(_) => (StatusCode::CONFLICT, "wait until it is settled: `waag jobs show`"),
            // Nothing is wrong on our side, so it is no 5xx; the body says that it may be asked again.
            ReceiptError::NotReady(_) => (StatusCode::CONFLICT, "try again in a moment"),
            ReceiptError::Differs(_) => {
                tracing::error!(error = %chain(&error), "a receipt is not issued");
                let next =
                    "restore the data folder from a backup; the audit log has the digest of what is right";
                (StatusCode::INTERNAL_SERVER_ERROR, next)
            }
        };
        let mut answer = Self::new(status, code, error.to_string(), next);
        answer.body.retryable = error.retryable();
        answer
    }
}

impl From<AgentRefusal> for ApiError {
    fn from(error: AgentRefusal) -> Self {
        let (status, code, next) = match &error {
            AgentRefusal::Unknown => {
                (StatusCode::UNAUTHORIZED, "token_unknown", "stop and remove everything")
            }
            AgentRefusal::NoObject => (StatusCode::NOT_FOUND, "not_found", "fetch what the welcome names"),
            AgentRefusal::OtherInstance => {
                (StatusCode::CONFLICT, "other_instance", "stop and remove everything")
            }
            AgentRefusal::Ended => (StatusCode::GONE, "execution_ended", "stop and remove everything"),
            AgentRefusal::NotDrawn => {
                (StatusCode::FORBIDDEN, "not_drawn", "only drawn validators are served")
            }
            AgentRefusal::NoProof => (StatusCode::NOT_FOUND, "not_found", "ask for a proof that is open"),
            AgentRefusal::ProofOver => (StatusCode::GONE, "proof_over", "there is nothing more to replay"),
            AgentRefusal::Withheld => (StatusCode::NOT_FOUND, "withheld", "say so to the notary"),
            AgentRefusal::NotYet => (StatusCode::SERVICE_UNAVAILABLE, "not_yet", "try again"),
            AgentRefusal::Malformed(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "malformed", "send what agent protocol 1 says")
            }
            AgentRefusal::LogGap { .. } => {
                (StatusCode::RANGE_NOT_SATISFIABLE, "log_gap", "send the log from that offset on")
            }
            AgentRefusal::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "send less"),
            AgentRefusal::BrokeOff => (StatusCode::REQUEST_TIMEOUT, "broke_off", "send it again"),
            AgentRefusal::Engine(_) => {
                tracing::error!(error = %chain(&error), "an agent's request failed on our side");
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "try again")
            }
        };
        Self::new(status, code, error.to_string(), next)
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
            response.headers_mut().insert(NEXT_OFFSET_HEADER, HeaderValue::from(next));
        }
        response
    }
}

impl From<AgentRefusal> for AgentError {
    fn from(refusal: AgentRefusal) -> Self {
        Self(refusal)
    }
}
