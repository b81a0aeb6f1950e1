#![doc = include_str!("../README.md")]

pub mod deterrence;
mod draw;
mod leaf;
mod tree;
mod typed;
mod verdict;

pub use draw::{Draw, draw_seed, drawn_segments, drawn_validators, replayed};
pub use leaf::{Leaf, StateHasher, job_hash};
pub use tree::Tree;
pub use typed::commitment_digest;
pub use verdict::{Word, result, verdict};

use sha3::{Digest, Keccak256};

/// Keccak-256, as contracts compute it.
pub fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}
