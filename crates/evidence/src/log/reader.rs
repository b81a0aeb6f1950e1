//! Hashes and proofs out of the files of a log.

use std::collections::HashMap;

use super::growing::perfect;
use super::tile::WIDTH;
use super::{Hash, Tile, Wrong, bundle, empty_root, node_hash};

/// A tile's height in levels of the tree.
const HEIGHT: u32 = 8;
/// Tiles kept at hand: more than one proof touches.
const KEPT_MAX: usize = 64;

/// Reads a log of some size through a function that gives the bytes at a path, `None` where there are none.
pub struct Reader<R> {
    read: R,
    size: u64,
    kept: HashMap<Tile, Vec<Hash>>,
}

impl<R> Reader<R>
where
    R: FnMut(&str) -> Result<Option<Vec<u8>>, Wrong>,
{
    /// A reader of a log of `size` entries.
    pub fn new(size: u64, read: R) -> Self {
        Self { read, size, kept: HashMap::new() }
    }

    /// The bytes of a file. Of a partial tile that was removed when it became full, the full one has them.
    fn bytes(&mut self, tile: Tile) -> Result<Vec<u8>, Wrong> {
        if let Some(bytes) = (self.read)(&tile.to_string())? {
            return Ok(bytes);
        }
        let missing = || Wrong::Missing(tile.to_string());
        if tile.is_full() {
            return Err(missing());
        }
        let full = (self.read)(&tile.full().to_string())?.ok_or_else(missing)?;
        let part = match tile.level {
            Some(_) => full.get(..usize::from(tile.width) * 32),
            None => bundle::cut(&full, tile.width),
        };
        part.map(<[u8]>::to_vec).ok_or_else(missing)
    }

    /// The bytes of a bundle of entries.
    ///
    /// # Errors
    /// `Missing`, or what reading it failed with.
    pub fn bundle(&mut self, tile: Tile) -> Result<Vec<u8>, Wrong> {
        self.bytes(tile)
    }

    /// The hashes of a tile.
    ///
    /// # Errors
    /// `Missing`, `Damaged`, or what reading it failed with.
    pub fn hashes(&mut self, tile: Tile) -> Result<Vec<Hash>, Wrong> {
        let bytes = self.bytes(tile)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() != usize::from(tile.width) {
            let why = "it has not as many hashes as its name says";
            return Err(Wrong::Damaged { path: tile.to_string(), why });
        }
        Ok(hashes.to_vec())
    }

    /// The hash of the entry at `index`.
    ///
    /// # Errors
    /// As [`Reader::hashes`].
    pub fn leaf(&mut self, index: u64) -> Result<Hash, Wrong> {
        self.node(0, index)
    }

    /// The root of the full subtree of 2^`height` entries, the `index`th of its kind.
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, Wrong> {
        let (level, within) = (height / HEIGHT, height % HEIGHT);
        let first = index << within;
        let tile = Tile::hashes(u8::try_from(level).unwrap_or(u8::MAX), first / WIDTH, self.size);
        if !self.kept.contains_key(&tile) {
            let hashes = self.hashes(tile)?;
            if self.kept.len() >= KEPT_MAX {
                self.kept.clear();
            }
            self.kept.insert(tile, hashes);
        }
        let from = usize::try_from(first % WIDTH).unwrap_or(usize::MAX);
        let hashes = self.kept.get(&tile).and_then(|hashes| hashes.get(from..from + (1 << within)));
        hashes.map(|hashes| perfect(hashes.to_vec())).ok_or_else(|| Wrong::Missing(tile.to_string()))
    }

    /// The root over the entries from `from` to before `to`, where `from` is a multiple of the widest full subtree.
    fn range(&mut self, from: u64, to: u64) -> Result<Hash, Wrong> {
        let count = to.saturating_sub(from);
        if count == 0 {
            return Ok(empty_root());
        }
        if count.is_power_of_two() {
            return self.node(count.trailing_zeros(), from >> count.trailing_zeros());
        }
        let middle = from + split(count);
        Ok(node_hash(&self.range(from, middle)?, &self.range(middle, to)?))
    }

    /// The root over the first `size` entries.
    ///
    /// # Errors
    /// As [`Reader::hashes`].
    pub fn root(&mut self, size: u64) -> Result<Hash, Wrong> {
        self.range(0, size)
    }

    /// The proof that the entry at `index` is one of the first `size`, nearest hash first.
    ///
    /// # Errors
    /// As [`Reader::hashes`]; `Missing` where there is no such entry.
    pub fn inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Hash>, Wrong> {
        if index >= size || size > self.size {
            return Err(Wrong::Missing(format!("entry {index} of {size}")));
        }
        let (mut from, mut to, mut path) = (0, size, Vec::new());
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                path.push(self.range(middle, to)?);
                to = middle;
            } else {
                path.push(self.range(from, middle)?);
                from = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the log at `newer` entries continues the one at `older`, as RFC 6962 (section 2.1.2) orders it.
    ///
    /// # Errors
    /// As [`Reader::hashes`]; `Missing` where the log is smaller.
    pub fn consistency(&mut self, older: u64, newer: u64) -> Result<Vec<Hash>, Wrong> {
        if older > newer || newer > self.size {
            return Err(Wrong::Missing(format!("entry {} of {newer}", older.saturating_sub(1))));
        }
        if older == 0 {
            return Ok(Vec::new());
        }
        let (mut from, mut to, mut known, mut path) = (0, newer, true, Vec::new());
        while older != to {
            let middle = from + split(to - from);
            if older <= middle {
                path.push(self.range(middle, to)?);
                to = middle;
            } else {
                path.push(self.range(from, middle)?);
                from = middle;
                known = false;
            }
        }
        if !known {
            path.push(self.range(from, to)?);
        }
        path.reverse();
        Ok(path)
    }
}

/// The largest power of two below `count`, which is more than 1.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The roots of the full trees that some hashes make, the widest first.
pub(crate) fn peaks(hashes: &[Hash]) -> Vec<Hash> {
    let (mut out, mut rest) = (Vec::new(), hashes);
    while !rest.is_empty() {
        let (full, after) = rest.split_at(1 << rest.len().ilog2());
        out.push(perfect(full.to_vec()));
        rest = after;
    }
    out
}

/// The root of a tree, from the roots of its full trees.
pub(crate) fn root_of_peaks(peaks: &[Hash]) -> Hash {
    match peaks.split_last() {
        Some((last, wider)) => wider.iter().rev().fold(*last, |right, left| node_hash(left, &right)),
        None => empty_root(),
    }
}
