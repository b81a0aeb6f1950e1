//! One state of a job, bound to its place.

use std::io::{self, Read, Write};

use domain::JobId;

use crate::keccak;

const LEAF: &[u8] = &[0x00];
const TERMS: &[u8] = b"TERMS/1";
const JOB: &[u8] = b"JOB/1";

/// What was asked for: a job's id and its specification. Who runs or replays it is told no more of them than this.
pub fn job_terms(job: JobId, spec: &str) -> [u8; 32] {
    keccak(&[TERMS, &job.bytes(), &keccak(&[spec.as_bytes()])])
}

/// What a job is named by in its leaves and on a chain: its terms, and the BLAKE3 of the bundle that its agents run. The bundle
/// names the BLAKE3 of the inputs, so whoever replays other work or other inputs finds another job.
pub fn job_hash(terms: &[u8; 32], bundle: &[u8; 32]) -> [u8; 32] {
    keccak(&[JOB, terms, bundle])
}

/// A leaf of the tree: state `index`, or the outputs that came after the last state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// The state's number; outputs have the one after the last state.
    pub index: u64,
    /// BLAKE3 of the state; zero where the work begins from nothing, and for outputs.
    pub state: [u8; 32],
    /// BLAKE3 of the outputs; zero for a state.
    pub out: [u8; 32],
}

impl Leaf {
    /// A state.
    pub const fn state(index: u64, digest: [u8; 32]) -> Self {
        Self { index, state: digest, out: [0; 32] }
    }

    /// Outputs.
    pub const fn outputs(index: u64, digest: [u8; 32]) -> Self {
        Self { index, state: [0; 32], out: digest }
    }

    /// `keccak256(0x00 || job || index as 8 bytes, big-endian || state || out)`.
    pub fn hash(&self, job: &[u8; 32]) -> [u8; 32] {
        keccak(&[LEAF, job, &self.index.to_be_bytes(), &self.state, &self.out])
    }
}

/// BLAKE3 of what is in memory.
pub fn content_digest(bytes: &[u8]) -> [u8; 32] {
    blake3::hash(bytes).into()
}

/// BLAKE3 of what is written to it.
#[derive(Debug, Clone, Default)]
pub struct StateHasher(blake3::Hasher);

impl StateHasher {
    /// Takes all that a reader gives, in parts that are wide enough for the vector units of every processor: the 8 KiB of
    /// [`io::copy`] fill half of those of 512 bits.
    ///
    /// # Errors
    /// The reader's own.
    pub fn take(&mut self, reader: impl Read) -> io::Result<()> {
        self.0.update_reader(reader).map(|_| ())
    }

    /// The digest of all that was written.
    pub fn finish(&self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl Write for StateHasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_that_of_blake3_however_the_bytes_come() {
        for bytes in [0, 1, 1_023, 8_192, 65_537, 300_000] {
            let state: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
            let expected: [u8; 32] = blake3::hash(&state).into();
            let mut taken = StateHasher::default();
            taken.take(state.as_slice()).unwrap();
            assert_eq!(taken.finish(), expected, "{bytes} bytes read");
            let mut written = StateHasher::default();
            state.chunks(1_000).for_each(|part| written.write_all(part).unwrap());
            assert_eq!(written.finish(), expected, "{bytes} bytes written");
        }
    }
}
