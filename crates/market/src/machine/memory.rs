//! Agents that exist in memory only, for simulations: they are started, found and killed, and whoever drives the
//! simulation speaks for them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::Label;

use super::{Machine, MachineError, MachineRef};
use crate::Boot;

/// A machine whose agents do nothing by themselves.
#[derive(Default)]
pub struct MemoryMachine {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    alive: BTreeMap<Label, (MachineRef, Boot)>,
    started: u32,
}

impl MemoryMachine {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The living agents with their boot bytes.
    pub fn alive(&self) -> Vec<(Label, Boot)> {
        self.inner().alive.iter().map(|(label, (_, boot))| (label.clone(), boot.clone())).collect()
    }

    /// The boot bytes of a living agent.
    pub fn boot_of(&self, label: &Label) -> Option<Boot> {
        self.inner().alive.get(label).map(|(_, boot)| boot.clone())
    }

    /// The agent dies by itself.
    pub fn die(&self, label: &Label) {
        self.inner().alive.remove(label);
    }

    /// How many agents were ever started.
    pub fn started(&self) -> u32 {
        self.inner().started
    }
}

#[async_trait]
impl Machine for MemoryMachine {
    async fn start(&self, label: &Label, boot: &Boot) -> Result<MachineRef, MachineError> {
        let mut inner = self.inner();
        if let Some((machine, _)) = inner.alive.get(label) {
            return Ok(*machine);
        }
        inner.started += 1;
        let machine = MachineRef { pid: inner.started, started: u64::from(inner.started) };
        inner.alive.insert(label.clone(), (machine, boot.clone()));
        Ok(machine)
    }

    async fn find(&self, label: &Label, machine: MachineRef) -> Result<bool, MachineError> {
        Ok(self.inner().alive.get(label).is_some_and(|(alive, _)| *alive == machine))
    }

    async fn kill(&self, label: &Label, machine: MachineRef) -> Result<(), MachineError> {
        let mut inner = self.inner();
        if inner.alive.get(label).is_some_and(|(alive, _)| *alive == machine) {
            inner.alive.remove(label);
        }
        Ok(())
    }

    async fn forget(&self, _label: &Label) -> Result<(), MachineError> {
        Ok(())
    }
}
