//! Where openings and the objects that they name come from: the control plane's agent API, under its pinned certificate.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use custody::{InstanceKey, OsEntropy, Secret};
use futures::StreamExt;
use reqwest::{Method, StatusCode};
use wire::agent::{Bundle, SealedRef};
use wire::openings::{OPENINGS_BYTES_MAX, OpeningRequest, Openings};

use crate::bound::{OtherJob, bundle_of, inputs_must_be_of};
use crate::client::{Client, ClientError, REQUEST_TIMEOUT};
use crate::upload::{ObjectError, fetch};

/// An object that is being fetched is given up after this long without an answer.
const GIVE_UP: Duration = Duration::from_secs(60);

/// What is to be replayed could not be had.
#[derive(Debug, thiserror::Error)]
pub enum OpeningsError {
    /// The address or the pin cannot be used.
    #[error("the control plane's address cannot be used")]
    Address(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody answers.
    #[error("the control plane does not answer")]
    Silent(#[source] reqwest::Error),
    /// It answers something else.
    #[error("the control plane refuses the openings with status {status}")]
    Refused {
        /// HTTP.
        status: u16,
    },
    /// Its answer is none.
    #[error("the control plane's openings cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// What it serves is other work than was committed to.
    #[error("what is served is of another job")]
    OtherJob(#[from] OtherJob),
    /// Its answer is larger than any that could be meant.
    #[error("the control plane's openings are too large")]
    TooLarge,
    /// An object does not come or does not open.
    #[error("an object cannot be opened")]
    Object(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ObjectError> for OpeningsError {
    fn from(error: ObjectError) -> Self {
        Self::Object(Box::new(error))
    }
}

/// A validator's way to one control plane, for one proof.
pub struct Source {
    client: Client,
    key: InstanceKey,
    seal_dir: PathBuf,
}

impl Source {
    /// The agent API under this URL, whose certificate has this SHA-256. Objects are opened into nameless files in `seal_dir`.
    ///
    /// # Errors
    /// `Address`.
    pub fn new(url: &str, pin: &[u8; 32], seal_dir: PathBuf) -> Result<Self, OpeningsError> {
        let nothing = Secret::new(String::new());
        let client = Client::new(url, &hex::encode(pin), nothing, GIVE_UP)
            .map_err(|error: ClientError| OpeningsError::Address(Box::new(error)))?;
        Ok(Self { client, key: InstanceKey::mint(&OsEntropy), seal_dir })
    }

    /// The public key to which data keys are to be wrapped, hex; it lives as long as this.
    pub fn instance_key(&self) -> String {
        self.key.public().to_string()
    }

    /// Asks once, and takes on the token that is given.
    ///
    /// # Errors
    /// All but `Address` and `Object`.
    pub async fn openings(&mut self, request: &OpeningRequest) -> Result<Openings, OpeningsError> {
        let request = self.client.request(Method::POST, "openings").json(request).timeout(REQUEST_TIMEOUT);
        let response = request.send().await.map_err(OpeningsError::Silent)?;
        if response.status() != StatusCode::OK {
            return Err(OpeningsError::Refused { status: response.status().as_u16() });
        }
        let mut text = Vec::new();
        let mut parts = response.bytes_stream();
        while let Some(part) = parts.next().await {
            text.extend_from_slice(&part.map_err(OpeningsError::Silent)?);
            if text.len() > OPENINGS_BYTES_MAX {
                return Err(OpeningsError::TooLarge);
            }
        }
        let openings: Openings = serde_json::from_slice(&text).map_err(OpeningsError::Malformed)?;
        self.client = self.client.with_token(Secret::new(openings.token.clone()));
        Ok(openings)
    }

    /// Fetches an object and opens it into a nameless file, at its start.
    ///
    /// # Errors
    /// `Object`.
    pub async fn object(&self, sealed: &SealedRef) -> Result<File, OpeningsError> {
        Ok(fetch(&self.client, sealed, &self.key, &self.seal_dir).await?)
    }

    /// Fetches bundle and inputs, which must be those of the job that was committed to.
    ///
    /// # Errors
    /// `Object` and `OtherJob`.
    pub async fn work(
        &self,
        openings: &Openings,
        job: &[u8; 32],
    ) -> Result<(Bundle, Option<File>), OpeningsError> {
        let mut sealed = self.object(&openings.bundle).await?;
        let bundle = bundle_of(&mut sealed, &openings.job_terms, job)?;
        let mut inputs = match &openings.inputs {
            Some(inputs) => Some(self.object(inputs).await?),
            None => None,
        };
        inputs_must_be_of(&bundle, inputs.as_mut())?;
        Ok((bundle, inputs))
    }
}
