//! Which files a log has, by c2sp.org/tlog-tiles: `tile/<level>/<n>` with 256 hashes each, `tile/entries/<n>` with the
//! entries below the hashes of level 0; the last of each kind may be partial, `<n>.p/<width>`.

use std::fmt;

/// Hashes of a full tile.
pub(crate) const WIDTH: u64 = 256;
const WIDTH_BITS: u32 = WIDTH.trailing_zeros();
/// The path of the newest signed head.
pub const CHECKPOINT: &str = "checkpoint";

/// A file of a log; shown as its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// Level of its hashes; `None` for a bundle of entries.
    pub level: Option<u8>,
    /// Which of its level, from 0.
    pub index: u64,
    /// Hashes or entries in it, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The file of hashes at a place of a log of `size` entries.
    pub(crate) fn hashes(level: u8, index: u64, size: u64) -> Self {
        Self { level: Some(level), index, width: width_at(level, index, size) }
    }

    /// The bundle at a place of a log of `size` entries.
    pub(crate) fn entries(index: u64, size: u64) -> Self {
        Self { level: None, index, width: width_at(0, index, size) }
    }

    /// Whether it will never change again.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == WIDTH
    }

    /// The full tile at its place.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: 256, ..self }
    }

    /// The folder of the partial tiles at its place, which the full one makes superfluous.
    pub fn partials(&self) -> String {
        format!("{}.p", self.full())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => f.write_str("tile/entries/")?,
        }
        let digits = self.index.to_string();
        let groups = digits.len().div_ceil(3);
        let padded = format!("{digits:0>width$}", width = groups * 3);
        for group in 0..groups {
            let end = if group + 1 == groups { "" } else { "/" };
            let mark = if group + 1 == groups { "" } else { "x" };
            write!(f, "{mark}{}{end}", padded.get(group * 3..group * 3 + 3).unwrap_or_default())?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Hashes of a level that a log of `size` entries has, in full trees below them.
pub(crate) fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(WIDTH_BITS * u32::from(level)).unwrap_or(0)
}

fn width_at(level: u8, index: u64, size: u64) -> u16 {
    let left = hashes_at(level, size).saturating_sub(index.saturating_mul(WIDTH));
    u16::try_from(left.min(WIDTH)).unwrap_or(u16::MAX)
}

/// Every file that a log of `size` entries has beside its checkpoint.
pub fn tiles_of(size: u64) -> impl Iterator<Item = Tile> {
    let bundles = (0..size.div_ceil(WIDTH)).map(move |index| Tile::entries(index, size));
    let levels = (0..8u8).flat_map(move |level| {
        (0..hashes_at(level, size).div_ceil(WIDTH)).map(move |index| Tile::hashes(level, index, size))
    });
    bundles.chain(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = |level, index, width| Tile { level, index, width }.to_string();
        assert_eq!(tile(Some(0), 0, 256), "tile/0/000");
        assert_eq!(tile(Some(1), 42, 7), "tile/1/042.p/7");
        assert_eq!(tile(Some(0), 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(tile(None, 1_000, 255), "tile/entries/x001/000.p/255");
        assert_eq!(Tile { level: None, index: 3, width: 9 }.partials(), "tile/entries/003.p");
    }

    #[test]
    fn a_log_of_seventy_thousand_entries_has_the_tiles_of_the_specification() {
        let of = |level| tiles_of(70_000).filter(move |tile| tile.level == level).map(|t| t.to_string());
        assert_eq!(of(Some(0)).count(), 274);
        assert_eq!(of(Some(0)).last().unwrap(), "tile/0/273.p/112");
        assert_eq!(of(Some(1)).collect::<Vec<_>>(), ["tile/1/000", "tile/1/001.p/17"]);
        assert_eq!(of(Some(2)).collect::<Vec<_>>(), ["tile/2/000.p/1"]);
        assert_eq!(of(None).last().unwrap(), "tile/entries/273.p/112");
        assert_eq!(tiles_of(0).count(), 0);
    }
}
