//! Receipts: what a job came to, as a file that is checked without whoever made it.
//!
//! A receipt is a body, its place in the audit log, and a signature over both. Bytes to digest and to sign are canonical JSON
//! (RFC 8785); the file may be laid out in any way. There are no fractions in it, so sorting keys is all that canonical means.
//!
//! - `facts.rs`: the body as `evidence` checks it. `verify.rs`: a file, checked.

mod facts;
mod verify;

pub use verify::{Crypto, GapDoc, LookDoc, Pins, ReportDoc, Verified, WrongDoc, verify};

use domain::{ExecutionId, JobId, LeaseId, Usd, UsdPerHour};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::proof::DrawnDoc;

/// The version that is written and read.
pub const RECEIPT_VERSION: u32 = 1;
/// What a receipt's signature is for.
pub const RECEIPT_PURPOSE: &str = "waag/receipt/1";
/// The kind of record in which a receipt's digest stands, as the outbox has it.
pub const RECORD_KIND: &str = "job.settled";
/// The field of that record which holds the SHA-256 of the canonical body, hex.
pub const RECORD_FIELD: &str = "receipt_sha256";

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptDoc {
    /// What the job came to.
    pub body: BodyDoc,
    /// Where the body's digest stands in the audit log.
    pub audit: AuditPart,
    /// The control plane's signature.
    pub signature: SignaturePart,
}

/// What a job came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BodyDoc {
    /// 1.
    pub version: u32,
    /// The job.
    pub job: JobPart,
    /// Attempts, oldest first.
    pub executions: Vec<ExecutionPart>,
    /// What it cost.
    pub settlement: SettlementPart,
    /// What all this does not prove. It follows from the rest.
    pub unproven: Vec<GapDoc>,
}

/// The job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobPart {
    /// Its id.
    #[schema(value_type = String)]
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its job file as it was taken.
    pub spec: String,
    /// BLAKE3 of the bundle that its agents ran, which names that of its inputs: 32 bytes, hex with `0x`.
    pub bundle: String,
    /// `keccak256("JOB/1" || keccak256("TERMS/1" || id's 10 bytes || keccak256(spec)) || bundle)`: 32 bytes, hex with `0x`.
    pub job_hash: String,
    /// How it ended.
    pub outcome: String,
    /// Why it failed, where it failed.
    pub reason: Option<String>,
    /// Whether it left outputs.
    pub outputs: bool,
    /// RFC 3339.
    pub submitted_at: String,
    /// RFC 3339.
    pub ended_at: String,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecutionPart {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// From 1.
    pub attempt: u32,
    /// Its lease; null where nothing was bought, and so are network and price.
    #[schema(value_type = Option<String>)]
    pub lease: Option<LeaseId>,
    /// Network.
    pub network: Option<String>,
    /// Provider, where known.
    pub provider: Option<String>,
    /// Region, where known.
    pub region: Option<String>,
    /// Price per hour, frozen at purchase.
    #[schema(value_type = Option<String>)]
    pub price_usd_hour: Option<UsdPerHour>,
    /// `completed`, `lost`, `cancelled` or `failed`.
    pub state: String,
    /// Why it was lost or failed.
    pub reason: Option<String>,
    /// First segment.
    pub from_segment: u32,
    /// One past the last segment whose state was stored.
    pub to_segment: u32,
    /// RFC 3339: when its agent connected.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub ended_at: Option<String>,
    /// Paid for its lease, fees and validators included.
    #[schema(value_type = String)]
    pub paid_usd: Usd,
    /// Paid for leases that it got and lost before.
    #[schema(value_type = String)]
    pub paid_before_usd: Usd,
    /// The fees in both.
    #[schema(value_type = String)]
    pub fees_usd: Usd,
    /// Whether its network can be refused payment for work that did not pass.
    pub withholds_payment: bool,
    /// Whether network and price are simulated.
    pub simulated: bool,
    /// What its agent committed to; null where it committed to nothing.
    pub commitment: Option<CommitmentPart>,
    /// How its work was checked; null where nothing ran.
    pub proof: Option<ProofPart>,
}

/// What an agent committed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitmentPart {
    /// EIP-712 domain separator of what is signed: 32 bytes, hex with `0x`; null where no notary could tell.
    pub domain: Option<String>,
    /// The lease as it is signed: 32 bytes, hex with `0x`.
    pub lease: Option<String>,
    /// The root: 32 bytes, hex with `0x`.
    pub root: String,
    /// Leaves below it.
    pub leaf_count: u32,
    /// The digest in each leaf: 32 bytes, hex with `0x`. Leaf `n` is state `from_segment + n`. Empty where they were never told.
    pub digests: Vec<String>,
    /// Whether the last leaf is about outputs.
    pub binds_outputs: bool,
    /// The agent's address: `0x` and 40 hex digits; null where it never said hello.
    pub agent: Option<String>,
    /// Its signature over root and number of leaves: 65 bytes, hex with `0x`.
    pub signature: Option<String>,
    /// The provider's signature for the agent, hex with `0x`; null where no provider speaks for it.
    pub delegation: Option<String>,
}

/// How the work of an execution was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofPart {
    /// `concluded` or `unchecked`.
    pub state: String,
    /// `passed`, `failed`, `disputed`, `unknown` or `canary`, where concluded.
    pub verdict: Option<String>,
    /// Why it is not checked.
    pub reason: Option<String>,
    /// The root that validators were asked about: 32 bytes, hex with `0x`.
    pub root: Option<String>,
    /// Leaves below it.
    pub leaf_count: Option<u32>,
    /// Segments that it covers.
    pub segments: u32,
    /// Segments to draw beside the first and the last.
    pub sample: u32,
    /// The segments that were drawn, counted from the first of this execution.
    pub drawn: Vec<u32>,
    /// Who replayed them, and what they said.
    pub validators: Vec<DrawnDoc>,
    /// From which segments and validators follow: 32 bytes, hex with `0x`.
    pub seed: Option<String>,
    /// Its name at the notary: 32 bytes, hex with `0x`.
    pub notary_id: Option<String>,
    /// Paid to validators.
    #[schema(value_type = String)]
    pub fee_usd: Usd,
    /// Taken from the provider's stake.
    #[schema(value_type = String)]
    pub slashed_usd: Usd,
    /// What of it came to the consumer, beside its money back.
    #[schema(value_type = String)]
    pub compensated_usd: Usd,
}

/// What a job cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettlementPart {
    /// Its budget, held when it was admitted.
    #[schema(value_type = String)]
    pub held_usd: Usd,
    /// Paid, fees included.
    #[schema(value_type = String)]
    pub paid_usd: Usd,
    /// Held and given back.
    #[schema(value_type = String)]
    pub refunded_usd: Usd,
    /// The fees in `paid_usd`.
    #[schema(value_type = String)]
    pub fees_usd: Usd,
    /// Billed beyond what is owed; not paid.
    #[schema(value_type = String)]
    pub disputed_usd: Usd,
    /// Whether any of the prices was simulated.
    pub simulated: bool,
    /// Units of gas that transactions of the control plane used.
    pub gas: u64,
    /// Hashes of these transactions, oldest first.
    pub tx: Vec<String>,
}

/// Where a receipt's digest stands in the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditPart {
    /// The record of the job's settlement: the entry of the log, byte by byte.
    pub record: String,
    /// Its place in the log, from 0.
    pub index: u64,
    /// Hashes from the record up to the root: 32 bytes each, hex (RFC 9162, section 2.1.3).
    pub proof: Vec<String>,
    /// The log's head: a signed checkpoint (c2sp.org/tlog-checkpoint).
    pub checkpoint: String,
    /// The log's public key: `name+id+key` (c2sp.org/signed-note).
    pub key: String,
}

/// The control plane's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignaturePart {
    /// Ed25519 public key: 32 bytes, hex.
    pub key: String,
    /// Over `waag/receipt/1`, a zero byte, and the canonical `{"audit":…,"body":…}`: 64 bytes, hex.
    pub signature: String,
}

/// Bytes to digest or to sign.
///
/// # Errors
/// None that a document of this module can cause: it has no fractions and its keys are texts.
pub fn canonical(document: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    serde_json_canonicalizer::to_vec(document)
}

/// SHA-256 of the canonical body, hex: what stands in the record of the job's settlement.
///
/// # Errors
/// As [`canonical`].
pub fn body_digest(body: &BodyDoc) -> Result<String, serde_json::Error> {
    Ok(hex::encode(evidence::log::sha256(&[&canonical(body)?])))
}

/// What is signed.
///
/// # Errors
/// As [`canonical`].
pub fn signed_bytes(body: &BodyDoc, audit: &AuditPart) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Signed<'a> {
        audit: &'a AuditPart,
        body: &'a BodyDoc,
    }
    canonical(&Signed { audit, body })
}

/// What a body does not prove, for who writes it; nothing where the body is malformed, which verifying it shows.
pub fn unproven(body: &BodyDoc) -> Vec<GapDoc> {
    facts::receipt(body)
        .map(|facts| evidence::receipt::unproven(&facts).iter().map(GapDoc::of).collect())
        .unwrap_or_default()
}
