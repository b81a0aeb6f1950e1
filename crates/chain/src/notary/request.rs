//! What is to be checked, and what is signed and hashed about it: by EIP-712, bound to one notary on one chain.

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::sol_types::{Eip712Domain, SolStruct, SolValue, eip712_domain};
use domain::Finding;

use super::nouns::finding_number;
use crate::market::bindings;

const SUBJECT_TAG: &[u8] = b"LEASE/1";

alloy::sol! {
    struct Commitment {
        bytes32 lease;
        bytes32 root;
        uint32 leafCount;
    }
    struct Upload {
        bytes32 subject;
        uint64 index;
        bytes32 leaf;
    }
}

/// What is to be checked, and how. Its digest is the proof's name, and most calls about the proof bring all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Who asks, and pays.
    pub consumer: Address,
    /// The lease: its name in the market, or [`subject_elsewhere`].
    pub subject: B256,
    /// The job as its leaves name it.
    pub job_hash: B256,
    /// What was committed to.
    pub root: B256,
    /// Leaves below the root.
    pub leaf_count: u32,
    /// Segments below it; one leaf fewer than leaves, or two where the last leaf binds outputs.
    pub segments: u32,
    /// Segments drawn beside the first and the last.
    pub sample: u32,
    /// Validators drawn.
    pub validators: u32,
    /// Micro-units for one validator and one segment.
    pub fee: u64,
    /// Who did the work, and must not check it; zero for a lease outside the market.
    pub provider: Address,
    /// Tells equal requests apart.
    pub salt: u64,
}

impl From<&Request> for bindings::Request {
    fn from(request: &Request) -> Self {
        Self {
            consumer: request.consumer,
            subject: request.subject,
            jobHash: request.job_hash,
            root: request.root,
            leafCount: request.leaf_count,
            segments: request.segments,
            sample: request.sample,
            validators: request.validators,
            fee: request.fee,
            provider: request.provider,
            salt: request.salt,
        }
    }
}

impl From<bindings::Request> for Request {
    fn from(request: bindings::Request) -> Self {
        Self {
            consumer: request.consumer,
            subject: request.subject,
            job_hash: request.jobHash,
            root: request.root,
            leaf_count: request.leafCount,
            segments: request.segments,
            sample: request.sample,
            validators: request.validators,
            fee: request.fee,
            provider: request.provider,
            salt: request.salt,
        }
    }
}

/// The name of a lease of another network, under which its agent commits: `keccak256("LEASE/1" || network || 0 || label)`.
pub fn subject_elsewhere(network: &str, label: &str) -> B256 {
    keccak256([SUBJECT_TAG, network.as_bytes(), &[0], label.as_bytes()].concat())
}

/// What a validator commits to: it cannot be revealed in another's name, or guessed without the salt.
pub fn finding_hash(proof: B256, validator: Address, finding: Finding, result: B256, salt: B256) -> B256 {
    let finding = U256::from(finding_number(finding));
    keccak256((proof, validator, finding, result, salt).abi_encode())
}

/// The digests of one notary on one chain.
#[derive(Debug, Clone)]
pub struct Digests {
    domain: Eip712Domain,
    separator: B256,
}

impl Digests {
    /// Of the notary at `notary` on the chain with this id.
    pub fn new(chain_id: u64, notary: Address) -> Self {
        let domain = eip712_domain! {
            name: "Waag Notary",
            version: "1",
            chain_id: chain_id,
            verifying_contract: notary,
        };
        Self { separator: domain.hash_struct(), domain }
    }

    /// The EIP-712 domain separator.
    pub fn separator(&self) -> B256 {
        self.separator
    }

    /// The name of the proof that a request makes.
    pub fn proof(&self, request: &Request) -> B256 {
        bindings::Request::from(request).eip712_signing_hash(&self.domain)
    }

    /// What the agent of a lease outside the market signs to commit to a root.
    pub fn commitment(&self, subject: B256, root: B256, leaf_count: u32) -> B256 {
        Commitment { lease: subject, root, leafCount: leaf_count }.eip712_signing_hash(&self.domain)
    }

    /// What a consumer signs when it has received a state: `index` is its number in the job, `leaf` its leaf's hash.
    pub fn upload(&self, subject: B256, index: u64, leaf: B256) -> B256 {
        Upload { subject, index, leaf }.eip712_signing_hash(&self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_leases_elsewhere_are_not_to_be_confused() {
        assert_ne!(subject_elsewhere("a", "bc"), subject_elsewhere("ab", "c"));
    }

    #[test]
    fn finding_is_bound_to_proof_validator_result_and_salt() {
        let (a, b) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let (one, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let hash = finding_hash(a, one, Finding::Same, a, a);
        for changed in [
            finding_hash(b, one, Finding::Same, a, a),
            finding_hash(a, other, Finding::Same, a, a),
            finding_hash(a, one, Finding::Differs, a, a),
            finding_hash(a, one, Finding::Same, b, a),
            finding_hash(a, one, Finding::Same, a, b),
        ] {
            assert_ne!(hash, changed);
        }
    }
}
