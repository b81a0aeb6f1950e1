//! What a drawn validator asks the control plane for: the states that it is to replay, each with its proof that it is what the
//! provider committed to. Part of the agent API ([`crate::agent`]), over the same pinned certificate; the proof's event on chain
//! says where.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /agent/v1/openings` | [`OpeningRequest`], without a token | [`Openings`] |
//! | `GET /agent/v1/objects/{id}` | with the token of the answer | ciphertext |
//!
//! 403: the signature is not that of a validator that was drawn for this proof. 404: there is no such proof here. 410: it is
//! concluded. Anything else that is not 2xx, and silence, is asked again. Asking twice is the same as once, also with another
//! instance key; each answer has a token of its own, and the tokens before it may open nothing any more.

use serde::{Deserialize, Serialize};

use crate::agent::{SealedRef, bytes_of, hex_of};

/// The largest answer to a request for openings that a validator reads.
pub const OPENINGS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A request whose `at_ms` is further than this from the control plane's clock is refused with 403.
pub const OPENINGS_SKEW_MS: i64 = 5 * 60 * 1000;

/// A validator asks for what it is to replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningRequest {
    /// The proof's id at the notary: 32 bytes, hex with `0x`.
    pub proof: String,
    /// The validator's account: `0x` and 40 hex digits.
    pub validator: String,
    /// X25519 public key to which data keys are to be wrapped, hex; made for this proof and kept in memory only.
    pub instance_key: String,
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// The account's signature over the Keccak-256 of [`OpeningRequest::statement`]: 65 bytes, hex with `0x`.
    pub signature: String,
}

/// What a validator signs, so that nobody else is given the keys in its name.
pub fn openings_statement(proof: &str, validator: &str, instance_key: &str, at_ms: i64) -> String {
    format!("waag/openings/1\n{proof}\n{validator}\n{instance_key}\n{at_ms}\n")
}

impl OpeningRequest {
    /// The text that is signed.
    pub fn statement(&self) -> String {
        openings_statement(&self.proof, &self.validator, &self.instance_key, self.at_ms)
    }

    /// The proof's id and the signature; `None` when they are not hex of 32 and 65 bytes.
    pub fn bytes(&self) -> Option<([u8; 32], [u8; 65])> {
        Some((bytes_of(&self.proof)?, bytes_of(&self.signature)?))
    }
}

/// Everything that a validator replays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Openings {
    /// What was asked for, as `evidence::job_terms`: 32 bytes, hex with `0x`.
    pub job_terms: String,
    /// The job as its leaves name it, `evidence::job_hash` of terms and bundle: 32 bytes, hex with `0x`.
    pub job_hash: String,
    /// Opens the objects below and nothing else, until the proof is concluded.
    pub token: String,
    /// The number of the commitment's first state: segment `i` of the commitment is the job's segment `lease_segments_from + i`.
    pub lease_segments_from: u32,
    /// Leaves of the commitment.
    pub leaf_count: u32,
    /// The sealed [`crate::agent::Bundle`].
    pub bundle: SealedRef,
    /// The sealed tar of `workdir` and `file_mounts`, if the job has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<SealedRef>,
    /// The drawn segments in order.
    pub opened: Vec<OpenedSegment>,
}

/// One segment to replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedSegment {
    /// Its place within the commitment, from 0.
    pub segment: u32,
    /// The sealed tar of the state before it; absent where the work begins from nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SealedRef>,
    /// The state before it: leaf `segment`.
    pub before: OpenedLeaf,
    /// The state after it, which is to come out again: leaf `segment + 1`.
    pub after: OpenedLeaf,
    /// What else is to come out, with the commitment's last segment where it binds outputs: the last leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<OpenedLeaf>,
}

/// A leaf of the commitment, opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedLeaf {
    /// BLAKE3 of the state or of the outputs: 32 bytes, hex with `0x`.
    pub digest: String,
    /// What stands beside the way up to the root, from below, as `evidence::tree::proof` gives it: 32 bytes each, hex with `0x`.
    pub siblings: Vec<String>,
}

impl OpenedLeaf {
    /// A leaf with this digest and this way up.
    pub fn new(digest: &[u8; 32], siblings: &[[u8; 32]]) -> Self {
        Self { digest: hex_of(digest), siblings: siblings.iter().map(|one| hex_of(one)).collect() }
    }

    /// Digest and siblings; `None` when one of them is not hex of 32 bytes.
    pub fn bytes(&self) -> Option<([u8; 32], Vec<[u8; 32]>)> {
        let siblings: Option<Vec<_>> = self.siblings.iter().map(|one| bytes_of(one)).collect();
        Some((bytes_of(&self.digest)?, siblings?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ObjectId;

    fn sealed(n: u8) -> SealedRef {
        SealedRef {
            object: ObjectId::from_bytes([n; 10]),
            context: format!("context {n}"),
            wrapped_key: hex::encode([n; 4]),
        }
    }

    #[test]
    fn openings_are_the_same_after_writing_and_reading() {
        let leaf = OpenedLeaf::new(&[1; 32], &[[2; 32], [3; 32]]);
        assert_eq!(leaf.bytes(), Some(([1; 32], vec![[2; 32], [3; 32]])));
        let segment = |segment, state, outputs| OpenedSegment {
            segment,
            state,
            before: leaf.clone(),
            after: leaf.clone(),
            outputs,
        };
        let openings = Openings {
            job_terms: hex_of(&[5; 32]),
            job_hash: hex_of(&[4; 32]),
            token: "token".to_owned(),
            lease_segments_from: 3,
            leaf_count: 8,
            bundle: sealed(1),
            inputs: None,
            opened: vec![segment(0, None, None), segment(5, Some(sealed(2)), Some(leaf.clone()))],
        };
        let text = serde_json::to_string(&openings).unwrap();
        assert_eq!(serde_json::from_str::<Openings>(&text).unwrap(), openings);
        assert!(!text.contains("null"), "{text}");
    }

    #[test]
    fn every_part_of_a_request_is_signed() {
        let request = OpeningRequest {
            proof: hex_of(&[1; 32]),
            validator: "0x00".to_owned(),
            instance_key: "aa".to_owned(),
            at_ms: 5,
            signature: hex_of(&[7; 65]),
        };
        assert_eq!(request.bytes(), Some(([1; 32], [7; 65])));
        let others = [
            OpeningRequest { proof: hex_of(&[2; 32]), ..request.clone() },
            OpeningRequest { validator: "0x01".to_owned(), ..request.clone() },
            OpeningRequest { instance_key: "ab".to_owned(), ..request.clone() },
            OpeningRequest { at_ms: 6, ..request.clone() },
        ];
        assert!(others.iter().all(|other| other.statement() != request.statement()));
        assert_eq!(OpeningRequest { proof: "0x12".to_owned(), ..request }.bytes(), None);
    }
}
