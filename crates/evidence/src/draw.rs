//! Who replays what: drawn from randomness that was fixed after the commitment.
//!
//! Every number comes from `keccak256("SEL/1" || seed || counter as 8 bytes, big-endian)`: its first 16 bytes modulo the bound,
//! which is off by less than 2^-64 for bounds of 64 bits. A contract computes the same.

use crate::keccak;

const TAG: &[u8] = b"SEL/1";
const SEED_TAG: &[u8] = b"SEED/1";
const SEGMENTS_TAG: &[u8] = b"SEG/1";
const VALIDATORS_TAG: &[u8] = b"VAL/1";
/// No operator counts for more than this share of the stake, in tenths, or its fair share where there are few.
const CAP_TENTHS: u128 = 1;

/// The seed of a draw: randomness, the job, and the root that was committed to before.
pub fn draw_seed(randomness: &[u8; 32], job: &[u8; 32], root: &[u8; 32]) -> [u8; 32] {
    keccak(&[SEED_TAG, randomness, job, root])
}

/// The segments to replay, by the seed of a draw; see [`Draw::segments`]. They and the validators come from numbers of their own.
pub fn drawn_segments(seed: &[u8; 32], segments: u32, sample: u32) -> Vec<u32> {
    Draw::new(keccak(&[SEGMENTS_TAG, seed])).segments(segments, sample)
}

/// The validators that replay them, by the seed of a draw; see [`Draw::validators`].
pub fn drawn_validators(seed: &[u8; 32], stakes: &[u64], wanted: usize) -> Vec<usize> {
    Draw::new(keccak(&[VALIDATORS_TAG, seed])).validators(stakes, wanted)
}

/// Numbers that follow from a seed.
#[derive(Debug, Clone)]
pub struct Draw {
    seed: [u8; 32],
    counter: u64,
}

impl Draw {
    /// From its beginning.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let word = keccak(&[TAG, &self.seed, &self.counter.to_be_bytes()]);
        self.counter += 1;
        let mut high = [0; 16];
        high.copy_from_slice(&word[..16]);
        let drawn = u128::from_be_bytes(high).checked_rem(u128::from(bound)).unwrap_or_default();
        u64::try_from(drawn).unwrap_or_default()
    }

    /// Segments to replay out of `segments`, in order: always the first, which binds the inputs, and the last, which binds the
    /// outputs, and `sample` of those between (Floyd's algorithm; Bentley, CACM 30:9, 1987).
    pub fn segments(&mut self, segments: u32, sample: u32) -> Vec<u32> {
        let between = segments.saturating_sub(2);
        let wanted = sample.min(between);
        let mut chosen = Vec::new();
        for j in between - wanted..between {
            let t = u32::try_from(self.below(u64::from(j) + 1)).unwrap_or_default();
            chosen.push(if chosen.contains(&t) { j } else { t });
        }
        let ends = [0, segments.saturating_sub(1)];
        let mut all: Vec<u32> = chosen.into_iter().map(|between| between + 1).chain(ends).collect();
        all.sort_unstable();
        all.dedup();
        all.truncate(segments as usize);
        all
    }

    /// `wanted` different validators by their positions in `stakes`, in the order drawn: each with a probability in proportion
    /// to its stake, of which no more than a tenth of all, or its fair share, counts. Nobody without stake is drawn.
    pub fn validators(&mut self, stakes: &[u64], wanted: usize) -> Vec<usize> {
        let mut weights = capped(stakes);
        let mut chosen = Vec::new();
        while chosen.len() < wanted {
            let total: u64 = weights.iter().fold(0, |sum, weight| sum.saturating_add(*weight));
            if total == 0 {
                break;
            }
            let mut at = self.below(total);
            let hit = weights.iter().position(|weight| {
                let here = at < *weight;
                at = at.saturating_sub(*weight);
                here
            });
            let Some(hit) = hit else { break };
            weights[hit] = 0;
            chosen.push(hit);
        }
        chosen
    }
}

/// What of each stake counts.
fn capped(stakes: &[u64]) -> Vec<u64> {
    let total: u128 = stakes.iter().map(|stake| u128::from(*stake)).sum();
    let holders = stakes.iter().filter(|stake| **stake > 0).count().max(1) as u128;
    let cap = (total * CAP_TENTHS / 10).max(total / holders).max(1);
    stakes.iter().map(|stake| u64::try_from(u128::from(*stake).min(cap)).unwrap_or(u64::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seed(n: u64) -> [u8; 32] {
        keccak(&[&n.to_be_bytes()])
    }

    proptest! {
        #[test]
        fn first_and_last_segment_and_a_sample_are_drawn(segments in 0u32..300, sample in 0u32..40, n: u64) {
            let drawn = Draw::new(seed(n)).segments(segments, sample);
            prop_assert_eq!(drawn.len() as u32, segments.min(sample.min(segments.saturating_sub(2)) + 2));
            prop_assert_eq!(drawn.len() as u32, segments.min(sample.min(segments.saturating_sub(2)) + 2));
            prop_assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(segments == 0 || (drawn[0] == 0 && drawn[drawn.len() - 1] == segments - 1));
        }

        #[test]
        fn validators_differ_and_have_stake(stakes in proptest::collection::vec(0u64..1_000, 0..20), wanted in 0usize..9, n: u64) {
            let drawn = Draw::new(seed(n)).validators(&stakes, wanted);
            let holders = stakes.iter().filter(|stake| **stake > 0).count();
            prop_assert_eq!(drawn.len(), wanted.min(holders));
            prop_assert!(drawn.iter().all(|at| stakes[*at] > 0));
            let mut sorted = drawn.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), drawn.len());
        }
    }

    /// Chi-square over a million draws: below the value that one in a thousand fair draws exceeds.
    fn fair(counts: &[u64], shares: &[f64], limit: f64) {
        let runs = counts.iter().sum::<u64>() as f64;
        let expected = |share: &f64| share * runs;
        let chi: f64 = counts
            .iter()
            .zip(shares)
            .filter(|(_, share)| **share > 0.0)
            .map(|(count, share)| (*count as f64 - expected(share)).powi(2) / expected(share))
            .sum();
        assert!(chi < limit, "chi-square {chi} over {counts:?}");
        for (count, share) in counts.iter().zip(shares) {
            let error = (runs * share * (1.0 - share)).sqrt();
            assert!((*count as f64 - expected(share)).abs() <= 4.0 * error + 1e-9, "{counts:?}");
        }
    }

    #[test]
    fn each_validator_is_drawn_by_its_capped_stake() {
        // The first has half of all, and counts for a tenth of 2,000.
        let stakes = [1_000, 50, 100, 150, 200, 100, 150, 50, 100, 0, 100];
        let weights = capped(&stakes);
        assert_eq!(weights[0], 200);
        let total: u64 = weights.iter().sum();
        let shares: Vec<f64> = weights.iter().map(|weight| *weight as f64 / total as f64).collect();
        let mut counts = vec![0u64; stakes.len()];
        let mut draw = Draw::new(seed(1));
        for _ in 0..1_000_000 {
            counts[draw.validators(&stakes, 1)[0]] += 1;
        }
        assert_eq!(counts[9], 0, "nobody without stake");
        // 10 validators with stake: 9 degrees of freedom.
        fair(&counts, &shares, 27.88);
    }

    #[test]
    fn each_segment_between_is_drawn_equally_often() {
        let mut counts = [0u64; 10];
        let mut draw = Draw::new(seed(2));
        for _ in 0..333_334 {
            for segment in draw.segments(12, 3) {
                if let Some(count) = (segment as usize).checked_sub(1).and_then(|at| counts.get_mut(at)) {
                    *count += 1;
                }
            }
        }
        // The last segment, 11, is beyond the ten between.
        fair(&counts, &[0.1; 10], 27.88);
    }

    #[test]
    fn segments_and_validators_follow_from_numbers_of_their_own() {
        let seed = seed(3);
        assert_ne!(drawn_segments(&seed, 1_000, 8), Draw::new(seed).segments(1_000, 8));
        // Ten equal stakes, and as many segments between: equal numbers would draw equal positions.
        let validators = drawn_validators(&seed, &[1; 10], 1);
        let segments = drawn_segments(&seed, 12, 1);
        let between = keccak(&[TAG, &keccak(&[SEGMENTS_TAG, &seed]), &0u64.to_be_bytes()]);
        let among = keccak(&[TAG, &keccak(&[VALIDATORS_TAG, &seed]), &0u64.to_be_bytes()]);
        let tenth = |word: [u8; 32]| word[..16].iter().fold(0, |n, byte| (n * 256 + usize::from(*byte)) % 10);
        assert_eq!((validators, segments[1] as usize), (vec![tenth(among)], tenth(between) + 1));
    }

    #[test]
    fn draw_is_bound_to_randomness_job_and_root() {
        let seeds = [
            draw_seed(&[1; 32], &[2; 32], &[3; 32]),
            draw_seed(&[9; 32], &[2; 32], &[3; 32]),
            draw_seed(&[1; 32], &[9; 32], &[3; 32]),
            draw_seed(&[1; 32], &[2; 32], &[9; 32]),
        ];
        let drawn: std::collections::BTreeSet<Vec<u32>> =
            seeds.iter().map(|seed| Draw::new(*seed).segments(1_000, 8)).collect();
        assert_eq!(drawn.len(), seeds.len());
    }
}
