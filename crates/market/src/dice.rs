//! Chance that follows from a seed, so that a run can be played again.

/// Draws numbers by hashing what is asked; it keeps no state, so the order of questions does not matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dice {
    seed: u64,
}

/// Chances are counted in parts of this.
pub(crate) const CERTAIN: u16 = 10_000;

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number that follows from the seed, the question, whom it is about, and `n`: FNV-1a over all of them, finished
    /// with the mixer of SplitMix64 because FNV alone leaves its low bits too even.
    pub(crate) fn roll(self, question: &str, about: &str, n: u64) -> u64 {
        let separator = [0xff];
        let parts: [&[u8]; 6] = [
            &self.seed.to_le_bytes(),
            question.as_bytes(),
            &separator,
            about.as_bytes(),
            &separator,
            &n.to_le_bytes(),
        ];
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in parts.into_iter().flatten() {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^ (hash >> 31)
    }

    /// A number less than `bound`; zero where there is none.
    pub(crate) fn below(self, bound: u64, question: &str, about: &str, n: u64) -> u64 {
        self.roll(question, about, n).checked_rem(bound).unwrap_or(0)
    }

    /// True in `chance` of 10,000 cases.
    pub(crate) fn hits(self, chance: u16, question: &str, about: &str, n: u64) -> bool {
        chance > 0 && self.below(u64::from(CERTAIN), question, about, n) < u64::from(chance)
    }
}
