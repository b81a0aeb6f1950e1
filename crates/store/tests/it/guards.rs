//! A writer that decided on what is no longer so changes nothing.

use domain::{
    EndReason, ExecutionEvent, ExecutionState, JobEvent, JobState, LeaseEvent, LeaseRecord, LeaseState,
    LossReason, Millis, Outcome, Timestamp,
};
use waag_store::{
    Error, ExecutionChange, ExecutionRow, JobChange, JobRow, LeaseChange, LeaseRow, ObjectKind, Store,
};

use crate::rows::{
    NOW, admit, bytes, execution_row, fund, is_duplicate, job_row, lease_row, object_row, settle, usd,
};

/// A store with a job, its execution and a lease.
async fn seeded() -> (Store, JobRow, ExecutionRow, LeaseRow) {
    let store = Store::memory("test").await.unwrap();
    fund(&store, usd(1000)).await;
    let job = job_row(1);
    let execution = execution_row(1, job.id, 1);
    admit(&store, &job, usd(500), Some(&execution)).await;
    let lease = lease_row(1, job.id, 1);
    let mut tx = store.begin().await.unwrap();
    tx.hold_for_lease(lease.hold, job.hold, lease.id, usd(100)).await.unwrap().unwrap();
    tx.lease_insert(&lease).await.unwrap();
    tx.commit().await.unwrap();
    (store, job, execution, lease)
}

/// A lease goes live at somebody's.
fn live() -> LeaseChange {
    LeaseChange {
        event: Some(LeaseEvent::GoLive),
        assigned: Some(("somebody".parse().unwrap(), None)),
        live_at: Some(NOW),
        ..LeaseChange::default()
    }
}

#[tokio::test]
async fn rows_come_back_as_they_were_written() {
    let (store, job, execution, lease) = seeded().await;
    assert_eq!(store.job_get(job.id).await.unwrap(), Some(job));
    assert_eq!(store.execution_get(execution.id).await.unwrap(), Some(execution));
    assert_eq!(store.lease_get(lease.id).await.unwrap(), Some(lease));
}

#[tokio::test]
async fn job_change_with_a_stale_generation_changes_nothing() {
    let (store, stale, ..) = seeded().await;
    let mut tx = store.begin().await.unwrap();
    let start = JobChange { event: Some(JobEvent::Started), ..JobChange::default() };
    assert!(tx.job_change(&stale, start.clone(), NOW).await.unwrap());
    let fresh = tx.job_get_in_txn(stale.id).await.unwrap().unwrap();
    assert_eq!((fresh.state.clone(), fresh.generation), (JobState::Running, 1));
    for change in
        [start, JobChange { event: Some(JobEvent::End(Outcome::Cancelled)), ..JobChange::default() }]
    {
        assert!(!tx.job_change(&stale, change, NOW).await.unwrap());
    }
    tx.commit().await.unwrap();
    assert_eq!(store.job_get(stale.id).await.unwrap(), Some(fresh));
}

#[tokio::test]
async fn execution_change_with_a_stale_generation_changes_nothing() {
    let (store, _, stale, _) = seeded().await;
    let mut tx = store.begin().await.unwrap();
    let lose = ExecutionChange {
        event: Some(ExecutionEvent::Lose(LossReason::Silent)),
        ..ExecutionChange::default()
    };
    assert!(tx.execution_change(&stale, lose, NOW).await.unwrap());
    let connect = ExecutionChange { event: Some(ExecutionEvent::Connect), ..ExecutionChange::default() };
    assert!(!tx.execution_change(&stale, connect.clone(), NOW).await.unwrap(), "the agent came too late");
    let lost = tx.execution_get_in_txn(stale.id).await.unwrap().unwrap();
    assert_eq!((lost.state, lost.ended_at), (ExecutionState::Lost(LossReason::Silent), Some(NOW)));
    assert!(matches!(tx.execution_change(&lost, connect, NOW).await, Err(Error::Unreadable { .. })));
    assert!(!tx.execution_progress(stale.id, 5).await.unwrap(), "its checkpoint comes too late as well");
    tx.commit().await.unwrap();
    assert_eq!(store.execution_get(stale.id).await.unwrap(), Some(lost));
}

#[tokio::test]
async fn lease_change_with_a_stale_generation_changes_nothing() {
    let (store, _, _, stale) = seeded().await;
    let release = |reason| LeaseChange { event: Some(LeaseEvent::Release(reason)), ..LeaseChange::default() };
    let mut tx = store.begin().await.unwrap();
    assert!(tx.lease_change(&stale, release(EndReason::Lost), NOW).await.unwrap());
    assert!(!tx.lease_change(&stale, live(), NOW).await.unwrap());
    assert!(!tx.lease_settle(stale.id).await.unwrap(), "it has not ended");
    let ending = tx.lease_get_in_txn(stale.id).await.unwrap().unwrap();
    assert_eq!((ending.state, ending.close_at), (LeaseState::Ending(EndReason::Lost), Some(NOW)));
    assert_eq!((ending.provider.clone(), ending.live_at), (None, None));
    settle(&mut tx, &ending, usd(40)).await.unwrap();
    assert!(!tx.lease_settle(stale.id).await.unwrap(), "it is settled once");
    tx.commit().await.unwrap();
    assert_eq!(store.ledger_check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn record_of_a_lease_tells_how_it_ended() {
    let (store, _, execution, lease) = seeded().await;
    let start = Timestamp(0);
    assert_eq!(store.lease_records(start, 10).await.unwrap(), [], "it did not live");
    let mut tx = store.begin().await.unwrap();
    assert!(tx.lease_change(&lease, live(), NOW).await.unwrap());
    tx.commit().await.unwrap();
    let record = LeaseRecord {
        job: lease.job,
        class: lease.class,
        expected: lease.expected,
        network: lease.network.clone(),
        provider: store.lease_get(lease.id).await.unwrap().unwrap().provider,
        interruptible: lease.interruptible,
        live_at: NOW,
        ended_at: None,
        billed: None,
        lost: false,
        refuted: false,
    };
    assert_eq!(store.lease_records(start, 10).await.unwrap(), std::slice::from_ref(&record), "it lives");
    assert_eq!(store.lease_records(start, 0).await.unwrap(), []);
    let lose = ExecutionChange {
        event: Some(ExecutionEvent::Lose(LossReason::Silent)),
        ..ExecutionChange::default()
    };
    let mut tx = store.begin().await.unwrap();
    assert!(tx.execution_change(&execution, lose, NOW).await.unwrap());
    tx.commit().await.unwrap();
    let lost = LeaseRecord { lost: true, ..record };
    assert_eq!(store.lease_records(start, 10).await.unwrap(), [lost]);
    assert_eq!(store.lease_records(NOW + Millis(1), 10).await.unwrap(), [], "it was created before");
}

#[tokio::test]
async fn job_woken_is_not_put_off_by_who_decided_before() {
    let (store, job, ..) = seeded().await;
    let later = JobChange { due_at: Some(NOW + Millis::HOUR), ..JobChange::default() };
    let mut tx = store.begin().await.unwrap();
    tx.job_wake(job.id, NOW).await.unwrap();
    assert!(!tx.job_change(&job, later, NOW).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.job_get(job.id).await.unwrap().unwrap().due_at, NOW);
    assert_eq!(store.job_list_due(NOW, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn progress_only_rises() {
    let (store, job, execution, _) = seeded().await;
    let mut tx = store.begin().await.unwrap();
    for done in [3, 5, 4] {
        assert!(tx.execution_progress(execution.id, done).await.unwrap());
        tx.job_progress(job.id, done).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(store.job_get(job.id).await.unwrap().unwrap().segments_done, 5);
    assert_eq!(store.execution_get(execution.id).await.unwrap().unwrap().to_segment, 5);
}

#[tokio::test]
async fn execution_with_an_open_lease_gets_no_second() {
    let (store, job, execution, first) = seeded().await;
    let second = lease_row(2, job.id, 1);
    let mut tx = store.begin().await.unwrap();
    tx.hold_for_lease(second.hold, job.hold, second.id, usd(100)).await.unwrap().unwrap();
    let refused = tx.lease_insert(&second).await.err().unwrap();
    assert!(is_duplicate(&refused), "{refused:?}");
    drop(tx);

    let mut tx = store.begin().await.unwrap();
    settle(&mut tx, &first, usd(0)).await.unwrap();
    tx.hold_for_lease(second.hold, job.hold, second.id, usd(100)).await.unwrap().unwrap();
    tx.lease_insert(&second).await.unwrap();
    tx.commit().await.unwrap();
    let leases = store.lease_list(job.id).await.unwrap();
    let open: Vec<_> = leases.iter().filter(|lease| lease.state.is_open()).map(|lease| lease.id).collect();
    assert_eq!((leases.len(), open), (2, vec![second.id]));
    assert_eq!(first.execution, execution.id);
}

#[tokio::test]
async fn second_row_where_one_may_be_is_a_duplicate() {
    let (store, job, execution, lease) = seeded().await;
    let mut keyed = JobRow { key: Some("key".to_owned()), ..job_row(2) };
    admit(&store, &keyed, usd(1), None).await;
    assert_eq!(store.job_get_by_key("key").await.unwrap().map(|job| job.id), Some(keyed.id));
    let mut tx = store.begin().await.unwrap();
    (keyed.id, keyed.hold) = (job_row(3).id, job.hold);
    assert!(is_duplicate(&tx.job_insert(&keyed).await.unwrap_err()), "a key");
    let again = ExecutionRow { id: execution_row(9, job.id, 1).id, ..execution.clone() };
    assert!(is_duplicate(&tx.execution_insert(&again).await.unwrap_err()), "an attempt");
    settle(&mut tx, &lease, usd(1)).await.unwrap();
    assert!(tx.hold_close_lease(lease.hold, usd(1), NOW).await.is_err());
    let object = object_row(5, Some(job.id), ObjectKind::Outputs, None);
    tx.object_insert(&object).await.unwrap();
    assert!(is_duplicate(&tx.object_insert(&object).await.unwrap_err()), "an object");
    let missing = tx.job_insert(&JobRow { hold: domain::HoldId::from_bytes(bytes(77)), ..job_row(4) }).await;
    assert!(!is_duplicate(&missing.unwrap_err()), "a job without its hold is another mistake");
}

#[tokio::test]
async fn job_removed_takes_its_rows_and_leaves_the_ledger() {
    let (store, job, execution, lease) = seeded().await;
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.job_remove(job.id).await.unwrap(), "it is open");
    tx.log_append(execution.id, 0, b"log", 100).await.unwrap();
    tx.object_insert(&object_row(5, Some(job.id), ObjectKind::Outputs, None)).await.unwrap();
    settle(&mut tx, &lease, usd(40)).await.unwrap();
    for event in [JobEvent::End(Outcome::Completed), JobEvent::Settle] {
        let row = tx.job_get_in_txn(job.id).await.unwrap().unwrap();
        assert!(
            tx.job_change(&row, JobChange { event: Some(event), ..JobChange::default() }, NOW).await.unwrap()
        );
    }
    assert_eq!(tx.hold_close_job(job.hold, NOW).await.unwrap(), usd(460));
    assert!(tx.job_remove(job.id).await.unwrap());
    assert!(!tx.job_remove(job.id).await.unwrap(), "it is gone");
    tx.commit().await.unwrap();
    assert_eq!(store.job_get(job.id).await.unwrap(), None);
    assert_eq!(store.execution_get(execution.id).await.unwrap(), None);
    assert_eq!(store.lease_get(lease.id).await.unwrap(), None);
    assert!(store.object_list(job.id).await.unwrap().is_empty());
    assert!(store.settlement_list(job.id).await.unwrap().is_empty());
    assert_eq!(store.hold_get(job.hold).await.unwrap().unwrap().posted, usd(40));
    assert_eq!(store.ledger_check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn due_rows_come_by_time_and_are_told_in_advance() {
    let (store, job, ..) = seeded().await;
    let before = Timestamp(job.due_at.0 - 1);
    assert_eq!(store.job_next_due().await.unwrap(), Some(job.due_at));
    assert!(store.job_list_due(before, 10).await.unwrap().is_empty());
    assert_eq!(store.job_list_due(job.due_at, 10).await.unwrap().len(), 1);
    assert_eq!(
        (store.job_next_plan().await.unwrap(), store.execution_next_buy().await.unwrap()),
        (None, None)
    );
    assert_eq!(store.lease_next_due().await.unwrap(), Some(NOW));
}
