//! What an attacker would try against commitments, draws, validators and disputes, one test each, with the real tree, draw and
//! verdict. `docs/attacks.md` names what stops each attack and where else it is tried; where it is about money, in `economics`.
#![cfg(test)]

use std::collections::BTreeSet;

use domain::{Finding, JobId, Verdict};
use proptest::prelude::*;
use waag_evidence::deterrence::{all_corrupt, majority_corrupt, replayed};
use waag_evidence::tree::{proof, verify};
use waag_evidence::{
    Draw, Leaf, Tree, Word, commitment_digest, draw_seed, job_hash, job_terms, keccak, result, verdict,
};

type Hash = [u8; 32];

const SEGMENTS: u32 = 32;
const SAMPLE: u32 = 8;
const JOB: Hash = [6; 32];

/// The state after so many segments of honest work: what it is does not matter, only that one follows from the other.
fn step(state: &Hash) -> Hash {
    keccak(&[b"work", state])
}

/// States 0 to n, of which those after the `faked` segments are made up; honest work goes on from whatever it finds.
fn states(faked: &BTreeSet<u32>) -> Vec<Hash> {
    let mut states = vec![[0; 32]];
    for segment in 0..SEGMENTS {
        let honest = step(&states[segment as usize]);
        states.push(if faked.contains(&segment) { keccak(&[b"made up", &honest]) } else { honest });
    }
    states
}

fn leaves(job: &Hash, states: &[Hash]) -> Vec<Hash> {
    (0..).zip(states).map(|(index, state)| Leaf::state(index, *state).hash(job)).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root().unwrap()
}

/// What an honest validator says that is given these states, which stand below this root or not.
fn replay(job: &Hash, root: &Hash, given: &[Option<Hash>], drawn: &[u32]) -> Word {
    let committed: Vec<Hash> = given
        .iter()
        .zip(0..)
        .map(|(state, index)| Leaf::state(index, state.unwrap_or_default()).hash(job))
        .collect();
    let count = committed.len() as u32;
    let opens = |index: u32| {
        let at = index as usize;
        given[at].is_some() && verify(root, count, index, &committed[at], &proof(&committed, at))
    };
    let (mut same, mut own) = (true, Vec::new());
    for segment in drawn {
        let Some(before) = given[*segment as usize].filter(|_| opens(*segment)) else {
            return Word { finding: Finding::Withheld, result: [0; 32] };
        };
        let after = Leaf::state(u64::from(*segment) + 1, step(&before)).hash(job);
        same &= after == committed[*segment as usize + 1];
        own.push(after);
    }
    Word { finding: if same { Finding::Same } else { Finding::Differs }, result: result(&own) }
}

fn drawn(randomness: u64, job: &Hash, root: &Hash) -> Vec<u32> {
    let seed = draw_seed(&keccak(&[&randomness.to_be_bytes()]), job, root);
    Draw::new(keccak(&[b"SEG/1", &seed])).segments(SEGMENTS, SAMPLE)
}

fn panel(randomness: u64, job: &Hash, root: &Hash, stakes: &[u64], wanted: usize) -> Vec<usize> {
    let seed = draw_seed(&keccak(&[&randomness.to_be_bytes()]), job, root);
    Draw::new(keccak(&[b"VAL/1", &seed])).validators(stakes, wanted)
}

/// `keccak256(abi.encode(id, validator, finding, result, salt))`, what a validator commits to.
fn finding_hash(id: &Hash, validator: &[u8; 20], finding: u8, result: &Hash, salt: &Hash) -> Hash {
    let (mut who, mut what) = ([0; 32], [0; 32]);
    who[12..].copy_from_slice(validator);
    what[31] = finding;
    keccak(&[id, &who, &what, result, salt])
}

/// Within four standard errors.
fn agrees(hits: u64, runs: u64, p: f64) {
    let (seen, error) = (hits as f64 / runs as f64, (p * (1.0 - p) / runs as f64).sqrt());
    assert!((seen - p).abs() <= 4.0 * error + 1e-12, "{seen} beside {p}");
}

/// Faked segments at places that are not always drawn, spread by a number.
fn spread(faked: u32, n: u64) -> BTreeSet<u32> {
    (0..faked).map(|i| 1 + (n as u32 * 7 + i * 13) % (SEGMENTS - 2)).collect()
}

#[test]
fn lazy_provider_is_failed_as_often_as_its_fakes_are_drawn() {
    let runs = 2_000;
    for faked in [1, 3, 16] {
        let mut failed = 0;
        for n in 0..runs {
            let states = states(&spread(faked, n));
            let root = root(&leaves(&JOB, &states));
            let given: Vec<_> = states.into_iter().map(Some).collect();
            let word = replay(&JOB, &root, &given, &drawn(n, &JOB, &root));
            failed += u64::from(verdict(&[word; 3]) == Verdict::Failed);
        }
        agrees(failed, runs, replayed(SEGMENTS, faked, SAMPLE));
    }
}

#[test]
fn lazy_provider_that_fakes_everything_is_always_failed() {
    let states = states(&(0..SEGMENTS).collect());
    let root = root(&leaves(&JOB, &states));
    let given: Vec<_> = states.into_iter().map(Some).collect();
    for n in 0..200 {
        let word = replay(&JOB, &root, &given, &drawn(n, &JOB, &root));
        assert_eq!(verdict(&[word; 3]), Verdict::Failed);
    }
}

/// A byte of a faked state more or less is another root, and another draw. What was kind under randomness that has not been drawn
/// yet says nothing about the one that is.
#[test]
fn grinding_roots_before_the_randomness_gains_nothing() {
    let (runs, faked) = (2_000, 6);
    let mut missed = 0;
    for n in 0..runs {
        let fakes = spread(faked, n);
        let honest = states(&fakes);
        let tried = (0u64..50).map(|grind| {
            let mut states = honest.clone();
            let last = *fakes.iter().next_back().unwrap() as usize + 1;
            states[last] = keccak(&[&states[last], &grind.to_be_bytes()]);
            root(&leaves(&JOB, &states))
        });
        let kind =
            |randomness: u64, root: &Hash| drawn(randomness, &JOB, root).iter().all(|s| !fakes.contains(s));
        let roots: Vec<Hash> = tried.take(8).collect();
        let chosen = roots.iter().find(|root| kind(n, root)).unwrap_or(&roots[0]);
        missed += u64::from(kind(n + 1_000_000, chosen));
    }
    agrees(missed, runs, 1.0 - replayed(SEGMENTS, faked, SAMPLE));
}

#[test]
fn draw_follows_from_randomness_job_and_root_and_from_nothing_else() {
    let root = [3; 32];
    assert_eq!(drawn(1, &JOB, &root), drawn(1, &JOB, &root));
    let others = [drawn(2, &JOB, &root), drawn(1, &[7; 32], &root), drawn(1, &JOB, &[4; 32])];
    assert!(others.iter().all(|other| *other != drawn(1, &JOB, &root)));
}

#[test]
fn garbage_root_opens_nothing_and_is_never_passed() {
    let states: Vec<_> = states(&BTreeSet::new()).into_iter().map(Some).collect();
    let garbage = keccak(&[b"no tree has this root"]);
    let word = replay(&JOB, &garbage, &states, &drawn(1, &JOB, &garbage));
    assert_eq!(word.finding, Finding::Withheld);
    assert_eq!(verdict(&[word; 3]), Verdict::Unknown);
}

#[test]
fn hidden_leaf_is_withheld_and_never_passed() {
    let honest = states(&BTreeSet::new());
    let root = root(&leaves(&JOB, &honest));
    let mut given: Vec<_> = honest.into_iter().map(Some).collect();
    let drawn = drawn(1, &JOB, &root);
    given[drawn[4] as usize] = None;
    let word = replay(&JOB, &root, &given, &drawn);
    assert_eq!(word.finding, Finding::Withheld);
    let stamp = Word { finding: Finding::Same, result: [9; 32] };
    for words in [vec![word; 3], vec![word, stamp, stamp], vec![stamp, word, word]] {
        assert_eq!(
            verdict(&words),
            Verdict::Unknown,
            "a rubber stamp does not pay a provider that hides states"
        );
    }
}

/// Another state in the place of the committed one, from which the next follows, so that the replay would fit.
#[test]
fn state_that_was_not_committed_to_does_not_open() {
    let honest = states(&BTreeSet::new());
    let root = root(&leaves(&JOB, &honest));
    let mut given: Vec<_> = honest.into_iter().map(Some).collect();
    given[5] = Some([1; 32]);
    given[6] = Some(step(&[1; 32]));
    assert_eq!(replay(&JOB, &root, &given, &[5]).finding, Finding::Withheld);
}

#[test]
fn result_of_another_job_does_not_pass_for_this_one() {
    let honest = states(&BTreeSet::new());
    let there = leaves(&[8; 32], &honest);
    let given: Vec<_> = honest.into_iter().map(Some).collect();
    // The copied root was right for the other job; here none of its leaves opens.
    let copied = root(&there);
    assert_eq!(replay(&[8; 32], &copied, &given, &[0, 5, 31]).finding, Finding::Same);
    assert_eq!(replay(&JOB, &copied, &given, &[0, 5, 31]).finding, Finding::Withheld);
}

#[test]
fn leaf_of_another_job_or_place_is_another_leaf() {
    let state = [5; 32];
    let here = Leaf::state(3, state).hash(&JOB);
    assert_ne!(here, Leaf::state(3, state).hash(&[8; 32]));
    assert_ne!(here, Leaf::state(4, state).hash(&JOB));
    assert_ne!(here, Leaf::outputs(3, state).hash(&JOB), "outputs are no state");
    let id = |n| JobId::from_bytes([n; 10]);
    let named = |job, spec, bundle: u8| job_hash(&job_terms(job, spec), &[bundle; 32]);
    assert_ne!(named(id(1), "run: a", 1), named(id(2), "run: a", 1), "a job submitted again is another");
    assert_ne!(named(id(1), "run: a", 1), named(id(1), "run: b", 1));
    assert_ne!(
        named(id(1), "run: a", 1),
        named(id(1), "run: a", 2),
        "other work under the same words is another"
    );
}

#[test]
fn commitment_of_another_lease_or_market_is_another_digest() {
    let (domain, lease, root) = ([1; 32], [2; 32], [3; 32]);
    let digest = commitment_digest(&domain, &lease, &root, 33);
    for other in [
        commitment_digest(&[9; 32], &lease, &root, 33),
        commitment_digest(&domain, &[9; 32], &root, 33),
        commitment_digest(&domain, &lease, &[9; 32], 33),
        commitment_digest(&domain, &lease, &root, 34),
    ] {
        assert_ne!(other, digest);
    }
}

/// Before it commits, a validator sees hashes of others. One of them opens in the other's name only.
#[test]
fn copied_finding_does_not_open_in_ones_own_name() {
    let (id, honest, copier) = ([1; 32], [2; 20], [3; 20]);
    let (computed, salt) = ([4; 32], [5; 32]);
    let seen = finding_hash(&id, &honest, 2, &computed, &salt);
    // Once the other has revealed, the copier knows all of it, and has committed long before.
    assert_ne!(finding_hash(&id, &copier, 2, &computed, &salt), seen);
    assert_ne!(finding_hash(&[9; 32], &honest, 2, &computed, &salt), seen, "nor for another proof");
    // Four findings are quickly tried; 32 bytes of salt are not. A result that everybody can compute does not give it away.
    let guesses = (0..4u8).flat_map(|finding| (0..64u8).map(move |n| (finding, [n; 32])));
    let tried: BTreeSet<Hash> = guesses
        .filter(|(_, guess)| *guess != salt)
        .map(|(f, guess)| finding_hash(&id, &honest, f, &computed, &guess))
        .collect();
    assert!(!tried.contains(&seen));
}

/// A copier that guesses "differs" without the work has another result than those that did it, and fails nobody.
#[test]
fn guessed_difference_fails_nobody() {
    let faked = states(&BTreeSet::from([4]));
    let root = root(&leaves(&JOB, &faked));
    let given: Vec<_> = faked.into_iter().map(Some).collect();
    let honest = replay(&JOB, &root, &given, &[0, 4, 31]);
    let guess = Word { finding: Finding::Differs, result: [0; 32] };
    assert_eq!(verdict(&[honest, honest]), Verdict::Failed);
    assert_eq!(verdict(&[honest, guess]), Verdict::Disputed);
}

#[test]
fn rubber_stamp_is_told_from_work_by_a_planted_segment() {
    let mut planted = states(&BTreeSet::new());
    // No state that anybody could find has this digest.
    planted[9] = keccak(&[b"CANARY/1", &[7; 32], &9u64.to_be_bytes()]);
    let root = root(&leaves(&JOB, &planted));
    let given: Vec<_> = planted.iter().map(|state| Some(*state)).collect();
    assert_eq!(replay(&JOB, &root, &given, &[0, 8, 31]).finding, Finding::Differs);
    // Whoever says the same without looking is shown by the leaf, which opens at its place and at no other.
    let (all, count) = (leaves(&JOB, &planted), SEGMENTS + 1);
    assert!(verify(&root, count, 9, &all[9], &proof(&all, 9)));
    assert!(!verify(&root, count, 8, &all[9], &proof(&all, 9)));
}

#[test]
fn colluders_are_alone_on_a_panel_as_rarely_as_the_table_says() {
    let runs = 200_000;
    // Thirty validators of which a third colludes; each is drawn out of those that are left.
    let (of, colluding, stakes) = (30u32, 10u32, [1_000; 30]);
    for wanted in [3u32, 5] {
        let (mut alone, mut most) = (0, 0);
        let mut draw = Draw::new(keccak(&[&wanted.to_be_bytes()]));
        for _ in 0..runs / u64::from(wanted) {
            let bad = draw
                .validators(&stakes, wanted as usize)
                .iter()
                .filter(|at| **at < colluding as usize)
                .count();
            alone += u64::from(bad == wanted as usize);
            most += u64::from(bad > wanted as usize / 2);
        }
        let exact: f64 = (0..wanted).map(|i| f64::from(colluding - i) / f64::from(of - i)).product();
        agrees(alone, runs / u64::from(wanted), exact);
        let corrupt = f64::from(colluding) / f64::from(of);
        assert!(exact <= all_corrupt(corrupt, wanted), "a^m is the most that it can be");
        assert!(majority_corrupt(corrupt, wanted) > 6.0 * all_corrupt(corrupt, wanted));
        assert!(most > 6 * alone, "a majority would be captured far more often");
    }
}

/// Half of all stake in one hand counts for a tenth, and split over many hands for what it is: the draw cannot know that.
#[test]
fn one_hand_is_drawn_no_more_than_its_cap_allows() {
    let mut stakes = vec![100; 20];
    stakes[0] = 2_000;
    let runs = 20_000u64;
    let drawn = (0..runs).filter(|n| panel(*n, &JOB, &[3; 32], &stakes, 1)[0] == 0).count() as u64;
    // A tenth of 3,900 beside 1,900 of the others.
    agrees(drawn, runs, 390.0 / 2_290.0);
}

#[test]
fn nobody_is_drawn_twice_or_judges_itself() {
    // The provider's own weight is nothing, whatever it has staked.
    let stakes = [0, 10, 10, 10];
    for n in 0..500 {
        let panel = panel(n, &JOB, &[3; 32], &stakes, 3);
        assert_eq!(panel.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([1, 2, 3]));
    }
}

#[test]
fn one_honest_validator_is_never_outvoted() {
    let faked = states(&BTreeSet::from([4]));
    let root = root(&leaves(&JOB, &faked));
    let given: Vec<_> = faked.into_iter().map(Some).collect();
    let honest = replay(&JOB, &root, &given, &[0, 4, 31]);
    for colluders in 1..8 {
        let mut words = vec![Word { finding: Finding::Same, result: [9; 32] }; colluders];
        words.push(honest);
        assert_eq!(verdict(&words), Verdict::Disputed, "against {colluders}");
    }
}

/// Whoever keeps the states chooses who can look. Left alone, one that lies reaches neither stake nor price.
#[test]
fn states_kept_from_some_validators_change_nothing_for_the_provider() {
    let word = |finding| Word { finding, result: [1; 32] };
    let (same, differs, withheld) = (word(Finding::Same), word(Finding::Differs), word(Finding::Withheld));
    assert_eq!(
        verdict(&[same, withheld, withheld]),
        Verdict::Unknown,
        "receipts decide, as if none could look"
    );
    assert_eq!(verdict(&[same, same, withheld]), Verdict::Unknown);
    assert_eq!(
        verdict(&[differs, withheld, withheld]),
        Verdict::Disputed,
        "a slanderer left alone fails nobody"
    );
}

fn leaf(n: u32) -> Hash {
    keccak(&[&n.to_be_bytes()])
}

fn node(left: Hash, right: Hash) -> Hash {
    keccak(&[&[1], &left, &right])
}

proptest! {
    #[test]
    fn leaf_opens_at_its_place_and_at_no_other(count in 1u32..70, index in 0u32..70, other in 0u32..80) {
        let index = index % count;
        let all: Vec<_> = (0..count).map(leaf).collect();
        let (root, way) = (root(&all), proof(&all, index as usize));
        prop_assert!(verify(&root, count, index, &all[index as usize], &way));
        prop_assert!(other == index || !verify(&root, count, other, &all[index as usize], &way));
    }

    #[test]
    fn inner_node_does_not_pass_for_a_leaf(count in 2u32..70, depth in 1u32..6) {
        let mut nodes: Vec<_> = (0..count).map(leaf).collect();
        let root_of_leaves = root(&nodes);
        for _ in 0..depth.min(count.ilog2()) {
            nodes = nodes.chunks(2).map(|pair| pair.iter().copied().reduce(node).unwrap()).collect();
        }
        // The nodes of one level, offered as the leaves of a tree that has the same top.
        prop_assert_ne!(root(&nodes), root_of_leaves);
        for (at, forged) in (0..).zip(&nodes) {
            let way = proof(&nodes, at as usize);
            for claimed in [nodes.len() as u32, count] {
                prop_assert!(!verify(&root_of_leaves, claimed, at, forged, &way));
            }
        }
    }

    #[test]
    fn last_leaf_said_twice_is_another_root(count in 1u32..70) {
        // A tree that doubles a node without neighbour cannot tell these two (CVE-2012-2459).
        let mut all: Vec<_> = (0..count).map(leaf).collect();
        let before = root(&all);
        let way = proof(&all, count as usize - 1);
        all.push(all[count as usize - 1]);
        prop_assert_ne!(root(&all), before);
        prop_assert!(!verify(&before, count + 1, count, &leaf(count - 1), &way));
        let mut doubled = way.clone();
        doubled.insert(0, leaf(count - 1));
        prop_assert!(!verify(&before, count + 1, count, &leaf(count - 1), &doubled));
        prop_assert!(!verify(&before, count, count - 1, &leaf(count - 1), &doubled));
    }

    #[test]
    fn number_of_leaves_is_bound(count in 1u32..70, claimed in 1u32..140, index in 0u32..70) {
        prop_assume!(claimed != count);
        let index = index % count;
        let all: Vec<_> = (0..count).map(leaf).collect();
        prop_assert!(!verify(&root(&all), claimed, index, &all[index as usize], &proof(&all, index as usize)));
    }
}

/// Two leaves, hashed as a node, are no leaf; and a tree of them is not the tree of that node.
#[test]
fn tags_keep_leaves_nodes_and_roots_apart() {
    let (left, right) = (leaf(1), leaf(2));
    let node = node(left, right);
    assert_ne!(root(&[left, right]), root(&[node]));
    assert_ne!(root(&[left, right]), node);
    // A leaf's preimage begins otherwise than a node's, and is longer.
    let forged = Leaf { index: 0, state: left, out: right }.hash(&JOB);
    assert_ne!(forged, node);
}

#[test]
fn attacks_in_the_docs_are_tests() {
    let sources = [
        include_str!("attacks.rs"),
        include_str!("economics/consumers.rs"),
        include_str!("economics/grid.rs"),
        include_str!("economics/grinding.rs"),
        include_str!("economics/providers.rs"),
        include_str!("economics/validators.rs"),
    ]
    .concat();
    let rows = include_str!("../../../docs/attacks.md").lines().filter(|line| line.starts_with("| "));
    let mut named = 0;
    for row in rows {
        // The attack, what stops it, tests here, tests of the contracts.
        let tests = row.split('|').nth(3).unwrap().split('`').skip(1).step_by(2);
        for test in tests {
            let name = test.rsplit("::").next().unwrap();
            assert!(sources.contains(&format!("fn {name}(")), "no test is called {name}");
            named += 1;
        }
    }
    assert!(named > 30, "{named}");
}
