use super::*;
use custody::OsEntropy;
use domain::Timestamp;
use plane::{JOB, Manner, Mill, Plane, SAMPLE, SEGMENTS, Work};
use std::sync::atomic::Ordering;

#[path = "../../../tests/it/plane.rs"]
mod plane;

const ID: B256 = B256::repeat_byte(1);
/// Draws the first, the second, the fifth and the last segment.
const SEED: B256 = B256::repeat_byte(2);
const PATIENCE: Duration = Duration::from_secs(20);

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp(1_800_000_000_000)
    }
}

struct Bench {
    plane: Plane,
    mill: Arc<Mill>,
    dir: tempfile::TempDir,
}

impl Bench {
    async fn new(work: Work) -> Self {
        let plane = Plane::new(work).await;
        plane.drawn(ID, SEED);
        Self { plane, mill: Arc::default(), dir: tempfile::tempdir().unwrap() }
    }

    fn task(&self) -> Task {
        let work = self.plane.work();
        Task {
            id: ID,
            asked: Asked {
                job_hash: B256::from(*JOB),
                root: work.root,
                leaf_count: work.leaf_count(),
                segments: SEGMENTS,
                sample: SAMPLE,
                ..Asked::default()
            },
            seed: SEED,
            contact: Some(Whereabouts { url: self.plane.url.clone(), pin: B256::from(self.plane.pin) }),
            signer: EvmSigner::mint(&OsEntropy).unwrap(),
            clock: Arc::new(Noon),
            replayer: self.mill.clone(),
            objects: self.dir.path().join("objects"),
        }
    }

    async fn found(&self, task: Task) -> Found {
        let (say, _progress) = watch::channel(task.at_first());
        tokio::time::timeout(PATIENCE, examine(task, say)).await.unwrap()
    }

    /// What is to be said after a first try that leads to nothing.
    async fn stuck(&self, task: Task) -> Option<Found> {
        let (say, mut progress) = watch::channel(Progress { kept_back: None });
        let tries = async {
            // Once for each try.
            for _ in 0..2 {
                progress.changed().await.unwrap();
            }
            progress.borrow().kept_back
        };
        tokio::select! {
            found = examine(task, say) => panic!("{found:?}"),
            kept_back = tokio::time::timeout(PATIENCE, tries) => kept_back.unwrap(),
        }
    }
}

#[tokio::test]
async fn honest_work_is_the_same_and_only_what_was_drawn_is_run() {
    let bench = Bench::new(Work::new(&[])).await;
    let task = bench.task();
    assert_eq!(task.segments(), [0, 1, 4, 5]);
    let found = bench.found(task).await;
    assert_eq!(found.finding, Finding::Same);
    let expected: Vec<[u8; 32]> =
        [1, 2, 5, 6, 7].iter().map(|place| bench.plane.work().leaves[*place]).collect();
    assert_eq!(found.result, evidence::result(&expected), "the leaves that follow, the outputs' too");
    assert_eq!(bench.mill.ran.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn fabricated_state_differs_from_both_sides_and_all_honest_ones_compute_the_same() {
    for (segment, seen) in [(0, true), (1, true), (2, false), (3, true), (4, true), (5, true)] {
        let bench = Bench::new(Work::new(&[segment])).await;
        let (one, other) = (bench.found(bench.task()).await, bench.found(bench.task()).await);
        assert_eq!(one.finding == Finding::Differs, seen, "segment {segment}");
        assert_eq!(one, other);
    }
}

#[tokio::test]
async fn planted_state_differs_and_cannot_be_gone_on_from() {
    // The fifth segment ends with it.
    let bench = Bench::new(Work::new(&[]).planted(5, [9; 32])).await;
    assert_eq!(bench.found(bench.task()).await.finding, Finding::Differs);
    // Drawn is only the segment that begins with it.
    let bench = Bench::new(Work::new(&[]).planted(4, [9; 32])).await;
    let found = bench.found(bench.task()).await;
    assert_eq!((found.finding, bench.mill.ran.load(Ordering::SeqCst)), (Finding::Withheld, 3));
}

#[tokio::test]
async fn what_does_not_lead_to_the_root_is_not_run() {
    let bench = Bench::new(Work::new(&[])).await;
    bench.plane.behave(Manner::Lies);
    let kept_back = bench.stuck(bench.task()).await;
    assert_eq!(kept_back.map(|found| found.finding), Some(Finding::Withheld));
    bench.plane.behave(Manner::Fair);
    type Change = fn(&mut Task);
    let changes: [Change; 6] = [
        |task| task.asked.root = B256::repeat_byte(9),
        |task| task.asked.job_hash = B256::repeat_byte(9),
        |task| task.asked.leaf_count -= 1,
        |task| task.asked.segments -= 1,
        |task| task.seed = B256::repeat_byte(9),
        |task| task.contact = None,
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut task = bench.task();
        change(&mut task);
        let kept_back = bench.stuck(task).await;
        assert_eq!(kept_back.map(|found| found.finding), Some(Finding::Withheld), "change {n}");
    }
    assert_eq!(bench.mill.ran.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn other_work_than_was_committed_to_is_not_run_and_held_against_nobody() {
    let bench = Bench::new(Work::new(&[])).await;
    for manner in [Manner::OtherWork, Manner::OtherInputs, Manner::NoInputs, Manner::MoreSegments] {
        bench.plane.behave(manner);
        let kept_back = bench.stuck(bench.task()).await;
        assert_eq!(kept_back.map(|found| found.finding), Some(Finding::Withheld), "{manner:?}");
    }
    assert_eq!(bench.mill.ran.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn states_that_do_not_come_are_asked_for_until_they_do() {
    let bench = Bench::new(Work::new(&[])).await;
    for manner in [Manner::Refuses(403), Manner::Refuses(503), Manner::Empty] {
        bench.plane.behave(manner);
        let kept_back = bench.stuck(bench.task()).await;
        assert_eq!(kept_back.map(|found| found.finding), Some(Finding::Withheld), "{manner:?}");
    }
    // Other states than were committed to are none, and no reason to wait.
    bench.plane.behave(Manner::Swaps);
    assert_eq!(bench.found(bench.task()).await.finding, Finding::Withheld);
    assert_eq!(bench.mill.ran.load(Ordering::SeqCst), 0);
    bench.plane.behave(Manner::Refuses(503));
    let fair = async {
        while bench.plane.askers().len() < 5 {
            tokio::task::yield_now().await;
        }
        bench.plane.behave(Manner::Fair);
    };
    let (found, ()) = tokio::join!(bench.found(bench.task()), fair);
    assert_eq!(found.finding, Finding::Same);
}

#[tokio::test]
async fn server_with_another_certificate_is_asked_nothing() {
    let bench = Bench::new(Work::new(&[])).await;
    let mut task = bench.task();
    task.contact.as_mut().unwrap().pin = B256::repeat_byte(3);
    assert_eq!(bench.stuck(task).await.map(|found| found.finding), Some(Finding::Withheld));
    assert!(bench.plane.askers().is_empty());
}

#[tokio::test]
async fn machine_that_fails_knows_nothing_about_the_work() {
    let bench = Bench::new(Work::new(&[])).await;
    bench.mill.broken.store(true, Ordering::SeqCst);
    assert_eq!(bench.stuck(bench.task()).await, None);
    let broken = bench.task();
    let mended = async {
        tokio::task::yield_now().await;
        bench.mill.broken.store(false, Ordering::SeqCst);
    };
    let (found, ()) = tokio::join!(bench.found(broken), mended);
    assert_eq!(found.finding, Finding::Same);
}
