//! The other parties: providers, the agents on their machines, and a stranger.

use std::collections::BTreeSet;

use chain::market::State;
use domain::Clock;

use super::{AFTER_ERROR, World};
use crate::agents::{Agent, Did};
use crate::mills::Turn;
use crate::rules::Violation;

impl World {
    /// Lets every provider that has something to do have its turn. Whether any had.
    pub(super) async fn mills(&mut self) -> Result<bool, Violation> {
        let now = self.time.real();
        if self.stalled {
            // Its transactions would wait in real time for a block that comes in simulated time.
            for mill in &mut self.mills {
                mill.next = mill.next.max(now + AFTER_ERROR);
            }
            return Ok(false);
        }
        let mut moved = false;
        for n in 0..self.mills.len() {
            if self.mills[n].start(now).await? {
                self.note(format_args!("provider {n} starts"));
            }
            let head = self.place.head().await;
            if !self.mills[n].is_due(head, now) {
                continue;
            }
            moved = true;
            let clock = self.time.now();
            match self.mills[n].turn(&self.place, now, clock).await? {
                Turn::Rests => {}
                Turn::Dies => {
                    self.note(format_args!("provider {n} dies in the middle of its work"));
                    self.count("provider killed at a request");
                    let back = self.mills[n].back;
                    self.mills[n].die(false, back.map_or(i64::MAX, |back| now + back));
                }
            }
        }
        Ok(moved)
    }

    /// Lets agents speak whose time it is.
    pub(super) async fn agents(&mut self) -> Result<(), Violation> {
        let now = self.time.real();
        let mut alive = BTreeSet::new();
        for (n, mill) in self.mills.iter().enumerate() {
            for (label, boot) in mill.machine.alive() {
                let folder = mill.folder.machines().join(label.as_str());
                let place = (n, label);
                if !self.agents.contains_key(&place) {
                    let agent = Agent::new(&self.story, &boot, folder, now);
                    self.agents.insert(place.clone(), agent);
                }
                alive.insert(place);
            }
        }
        self.agents.retain(|place, _| alive.contains(place));
        let due = self.agents.iter().filter(|(_, agent)| agent.next <= now);
        let mut due: Vec<_> = due.map(|(place, agent)| (agent.execution(), place.clone())).collect();
        due.sort();
        for (execution, place) in due {
            let agent = self.agents.get_mut(&place).unwrap();
            let Some(engine) = self.up.as_ref().map(|up| up.engine.clone()) else {
                agent.next = now + AFTER_ERROR;
                continue;
            };
            let did = match self.trap.alive(agent.step(&engine, now)).await {
                Some(did) => did?,
                None => Did::NoAnswer,
            };
            let (n, label) = place;
            match did {
                Did::Step(what) | Did::Silent(what) => self.note(format_args!("{execution} at {n} {what}")),
                Did::Wait => {}
                Did::NoAnswer => self.crash(format_args!("while {execution} spoke")),
                Did::Gone(what) => {
                    self.note(format_args!("{execution} at {n} {what}"));
                    self.count(format!("agent {what}"));
                    self.mills[n].machine.die(&label);
                    self.mills[n].wake(now);
                }
            }
        }
        Ok(())
    }

    /// Somebody who is no party sends `expire` for every lease that is past its deadline. How many moved.
    pub(crate) async fn stranger_expires(&mut self) -> Result<usize, Violation> {
        self.truth.sync(&self.place.market).await?;
        let now = self.place.market.next_time().await.unwrap();
        let mut moved = 0;
        let open: Vec<_> = self
            .truth
            .leases
            .iter()
            .filter(|(_, known)| !known.is_final)
            .map(|(id, k)| (*id, k.clone()))
            .collect();
        for (id, known) in open {
            let lease = self.place.market.lease(id).await.unwrap().unwrap();
            if now <= lease.deadline || lease.state == State::Settled {
                continue;
            }
            let call = self.place.market.calls().expire(&known.order);
            let key = format!("{id}:{}", lease.state.code());
            if !self.place.by_stranger(key, &call).await {
                return Err(format!("{} is past its deadline, and `expire` is refused", known.label));
            }
            moved += 1;
        }
        self.truth.sync(&self.place.market).await?;
        Ok(moved)
    }
}
