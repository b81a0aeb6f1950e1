//! Many at once: nothing is promised twice, and nobody is sent away while there is room.

use std::sync::Arc;

use domain::{HoldId, LeaseId};
use tokio::task::JoinSet;
use waag_store::{JobRow, Store};

use crate::rows::{ACCOUNT, NOW, admit, bytes, fund, job_row, lease_row, settle, usd};

/// Runs one task per number, all at once, and returns what they returned.
async fn race<F, T>(count: u64, task: impl Fn(u64) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut tasks = JoinSet::new();
    for n in 1..=count {
        tasks.spawn(task(n));
    }
    tasks.join_all().await
}

async fn try_job(store: Store, n: u64, amount: i64) -> bool {
    let job = job_row(n);
    let mut tx = store.begin().await.unwrap();
    let held = tx.hold_for_job(job.hold, ACCOUNT, job.id, usd(amount), NOW).await.unwrap().is_ok();
    if held {
        tx.job_insert(&job).await.unwrap();
        tx.commit().await.unwrap();
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn jobs_racing_for_a_budget_get_all_of_it_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "test").await.unwrap();
    fund(&store, usd(1000)).await;
    let admitted = race(100, |n| try_job(store.clone(), n, 100)).await;
    assert_eq!(admitted.iter().filter(|admitted| **admitted).count(), 10);
    assert_eq!(store.account_get(ACCOUNT).await.unwrap().unwrap().available, usd(0));
    assert_eq!(store.ledger_check().await.unwrap(), Vec::<String>::new());
}

// What is available only falls here, so whoever was refused must not fit at the end either.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn jobs_of_many_sizes_are_refused_only_when_they_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "test").await.unwrap();
    fund(&store, usd(2000)).await;
    let size = |n: u64| 1 + i64::try_from(n * 37 % 101).unwrap();
    let outcomes = race(120, |n| {
        let store = store.clone();
        async move { (size(n), try_job(store, n, size(n)).await) }
    })
    .await;
    let taken: i64 = outcomes.iter().filter(|(_, taken)| *taken).map(|(size, _)| size).sum();
    let available = store.account_get(ACCOUNT).await.unwrap().unwrap().available;
    assert_eq!(available, usd(2000 - taken));
    for (size, taken) in outcomes {
        assert!(taken || usd(size) > available, "{size} was refused although {available} is left");
    }
    assert_eq!(store.ledger_check().await.unwrap(), Vec::<String>::new());
}

/// Borrows 30 of its job's money for a lease and pays 10 of it; tells how often it was refused before.
async fn borrow(store: Store, job: Arc<JobRow>, n: u64) -> u32 {
    let lease = lease_row(n, job.id, n);
    for refusals in 0..TRIES_MAX {
        let mut tx = store.begin().await.unwrap();
        if tx.hold_for_lease(lease.hold, job.hold, lease.id, usd(30)).await.unwrap().is_err() {
            continue;
        }
        tx.lease_insert(&lease).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        settle(&mut tx, &lease, usd(10)).await.unwrap();
        tx.commit().await.unwrap();
        return refusals;
    }
    panic!("lease {n} was refused {TRIES_MAX} times, while others gave back");
}

const TRIES_MAX: u32 = 100_000;

// All but the last 20 of what the job holds is lent and given back until everybody has had a share.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn leases_racing_for_a_job_all_get_their_share_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "test").await.unwrap();
    let job = Arc::new(job_row(1));
    fund(&store, usd(420)).await;
    admit(&store, &job, usd(420), None).await;
    let refusals = race(40, |n| borrow(store.clone(), Arc::clone(&job), n)).await;
    assert!(refusals.iter().any(|refusals| *refusals > 0), "there was not enough for all at once");
    let hold = store.hold_get(job.hold).await.unwrap().unwrap();
    assert_eq!((hold.posted, hold.lent, hold.left()), (usd(400), usd(0), usd(20)));
    assert_eq!(store.ledger_check().await.unwrap(), Vec::<String>::new());
}

// A task may be dropped at any await: in the queue for the write connection, in a statement, before its commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transaction_dropped_at_any_point_leaves_nothing_and_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), "test").await.unwrap();
    fund(&store, usd(100_000)).await;
    let job = Arc::new(job_row(1));
    admit(&store, &job, usd(50_000), None).await;
    let outcomes = race(300, |n| {
        let (store, job) = (store.clone(), Arc::clone(&job));
        async move {
            let work = tokio::spawn(async move {
                let lease = lease_row(n, job.id, n);
                let mut tx = store.begin().await.unwrap();
                tx.hold_for_lease(lease.hold, job.hold, lease.id, usd(10)).await.unwrap().unwrap();
                tx.lease_insert(&lease).await.unwrap();
                tx.outbox_add(NOW, "lease.intended", &lease.id.to_string(), "{}").await.unwrap();
                if n % 5 > 0 {
                    tx.commit().await.unwrap();
                }
            });
            for _ in 0..n % 50 {
                tokio::task::yield_now().await;
            }
            if n % 3 == 0 {
                work.abort();
            }
            work.await.is_ok() && n % 5 > 0
        }
    })
    .await;
    assert_eq!(store.ledger_check().await.unwrap(), Vec::<String>::new());
    let stored = store.outbox_list(0, 1000).await.unwrap();
    let sure = outcomes.iter().filter(|committed| **committed).count();
    assert!(stored.len() >= sure, "what was committed is there");
    let hold = store.hold_get(job.hold).await.unwrap().unwrap();
    assert_eq!(
        hold.lent,
        usd(10 * i64::try_from(stored.len()).unwrap()),
        "each change with its outbox row, or neither"
    );
    for n in 1..=300u64 {
        let lease = store.lease_get(LeaseId::from_bytes(bytes(n))).await.unwrap();
        let hold = store.hold_get(HoldId::from_bytes(bytes(1_000_000 + n))).await.unwrap();
        assert_eq!(lease.is_some(), hold.is_some());
        assert!(n % 5 > 0 || lease.is_none(), "what was not committed is not there");
    }
}
