//! `waag cancel`.

use super::Session;
use crate::failure::Done;

pub(crate) async fn run(session: &Session<'_>, job: &str) -> Done {
    let doc = session.client.job_cancel(job).await?;
    session.out.either(&doc, || {
        let outcome = doc.outcome.as_deref().unwrap_or("none");
        format!("{} {} is {}, outcome {outcome}", doc.id, doc.name, doc.state)
    });
    session.out.next(&format!("waag jobs show {}", doc.id));
    Ok(())
}
