//! Jobs from submission to settlement without anything outside this process but the disk: real store, real simulated
//! networks with their state files, agents that exist in memory and answer at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use custody::{InstanceKey, OsEntropy};
use domain::{Label, Usd};
use engine::{AgentRefusal, Engine, Submission};
use futures::StreamExt;
use market::{Boot, MemoryMachine};
use wire::agent::{BootDoc, Finish, FinishResult, Hello, PROTOCOL, SandboxKind};

use super::JOB;
use super::start::resident_mib;
use crate::failure::{Done, Exit, Failure};
use crate::plane::Plane;
use crate::settings::Settings;

/// Submissions under way at a time.
const SUBMITTERS: usize = 32;
const LOOK_EVERY: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs `jobs` jobs and says how many were settled a second.
pub(super) async fn jobs_per_s(settings: &Settings, jobs: u32) -> Done<f64> {
    let machine = Arc::new(MemoryMachine::default());
    let plane = Plane::start(settings, machine.clone()).await?;
    let agents = tokio::spawn(play_agents(plane.engine.clone(), machine));
    let started = Instant::now();
    submit_all(&plane.engine, JOB, jobs, SUBMITTERS).await?;
    let settled = all_settled(&plane.engine).await;
    let took = started.elapsed();
    agents.abort();
    plane.stop().await;
    settled?;
    Ok(f64::from(jobs) / took.as_secs_f64())
}

/// Runs `jobs` jobs and says what this process then holds in memory, in MiB.
pub(super) async fn memory_after(settings: &Settings, jobs: u32) -> Done<f64> {
    jobs_per_s(settings, jobs).await?;
    resident_mib(std::process::id())
}

/// Submits so many jobs, some at a time.
pub(super) async fn submit_all(engine: &Engine, job: &str, jobs: u32, at_a_time: usize) -> Done {
    let submissions = futures::stream::iter(0..jobs).map(|_| submit(engine, job));
    let taken: Vec<Done> = submissions.buffer_unordered(at_a_time).collect().await;
    taken.into_iter().collect()
}

/// Submits one job.
pub(super) async fn submit(engine: &Engine, job: &str) -> Done {
    let submission =
        Submission { file: job.as_bytes().to_vec(), file_name: "bench".to_owned(), ..Submission::default() };
    engine.job_submit(submission).await.context("submit a job")?;
    Ok(())
}

/// Waits until nothing is held any more, which is when every job is settled.
pub(super) async fn all_settled(engine: &Engine) -> Done {
    let started = Instant::now();
    loop {
        let account = engine.account_view().await.context("read the account")?;
        if account.held_usd == Usd::ZERO {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            return Err(Failure::new(
                Exit::Failed,
                "bench_stuck",
                format!("${} are still held", account.held_usd),
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Every agent that appears introduces itself and says that its workload ended well.
async fn play_agents(engine: Engine, machine: Arc<MemoryMachine>) {
    let mut known: HashSet<Label> = HashSet::new();
    loop {
        for (label, boot) in machine.alive() {
            if known.insert(label) {
                tokio::spawn(play(engine.clone(), boot));
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn play(engine: Engine, boot: Boot) {
    let Ok(boot) = serde_json::from_slice::<BootDoc>(boot.expose()) else { return };
    let key = InstanceKey::mint(&OsEntropy).public().to_string();
    let Some(token) = boot.token() else { return };
    let sandbox = SandboxKind::Namespaces;
    let hello = Hello { protocol: PROTOCOL, instance_key: key, sandbox, introduction: None, agent: None };
    while let Err(AgentRefusal::NotYet | AgentRefusal::Engine(_)) = engine.agent_hello(token, &hello).await {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let finish = Finish { result: FinishResult::Completed, segments_done: 0 };
    while let Err(AgentRefusal::NotYet | AgentRefusal::Engine(_)) = engine.agent_finish(token, &finish).await
    {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
