//! How work was checked, as it is shown.

use domain::{JobId, Usd};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rest::JobDoc;

/// How the work of a job was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProofsDoc {
    /// The job.
    #[schema(value_type = String)]
    pub job: JobId,
    /// Its name.
    pub name: String,
    /// Its attempts, oldest first.
    pub executions: Vec<ExecutionProofDoc>,
}

/// How the work of one attempt was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionProofDoc {
    /// From 1.
    pub attempt: u32,
    /// Network.
    pub network: String,
    /// Provider; null until known.
    pub provider: Option<String>,
    /// `starting`, `running`, `completed`, `lost`, `cancelled` or `failed`.
    pub state: String,
    /// First segment.
    pub from_segment: u32,
    /// One past the last segment whose checkpoint is stored.
    pub to_segment: u32,
    /// Whether network and price are simulated.
    pub simulated: bool,
    /// How it was checked; null until that is decided.
    pub proof: Option<ProofDoc>,
}

impl From<JobDoc> for ProofsDoc {
    fn from(job: JobDoc) -> Self {
        let executions = job.executions.into_iter().map(|one| ExecutionProofDoc {
            attempt: one.attempt,
            network: one.network,
            provider: one.provider,
            state: one.state,
            from_segment: one.from_segment,
            to_segment: one.to_segment,
            simulated: one.simulated,
            proof: one.proof,
        });
        Self { job: job.id, name: job.name, executions: executions.collect() }
    }
}

/// How the work of an execution was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProofDoc {
    /// `awaited`, `requested`, `open`, `concluded` or `unchecked`.
    pub state: String,
    /// `passed`, `failed`, `disputed`, `unknown` or `canary`, once concluded.
    pub verdict: Option<String>,
    /// Why it is not checked: `not_asked`, `no_states`, `nothing_committed`, `no_notary`, `not_drawn`, `budget_spent` or `not_opened`.
    pub reason: Option<String>,
    /// What the provider committed to: 32 bytes, hex with `0x`.
    pub root: Option<String>,
    /// Leaves below the root.
    pub leaf_count: Option<u32>,
    /// Segments that it covers.
    pub segments: u32,
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
    /// The chance that none of the drawn segments is wrong although half of all are; absent where nothing was drawn.
    pub miss_probability: Option<f64>,
}

/// A drawn validator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrawnDoc {
    /// Its account.
    pub validator: String,
    /// `same`, `differs`, `withheld` or `silent`; absent while it may still say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// What it computed, by `evidence::result`: 32 bytes, hex with `0x`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// Drawn validators as they are kept: one a line.
pub fn drawn_to_text(drawn: &[DrawnDoc]) -> String {
    let line = |one: &DrawnDoc| {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| NOTHING.to_owned());
        format!("{} {} {}", one.validator, or_dash(&one.finding), or_dash(&one.result))
    };
    drawn.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Drawn validators from their text; a line that is none is left out.
pub fn drawn_from_text(text: &str) -> Vec<DrawnDoc> {
    let known = |part: &str| (part != NOTHING).then(|| part.to_owned());
    text.lines()
        .filter_map(|line| {
            let mut parts = line.split(' ');
            let (validator, finding, result) = (parts.next()?, parts.next()?, parts.next()?);
            Some(DrawnDoc { validator: validator.to_owned(), finding: known(finding), result: known(result) })
        })
        .collect()
}

const NOTHING: &str = "-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_validators_are_the_same_after_writing_and_reading() {
        let drawn = vec![
            DrawnDoc { validator: "0xaa".to_owned(), finding: None, result: None },
            DrawnDoc {
                validator: "0xbb".to_owned(),
                finding: Some("same".to_owned()),
                result: Some("0x01".to_owned()),
            },
        ];
        assert_eq!(drawn_from_text(&drawn_to_text(&drawn)), drawn);
        assert!(drawn_from_text("").is_empty());
    }
}
