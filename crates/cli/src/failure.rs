//! What a command can fail with: what happened, why, what to do next, and the exit code.

use std::fmt;

use serde::Serialize;
use wire::rest::ErrorBody;

/// Exit codes, as `waag help exit-codes` lists them. None is ever used for another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Our side, or unknown.
    Failed = 1,
    /// What was asked for makes no sense.
    Usage = 2,
    /// No valid token.
    Denied = 3,
    /// There is no such thing.
    NotFound = 4,
    /// No control plane answers.
    Unreachable = 5,
    /// Policy or budget says no.
    Refused = 6,
    /// The job ended without its result.
    JobFailed = 7,
    /// A proof failed or is disputed, or evidence does not hold.
    NotProven = 8,
    /// It may or may not have happened.
    Unknown = 9,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// All codes but 0, with what they mean.
    pub(crate) const MEANINGS: [(Self, &'static str); 10] = [
        (Self::Failed, "failed, our side or unknown"),
        (Self::Usage, "the command, the job file or the configuration is wrong"),
        (Self::Denied, "no valid token"),
        (Self::NotFound, "not found"),
        (Self::Unreachable, "no control plane answers"),
        (Self::Refused, "refused by policy, offers or budget"),
        (Self::JobFailed, "the job ended without its result"),
        (Self::NotProven, "a proof failed or is disputed, or evidence does not hold"),
        (Self::Unknown, "the outcome is unknown: look before you repeat"),
        (Self::Interrupted, "interrupted"),
    ];
}

/// A command failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) body: ErrorBody,
    /// What was found, beside what failed: part of the document that `--json` prints.
    pub(crate) found: Option<Box<serde_json::Value>>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        let body = ErrorBody {
            code: code.to_owned(),
            message: message.into(),
            why: None,
            next: None,
            retryable: matches!(exit, Exit::Unreachable),
        };
        Self { exit, body, found: None }
    }

    pub(crate) fn why(mut self, why: impl fmt::Display) -> Self {
        self.body.why = Some(why.to_string());
        self
    }

    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.body.next = Some(next.into());
        self
    }

    /// The same, with what was found.
    pub(crate) fn found(mut self, found: &impl Serialize) -> Self {
        self.found = serde_json::to_value(found).ok().map(Box::new);
        self
    }

    /// The document that `--json` prints.
    pub(crate) fn document(&self) -> serde_json::Value {
        let mut whole = self.found.as_deref().cloned().unwrap_or_else(|| serde_json::json!({}));
        let body = serde_json::to_value(&self.body).unwrap_or_default();
        if let (Some(whole), serde_json::Value::Object(body)) = (whole.as_object_mut(), body) {
            whole.extend(body);
        }
        whole
    }

    /// What the API said.
    pub(crate) fn of_api(status: u16, body: ErrorBody) -> Self {
        let exit = match (status, body.code.as_str()) {
            (401 | 403, _) => Exit::Denied,
            (404, _) => Exit::NotFound,
            (409, "budget_exceeds_account" | "level_unsupported" | "no_admissible_offer" | "window_shut") => {
                Exit::Refused
            }
            (409, "job_open") => Exit::Failed,
            (409 | 413 | 415 | 400 | 422, _) => Exit::Usage,
            _ => Exit::Failed,
        };
        Self { exit, body, found: None }
    }
}

/// An unexpected error: its whole chain, on one line.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let mut failure = Self::new(Exit::Failed, "internal", error.to_string());
        let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
        if !causes.is_empty() {
            failure = failure.why(causes.join(": "));
        }
        failure
    }
}

pub(crate) type Done<T = ()> = Result<T, Failure>;
