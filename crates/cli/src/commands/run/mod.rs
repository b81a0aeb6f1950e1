//! `waag run`: the main job, watched from the first offer to the settlement.

pub(crate) mod job_file;

use std::time::{Duration, Instant};

use custody::{OsEntropy, Secret};
use tokio::signal::unix::{Signal, SignalKind, signal};
use wire::rest::{JobDoc, OffersDoc, PlanJob, SubmitJob};

use super::offers::Shown;
use super::{Session, offers, outputs};
use crate::args::Run;
use crate::failure::{Done, Exit, Failure};
use crate::follow::{Watch, report};
use crate::show::can_ask;
use job_file::JobFile;

const POLL: Duration = Duration::from_millis(150);

pub(crate) async fn run(session: &Session<'_>, args: &Run) -> Done {
    let started = Instant::now();
    let mut interrupts = signal(SignalKind::interrupt()).map_err(anyhow::Error::from)?;
    let file = job_file::read(&args.file)?;
    let plan = PlanJob { file: file.text.clone(), file_name: Some(file.name.clone()) };
    let ranked = session.client.offers_for(&plan).await?;
    show_plan(session, &file, &ranked);
    if args.dry_run {
        session.out.either(&ranked, String::new);
        return Ok(());
    }
    if !args.yes && can_ask() && !session.out.json && !session.out.confirm("run it?") {
        return Err(Failure::new(Exit::Failed, "not_confirmed", "nothing was bought"));
    }
    let job = submit(session, &file, args.key.clone()).await?;
    session.out.say(&format!(
        "job {} {}",
        job.id,
        if job.existing { "was taken before under this key" } else { "is taken" }
    ));
    if args.detach {
        session.out.either(&job, || job.id.to_string());
        session.out.next(&format!("waag logs {} -f", job.id));
        return Ok(());
    }
    let job = watch(session, &job, started, &mut interrupts).await?;
    let folder = match (job.outputs, &args.outputs) {
        (false, _) => None,
        (true, Some(folder)) => Some(folder.clone()),
        (true, None) => Some(outputs::default_folder(job.id)),
    };
    if let Some(folder) = &folder {
        outputs::fetch(&session.client, job.id, folder).await?;
    }
    let mut document = serde_json::to_value(&job).map_err(anyhow::Error::from)?;
    document["outputs_folder"] = serde_json::json!(folder);
    session.out.either(&document, || {
        let outputs = folder.as_ref().map_or_else(String::new, |f| format!("\n\noutputs    {}", f.display()));
        format!("\n{}{outputs}", report::text(&job))
    });
    session.out.next(&format!("waag explain {}", job.id));
    ended(&job)
}

fn show_plan(session: &Session<'_>, file: &JobFile, ranked: &OffersDoc) {
    session.out.say(&offers::text(ranked, Shown::FEW));
    let attempts = file.spec.failover.attempts;
    session.out.say(&format!(
        "holds at most ${} until it is settled; a lost provider is replaced up to {attempts} times",
        file.spec.budget.max_total
    ));
}

/// Uploads the job's local files and submits it. Without a key of the user's it gets one of its own, so that a lost
/// answer cannot make two jobs.
pub(crate) async fn submit(session: &Session<'_>, file: &JobFile, key: Option<String>) -> Done<JobDoc> {
    let inputs = match file.pack()? {
        Some(tar) => Some(session.client.inputs_store(tokio::fs::File::from_std(tar)).await?.object),
        None => None,
    };
    let submit = SubmitJob {
        file: file.text.clone(),
        file_name: Some(file.name.clone()),
        secrets: file.secrets.clone(),
        inputs,
        key: Some(key.unwrap_or_else(|| Secret::mint(&OsEntropy).expose().to_owned())),
    };
    session.client.job_submit(&submit).await
}

/// What the user wants after Ctrl-C.
enum Wish {
    Detach,
    Cancel,
}

async fn watch(
    session: &Session<'_>,
    job: &JobDoc,
    started: Instant,
    interrupts: &mut Signal,
) -> Done<JobDoc> {
    let mut watch = Watch::new(&session.client, session.out, job, started);
    let mut asked = false;
    loop {
        let now = watch.turn().await?;
        if now.state == "settled" {
            watch.finish();
            return Ok(now);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            _ = interrupts.recv() => {
                watch.finish();
                let wish = if asked { Wish::Detach } else { ask(session, interrupts).await };
                asked = true;
                match wish {
                    Wish::Cancel => {
                        session.client.job_cancel(&job.id.to_string()).await?;
                        session.out.say("cancelled; waiting until every lease has ended and the rest is returned");
                    }
                    Wish::Detach => {
                        return Err(Failure::new(Exit::Interrupted, "detached", format!("stopped watching; job {} runs on", job.id))
                            .next(format!("waag logs {} -f", job.id)));
                    }
                }
            }
        }
    }
}

/// Asks once. A second Ctrl-C, or nobody to ask, means detach.
async fn ask(session: &Session<'_>, interrupts: &mut Signal) -> Wish {
    if !can_ask() {
        return Wish::Detach;
    }
    session.out.say("\n[d]etach: the job runs on; [c]ancel: pay what was used, get the rest back. d or c? ");
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    tokio::select! {
        _ = interrupts.recv() => Wish::Detach,
        line = line => match line {
            Ok(Ok(line)) if line.trim().eq_ignore_ascii_case("c") => Wish::Cancel,
            _ => Wish::Detach,
        },
    }
}

/// A job without its result is a failure.
pub(crate) fn ended(job: &JobDoc) -> Done {
    if job.outcome.as_deref() == Some("completed") {
        return Ok(());
    }
    let outcome = job.outcome.as_deref().unwrap_or("unknown");
    let failure = Failure::new(Exit::JobFailed, "job_failed", format!("job {} ended as {outcome}", job.id))
        .next(format!("waag logs {0}; waag explain {0}", job.id));
    Err(match &job.reason {
        Some(reason) => failure.why(reason),
        None => failure,
    })
}
