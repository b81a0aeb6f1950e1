//! What the story brings: users, dying parties, ways that are cut and mended.

use chain::embedded::TestControl;
use waag_engine::{Submission, SubmitError};

use super::{Mend, World};
use crate::rules::Violation;
use crate::stand::{died, lock};
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
            if !matches!(event, Event::Submit(_) | Event::Cancel(_)) {
                self.note(format_args!("{event:?}"));
            }
            match event {
                Event::Submit(n) => self.submit(n).await?,
                Event::Cancel(n) => self.cancel(n).await?,
                Event::Trap(point, nth) => self.trap.arm(point, nth),
                Event::Restart => self.crash("killed"),
                Event::Vanish => {
                    self.up_at = i64::MAX;
                    self.crash("for good");
                }
                Event::KillMill(n, agents, back) => {
                    self.mills[n].die(agents, back.map_or(i64::MAX, |back| now + back));
                    self.count("provider killed");
                }
                Event::KillMillAt(n, nth, side, back) => {
                    self.mills[n].back = back;
                    self.mills[n].gate.kill_at(nth, side);
                }
                Event::KillMillAtSend(n, side, back) => {
                    self.mills[n].back = back;
                    self.mills[n].gate.kill_at_send(side);
                }
                Event::CutMill(n, span) => {
                    self.mills[n].gate.cut(true);
                    self.mends.push((now + span, Mend::Mill(n)));
                }
                Event::Outage(span) => *lock(&self.wire.out) = now + span,
                Event::Unreachable(span) => {
                    self.place.gate.cut(true);
                    self.mends.push((now + span, Mend::Consumer));
                }
                Event::Stall(span) => {
                    TestControl::of(&self.place.chain).pause();
                    self.stalled = true;
                    self.mends.push((now + span, Mend::Blocks));
                }
            }
        }
        Ok(())
    }

    /// What was cut is whole again when its time is over.
    pub(super) async fn mend(&mut self) {
        let now = self.time.real();
        let (due, later) = std::mem::take(&mut self.mends).into_iter().partition(|(at, _)| *at <= now);
        self.mends = later;
        let due: Vec<(i64, Mend)> = due;
        for (_, mend) in due {
            if self.mends.iter().any(|(_, other)| *other == mend) {
                continue;
            }
            self.note(format_args!("mended: {mend:?}"));
            match mend {
                Mend::Mill(n) => {
                    self.mills[n].gate.cut(false);
                    self.mills[n].wake(now);
                }
                Mend::Consumer => self.place.gate.cut(false),
                Mend::Blocks => {
                    let control = TestControl::of(&self.place.chain);
                    control.mine(1).unwrap();
                    control.resume();
                    self.stalled = false;
                }
            }
        }
    }

    async fn submit(&mut self, n: usize) -> Result<(), Violation> {
        let Some(up) = &self.up else {
            self.waiting.push(Event::Submit(n));
            return Ok(());
        };
        let submission = Submission {
            file: self.story.jobs[n].file.clone().into_bytes(),
            file_name: "sim.yaml".to_owned(),
            key: Some(format!("key-{n}")),
            ..Submission::default()
        };
        self.lives[n].submitted_at = self.time.real();
        match self.trap.alive(up.engine.job_submit(submission)).await {
            Some(Ok(submitted)) => {
                self.lives[n].job = Some(submitted.job);
                self.note(format_args!("job {n} is {}", submitted.job));
            }
            Some(Err(SubmitError::Engine(error))) if !died(&error) => {
                return Err(format!("job {n} could not be stored: {error:?}"));
            }
            None | Some(Err(SubmitError::Engine(_))) => {
                self.crash("while a job was submitted");
                self.waiting.push(Event::Submit(n));
            }
            Some(Err(refused)) => {
                self.lives[n].refused = true;
                self.note(format_args!("job {n} is refused: {}", refused.code()));
                self.count(format!("refused {}", refused.code()));
            }
        }
        Ok(())
    }

    async fn cancel(&mut self, n: usize) -> Result<(), Violation> {
        let (Some(up), Some(job)) = (&self.up, self.lives[n].job) else {
            if !self.lives[n].refused {
                self.waiting.push(Event::Cancel(n));
            }
            return Ok(());
        };
        match self.trap.alive(up.engine.job_cancel(job)).await {
            Some(Ok(())) => self.note(format_args!("job {n} is cancelled")),
            Some(Err(error)) if !died(&error) => {
                return Err(format!("job {n} could not be cancelled: {error:?}"));
            }
            None | Some(Err(_)) => {
                self.crash("while a job was cancelled");
                self.waiting.push(Event::Cancel(n));
            }
        }
        Ok(())
    }
}
