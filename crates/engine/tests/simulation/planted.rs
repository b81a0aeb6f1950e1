//! The simulation must find bugs of a kind that it is there to find: three are planted, one at a time.

use waag_engine::Planted;

use crate::play;

/// A planted bug is found in one of so many worlds.
const WORLDS: u64 = 8;

/// The first violation that the bug causes.
fn found(bug: Planted) -> String {
    (1..=WORLDS)
        .find_map(|seed| play(seed, Some(bug), false).err())
        .unwrap_or_else(|| panic!("{bug:?} was not found in {WORLDS} worlds"))
}

#[test]
fn a_purchase_before_its_hold_is_found() {
    let wrong = found(Planted::BuyBeforeHold);
    assert!(wrong.contains("was bought before its hold and intent were stored"), "{wrong}");
}

#[test]
fn a_row_dropped_on_a_timeout_is_found() {
    let wrong = found(Planted::DropRowOnTimeout);
    assert!(wrong.contains("of which nothing is recorded"), "{wrong}");
}

#[test]
fn a_release_without_confirmation_is_found() {
    let wrong = found(Planted::ReleaseWithoutConfirmation);
    assert!(wrong.contains("is recorded as ended, but its network still has it"), "{wrong}");
}
