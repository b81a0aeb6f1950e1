//! The REST API from the outside.

use std::path::Path;
use std::time::Duration;

use custody::Secret;
use domain::JobId;
use futures::StreamExt;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt;
use wire::proof::ProofsDoc;
use wire::receipt::ReceiptDoc;
use wire::rest::{
    AccountDoc, ErrorBody, ExplainDoc, HealthDoc, InputsDoc, JobDoc, JobsDoc, LogDoc, OffersDoc, PlanJob,
    SubmitJob,
};

use crate::failure::{Done, Exit, Failure};
use crate::plane::Endpoint;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// A submission without an answer is repeated under its key so often.
const SUBMIT_TRIES: u32 = 5;
const SUBMIT_WAIT: Duration = Duration::from_millis(300);

/// A client of one control plane.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Secret,
}

impl Client {
    /// The client of the control plane that has this data folder.
    pub(crate) fn of_folder(data: &Path) -> Done<Self> {
        let absent = |why: String| {
            Failure::new(
                Exit::Unreachable,
                "no_control_plane",
                format!("no control plane has {}", data.display()),
            )
            .why(why)
            .next("start one with `waag up`, or name another folder with --data")
        };
        let endpoint = Endpoint::read(data).map_err(|e| absent(e.to_string()))?;
        let token = std::fs::read_to_string(data.join("keys").join("api-token")).map_err(|e| {
            Failure::new(Exit::Denied, "token_unreadable", "the API token cannot be read")
                .why(e)
                .next("run as the user that owns the data folder")
        })?;
        Self::new(&endpoint.api, Secret::new(token.trim().to_owned()))
    }

    /// A client of the control plane at `address`.
    pub(crate) fn new(address: &str, token: Secret) -> Done<Self> {
        // Plain HTTP on loopback, but the library wants to know a provider before it makes any client.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(anyhow::Error::from)?;
        Ok(Self { http, base: format!("http://{address}/v1"), token })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(self.token.expose())
    }

    /// Sends a request; an answer that is no success is a failure.
    async fn send(&self, request: RequestBuilder) -> Done<Response> {
        let response = request.send().await.map_err(|error| self.unanswered(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.json::<ErrorBody>().await.unwrap_or_else(|_| ErrorBody {
            code: "unexpected_answer".to_owned(),
            message: format!("the control plane answered {status}"),
            why: None,
            next: Some("look at the log of `waag up`".to_owned()),
            retryable: status.is_server_error(),
        });
        Err(Failure::of_api(status.as_u16(), body))
    }

    fn unanswered(&self, error: &reqwest::Error) -> Failure {
        let (exit, code, message) = if error.is_connect() {
            (Exit::Unreachable, "unreachable", "no control plane answers")
        } else {
            (Exit::Unknown, "no_answer", "the control plane did not answer")
        };
        Failure::new(exit, code, format!("{message} at {}", self.base))
            .next("start it with `waag up`; what it was doing goes on by itself")
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Done<T> {
        let response = self.send(request.timeout(REQUEST_TIMEOUT)).await?;
        response.json().await.map_err(|error| self.unanswered(&error))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Done<T> {
        self.ask(self.request(Method::GET, path)).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Done<T> {
        self.ask(self.request(Method::POST, path).json(body)).await
    }

    /// Takes a job. Without an answer the outcome is unknown, so it is asked again under the same key.
    pub(crate) async fn job_submit(&self, submit: &SubmitJob) -> Done<JobDoc> {
        let mut tries = 1;
        loop {
            match self.post("/jobs", submit).await {
                Err(failure)
                    if failure.exit == Exit::Unknown && submit.key.is_some() && tries < SUBMIT_TRIES =>
                {
                    tokio::time::sleep(SUBMIT_WAIT * tries).await;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }

    pub(crate) async fn job_list(&self, limit: u32) -> Done<JobsDoc> {
        self.get(&format!("/jobs?limit={limit}")).await
    }

    /// A job by its id, the beginning of it, or its name.
    pub(crate) async fn job_show(&self, job: &str) -> Done<JobDoc> {
        self.get(&format!("/jobs/{}", segment(job))).await
    }

    pub(crate) async fn job_cancel(&self, job: &str) -> Done<JobDoc> {
        self.post(&format!("/jobs/{}/cancel", segment(job)), &()).await
    }

    pub(crate) async fn job_remove(&self, job: &str) -> Done {
        let request =
            self.request(Method::DELETE, &format!("/jobs/{}", segment(job))).timeout(REQUEST_TIMEOUT);
        self.send(request).await.map(|_| ())
    }

    pub(crate) async fn job_explain(&self, job: &str) -> Done<ExplainDoc> {
        self.get(&format!("/jobs/{}/explain", segment(job))).await
    }

    pub(crate) async fn job_log(&self, job: &str, offset: u64) -> Done<LogDoc> {
        self.get(&format!("/jobs/{}/log?offset={offset}", segment(job))).await
    }

    pub(crate) async fn job_proof(&self, job: &str) -> Done<ProofsDoc> {
        self.get(&format!("/jobs/{}/proof", segment(job))).await
    }

    pub(crate) async fn job_receipt(&self, job: &str) -> Done<ReceiptDoc> {
        self.get(&format!("/jobs/{}/receipt", segment(job))).await
    }

    /// Writes the job's outputs, a tar, into a file.
    pub(crate) async fn job_outputs(&self, job: JobId, file: &mut tokio::fs::File) -> Done {
        let response = self.send(self.request(Method::GET, &format!("/jobs/{job}/outputs"))).await?;
        let mut parts = response.bytes_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|error| self.unanswered(&error))?;
            file.write_all(&part).await.map_err(anyhow::Error::from)?;
        }
        file.flush().await.map_err(anyhow::Error::from)?;
        Ok(())
    }

    /// Uploads a tar of inputs.
    pub(crate) async fn inputs_store(&self, tar: tokio::fs::File) -> Done<InputsDoc> {
        let body = reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(tar));
        let request =
            self.request(Method::PUT, "/inputs").header("content-type", "application/x-tar").body(body);
        let response = self.send(request).await?;
        response.json().await.map_err(|error| self.unanswered(&error))
    }

    pub(crate) async fn offers_all(&self) -> Done<OffersDoc> {
        self.get("/offers").await
    }

    pub(crate) async fn offers_for(&self, plan: &PlanJob) -> Done<OffersDoc> {
        self.post("/offers", plan).await
    }

    pub(crate) async fn account(&self) -> Done<AccountDoc> {
        self.get("/account").await
    }

    pub(crate) async fn health(&self) -> Done<HealthDoc> {
        self.get("/health").await
    }
}

/// A text as one segment of a path: what is not a letter, a digit, `-`, `_` or `.` is percent-encoded (RFC 3986, 2.1).
fn segment(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Whether a failure is worth another try soon: the control plane is away for a moment.
pub(crate) fn is_away(failure: &Failure) -> bool {
    matches!(failure.exit, Exit::Unreachable | Exit::Unknown)
        || failure.body.code == StatusCode::SERVICE_UNAVAILABLE.as_str()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_stays_one_segment_of_the_path() {
        assert_eq!(super::segment("j_8h2k"), "j_8h2k");
        assert_eq!(super::segment("../a b?"), "..%2Fa%20b%3F");
    }
}
