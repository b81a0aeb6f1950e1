//! Logs: pieces may come twice, overlap or be missing; what is read is what was written once.

use domain::ExecutionId;
use proptest::collection::vec;
use proptest::prelude::*;
use waag_store::{LogAppend, Store};

use crate::rows::{admit, execution_row, fund, job_row, usd};

const CAP: u64 = 60;

async fn with_executions() -> (Store, [ExecutionId; 2]) {
    let store = Store::memory("test").await.unwrap();
    fund(&store, usd(10)).await;
    let job = job_row(1);
    // The second attempt has the smaller id: attempts tell the order, ids do not.
    let (first, second) = (execution_row(2, job.id, 1), execution_row(1, job.id, 2));
    admit(&store, &job, usd(10), Some(&first)).await;
    let mut tx = store.begin().await.unwrap();
    tx.execution_insert(&second).await.unwrap();
    tx.commit().await.unwrap();
    (store, [first.id, second.id])
}

async fn append(store: &Store, execution: ExecutionId, offset: u64, bytes: &[u8]) -> LogAppend {
    let mut tx = store.begin().await.unwrap();
    let done = tx.log_append(execution, offset, bytes, CAP).await.unwrap();
    tx.commit().await.unwrap();
    done
}

#[tokio::test]
async fn log_piece_after_a_gap_is_refused_with_the_offset_to_go_on_from() {
    let (store, [first, second]) = with_executions().await;
    let stored = |next_offset| LogAppend::Stored { next_offset };
    assert_eq!(append(&store, first, 4, b"late").await, LogAppend::Gap { next_offset: 0 });
    assert_eq!(append(&store, first, 0, b"abcd").await, stored(4));
    assert_eq!(append(&store, first, 5, b"f").await, LogAppend::Gap { next_offset: 4 });
    assert_eq!(append(&store, first, 0, b"abcd").await, stored(4), "repeated");
    assert_eq!(append(&store, first, 2, b"cdef").await, stored(6), "overlapping");
    assert_eq!(append(&store, first, 1, b"bc").await, stored(6), "long known");
    assert_eq!(append(&store, first, 6, b"").await, stored(6), "empty");
    assert_eq!(append(&store, second, 0, b"XY").await, stored(2));
    assert_eq!(store.log_read(job_row(1).id, 0, 100).await.unwrap(), (b"abcdefXY".to_vec(), 8));
}

#[tokio::test]
async fn log_beyond_the_cap_is_acknowledged_and_not_kept() {
    let (store, [first, _]) = with_executions().await;
    let stored = |next_offset| LogAppend::Stored { next_offset };
    assert_eq!(append(&store, first, 0, &[b'a'; 50]).await, stored(50));
    assert_eq!(append(&store, first, 50, &[b'b'; 50]).await, stored(100));
    assert_eq!(append(&store, first, 100, &[b'c'; 5]).await, stored(105));
    // An agent can name any offset: none may stop the control plane.
    assert_eq!(append(&store, first, u64::MAX, b"d").await, stored(u64::MAX));
    let (bytes, next) = store.log_read(job_row(1).id, 0, 1000).await.unwrap();
    assert_eq!((bytes, next), ([vec![b'a'; 50], vec![b'b'; 10]].concat(), CAP));
    assert_eq!(store.log_read(job_row(1).id, u64::MAX, 10).await.unwrap(), (Vec::new(), CAP));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn log_read_anywhere_equals_what_was_appended(
        pieces in vec((0usize..2, 0u64..70, vec(any::<u8>(), 0..9)), 0..200),
        reads in vec((0u64..130, 0usize..150), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, executions) = with_executions().await;
            let mut model = [Vec::new(), Vec::new()];
            for (which, offset, bytes) in pieces {
                let log = &mut model[which];
                // Half of the pieces go on where the log ends, so that it grows at all.
                let offset = if offset % 2 == 0 { log.len() as u64 } else { offset };
                let done = append(&store, executions[which], offset, &bytes).await;
                let full = log.len() as u64 >= CAP;
                if offset > log.len() as u64 && !full {
                    assert_eq!(done, LogAppend::Gap { next_offset: log.len() as u64 });
                    continue;
                }
                let known = usize::try_from(log.len() as u64 - offset.min(log.len() as u64)).unwrap();
                let end = (offset + bytes.len() as u64).max(log.len() as u64);
                log.extend(bytes.iter().skip(known));
                log.truncate(usize::try_from(CAP).unwrap());
                assert_eq!(done, LogAppend::Stored { next_offset: end });
            }
            let whole = model.concat();
            for (offset, limit) in reads {
                let from = usize::try_from(offset).unwrap().min(whole.len());
                let until = whole.len().min(from + limit);
                let read = store.log_read(job_row(1).id, offset, limit).await.unwrap();
                assert_eq!(read, (whole[from..until].to_vec(), until as u64));
            }
        });
    }
}
