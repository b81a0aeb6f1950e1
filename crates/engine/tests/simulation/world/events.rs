//! What the story brings: users, dying providers, outages, and a clock that is set.

use domain::JobId;
use waag_engine::{Submission, SubmitError};

use super::{Life, World};
use crate::parts::{died, lock};
use crate::rules::Violation;
use crate::story::Event;

impl World {
    pub(super) async fn events(&mut self) -> Result<(), Violation> {
        let now = self.time.real();
        let mut due = std::mem::take(&mut self.waiting);
        while let Some((at, event)) = self.story.events.get(self.next_event)
            && *at <= now
        {
            due.push(event.clone());
            self.next_event += 1;
        }
        for event in due {
            match event {
                Event::Submit(n) => self.submit(n).await?,
                Event::Cancel(n) => self.cancel(n).await?,
                Event::CancelDuringCall(n) => {
                    let who = self.beside.clone();
                    *lock(&self.wire.cancel) = self.lives[n].job.zip(who);
                }
                Event::Outage(n, span) => {
                    let name = self.sites[n].name().clone();
                    self.note(format_args!("{name} does not answer for {span} ms"));
                    lock(&self.wire.out).insert(name, now + span);
                }
                Event::Jump(by) => {
                    self.time.jump(by);
                    self.jumped = true;
                    self.set_back += (-by).max(0);
                    self.note(format_args!("the clock is set by {by} ms"));
                }
                Event::Trap(point) => self.trap.arm(point, 1),
                Event::Restart => self.crash("killed"),
                Event::KillProvider => self.kill_provider().await?,
            }
        }
        Ok(())
    }

    pub(crate) fn submission(&self, n: usize) -> Submission {
        Submission {
            file: self.story.jobs[n].file.clone().into_bytes(),
            file_name: "sim.yaml".to_owned(),
            key: Some(format!("key-{n}")),
            ..Submission::default()
        }
    }

    /// Job `n` was admitted as this one.
    pub(crate) fn admitted(&mut self, n: usize, job: JobId) {
        self.lives[n] = Life { job: Some(job), submitted_at: self.time.real(), ..Life::default() };
    }

    async fn submit(&mut self, n: usize) -> Result<(), Violation> {
        let Some(up) = &self.up else {
            self.waiting.push(Event::Submit(n));
            return Ok(());
        };
        let submission = self.submission(n);
        self.lives[n].submitted_at = self.time.real();
        match up.engine.job_submit(submission).await {
            Ok(submitted) => {
                self.lives[n].job = Some(submitted.job);
                self.note(format_args!("job {n} is {}", submitted.job));
            }
            Err(SubmitError::Engine(error)) if died(&error) => {
                self.crash(error);
                self.waiting.push(Event::Submit(n));
            }
            Err(SubmitError::Engine(error)) => return Err(format!("job {n} could not be stored: {error:?}")),
            Err(refused) => {
                self.lives[n].refused = Some(refused.code());
                self.note(format_args!("job {n} is refused: {}", refused.code()));
                self.count(format!("refused {}", refused.code()));
            }
        }
        Ok(())
    }

    async fn cancel(&mut self, n: usize) -> Result<(), Violation> {
        let (Some(up), Some(job)) = (&self.up, self.lives[n].job) else {
            if self.lives[n].refused.is_none() {
                self.waiting.push(Event::Cancel(n));
            }
            return Ok(());
        };
        match up.engine.job_cancel(job).await {
            Ok(()) => self.lives[n].cancelled = true,
            Err(error) if died(&error) => {
                self.crash(error);
                self.waiting.push(Event::Cancel(n));
            }
            Err(error) => return Err(format!("job {n} could not be cancelled: {error:?}")),
        }
        self.note(format_args!("job {n} is cancelled"));
        Ok(())
    }

    async fn kill_provider(&mut self) -> Result<(), Violation> {
        let mut live = Vec::new();
        for (n, site) in self.sites.iter().enumerate() {
            live.extend(site.truth().await.into_iter().filter(|one| one.live).map(|one| (n, one.label)));
        }
        if let Some((n, label)) = self.dice.pick(&live) {
            // A network that is down for a moment keeps its provider.
            if let Ok(provider) = self.sites[*n].network.kill_provider(label).await {
                self.note(format_args!("provider {provider} dies"));
                self.count("provider killed");
            }
        }
        Ok(())
    }
}
