//! Entries in a file: each is its length as two bytes, big-endian, and its bytes.

use super::{Tile, Wrong};

/// The longest entry.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// Adds an entry to a bundle.
pub(crate) fn add(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), Wrong> {
    let len = u16::try_from(entry.len()).map_err(|_| Wrong::TooLong(entry.len()))?;
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of the bundle with this name.
///
/// # Errors
/// `Damaged` when it has fewer or more bytes than its entries say, or not as many entries as its name says.
pub fn entries_of(tile: Tile, bytes: &[u8]) -> Result<Vec<&[u8]>, Wrong> {
    let damaged = |why| Wrong::Damaged { path: tile.to_string(), why };
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while let Some((len, after)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len));
        let (entry, after) = after.split_at_checked(len).ok_or_else(|| damaged("an entry is cut short"))?;
        entries.push(entry);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(damaged("an entry is cut short"));
    }
    if entries.len() != usize::from(tile.width) {
        return Err(damaged("it has not as many entries as its name says"));
    }
    Ok(entries)
}

/// The first entries of a full bundle, as the partial one had them.
pub(crate) fn cut(full: &[u8], width: u16) -> Option<&[u8]> {
    let mut at = 0usize;
    for _ in 0..width {
        let len = full.get(at..)?.first_chunk::<2>()?;
        at = at.checked_add(2 + usize::from(u16::from_be_bytes(*len)))?;
    }
    full.get(..at)
}
