//! Many at once, in real tasks on real threads, on a database in a folder.

use domain::Usd;
use store::Store;
use waag_engine::{Engine, SubmitError, Submitted};

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
