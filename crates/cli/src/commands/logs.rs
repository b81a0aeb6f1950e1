//! `waag logs`.

use std::time::Duration;

use super::Session;
use crate::failure::Done;
use crate::show::text::clean;

const POLL: Duration = Duration::from_millis(300);

pub(crate) async fn run(session: &Session<'_>, job: &str, follow: bool) -> Done {
    // The name may come to mean another job, the id not.
    let id = session.client.job_show(job).await?.id.to_string();
    let (mut offset, mut whole) = (0, String::new());
    loop {
        let piece = session.client.job_log(&id, offset).await?;
        let more = !piece.text.is_empty();
        offset = piece.next_offset;
        if session.out.json && !follow {
            whole.push_str(&piece.text);
        } else if session.out.json && more {
            // One object per line, so that a reader can go along.
            session.out.answer(&serde_json::json!({ "job": id, "text": piece.text }).to_string());
        } else {
            session.out.answer_raw(&clean(&piece.text));
        }
        match (more, follow && piece.open) {
            (true, _) => {}
            (false, true) => tokio::time::sleep(POLL).await,
            (false, false) => break,
        }
    }
    if session.out.json && !follow {
        session.out.document(&serde_json::json!({ "job": id, "text": whole }));
    }
    Ok(())
}
