//! The agent protocol, version 1: HTTPS from the agent to the control plane, which never dials an agent. The server's
//! certificate is pinned by the boot document; every request carries `Authorization: Bearer <token>`.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /agent/v1/hello` | `Hello` | `Welcome` |
//! | `GET /agent/v1/objects/{id}` | | ciphertext |
//! | `PUT /agent/v1/checkpoints/{segment}` | ciphertext, header `waag-wrapped-key` and, from an agent that commits, `waag-commitment` | `UploadReceipt` |
//! | `POST /agent/v1/commitment` | `Commitment` | [`Acknowledgement`]; only from an agent that commits |
//! | `POST /agent/v1/openings` | [`crate::openings::OpeningRequest`] | [`crate::openings::Openings`]; for drawn validators |
//! | `PUT /agent/v1/outputs` | ciphertext, header `waag-wrapped-key` | `UploadReceipt` |
//! | `POST /agent/v1/logs?offset=N` | bytes | `LogAck` |
//! | `POST /agent/v1/heartbeat` | `Heartbeat` | `Orders` |
//! | `POST /agent/v1/finish` | `Finish` | `Orders` |
//! | `POST /agent/v1/openings` | from a validator, see [`crate::openings`] | |
//!
//! Every error is a [`crate::rest::ErrorBody`]. 401: the token is unknown. 404: the job has no such object, so the agent
//! gives up. 409: another instance holds the token. 410: the execution has ended, so the agent stops and removes what it
//! has. 416: the log continues elsewhere, at the offset in the header `waag-next-offset`. Anything else that is not 2xx,
//! and silence, is tried again with backoff.

use domain::{ExecutionId, ObjectId};
use serde::{Deserialize, Serialize};

/// The version that both sides must speak.
pub const PROTOCOL: u32 = 1;
/// Header of an upload: the object's data key, wrapped to the customer's key, in hex.
pub const WRAPPED_KEY_HEADER: &str = "waag-wrapped-key";
/// Header of a checkpoint: a [`Commitment`] as text, over the states up to this one.
pub const COMMITMENT_HEADER: &str = "waag-commitment";
/// The file in its folder in which an agent that commits leaves its newest [`Commitment`], as JSON, for its provider. The
/// control plane has been told of it.
pub const COMMITMENT_FILE: &str = "commitment.json";
/// The file in its folder in which an agent that plants a leaf leaves a [`CanaryDoc`], as JSON.
pub const CANARY_FILE: &str = "canary.json";
/// Header of a 416: the offset at which the log continues.
pub const NEXT_OFFSET_HEADER: &str = "waag-next-offset";
/// The largest body of a JSON request.
pub const JSON_BYTES_MAX: usize = 64 * 1024;
/// The largest piece of log in one request.
pub const LOG_CHUNK_BYTES_MAX: usize = 256 * 1024;
/// HPKE info for keys wrapped to an agent or to the customer.
pub const WRAP_INFO: &[u8] = b"waag/object-key/1";

/// What the agent is started with, handed over a pipe. A secret, since it holds the credential.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootDoc {
    /// The protocol version.
    pub protocol: u32,
    /// Base URL of the agent API, e.g. `https://127.0.0.1:7443`.
    pub url: String,
    /// SHA-256 of the server's certificate (DER), hex.
    pub pin: String,
    /// The execution it works for.
    pub execution: ExecutionId,
    /// By what it is admitted.
    pub credential: Credential,
    /// Misbehaviour for demonstrations and tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

impl BootDoc {
    /// The token from the control plane, for an agent that is admitted by one.
    pub fn token(&self) -> Option<&str> {
        match &self.credential {
            Credential::Token { token } => Some(token),
            Credential::ByProvider | Credential::Delegated { .. } => None,
        }
    }
}

/// By what an agent is admitted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Credential {
    /// A token from the control plane, which the network hands on in secret.
    Token {
        /// Hex.
        token: String,
    },
    /// None yet: the provider puts its delegation here.
    ByProvider,
    /// The provider's word. The agent makes its own token and introduces itself with it.
    Delegated {
        /// The lease as its network names it: 32 bytes, hex with `0x`.
        lease: String,
        /// EIP-712 domain separator of what the agent signs: 32 bytes, hex with `0x`.
        domain: String,
        /// The agent's secp256k1 key, hex. A secret.
        agent_key: String,
        /// The provider's signature for that key's address and this lease, hex with `0x`.
        delegation: String,
        /// Who has to say that it received each state; absent where no notary judges the lease.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receiver: Option<Receiver>,
    },
}

/// Whose word for a root excuses a provider should a state below it be kept back later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// The consumer's account: `0x` and 40 hex digits with the checksum of EIP-55.
    pub account: String,
    /// EIP-712 domain separator of the notary: 32 bytes, hex with `0x`.
    pub domain: String,
}

/// What an agent leaves for its provider in [`COMMITMENT_FILE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// What it stands by.
    #[serde(flatten)]
    pub commitment: Commitment,
    /// The consumer's word that it has every state below the root, as in [`Acknowledgement`]. Absent where nobody judges the
    /// lease, and where a state was planted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledgement: Option<String>,
}

/// The answer to a commitment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The consumer's signature over the EIP-712 `Upload` of lease, root and leaf count, hex with `0x`: it opened every state below
    /// the root, and each is what its leaf says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// How an agent misbehaves on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Fault {
    /// Puts bytes of its own in the place of the state after each of these segments.
    Fabricate {
        /// Counted from 0.
        segments: std::collections::BTreeSet<u32>,
    },
    /// Commits to one state that no computation gives, and leaves [`CANARY_FILE`] for its provider.
    Canary {
        /// From which the planted leaf follows: 32 bytes, hex with `0x`.
        salt: String,
    },
}

/// What [`CANARY_FILE`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryDoc {
    /// 32 bytes, hex with `0x`. A secret until the validators have spoken.
    pub salt: String,
    /// The number of the planted state in its job.
    pub index: u64,
    /// The planted leaf's place in the commitment, from 1.
    pub position: u32,
}

/// First message: proves the token and introduces the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol version.
    pub protocol: u32,
    /// The instance's X25519 public key, hex, made at start and kept in memory only.
    pub instance_key: String,
    /// Which sandbox this machine allows.
    pub sandbox: SandboxKind,
    /// From an agent that was given no token, and whose token is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introduction: Option<Introduction>,
    /// From an agent that no provider introduces: the address of the key by which it signs, `0x` and 40 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// Why an agent with a token of its own is to be admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// The execution it works for.
    pub execution: ExecutionId,
    /// Its address, `0x` and 40 hex digits.
    pub agent: String,
    /// The provider's signature for that address, hex with `0x`.
    pub delegation: String,
    /// The agent's signature over [`hello_statement`], hex with `0x`.
    pub signature: String,
}

/// What an agent that introduces itself signs, so that nobody else can take its place with another key or token.
/// `token_hash` is that of `custody::token_hash`.
pub fn hello_statement(execution: ExecutionId, instance_key: &str, token_hash: &str) -> String {
    format!("waag/hello/1\n{execution}\n{instance_key}\n{token_hash}\n")
}

/// An agent's word for all states up to now, and for the outputs that came after the last of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// The root over them: 32 bytes, hex with `0x`.
    pub root: String,
    /// Leaves below it.
    pub leaf_count: u32,
    /// The agent's signature over the EIP-712 `Commitment` of lease, root and leaf count, hex with `0x`.
    pub signature: String,
    /// What the newest leaf is about: BLAKE3 of a state or of outputs, 32 bytes, hex with `0x`; zero where the work begins from
    /// nothing.
    pub digest: String,
    /// Whether the newest leaf is about outputs.
    #[serde(default)]
    pub outputs: bool,
}

const STATE: &str = "state";
const OUTPUTS: &str = "outputs";

impl std::fmt::Display for Commitment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.outputs { OUTPUTS } else { STATE };
        write!(f, "{} {} {} {} {kind}", self.root, self.leaf_count, self.signature, self.digest)
    }
}

impl std::str::FromStr for Commitment {
    type Err = CommitmentError;

    fn from_str(text: &str) -> Result<Self, CommitmentError> {
        let mut parts = text.split(' ');
        let mut part = || parts.next().ok_or(CommitmentError);
        let found = Self {
            root: part()?.to_owned(),
            leaf_count: part()?.parse().map_err(|_| CommitmentError)?,
            signature: part()?.to_owned(),
            digest: part()?.to_owned(),
            outputs: match part()? {
                STATE => false,
                OUTPUTS => true,
                _ => return Err(CommitmentError),
            },
        };
        found.bytes().and_then(|_| parts.next().is_none().then_some(found)).ok_or(CommitmentError)
    }
}

impl Commitment {
    /// Root, signature and digest; `None` when they are not hex of 32, 65 and 32 bytes.
    pub fn bytes(&self) -> Option<([u8; 32], [u8; 65], [u8; 32])> {
        Some((bytes_of(&self.root)?, bytes_of(&self.signature)?, bytes_of(&self.digest)?))
    }
}

/// A text is no commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a commitment is a root, a number of leaves, a signature, a digest and `state` or `outputs`, separated by spaces"
)]
pub struct CommitmentError;

/// Bytes from their hex with `0x`.
pub fn bytes_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    hex::decode(text.strip_prefix("0x")?).ok()?.try_into().ok()
}

/// Bytes as hex with `0x`.
pub fn hex_of(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// How strongly the workload is fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxKind {
    /// Own user, mount, process, network, IPC and host-name namespaces.
    Namespaces,
    /// Landlock and seccomp only: levels high and critical refuse it.
    Landlock,
}

/// What the agent is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The sealed `Bundle`.
    pub bundle: SealedRef,
    /// The sealed tar of `workdir` and `file_mounts`, if the job has any.
    pub inputs: Option<SealedRef>,
    /// The sealed tar of state `from_segment`, if the job goes on from a checkpoint.
    pub checkpoint: Option<SealedRef>,
    /// The first segment to do.
    pub from_segment: u32,
    /// One past the last segment of the job.
    pub segments: u32,
    /// The customer's X25519 public key, hex: data keys of uploads are wrapped to it.
    pub customer_key: String,
    /// Time between heartbeats.
    pub heartbeat_ms: u64,
    /// After this long without an answer the agent gives up and removes what it has.
    pub give_up_ms: u64,
    /// The most log bytes the job may send in all.
    pub log_bytes_max: u64,
    /// The largest sealed upload.
    pub upload_bytes_max: u64,
    /// What was asked for, as `evidence::job_terms`: 32 bytes, hex with `0x`.
    pub job_terms: String,
    /// The job as its leaves name it, `evidence::job_hash` of terms and bundle: 32 bytes, hex with `0x`. An agent that gets a
    /// bundle or inputs of another job does not begin.
    pub job_hash: String,
    /// What an agent that no provider introduces signs for; absent where nobody would check it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
}

/// What a commitment is about, as it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// EIP-712 domain separator: 32 bytes, hex with `0x`.
    pub domain: String,
    /// The lease: 32 bytes, hex with `0x`.
    pub lease: String,
}

/// A sealed object and its data key, wrapped to the instance key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedRef {
    /// Which object.
    pub object: ObjectId,
    /// The AAD it was sealed under.
    pub context: String,
    /// The data key, wrapped to the instance key, hex.
    pub wrapped_key: String,
}

/// What is to be run. Travels sealed, since `env` holds secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// Shell text that runs first.
    pub setup: Option<String>,
    /// Shell text of the workload.
    pub run: String,
    /// Environment, secrets included.
    pub env: std::collections::BTreeMap<String, String>,
    /// Whether the inputs hold a working directory (the folder `workdir` of the tar).
    pub workdir: bool,
    /// Mounts: the tar's entry `mounts/<n>` appears at the n-th path.
    pub mounts: Vec<String>,
    /// Where states are kept, inside.
    pub checkpoint_path: Option<String>,
    /// Where outputs are left, inside.
    pub outputs_path: Option<String>,
    /// Whether a network may be reached.
    pub network: bool,
    /// Thousandths of a core.
    pub cpus_milli: u32,
    /// MiB.
    pub memory_mib: u64,
    /// MiB.
    pub disk_mib: u64,
    /// Accelerators that the job asked for; 0 for none, and then it sees none.
    #[serde(default)]
    pub accelerators: u32,
    /// Segments of the whole job.
    pub segments: u32,
    /// BLAKE3 of the tar of the inputs, hex with `0x`; absent where the job has none.
    pub inputs: Option<String>,
    /// 32 random bytes, hex: the job's hash is public, and nobody is to find a secret by trying.
    pub salt: String,
}

/// Sent every `heartbeat_ms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Counts up by one from 1.
    pub seq: u64,
    /// One past the last segment whose checkpoint the control plane has.
    pub segments_done: u32,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum Orders {
    /// Go on.
    Continue,
    /// Stop at the next checkpoint, then finish.
    StopAtCheckpoint,
    /// Stop now and remove everything.
    Stop,
}

/// What became of the workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finish {
    /// How it ended.
    pub result: FinishResult,
    /// One past the last segment whose checkpoint the control plane has.
    pub segments_done: u32,
}

/// How a workload ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FinishResult {
    /// Exit code 0 and outputs stored.
    Completed,
    /// It failed by itself; a `domain::FailReason` code.
    Failed {
        /// The code.
        reason: String,
    },
    /// The agent cannot go on through no fault of the workload.
    GaveUp {
        /// Why, for people.
        why: String,
    },
    /// It stopped as ordered, at a checkpoint.
    Stopped,
}

/// Bytes of log up to `next_offset` are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogAck {
    /// Where the next piece begins.
    pub next_offset: u64,
}

/// The control plane's signed word that it has an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadReceipt {
    /// The stored object.
    pub object: ObjectId,
    /// The execution that sent it.
    pub execution: ExecutionId,
    /// Checkpoint segment; absent for outputs.
    pub segment: Option<u32>,
    /// `sha256:<hex>` of the ciphertext.
    pub digest: String,
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// Ed25519 over the canonical text of the fields above, hex.
    pub signature: String,
    /// The consumer's word for the root that came with it, as in [`Acknowledgement`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledgement: Option<String>,
}

/// The AAD of a checkpoint: no state can pass for another's.
pub fn checkpoint_context(execution: ExecutionId, segment: u32) -> String {
    format!("{execution}|checkpoint|{segment}")
}

/// The AAD of outputs.
pub fn outputs_context(execution: ExecutionId) -> String {
    format!("{execution}|outputs")
}

impl UploadReceipt {
    /// The text that is signed: every field but the signature, one per line.
    pub fn signed_text(&self) -> String {
        let segment = self.segment.map_or_else(|| "outputs".to_owned(), |s| s.to_string());
        format!("{}\n{}\n{segment}\n{}\n{}\n", self.object, self.execution, self.digest, self.at_ms)
    }
}
