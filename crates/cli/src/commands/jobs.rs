//! `waag jobs`: list, show, remove.

use wire::rest::{JobDoc, JobsDoc};

use super::Session;
use crate::args::{Jobs, JobsCommand};
use crate::failure::{Done, Exit, Failure};
use crate::follow::report;
use crate::show::table::{Side, Table};
use crate::show::text::clean;
use crate::show::{can_ask, must_ask};

pub(crate) async fn run(session: &Session<'_>, jobs: &Jobs) -> Done {
    match &jobs.command {
        None => list(session, jobs.limit).await,
        Some(JobsCommand::Show { job }) => {
            let doc = session.client.job_show(job).await?;
            session.out.either(&doc, || report::text(&doc));
            Ok(())
        }
        Some(JobsCommand::Rm { job, yes }) => remove(session, job, *yes).await,
    }
}

async fn list(session: &Session<'_>, limit: u32) -> Done {
    let jobs = session.client.job_list(limit).await?;
    session.out.either(&jobs, || table(&jobs));
    Ok(())
}

fn table(jobs: &JobsDoc) -> String {
    if jobs.jobs.is_empty() {
        return "no jobs yet".to_owned();
    }
    let mut table = Table::new(&[
        ("id", Side::Left),
        ("name", Side::Left),
        ("state", Side::Left),
        ("outcome", Side::Left),
        ("progress", Side::Right),
        ("network", Side::Left),
        ("paid $", Side::Right),
        ("held $", Side::Right),
        ("submitted", Side::Left),
    ]);
    for job in &jobs.jobs {
        table.row(row(job));
    }
    table.text()
}

fn row(job: &JobDoc) -> Vec<String> {
    let network = job.executions.last().map_or_else(String::new, |x| clean(&x.network));
    vec![
        job.id.to_string(),
        clean(&job.name),
        job.state.clone(),
        job.outcome.clone().unwrap_or_default(),
        format!("{}/{}", job.segments_done, job.segments),
        network,
        job.settlement.as_ref().map_or_else(|| "-".to_owned(), |s| s.paid_usd.to_string()),
        job.held_usd.to_string(),
        job.submitted_at.clone(),
    ]
}

async fn remove(session: &Session<'_>, job: &str, yes: bool) -> Done {
    let doc = session.client.job_show(job).await?;
    if !yes {
        if !can_ask() {
            return Err(must_ask(&format!("removing {} {}", doc.id, doc.name), "--yes"));
        }
        if !session
            .out
            .confirm(&format!("remove {} {} with its log, checkpoints and outputs?", doc.id, doc.name))
        {
            return Err(Failure::new(Exit::Failed, "not_confirmed", "nothing was removed"));
        }
    }
    session.client.job_remove(&doc.id.to_string()).await?;
    let removed = serde_json::json!({ "removed": doc.id });
    session.out.either(&removed, || format!("removed {} {}", doc.id, doc.name));
    Ok(())
}
