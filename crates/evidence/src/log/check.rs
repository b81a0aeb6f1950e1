//! A whole log, checked from its bytes and a public key.

use super::tile::CHECKPOINT;
use super::tile::WIDTH;
use super::{Checkpoint, Growing, Hash, Key, Reader, Tile, Verify, Wrong, entries_of, leaf_hash, tiles_of};

/// Reads the signed head of a log.
///
/// # Errors
/// It is missing, not signed by the key, or no checkpoint.
pub fn open_checkpoint<R>(mut read: R, key: &Key, verify: Verify<'_>) -> Result<Checkpoint, Wrong>
where
    R: FnMut(&str) -> Result<Option<Vec<u8>>, Wrong>,
{
    let bytes = read(CHECKPOINT)?.ok_or_else(|| Wrong::Missing(CHECKPOINT.to_owned()))?;
    Checkpoint::open(&bytes, key, verify)
}

/// Computes the tree of a log again from its entries, and compares every file of hashes and the root with it. `visit` is
/// shown every entry with its index from 0, before anything is known of it.
///
/// # Errors
/// The first thing that is wrong: where the entries make the signed root, a file of hashes; else the entry that differs from
/// its hash; else the root itself. What `visit` answers with, once the tree holds.
pub fn check<R, V, E>(reader: &mut Reader<R>, head: &Checkpoint, mut visit: V) -> Result<(), E>
where
    R: FnMut(&str) -> Result<Option<Vec<u8>>, Wrong>,
    V: FnMut(u64, &[u8]) -> Result<(), E>,
    E: From<Wrong>,
{
    let (mut tree, mut index) = (Growing::default(), 0u64);
    let (mut wrong_tile, mut wrong_entry, mut refused) = (None, None, None);
    let bundles = tiles_of(head.size).take_while(|tile| tile.level.is_none());
    for bundle in bundles {
        let bytes = reader.bundle(bundle)?;
        let stored = reader.hashes(Tile { level: Some(0), ..bundle })?;
        for (entry, hash) in entries_of(bundle, &bytes)?.into_iter().zip(stored) {
            if leaf_hash(entry) != hash && wrong_entry.is_none() {
                wrong_entry = Some(Wrong::Entry { index, path: bundle.to_string() });
            }
            if refused.is_none() {
                refused = visit(index, entry).err();
            }
            tree.push(entry)?;
            index += 1;
        }
        let last = index == head.size;
        if index.is_multiple_of(WIDTH) || last {
            compare(reader, tree.take_files(), last, &mut wrong_tile)?;
        }
    }
    if tree.root() == head.root {
        return match (wrong_tile, refused) {
            (Some(tile), _) => Err(Wrong::Tile(tile.to_string()).into()),
            (None, Some(refused)) => Err(refused),
            (None, None) => Ok(()),
        };
    }
    Err(wrong_entry.unwrap_or(Wrong::Root { size: head.size }).into())
}

/// Compares files as they must be with those that are stored; partial ones belong to the log's end alone.
fn compare<R>(
    reader: &mut Reader<R>,
    files: Vec<(Tile, Vec<u8>)>,
    last: bool,
    wrong: &mut Option<Tile>,
) -> Result<(), Wrong>
where
    R: FnMut(&str) -> Result<Option<Vec<u8>>, Wrong>,
{
    for (tile, bytes) in files {
        if tile.level.is_none() || !(tile.is_full() || last) {
            continue;
        }
        let expected: &[Hash] = bytes.as_chunks::<32>().0;
        if reader.hashes(tile)? != expected && wrong.is_none() {
            *wrong = Some(tile);
        }
    }
    Ok(())
}
