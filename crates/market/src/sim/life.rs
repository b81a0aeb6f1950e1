//! How leases move on: everything that falls due by now happens, in the order of its time.

use domain::{Billing, Label, Millis, ProviderName, Timestamp, Usd};

use super::books::Books;
use super::lease::{Lease, Phase, Seat};
use super::network::SimNetwork;
use super::queue;
use super::state::StateError;
use crate::{MachineError, MachineRef};

/// While every provider is taken, a queue looks again after this.
const ASSIGN_AGAIN: Millis = Millis(500);
/// An agent that could not be ended is tried again after this.
const KILL_AGAIN: Millis = Millis(1_000);

impl SimNetwork {
    /// Lets everything happen that is due. Each step moves its lease's next due time on, so there is an end.
    pub(super) async fn advance(&self, books: &mut Books, now: Timestamp) -> Result<(), StateError> {
        while let Some((at, lease)) = books.first_due()
            && at <= now
        {
            let lease = lease.clone();
            self.step(books, lease, at, now).await?;
        }
        books.forget_old(now);
        Ok(())
    }

    async fn step(
        &self,
        books: &mut Books,
        mut lease: Lease,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StateError> {
        match &mut lease.phase {
            Phase::Bidding { .. } => {
                lease.phase = Phase::Ended { at, billed: Usd::ZERO, seat: None };
                books.journal.boot_remove(&lease.label)?;
            }
            Phase::Queued { .. } => {
                // Billing starts now and not when it was due: the agent could not have been started before this call.
                let until = self.until(&lease.billing, lease.span, now);
                lease.phase = match queue::assign(&self.shop, books, &lease) {
                    Some(provider) => Phase::Live(Seat { until, ..Seat::new(provider, now) }),
                    None => Phase::Queued { assign_at: now + ASSIGN_AGAIN },
                };
            }
            Phase::Live(seat) if seat.machine.is_none() => return self.start(books, lease, now).await,
            Phase::Live(seat) => {
                let seat = seat.clone();
                let fate = self.shop.fate(&lease.label);
                if Lease::ends_at(&seat, &fate).is_some_and(|end| end <= at) {
                    return self.end(books, lease, seat, at, now).await.map(|_| ());
                }
                self.lose(&mut lease, seat, at).await;
            }
            Phase::Ended { seat, .. } => {
                if let Err(error) = self.machine.forget(&lease.label).await {
                    tracing::warn!(label = %lease.label, %error, "an agent's folder could not be removed");
                }
                if let Some(seat) = seat {
                    seat.machine = None;
                }
            }
        }
        self.put(books, lease)
    }

    /// Starts the agent. What cannot be started is ended by the network and not billed.
    async fn start(&self, books: &mut Books, mut lease: Lease, now: Timestamp) -> Result<(), StateError> {
        let Phase::Live(seat) = &mut lease.phase else { return Ok(()) };
        let started = match books.journal.boot_get(&lease.label)? {
            Some(boot) => self.machine.start(&lease.label, &boot).await.map(Some),
            None => Ok(None),
        };
        match started {
            Ok(Some(machine)) => seat.machine = Some(machine),
            failed => {
                let error = failed.err().map(|e| domain::chain(&e));
                tracing::warn!(label = %lease.label, error, "an agent could not be started");
                lease.phase = Phase::Ended { at: now, billed: Usd::ZERO, seat: Some(seat.clone()) };
            }
        }
        let label = lease.label.clone();
        self.put(books, lease)?;
        books.journal.boot_remove(&label)
    }

    /// The provider is lost, and its agent with it; the lease goes on being billed.
    pub(super) async fn lose(&self, lease: &mut Lease, mut seat: Seat, at: Timestamp) {
        if let Err(error) = self.kill(&lease.label, seat.machine).await {
            tracing::warn!(label = %lease.label, error = domain::chain(&error), "a lost agent could not be ended");
        }
        seat.lost_at = Some(at);
        lease.phase = Phase::Live(seat);
    }

    /// Ends a live lease: its agent first, then the bill. When the agent cannot be ended, the lease stays live, is tried
    /// again later, and the error is handed back.
    pub(super) async fn end(
        &self,
        books: &mut Books,
        mut lease: Lease,
        seat: Seat,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Result<(), MachineError>, StateError> {
        if let Err(error) = self.kill(&lease.label, seat.machine).await {
            tracing::warn!(label = %lease.label, error = domain::chain(&error), "an agent could not be ended");
            lease.due = Some(now + KILL_AGAIN);
            books.put(lease)?;
            return Ok(Err(error));
        }
        let billed = lease.bill(&seat, at, &self.shop.fate(&lease.label));
        books.journal.boot_remove(&lease.label)?;
        lease.phase = Phase::Ended { at, billed, seat: Some(seat) };
        self.put(books, lease)?;
        Ok(Ok(()))
    }

    async fn kill(&self, label: &Label, machine: Option<MachineRef>) -> Result<(), MachineError> {
        match machine {
            Some(machine) => self.machine.kill(label, machine).await,
            None => Ok(()),
        }
    }

    /// When a lease that goes live now ends by itself.
    pub(super) fn until(&self, billing: &Billing, span: Millis, now: Timestamp) -> Option<Timestamp> {
        match billing {
            Billing::Prepaid { span, .. } => Some(now + *span),
            Billing::Metered { .. } => self.shop.capability.extend.then(|| now + span),
        }
    }

    /// Records a lease together with the time when something happens to it next.
    pub(super) fn put(&self, books: &mut Books, mut lease: Lease) -> Result<(), StateError> {
        lease.due = lease.next(&self.shop.fate(&lease.label));
        books.put(lease)
    }

    /// A provider dies with all its agents.
    pub(super) async fn bury(
        &self,
        books: &mut Books,
        provider: &ProviderName,
        now: Timestamp,
    ) -> Result<(), StateError> {
        books.bury(provider)?;
        let on_it = |lease: &&Lease| lease.live().is_some_and(|seat| seat.provider == *provider);
        let leases: Vec<Lease> = books.open_leases().filter(on_it).cloned().collect();
        for mut lease in leases {
            if let Some(seat) = lease.live().filter(|seat| seat.lost_at.is_none()).cloned() {
                self.lose(&mut lease, seat, now).await;
                self.put(books, lease)?;
            }
        }
        Ok(())
    }
}
