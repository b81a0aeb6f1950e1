//! The user API. Each handler calls the engine and nothing else.

use std::io::Write as _;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use domain::JobId;
use engine::{Engine, Submission};
use futures::StreamExt;
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::proof::ProofsDoc;
use wire::receipt::ReceiptDoc;
use wire::rest::{
    AccountDoc, ErrorBody, ExplainDoc, HealthDoc, InputsDoc, JobDoc, JobsDoc, LogDoc, OffersDoc, PlanJob,
    SubmitJob,
};

use crate::error::ApiError;
use crate::extract::{Doc, Params, Segment};
use crate::guard::{Guard, admit};

const JSON_BYTES_MAX: usize = 4 * 1024 * 1024;
const JOBS_MAX: u32 = 1000;
const JOBS_DEFAULT: u32 = 50;
/// The largest number that a reader of the document, where such numbers are `int64`, has to be able to name.
const LOG_OFFSET_MAX: u64 = i64::MAX.cast_unsigned();
/// So much of what a caller named is shown back to it.
const SHOWN_CHARS_MAX: usize = 80;

const SEE: &str = "see /v1/openapi.json";

type Answer<T> = Result<Json<T>, ApiError>;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Waag",
        description = "The user API of a Waag control plane. Every request needs the bearer token."
    ),
    components(schemas(ErrorBody)),
    modifiers(&BearerToken),
    security(("token" = []))
)]
struct Api;

/// How a request shows that it may be made.
struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// Each route with its place in the document.
fn documented() -> OpenApiRouter<Engine> {
    let json = OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(job_submit, job_list))
        .routes(routes!(job_show, job_remove))
        .routes(routes!(job_cancel))
        .routes(routes!(job_explain))
        .routes(routes!(job_log))
        .routes(routes!(job_outputs))
        .routes(routes!(job_proof))
        .routes(routes!(job_receipt))
        .routes(routes!(offers_all, offers_for))
        .routes(routes!(account))
        .routes(routes!(health))
        .routes(routes!(document))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX));
    // Inputs are streamed to a file; the handler bounds them.
    let inputs = OpenApiRouter::new().routes(routes!(inputs_store)).layer(DefaultBodyLimit::disable());
    json.merge(inputs)
}

/// The OpenAPI document, as indented JSON.
pub fn openapi() -> String {
    documented().into_openapi().to_pretty_json().unwrap_or_default()
}

/// The routes for people and their programs.
pub fn user_api(engine: Engine, guard: Guard) -> Router {
    let (router, _) = documented().split_for_parts();
    router
        .fallback(async || ApiError::no_route(SEE))
        .method_not_allowed_fallback(async || ApiError::no_method(SEE))
        .layer(from_fn_with_state((engine.clone(), guard), admit))
        .with_state(engine)
}

/// A job named by id, by the beginning of its id, or by its name where that is unique.
async fn find(engine: &Engine, text: &str) -> Result<JobId, ApiError> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    match engine.job_find(text).await?.as_slice() {
        [] => {
            let shown: String = text.chars().flat_map(char::escape_default).take(SHOWN_CHARS_MAX).collect();
            Err(ApiError::not_found(&format!("job {shown}")))
        }
        [one] => Ok(*one),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            let message = format!("several jobs fit: {}", ids.join(", "));
            Err(ApiError::new(
                StatusCode::CONFLICT,
                "ambiguous",
                message,
                "name one by more letters of its id",
            ))
        }
    }
}

/// Takes a job.
#[utoipa::path(post, path = "/v1/jobs", request_body = SubmitJob, responses(
    (status = 201, body = JobDoc, description = "taken"),
    (status = 200, body = JobDoc, description = "taken before under the same key"),
    (status = 400, body = ErrorBody, description = "not JSON"),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody, description = "refused: budget, level, offers or key"),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody, description = "the job file or the body is wrong"),
))]
async fn job_submit(State(engine): State<Engine>, Doc(submit): Doc<SubmitJob>) -> Result<Response, ApiError> {
    let submitted = engine
        .job_submit(Submission {
            file: submit.file.into_bytes(),
            file_name: submit.file_name.unwrap_or_else(|| "job.yaml".to_owned()),
            secrets: submit.secrets,
            inputs: submit.inputs,
            key: submit.key,
        })
        .await?;
    let mut doc = engine.job_view(submitted.job).await?;
    doc.existing = submitted.existing;
    let status = if submitted.existing { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(doc)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    limit: Option<u32>,
}

/// Lists jobs, newest first.
#[utoipa::path(get, path = "/v1/jobs", params(("limit" = Option<u32>, Query, maximum = 1000, description = "at most this many, 50 unless given")),
    responses((status = 200, body = JobsDoc), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn job_list(State(engine): State<Engine>, Params(Limit { limit }): Params<Limit>) -> Answer<JobsDoc> {
    let limit = limit.unwrap_or(JOBS_DEFAULT);
    if limit > JOBS_MAX {
        let message = format!("a list has at most {JOBS_MAX} jobs");
        return Err(ApiError::query(message));
    }
    Ok(Json(JobsDoc { jobs: engine.job_views(limit).await? }))
}

/// Shows a job, named by id, by the beginning of its id, or by name.
#[utoipa::path(get, path = "/v1/jobs/{job}", params(("job" = String, Path)), responses(
    (status = 200, body = JobDoc), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "several jobs fit")))]
async fn job_show(State(engine): State<Engine>, Segment(job): Segment<String>) -> Answer<JobDoc> {
    let id = find(&engine, &job).await?;
    Ok(Json(engine.job_view(id).await?))
}

/// Removes a settled job with its logs and objects.
#[utoipa::path(delete, path = "/v1/jobs/{job}", params(("job" = String, Path)), responses(
    (status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "it is not settled")))]
async fn job_remove(
    State(engine): State<Engine>,
    Segment(job): Segment<String>,
) -> Result<StatusCode, ApiError> {
    let id = find(&engine, &job).await?;
    engine.job_view(id).await?;
    if engine.job_remove(id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let message = format!("job {id} is not settled yet");
    Err(ApiError::new(
        StatusCode::CONFLICT,
        "job_open",
        message,
        "`waag cancel` it and wait until it is settled",
    ))
}

/// Cancels a job; repeating it changes nothing.
#[utoipa::path(post, path = "/v1/jobs/{job}/cancel", params(("job" = String, Path)), responses(
    (status = 200, body = JobDoc), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn job_cancel(State(engine): State<Engine>, Segment(job): Segment<String>) -> Answer<JobDoc> {
    let id = find(&engine, &job).await?;
    engine.job_cancel(id).await?;
    Ok(Json(engine.job_view(id).await?))
}

/// Explains why this offer, why not the others, and what happens if it dies.
#[utoipa::path(get, path = "/v1/jobs/{job}/explain", params(("job" = String, Path)), responses(
    (status = 200, body = ExplainDoc), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn job_explain(State(engine): State<Engine>, Segment(job): Segment<String>) -> Answer<ExplainDoc> {
    let id = find(&engine, &job).await?;
    Ok(Json(engine.explain(id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    offset: Option<u64>,
}

/// Reads a piece of the job's log.
#[utoipa::path(get, path = "/v1/jobs/{job}/log",
    params(("job" = String, Path), ("offset" = Option<u64>, Query, description = "bytes already read")), responses(
    (status = 200, body = LogDoc), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn job_log(
    State(engine): State<Engine>,
    Segment(job): Segment<String>,
    Params(From { offset }): Params<From>,
) -> Answer<LogDoc> {
    let offset = offset.unwrap_or(0);
    if offset > LOG_OFFSET_MAX {
        return Err(ApiError::query("no log is that long"));
    }
    let id = find(&engine, &job).await?;
    Ok(Json(engine.log_view(id, offset).await?))
}

/// Opens the job's outputs: a tar with the folder `outputs`.
#[utoipa::path(get, path = "/v1/jobs/{job}/outputs", params(("job" = String, Path)), responses(
    (status = 200, content_type = "application/x-tar"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn job_outputs(
    State(engine): State<Engine>,
    Segment(job): Segment<String>,
) -> Result<Response, ApiError> {
    let id = find(&engine, &job).await?;
    let file = tempfile::NamedTempFile::new().map_err(engine::Error::from)?;
    if !engine.outputs_open(id, file.path()).await? {
        return Err(ApiError::not_found(&format!("output of job {id}")));
    }
    let opened = tokio::fs::File::open(file.path()).await.map_err(engine::Error::from)?;
    let body = Body::from_stream(ReaderStream::new(opened));
    Ok(([("content-type", "application/x-tar")], body).into_response())
}

/// Says how the work of each attempt was checked.
#[utoipa::path(get, path = "/v1/jobs/{job}/proof", params(("job" = String, Path)), responses(
    (status = 200, body = ProofsDoc), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn job_proof(State(engine): State<Engine>, Segment(job): Segment<String>) -> Answer<ProofsDoc> {
    let id = find(&engine, &job).await?;
    Ok(Json(engine.job_view(id).await?.into()))
}

/// Issues the receipt of a settled job: signed, with its place in the audit log.
#[utoipa::path(get, path = "/v1/jobs/{job}/receipt", params(("job" = String, Path)), responses(
    (status = 200, body = ReceiptDoc), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "it is not settled or not in the audit log yet, or several jobs fit")))]
async fn job_receipt(State(engine): State<Engine>, Segment(job): Segment<String>) -> Answer<ReceiptDoc> {
    let id = find(&engine, &job).await?;
    Ok(Json(engine.job_receipt(id).await?))
}

/// Takes a tar with `workdir/` and `mounts/<n>`, to be named by a submission.
#[utoipa::path(put, path = "/v1/inputs", request_body(content = serde_json::Value, content_type = "application/x-tar"), responses(
    (status = 201, body = InputsDoc), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 408, body = ErrorBody), (status = 413, body = ErrorBody)))]
async fn inputs_store(
    State(engine): State<Engine>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let max = engine.upload_bytes_max();
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > max) {
        return Err(ApiError::too_large(max));
    }
    let mut file = tempfile::tempfile().map_err(engine::Error::from)?;
    let mut stream = body.into_data_stream();
    let mut total = 0u64;
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| {
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "broke_off", "the upload broke off", "send it again")
        })?;
        total += part.len() as u64;
        if total > max {
            return Err(ApiError::too_large(max));
        }
        file.write_all(&part).map_err(engine::Error::from)?;
    }
    if total == 0 {
        let message = "the request has no body";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "body_malformed", message, "send a tar"));
    }
    std::io::Seek::rewind(&mut file).map_err(engine::Error::from)?;
    let (object, bytes) = engine.inputs_store(file).await?;
    Ok((StatusCode::CREATED, Json(InputsDoc { object, bytes })).into_response())
}

/// Lists all offers.
#[utoipa::path(get, path = "/v1/offers", responses(
    (status = 200, body = OffersDoc), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn offers_all(State(engine): State<Engine>) -> Json<OffersDoc> {
    Json(engine.offers_view())
}

/// Ranks offers for a job file, without running it.
#[utoipa::path(post, path = "/v1/offers", request_body = PlanJob, responses(
    (status = 200, body = OffersDoc), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
async fn offers_for(State(engine): State<Engine>, Doc(plan): Doc<PlanJob>) -> Answer<OffersDoc> {
    let name = plan.file_name.unwrap_or_else(|| "job.yaml".to_owned());
    Ok(Json(engine.offers_for(plan.file.as_bytes(), &name)?))
}

/// Shows the account that jobs spend from.
#[utoipa::path(get, path = "/v1/account", responses(
    (status = 200, body = AccountDoc), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn account(State(engine): State<Engine>) -> Answer<AccountDoc> {
    Ok(Json(engine.account_view().await?))
}

/// Says that the control plane is up, and what waits for a person.
#[utoipa::path(get, path = "/v1/health", responses(
    (status = 200, body = HealthDoc), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn health(State(engine): State<Engine>) -> Answer<HealthDoc> {
    Ok(Json(engine.health_view().await?))
}

/// Serves this document.
#[utoipa::path(get, path = "/v1/openapi.json", responses(
    (status = 200, content_type = "application/json"), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody)))]
async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi()).into_response()
}
