//! An append-only log that strangers can check: entries in a Merkle tree, its hashes and entries in tiles, its head in a
//! signed checkpoint. Everything is paths and bytes; whoever calls reads and writes them, and brings the signatures.
//!
//! Formats: tree and proofs as RFC 6962 (section 2.1; checked as RFC 9162, sections 2.1.3.2 and 2.1.4.2, says), with
//! SHA-256; files as c2sp.org/tlog-tiles, heads as c2sp.org/tlog-checkpoint in c2sp.org/signed-note.
//!
//! - `tile.rs`: which files there are. `bundle.rs`: entries in a file.
//! - `growing.rs`: adding entries. `reader.rs`: hashes and proofs out of tiles. `proof.rs`: proofs checked.
//! - `note.rs`: signed texts and their keys. `checkpoint.rs`: what is signed about a log.
//! - `check.rs`: a whole log, checked from its bytes.

mod bundle;
mod check;
mod checkpoint;
mod growing;
mod note;
mod proof;
mod reader;
mod tile;

pub use bundle::{ENTRY_BYTES_MAX, entries_of};
pub use check::{check, open_checkpoint};
pub use checkpoint::Checkpoint;
pub use growing::Growing;
pub use note::{Key, Note, Verify};
pub use proof::{consistent, includes};
pub use reader::Reader;
pub use tile::{CHECKPOINT, Tile, tiles_of};

use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A text is not a signed note.
    #[error("it is not a signed note: {0}")]
    Note(&'static str),
    /// A text is not a public key.
    #[error("it is not a key of a log: {0}")]
    Key(&'static str),
    /// The note bears no signature of this key.
    #[error("it is not signed by {name}+{id}")]
    Unsigned {
        /// The key's name.
        name: String,
        /// The key's id, 8 hex digits.
        id: String,
    },
    /// The note bears a signature of this key that does not hold.
    #[error("the signature of {0} does not hold")]
    Signature(String),
    /// A signed text is not a checkpoint.
    #[error("it is not a checkpoint: {0}")]
    Checkpoint(&'static str),
    /// The checkpoint is that of another log.
    #[error("it is the checkpoint of {found}, not of {wanted}")]
    Origin {
        /// Whose it is.
        found: String,
        /// Whose was expected.
        wanted: String,
    },
    /// A file is missing.
    #[error("{0} is missing")]
    Missing(String),
    /// A file cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// A file has not the shape that its name says.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// Which.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file of hashes does not follow from the entries, which are those that were signed.
    #[error("{0} has hashes that do not follow from the entries")]
    Tile(String),
    /// An entry is not the one that was signed.
    #[error("entry {index} in {path} is not the one that was signed")]
    Entry {
        /// Which, from 0.
        index: u64,
        /// Where it stands.
        path: String,
    },
    /// Entries and hashes agree with each other, and make another root than the signed one.
    #[error("the first {size} entries make another root than the one that was signed")]
    Root {
        /// How many entries.
        size: u64,
    },
    /// One log is not a continuation of the other.
    #[error("the log at {to} entries does not continue the one at {from}: history was rewritten")]
    Inconsistent {
        /// The size of the older one.
        from: u64,
        /// The size of the newer one.
        to: u64,
    },
    /// The log is smaller than it was.
    #[error("the log has {found} entries, and once had {known}")]
    Smaller {
        /// How many there are.
        found: u64,
        /// How many there were.
        known: u64,
    },
    /// An entry is longer than a bundle can hold.
    #[error("an entry of {0} bytes is longer than a log can hold")]
    TooLong(usize),
}

/// SHA-256 of all parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// `SHA-256(0x00 || entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

/// `SHA-256(0x01 || left || right)`.
pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The root of a log without entries.
pub(crate) fn empty_root() -> Hash {
    sha256(&[])
}

/// The name of a log where 32 bytes are wanted: SHA-256 of its origin line.
pub fn log_id(origin: &str) -> Hash {
    sha256(&[origin.as_bytes()])
}

/// A value that is shown only to whom its salt is given: `SHA-256(salt || value)`.
pub fn commitment(salt: &Hash, value: &[u8]) -> Hash {
    sha256(&[salt, value])
}

/// The salt of one value, from a secret that is kept as long as the value may be shown:
/// `SHA-256(secret || place)`. Who is given it learns nothing of other salts.
pub fn salt(secret: &Hash, place: &str) -> Hash {
    sha256(&[secret, place.as_bytes()])
}

#[cfg(test)]
mod tests;
