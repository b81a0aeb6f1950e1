//! The bytes of objects: whole or not there.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use domain::ObjectId;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use waag_store::{ObjectKind, ReceiveError, Store};

use crate::rows::{NOW, admit, bytes, fund, job_row, object_row, usd};

fn object(n: u64) -> ObjectId {
    ObjectId::from_bytes(bytes(n))
}

fn parts(parts: &[&[u8]]) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + use<> {
    stream::iter(parts.iter().map(|part| Ok(Bytes::copy_from_slice(part))).collect::<Vec<_>>())
}

/// Every file under the folder of objects.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for shelf in std::fs::read_dir(folder.join("objects")).unwrap() {
        for file in std::fs::read_dir(shelf.unwrap().path()).unwrap() {
            found.push(file.unwrap().file_name().into_string().unwrap());
        }
    }
    found.sort();
    found
}

async fn opened(folder: &Path) -> Store {
    Store::open(folder, "test").await.unwrap()
}

#[tokio::test]
async fn upload_that_breaks_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    for whole_parts in [0, 1, 5] {
        let part = Bytes::from(vec![7; 700_000]);
        let broken = stream::iter(std::iter::repeat_n(part, whole_parts).map(Ok))
            .chain(stream::iter([Err(io::Error::from(io::ErrorKind::ConnectionReset))]));
        let refused = store.objects().receive(object(1), broken, u64::MAX, |_| {}).await;
        assert!(matches!(refused, Err(ReceiveError::Sender(_))), "{refused:?}");
        assert_eq!(files(folder.path()), Vec::<String>::new());
        assert!(store.objects().get(object(1)).await.is_err());
    }
}

#[tokio::test]
async fn upload_larger_than_allowed_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let received = store.objects().receive(object(1), parts(&[b"abc", b"defg"]), 7, |_| {}).await.unwrap();
    assert_eq!(received.bytes, 7);
    for too_much in [parts(&[b"abc", b"defgh"]), parts(&[b"abcdefgh"]), parts(&[b"abcdefg", b"h"])] {
        let refused = store.objects().receive(object(2), too_much, 7, |_| {}).await;
        assert!(matches!(refused, Err(ReceiveError::TooLarge { max: 7 })), "{refused:?}");
    }
    assert_eq!(files(folder.path()), [object(1).to_string()]);
}

// A connection that is cut drops the request's future at an await, without an error that anybody could handle.
#[tokio::test]
async fn upload_whose_request_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let endless = stream::iter(0..3)
        .map(|_| Ok::<_, io::Error>(Bytes::from(vec![1; 900_000])))
        .chain(stream::pending());
    let mut seen = 0usize;
    {
        let mut upload =
            std::pin::pin!(store.objects().receive(object(1), endless, u64::MAX, |part| seen += part.len()));
        while files(folder.path()).is_empty() {
            assert!(futures::poll!(&mut upload).is_pending());
            tokio::task::yield_now().await;
        }
    }
    // The file is removed on a thread of its own.
    let gone = tokio::time::timeout(Duration::from_secs(10), async {
        while !files(folder.path()).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    gone.await.unwrap();
}

#[tokio::test]
async fn uploads_at_once_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let content = |n: u64| vec![u8::try_from(n).unwrap(); 1_500_000 + usize::try_from(n).unwrap()];
    let uploads = (1..=6u64).map(|n| {
        let store = store.clone();
        async move {
            let whole = content(n);
            let pieces: Vec<_> = whole.chunks(100_000).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
            let mut seen = Vec::new();
            let received = store
                .objects()
                .receive(
                    object(n),
                    stream::iter(pieces.into_iter().map(|p: Result<_, io::Error>| p)),
                    u64::MAX,
                    |part| {
                        seen.extend_from_slice(part);
                    },
                )
                .await
                .unwrap();
            assert_eq!(received.bytes, whole.len() as u64);
            assert!(seen == whole, "every byte is shown once, in order");
        }
    });
    futures::future::join_all(uploads).await;
    for n in 1..=6 {
        assert!(store.objects().get(object(n)).await.unwrap() == content(n));
        let streamed: Vec<Bytes> =
            store.objects().stream(object(n)).await.unwrap().try_collect().await.unwrap();
        assert!(streamed.concat() == content(n));
    }
    assert_eq!(files(folder.path()).len(), 6, "each has a name of its own");
}

#[tokio::test]
async fn object_removed_twice_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    store.objects().put(object(1), b"abc".to_vec()).await.unwrap();
    for _ in 0..2 {
        store.objects().remove(object(1)).await.unwrap();
    }
    assert!(store.objects().get(object(1)).await.is_err());
    assert!(store.objects().stream(object(1)).await.is_err());
}

#[tokio::test]
async fn start_removes_what_a_dead_process_left_and_keeps_what_rows_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    for n in [1, 2] {
        store.objects().put(object(n), b"abc".to_vec()).await.unwrap();
    }
    let mut tx = store.begin().await.unwrap();
    tx.object_insert(&object_row(1, None, ObjectKind::Inputs, None)).await.unwrap();
    tx.commit().await.unwrap();
    let half = folder.path().join("objects/00").join(format!("{}#1", object(3)));
    std::fs::write(&half, b"half of an upload").unwrap();
    assert_eq!(files(folder.path()).len(), 3);
    drop(store);
    let store = opened(folder.path()).await;
    assert_eq!(files(folder.path()), [object(1).to_string()]);
    assert_eq!(store.objects().get(object(1)).await.unwrap(), b"abc");
}

#[tokio::test]
async fn inputs_go_to_one_job_only() {
    let store = Store::memory("test").await.unwrap();
    fund(&store, usd(10)).await;
    for n in [1, 2] {
        admit(&store, &job_row(n), usd(1), None).await;
    }
    let mut tx = store.begin().await.unwrap();
    tx.object_insert(&object_row(1, None, ObjectKind::Inputs, None)).await.unwrap();
    tx.object_insert(&object_row(2, None, ObjectKind::Outputs, None)).await.unwrap();
    assert!(tx.object_claim(object(1), job_row(1).id).await.unwrap());
    assert!(!tx.object_claim(object(1), job_row(2).id).await.unwrap(), "it is taken");
    assert!(!tx.object_claim(object(2), job_row(2).id).await.unwrap(), "it is no input");
    assert!(!tx.object_claim(object(3), job_row(2).id).await.unwrap(), "it is not there");
    tx.commit().await.unwrap();
    assert_eq!(store.object_get(object(1)).await.unwrap().unwrap().job, Some(job_row(1).id));
    let later = domain::Timestamp(NOW.0 + 1);
    let unnamed: Vec<_> =
        store.object_list_unnamed(later, 10).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(unnamed, [object(2)]);
    assert!(store.object_list_unnamed(NOW, 10).await.unwrap().is_empty(), "it is not old enough");
}
