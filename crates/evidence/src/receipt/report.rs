//! What was looked at, and what does not hold.

use std::collections::BTreeMap;

use super::Unproven;

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$what])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The one with this code.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code() == code)
            }
        }
    };
}

pub(crate) use coded;

coded! {
    /// Something that is looked at.
    Check {
        /// The file is a receipt of a known version.
        Shape = "shape",
        /// The control plane signed it.
        Signature = "signature",
        /// Its digest stands in a record of the audit log, and the record in the log whose head is signed.
        Audit = "audit",
        /// The job's name on a chain follows from its id and specification.
        Job = "job",
        /// The attempts are complete and end as the job does.
        Attempts = "attempts",
        /// Roots follow from their leaves.
        Commitments = "commitments",
        /// Agents signed the roots, and providers stand by their agents.
        Signatures = "signatures",
        /// Each attempt goes on from a state of an earlier one.
        States = "states",
        /// Drawn segments follow from the seed.
        Draws = "draws",
        /// Findings, and what follows from them.
        Verdicts = "verdicts",
        /// What did not pass is not paid, and the sums are right.
        Money = "money",
        /// What the receipt says that it does not prove is all that it does not prove.
        Unproven = "unproven",
        /// A folder with outputs is what was committed to.
        Outputs = "outputs",
    }
}

coded! {
    /// What can be wrong with a receipt.
    Fault {
        /// It is cut short, or no JSON.
        Unreadable = "receipt_unreadable",
        /// A field is missing, unknown, or has a value that it cannot have.
        Malformed = "receipt_malformed",
        /// It has a version that is not known.
        Version = "receipt_version",
        /// Its signature does not hold.
        Signature = "receipt_signature_wrong",
        /// It is signed by another key than the expected one.
        Key = "receipt_key_differs",
        /// Its record is no record of a log, or not that of its place.
        Record = "record_malformed",
        /// Its record is about something else than this job's settlement.
        RecordOf = "record_of_another",
        /// Its digest is not the one in its record.
        NotRecorded = "body_not_recorded",
        /// The record does not stand in the log at its place.
        Inclusion = "inclusion_wrong",
        /// The log's signed head cannot be read.
        Checkpoint = "checkpoint_malformed",
        /// The signature on the log's head does not hold.
        CheckpointSignature = "checkpoint_signature_wrong",
        /// The log is signed by another key than the expected one.
        AuditKey = "audit_key_differs",
        /// The job's specification is none, or has another name or another number of segments.
        Spec = "spec_differs",
        /// The job's hash does not follow from its id and specification.
        JobHash = "job_hash_differs",
        /// The attempts are not those from the first to the last.
        Attempts = "attempts_incomplete",
        /// The job ended otherwise than its last attempt.
        Outcome = "outcome_differs",
        /// The segments of an attempt are not a range of the job's, or not those that it committed to.
        Segments = "segments_differ",
        /// There are not as many digests as leaves.
        Leaves = "leaves_differ",
        /// The digests make another root.
        Root = "root_differs",
        /// The agent did not sign the root.
        AgentSignature = "agent_signature_wrong",
        /// The provider did not sign for the agent.
        Delegation = "delegation_wrong",
        /// An attempt begins with a state with which no earlier one ended.
        Unchained = "states_unchained",
        /// A check has not what its state needs, or more.
        Proof = "proof_malformed",
        /// Something else was checked than what was committed to.
        ProofRoot = "proof_root_differs",
        /// The drawn segments do not follow from the seed.
        Drawn = "draw_differs",
        /// Validators are missing, repeated, or were the provider, or did not say what they must.
        Validators = "validators_wrong",
        /// What a validator computed does not fit what it said.
        Result = "result_differs",
        /// The verdict does not follow from the findings.
        Verdict = "verdict_differs",
        /// Work that did not pass was paid, where it need not be.
        RefutedPaid = "refuted_paid",
        /// A sum is not that of its parts.
        Sums = "sums_differ",
        /// Something that is not proven is not listed, or something is listed that is not so.
        Unproven = "unproven_differs",
        /// The outputs are not those that were committed to, or none were.
        Outputs = "outputs_differ",
    }
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What was looked at.
    pub check: Check,
    /// What is wrong.
    pub fault: Fault,
    /// Where, as a path of the document.
    pub field: String,
    /// For people.
    pub text: String,
}

/// What came of checking a receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many things were looked at, by kind. What was not there to look at is not in it.
    pub looked_at: BTreeMap<Check, u32>,
    /// What does not hold; nothing where all does.
    pub wrong: Vec<Wrong>,
    /// What remains unproven, as it was found here.
    pub unproven: Vec<Unproven>,
}

impl Report {
    /// Whether all that was looked at holds.
    pub const fn holds(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Counts one look, and keeps what does not hold.
    pub fn must(
        &mut self,
        check: Check,
        holds: bool,
        fault: Fault,
        field: impl Into<String>,
        text: impl FnOnce() -> String,
    ) {
        *self.looked_at.entry(check).or_default() += 1;
        if !holds {
            self.wrong.push(Wrong { check, fault, field: field.into(), text: text() });
        }
    }
}
