//! The simulation must find bugs of a kind that it is there to find: two are planted, one at a time.

use waag_engine::Planted;

use crate::play;

/// A planted bug is found in one of so many worlds.
const WORLDS: u64 = 16;

fn must_be_found(bug: Planted, as_what: &str) {
    let mut found = Vec::new();
    for seed in 1..=WORLDS {
        match play(seed, Some(bug), false) {
            Err(wrong) if wrong.contains(as_what) => return,
            other => found.push(other.err()),
        }
    }
    panic!("{bug:?} is not found as `{as_what}`: {found:#?}");
}

#[test]
fn a_ledger_that_posts_before_its_escrow_has_moved_is_found() {
    must_be_found(Planted::PostBeforeEscrow, "but its escrow is");
}

#[test]
fn money_for_a_root_that_nobody_knows_is_found() {
    must_be_found(Planted::SettleAnyRoot, "was paid for a root that its agent never told us");
}
