//! What a demo or a test may do to a simulated network, and what it may see beside the trait: the truth.

use domain::{Label, ProviderName, Timestamp, Usd};

use super::lease::{Lease, Phase};
use super::network::SimNetwork;
use super::state::StateError;
use crate::{Error, ErrorKind, Operation};

/// A lease or request as it really is, shown or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Whose.
    pub label: Label,
    /// Whether it has not ended.
    pub open: bool,
    /// Whether it is billed now.
    pub live: bool,
    /// How often it was really bought.
    pub purchases: u32,
    /// What it was billed, or what it would be if it ended now.
    pub cost: Usd,
}

impl SimNetwork {
    /// Kills the machine of a live lease's provider for good: its agents die, its offers vanish, and the network bills
    /// on until the leases are released. Returns whose machine it was.
    ///
    /// # Errors
    /// `NotFound` when no live lease has this label; otherwise the state could not be written.
    pub async fn kill_provider(&self, label: &Label) -> Result<ProviderName, Error> {
        let mut call = self.enter(Operation::Observe, label.as_str()).await?;
        let live = call.books.get(label).and_then(Lease::live).map(|seat| seat.provider.clone());
        let provider =
            live.ok_or_else(|| self.refuse(&call, ErrorKind::NotFound, "no live lease of this label"))?;
        let now = call.now;
        let buried = self.bury(&mut call.books, &provider, now).await;
        buried.map_err(|e| self.unwritten(Operation::Observe, e))?;
        Ok(provider)
    }

    /// Lets everything happen that is due by now, as any call does; a simulation that jumps in time calls it.
    ///
    /// # Errors
    /// The state could not be written.
    pub async fn catch_up(&self) -> Result<(), StateError> {
        let now = self.clock.now();
        self.advance(&mut *self.books.lock().await, now).await
    }

    /// When something happens next by itself.
    pub async fn next_due(&self) -> Option<Timestamp> {
        self.books.lock().await.first_due().map(|(at, _)| at)
    }

    /// The labels whose agent really runs.
    pub async fn running(&self) -> Vec<Label> {
        let books = self.books.lock().await;
        let mut running = Vec::new();
        for lease in books.all() {
            let seat = match &lease.phase {
                Phase::Live(seat) => Some(seat),
                Phase::Ended { seat, .. } => seat.as_ref(),
                _ => None,
            };
            let Some(machine) = seat.and_then(|seat| seat.machine) else { continue };
            if self.machine.find(&lease.label, machine).await.unwrap_or(true) {
                running.push(lease.label.clone());
            }
        }
        running
    }

    /// How many leases are billed now.
    pub async fn live_leases(&self) -> usize {
        self.books.lock().await.open_leases().filter(|lease| lease.live().is_some()).count()
    }

    /// How many leases and requests have not ended, shown or not.
    pub async fn open_leases(&self) -> usize {
        self.books.lock().await.open_leases().count()
    }

    /// How often the label was really bought.
    pub async fn purchases(&self, label: &Label) -> u32 {
        self.books.lock().await.get(label).map_or(0, |lease| lease.purchases)
    }

    /// Every known lease that was billed, with the time it was: the end is missing while it lasts.
    pub async fn lives(&self) -> Vec<(Label, Timestamp, Option<Timestamp>)> {
        let books = self.books.lock().await;
        let life = |lease: &Lease| match &lease.phase {
            Phase::Live(seat) => Some((lease.label.clone(), seat.since, None)),
            Phase::Ended { at, seat: Some(seat), .. } => Some((lease.label.clone(), seat.since, Some(*at))),
            _ => None,
        };
        books.all().filter_map(life).collect()
    }

    /// Every known lease and request, by label.
    pub async fn truth(&self) -> Vec<Truth> {
        let now = self.clock.now();
        let books = self.books.lock().await;
        let truth = |lease: &Lease| Truth {
            label: lease.label.clone(),
            open: lease.is_open(),
            live: lease.live().is_some(),
            purchases: lease.purchases,
            cost: match &lease.phase {
                Phase::Live(seat) => lease.bill(seat, now, &self.shop.fate(&lease.label)),
                Phase::Ended { billed, .. } => *billed,
                _ => Usd::ZERO,
            },
        };
        books.all().map(truth).collect()
    }
}
