//! The REST types. Every error is an [`ErrorBody`].

use std::collections::BTreeMap;

use domain::{ExecutionId, JobId, LeaseId, ObjectId, PlacementId, Usd, UsdPerHour};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::proof::ProofDoc;

/// Why a request was not served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// A stable code, e.g. `budget_exceeds_account`.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

/// A job to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitJob {
    /// The job file's text.
    #[schema(example = "name: hello\nrun: echo hello\n")]
    pub file: String,
    /// Its name, for error messages.
    #[serde(default)]
    pub file_name: Option<String>,
    /// Values of the secrets that the file names.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// The uploaded tar of `workdir` and `file_mounts`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub inputs: Option<ObjectId>,
    /// A repeated submission with the same key is the same job.
    #[serde(default)]
    pub key: Option<String>,
}

/// A stored upload of inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InputsDoc {
    /// To be named in `SubmitJob::inputs`.
    #[schema(value_type = String)]
    pub object: ObjectId,
    /// Bytes received.
    pub bytes: u64,
}

/// A job file to be planned without running it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanJob {
    /// The job file's text.
    #[schema(example = "name: hello\nrun: echo hello\n")]
    pub file: String,
    /// Its name, for error messages.
    #[serde(default)]
    pub file_name: Option<String>,
}

/// Offers for a job file, or all offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OffersDoc {
    /// Admissible ones first, in the order in which they would be taken.
    pub offers: Vec<OfferDoc>,
    /// How many are admissible.
    pub admissible: u32,
    /// How many each rule refused.
    pub refused: BTreeMap<String, u32>,
    /// Networks that could not be asked, with the reason.
    pub unreachable: BTreeMap<String, String>,
    /// The version of the catalogue.
    pub catalogue: u64,
}

/// One offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OfferDoc {
    /// Network.
    pub network: String,
    /// The network's own reference.
    pub reference: String,
    /// Provider; null where assigned later.
    pub provider: Option<String>,
    /// Region; null where unknown.
    pub region: Option<String>,
    /// Cores.
    pub cpus: f64,
    /// GiB.
    pub memory_gib: f64,
    /// GiB.
    pub disk_gib: f64,
    /// Accelerators, e.g. `H100:8`.
    pub accelerators: Option<String>,
    /// Dollars per hour.
    #[schema(value_type = String)]
    pub price_usd_hour: UsdPerHour,
    /// The price as the network quoted it, e.g. `0.42 USD/h`.
    pub quoted: String,
    /// Expected cost of the job on it; null without a job.
    #[schema(value_type = Option<String>)]
    pub expected_usd: Option<Usd>,
    /// `firm`, `auction` or `queue`.
    pub firmness: String,
    /// Whether the network may take the machine away at any time.
    pub interruptible: bool,
    /// Milliseconds since the network said so.
    pub age_ms: u64,
    /// Whether it is simulated.
    pub simulated: bool,
    /// Why it is not admissible; null when it is.
    pub refused: Option<String>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobDoc {
    /// Its id.
    #[schema(value_type = String)]
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// `waiting`, `running`, `ending` or `settled`.
    pub state: String,
    /// How it ended; null while open.
    pub outcome: Option<String>,
    /// What the outcome means, for people.
    pub reason: Option<String>,
    /// What it waits for; null when it does not wait.
    pub waiting_for: Option<String>,
    /// RFC 3339.
    pub submitted_at: String,
    /// RFC 3339.
    pub deadline_at: String,
    /// RFC 3339; null while open.
    pub ended_at: Option<String>,
    /// Segments whose checkpoint is stored.
    pub segments_done: u32,
    /// All segments.
    pub segments: u32,
    /// Attempts, oldest first.
    pub executions: Vec<ExecutionDoc>,
    /// What is held for it now.
    #[schema(value_type = String)]
    pub held_usd: Usd,
    /// Once it is settled.
    pub settlement: Option<SettlementDoc>,
    /// Whether outputs can be fetched.
    pub outputs: bool,
    /// Whether this answers a repeated submission.
    #[serde(default)]
    pub existing: bool,
}

/// An attempt of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionDoc {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// From 1.
    pub attempt: u32,
    /// Its lease.
    #[schema(value_type = Option<String>)]
    pub lease: Option<LeaseId>,
    /// The plan it follows.
    #[schema(value_type = String)]
    pub placement: PlacementId,
    /// Network.
    pub network: String,
    /// Provider; null until known.
    pub provider: Option<String>,
    /// Region; null until known.
    pub region: Option<String>,
    /// Price per hour, frozen at purchase.
    #[schema(value_type = String)]
    pub price_usd_hour: UsdPerHour,
    /// `starting`, `running`, `completed`, `lost`, `cancelled` or `failed`.
    pub state: String,
    /// Why it was lost or failed.
    pub reason: Option<String>,
    /// State of the lease: `intended`, `bidding`, `queued`, `live`, `ending` or `ended`.
    pub lease_state: String,
    /// First segment.
    pub from_segment: u32,
    /// One past the last segment whose checkpoint is stored.
    pub to_segment: u32,
    /// How the workload was fenced; null until the agent connected.
    pub sandbox: Option<String>,
    /// RFC 3339: when the agent connected.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub ended_at: Option<String>,
    /// Paid for its lease, fees included; null until that is settled.
    #[schema(value_type = Option<String>)]
    pub paid_usd: Option<Usd>,
    /// How its work was checked; null until that is decided.
    pub proof: Option<ProofDoc>,
    /// Whether network and price are simulated.
    pub simulated: bool,
}

/// What a job cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettlementDoc {
    /// Paid, fees included.
    #[schema(value_type = String)]
    pub paid_usd: Usd,
    /// Held and given back.
    #[schema(value_type = String)]
    pub refunded_usd: Usd,
    /// The fees in `paid_usd`.
    #[schema(value_type = String)]
    pub fees_usd: Usd,
    /// Billed beyond what we owe; not paid.
    #[schema(value_type = String)]
    pub disputed_usd: Usd,
    /// The same seconds on a listed cloud machine.
    #[schema(value_type = Option<String>)]
    pub cloud_usd: Option<Usd>,
    /// Where that price is from.
    pub cloud_source: Option<String>,
    /// Whether any of the prices was simulated.
    pub simulated: bool,
    /// Units of gas that our own transactions used; 0 where no lease was on a chain.
    #[serde(default)]
    pub gas: u64,
    /// Hashes of these transactions, oldest first.
    #[serde(default)]
    pub tx: Vec<String>,
}

/// Jobs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobsDoc {
    /// At most the asked number.
    pub jobs: Vec<JobDoc>,
}

/// Why this offer, why not the others, and what happens if it dies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainDoc {
    /// The job.
    #[schema(value_type = String)]
    pub job: JobId,
    /// Plans, oldest first, as text.
    pub placements: Vec<PlacementDoc>,
    /// Offers that the job could not take now, each with the first rule it breaks. Plans keep only the counts.
    pub refused_now: Vec<RefusedDoc>,
    /// What happens if the provider is lost now.
    pub if_lost: String,
    /// What remains unprotected or unproven.
    pub cautions: Vec<String>,
}

/// An offer that a job could not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedDoc {
    /// Network.
    pub network: String,
    /// The network's own reference.
    pub reference: String,
    /// The rule it breaks.
    pub code: String,
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlacementDoc {
    /// Its id.
    #[schema(value_type = String)]
    pub id: PlacementId,
    /// The plan it replaces.
    #[schema(value_type = Option<String>)]
    pub parent: Option<PlacementId>,
    /// RFC 3339.
    pub made_at: String,
    /// The stable text form.
    pub text: String,
}

/// An account and the equation it obeys: funded = available + held + posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountDoc {
    /// Paid in.
    #[schema(value_type = String)]
    pub funded_usd: Usd,
    /// Free.
    #[schema(value_type = String)]
    pub available_usd: Usd,
    /// Set aside for jobs.
    #[schema(value_type = String)]
    pub held_usd: Usd,
    /// Spent.
    #[schema(value_type = String)]
    pub posted_usd: Usd,
}

/// A piece of a job's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogDoc {
    /// Text from `offset` on; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// Where the next piece begins.
    pub next_offset: u64,
    /// Whether more will come.
    pub open: bool,
}

/// The control plane is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthDoc {
    /// Version of the program.
    pub version: String,
    /// Networks it is connected to.
    pub networks: Vec<String>,
    /// Alerts that wait for a person.
    pub alerts: Vec<AlertDoc>,
}

/// Something a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertDoc {
    /// RFC 3339.
    pub at: String,
    /// A stable code, e.g. `lease_unrecorded`.
    pub code: String,
    /// What it is about.
    pub text: String,
}
