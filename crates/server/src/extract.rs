//! What requests carry. The framework refuses malformed ones in plain text; these extractors refuse them as every other
//! error is told.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// A JSON body.
pub(crate) struct Doc<T>(pub(crate) T);

/// A small body of bytes.
pub(crate) struct Piece(pub(crate) Bytes);

/// The parameters after the question mark.
pub(crate) struct Params<T>(pub(crate) T);

/// The parameter in the path.
pub(crate) struct Segment<T>(pub(crate) T);

impl<T, S> FromRequest<S> for Doc<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let read = Json::<T>::from_request(request, state).await;
        read.map(|Json(doc)| Self(doc)).map_err(|why| body_refused(why.status(), why.body_text()))
    }
}

impl<S> FromRequest<S> for Piece
where
    Bytes: FromRequest<S, Rejection = BytesRejection>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let read = Bytes::from_request(request, state).await;
        read.map(Self).map_err(|why| body_refused(why.status(), why.body_text()))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(params)| Self(params)).map_err(|why| ApiError::query(why.body_text()))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(segment)| Self(segment)).map_err(|why| {
            let next = "the API's document names the paths";
            ApiError::new(StatusCode::BAD_REQUEST, "path_malformed", why.body_text(), next)
        })
    }
}

fn body_refused(status: StatusCode, text: String) -> ApiError {
    let (code, next) = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "send less"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("content_type", "send `Content-Type: application/json`"),
        _ => ("body_malformed", "the API's document shows the shape of the body"),
    };
    ApiError::new(status, code, text, next)
}
