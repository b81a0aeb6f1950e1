//! What the audit log rests on: its files, and how far it was published.

use domain::JobId;
use waag_store::{AuditFiles, Published, Store};

fn head(size: u64) -> Published {
    Published {
        origin: "waag.local/a".to_owned(),
        size,
        root: [u8::try_from(size).unwrap(); 32],
        checkpoint: format!("head {size}"),
    }
}

#[tokio::test]
async fn the_published_head_moves_only_from_where_it_was_and_never_back() {
    let store = Store::memory("a").await.unwrap();
    assert_eq!(store.published_get("waag.local/a").await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.published_set(&head(3), Some(0)).await.unwrap(), "nothing is noted yet");
    assert!(tx.published_set(&head(3), None).await.unwrap());
    assert!(!tx.published_set(&head(4), None).await.unwrap(), "something is noted");
    assert!(!tx.published_set(&head(5), Some(4)).await.unwrap(), "another was faster");
    assert!(!tx.published_set(&head(2), Some(3)).await.unwrap(), "back");
    assert!(tx.published_set(&head(7), Some(3)).await.unwrap());
    assert_eq!(tx.published_get_in_txn("waag.local/a").await.unwrap(), Some(head(7)));
    tx.commit().await.unwrap();
    assert_eq!(store.published_get("waag.local/a").await.unwrap(), Some(head(7)));
    assert_eq!(store.published_get("waag.local/b").await.unwrap(), None, "another log");
}

#[tokio::test]
async fn a_secret_is_kept_once() {
    let store = Store::memory("a").await.unwrap();
    let job = JobId::from_bytes([1; 10]);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.secret_get(job).await.unwrap(), None);
    tx.secret_insert(job, &[5; 32]).await.unwrap();
    assert_eq!(tx.secret_get(job).await.unwrap(), Some([5; 32]));
    assert!(tx.secret_insert(job, &[6; 32]).await.is_err());
}

#[test]
fn files_are_there_whole_and_gone_with_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit");
    for files in [AuditFiles::in_folder(&log), AuditFiles::default()] {
        assert_eq!(files.read("checkpoint").unwrap(), None);
        let two = [("tile/0/000.p/2".to_owned(), &b"ab"[..]), ("checkpoint".to_owned(), b"x")];
        files.write(two).unwrap();
        files.write([("tile/0/000".to_owned(), &b"abc"[..]), ("checkpoint".to_owned(), b"y")]).unwrap();
        assert_eq!(files.read("tile/0/000.p/2").unwrap().as_deref(), Some(&b"ab"[..]));
        assert_eq!(files.read("checkpoint").unwrap().as_deref(), Some(&b"y"[..]));
        files.remove_folder("tile/0/000.p");
        assert_eq!(files.read("tile/0/000.p/2").unwrap(), None);
        assert_eq!(files.read("tile/0/000").unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(files.read("tile/0/000/1").unwrap(), None, "a file is no folder");
    }
    let names: Vec<_> = std::fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing half-written stays: {names:?}");
}
