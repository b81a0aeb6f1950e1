//! The state file outlives whoever wrote it, keeps secrets briefly, and stays small.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::{Build, World, label};
use domain::Millis;
use waag_market::sim::{Habits, SimNetwork, StateError, StateFile};
use waag_market::{ErrorKind, Network, Observation};

fn world_in(dir: &Path, build: Build) -> World {
    World::with(build, Habits::default(), StateFile::at(dir.join("sim.state")), 7)
}

#[tokio::test]
async fn a_torn_last_line_is_ignored_and_the_rest_holds() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world_in(dir.path(), SimNetwork::cloud);
    world.submit(&label(1)).await.unwrap();
    let before = world.observe(&label(1)).await;
    let path = dir.path().join("sim.state");
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"lease\":{\"lab").unwrap();
    world.restart();
    assert_eq!(world.observe(&label(1)).await, before);
    world.submit(&label(2)).await.unwrap();
    world.restart();
    assert!(matches!(world.observe(&label(2)).await, Observation::Live { .. }));
    assert_eq!(world.network.purchases(&label(1)).await, 1);
}

#[tokio::test]
async fn a_broken_line_before_the_last_is_an_error_with_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let world = world_in(dir.path(), SimNetwork::cloud);
    fs::write(dir.path().join("sim.state"), "{\"forgotten\":\"0.00\"}\nnonsense\n").unwrap();
    assert!(matches!(world.rebuilt(), Err(StateError::Line { line: 2, .. })));
}

#[tokio::test]
async fn a_crash_at_any_line_of_a_life_keeps_what_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world_in(dir.path(), SimNetwork::cloud);
    world.submit(&label(1)).await.unwrap();
    world.pass(60_000);
    world.network.release(&label(1)).await.unwrap();
    let path = dir.path().join("sim.state");
    let whole = fs::read(&path).unwrap();
    let mut seen = Vec::new();
    let line_ends = whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(n, _)| n + 1);
    for end in [0, 1].into_iter().chain(line_ends.flat_map(|end| [end - 1, end, end + 40])) {
        let end = end.min(whole.len());
        fs::write(&path, &whole[..end]).unwrap();
        // They are written before the purchase and removed after the start.
        fs::write(dir.path().join("sim.boot").join(format!("{}.boot", label(1))), "boot").unwrap();
        world.restart();
        seen.push(match world.observe(&label(1)).await {
            Observation::Absent => 0,
            Observation::Live { .. } => 1,
            Observation::Ended { .. } => 2,
            other => panic!("{other:?}"),
        });
        assert!(world.network.purchases(&label(1)).await <= 1);
    }
    assert!(seen.is_sorted() && seen.first() == Some(&0) && seen.last() == Some(&2), "{seen:?}");
}

#[tokio::test]
async fn the_state_is_for_its_owner_and_boot_bytes_are_kept_only_until_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world_in(dir.path(), SimNetwork::queue);
    world.submit(&label(1)).await.unwrap();
    let boots = dir.path().join("sim.boot");
    let kept = || fs::read_dir(&boots).unwrap().map(|f| f.unwrap().path()).collect::<Vec<_>>();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(kept().len(), 1);
    assert_eq!((mode(&boots), mode(&kept()[0]), mode(&dir.path().join("sim.state"))), (0o700, 0o600, 0o600));
    fs::write(boots.join("waag.stray.boot"), "left by a crash").unwrap();
    world.restart();
    assert_eq!(kept().len(), 1, "what nobody waits for is removed");
    world.pass(1_500);
    assert!(matches!(world.observe(&label(1)).await, Observation::Live { .. }));
    let boot = world.machine.boot_of(&label(1)).unwrap();
    assert_eq!(boot.expose(), format!("boot of {}", label(1)).as_bytes());
    assert_eq!(kept(), Vec::<std::path::PathBuf>::new());
    let journal = fs::read_to_string(dir.path().join("sim.state")).unwrap();
    assert!(!journal.contains("boot of"), "the journal holds no secret");
}

#[tokio::test]
async fn a_request_that_ends_unaccepted_leaves_no_boot_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let world = world_in(dir.path(), SimNetwork::auction);
    world.submit(&label(1)).await.unwrap();
    world.submit(&label(2)).await.unwrap();
    world.network.release(&label(1)).await.unwrap();
    world.pass(3_600_000);
    assert!(matches!(world.observe(&label(2)).await, Observation::Ended { .. }));
    assert_eq!(fs::read_dir(dir.path().join("sim.boot")).unwrap().count(), 0);
}

#[tokio::test]
async fn ended_leases_are_forgotten_after_a_day_and_their_cost_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world_in(dir.path(), SimNetwork::queue);
    world.submit(&label(1)).await.unwrap();
    world.pass(1_500);
    assert!(matches!(world.observe(&label(1)).await, Observation::Live { .. }));
    world.pass(60_000);
    world.network.release(&label(1)).await.unwrap();
    let left = world.network.balance().await.unwrap();
    assert!(left.available < Some(world.config.funds));
    let size = || fs::metadata(dir.path().join("sim.state")).unwrap().len();
    let full = size();
    for (hours, known) in [(23, true), (2, false)] {
        world.pass(Millis::HOUR.times(hours).0);
        world.restart();
        assert_eq!(matches!(world.observe(&label(1)).await, Observation::Ended { .. }), known);
        assert_eq!(world.network.balance().await.unwrap(), left);
    }
    assert!(size() < full / 4, "{} of {full}", size());
}

#[tokio::test]
async fn an_old_offer_cannot_be_taken_and_a_spent_account_buys_nothing() {
    let world = World::new(SimNetwork::cloud, Habits::default());
    let (_, intent) = world.intent(&label(1)).await;
    world.pass(120_001);
    assert_eq!(world.network.submit(&intent).await.unwrap_err().kind, ErrorKind::Refused);
    let mut poor = World::new(SimNetwork::queue, Habits::default());
    poor.config.funds = domain::Usd::from_micros(100);
    poor.restart();
    assert_eq!(poor.submit(&label(1)).await.unwrap_err().kind, ErrorKind::InsufficientFunds);
    assert_eq!(poor.network.purchases(&label(1)).await, 0);
}
