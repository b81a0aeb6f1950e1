//! A receipt's file, checked: no network, no control plane, no clock.

use domain::JobSpec;
use evidence::log::{Checkpoint, Key, Verify, Wrong as LogWrong, includes, leaf_hash};
use evidence::receipt::{Check, Fault, Recover, Report, Unproven, check};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AuditPart, BodyDoc, JobPart, RECEIPT_PURPOSE, RECEIPT_VERSION, RECORD_FIELD, RECORD_KIND, ReceiptDoc,
    body_digest, canonical, facts, signed_bytes,
};

/// Longer files are no receipts.
const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Keys that are known from elsewhere; what is `None` is taken from the receipt itself, which then shows that it is whole, but
/// not whose it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pins<'a> {
    /// The control plane's key: 32 bytes, hex.
    pub key: Option<&'a str>,
    /// The audit log's key: `name+id+key`.
    pub audit: Option<&'a str>,
}

/// Whether a key (hex) signed a message for a purpose (hex).
type Signed<'a> = &'a dyn Fn(&str, &str, &[u8], &str) -> bool;

/// The cryptography, which whoever calls brings.
#[derive(Clone, Copy)]
pub struct Crypto<'a> {
    /// Whether a key (hex) signed a message for a purpose (hex).
    pub signed: Signed<'a>,
    /// Whether a key signed a note.
    pub note: Verify<'a>,
    /// Who signed a digest for a chain.
    pub recover: Recover<'a>,
}

/// What came of checking a file.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The receipt; `None` where the file is none.
    pub receipt: Option<ReceiptDoc>,
    /// What holds, what does not, and what remains unproven.
    pub report: Report,
    /// Whether both keys were known from elsewhere.
    pub pinned: bool,
}

/// Checks a receipt's file.
pub fn verify(file: &[u8], pins: Pins<'_>, crypto: Crypto<'_>) -> Verified {
    let mut report = Report::default();
    let pinned = pins.key.is_some() && pins.audit.is_some();
    let receipt = match read(file) {
        Ok(receipt) => receipt,
        Err((fault, field, text)) => {
            report.must(Check::Shape, false, fault, field, || text);
            return Verified { receipt: None, report, pinned };
        }
    };
    report.must(Check::Shape, true, Fault::Malformed, "", String::new);
    signature(&receipt, pins, crypto, &mut report);
    audit(&receipt, pins, crypto, &mut report);
    body(&receipt.body, crypto, &mut report);
    Verified { receipt: Some(receipt), report, pinned }
}

type Refused = (Fault, String, String);

fn read(file: &[u8]) -> Result<ReceiptDoc, Refused> {
    let unreadable = |text: String| (Fault::Unreadable, String::new(), text);
    if file.len() > FILE_BYTES_MAX {
        return Err(unreadable("it is longer than any receipt".to_owned()));
    }
    let value: serde_json::Value =
        serde_json::from_slice(file).map_err(|error| unreadable(format!("it is no whole JSON: {error}")))?;
    let version = value.pointer("/body/version");
    if let Some(version) = version.filter(|version| version.as_u64() != Some(u64::from(RECEIPT_VERSION))) {
        let text = format!("version {version} is not known; this program reads version {RECEIPT_VERSION}");
        return Err((Fault::Version, "body.version".to_owned(), text));
    }
    let mut from = serde_json::Deserializer::from_slice(file);
    let receipt: ReceiptDoc = serde_path_to_error::deserialize(&mut from)
        .map_err(|error| (Fault::Malformed, error.path().to_string(), error.into_inner().to_string()))?;
    // What this type would not write, it must not have read: fields it does not know, or absent where null is written.
    let same =
        canonical(&receipt).ok().zip(canonical(&value).ok()).is_some_and(|(ours, theirs)| ours == theirs);
    if !same {
        let text = "it has fields that a receipt has not, or lacks some".to_owned();
        return Err((Fault::Malformed, String::new(), text));
    }
    Ok(receipt)
}

fn signature(receipt: &ReceiptDoc, pins: Pins<'_>, crypto: Crypto<'_>, report: &mut Report) {
    let ReceiptDoc { body, audit, signature } = receipt;
    if let Some(pinned) = pins.key {
        let same = pinned.eq_ignore_ascii_case(&signature.key);
        report.must(Check::Signature, same, Fault::Key, "signature.key", || {
            "it is signed by another key than the expected one".to_owned()
        });
    }
    let key = pins.key.unwrap_or(&signature.key);
    let holds = signed_bytes(body, audit)
        .is_ok_and(|bytes| (crypto.signed)(key, RECEIPT_PURPOSE, &bytes, &signature.signature));
    report.must(Check::Signature, holds, Fault::Signature, "signature.signature", || {
        "the control plane's key did not sign this".to_owned()
    });
}

fn audit(receipt: &ReceiptDoc, pins: Pins<'_>, crypto: Crypto<'_>, report: &mut Report) {
    let audit = &receipt.audit;
    if let Some(pinned) = pins.audit {
        let same = pinned.trim() == audit.key;
        report.must(Check::Audit, same, Fault::AuditKey, "audit.key", || {
            "its log is signed by another key than the expected one".to_owned()
        });
    }
    let key = match Key::parse(pins.audit.unwrap_or(&audit.key)) {
        Ok(key) => key,
        Err(wrong) => {
            return report.must(Check::Audit, false, Fault::AuditKey, "audit.key", || wrong.to_string());
        }
    };
    recorded(receipt, key.name(), report);
    match Checkpoint::open(audit.checkpoint.as_bytes(), &key, crypto.note) {
        Ok(head) => {
            report.must(Check::Audit, true, Fault::Checkpoint, "", String::new);
            let holds = included(audit, &head);
            report.must(Check::Audit, holds, Fault::Inclusion, "audit.proof", || {
                format!("the record is not entry {} of the log with this head", audit.index)
            });
        }
        Err(wrong) => {
            let fault = match wrong {
                LogWrong::Signature(_) | LogWrong::Unsigned { .. } => Fault::CheckpointSignature,
                LogWrong::Origin { .. } => Fault::AuditKey,
                _ => Fault::Checkpoint,
            };
            report.must(Check::Audit, false, fault, "audit.checkpoint", || wrong.to_string());
        }
    }
}

fn included(audit: &AuditPart, head: &Checkpoint) -> bool {
    let hash = |text: &String| -> Option<[u8; 32]> { hex::decode(text).ok()?.try_into().ok() };
    let path: Option<Vec<_>> = audit.proof.iter().map(hash).collect();
    let leaf = leaf_hash(audit.record.as_bytes());
    path.is_some_and(|path| includes(&leaf, audit.index, head.size, &head.root, &path))
}

/// The record is that of this job's settlement, and names this body.
fn recorded(receipt: &ReceiptDoc, origin: &str, report: &mut Report) {
    let ReceiptDoc { body, audit, .. } = receipt;
    let record = match crate::audit::read(origin, audit.index, audit.record.as_bytes()) {
        Ok(record) => record,
        Err(error) => {
            let text = domain::chain(&error);
            return report.must(Check::Audit, false, Fault::Record, "audit.record", || text);
        }
    };
    let about = (record.kind.as_str(), record.subject.as_str());
    let (kind, job) = (format!("waag.{RECORD_KIND}"), body.job.id.to_string());
    report.must(Check::Audit, about == (&kind, &job), Fault::RecordOf, "audit.record", || {
        format!("it is about {} of {}, not about the settlement of {job}", record.kind, record.subject)
    });
    let named = record.data.get(RECORD_FIELD).and_then(serde_json::Value::as_str);
    let holds = body_digest(body).is_ok_and(|digest| named == Some(&digest));
    report.must(Check::Audit, holds, Fault::NotRecorded, "body", || {
        "the record of the job's settlement names another body".to_owned()
    });
}

/// The job file of a receipt's job; `None` where it is none.
pub(super) fn spec_of(job: &JobPart) -> Option<JobSpec> {
    let file = crate::jobfile::parse(job.spec.as_bytes(), "spec").ok()?;
    (crate::jobfile::print(&file.spec) == job.spec).then_some(file.spec)
}

fn body(body: &BodyDoc, crypto: Crypto<'_>, report: &mut Report) {
    let job = &body.job;
    let fits = spec_of(job).is_some_and(|spec| {
        spec.name.to_string() == job.name && (spec.outputs_path.is_some() || !job.outputs)
    });
    report.must(Check::Job, fits, Fault::Spec, "body.job.spec", || {
        "it is no job file of a job with this name and these outputs".to_owned()
    });
    match facts::receipt(body) {
        Ok(facts) => {
            let listed: Vec<_> = body.unproven.iter().map(|gap| (gap.code.clone(), gap.attempt)).collect();
            check(&facts, &listed, crypto.recover, report);
        }
        Err(wrong) => report.must(Check::Shape, false, Fault::Malformed, wrong.field, || {
            format!("it has to be {}", wrong.wanted)
        }),
    }
}

/// Something that is not proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GapDoc {
    /// A stable code, e.g. `part_replayed`.
    pub code: String,
    /// Of which attempt; null where it concerns all.
    pub attempt: Option<u32>,
    /// For people.
    pub text: String,
}

impl GapDoc {
    pub(super) fn of(one: &Unproven) -> Self {
        Self { code: one.gap.code().to_owned(), attempt: one.attempt, text: one.text.clone() }
    }
}

/// What came of checking a receipt, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDoc {
    /// Whether everything that was looked at holds.
    pub verified: bool,
    /// Whether the keys were known from elsewhere. If not, the receipt is shown to be whole, and not whose it is.
    pub pinned: bool,
    /// The job.
    pub job: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// The control plane's key: 32 bytes, hex.
    pub key: Option<String>,
    /// The audit log's key: `name+id+key`.
    pub audit_key: Option<String>,
    /// What was looked at.
    pub checks: Vec<LookDoc>,
    /// What does not hold.
    pub wrong: Vec<WrongDoc>,
    /// What remains unproven.
    pub unproven: Vec<GapDoc>,
}

/// A kind of thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookDoc {
    /// A stable code, e.g. `commitments`.
    pub check: String,
    /// How many things of this kind there were.
    pub looked_at: u32,
    /// Whether all of them hold.
    pub holds: bool,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongDoc {
    /// A stable code, e.g. `root_differs`.
    pub code: String,
    /// Where, as a path of the document.
    pub field: String,
    /// For people.
    pub text: String,
}

impl Verified {
    /// As it is shown.
    pub fn doc(&self) -> ReportDoc {
        let Self { receipt, report, pinned } = self;
        let of = |what: fn(&ReceiptDoc) -> &String| receipt.as_ref().map(|receipt| what(receipt).clone());
        let holds = |check: Check| !report.wrong.iter().any(|wrong| wrong.check == check);
        ReportDoc {
            verified: report.holds(),
            pinned: *pinned,
            job: receipt.as_ref().map(|receipt| receipt.body.job.id.to_string()),
            name: of(|receipt| &receipt.body.job.name),
            outcome: of(|receipt| &receipt.body.job.outcome),
            key: of(|receipt| &receipt.signature.key),
            audit_key: of(|receipt| &receipt.audit.key),
            checks: report
                .looked_at
                .iter()
                .map(|(check, n)| LookDoc {
                    check: check.code().to_owned(),
                    looked_at: *n,
                    holds: holds(*check),
                })
                .collect(),
            wrong: report
                .wrong
                .iter()
                .map(|wrong| WrongDoc {
                    code: wrong.fault.code().to_owned(),
                    field: wrong.field.clone(),
                    text: wrong.text.clone(),
                })
                .collect(),
            unproven: report.unproven.iter().map(GapDoc::of).collect(),
        }
    }
}
