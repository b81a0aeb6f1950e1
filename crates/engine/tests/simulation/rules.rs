//! What must hold after every tick, whatever happened: the ledger adds up, and what is recorded agrees with what the
//! networks and machines really show.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use domain::{ExecutionId, ExecutionState, JobId, Label, Outcome, Usd};
use market::MemoryMachine;
use market::sim::Truth;
use store::{ExecutionRow, JobRow, LeaseRow, SettlementRow, Store};
use wire::agent::BootDoc;

use crate::parts::{Site, Wire, lock};

/// A rule that was broken.
pub(crate) type Violation = String;

/// What there is to look at.
pub(crate) struct Scene<'a> {
    pub(crate) store: &'a Store,
    pub(crate) sites: &'a [Site],
    pub(crate) machine: &'a MemoryMachine,
    pub(crate) wire: &'a Wire,
    /// Whose executions are, which never changes.
    pub(crate) jobs_of: &'a Mutex<BTreeMap<ExecutionId, JobId>>,
}

/// What was seen while the rules were checked.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) truth: Vec<Truth>,
    pub(crate) open: BTreeMap<Label, LeaseRow>,
}

impl Scene<'_> {
    /// The rules that hold after every tick.
    pub(crate) async fn check(&self) -> Result<Seen, Violation> {
        if let Some(wrong) = self.store.ledger_check().await.unwrap().first() {
            return Err(format!("the ledger does not add up: {wrong}"));
        }
        let mut open = BTreeMap::new();
        for site in self.sites {
            for lease in self.store.lease_list_open(site.name()).await.unwrap() {
                open.insert(Label::of(lease.id), lease);
            }
        }
        self.check_world(open).await
    }

    /// The same while nothing was recorded since: these are the open leases.
    pub(crate) async fn check_world(&self, open: BTreeMap<Label, LeaseRow>) -> Result<Seen, Violation> {
        if let Some(wrong) = lock(&self.wire.wrong).first() {
            return Err(wrong.clone());
        }
        let mut truth = Vec::new();
        for site in self.sites {
            truth.extend(site.truth().await);
        }
        let seen = Seen { truth, open };
        self.leases(&seen).await?;
        self.agents().await?;
        Ok(seen)
    }

    async fn leases(&self, seen: &Seen) -> Result<(), Violation> {
        let mut bought: BTreeMap<ExecutionId, &Label> = BTreeMap::new();
        for one in &seen.truth {
            if one.purchases > 1 {
                return Err(format!("{} was bought {} times", one.label, one.purchases));
            }
            if !one.open {
                continue;
            }
            let Some(lease) = seen.open.get(&one.label) else {
                let id = one.label.lease().unwrap();
                return Err(match self.store.lease_get(id).await.unwrap() {
                    Some(_) => format!("{} is recorded as ended, but its network still has it", one.label),
                    None => format!("a network has {}, of which nothing is recorded", one.label),
                });
            };
            if let Some(other) = bought.insert(lease.execution, &one.label) {
                return Err(format!(
                    "execution {} has two open leases, {other} and {}",
                    lease.execution, one.label
                ));
            }
        }
        Ok(())
    }

    /// Of all agents that live for a job, at most one may be one that the control plane counts on.
    async fn agents(&self) -> Result<(), Violation> {
        let mut working: BTreeMap<JobId, Vec<(Label, ExecutionId)>> = BTreeMap::new();
        for (label, boot) in self.machine.alive() {
            let boot: BootDoc = serde_json::from_slice(boot.expose()).unwrap();
            let id = boot.execution;
            let known = lock(self.jobs_of).get(&id).copied();
            let job = match known {
                Some(job) => job,
                None => self.store.execution_get(id).await.unwrap().unwrap().job,
            };
            lock(self.jobs_of).insert(id, job);
            working.entry(job).or_default().push((label, id));
        }
        for (job, agents) in working.into_iter().filter(|(_, agents)| agents.len() > 1) {
            let mut counted = Vec::new();
            for (label, id) in agents {
                if self.store.execution_get(id).await.unwrap().is_some_and(|x| x.state.is_open()) {
                    counted.push(label);
                }
            }
            if counted.len() > 1 {
                return Err(format!("job {job} has more than one agent that counts: {counted:?}"));
            }
        }
        Ok(())
    }

    /// What a network would bill now for a live lease is held for it, as long as we do not want it gone: a network that
    /// cannot be told so goes on billing, and what it bills then is disputed.
    pub(crate) async fn bills_are_held(&self, seen: &Seen) -> Result<(), Violation> {
        for one in seen.truth.iter().filter(|one| one.live) {
            let Some(lease) = seen.open.get(&one.label).filter(|lease| lease.close_at.is_none()) else {
                continue;
            };
            let hold = self.store.hold_get(lease.hold).await.unwrap().unwrap();
            if one.cost > hold.amount {
                return Err(format!(
                    "{} ({:?}) has cost {} already, but only {} is held for it",
                    one.label, lease.state, one.cost, hold.amount
                ));
            }
        }
        Ok(())
    }

    /// What holds once a job is settled: nothing of it is left anywhere.
    pub(crate) async fn job_is_over(&self, seen: &Seen, job: &JobRow, cap: Usd) -> Result<(), Violation> {
        let hold = self.store.hold_get(job.hold).await.unwrap().unwrap();
        if hold.open || hold.lent > Usd::ZERO {
            return Err(format!("job {} is settled, but its hold is open", job.id));
        }
        if hold.amount > cap || hold.posted > cap {
            return Err(format!("job {} spent {} of a budget of {cap}", job.id, hold.posted));
        }
        let leases = self.store.lease_list(job.id).await.unwrap();
        let settlements = self.store.settlement_list(job.id).await.unwrap();
        if settlements.len() != leases.len() {
            return Err(format!("job {} has leases without a settlement", job.id));
        }
        if settlements.iter().map(|s| s.paid).sum::<Usd>() != hold.posted {
            return Err(format!("job {}: what was settled is not what was posted", job.id));
        }
        self.no_provider_twice(job, &leases).await?;
        self.nothing_rests_on_refuted_work(job, &settlements).await?;
        let alive: BTreeSet<Label> = self.machine.alive().into_iter().map(|(label, _)| label).collect();
        for lease in &leases {
            let label = Label::of(lease.id);
            if alive.contains(&label) {
                return Err(format!("job {} is settled, but an agent lives on {label}", job.id));
            }
            let real = seen.truth.iter().find(|one| one.label == label);
            let cost = real.map_or(Usd::ZERO, |one| one.cost);
            if lease.billed != Some(cost) {
                return Err(format!(
                    "{label} was billed {cost}, but {:?} is recorded: {:?}",
                    lease.billed, lease.state
                ));
            }
        }
        Ok(())
    }

    /// What did not pass is neither part of a result nor paid, where payment can be withheld.
    async fn nothing_rests_on_refuted_work(
        &self,
        job: &JobRow,
        settlements: &[SettlementRow],
    ) -> Result<(), Violation> {
        let proofs = self.store.proof_list(job.id).await.unwrap();
        let refuted =
            |id: ExecutionId| proofs.iter().any(|one| one.execution == id && one.state.is_refuted());
        if let Some(open) = proofs.iter().find(|one| !one.state.is_final()) {
            return Err(format!("job {} is settled, but the check of {} is open", job.id, open.execution));
        }
        // An execution that begins at a state takes the place of all that went beyond it before.
        let mut chain: Vec<ExecutionRow> = Vec::new();
        for execution in self.store.execution_list(job.id).await.unwrap() {
            chain.retain(|one| one.from_segment < execution.from_segment);
            chain.push(execution);
        }
        let completed = job.state.outcome() == Some(&Outcome::Completed);
        if completed && let Some(wrong) = chain.iter().find(|one| refuted(one.id)) {
            return Err(format!("job {} completed on the work of {}, which did not pass", job.id, wrong.id));
        }
        for proof in proofs.iter().filter(|one| one.state.is_refuted()) {
            let paid = settlements.iter().find(|one| one.lease == proof.lease).unwrap().paid;
            let lease = self.store.lease_get(proof.lease).await.unwrap().unwrap();
            if lease.network.to_string() == "sim-auction" && paid != proof.outcome.fee_paid {
                return Err(format!("{} was paid {paid} for work that did not pass", proof.execution));
            }
        }
        Ok(())
    }

    /// No agent was admitted on a provider that had lost the job before.
    async fn no_provider_twice(&self, job: &JobRow, leases: &[LeaseRow]) -> Result<(), Violation> {
        let mut lost = BTreeSet::new();
        for execution in self.store.execution_list(job.id).await.unwrap() {
            let lease = leases.iter().find(|lease| Some(lease.id) == execution.lease);
            let Some((lease, provider)) = lease.and_then(|l| Some((l, l.provider.clone()?))) else {
                continue;
            };
            let place = (lease.network.clone(), provider);
            if execution.connected_at.is_some() && lost.contains(&place) {
                return Err(format!("job {} went back to {place:?}, which had lost it", job.id));
            }
            // A machine that was taken away as agreed is no reason to go elsewhere.
            if matches!(execution.state, ExecutionState::Lost(_)) && !lease.interruptible {
                lost.insert(place);
            }
        }
        Ok(())
    }
}
