//! Copies that are older than what was published are told from a stop in between, and nothing is signed on them.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use domain::{Millis, NoProbe};
use evidence::log::{CHECKPOINT, log_id};

use crate::stand::{Anchors, NOW, Plane, copy, restore};

/// A folder with 20 published records, a copy of it, and 10 more.
async fn grown() -> (tempfile::TempDir, tempfile::TempDir) {
    let (folder, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let plane = Plane::open(folder.path()).await;
    plane.happen(20).await;
    assert_eq!(plane.publish().await, 20);
    plane.close().await;
    copy(folder.path(), old.path());
    let plane = Plane::open(folder.path()).await;
    plane.happen(10).await;
    assert_eq!(plane.publish().await, 30);
    plane.close().await;
    (folder, old)
}

fn head(folder: &tempfile::TempDir) -> Vec<u8> {
    std::fs::read(folder.path().join("audit").join(CHECKPOINT)).unwrap()
}

/// What the product does on a folder that it refuses: an alert, and nothing else.
async fn alerted(plane: &Plane) {
    let due = plane.step().tick(NOW).await.unwrap();
    assert!(due.is_some_and(|due| due > NOW), "it looks again");
    let alerts = plane.store.alert_list(9).await.unwrap();
    assert_eq!(alerts.iter().map(|alert| alert.code.as_str()).collect::<Vec<_>>(), ["audit_behind"]);
    assert!(alerts[0].text.contains("is not continued"), "{}", alerts[0].text);
}

#[tokio::test]
async fn a_restored_old_database_is_refused_whatever_it_does_next() {
    let (folder, old) = grown().await;
    let published = head(&folder);
    for name in ["waag.db", "waag.db-wal", "waag.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    restore(&old.path().join("waag.db"), &folder.path().join("waag.db"));
    let plane = Plane::open(folder.path()).await;
    let refused = plane.refused().await;
    assert!(refused.contains("30 records were published, and the database has 20"), "{refused}");
    // It goes on and writes other rows than were published; fewer, as many, and more.
    for more in [5, 5, 5] {
        let mut tx = plane.store.begin().await.unwrap();
        for n in 0..more {
            tx.outbox_add(NOW, "test.other", "j_2", &format!("{{\"n\":{n}}}")).await.unwrap();
        }
        tx.commit().await.unwrap();
        let refused = plane.refused().await;
        assert!(refused.contains("record 20 that was published is not what the database has"), "{refused}");
    }
    alerted(&plane).await;
    assert_eq!(head(&folder), published, "nothing was signed");
    plane.close().await;
    // What the message says: the old log and its key are kept elsewhere, and a log of another name begins.
    std::fs::rename(folder.path().join("audit"), folder.path().join("audit-old")).unwrap();
    std::fs::rename(folder.path().join("keys/audit.key"), folder.path().join("audit-old.key")).unwrap();
    let plane = Plane::open(folder.path()).await;
    assert_eq!(plane.publish().await, 35);
    assert_ne!(head(&folder).split(|b| *b == b'\n').next(), published.split(|b| *b == b'\n').next());
    plane.verified();
}

#[tokio::test]
async fn an_old_folder_is_refused_and_written_anew_once_it_is_moved_away() {
    let (folder, old) = grown().await;
    let published = head(&folder);
    restore(&old.path().join("audit"), &folder.path().join("audit"));
    let plane = Plane::open(folder.path()).await;
    let refused = plane.refused().await;
    assert!(refused.contains("its folder has 20 records, and 30 were published"), "{refused}");
    plane.happen(3).await;
    alerted(&plane).await;
    assert_eq!(head(&folder), head(&old), "nothing was signed");
    plane.close().await;
    std::fs::rename(folder.path().join("audit"), folder.path().join("audit-old")).unwrap();
    let plane = Plane::open(folder.path()).await;
    // First exactly what was published, then the rest.
    plane.step().tick(NOW).await.unwrap();
    assert_eq!(head(&folder), published);
    assert_eq!(plane.publish().await, 33);
    plane.verified();
}

#[tokio::test]
async fn a_folder_that_was_tampered_with_is_refused() {
    for (path, at) in [(CHECKPOINT, 30), ("tile/0/000.p/30", 5), ("tile/entries/000.p/30", 9)] {
        let (folder, _) = grown().await;
        let file = folder.path().join("audit").join(path);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let plane = Plane::open(folder.path()).await;
        let refused = plane.refused().await;
        assert!(refused.contains("its folder is damaged"), "{path}: {refused}");
        alerted(&plane).await;
    }
    let (folder, _) = grown().await;
    std::fs::remove_file(folder.path().join("audit/tile/0/000.p/30")).unwrap();
    let refused = Plane::open(folder.path()).await.refused().await;
    assert!(refused.contains("tile/0/000.p/30 is missing"), "{refused}");
}

#[tokio::test]
async fn a_lost_folder_is_not_written_anew_from_other_records() {
    let (folder, _) = grown().await;
    std::fs::remove_dir_all(folder.path().join("audit")).unwrap();
    let plane = Plane::open(folder.path()).await;
    let origin = plane.engine.audit_key().unwrap().split('+').next().unwrap().to_owned();
    let noted = plane.store.published_get(&origin).await.unwrap().unwrap();
    // The rows are now others than those that were published.
    let mut tx = plane.store.begin().await.unwrap();
    assert!(tx.published_set(&store::Published { root: [1; 32], ..noted }, Some(30)).await.unwrap());
    tx.commit().await.unwrap();
    let refused = plane.refused().await;
    assert!(refused.contains("the database makes other records than were published"), "{refused}");
    assert!(!folder.path().join("audit").join(CHECKPOINT).exists(), "nothing was signed");
}

#[tokio::test]
async fn a_lost_folder_beside_an_old_database_is_what_only_a_notary_can_tell() {
    let (folder, old) = grown().await;
    for name in ["waag.db", "waag.db-wal", "waag.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    restore(&old.path().join("waag.db"), &folder.path().join("waag.db"));
    std::fs::remove_dir_all(folder.path().join("audit")).unwrap();
    // Folder lost and database old: the log of 20 records is put back as it was signed, and goes on from there. Only a
    // notary could tell.
    let plane = Plane::open(folder.path()).await;
    assert_eq!(plane.publish().await, 20);
    assert_eq!(head(&folder), head(&old));
}

#[tokio::test]
async fn a_notary_tells_when_everything_was_restored() {
    let notary = Arc::new(Anchors::default());
    let (folder, old) = grown().await;
    let with = |folder: std::path::PathBuf| {
        let notary = Arc::clone(&notary);
        async move { Plane::open_with(&folder, Arc::new(NoProbe), Some(notary)).await }
    };
    let plane = with(folder.path().to_owned()).await;
    plane.step().tick(NOW).await.unwrap();
    let log = log_id(plane.verified().origin.as_str());
    assert_eq!(notary.kept.lock().unwrap()[&log].size, 30);
    plane.close().await;
    let plane = with(old.path().to_owned()).await;
    let refused = plane.refused().await;
    assert!(refused.contains("20 records are here, and the notary has 30 on record"), "{refused}");
    plane.happen(10).await;
    alerted(&plane).await;
    plane.close().await;
    // As long as it was, and otherwise: rows and folder agree, the notary does not.
    std::fs::remove_dir_all(old.path().join("audit")).unwrap();
    let other = Plane::open(old.path()).await;
    assert_eq!(other.publish().await, 30);
    other.happen(4).await;
    other.close().await;
    notary.kept.lock().unwrap().get_mut(&log).unwrap().root = [1; 32];
    let refused = with(old.path().to_owned()).await.refused().await;
    assert!(
        refused.contains("the first 30 records are not those that the notary has on record"),
        "{refused}"
    );
}

#[tokio::test]
async fn anchors_come_at_their_pace_and_a_lost_reply_does_no_harm() {
    let (folder, notary) = (tempfile::tempdir().unwrap(), Arc::new(Anchors::default()));
    let plane = Plane::open_with(folder.path(), Arc::new(NoProbe), Some(Arc::clone(&notary))).await;
    let step = plane.step();
    let mut now = NOW;
    plane.happen(1).await;
    // It publishes, then finds nothing more and anchors.
    step.tick(now).await.unwrap();
    notary.out.store(true, SeqCst);
    step.tick(now).await.unwrap();
    assert_eq!(*notary.calls.lock().unwrap(), 1, "it was told, and the reply lost");
    for _ in 0..59 {
        now = now + Millis::from_secs(1);
        plane.happen(1).await;
        step.tick(now).await.unwrap();
        step.tick(now).await.unwrap();
    }
    assert_eq!(*notary.calls.lock().unwrap(), 1, "a minute has not passed");
    notary.out.store(false, SeqCst);
    now = now + Millis::from_secs(1);
    step.tick(now).await.unwrap();
    assert_eq!(*notary.calls.lock().unwrap(), 2);
    let log = log_id(plane.verified().origin.as_str());
    assert_eq!(notary.kept.lock().unwrap()[&log].size, 60);
    now = now + Millis::from_secs(600);
    step.tick(now).await.unwrap();
    assert_eq!(*notary.calls.lock().unwrap(), 2, "nothing new");
    // Without the notary's word nothing is published by a control plane that has just started.
    drop(step);
    plane.close().await;
    notary.out.store(true, SeqCst);
    let plane = Plane::open_with(folder.path(), Arc::new(NoProbe), Some(Arc::clone(&notary))).await;
    plane.happen(1).await;
    assert!(plane.step().tick(now).await.unwrap().is_some_and(|due| due > now));
    assert_eq!(plane.verified().size, 60);
    notary.out.store(false, SeqCst);
    assert_eq!(plane.publish().await, 61);
}
