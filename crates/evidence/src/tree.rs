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
        Some(top(self.leaves, &wider.iter().rev().fold(*last, |right, left| inner(left, &right))))
    }
}

/// What stands beside the way from leaf `index` up to the root, from below; a level at which the way has no neighbour adds
/// nothing. Empty where there is no such leaf.
pub fn proof(leaves: &[[u8; 32]], index: usize) -> Vec<[u8; 32]> {
    let (mut level, mut at, mut siblings) = (leaves.to_vec(), index, Vec::new());
    if index >= leaves.len() {
        return siblings;
    }
    while level.len() > 1 {
        siblings.extend(level.get(at ^ 1).copied());
        level = level
            .chunks(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(inner(left, right)),
                alone => alone.first().copied(),
            })
            .collect();
        at /= 2;
    }
    siblings
}

/// Whether `leaf` stands at `index` among `leaf_count` leaves below `root`. The way up follows from index and number alone, so a
/// proof with one sibling too many or too few is none.
pub fn verify(root: &[u8; 32], leaf_count: u32, index: u32, leaf: &[u8; 32], siblings: &[[u8; 32]]) -> bool {
    if index >= leaf_count {
        return false;
    }
    let (mut node, mut at, mut last) = (*leaf, index, leaf_count - 1);
    let mut rest = siblings.iter();
    while last > 0 {
        let alone = at == last && at % 2 == 0;
        if !alone {
            let Some(sibling) = rest.next() else { return false };
            node = if at % 2 == 0 { inner(&node, sibling) } else { inner(sibling, &node) };
        }
        (at, last) = (at / 2, last / 2);
    }
    rest.next().is_none() && *root == top(leaf_count, &node)
}

fn top(leaf_count: u32, node: &[u8; 32]) -> [u8; 32] {
    keccak(&[ROOT, &u64::from(leaf_count).to_be_bytes(), node])
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

    /// Positions on both sides of every change of shape.
    fn sizes() -> impl Iterator<Item = u32> {
        (1..=34).chain([63, 64, 65, 127, 128, 129])
    }

    fn with_root(n: u32) -> (Vec<[u8; 32]>, [u8; 32]) {
        let leaves: Vec<_> = (0..n).map(leaf).collect();
        let root = grown(&leaves).unwrap();
        (leaves, root)
    }

    #[test]
    fn every_leaf_is_found_at_its_place_and_nowhere_else() {
        for n in sizes() {
            let (leaves, root) = with_root(n);
            for index in 0..n {
                let siblings = proof(&leaves, index as usize);
                let here = &leaves[index as usize];
                assert!(verify(&root, n, index, here, &siblings), "{index} of {n}");
                let elsewhere = (0..n + 2).filter(|at| *at != index);
                assert!(elsewhere.clone().all(|at| !verify(&root, n, at, here, &siblings)), "{index} of {n}");
                assert!(
                    (0..2 * n + 2).filter(|m| *m != n).all(|m| !verify(&root, m, index, here, &siblings))
                );
            }
        }
        assert!(proof(&[], 0).is_empty() && proof(&[leaf(0)], 1).is_empty());
        assert!(!verify(&[0; 32], 0, 0, &leaf(0), &[]));
    }

    #[test]
    fn inner_node_does_not_pass_for_a_leaf() {
        let (leaves, root) = with_root(4);
        let pairs = [inner(&leaves[0], &leaves[1]), inner(&leaves[2], &leaves[3])];
        // As the leaf of a tree of two, and as one of four with a shorter way.
        for count in [2, 4] {
            assert!(!verify(&root, count, 0, &pairs[0], &pairs[1..]));
            assert!(!verify(&root, count, 1, &pairs[1], &pairs[..1]));
        }
    }

    #[test]
    fn odd_leaf_that_is_repeated_is_another_tree() {
        let (mut leaves, root) = with_root(3);
        let last = leaves[2];
        leaves.push(last);
        assert_ne!(grown(&leaves), Some(root));
        let siblings = proof(&leaves, 3);
        assert!(verify(&grown(&leaves).unwrap(), 4, 3, &last, &siblings));
        assert!(!verify(&root, 3, 3, &last, &siblings) && !verify(&root, 4, 3, &last, &siblings));
        assert!(!verify(&root, 3, 2, &last, &siblings));
    }

    #[test]
    fn leaf_of_another_job_or_place_is_not_found() {
        let (job, other) = ([1; 32], [2; 32]);
        let states: Vec<_> = (0..5).map(|index| crate::Leaf::state(index, [7; 32])).collect();
        let leaves: Vec<_> = states.iter().map(|state| state.hash(&job)).collect();
        let (root, siblings) = (grown(&leaves).unwrap(), proof(&leaves, 2));
        assert!(verify(&root, 5, 2, &states[2].hash(&job), &siblings));
        assert!(!verify(&root, 5, 2, &states[2].hash(&other), &siblings));
        assert!(!verify(&root, 5, 2, &states[3].hash(&job), &siblings), "equal states at two places");
        assert!(!verify(&root, 5, 2, &crate::Leaf::outputs(2, [7; 32]).hash(&job), &siblings));
    }

    proptest! {
        #[test]
        fn proof_with_any_change_is_none(n in 2u32..300, at: u32, which: usize, extra: [u8; 32]) {
            let (leaves, root) = with_root(n);
            let index = at % n;
            let (here, siblings) = (leaves[index as usize], proof(&leaves, index as usize));
            prop_assert!(verify(&root, n, index, &here, &siblings));
            let which = which % siblings.len();
            let mut longer = siblings.clone();
            longer.insert(which, extra);
            prop_assert!(!verify(&root, n, index, &here, &longer));
            longer = siblings.clone();
            longer.push(extra);
            prop_assert!(!verify(&root, n, index, &here, &longer));
            let mut shorter = siblings.clone();
            shorter.remove(which);
            prop_assert!(!verify(&root, n, index, &here, &shorter));
            let mut changed = siblings.clone();
            changed[which][5] ^= 1;
            prop_assert!(!verify(&root, n, index, &here, &changed));
            if siblings.len() > 1 {
                let mut swapped = siblings.clone();
                swapped.swap(which, (which + 1) % siblings.len());
                prop_assert!(!verify(&root, n, index, &here, &swapped));
            }
            prop_assert!(!verify(&root, n, index, &extra, &siblings));
            prop_assert!(!verify(&extra, n, index, &here, &siblings));
        }

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
