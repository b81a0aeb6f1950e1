//! `waag demo`: a whole job, bought first on our own market, whose provider dies in the middle of the work, and finished on
//! a simulated network; its work is checked by validators that are drawn afterwards. Then the same job on a provider that
//! fabricates half of it.
//!
//! - `cheater.rs`: the second act.
//! - `tell.rs`: what is said in the end.

mod cheater;
mod tell;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context;
use cheater::Cheated;
use domain::Clock;
use engine::receipt_verify;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use wire::receipt::{Pins, ReportDoc};
use wire::rest::{JobDoc, OffersDoc, PlanJob};

use super::offers::Shown;
use super::run::job_file::JobFile;
use super::run::{ended, job_file, submit};
use super::{Session, audit, market, offers, outputs};
use crate::client::Client;
use crate::failure::{Done, Exit, Failure};
use crate::follow::Watch;
use crate::plane::{NETWORK, Plane, SystemClock, processes};
use crate::settings::Settings;
use crate::show::Out;
use crate::show::text::short;

pub(crate) const JOB: &str = include_str!("../../../../../examples/digits-train.yaml");
const JOB_NAME: &str = "examples/digits-train.yaml";
/// Where the job goes on after the loss: the demo shows an auction.
const FAILOVER: (&str, &str) = ("to: [any]", "to: [sim-auction]");
const POLL: Duration = Duration::from_millis(30);
/// The provider beside the demo ends itself and its agents with SIGKILL, once some of the work is committed to.
const FAULT: &str = "die=13";
/// The provider has this long to stake and to post its offer.
const OFFER_PATIENCE: Duration = Duration::from_secs(15);
const OFFER_POLL: Duration = Duration::from_millis(50);
/// A demo that is not over after this has failed.
const PATIENCE: Duration = Duration::from_secs(180);
const CLEAN_UP: Duration = Duration::from_secs(20);
const ACCURACY_LEAST: f64 = 0.95;
/// More jobs than a demo has.
const JOBS_MAX: u32 = 10;

/// Validators beside the demo; three are drawn for each proof.
const VALIDATORS: &str = "7";

/// What the demo came to.
struct Ending {
    job: JobDoc,
    cheated: Cheated,
    /// Records of the audit log, all of which were verified.
    records: u64,
    /// The job's receipt, checked as somebody would who has nothing but the file and the log's key.
    receipt: Receipt,
    outputs: PathBuf,
    accuracy: f64,
}

pub(crate) async fn run(settings: Settings, out: &Out) -> Done {
    let started = Instant::now();
    let data = settings.data.join("demo").join(folder_name());
    let settings = settings.with(&[
        ("data", data.display().to_string()),
        ("api.listen", "127.0.0.1:0".to_owned()),
        ("agents.listen", "127.0.0.1:0".to_owned()),
        ("networks.simulated.enabled", "true".to_owned()),
        ("networks.waag.enabled", "true".to_owned()),
        ("networks.waag.listen", "127.0.0.1:0".to_owned()),
        ("networks.waag.providers", "1".to_owned()),
        ("networks.waag.validators", VALIDATORS.to_owned()),
        ("engine.escrow_every", "100ms".to_owned()),
        ("engine.commit_patience", "500ms".to_owned()),
        ("engine.heartbeat", "300ms".to_owned()),
        ("engine.heartbeat_misses", "3".to_owned()),
    ])?;
    let mut plane = Plane::start_with(&settings, processes(&data)?, Some(FAULT)).await?;
    log_to(&data)?;
    let session = Session { out, client: Client::new(&plane.endpoint.api, plane.token.clone())? };
    tell::started(out, &plane, &data, started);
    let text = JOB.replace(FAILOVER.0, FAILOVER.1).into_bytes();
    let file = job_file::of_bytes(text, JOB_NAME.to_owned(), Path::new("."))?;
    let plan = PlanJob { file: file.text.clone(), file_name: Some(file.name.clone()) };
    let ranked = with_offer(&session, &plane, &plan).await?;
    let offers = offers::text(&ranked, Shown::FEW);
    out.say(&format!("\n{JOB_NAME}, with failover {}, could run on:\n{offers}\n", FAILOVER.1));

    let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    let ending = tokio::select! {
        ending = both_acts(&session, &mut plane, &settings, &file, started) => ending,
        _ = interrupt.recv() => Err(Failure::new(Exit::Interrupted, "interrupted", "the demo was interrupted")),
        () = tokio::time::sleep(PATIENCE) => Err(Failure::new(Exit::Failed, "demo_too_slow", format!("the demo is not over after {}", short(PATIENCE)))),
    };
    let ending = match ending {
        Ok(ending) => ending,
        Err(failure) => {
            clean_up(&session).await;
            plane.stop().await;
            return Err(failure.next(format!("its log is {}", data.join("waag.log").display())));
        }
    };
    let checked = check(&plane, &ending).await;
    plane.stop().await;
    tell::ending(out, &ranked, &ending, &data, started)?;
    checked.map_err(|failure| failure.next(format!("its log is {}", data.join("waag.log").display())))
}

async fn both_acts(
    session: &Session<'_>,
    plane: &mut Plane,
    settings: &Settings,
    file: &JobFile,
    started: Instant,
) -> Done<Ending> {
    let job = submit(session, file, None).await?;
    let (job, outputs, accuracy) = live(session, plane, &job, &settings.data, started).await?;
    let cheated = cheater::act(session, plane, settings, started).await?;
    let records = audit::verified(&plane.engine, &settings.data).await?;
    let receipt = receipt(session, plane, &job, &settings.data).await?;
    Ok(Ending { job, outputs, accuracy, cheated, records, receipt })
}

/// A receipt in a file.
struct Receipt {
    file: PathBuf,
    report: ReportDoc,
}

async fn receipt(session: &Session<'_>, plane: &Plane, job: &JobDoc, data: &Path) -> Done<Receipt> {
    let receipt = session.client.job_receipt(&job.id.to_string()).await?;
    let file = data.join("receipt.json");
    let text = serde_json::to_vec_pretty(&receipt).context("write the receipt")?;
    std::fs::write(&file, &text).context("write the receipt")?;
    let audit = plane.engine.audit_key().context("read the key of the audit log")?;
    let pins = Pins { key: None, audit: Some(&audit) };
    Ok(Receipt { file, report: receipt_verify(&text, pins).doc() })
}

/// The job from its submission to its opened outputs.
async fn live(
    session: &Session<'_>,
    plane: &Plane,
    job: &JobDoc,
    data: &Path,
    started: Instant,
) -> Done<(JobDoc, PathBuf, f64)> {
    let mut watch = Watch::new(&session.client, session.out, job, started);
    let mut death: Option<Death> = None;
    let job = loop {
        let now = watch.turn().await?;
        match &mut death {
            None => death = death_of_first(&watch, plane, &now),
            Some(death) => death.follow(&watch, &now),
        }
        if now.state == "settled" {
            watch.finish();
            break now;
        }
        tokio::time::sleep(POLL).await;
    };
    ended(&job)?;
    if !job.executions.iter().any(|x| x.state == "lost") {
        return Err(Failure::new(
            Exit::Failed,
            "nothing_lost",
            "the job ended before its provider could be killed",
        ));
    }
    let outputs = data.join("outputs");
    outputs::fetch(&session.client, job.id, &outputs).await?;
    let metrics = std::fs::read(outputs.join("metrics.json")).context("read the job's metrics.json")?;
    let metrics: Value = serde_json::from_slice(&metrics).context("read the job's metrics.json")?;
    let accuracy = metrics["accuracy"].as_f64().context("metrics.json names no accuracy")?;
    Ok((job, outputs, accuracy))
}

/// A provider's end, watched for what it cost.
struct Death {
    at: Instant,
    told: bool,
}

impl Death {
    /// Says once what was lost and how long it took to go on.
    fn follow(&mut self, watch: &Watch<'_>, job: &JobDoc) {
        let again = job.executions.iter().any(|x| x.attempt > 1 && x.state == "running");
        let Some(lost) = job.executions.first().filter(|_| again && !self.told) else { return };
        self.told = true;
        watch.say(&format!(
            "resumed   {} after the kill, behind segment {} of {}; lost: what was begun of segment {}",
            short(self.at.elapsed()),
            lost.to_segment,
            job.segments,
            lost.to_segment + 1
        ));
    }
}

/// Waits until the provider beside the demo has staked and its offer is seen.
async fn with_offer(session: &Session<'_>, plane: &Plane, plan: &PlanJob) -> Done<OffersDoc> {
    let began = Instant::now();
    loop {
        let ranked = session.client.offers_for(plan).await?;
        if ranked.offers.iter().any(|offer| offer.network == NETWORK && offer.refused.is_none()) {
            return Ok(ranked);
        }
        if began.elapsed() > OFFER_PATIENCE {
            let what = "the provider beside the demo has posted no offer";
            return Err(Failure::new(Exit::Failed, "no_offer", what)
                .next(format!("its log is {}", plane.providers.log().display())));
        }
        tokio::time::sleep(OFFER_POLL).await;
        plane.engine.refresh_offers().await.context("ask the networks for offers")?;
    }
}

/// Notices that the provider has ended itself; the control plane is not told.
fn death_of_first(watch: &Watch<'_>, plane: &Plane, job: &JobDoc) -> Option<Death> {
    let first = job.executions.first().filter(|x| x.network == NETWORK && x.state == "running")?;
    if plane.providers.all_run() {
        return None;
    }
    let provider = first.provider.as_deref().unwrap_or("unknown");
    watch.say(&format!(
        "KILL      provider {provider} and its agent are ended by SIGKILL; nobody tells the control plane"
    ));
    Some(Death { at: Instant::now(), told: false })
}

/// What must hold at the end of every demo.
async fn check(plane: &Plane, ending: &Ending) -> Done {
    let failed = |what: String| Err(Failure::new(Exit::Failed, "demo_failed", what));
    let wrong = plane.engine.ledger_check().await.context("check the ledger")?;
    if !wrong.is_empty() {
        return failed(format!("the ledger does not add up: {}", wrong.join("; ")));
    }
    for (name, network) in &plane.sims {
        let open = network.open_leases().await;
        if open > 0 {
            return failed(format!("{open} leases are still open on {name}"));
        }
    }
    if let Some(market) = &plane.market {
        let open = market::open_leases(&market.market).await?;
        if open > 0 {
            return failed(format!("{open} leases on the chain have not come to their end"));
        }
    }
    let networks: std::collections::BTreeSet<&str> =
        ending.job.executions.iter().map(|x| x.network.as_str()).collect();
    if networks.len() < 2 || ending.job.executions.first().is_none_or(|x| x.network != NETWORK) {
        return failed(format!("the job did not go from {NETWORK} to another network"));
    }
    let unproven = |job: &JobDoc| job.executions.iter().find(|x| tell::verdict(x) != "passed").map(|x| x.id);
    if let Some(execution) = unproven(&ending.job) {
        return failed(format!("the work of execution {execution} did not pass, though nobody cheated"));
    }
    ending.cheated.check()?;
    if let Some(wrong) = ending.receipt.report.wrong.first() {
        return failed(format!("the receipt does not hold: {}", wrong.text));
    }
    if ending.accuracy < ACCURACY_LEAST {
        return failed(format!(
            "the trained model recognises {} of the test part, at least {ACCURACY_LEAST} was expected",
            ending.accuracy
        ));
    }
    Ok(())
}

/// Leaves nothing running behind a demo that failed.
async fn clean_up(session: &Session<'_>) {
    let settled = async {
        let Ok(jobs) = session.client.job_list(JOBS_MAX).await else { return };
        for job in jobs.jobs {
            let job = job.id.to_string();
            while !session.client.job_cancel(&job).await.is_ok_and(|doc| doc.state == "settled") {
                tokio::time::sleep(POLL).await;
            }
        }
    };
    if tokio::time::timeout(CLEAN_UP, settled).await.is_err() {
        session.out.say("warning: an agent may still run; it ends by itself when it hears nothing");
    }
}

fn log_to(data: &Path) -> Done {
    let file = std::fs::File::create(data.join("waag.log")).context("make the log file")?;
    let filter = EnvFilter::try_from_env("WAAG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_writer(Mutex::new(file)).with_ansi(false).with_env_filter(filter).init();
    Ok(())
}

/// Unique, and in the order of time: `20261126T180731.123Z-4711`.
fn folder_name() -> String {
    let now = SystemClock.now().to_string().replace(['-', ':'], "");
    format!("{now}-{}", std::process::id())
}
