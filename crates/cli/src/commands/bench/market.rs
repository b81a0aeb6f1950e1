//! Jobs through our own market: real contracts on the embedded chain, a real provider in this process, agents that exist in
//! memory and answer at once. Each job is an order, an acceptance, an end, a commitment and a payment.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::Delegate;
use anyhow::Context;
use custody::{InstanceKey, OsEntropy, Secret};
use domain::Label;
use engine::{AgentRefusal, Engine};
use evidence::Leaf;
use market::{Boot, MemoryMachine};
use node::provider::{self, Folder, Given, Parts, Provider};
use tokio::sync::watch;
use wire::agent::{BootDoc, Finish, FinishResult, Hello, PROTOCOL, SandboxKind, Welcome, bytes_of};

use super::control_plane::{all_settled, submit_all};
use crate::failure::{Done, Exit, Failure};
use crate::plane::{NETWORK, Plane, SystemClock};
use crate::settings::Settings;

/// A job that does nothing, on our own market.
const JOB: &str = "name: bench\nresources: { infra: waag }\nrun: 'true'\nwaag:\n  budget: { max_total_usd: 1.00 }\n  deadline: 1h\n";
/// Leases that the provider serves at a time: more than jobs are under way, since an offer that was full is not tried again
/// for a while.
const UNITS: u32 = 1_000;
/// Submissions under way at a time.
const SUBMITTERS: usize = 32;
const LOOK_EVERY: Duration = Duration::from_millis(5);
const OFFER_PATIENCE: Duration = Duration::from_secs(30);

/// Runs `jobs` jobs and says how many were settled a second.
pub(super) async fn jobs_per_s(settings: &Settings, jobs: u32) -> Done<f64> {
    let machine = Arc::new(MemoryMachine::default());
    let plane = Plane::start(settings, machine.clone()).await?;
    let (stop, stopped) = watch::channel(false);
    let folder = settings.data.join("provider");
    let seller = provider_at(&folder, &plane, machine.clone()).await?;
    let seller = tokio::spawn(async move { provider::run(seller, &SystemClock, stopped).await });
    let agents = tokio::spawn(play_agents(plane.engine.clone(), machine, Folder::at(&folder).machines()));
    until_offered(&plane).await?;
    let started = Instant::now();
    submit_all(&plane.engine, JOB, jobs, SUBMITTERS).await?;
    let settled = all_settled(&plane.engine).await;
    let took = started.elapsed();
    agents.abort();
    // It may have ended by itself, which the jobs then have told.
    let _ = stop.send(true);
    let _ = seller.await;
    plane.stop().await;
    settled?;
    Ok(f64::from(jobs) / took.as_secs_f64())
}

async fn provider_at(folder: &Path, plane: &Plane, machine: Arc<MemoryMachine>) -> Done<Provider> {
    let market = plane.market.as_ref().context("our own market is connected")?;
    let given = [
        ("rpc_url", format!("http://{}", plane.endpoint.chain.as_deref().unwrap_or_default())),
        ("market", market.deployed.market.to_string()),
        ("units", UNITS.to_string()),
        ("price_per_hour_usd", "0.03".to_owned()),
        ("span_max", "1h".to_owned()),
        ("poll", "50ms".to_owned()),
    ];
    let given: Given = given.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let account = provider::init(folder, &given, &OsEntropy).context("make a provider")?;
    market.fund_provider(account).await?;
    let parts = Parts {
        folder: Folder::at(folder),
        machine,
        entropy: Arc::new(OsEntropy),
        proc: PathBuf::from("/proc"),
        fault: None,
    };
    Ok(Provider::open(parts).await.context("open the provider")?)
}

async fn until_offered(plane: &Plane) -> Done {
    let began = Instant::now();
    while !plane.engine.offers_view().offers.iter().any(|offer| offer.network == NETWORK) {
        if began.elapsed() > OFFER_PATIENCE {
            return Err(Failure::new(Exit::Failed, "no_offer", "the provider has posted no offer"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        plane.engine.refresh_offers().await.context("ask the networks for offers")?;
    }
    Ok(())
}

/// Every agent that appears introduces itself, commits, and says that its workload ended well.
async fn play_agents(engine: Engine, machine: Arc<MemoryMachine>, folder: PathBuf) {
    let mut known: HashSet<Label> = HashSet::new();
    loop {
        for (label, boot) in machine.alive() {
            if known.insert(label.clone()) {
                let (engine, machine, folder) =
                    (engine.clone(), machine.clone(), folder.join(label.as_str()));
                tokio::spawn(async move {
                    if let Err(error) = play(&engine, &boot, &folder).await {
                        tracing::warn!(error = format!("{error:#}"), "an agent of the bench gave up");
                    }
                    machine.die(&label);
                });
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Asks until there is an answer.
macro_rules! again {
    ($ask:expr) => {
        loop {
            match $ask.await {
                Err(AgentRefusal::NotYet | AgentRefusal::Engine(_)) => tokio::time::sleep(LOOK_EVERY).await,
                answer => break answer,
            }
        }
    };
}

async fn play(engine: &Engine, boot: &Boot, folder: &Path) -> anyhow::Result<()> {
    let boot: BootDoc = serde_json::from_slice(boot.expose())?;
    std::fs::create_dir_all(folder)?;
    let delegate = Delegate::of(&boot, folder, &OsEntropy)?;
    let (token, instance_key) =
        (Secret::mint(&OsEntropy), InstanceKey::mint(&OsEntropy).public().to_string());
    let introduction = delegate.introduction(&boot, &instance_key, &token)?;
    let sandbox = SandboxKind::Namespaces;
    let hello = Hello { protocol: PROTOCOL, instance_key, sandbox, introduction, agent: None };
    let welcome: Welcome = again!(engine.agent_hello(token.expose(), &hello))?;
    let job = bytes_of(&welcome.job_hash).context("the job has a hash")?;
    let commitment = delegate.commit(&job, Leaf::state(0, [0; 32]))?;
    let commitment = commitment.context("the provider introduces its agents")?;
    let word = again!(engine.agent_commitment(token.expose(), &commitment))?;
    if !delegate.leave(&commitment, word.signature.as_deref(), false)? {
        return Err(anyhow::anyhow!("the control plane says nothing of what it was told"));
    }
    let finish = Finish { result: FinishResult::Completed, segments_done: 0 };
    again!(engine.agent_finish(token.expose(), &finish))?;
    Ok(())
}
