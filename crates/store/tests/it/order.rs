//! Order is that of writing, whatever the clock said.

use domain::{JobId, PlacementId, Timestamp};
use waag_store::{LeaseRow, ObjectKind, ObjectRow, Store};

use crate::rows::{NOW, admit, bytes, execution_row, fund, job_row, lease_row, object_row, settle, usd};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn outbox_rows_count_up_without_gaps_in_commit_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "test").await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..60u32 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            tx.outbox_add(NOW, "a", &n.to_string(), "{}").await.unwrap();
            tx.outbox_add(NOW, "b", &n.to_string(), "{}").await.unwrap();
            if n % 3 > 0 {
                tx.commit().await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let mut rows = Vec::new();
    while let page = store.outbox_list(rows.len() as i64, 7).await.unwrap()
        && !page.is_empty()
    {
        assert!(page.len() <= 7);
        rows.extend(page);
    }
    assert_eq!(rows.len(), 80);
    assert!(rows.iter().zip(1..).all(|(row, seq)| row.seq == seq), "no gap");
    for pair in rows.chunks(2) {
        assert_eq!((pair[0].kind.as_str(), pair[1].kind.as_str()), ("a", "b"));
        assert_eq!(pair[0].subject, pair[1].subject, "one transaction's rows stand together");
    }
}

#[tokio::test]
async fn alert_is_raised_once_per_code_and_subject() {
    let store = Store::memory("test").await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(tx.alert_raise(NOW, "code", "a", "first").await.unwrap());
    assert!(!tx.alert_raise(Timestamp(NOW.0 + 1), "code", "a", "second").await.unwrap());
    assert!(tx.alert_raise(Timestamp(NOW.0 + 1), "code", "b", "other").await.unwrap());
    tx.commit().await.unwrap();
    let alerts = store.alert_list(10).await.unwrap();
    let shown: Vec<_> = alerts.iter().map(|alert| (alert.subject.as_str(), alert.text.as_str())).collect();
    assert_eq!(shown, [("b", "other"), ("a", "first")]);
}

/// A clock that stands still, then is set back; ids fall while time goes on.
fn falling() -> impl Iterator<Item = (u64, Timestamp)> {
    (0..6u64).map(|n| (900 - n, Timestamp(NOW.0 - i64::try_from(n / 2).unwrap() * 1000)))
}

async fn with_job() -> (Store, JobId) {
    let store = Store::memory("test").await.unwrap();
    fund(&store, usd(1000)).await;
    let job = job_row(1);
    admit(&store, &job, usd(1000), Some(&execution_row(1, job.id, 1))).await;
    (store, job.id)
}

#[tokio::test]
async fn leases_and_plans_are_listed_as_they_were_written_under_any_clock() {
    let (store, job) = with_job().await;
    let mut tx = store.begin().await.unwrap();
    for (n, at) in falling() {
        let lease = LeaseRow { created_at: at, ..lease_row(n, job, 1) };
        tx.hold_for_lease(lease.hold, job_row(1).hold, lease.id, usd(1)).await.unwrap().unwrap();
        tx.lease_insert(&lease).await.unwrap();
        settle(&mut tx, &lease, usd(0)).await.unwrap();
        tx.placement_insert(PlacementId::from_bytes(bytes(n)), job, at, &n.to_string()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let ids: Vec<_> = store.lease_list(job).await.unwrap().into_iter().map(|lease| lease.id).collect();
    assert_eq!(ids, falling().map(|(n, _)| lease_row(n, job, 1).id).collect::<Vec<_>>());
    let plans = store.placement_list(job).await.unwrap();
    let expected = falling().map(|(n, _)| n.to_string());
    assert_eq!(plans, ["plan".to_owned()].into_iter().chain(expected).collect::<Vec<_>>());
}

#[tokio::test]
async fn newest_checkpoint_is_the_one_stored_last_under_any_clock() {
    let (store, job) = with_job().await;
    let mut tx = store.begin().await.unwrap();
    for (n, at) in falling() {
        let row = object_row(n, Some(job), ObjectKind::Checkpoint, Some(4));
        tx.object_insert(&ObjectRow { created_at: at, ..row }).await.unwrap();
    }
    tx.object_insert(&object_row(5, Some(job), ObjectKind::Checkpoint, Some(3))).await.unwrap();
    tx.commit().await.unwrap();
    let (last, _) = falling().last().unwrap();
    let newest = store.object_checkpoint(job, 4).await.unwrap().unwrap();
    assert_eq!(newest.id, object_row(last, None, ObjectKind::Checkpoint, None).id);
    assert_eq!(store.object_list_checkpoints_before(job, 4).await.unwrap().len(), 1);
    assert_eq!(store.object_checkpoint(job, 5).await.unwrap(), None);
}
