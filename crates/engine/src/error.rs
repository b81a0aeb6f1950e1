//! What can go wrong in the engine, and what callers are told.

use domain::{Interrupted, JobId, Refusal};
use policy::admission::AdmissionRefusal;

/// A reconciler or a read could not be finished; the next tick tries again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data store failed.
    #[error("the data store failed")]
    Store(#[from] store::Error),
    /// A stored document cannot be read.
    #[error("a stored document cannot be read")]
    Doc(#[from] wire::doc::DocError),
    /// A stored job file cannot be read.
    #[error("the stored spec of job {job} cannot be read")]
    Spec {
        /// Of which job.
        job: JobId,
        /// Why.
        #[source]
        source: Box<wire::jobfile::JobFileError>,
    },
    /// Sealing or opening failed.
    #[error("an object could not be sealed or opened")]
    Seal(#[from] custody::SealError),
    /// A data key could not be wrapped or unwrapped.
    #[error("a data key could not be wrapped or unwrapped")]
    Wrap(#[from] custody::WrapError),
    /// A row that another row names is missing.
    #[error("the {what} of {of} is missing")]
    Missing {
        /// What.
        what: &'static str,
        /// Whose.
        of: String,
    },
    /// The audit log could not be read or written.
    #[error("the audit log failed")]
    Log(#[from] evidence::log::Wrong),
    /// Less than was published in the audit log is found, or something else. Nothing is signed.
    #[error("the audit log is not continued: {why}; {next}")]
    AuditBehind {
        /// What was found.
        why: String,
        /// What a person can do.
        next: &'static str,
    },
    /// The notary could not be asked how far the audit log had come.
    #[error("the notary could not be asked how far the audit log had come")]
    Notary(#[source] market::Error),
    /// A file could not be used.
    #[error("a temporary file could not be used")]
    File(#[from] std::io::Error),
    /// A test stopped the work here.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// A job was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The job file is wrong.
    #[error("the job file cannot be taken")]
    File(#[source] Box<wire::jobfile::JobFileError>),
    /// Policy refuses it.
    #[error("the job is refused")]
    Refused(#[source] AdmissionRefusal),
    /// No offer can ever fit.
    #[error("no offer fits: {}", counts(.0))]
    NoAdmissibleOffer(Vec<(Refusal, u32)>),
    /// A secret has no value.
    #[error("secret {0} has no value: set it in the environment of `waag run`, or in the job file")]
    SecretMissing(String),
    /// A value was sent for a secret that the file does not name.
    #[error("secret {0} is not named in the job file")]
    SecretUnknown(String),
    /// The named inputs are not there.
    #[error("the uploaded inputs are not there: upload them again")]
    InputsMissing,
    /// The key was used for another request.
    #[error("the key was used for another job, {0}: choose another key")]
    KeyReused(JobId),
    /// The engine failed.
    #[error("the job could not be stored")]
    Engine(#[source] Error),
}

fn counts(refused: &[(Refusal, u32)]) -> String {
    refused.iter().map(|(refusal, n)| format!("{n} {refusal}")).collect::<Vec<_>>().join(", ")
}

impl SubmitError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "job_file_invalid",
            Self::Refused(refusal) => refusal.code(),
            Self::NoAdmissibleOffer(_) => "no_admissible_offer",
            Self::SecretMissing(_) => "secret_missing",
            Self::SecretUnknown(_) => "secret_unknown",
            Self::InputsMissing => "inputs_missing",
            Self::KeyReused(_) => "key_reused",
            Self::Engine(_) => "internal",
        }
    }

    /// Whether the same submission may be taken later.
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Refused(AdmissionRefusal::BudgetExceedsAccount { .. }) | Self::Engine(_))
    }
}

impl<T: Into<Error>> From<T> for SubmitError {
    fn from(error: T) -> Self {
        Self::Engine(error.into())
    }
}

/// An agent's request was not served.
#[derive(Debug, thiserror::Error)]
pub enum AgentRefusal {
    /// No open execution has this token.
    #[error("the token is unknown")]
    Unknown,
    /// The execution's job has no such object.
    #[error("this execution's job has no such object")]
    NoObject,
    /// Another instance connected with the token first.
    #[error("another instance holds this execution")]
    OtherInstance,
    /// The execution has ended.
    #[error("the execution has ended")]
    Ended,
    /// No validator that was drawn for the proof asks.
    #[error("this is not a validator that was drawn for the proof")]
    NotDrawn,
    /// There is no such proof.
    #[error("there is no such proof here")]
    NoProof,
    /// The proof is concluded.
    #[error("the proof is concluded")]
    ProofOver,
    /// What was committed to cannot be opened.
    #[error("the states that were committed to are not here")]
    Withheld,
    /// Not yet: the lease is not confirmed. Try again.
    #[error("the lease is not confirmed yet")]
    NotYet,
    /// The message makes no sense here.
    #[error("{0}")]
    Malformed(&'static str),
    /// The log continues elsewhere.
    #[error("the log continues at offset {next_offset}")]
    LogGap {
        /// Where.
        next_offset: u64,
    },
    /// More than an upload may have.
    #[error("the upload is larger than the {max} bytes allowed")]
    TooLarge {
        /// The bound.
        max: u64,
    },
    /// The upload broke off.
    #[error("the upload broke off")]
    BrokeOff,
    /// The engine failed; try again.
    #[error("the engine failed")]
    Engine(#[source] Error),
}

impl<T: Into<Error>> From<T> for AgentRefusal {
    fn from(error: T) -> Self {
        Self::Engine(error.into())
    }
}
