//! A leaf that no computation gives, planted by a consumer who is the provider too: who calls it the same has not looked.

use crate::keccak;

const TAG: &[u8] = b"CANARY/1";
const PLACE: &[u8] = b"CANARY-PLACE/1";

/// A planted leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canary {
    /// Kept secret until it is shown.
    pub salt: [u8; 32],
    /// The number of the state in its job.
    pub index: u64,
    /// Its place among the commitment's leaves: from 1 to the number of segments.
    pub position: u32,
}

impl Canary {
    /// The canary of this salt in a commitment to so many segments, the first of which begins with the state of this number; the
    /// salt says where. `None` where there is no segment.
    pub fn among(salt: [u8; 32], first: u32, segments: u32) -> Option<Self> {
        let mut high = [0; 16];
        high.copy_from_slice(&keccak(&[PLACE, &salt])[..16]);
        let place = u128::from_be_bytes(high).checked_rem(u128::from(segments))?;
        let position = u32::try_from(place).ok()? + 1;
        Some(Self { salt, index: u64::from(first) + u64::from(position), position })
    }

    /// What stands in the place of the state's digest: `keccak256("CANARY/1" || salt || index as 8 bytes, big-endian)`. BLAKE3 of
    /// no state that anybody could find.
    pub fn digest(&self) -> [u8; 32] {
        keccak(&[TAG, &self.salt, &self.index.to_be_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canary_lies_anywhere_after_the_first_state_and_follows_from_its_salt() {
        let places: Vec<u64> = (0..=255).map(|n| Canary::among([n; 32], 0, 8).unwrap().index).collect();
        assert!((1..=8).all(|place| places.contains(&place)));
        assert!(places.iter().all(|place| (1..=8).contains(place)));
        let later = Canary::among([1; 32], 5, 8).unwrap();
        assert_eq!(later.index, 5 + u64::from(later.position));
        assert_eq!(Canary::among([1; 32], 0, 8).map(|canary| canary.position), Some(later.position));
        assert_eq!(Canary::among([1; 32], 5, 0), None);
        let canary = Canary { salt: [1; 32], index: 3, position: 1 };
        let expected = keccak(&[b"CANARY/1", &[1; 32], &[0, 0, 0, 0, 0, 0, 0, 3]]);
        assert_eq!(canary.digest(), expected);
        assert_ne!(canary.digest(), Canary { index: 4, ..canary }.digest());
    }
}
