//! The ledger against a model of it: whatever is asked in whichever order, both hold the same, and the equations hold.

use domain::{JobEvent, Outcome, Usd};
use proptest::collection::vec;
use proptest::prelude::*;
use waag_store::{Account, Error, Hold, JobChange, JobRow, LeaseRow, Store};

use crate::rows::{ACCOUNT, NOW, admit, fund, job_row, lease_row, raw, settle, usd};

#[derive(Debug, Clone)]
enum Op {
    Fund(i64),
    HoldForJob(i64),
    HoldForLease { job: usize, amount: i64 },
    Extend { lease: usize, amount: i64 },
    CloseLease { lease: usize, paid: i64 },
    CloseJob { job: usize },
}

/// Mostly amounts that meet each other, now and then one at which a careless sum would overflow or run backwards.
fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![12 => 0i64..400, 1 => Just(0), 1 => Just(i64::MAX), 1 => Just(i64::MAX - 200), 1 => -50i64..0]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => amount().prop_map(Op::Fund),
        3 => amount().prop_map(Op::HoldForJob),
        4 => (0usize..4, amount()).prop_map(|(job, amount)| Op::HoldForLease { job, amount }),
        3 => (0usize..6, amount()).prop_map(|(lease, amount)| Op::Extend { lease, amount }),
        3 => (0usize..6, amount()).prop_map(|(lease, paid)| Op::CloseLease { lease, paid }),
        2 => (0usize..4).prop_map(|job| Op::CloseJob { job }),
    ]
}

/// What an operation did.
#[derive(Debug, PartialEq, Eq)]
enum Did {
    Done,
    Refused,
    Failed,
}

#[derive(Debug, Clone, Default)]
struct ModelHold {
    /// The lease's job.
    job: usize,
    amount: i64,
    posted: i64,
    lent: i64,
    closed: bool,
}

impl ModelHold {
    fn left(&self) -> i64 {
        if self.closed { -1 } else { self.amount - self.posted - self.lent }
    }

    fn is(&self, hold: &Hold) -> bool {
        let voided = if self.closed { self.amount - self.posted } else { 0 };
        let amounts = (hold.amount, hold.posted, hold.voided, hold.lent);
        amounts == (usd(self.amount), usd(self.posted), usd(voided), usd(self.lent))
            && hold.open != self.closed
    }
}

/// The ledger as one would explain it, with no sum kept that can be computed.
#[derive(Debug, Clone, Default)]
struct Model {
    funded: i64,
    jobs: Vec<ModelHold>,
    leases: Vec<ModelHold>,
}

impl Model {
    fn held(&self) -> i64 {
        self.jobs.iter().filter(|job| !job.closed).map(|job| job.amount - job.posted).sum()
    }

    fn posted(&self) -> i64 {
        self.jobs.iter().map(|job| job.posted).sum()
    }

    fn available(&self) -> i64 {
        self.funded - self.held() - self.posted()
    }

    fn account(&self) -> Account {
        let (held, posted) = (usd(self.held()), usd(self.posted()));
        Account { funded: usd(self.funded), available: usd(self.available()), held, posted }
    }

    fn apply(&mut self, op: &Op) -> Did {
        match *op {
            Op::Fund(amount) if amount < 0 || self.funded.checked_add(amount).is_none() => Did::Failed,
            Op::HoldForJob(amount)
            | Op::HoldForLease { amount, .. }
            | Op::Extend { amount, .. }
            | Op::CloseLease { paid: amount, .. }
                if amount < 0 =>
            {
                Did::Failed
            }
            Op::Fund(amount) => {
                self.funded += amount;
                Did::Done
            }
            Op::HoldForJob(amount) if amount > self.available() => Did::Refused,
            Op::HoldForJob(amount) => {
                self.jobs.push(ModelHold { amount, ..ModelHold::default() });
                Did::Done
            }
            Op::HoldForLease { job, amount } if amount > self.jobs[job].left() => Did::Refused,
            Op::HoldForLease { job, amount } => {
                self.jobs[job].lent += amount;
                self.leases.push(ModelHold { job, amount, ..ModelHold::default() });
                Did::Done
            }
            Op::Extend { lease, .. } if self.leases[lease].closed => Did::Failed,
            Op::Extend { lease, amount } if amount > self.jobs[self.leases[lease].job].left() => Did::Refused,
            Op::Extend { lease, amount } => {
                self.jobs[self.leases[lease].job].lent += amount;
                self.leases[lease].amount += amount;
                Did::Done
            }
            Op::CloseLease { lease, paid } => self.close_lease(lease, paid),
            Op::CloseJob { job } => {
                let lends = self.leases.iter().any(|lease| lease.job == job && !lease.closed);
                if self.jobs[job].closed || lends {
                    return Did::Failed;
                }
                self.jobs[job].closed = true;
                Did::Done
            }
        }
    }

    fn close_lease(&mut self, lease: usize, paid: i64) -> Did {
        let lease = &mut self.leases[lease];
        if lease.closed || paid > lease.amount {
            return Did::Failed;
        }
        (lease.closed, lease.posted) = (true, paid);
        let job = &mut self.jobs[lease.job];
        job.lent -= lease.amount;
        job.posted += paid;
        Did::Done
    }

    /// An operation on a job or lease that there is, or none.
    fn aim(&self, op: &Op) -> Option<Op> {
        let nth = |n: usize, len: usize| n.checked_rem(len);
        Some(match *op {
            Op::Fund(_) | Op::HoldForJob(_) => op.clone(),
            Op::HoldForLease { job, amount } => Op::HoldForLease { job: nth(job, self.jobs.len())?, amount },
            Op::Extend { lease, amount } => Op::Extend { lease: nth(lease, self.leases.len())?, amount },
            Op::CloseLease { lease, paid } => Op::CloseLease { lease: nth(lease, self.leases.len())?, paid },
            Op::CloseJob { job } => Op::CloseJob { job: nth(job, self.jobs.len())? },
        })
    }
}

/// The store, with the rows whose holds the model has.
struct Real {
    store: Store,
    jobs: Vec<JobRow>,
    leases: Vec<LeaseRow>,
}

impl Real {
    /// Applies the operation with all that belongs to it in one transaction, which is committed if `keep` says so.
    async fn apply(&mut self, op: &Op, keep: bool) -> Did {
        let mut tx = self.store.begin().await.unwrap();
        let done: Result<Did, Error> = async {
            match *op {
                Op::Fund(amount) => tx.account_fund(ACCOUNT, usd(amount), NOW).await?,
                Op::HoldForJob(amount) => {
                    let job = job_row(self.jobs.len() as u64);
                    if tx.hold_for_job(job.hold, ACCOUNT, job.id, usd(amount), NOW).await?.is_err() {
                        return Ok(Did::Refused);
                    }
                    tx.job_insert(&job).await?;
                }
                Op::HoldForLease { job, amount } => {
                    let (n, job) = (self.leases.len() as u64, &self.jobs[job]);
                    let lease = lease_row(n, job.id, n);
                    if tx.hold_for_lease(lease.hold, job.hold, lease.id, usd(amount)).await?.is_err() {
                        return Ok(Did::Refused);
                    }
                    tx.lease_insert(&lease).await?;
                }
                Op::Extend { lease, amount } => {
                    if tx.hold_extend(self.leases[lease].hold, usd(amount)).await?.is_err() {
                        return Ok(Did::Refused);
                    }
                }
                Op::CloseLease { lease, paid } => {
                    let lease = tx.lease_get_in_txn(self.leases[lease].id).await?.unwrap();
                    if lease.settled {
                        return tx.hold_close_lease(lease.hold, usd(paid), NOW).await.map(|_| Did::Done);
                    }
                    settle(&mut tx, &lease, usd(paid)).await?;
                }
                Op::CloseJob { job } => {
                    tx.hold_close_job(self.jobs[job].hold, NOW).await?;
                    for event in [JobEvent::End(Outcome::Completed), JobEvent::Settle] {
                        let row = tx.job_get_in_txn(self.jobs[job].id).await?.unwrap();
                        let change = JobChange { event: Some(event), ..JobChange::default() };
                        assert!(tx.job_change(&row, change, NOW).await?);
                    }
                }
            }
            Ok(Did::Done)
        }
        .await;
        let did = match done {
            Ok(did) => did,
            Err(Error::Ledger { .. }) => Did::Failed,
            Err(other) => panic!("{op:?}: {other:?}"),
        };
        if did == Did::Done && keep {
            tx.commit().await.unwrap();
            match op {
                Op::HoldForJob(_) => self.jobs.push(job_row(self.jobs.len() as u64)),
                Op::HoldForLease { job, .. } => {
                    let n = self.leases.len() as u64;
                    self.leases.push(lease_row(n, self.jobs[*job].id, n));
                }
                _ => {}
            }
        }
        did
    }

    async fn must_be(&self, model: &Model) {
        assert_eq!(self.store.account_get(ACCOUNT).await.unwrap(), Some(model.account()));
        let holds = self.jobs.iter().map(|job| job.hold).chain(self.leases.iter().map(|lease| lease.hold));
        for (hold, expected) in holds.zip(model.jobs.iter().chain(&model.leases)) {
            let found = self.store.hold_get(hold).await.unwrap().unwrap();
            assert!(expected.is(&found), "{expected:?} is not {found:?}");
            assert!(expected.closed || found.left() == usd(expected.left()));
        }
        assert_eq!(self.store.ledger_check().await.unwrap(), Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    // Every fourth transaction is given up before its end, which must leave no trace of it.
    #[test]
    fn ledger_whatever_is_asked_equals_its_model(ops in vec((op(), 0u8..4), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::memory("test").await.unwrap();
            fund(&store, usd(0)).await;
            let (mut model, mut real) = (Model::default(), Real { store, jobs: Vec::new(), leases: Vec::new() });
            for (op, kept) in &ops {
                let Some(op) = model.aim(op) else { continue };
                let (before, keep) = (model.clone(), *kept > 0);
                let expected = model.apply(&op);
                if !keep {
                    model = before;
                }
                assert_eq!(real.apply(&op, keep).await, expected, "{op:?}");
                real.must_be(&model).await;
            }
        });
    }
}

/// Each damage is one that the schema's own checks let pass.
const DAMAGES: [(&str, &str); 12] = [
    ("UPDATE account SET available = available + 1, held = held - 1", "held differs"),
    ("UPDATE account SET available = available - 1, posted = posted + 1", "posted differs"),
    ("UPDATE account SET funded = funded + 1, available = available + 1", "differ from its entries"),
    ("UPDATE hold SET lent = lent + 1 WHERE parent IS NULL", "lent differs"),
    ("UPDATE hold SET posted = posted + 1 WHERE parent IS NOT NULL", "posted differs from the holds"),
    ("DELETE FROM entry", "it has no entries"),
    ("DELETE FROM lease", "belongs to no lease"),
    ("DELETE FROM job", "belongs to no job"),
    ("UPDATE lease SET settled = 1", "is open and it is settled"),
    ("UPDATE lease SET settled = 1", "its settlement differs"),
    ("UPDATE job SET state = 'settled', outcome = 'cancelled'", "is open and it is settled"),
    ("UPDATE job SET state = 'settled', outcome = 'cancelled'", "settled but its lease"),
];

#[tokio::test]
async fn ledger_that_does_not_add_up_is_named() {
    for (damage, wrong) in DAMAGES {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "test").await.unwrap();
        let job = job_row(1);
        let lease = lease_row(1, job.id, 1);
        fund(&store, usd(100)).await;
        admit(&store, &job, usd(60), None).await;
        let mut tx = store.begin().await.unwrap();
        tx.hold_for_lease(lease.hold, job.hold, lease.id, usd(20)).await.unwrap().unwrap();
        tx.lease_insert(&lease).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.ledger_check().await.unwrap(), Vec::<String>::new());

        raw(folder.path(), damage).await;
        let found = store.ledger_check().await.unwrap();
        assert!(found.iter().any(|line| line.contains(wrong)), "{damage}: {found:?}");
    }
}

#[tokio::test]
async fn account_more_than_a_column_holds_is_refused() {
    let store = Store::memory("test").await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.account_fund(ACCOUNT, usd(i64::MAX), NOW).await.unwrap();
    for amount in [usd(1), usd(i64::MAX), usd(i64::MAX) + Usd::from_micros(1), usd(-1)] {
        assert!(matches!(tx.account_fund(ACCOUNT, amount, NOW).await, Err(Error::Ledger { .. })), "{amount}");
    }
    tx.commit().await.unwrap();
    assert_eq!(store.account_get(ACCOUNT).await.unwrap().unwrap().available, usd(i64::MAX));
}

#[tokio::test]
async fn lease_hold_lends_to_no_other_lease() {
    let store = Store::memory("test").await.unwrap();
    let job = job_row(1);
    fund(&store, usd(100)).await;
    admit(&store, &job, usd(100), None).await;
    let (first, second) = (lease_row(1, job.id, 1), lease_row(2, job.id, 2));
    let mut tx = store.begin().await.unwrap();
    tx.hold_for_lease(first.hold, job.hold, first.id, usd(60)).await.unwrap().unwrap();
    let parent = first.hold;
    assert!(tx.hold_for_lease(second.hold, parent, second.id, usd(10)).await.unwrap().is_err());
    assert!(matches!(tx.hold_extend(job.hold, usd(1)).await, Err(Error::Ledger { .. })), "it has no parent");
    assert!(matches!(tx.hold_close_lease(job.hold, usd(1), NOW).await, Err(Error::Ledger { .. })));
    assert!(matches!(tx.hold_close_job(first.hold, NOW).await, Err(Error::Ledger { .. })));
}

#[tokio::test]
async fn job_hold_stays_open_under_a_lease_that_borrowed_nothing() {
    let store = Store::memory("test").await.unwrap();
    let job = job_row(1);
    fund(&store, usd(100)).await;
    admit(&store, &job, usd(100), None).await;
    let lease = lease_row(1, job.id, 1);
    let mut tx = store.begin().await.unwrap();
    tx.hold_for_lease(lease.hold, job.hold, lease.id, usd(0)).await.unwrap().unwrap();
    assert!(matches!(tx.hold_close_job(job.hold, NOW).await, Err(Error::Ledger { .. })));
    assert_eq!(tx.hold_close_lease(lease.hold, usd(0), NOW).await.unwrap(), usd(0));
    assert_eq!(tx.hold_close_job(job.hold, NOW).await.unwrap(), usd(100));
}
