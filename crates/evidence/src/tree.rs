//! A Merkle tree whose leaves have places, grown leaf by leaf.

use crate::keccak;

const INNER: &[u8] = &[0x01];
const ROOT: &[u8] = &[0x02];

/// The leaves so far, as the roots of the full trees that they make, the widest first: one for each bit of their number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    peaks: Vec<[u8; 32]>,
    leaves: u32,
}

impl Tree {
    /// Leaves so far.
    pub const fn leaves(&self) -> u32 {
        self.leaves
    }

    /// Adds the next leaf, given by its hash.
    pub fn push(&mut self, leaf: [u8; 32]) {
        let mut node = leaf;
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = inner(&left, &node);
            }
        }
        self.peaks.push(node);
        self.leaves = self.leaves.saturating_add(1);
    }

    /// `keccak256(0x02 || number of leaves as 8 bytes, big-endian || top)`; `None` while there is no leaf.
    pub fn root(&self) -> Option<[u8; 32]> {
        let (last, wider) = self.peaks.split_last()?;
        let top = wider.iter().rev().fold(*last, |right, left| inner(left, &right));
        Some(keccak(&[ROOT, &u64::from(self.leaves).to_be_bytes(), &top]))
    }
}

fn inner(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    keccak(&[INNER, left, right])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaf(n: u32) -> [u8; 32] {
        keccak(&[&n.to_be_bytes()])
    }

    fn grown(leaves: &[[u8; 32]]) -> Option<[u8; 32]> {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        tree.root()
    }

    /// By definition: level by level, a node without a neighbour moves up.
    fn by_levels(leaves: &[[u8; 32]]) -> Option<[u8; 32]> {
        let mut level = leaves.to_vec();
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| if let [left, right] = pair { inner(left, right) } else { pair[0] })
                .collect();
        }
        let top = level.first()?;
        Some(keccak(&[ROOT, &(leaves.len() as u64).to_be_bytes(), top]))
    }

    #[test]
    fn root_is_the_same_leaf_by_leaf_and_level_by_level() {
        for n in 0..70 {
            let leaves: Vec<_> = (0..n).map(leaf).collect();
            assert_eq!(grown(&leaves), by_levels(&leaves), "{n} leaves");
        }
    }

    proptest! {
        #[test]
        fn another_leaf_order_or_number_has_another_root(n in 1u32..40, at in 0usize..40, extra in 1u32..5) {
            let leaves: Vec<_> = (0..n).map(leaf).collect();
            let at = at % leaves.len();
            let mut changed = leaves.clone();
            changed[at] = leaf(1000);
            prop_assert_ne!(grown(&leaves), grown(&changed));
            let mut longer = leaves.clone();
            longer.extend((0..extra).map(|_| leaves[leaves.len() - 1]));
            prop_assert_ne!(grown(&leaves), grown(&longer));
            if n > 1 {
                let mut swapped = leaves.clone();
                swapped.swap(at, (at + 1) % leaves.len());
                prop_assert_ne!(grown(&leaves), grown(&swapped));
            }
        }
    }
}
