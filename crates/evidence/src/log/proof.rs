//! Proofs checked, without any file.

use super::{Hash, node_hash};

/// Whether `path` proves that the entry with this hash is the one at `index` in a log of `size` entries with this root
/// (RFC 9162, section 2.1.3.2).
pub fn includes(leaf: &Hash, index: u64, size: u64, root: &Hash, path: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for step in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node_hash(step, &hash);
            while at.is_multiple_of(2) && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            hash = node_hash(&hash, step);
        }
        (at, last) = (at / 2, last / 2);
    }
    last == 0 && hash == *root
}

/// Whether `path` proves that the log of `newer.0` entries with root `newer.1` continues the one of `older.0` entries with
/// root `older.1` (RFC 9162, section 2.1.4.2).
pub fn consistent(older: (u64, &Hash), newer: (u64, &Hash), path: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (older, newer);
    if old_size == 0 || old_size == new_size {
        let same = if old_size == 0 { *old_root == super::empty_root() } else { old_root == new_root };
        return path.is_empty() && same;
    }
    if old_size > new_size {
        return false;
    }
    let mut steps = path.iter();
    let first = if old_size.is_power_of_two() { Some(old_root) } else { steps.next() };
    let Some(first) = first else { return false };
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at % 2 == 1 {
        (at, last) = (at / 2, last / 2);
    }
    let (mut old, mut new) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            (old, new) = (node_hash(step, &old), node_hash(step, &new));
            while at.is_multiple_of(2) && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            new = node_hash(&new, step);
        }
        (at, last) = (at / 2, last / 2);
    }
    last == 0 && old == *old_root && new == *new_root
}
