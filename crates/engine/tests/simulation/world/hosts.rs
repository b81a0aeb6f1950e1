//! The machines' side: agents that live there speak when it is their time.

use std::collections::BTreeMap;

use domain::{ExecutionId, Label};

use super::{AFTER_ERROR, World};
use crate::agents::{Agent, Did};
use crate::rules::Violation;

impl World {
    /// Lets the living speak, and buries the dead.
    pub(super) async fn agents(&mut self) -> Result<(), Violation> {
        let now = self.time.real();
        let alive: BTreeMap<Label, market::Boot> = self.machine.alive().into_iter().collect();
        let dead: Vec<Label> = self.agents.keys().filter(|l| !alive.contains_key(*l)).cloned().collect();
        for label in dead {
            let agent = self.agents.remove(&label).unwrap();
            if agent.lingers {
                self.late_call(&agent).await?;
            }
        }
        for (label, boot) in &alive {
            if !self.agents.contains_key(label) {
                let agent = Agent::new(&self.story, label, boot, now);
                self.agents.insert(label.clone(), agent);
            }
        }
        let due: Vec<Label> =
            self.agents.iter().filter(|(_, a)| a.next <= now).map(|(label, _)| label.clone()).collect();
        for label in due {
            let Some(engine) = self.up.as_ref().map(|up| up.engine.clone()) else {
                self.agents.get_mut(&label).unwrap().next = now + AFTER_ERROR;
                continue;
            };
            let agent = self.agents.get_mut(&label).unwrap();
            let (did, execution) = (agent.step(&engine, now).await?, agent.execution);
            let idle = matches!(did, Did::Step(_) | Did::Wait);
            self.took(&label, execution, did).await?;
            if !idle {
                self.check().await?;
            }
        }
        Ok(())
    }

    async fn took(&mut self, label: &Label, execution: ExecutionId, did: Did) -> Result<(), Violation> {
        self.went_back().await;
        let row = self.store.execution_get(execution).await.unwrap();
        let life = row.and_then(|row| self.lives.iter().position(|life| life.job == Some(row.job)));
        match did {
            Did::Step(what) => self.note(format_args!("{label} {what}")),
            Did::Wait => self.note(format_args!("{label} is told to wait")),
            Did::NoAnswer => self.crash(format_args!("while {label} spoke")),
            Did::Gone(what) => {
                self.note(format_args!("{label} {what}"));
                self.count(format!("agent {what}"));
                if let Some(n) = life {
                    self.lives[n].completed |= what == "completed";
                }
                if what != "hangs" && what != "never connects" {
                    self.machine.die(label);
                }
            }
            Did::Welcomed(from) => {
                self.note(format_args!("{label} goes on from {from}"));
                if let Some(n) = life
                    && from < self.lives[n].stored
                {
                    return Err(format!(
                        "{label} goes on from {from}, though state {} of its job is stored",
                        self.lives[n].stored
                    ));
                }
            }
            Did::Stored(segment) => {
                self.note(format_args!("{label} stored {segment}"));
                if let Some(n) = life {
                    self.lives[n].stored = self.lives[n].stored.max(segment);
                }
            }
        }
        Ok(())
    }

    /// Work that did not pass is not built upon, so an earlier state counts.
    pub(super) async fn went_back(&mut self) {
        for n in 0..self.lives.len() {
            let Some(job) = self.lives[n].job.filter(|_| self.story.weighed && !self.lives[n].settled) else {
                continue;
            };
            let Some(row) = self.store.job_get(job).await.unwrap() else { continue };
            if row.segments_done < self.lives[n].stored {
                self.lives[n].stored = row.segments_done;
                self.lives[n].refuted = true;
                self.count("job went back");
            }
        }
    }

    async fn late_call(&mut self, agent: &Agent) -> Result<(), Violation> {
        let Some(engine) = self.up.as_ref().map(|up| up.engine.clone()) else { return Ok(()) };
        let open =
            self.store.execution_get(agent.execution).await.unwrap().is_some_and(|x| x.state.is_open());
        let served = agent.late_call(&engine).await?;
        self.note(format_args!("a late call for {}: {served}", agent.execution));
        self.count(format!("late call {served}"));
        if served && !open {
            return Err(format!("execution {} took a state though it had ended", agent.execution));
        }
        Ok(())
    }
}
