//! A job watched to its end.
//!
//! - `events.rs`: what changed between two looks, in words.
//! - `report.rs`: what happened and what it cost.

mod events;
pub(crate) mod report;

use std::time::{Duration, Instant};

use domain::JobId;
use indicatif::{ProgressBar, ProgressStyle};
use wire::rest::JobDoc;

use crate::client::{Client, is_away};
use crate::failure::Done;
use crate::show::Out;
use crate::show::text::{clean, short};

/// Without a terminal progress is a line, no more often than this.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// A control plane that is away for longer than this is given up; the job runs on.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// Pieces of log read in one turn.
const LOG_PIECES_MAX: u32 = 16;

/// Watches one job: events, progress and log go to whoever watches.
pub(crate) struct Watch<'a> {
    client: &'a Client,
    out: &'a Out,
    job: JobId,
    started: Instant,
    last: Option<JobDoc>,
    log_offset: u64,
    bar: ProgressBar,
    line_at: Instant,
    line_segments: u32,
    away_since: Option<Instant>,
}

impl<'a> Watch<'a> {
    /// Watches `job`; times are shown from `started`.
    pub(crate) fn new(client: &'a Client, out: &'a Out, job: &JobDoc, started: Instant) -> Self {
        let bar = ProgressBar::with_draw_target(Some(u64::from(job.segments)), out.draw_target());
        if let Ok(style) = ProgressStyle::with_template("{elapsed:>7}  [{bar:32}] {pos}/{len} segments") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            client,
            out,
            job: job.id,
            started,
            last: None,
            log_offset: 0,
            bar,
            line_at: started,
            line_segments: 0,
            away_since: None,
        }
    }

    /// Looks once and tells what is new. Keeps the last look while the control plane is away for a moment.
    pub(crate) async fn turn(&mut self) -> Done<JobDoc> {
        let looked = self.look().await;
        match (looked, &self.last) {
            (Ok(doc), _) => {
                self.away_since = None;
                Ok(doc)
            }
            (Err(failure), Some(last)) if is_away(&failure) => {
                let last = last.clone();
                let since = *self.away_since.get_or_insert_with(Instant::now);
                if since.elapsed() > AWAY_MAX {
                    return Err(failure.next(format!(
                        "the job runs on; start `waag up`, then `waag logs -f {}`",
                        self.job
                    )));
                }
                Ok(last)
            }
            (Err(failure), _) => Err(failure),
        }
    }

    async fn look(&mut self) -> Done<JobDoc> {
        let doc = self.client.job_show(&self.job.to_string()).await?;
        self.log().await?;
        for event in events::between(self.last.as_ref(), &doc) {
            self.say(&event);
        }
        self.progress(&doc);
        self.last = Some(doc.clone());
        Ok(doc)
    }

    async fn log(&mut self) -> Done {
        for _ in 0..LOG_PIECES_MAX {
            let piece = self.client.job_log(&self.job.to_string(), self.log_offset).await?;
            if piece.text.is_empty() {
                break;
            }
            self.bar.suspend(|| {
                for line in clean(&piece.text).lines() {
                    self.out.say(&format!("         | {line}"));
                }
            });
            self.log_offset = piece.next_offset;
        }
        Ok(())
    }

    /// A line with the time at its front.
    pub(crate) fn say(&self, text: &str) {
        let at = short(self.started.elapsed());
        self.bar.suspend(|| self.out.say(&format!("{at:>8} {text}")));
    }

    fn progress(&mut self, doc: &JobDoc) {
        self.bar.set_position(u64::from(doc.segments_done));
        if self.out.is_watched() || doc.segments_done == self.line_segments {
            return;
        }
        if self.line_at.elapsed() >= LINE_EVERY || doc.segments_done == doc.segments {
            self.say(&format!("progress  {} of {} segments", doc.segments_done, doc.segments));
            (self.line_at, self.line_segments) = (Instant::now(), doc.segments_done);
        }
    }

    /// Ends the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
