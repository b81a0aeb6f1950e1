//! What is signed about a root, as EIP-712 writes it.

use crate::keccak;

const COMMITMENT: &[u8] = b"Commitment(bytes32 lease,bytes32 root,uint32 leafCount)";
const UPLOAD: &[u8] = b"Upload(bytes32 subject,bytes32 root,uint32 leafCount)";
const DELEGATION: &[u8] = b"Delegation(bytes32 lease,address agent)";

/// The digest that an agent signs to commit to a root: the market's `Commitment` under its domain separator.
pub fn commitment_digest(domain: &[u8; 32], lease: &[u8; 32], root: &[u8; 32], leaf_count: u32) -> [u8; 32] {
    of_root(COMMITMENT, domain, lease, root, leaf_count)
}

/// The digest that a consumer signs once it has every state below a root: the notary's `Upload` under its domain separator.
pub fn upload_digest(domain: &[u8; 32], lease: &[u8; 32], root: &[u8; 32], leaf_count: u32) -> [u8; 32] {
    of_root(UPLOAD, domain, lease, root, leaf_count)
}

fn of_root(kind: &[u8], domain: &[u8; 32], lease: &[u8; 32], root: &[u8; 32], leaf_count: u32) -> [u8; 32] {
    let mut count = [0u8; 32];
    count[28..].copy_from_slice(&leaf_count.to_be_bytes());
    let hash = keccak(&[&keccak(&[kind]), lease, root, &count]);
    keccak(&[&[0x19, 0x01], domain, &hash])
}

/// The digest that a provider signs to let the agent with this address commit in its name for one lease.
pub fn delegation_digest(domain: &[u8; 32], lease: &[u8; 32], agent: &[u8; 20]) -> [u8; 32] {
    let hash = keccak(&[&keccak(&[DELEGATION]), lease, &[0; 12], agent]);
    keccak(&[&[0x19, 0x01], domain, &hash])
}

#[cfg(test)]
mod tests {
    #[test]
    fn keccak_is_that_of_contracts() {
        // The empty input's digest from the Keccak team's test vectors, which differs from that of SHA3-256.
        let empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        assert_eq!(hex::encode(crate::keccak(&[])), empty);
    }
}
