//! Rows with the least that the schema asks for.

use domain::{
    AccountId, EndReason, ExecutionId, ExecutionState, HoldId, JobId, JobState, LeaseEvent, LeaseId,
    LeaseState, Millis, ObjectId, PlacementId, Timestamp, Usd,
};
use waag_store::{
    ExecutionRow, JobRow, LeaseChange, LeaseRow, ObjectKind, ObjectRow, SettlementRow, Store, Tx,
};

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
pub(crate) const ACCOUNT: AccountId = AccountId::from_bytes([7; 10]);

/// Ids of every noun from a number.
pub(crate) fn bytes(n: u64) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&n.to_be_bytes());
    bytes
}

pub(crate) fn usd(micros: i64) -> Usd {
    Usd::from_micros(micros)
}

pub(crate) fn job_row(n: u64) -> JobRow {
    JobRow {
        id: JobId::from_bytes(bytes(n)),
        key: None,
        request_digest: "digest".to_owned(),
        account: ACCOUNT,
        name: format!("job-{n}"),
        spec: "spec".to_owned(),
        state: JobState::Waiting,
        generation: 0,
        submitted_at: NOW,
        deadline_at: NOW + Millis::HOUR,
        ended_at: None,
        due_at: NOW + Millis::HOUR,
        plan_at: None,
        attempts: 0,
        current: None,
        segments: 8,
        segments_done: 0,
        hold: HoldId::from_bytes(bytes(n)),
        bundle: ObjectId::from_bytes(bytes(n)),
        bundle_content: [8; 32],
        inputs: None,
        outputs: None,
        waiting_for: None,
        waiting_since: None,
    }
}

/// The `n`-th lease, with a hold of its own, for the `execution`-th execution of a job.
pub(crate) fn lease_row(n: u64, job: JobId, execution: u64) -> LeaseRow {
    LeaseRow {
        id: LeaseId::from_bytes(bytes(n)),
        job,
        execution: ExecutionId::from_bytes(bytes(execution)),
        network: "sim-cloud".parse().unwrap(),
        interruptible: true,
        class: Some(domain::WorkClass::Batch),
        expected: Some(usd(70)),
        offer: "offer".to_owned(),
        state: LeaseState::Intended,
        generation: 0,
        hold: HoldId::from_bytes(bytes(1_000_000 + n)),
        intent: vec![1, 2, 3],
        span: Millis::HOUR,
        provider: None,
        region: None,
        created_at: NOW,
        submitted_at: NOW,
        absent_since: None,
        live_at: None,
        until_at: None,
        close_at: None,
        ended_at: None,
        billed: None,
        tries: 0,
        settled: false,
        due_at: NOW,
    }
}

pub(crate) fn execution_row(n: u64, job: JobId, attempt: u32) -> ExecutionRow {
    ExecutionRow {
        id: ExecutionId::from_bytes(bytes(n)),
        job,
        attempt,
        placement: PlacementId::from_bytes(bytes(1)),
        lease: None,
        purchases: 0,
        state: ExecutionState::Starting,
        generation: 0,
        token_hash: None,
        buy_at: None,
        instance_key: None,
        sandbox: None,
        stop: false,
        from_segment: 0,
        to_segment: 0,
        created_at: NOW,
        connected_at: None,
        ended_at: None,
    }
}

pub(crate) fn object_row(n: u64, job: Option<JobId>, kind: ObjectKind, segment: Option<u32>) -> ObjectRow {
    ObjectRow {
        id: ObjectId::from_bytes(bytes(n)),
        job,
        kind,
        execution: None,
        segment,
        context: "context".to_owned(),
        wrapped_key: "00".to_owned(),
        digest: "sha256:00".to_owned(),
        content: (kind == ObjectKind::Inputs).then_some([7; 32]),
        bytes: 3,
        created_at: NOW,
    }
}

pub(crate) async fn fund(store: &Store, amount: Usd) {
    let mut tx = store.begin().await.unwrap();
    tx.account_fund(ACCOUNT, amount, NOW).await.unwrap();
    tx.commit().await.unwrap();
}

/// Stores the job with a hold of `amount`, a plan and, if asked for, its first execution.
pub(crate) async fn admit(store: &Store, job: &JobRow, amount: Usd, execution: Option<&ExecutionRow>) {
    let mut tx = store.begin().await.unwrap();
    tx.hold_for_job(job.hold, ACCOUNT, job.id, amount, NOW).await.unwrap().unwrap();
    tx.job_insert(job).await.unwrap();
    if let Some(execution) = execution {
        tx.placement_insert(execution.placement, job.id, NOW, "plan").await.unwrap();
        tx.execution_insert(execution).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Everything that belongs to the end of a lease.
pub(crate) async fn settle(tx: &mut Tx, lease: &LeaseRow, paid: Usd) -> Result<(), waag_store::Error> {
    let change = LeaseChange {
        event: Some(LeaseEvent::Confirm(EndReason::Finished)),
        ended: Some((NOW, paid)),
        ..LeaseChange::default()
    };
    assert!(tx.lease_change(lease, change, NOW).await?);
    assert!(tx.lease_settle(lease.id).await?);
    let refunded = tx.hold_close_lease(lease.hold, paid, NOW).await?;
    let (fees, disputed) = (Usd::ZERO, Usd::ZERO);
    let row = SettlementRow {
        lease: lease.id,
        job: lease.job,
        paid,
        fees,
        refunded,
        disputed,
        gas: 7,
        txs: vec!["0xa".into(), "0xb".into()],
        at: NOW,
    };
    tx.settlement_insert(&row).await
}

/// Writes past the store, as a damaged disk or another program would.
pub(crate) async fn raw(folder: &std::path::Path, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("waag.db"));
    let pool = sqlx::SqlitePool::connect_with(options.foreign_keys(false)).await.unwrap();
    sqlx::query(sql).execute(&pool).await.unwrap();
    pool.close().await;
}

/// Whether the database refused a second row where there may be one only.
pub(crate) fn is_duplicate(error: &waag_store::Error) -> bool {
    let waag_store::Error::Database { source: sqlx::Error::Database(why), .. } = error else { return false };
    why.is_unique_violation()
}
