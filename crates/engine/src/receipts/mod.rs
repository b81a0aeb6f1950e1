//! Receipts: what a job came to, signed, with its place in the audit log.
//!
//! - `body.rs`: what a receipt says, from the rows. Its digest stands in the row of the job's settlement, and is published with
//!   it, so what is issued later is what was so then.

mod body;

use custody::Signer;
use domain::{JobId, JobState};
use wire::receipt::{
    Crypto, Pins, RECEIPT_PURPOSE, RECORD_FIELD, ReceiptDoc, SignaturePart, Verified, signed_bytes, verify,
};

use crate::{Engine, Error};

/// A receipt was not issued.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The job is not settled.
    #[error("job {0} is not settled yet")]
    Open(JobId),
    /// Its settlement is not in the audit log yet.
    #[error("the settlement of job {0} is not in the audit log yet")]
    NotReady(JobId),
    /// The rows do not give the receipt whose digest was recorded when the job was settled.
    #[error("what is stored of job {0} is not what was recorded when it was settled")]
    Differs(JobId),
    /// The engine failed.
    #[error("the receipt could not be made")]
    Engine(#[source] Error),
}

impl ReceiptError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open(_) => "job_open",
            Self::NotReady(_) => "receipt_not_ready",
            Self::Differs(_) => "receipt_differs",
            Self::Engine(_) => "internal",
        }
    }

    /// Whether the same request may be served later.
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Open(_) | Self::NotReady(_))
    }
}

impl<T: Into<Error>> From<T> for ReceiptError {
    fn from(error: T) -> Self {
        Self::Engine(error.into())
    }
}

impl Engine {
    /// The receipt of a settled job.
    ///
    /// # Errors
    /// `Open` and `NotReady` until it is settled and published; `Differs` when the rows were changed since.
    pub async fn job_receipt(&self, id: JobId) -> Result<ReceiptDoc, ReceiptError> {
        let context = &self.context;
        let job = context.job(id).await?;
        if !matches!(job.state, JobState::Settled(_)) {
            return Err(ReceiptError::Open(id));
        }
        let missing = || Error::Missing { what: "settlement", of: id.to_string() };
        let row = context.store.outbox_settled(id).await?.ok_or_else(missing)?;
        let Some(audit) = context.place_in_log(&row).await? else { return Err(ReceiptError::NotReady(id)) };
        let facts = context.store.lease_fact_list(id).await?;
        let body = context.receipt_body(&job, &facts).await?;
        let recorded: serde_json::Value = serde_json::from_str(&row.body).map_err(std::io::Error::from)?;
        let digest = wire::receipt::body_digest(&body).map_err(std::io::Error::from)?;
        if recorded.get(RECORD_FIELD).and_then(serde_json::Value::as_str) != Some(&digest) {
            return Err(ReceiptError::Differs(id));
        }
        let bytes = signed_bytes(&body, &audit).map_err(std::io::Error::from)?;
        let key = context.keys.receipts();
        let signature = SignaturePart { key: key.public_key(), signature: key.sign(RECEIPT_PURPOSE, &bytes) };
        Ok(ReceiptDoc { body, audit, signature })
    }
}

/// Checks a receipt's file, without any control plane.
pub fn receipt_verify(file: &[u8], pins: Pins<'_>) -> Verified {
    let signed = |key: &str, purpose: &str, message: &[u8], signature: &str| {
        custody::verify(key, purpose, message, signature).is_ok()
    };
    let recover = |digest: &[u8; 32], signature: &[u8; 65]| {
        custody::signer_of(digest, signature).and_then(|address| wire::agent::bytes_of(&address))
    };
    verify(file, pins, Crypto { signed: &signed, note: &custody::note_verify, recover: &recover })
}
