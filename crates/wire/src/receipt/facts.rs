//! The body of a receipt as `evidence` checks it.

use domain::{ExecutionState, FailReason, Finding, LossReason, Outcome, ProofState, Unchecked, Verdict};
use evidence::receipt::{Asked, Checked, Commitment, Execution, Job, Receipt, Said, Settlement};

use super::{BodyDoc, CommitmentPart, ExecutionPart, JobPart, ProofPart};
use crate::agent::bytes_of;
use crate::proof::DrawnDoc;

/// Longer signatures are none.
const SIGNATURE_BYTES_MAX: usize = 4 * 1024;

/// A field of a body has a value that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldError {
    /// Its path.
    pub(super) field: String,
    /// What it would have to be.
    pub(super) wanted: &'static str,
}

type Read<T> = Result<T, FieldError>;

/// The body, typed. Segments are those of its job file; where that is none, there is no bound.
pub(super) fn receipt(body: &BodyDoc) -> Read<Receipt> {
    let settlement = &body.settlement;
    Ok(Receipt {
        job: job(&body.job)?,
        executions: body
            .executions
            .iter()
            .enumerate()
            .map(|(n, part)| execution(part, &At(format!("body.executions[{n}]"))))
            .collect::<Read<_>>()?,
        settlement: Settlement {
            held: settlement.held_usd,
            paid: settlement.paid_usd,
            refunded: settlement.refunded_usd,
            fees: settlement.fees_usd,
            disputed: settlement.disputed_usd,
            simulated: settlement.simulated,
        },
    })
}

struct At(String);

impl At {
    fn below(&self, field: &str) -> Self {
        Self(format!("{}.{field}", self.0))
    }

    fn wrong(&self, field: &str, wanted: &'static str) -> FieldError {
        FieldError { field: self.below(field).0, wanted }
    }

    /// A value that is written in one way only.
    fn text<T: std::str::FromStr + ToString>(
        &self,
        field: &str,
        text: &str,
        wanted: &'static str,
    ) -> Read<T> {
        let read: Option<T> = text.parse().ok();
        read.filter(|read| read.to_string() == text).ok_or_else(|| self.wrong(field, wanted))
    }

    fn maybe<T: std::str::FromStr + ToString>(
        &self,
        field: &str,
        text: Option<&String>,
        wanted: &'static str,
    ) -> Read<Option<T>> {
        text.map(|text| self.text(field, text, wanted)).transpose()
    }

    fn bytes<const N: usize>(&self, field: &str, text: &str) -> Read<[u8; N]> {
        bytes_of(text).ok_or_else(|| self.wrong(field, "bytes as hex with 0x"))
    }

    fn maybe_bytes<const N: usize>(&self, field: &str, text: Option<&String>) -> Read<Option<[u8; N]>> {
        text.map(|text| self.bytes(field, text)).transpose()
    }

    fn signature(&self, field: &str, text: Option<&String>) -> Read<Vec<u8>> {
        let Some(text) = text else { return Ok(Vec::new()) };
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() <= 2 * SIGNATURE_BYTES_MAX);
        let bytes = digits.and_then(|digits| hex::decode(digits).ok()).filter(|bytes| !bytes.is_empty());
        bytes.ok_or_else(|| self.wrong(field, "a signature as hex with 0x"))
    }
}

fn job(part: &JobPart) -> Read<Job> {
    let at = At("body.job".to_owned());
    Ok(Job {
        id: part.id,
        spec: part.spec.clone(),
        bundle: at.bytes("bundle", &part.bundle)?,
        hash: at.bytes("job_hash", &part.job_hash)?,
        segments: super::verify::spec_of(part).map_or(u32::MAX, |spec| spec.verify.segments),
        outcome: outcome(&part.outcome, part.reason.as_deref())
            .ok_or_else(|| at.wrong("outcome", "an outcome, with a reason where it failed"))?,
        outputs: part.outputs,
        submitted_at: at.text("submitted_at", &part.submitted_at, TIME)?,
        ended_at: at.text("ended_at", &part.ended_at, TIME)?,
    })
}

const TIME: &str = "a time with milliseconds in UTC";

fn outcome(code: &str, reason: Option<&str>) -> Option<Outcome> {
    let plain = [
        Outcome::Completed,
        Outcome::Cancelled,
        Outcome::DeadlinePassed,
        Outcome::BudgetSpent,
        Outcome::NoOffers,
        Outcome::AttemptsSpent,
        Outcome::ProofFailed,
    ];
    match reason {
        None => plain.into_iter().find(|outcome| outcome.code() == code),
        Some(reason) => (code == "failed").then(|| failed(reason).map(Outcome::Failed))?,
    }
}

fn failed(reason: &str) -> Option<FailReason> {
    FailReason::from_code(reason).filter(|read| read.code() == reason)
}

fn execution(part: &ExecutionPart, at: &At) -> Read<Execution> {
    let bought = (part.lease.is_some(), part.network.is_some(), part.price_usd_hour.is_some());
    if !matches!(bought, (true, true, true) | (false, false, false)) {
        return Err(at.wrong("lease", "a lease with network and price, or none of them"));
    }
    Ok(Execution {
        attempt: part.attempt,
        network: at.maybe("network", part.network.as_ref(), "a network's name")?,
        provider: at.maybe("provider", part.provider.as_ref(), "a provider's name")?,
        state: execution_state(&part.state, part.reason.as_deref())
            .ok_or_else(|| at.wrong("state", "a state, with a reason where it has one"))?,
        from: part.from_segment,
        to: part.to_segment,
        started_at: at.maybe("started_at", part.started_at.as_ref(), TIME)?,
        ended_at: at.maybe("ended_at", part.ended_at.as_ref(), TIME)?,
        paid: part.paid_usd,
        paid_before: part.paid_before_usd,
        fees: part.fees_usd,
        withholds: part.withholds_payment,
        simulated: part.simulated,
        commitment: part
            .commitment
            .as_ref()
            .map(|commitment| self::commitment(commitment, &at.below("commitment")))
            .transpose()?,
        checked: part.proof.as_ref().map(|proof| checked(proof, &at.below("proof"))).transpose()?,
    })
}

fn execution_state(code: &str, reason: Option<&str>) -> Option<ExecutionState> {
    match (code, reason) {
        ("starting", None) => Some(ExecutionState::Starting),
        ("running", None) => Some(ExecutionState::Running),
        ("completed", None) => Some(ExecutionState::Completed),
        ("cancelled", None) => Some(ExecutionState::Cancelled),
        ("lost", Some(reason)) => LossReason::from_code(reason).map(ExecutionState::Lost),
        ("failed", Some(reason)) => failed(reason).map(ExecutionState::Failed),
        _ => None,
    }
}

fn commitment(part: &CommitmentPart, at: &At) -> Read<Commitment> {
    let domain = at.maybe_bytes("domain", part.domain.as_ref())?;
    let lease = at.maybe_bytes("lease", part.lease.as_ref())?;
    if domain.is_some() != lease.is_some() {
        return Err(at.wrong("lease", "a lease with its domain, or neither"));
    }
    Ok(Commitment {
        subject: domain.zip(lease),
        root: at.bytes("root", &part.root)?,
        leaf_count: part.leaf_count,
        digests: part
            .digests
            .iter()
            .enumerate()
            .map(|(n, digest)| at.bytes(&format!("digests[{n}]"), digest))
            .collect::<Read<_>>()?,
        outputs: part.binds_outputs,
        agent: at.maybe_bytes("agent", part.agent.as_ref())?,
        signature: at.signature("signature", part.signature.as_ref())?,
        delegation: at.signature("delegation", part.delegation.as_ref())?,
    })
}

fn checked(part: &ProofPart, at: &At) -> Read<Checked> {
    let state = match (part.state.as_str(), part.verdict.as_deref(), part.reason.as_deref()) {
        ("awaited", None, None) => Some(ProofState::Awaited),
        ("requested", None, None) => Some(ProofState::Requested),
        ("open", None, None) => Some(ProofState::Open),
        ("concluded", Some(verdict), None) => Verdict::from_code(verdict).map(ProofState::Concluded),
        ("unchecked", None, Some(reason)) => Unchecked::from_code(reason).map(ProofState::Unchecked),
        _ => None,
    };
    let root = at.maybe_bytes("root", part.root.as_ref())?;
    let asked = match (root, part.leaf_count, part.segments, part.sample) {
        (Some(root), Some(leaf_count), segments, sample) => {
            Some(Asked { root, leaf_count, segments, sample })
        }
        (None, None, 0, 0) => None,
        _ => return Err(at.wrong("root", "a root with its leaves and segments, or nothing of it")),
    };
    let said = |(n, one): (usize, &DrawnDoc)| self::said(one, &at.below(&format!("validators[{n}]")));
    at.maybe_bytes::<32>("notary_id", part.notary_id.as_ref())?;
    Ok(Checked {
        state: state.ok_or_else(|| at.wrong("state", "a state, with its verdict or reason"))?,
        asked,
        seed: at.maybe_bytes("seed", part.seed.as_ref())?,
        drawn: part.drawn.clone(),
        said: part.validators.iter().enumerate().map(said).collect::<Read<_>>()?,
        fee: part.fee_usd,
        slashed: part.slashed_usd,
        compensated: part.compensated_usd,
    })
}

fn said(part: &DrawnDoc, at: &At) -> Read<Said> {
    let finding = |code: &String| Finding::from_code(code).ok_or_else(|| at.wrong("finding", "a finding"));
    Ok(Said {
        validator: part.validator.clone(),
        finding: part.finding.as_ref().map(finding).transpose()?,
        result: at.maybe_bytes("result", part.result.as_ref())?,
    })
}
