//! One control plane per data folder.

use std::error::Error as _;
use std::os::unix::fs::PermissionsExt;

use waag_store::{Error, Store};

use crate::rows::{ACCOUNT, NOW, fund, raw, usd};

#[tokio::test]
async fn folder_in_use_is_refused_until_its_owner_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = Store::open(folder.path(), "first").await.unwrap();
    let clone = first.clone();
    let refused = Store::open(folder.path(), "second").await.err().unwrap();
    let text = refused.to_string();
    assert!(matches!(refused, Error::InUse { .. }));
    assert!(text.contains(&folder.path().display().to_string()), "{text}");
    assert!(
        text.ends_with("is in use by another control plane: stop it, or choose another folder"),
        "{text}"
    );

    drop(first);
    assert!(matches!(Store::open(folder.path(), "second").await, Err(Error::InUse { .. })), "a clone lives");
    fund(&clone, usd(5)).await;
    drop(clone);
    let second = Store::open(folder.path(), "second").await.unwrap();
    assert_eq!((second.owner().id.as_str(), second.owner().epoch), ("second", 2));
    assert_eq!(second.account_get(ACCOUNT).await.unwrap().unwrap().funded, usd(5));
}

#[tokio::test]
async fn folder_is_readable_by_its_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/b");
    drop(Store::open(&folder, "test").await.unwrap());
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn epoch_taken_over_fences_the_owner_before() {
    let store = Store::memory("first").await.unwrap();
    fund(&store, usd(10)).await;
    let second = store.take_over("second").await.unwrap();
    let refused = store.begin().await.err().unwrap();
    assert!(matches!(refused, Error::Fenced));
    assert!(refused.source().is_none());
    fund(&second, usd(1)).await;

    // The same name in a later epoch is another owner: a control plane that was restarted is fenced by its successor.
    let third = store.take_over("second").await.unwrap();
    assert_eq!(third.owner().epoch, second.owner().epoch + 1);
    assert!(matches!(second.begin().await, Err(Error::Fenced)));
    fund(&third, usd(1)).await;
    assert_eq!(third.account_get(ACCOUNT).await.unwrap().unwrap().funded, usd(12));
}

// A file lock says nothing on some shared file systems; then only the row in the database fences.
#[tokio::test]
async fn owner_whose_row_another_process_took_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "first").await.unwrap();
    fund(&store, usd(10)).await;
    raw(folder.path(), "UPDATE ownership SET owner = 'other', epoch = epoch + 1").await;
    assert!(matches!(store.begin().await, Err(Error::Fenced)));
    assert_eq!(store.account_get(ACCOUNT).await.unwrap().unwrap().funded, usd(10));
}

#[tokio::test]
async fn take_over_waits_for_the_transaction_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "first").await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.account_fund(ACCOUNT, usd(3), NOW).await.unwrap();
    let mut successor = std::pin::pin!(store.take_over("second"));
    for _ in 0..50 {
        assert!(futures::poll!(&mut successor).is_pending());
        tokio::task::yield_now().await;
    }
    tx.commit().await.unwrap();
    let successor = successor.await.unwrap();
    assert!(matches!(store.begin().await, Err(Error::Fenced)));
    assert_eq!(successor.account_get(ACCOUNT).await.unwrap().unwrap().funded, usd(3));
}

#[tokio::test]
async fn schema_of_another_version_is_refused_with_advice() {
    for (change, found) in [
        ("UPDATE meta SET value = '1' WHERE name = 'schema'", "1"),
        ("UPDATE meta SET value = '2.1' WHERE name = 'schema'", "2.1"),
        ("DELETE FROM meta", "none"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path(), "first").await.unwrap());
        raw(folder.path(), change).await;
        let refused = Store::open(folder.path(), "second").await.err().unwrap().to_string();
        let advice = "this program needs 5: use the program that wrote it";
        assert_eq!(refused, format!("the data folder has schema version {found}, {advice}"));
    }
}

#[tokio::test]
async fn database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waag.db");
    std::fs::write(&file, "not a database, though it is long enough to be taken for one".repeat(20)).unwrap();
    let before = std::fs::read(&file).unwrap();
    let refused = Store::open(folder.path(), "test").await.err().unwrap();
    assert!(matches!(refused, Error::Database { .. }), "{refused:?}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
