//! The simulation must find bugs of a kind that it is there to find: three are planted, one at a time.

use waag_engine::Planted;

use crate::play;

/// A planted bug is found in one of so many worlds, mostly in one of the first.
const WORLDS: u64 = 40;

fn must_be_found(bug: Planted, as_what: &str) {
    let mut found = Vec::new();
    for wrong in (1..=WORLDS).filter_map(|seed| play(seed, Some(bug), false).err()) {
        if wrong.contains(as_what) {
            return;
        }
        found.push(wrong);
    }
    panic!("{bug:?} is not found as `{as_what}`: {found:#?}");
}

#[test]
fn a_purchase_before_its_hold_is_found() {
    must_be_found(Planted::BuyBeforeHold, "was bought before its hold and intent were stored");
}

#[test]
fn a_row_dropped_on_a_timeout_is_found() {
    must_be_found(Planted::DropRowOnTimeout, "of which nothing is recorded");
}

#[test]
fn a_release_without_confirmation_is_found() {
    must_be_found(Planted::ReleaseWithoutConfirmation, "is recorded as ended, but its network still has it");
}
