//! The agent's side of the protocol: requests to the pinned server, repeated with backoff while nobody answers.

use std::time::Duration;

use custody::{CertificatePin, OsEntropy, Secret};
use domain::Entropy;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::time::Instant;
use wire::agent::NEXT_OFFSET_HEADER;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const WAIT_FIRST: Duration = Duration::from_millis(100);
const WAIT_LONGEST: Duration = Duration::from_secs(5);

/// A request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("the execution is over")]
    Over,
    #[error("the control plane refused: {0}")]
    Refused(String),
    #[error("the control plane was silent for too long")]
    Silent,
    #[error("HTTPS could not be set up")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What became of one request.
pub(crate) enum Answer {
    /// It was done.
    Good(Response),
    /// The log goes on at another offset.
    Gap(u64),
    /// Nobody answered, or not now.
    Again,
}

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Arc<Secret>,
    give_up: Duration,
}

impl Client {
    /// For the agent API under this URL, whose certificate has this SHA-256 in hex.
    pub(crate) fn new(url: &str, pin: &str, token: Secret, give_up: Duration) -> Result<Self, ClientError> {
        let pin: CertificatePin = pin.parse().map_err(|e| ClientError::Setup(Box::new(e)))?;
        let tls = custody::pinned_client_config(pin).map_err(|e| ClientError::Setup(Box::new(e)))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|e| ClientError::Setup(Box::new(e)))?;
        let base = format!("{}/agent/v1", url.trim_end_matches('/'));
        Ok(Self { http, base, token: Arc::new(token), give_up })
    }

    pub(crate) fn with_token(&self, token: Secret) -> Self {
        Self { token: Arc::new(token), ..self.clone() }
    }

    pub(crate) fn with_give_up(&self, give_up: Duration) -> Self {
        Self { give_up, ..self.clone() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/{path}", self.base));
        // A token that cannot be a header is answered with 401, as any wrong one.
        let Ok(mut bearer) = HeaderValue::try_from(format!("Bearer {}", self.token.expose())) else {
            return request;
        };
        bearer.set_sensitive(true);
        request.header(AUTHORIZATION, bearer)
    }

    /// Sends a message until it is answered.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        message: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = || self.request(Method::POST, path).json(message).timeout(REQUEST_TIMEOUT);
        let response = self.until_answered(request).await?;
        response.json().await.map_err(|_| ClientError::Refused("its answer is malformed".to_owned()))
    }

    /// Repeats a request until it is answered, or the silence is too long.
    pub(crate) async fn until_answered(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response, ClientError> {
        let mut patience = Patience::new(self.give_up);
        loop {
            if let Answer::Good(response) = once(request()).await? {
                return Ok(response);
            }
            patience.wait().await?;
        }
    }
}

/// Asks once.
pub(crate) async fn once(request: RequestBuilder) -> Result<Answer, ClientError> {
    let Ok(response) = request.send().await else { return Ok(Answer::Again) };
    if response.status().is_success() {
        return Ok(Answer::Good(response));
    }
    refusal(response.status(), response.headers())
}

/// What an answer that is no success asks for.
fn refusal(status: StatusCode, headers: &HeaderMap) -> Result<Answer, ClientError> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::CONFLICT | StatusCode::GONE => Err(ClientError::Over),
        StatusCode::NOT_FOUND => Err(ClientError::Refused("what was asked for is not there".to_owned())),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let next = headers.get(NEXT_OFFSET_HEADER).and_then(|value| value.to_str().ok());
            Ok(next.and_then(|text| text.parse().ok()).map_or(Answer::Again, Answer::Gap))
        }
        _ => Ok(Answer::Again),
    }
}

/// Waits that double up to a bound, with jitter, until a time is over.
pub(crate) struct Patience {
    wait: Duration,
    began: Instant,
    give_up: Duration,
}

impl Patience {
    pub(crate) fn new(give_up: Duration) -> Self {
        Self { wait: WAIT_FIRST, began: Instant::now(), give_up }
    }

    pub(crate) async fn wait(&mut self) -> Result<(), ClientError> {
        if self.began.elapsed() >= self.give_up {
            return Err(ClientError::Silent);
        }
        let mut byte = [0u8; 1];
        OsEntropy.fill(&mut byte);
        tokio::time::sleep(self.wait / 2 + self.wait / 2 * u32::from(byte[0]) / 255).await;
        self.wait = (self.wait * 2).min(WAIT_LONGEST);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_gap_goes_on_at_the_named_offset() {
        let gap = |offset: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(NEXT_OFFSET_HEADER, offset.parse().unwrap());
            refusal(StatusCode::RANGE_NOT_SATISFIABLE, &headers)
        };
        assert!(matches!(gap("4096"), Ok(Answer::Gap(4096))));
        assert!(matches!(gap("-1"), Ok(Answer::Again)));
        assert!(matches!(refusal(StatusCode::RANGE_NOT_SATISFIABLE, &HeaderMap::new()), Ok(Answer::Again)));
    }

    #[test]
    fn refusal_ends_the_agent_only_where_repeating_is_useless() {
        let means = |status: u16| refusal(StatusCode::from_u16(status).unwrap(), &HeaderMap::new());
        for over in [401, 409, 410] {
            assert!(matches!(means(over), Err(ClientError::Over)), "{over}");
        }
        assert!(matches!(means(404), Err(ClientError::Refused(_))));
        for again in [400, 403, 408, 413, 422, 429, 500, 502, 503, 504] {
            assert!(matches!(means(again), Ok(Answer::Again)), "{again}");
        }
    }
}
