//! A log to which entries are added, in memory that does not grow with it.

use super::reader::{Reader, peaks, root_of_peaks};
use super::tile::{WIDTH, hashes_at};
use super::{Hash, Tile, Wrong, bundle, leaf_hash, node_hash};

/// The right edge of a log, and the files that were filled since they were last taken.
#[derive(Debug, Clone, Default)]
pub struct Growing {
    size: u64,
    /// The hashes of the last tile of each level; a full tile moves up as one hash.
    levels: Vec<Vec<Hash>>,
    bundle: Vec<u8>,
    full: Vec<(Tile, Vec<u8>)>,
}

impl Growing {
    /// Goes on from the files of a log of `size` entries.
    ///
    /// # Errors
    /// Files are missing or damaged, or make another root.
    pub fn resume<R>(reader: &mut Reader<R>, size: u64, root: &Hash) -> Result<Self, Wrong>
    where
        R: FnMut(&str) -> Result<Option<Vec<u8>>, Wrong>,
    {
        let mut this = Self { size, ..Self::default() };
        for level in 0.. {
            let hashes = hashes_at(level, size);
            if hashes == 0 {
                break;
            }
            let last = Tile::hashes(level, hashes / WIDTH, size);
            let edge = if last.width == 0 { Vec::new() } else { reader.hashes(last)? };
            this.levels.push(edge);
        }
        let last = Tile::entries(size / WIDTH, size);
        if last.width > 0 {
            this.bundle = reader.bundle(last)?;
            let leaves = bundle::entries_of(last, &this.bundle)?.into_iter().map(leaf_hash);
            if !leaves.eq(this.levels.first().into_iter().flatten().copied()) {
                return Err(Wrong::Damaged { path: last.to_string(), why: "its entries have other hashes" });
            }
        }
        if this.root() == *root { Ok(this) } else { Err(Wrong::Root { size }) }
    }

    /// Entries so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// `TooLong`; then nothing was added.
    pub fn push(&mut self, entry: &[u8]) -> Result<(), Wrong> {
        bundle::add(&mut self.bundle, entry)?;
        self.size += 1;
        if self.size.is_multiple_of(WIDTH) {
            let tile = Tile { level: None, index: self.size / WIDTH - 1, width: 256 };
            self.full.push((tile, std::mem::take(&mut self.bundle)));
        }
        self.push_hash(leaf_hash(entry));
        Ok(())
    }

    fn push_hash(&mut self, hash: Hash) {
        let mut carried = Some((0u8, hash));
        while let Some((level, hash)) = carried.take() {
            let at = usize::from(level);
            if self.levels.len() <= at {
                self.levels.push(Vec::with_capacity(256));
            }
            let Some(edge) = self.levels.get_mut(at) else { return };
            edge.push(hash);
            if edge.len() as u64 == WIDTH {
                let hashes = std::mem::take(edge);
                let tile =
                    Tile { level: Some(level), index: hashes_at(level, self.size) / WIDTH - 1, width: 256 };
                self.full.push((tile, hashes.concat()));
                carried = Some((level + 1, perfect(hashes)));
            }
        }
    }

    /// The root over all entries.
    pub fn root(&self) -> Hash {
        let mut all = Vec::new();
        for edge in self.levels.iter().rev() {
            all.extend(peaks(edge));
        }
        root_of_peaks(&all)
    }

    /// The files that were filled since they were last taken, and those that are partial now. What is taken must be
    /// stored before a checkpoint of this size is.
    pub fn take_files(&mut self) -> Vec<(Tile, Vec<u8>)> {
        let mut files = std::mem::take(&mut self.full);
        for (level, edge) in (0u8..).zip(&self.levels) {
            if !edge.is_empty() {
                let tile = Tile::hashes(level, hashes_at(level, self.size) / WIDTH, self.size);
                files.push((tile, edge.concat()));
            }
        }
        if !self.bundle.is_empty() {
            files.push((Tile::entries(self.size / WIDTH, self.size), self.bundle.clone()));
        }
        files
    }
}

/// The root of a tree whose leaves are a power of two.
pub(crate) fn perfect(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        hashes = hashes
            .chunks(2)
            .map(|pair| if let [left, right] = pair { node_hash(left, right) } else { [0; 32] })
            .collect();
    }
    hashes.first().copied().unwrap_or_else(super::empty_root)
}
