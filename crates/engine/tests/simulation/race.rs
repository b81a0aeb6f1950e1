//! Who is faster: many users at once, in real tasks on real threads on a database in a folder, and whoever read a row
//! before it changed.

use domain::{Clock, EndReason, JobId, Label, LeaseState, Usd};
use market::Network;
use store::{JobChange, LeaseChange, LeaseRow, Store};
use waag_engine::{Engine, Submission, SubmitError, Submitted};

use crate::story::{JobPlan, Story, config};
use crate::world::World;

const CAP_MICROS: i64 = 100_000;

fn job(n: usize) -> JobPlan {
    let cap = Usd::from_micros(CAP_MICROS);
    let file = format!(
        "name: race-{n}
run: work
waag:
  budget: {{ max_total_usd: {cap} }}
  outputs: {{ path: /outputs }}
  verify: {{ method: replay, segments: 2, sample: 1 }}
"
    );
    JobPlan { file, cap }
}

async fn world(jobs: usize, funds: i64, folder: &tempfile::TempDir) -> World {
    let mut story = Story::quiet(5);
    story.jobs = (0..jobs).map(job).collect();
    story.funds = Usd::from_micros(funds);
    let store = Store::open(folder.path(), "race").await.unwrap();
    World::on(store, story, config(), None).await
}

/// Submits these jobs at once, each from a task of its own.
async fn submit_all(world: &World, jobs: std::ops::Range<usize>) -> Vec<Result<Submitted, SubmitError>> {
    let engine = world.up.as_ref().unwrap().engine.clone();
    let submit = |n| {
        let (engine, submission): (Engine, _) = (engine.clone(), world.submission(n));
        tokio::spawn(async move { engine.job_submit(submission).await })
    };
    let tasks: Vec<_> = jobs.map(submit).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// Tells the world which of them it now has, and returns how many.
fn note_admitted(world: &mut World, from: usize, answers: &[Result<Submitted, SubmitError>]) -> usize {
    for (n, answer) in answers.iter().enumerate() {
        match answer {
            Ok(submitted) => world.admitted(from + n, submitted.job),
            Err(refused) => {
                assert_eq!(refused.code(), "budget_exceeds_account");
                world.lives[from + n].refused = Some(refused.code());
            }
        }
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_jobs_on_a_budget_for_ten_admit_ten_and_more_once_money_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(200, 10 * CAP_MICROS, &folder).await;
    for n in 100..200 {
        world.lives[n].refused = Some("not sent yet");
    }
    let answers = submit_all(&world, 0..100).await;
    assert_eq!(note_admitted(&mut world, 0, &answers), 10);
    let again = submit_all(&world, 100..200).await;
    assert_eq!(note_admitted(&mut world, 100, &again), 0, "none of the ten has finished yet");

    world.live().await.unwrap();
    let free = world.store.account_get(world.config.account).await.unwrap().unwrap().available;
    let fit = usize::try_from(free.micros() / i128::from(CAP_MICROS)).unwrap();
    assert!((1..10).contains(&fit), "the ten spent something, but not all: {free}");
    let answers = submit_all(&world, 100..200).await;
    assert_eq!(note_admitted(&mut world, 100, &answers), fit);
    world.live().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_sent_many_times_at_once_is_one_job() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(1, 100 * CAP_MICROS, &folder).await;
    let engine = &world.up.as_ref().unwrap().engine;
    let submit = || {
        let (engine, submission) = (engine.clone(), world.submission(0));
        tokio::spawn(async move { engine.job_submit(submission).await.map(|submitted| submitted.job) })
    };
    let tasks: Vec<_> = (0..20).map(|_| submit()).collect();
    let mut jobs = Vec::new();
    for task in tasks {
        jobs.push(task.await.unwrap().unwrap());
    }
    jobs.dedup();
    assert_eq!(jobs.len(), 1);
    let account = world.store.account_get(world.config.account).await.unwrap().unwrap();
    assert_eq!(account.held, Usd::from_micros(CAP_MICROS));
}

/// Lets the world go on until the job has a live lease.
async fn live_lease(world: &mut World, job: JobId) -> LeaseRow {
    loop {
        world.go_on().await.unwrap();
        let leases = world.store.lease_list(job).await.unwrap();
        if let Some(lease) = leases.into_iter().find(|lease| lease.state == LeaseState::Live) {
            return lease;
        }
    }
}

#[tokio::test]
async fn inputs_that_a_job_has_named_are_not_swept() {
    let mut world = World::new(Story { jobs: vec![job(0)], ..Story::quiet(5) }, config(), None).await;
    let engine = world.up.as_ref().unwrap().engine.clone();
    let (named, _) = engine.inputs_store(tempfile::tempfile().unwrap()).await.unwrap();
    let (unnamed, _) = engine.inputs_store(tempfile::tempfile().unwrap()).await.unwrap();
    let submission = Submission { inputs: Some(named), ..world.submission(0) };
    let submitted = engine.job_submit(submission).await.unwrap();
    world.admitted(0, submitted.job);
    // A sweep that has listed the inputs before the job named them.
    let mut tx = world.store.begin().await.unwrap();
    assert!(!tx.object_forget_unnamed(named).await.unwrap());
    drop(tx);
    world.time.jump(world.config.unnamed_keep.times(2).0.cast_signed());
    engine.adopt().await.unwrap();
    assert!(world.store.object_get(named).await.unwrap().is_some());
    assert!(world.store.object_get(unnamed).await.unwrap().is_none());
}

#[tokio::test]
async fn a_wake_is_not_put_back_by_who_read_before_it() {
    let mut world = World::new(Story { jobs: vec![job(0)], ..Story::quiet(5) }, config(), None).await;
    let answers = submit_all(&world, 0..1).await;
    note_admitted(&mut world, 0, &answers);
    let lease = live_lease(&mut world, answers[0].as_ref().unwrap().job).await;
    let job = world.store.job_get(lease.job).await.unwrap().unwrap();
    let now = world.time.now();
    let mut tx = world.store.begin().await.unwrap();
    tx.job_wake(job.id, now).await.unwrap();
    tx.lease_wake(lease.id, now).await.unwrap();
    assert!(!tx.job_change(&job, JobChange::default(), now).await.unwrap());
    assert!(!tx.lease_change(&lease, LeaseChange::default(), now).await.unwrap());
    assert_eq!(tx.job_get_in_txn(job.id).await.unwrap().unwrap().due_at, now);
    assert_eq!(tx.lease_get_in_txn(lease.id).await.unwrap().unwrap().due_at, now);
}

#[tokio::test]
async fn a_live_lease_that_its_network_forgot_costs_what_its_terms_say() {
    let mut world = World::new(Story { jobs: vec![job(0)], ..Story::quiet(5) }, config(), None).await;
    let answers = submit_all(&world, 0..1).await;
    note_admitted(&mut world, 0, &answers);
    let job = answers[0].as_ref().unwrap().job;
    let lease = live_lease(&mut world, job).await;
    for site in &world.sites {
        let _ = site.network.release(&Label::of(lease.id)).await;
    }
    world.wire.forgotten.store(true, std::sync::atomic::Ordering::SeqCst);
    let ended = loop {
        world.go_on().await.unwrap();
        let lease = world.store.lease_get(lease.id).await.unwrap().unwrap();
        if !lease.state.is_open() {
            break lease;
        }
    };
    assert_eq!(ended.state, LeaseState::Ended(EndReason::Expired));
    assert!(ended.billed.unwrap() > Usd::ZERO);
}
