//! The leases of a simulated network, with the indexes that make every look-up short.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Label, Millis, ProviderName, Timestamp, Usd};

use super::lease::{Lease, Phase};
use super::state::{Entry, Journal, StateError, StateFile};

/// An ended lease can be asked about for this long ...
const ENDED_KEPT: Millis = Millis(24 * 3_600_000);
/// ... unless so many others have ended since.
const ENDED_MAX: usize = 20_000;
/// The journal is rewritten when it holds this many lines for each entry needed, but not below the least.
const LINES_PER_ENTRY: usize = 4;
const LINES_LEAST: usize = 20_000;

/// What changes while the network runs.
pub(super) struct Books {
    leases: BTreeMap<Label, Lease>,
    due: BTreeSet<(Timestamp, Label)>,
    open: BTreeSet<Label>,
    ended: BTreeSet<(Timestamp, Label)>,
    load: BTreeMap<ProviderName, u32>,
    dead: BTreeSet<String>,
    /// What kept leases take from our account, and what forgotten ones took.
    committed: Usd,
    forgotten: Usd,
    /// How many calls there were; part of every draw about a call.
    pub(super) calls: u64,
    pub(super) journal: Journal,
}

impl Books {
    pub(super) fn open(state: &StateFile, now: Timestamp) -> Result<Self, StateError> {
        let (journal, entries) = Journal::open(state)?;
        let mut books = Self {
            leases: BTreeMap::new(),
            due: BTreeSet::new(),
            open: BTreeSet::new(),
            ended: BTreeSet::new(),
            load: BTreeMap::new(),
            dead: BTreeSet::new(),
            committed: Usd::ZERO,
            forgotten: Usd::ZERO,
            calls: 0,
            journal,
        };
        for entry in entries {
            match entry {
                Entry::Lease(lease) => books.index(*lease),
                Entry::Dead(provider) => {
                    books.dead.insert(provider);
                }
                Entry::Forgotten(amount) => books.forgotten = amount,
            }
        }
        books.forget_old(now);
        books.rewrite()?;
        let waits = |label: &Label| books.get(label).is_some_and(Lease::is_open);
        books.journal.boot_keep_only(waits)?;
        Ok(books)
    }

    pub(super) fn get(&self, label: &Label) -> Option<&Lease> {
        self.leases.get(label)
    }

    /// Open leases by label.
    pub(super) fn open_leases(&self) -> impl Iterator<Item = &Lease> {
        self.open.iter().filter_map(|label| self.leases.get(label))
    }

    /// All leases that are still known.
    pub(super) fn all(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values()
    }

    /// The lease to which something happens next, and when.
    pub(super) fn first_due(&self) -> Option<(Timestamp, &Lease)> {
        let (at, label) = self.due.first()?;
        Some((*at, self.leases.get(label)?))
    }

    pub(super) fn is_dead(&self, provider: &ProviderName) -> bool {
        self.dead.contains(provider.as_str())
    }

    pub(super) fn load(&self, provider: &ProviderName) -> u32 {
        self.load.get(provider).copied().unwrap_or(0)
    }

    /// What is left of `funds`.
    pub(super) fn left_of(&self, funds: Usd) -> Usd {
        funds.less(self.committed + self.forgotten)
    }

    /// Writes the lease down, then shows it.
    pub(super) fn put(&mut self, lease: Lease) -> Result<(), StateError> {
        let entry = Entry::Lease(Box::new(lease));
        self.journal.append(&entry)?;
        if let Entry::Lease(lease) = entry {
            self.index(*lease);
        }
        if self.journal.lines > LINES_LEAST.max(LINES_PER_ENTRY * self.leases.len()) {
            self.rewrite()?;
        }
        Ok(())
    }

    pub(super) fn bury(&mut self, provider: &ProviderName) -> Result<(), StateError> {
        self.journal.append(&Entry::Dead(provider.to_string()))?;
        self.dead.insert(provider.to_string());
        Ok(())
    }

    /// Drops ended leases that are no longer kept.
    pub(super) fn forget_old(&mut self, now: Timestamp) {
        while let Some((at, label)) = self.ended.first()
            && (now.since(*at) > ENDED_KEPT || self.ended.len() > ENDED_MAX)
        {
            let label = label.clone();
            if let Some(lease) = self.remove(&label) {
                self.forgotten += lease.committed();
            }
        }
    }

    fn rewrite(&mut self) -> Result<(), StateError> {
        let dead = self.dead.iter().cloned().map(Entry::Dead);
        let leases = self.leases.values().cloned().map(|lease| Entry::Lease(Box::new(lease)));
        self.journal.rewrite([Entry::Forgotten(self.forgotten)].into_iter().chain(dead).chain(leases))
    }

    fn index(&mut self, lease: Lease) {
        self.remove(&lease.label);
        if let Some(at) = lease.due {
            self.due.insert((at, lease.label.clone()));
        }
        match &lease.phase {
            Phase::Ended { at, .. } => self.ended.insert((*at, lease.label.clone())),
            _ => self.open.insert(lease.label.clone()),
        };
        if let Some(seat) = lease.live() {
            *self.load.entry(seat.provider.clone()).or_default() += 1;
        }
        self.committed += lease.committed();
        self.leases.insert(lease.label.clone(), lease);
    }

    fn remove(&mut self, label: &Label) -> Option<Lease> {
        let lease = self.leases.remove(label)?;
        if let Some(at) = lease.due {
            self.due.remove(&(at, label.clone()));
        }
        if let Phase::Ended { at, .. } = &lease.phase {
            self.ended.remove(&(*at, label.clone()));
        }
        self.open.remove(label);
        if let Some(seat) = lease.live()
            && let Some(load) = self.load.get_mut(&seat.provider)
        {
            *load = load.saturating_sub(1);
        }
        self.committed = self.committed - lease.committed();
        Some(lease)
    }
}
