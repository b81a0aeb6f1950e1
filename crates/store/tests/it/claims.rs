//! What agents sign for their providers, and how far something outside was followed.

use waag_store::{ClaimRow, DelegationRow, Store};

use crate::rows::{admit, execution_row, fund, job_row, lease_row, usd};

fn claim(leaf_count: u32, root: u8) -> ClaimRow {
    let (digest, outputs) = (vec![root + 1; 32], leaf_count == 3);
    ClaimRow {
        leaf_count,
        root: vec![root; 32],
        signature: vec![root; 65],
        digest,
        outputs,
        acknowledged: false,
    }
}

#[tokio::test]
async fn first_delegation_and_first_root_over_so_many_leaves_stay() {
    let store = Store::memory("test").await.unwrap();
    fund(&store, usd(10)).await;
    let job = job_row(1);
    let execution = execution_row(1, job.id, 1);
    admit(&store, &job, usd(10), Some(&execution)).await;
    let lease = lease_row(1, job.id, 1);
    let mut tx = store.begin().await.unwrap();
    tx.hold_for_lease(lease.hold, job.hold, lease.id, usd(1)).await.unwrap().unwrap();
    tx.lease_insert(&lease).await.unwrap();
    let by = |word: &[u8]| DelegationRow { agent: "0xaa".to_owned(), signature: word.to_vec() };
    assert!(tx.delegation_insert(lease.id, &by(b"first")).await.unwrap());
    assert!(!tx.delegation_insert(lease.id, &by(b"second")).await.unwrap());
    for one in [claim(1, 1), claim(3, 3), claim(2, 2), claim(3, 9)] {
        tx.claim_insert(lease.id, &one).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(store.delegation_get(lease.id).await.unwrap(), Some(by(b"first")));
    assert_eq!(store.claim_list(lease.id, 2).await.unwrap(), [claim(1, 1), claim(2, 2)]);
    assert_eq!(store.claim_newest(lease.id).await.unwrap(), Some(claim(3, 3)));
    assert_eq!(store.claim_get(lease.id, 2).await.unwrap(), Some(claim(2, 2)));
    assert_eq!(store.claim_get(lease.id, 4).await.unwrap(), None);
}

#[tokio::test]
async fn place_is_kept_in_the_transaction_of_its_effects() {
    let store = Store::memory("test").await.unwrap();
    for (place, commit) in [("1", true), ("2", false), ("3", true)] {
        let mut tx = store.begin().await.unwrap();
        tx.followed_set("escrow/waag", place).await.unwrap();
        if commit {
            tx.commit().await.unwrap();
        } else {
            drop(tx);
        }
        let kept = if commit { place } else { "1" };
        assert_eq!(store.followed_get("escrow/waag").await.unwrap().as_deref(), Some(kept));
    }
    assert_eq!(store.followed_get("another").await.unwrap(), None);
}
