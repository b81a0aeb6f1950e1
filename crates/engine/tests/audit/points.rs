//! Publishing dies at every point, is started again, and leaves neither gap nor double; two that publish do not disturb
//! each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use domain::{Interrupted, NoProbe, Probe};
use store::AuditFiles;
use waag_engine::{Error, POINTS};

use crate::stand::{DiesAt, NOW, Plane};

fn points() -> impl Iterator<Item = &'static str> {
    POINTS.iter().copied().filter(|point| point.starts_with("audit."))
}

#[tokio::test]
async fn a_stop_at_any_point_leaves_neither_gap_nor_double() {
    assert_eq!(points().count(), 4);
    for point in points() {
        // Within a tile, over a full one, and over several batches.
        for (before, more) in [(0, 3), (250, 10), (300, 2_500)] {
            let folder = tempfile::tempdir().unwrap();
            let first = Plane::open(folder.path()).await;
            first.happen(before).await;
            first.publish().await;
            first.close().await;
            let dies = Arc::new(DiesAt(point, AtomicBool::new(false)));
            let dying = Plane::open_with(folder.path(), dies, None).await;
            dying.happen(more).await;
            let died = dying.engine.audit_publish().await.unwrap_err();
            assert!(matches!(died, Error::Interrupted(_)), "{point}: {died:?}");
            dying.close().await;
            let again = Plane::open(folder.path()).await;
            assert_eq!(again.publish().await, u64::from(before + more), "{point}");
            assert_eq!(again.verified().size, u64::from(before + more), "{point}");
            again.happen(1).await;
            assert_eq!(again.publish().await, u64::from(before + more) + 1, "{point}");
            again.verified();
            assert!(again.store.alert_list(9).await.unwrap().is_empty(), "{point}");
        }
    }
}

#[tokio::test]
async fn a_control_plane_that_was_replaced_puts_no_head_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let old = Plane::open(folder.path()).await;
    old.happen(5).await;
    let store = old.store.take_over("two").await.unwrap();
    let new = Plane::on(store, folder.path(), Arc::new(NoProbe), None);
    let fenced = old.engine.audit_publish().await.unwrap_err();
    assert!(matches!(fenced, Error::Store(store::Error::Fenced)), "{fenced:?}");
    assert_eq!(old.store.audit().read("checkpoint").unwrap(), None);
    assert_eq!(new.publish().await, 5);
    new.happen(2).await;
    // What it had seen is old now; it must not go back to it.
    assert!(old.engine.audit_publish().await.is_err());
    assert_eq!(new.publish().await, 7);
    assert_eq!(new.verified().size, 7);
}

#[tokio::test]
async fn two_that_publish_at_once_publish_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let one = Plane::open(folder.path()).await;
    let two = Plane::on(one.store.clone(), folder.path(), Arc::new(NoProbe), None);
    for round in 1..=20u64 {
        one.happen(37).await;
        let (a, b) = tokio::join!(one.engine.audit_publish(), two.engine.audit_publish());
        assert_eq!((a.unwrap(), b.unwrap()), (round * 37, round * 37));
        assert_eq!(one.verified().size, round * 37);
    }
}

/// Lets another publish more while one stands at a point.
struct Overtaken(&'static str, Plane, AtomicBool);

impl Probe for Overtaken {
    fn reached(&self, point: &'static str) -> Result<(), Interrupted> {
        if point == self.0 && !self.2.swap(true, SeqCst) {
            let runtime = tokio::runtime::Handle::current();
            let more = async {
                self.1.happen(3).await;
                assert_eq!(self.1.publish().await, 8);
            };
            std::thread::scope(|scope| scope.spawn(|| runtime.block_on(more)).join().unwrap());
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_never_takes_the_place_of_a_newer_one() {
    for point in points() {
        let folder = tempfile::tempdir().unwrap();
        let other = Plane::open(folder.path()).await;
        let store = other.store.clone();
        let overtaken = Overtaken(point, other, AtomicBool::new(false));
        let one = Plane::on(store, folder.path(), Arc::new(overtaken), None);
        one.happen(5).await;
        assert_eq!(one.publish().await, 8, "{point}");
        assert_eq!(one.verified().size, 8, "{point}");
    }
}

#[tokio::test]
async fn what_does_not_fit_into_an_entry_stands_there_by_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::open(folder.path()).await;
    let mut tx = plane.store.begin().await.unwrap();
    for bytes in [65_000, 65_300, 65_536, 200_000] {
        let body = format!("{{\"text\":\"{}\"}}", "x".repeat(bytes));
        tx.outbox_add(NOW, "test.long", "j_1", &body).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(plane.publish().await, 4);
    assert_eq!(plane.verified().size, 4);
}

#[tokio::test]
async fn partial_tiles_go_when_they_are_full_and_keys_lie_beside_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::open(folder.path()).await;
    for count in [10, 200, 100] {
        plane.happen(count).await;
        plane.publish().await;
    }
    let log = folder.path().join("audit");
    let there = |path: &str| log.join(path).exists();
    assert!(there("tile/0/000") && there("tile/entries/000") && there("tile/1/000.p/1"));
    assert!(!there("tile/0/000.p") && !there("tile/entries/000.p"));
    let key = std::fs::read_to_string(log.join("audit.vkey")).unwrap();
    assert_eq!(key.trim(), plane.engine.audit_key().unwrap());
    let files: &AuditFiles = plane.store.audit();
    assert_eq!(files.read("receipts.pub").unwrap().map(|text| text.len()), Some(65));
    plane.verified();
}
