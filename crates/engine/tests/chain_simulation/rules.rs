//! What must hold whenever nothing moves, whatever happened: the ledger adds up, the chain adds up, and they agree.

use std::collections::BTreeMap;

use chain::B256;
use chain::market::{Cause, Lease, State, usd};
use domain::{JobState, Label, Usd};
use store::{LeaseRow, Store};

use crate::line::Wire;
use crate::mills::Mill;
use crate::place::{FUND, PROVIDER_FUND, Place};
use crate::stand::lock;
use crate::truth::{Known, Truth};

/// A rule that was broken.
pub(crate) type Violation = String;

/// What there is to look at.
pub(crate) struct Scene<'a> {
    pub(crate) store: &'a Store,
    pub(crate) place: &'a Place,
    pub(crate) truth: &'a Truth,
    pub(crate) mills: &'a [Mill],
    pub(crate) wire: &'a Wire,
}

impl Scene<'_> {
    /// The rules that hold whenever nothing moves.
    pub(crate) async fn check(&self) -> Result<(), Violation> {
        if let Some(wrong) = lock(&self.wire.wrong).first() {
            return Err(wrong.clone());
        }
        if let Some(wrong) = self.store.ledger_check().await.unwrap().first() {
            return Err(format!("the ledger does not add up: {wrong}"));
        }
        let ids: Vec<B256> = self.truth.leases.keys().copied().collect();
        let leases = self.place.market.leases(&ids).await.unwrap();
        let leases: BTreeMap<B256, Lease> =
            ids.into_iter().zip(leases).map(|(id, lease)| (id, lease.unwrap())).collect();
        let mut escrow = 0;
        for (id, known) in &self.truth.leases {
            let held = self.place.market.escrow_of(*id).await.unwrap();
            escrow += held;
            self.lease(known, &leases[id], usd(held)).await?;
        }
        self.accounts(escrow).await?;
        self.agents(&leases)
    }

    /// A lease on chain against what is recorded of it.
    async fn lease(&self, known: &Known, lease: &Lease, escrow: Usd) -> Result<(), Violation> {
        let label = &known.label;
        let id = label.lease().unwrap();
        let Some(row) = self.store.lease_get(id).await.unwrap() else {
            return Err(format!("{label} is on the chain, and nothing is recorded of it"));
        };
        let paid = known.paid.map(|(paid, _)| usd(paid));
        match self.store.settlement_get(id).await.unwrap() {
            Some(settled) if !known.is_final => {
                let (state, posted) = (lease.state.code(), settled.paid);
                return Err(format!("{label} is posted with {posted}, but its escrow is {state}"));
            }
            Some(settled)
                if Some(settled.paid + settled.disputed).filter(|p| *p > Usd::ZERO)
                    != paid.filter(|p| *p > Usd::ZERO) =>
            {
                return Err(format!("{label} is posted with {}, the chain paid {paid:?}", settled.paid));
            }
            Some(settled) if settled.disputed > Usd::ZERO => {
                return Err(format!("{label}: {} was paid that was not held", settled.disputed));
            }
            Some(_) => {}
            None => self.unsettled(&row, label, escrow).await?,
        }
        match (known.paid, known.root) {
            (Some((_, Cause::Consumer)), Some((root, leaves))) => {
                let told = self.store.claim_get(id, leaves).await.unwrap();
                if told.is_none_or(|claim| claim.root != root.as_slice()) {
                    return Err(format!("{label} was paid for a root that its agent never told us"));
                }
            }
            (Some(_), None) => return Err(format!("{label} was paid without a root")),
            _ => {}
        }
        Ok(())
    }

    async fn unsettled(&self, row: &LeaseRow, label: &Label, escrow: Usd) -> Result<(), Violation> {
        let hold = self.store.hold_get(row.hold).await.unwrap().unwrap();
        if !hold.open {
            return Err(format!("{label} is not settled, but its hold is closed"));
        }
        if escrow > hold.amount {
            return Err(format!("{label}: {escrow} is in escrow, but only {} is held for it", hold.amount));
        }
        let job = self.store.job_get(row.job).await.unwrap().unwrap();
        if matches!(job.state, JobState::Settled(_)) {
            return Err(format!("{label} is not settled, but its job is"));
        }
        Ok(())
    }

    /// Nothing comes from nowhere and nothing is lost.
    async fn accounts(&self, escrow: u64) -> Result<(), Violation> {
        let market = &self.place.market;
        let consumer = market.account(self.place.consumer()).await.unwrap().balance;
        let paid = self.truth.paid();
        if consumer + escrow + paid != FUND {
            return Err(format!("of {FUND} the consumer has {consumer}, {escrow} in escrow, {paid} paid"));
        }
        for mill in self.mills {
            let account = market.account(mill.account).await.unwrap();
            let tokens = market.token_balance(mill.account).await.unwrap();
            let earned: u64 = self
                .truth
                .leases
                .values()
                .filter(|known| known.order.offer.provider() == mill.account)
                .filter_map(|known| known.paid)
                .map(|(paid, _)| paid)
                .sum();
            let has = account.balance + account.stake + tokens;
            if has != PROVIDER_FUND + earned {
                return Err(format!("a provider earned {earned} and has {has}"));
            }
        }
        let posted = self.posted().await;
        if posted > usd(paid) {
            return Err(format!("{posted} is posted in all, but the chain paid {}", usd(paid)));
        }
        Ok(())
    }

    /// What the ledger posted in all: this world has no other network.
    async fn posted(&self) -> Usd {
        let mut posted = Usd::ZERO;
        for job in self.store.job_list(1_000).await.unwrap() {
            posted += self.store.settlement_list(job.id).await.unwrap().iter().map(|row| row.paid).sum();
        }
        posted
    }

    /// Where a provider is well and at rest, no agent outlives its lease.
    fn agents(&self, leases: &BTreeMap<B256, Lease>) -> Result<(), Violation> {
        for mill in self.mills.iter().filter(|mill| mill.is_well()) {
            for (label, _) in mill.machine.alive() {
                let lease = leases.iter().find(|(id, _)| mill_label(**id) == label);
                if lease.is_none_or(|(_, lease)| lease.state != State::Active) {
                    let state = lease.map(|(_, lease)| lease.state.code());
                    return Err(format!("an agent lives on {label}, whose lease is {state:?}"));
                }
            }
        }
        Ok(())
    }

    /// What holds once every job is settled and time has gone on.
    pub(crate) async fn is_over(&self) -> Result<(), Violation> {
        for known in self.truth.leases.values() {
            let settled = self.store.settlement_get(known.label.lease().unwrap()).await.unwrap();
            if !known.is_final || settled.is_none() {
                return Err(format!("{} is left, though every job is settled", known.label));
            }
        }
        let posted = self.posted().await;
        if posted != usd(self.truth.paid()) {
            return Err(format!("{posted} is posted in all, the chain paid {}", usd(self.truth.paid())));
        }
        for alert in self.store.alert_list(100).await.unwrap() {
            if alert.code == "escrow_differs" {
                return Err(format!("an alert: {}", alert.text));
            }
        }
        Ok(())
    }
}

/// What a provider calls the folder of a lease's agent.
fn mill_label(lease: B256) -> Label {
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&lease[..10]);
    Label::of(domain::LeaseId::from_bytes(bytes))
}
