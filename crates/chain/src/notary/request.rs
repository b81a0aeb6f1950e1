//! What is to be checked, and what is signed about it: by EIP-712, bound to one notary on one chain.

use alloy::primitives::{Address, B256, keccak256};
use alloy::sol_types::{Eip712Domain, SolStruct, SolValue, eip712_domain};
use domain::Finding;

use super::nouns::number_of;
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
        bytes32 root;
        uint32 leafCount;
    }
}

/// What a consumer has checked. Its digest is the proof's name, and the calls that need it bring all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asks, and pays.
    pub consumer: Address,
    /// The lease: its id in the market, or any name that the consumer and its agents agree on. At most one proof of each.
    pub subject: B256,
    /// The job as its leaves name it.
    pub job_hash: B256,
    /// What was committed to.
    pub root: B256,
    /// Leaves below the root: one more than segments, or two where the last binds outputs.
    pub leaf_count: u32,
    /// Segments below the root.
    pub segments: u32,
    /// Segments drawn beside the first and the last.
    pub sample: u32,
    /// Validators drawn.
    pub validators: u32,
    /// Micro-units for one validator and one segment.
    pub fee: u64,
    /// Who did the work, and does not check it; zero for a lease outside the market.
    pub provider: Address,
    /// Tells equal requests apart.
    pub salt: u64,
}

impl Request {
    /// As ABI-encoded bytes, to be kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        bindings::Request::from(self).abi_encode()
    }

    /// Back from [`Self::to_bytes`]; `None` when the bytes are nothing of the kind.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bindings::Request::abi_decode_validate(bytes).ok().map(Self::from)
    }

    /// How many segments each validator replays: the first, the last, and the sample of those between.
    pub const fn replayed(&self) -> u32 {
        let between = self.segments.saturating_sub(2);
        let ends = self.segments - between;
        ends + if self.sample < between { self.sample } else { between }
    }

    /// What one validator earns, in micro-units; `None` beyond what an account can hold.
    pub fn share(&self) -> Option<u64> {
        self.fee.checked_mul(u64::from(self.replayed()))
    }

    /// What opening takes from the consumer, in micro-units; `None` beyond what an account can hold.
    pub fn cost(&self) -> Option<u64> {
        self.share()?.checked_mul(u64::from(self.validators))
    }
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

/// What a validator commits to before it says it: bound to the proof and to the validator, so that nobody can repeat another's
/// word, and hidden by the salt.
pub fn finding_hash(id: B256, validator: Address, finding: Finding, result: B256, salt: B256) -> B256 {
    let words = (id, validator, alloy::primitives::U256::from(number_of(finding)), result, salt);
    keccak256(words.abi_encode())
}

/// The name of a lease of another network, under which its agent commits: `keccak256("LEASE/1" || network || 0 || label)`.
pub fn subject_elsewhere(network: &str, label: &str) -> B256 {
    keccak256([SUBJECT_TAG, network.as_bytes(), &[0], label.as_bytes()].concat())
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

    /// The EIP-712 domain separator: all that somebody needs who makes these digests without the chain.
    pub fn separator(&self) -> B256 {
        self.separator
    }

    /// The name of the proof that a request makes.
    pub fn proof(&self, request: &Request) -> B256 {
        bindings::Request::from(request).eip712_signing_hash(&self.domain)
    }

    /// What an agent signs to commit to a root, for a lease outside the market.
    pub fn commitment(&self, subject: B256, root: B256, leaf_count: u32) -> B256 {
        Commitment { lease: subject, root, leafCount: leaf_count }.eip712_signing_hash(&self.domain)
    }

    /// What a consumer signs when it has received every state below a root.
    pub fn upload(&self, subject: B256, root: B256, leaf_count: u32) -> B256 {
        Upload { subject, root, leafCount: leaf_count }.eip712_signing_hash(&self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            consumer: Address::repeat_byte(1),
            subject: B256::repeat_byte(2),
            job_hash: B256::repeat_byte(3),
            root: B256::repeat_byte(4),
            leaf_count: 33,
            segments: 32,
            sample: 6,
            validators: 3,
            fee: 1_000,
            provider: Address::repeat_byte(5),
            salt: 6,
        }
    }

    #[test]
    fn request_comes_back_from_its_bytes_and_from_no_others() {
        let bytes = request().to_bytes();
        assert_eq!(Request::from_bytes(&bytes), Some(request()));
        for end in [0, 1, 31, 351] {
            assert_eq!(Request::from_bytes(&bytes[..end]), None, "{end}");
        }
        let mut dirty = bytes;
        dirty[0] = 1;
        assert_eq!(Request::from_bytes(&dirty), None, "bits beyond an address");
    }

    #[test]
    fn cost_is_for_distinct_segments_and_knows_its_bounds() {
        assert_eq!(
            (request().replayed(), request().share(), request().cost()),
            (8, Some(8_000), Some(24_000))
        );
        for (segments, sample, replayed) in [(0, 9, 0), (1, 9, 1), (2, 9, 2), (3, 0, 2), (5, 9, 5)] {
            assert_eq!(Request { segments, sample, ..request() }.replayed(), replayed);
        }
        assert_eq!(Request { fee: u64::MAX / 8, ..request() }.cost(), None);
    }

    #[test]
    fn digests_of_another_notary_or_chain_are_others() {
        let here = Digests::new(1, Address::repeat_byte(1));
        for other in [Digests::new(2, Address::repeat_byte(1)), Digests::new(1, Address::repeat_byte(2))] {
            assert_ne!(here.separator(), other.separator());
            assert_ne!(here.proof(&request()), other.proof(&request()));
        }
    }

    #[test]
    fn finding_hash_binds_all_that_is_said() {
        let hash = |id, validator, finding, result, salt| {
            let (id, result, salt) =
                (B256::repeat_byte(id), B256::repeat_byte(result), B256::repeat_byte(salt));
            finding_hash(id, Address::repeat_byte(validator), finding, result, salt)
        };
        let hashes = [
            hash(1, 2, Finding::Same, 3, 4),
            hash(9, 2, Finding::Same, 3, 4),
            hash(1, 9, Finding::Same, 3, 4),
            hash(1, 2, Finding::Differs, 3, 4),
            hash(1, 2, Finding::Same, 9, 4),
            hash(1, 2, Finding::Same, 3, 9),
        ];
        let distinct: std::collections::BTreeSet<B256> = hashes.into_iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }
}
