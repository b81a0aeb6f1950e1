#![doc = include_str!("../README.md")]

mod canary;
pub mod deterrence;
mod draw;
mod leaf;
pub mod log;
pub mod receipt;
pub mod tree;
mod typed;
mod verdict;

pub use canary::Canary;
pub use draw::{Draw, draw_seed, drawn_segments, drawn_validators};
pub use leaf::{Leaf, StateHasher, content_digest, job_hash, job_terms};
pub use tree::Tree;
pub use typed::{commitment_digest, delegation_digest, upload_digest};
pub use verdict::{Word, committed_result, result, verdict};

use sha3::{Digest, Keccak256};

/// Keccak-256, as contracts compute it.
pub fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}
