//! Whether and how the work on a lease is checked.

use std::collections::BTreeMap;

use domain::{
    ExecutionState, JobSpec, Label, NetworkName, ProofState, Timestamp, Unchecked, Usd, Verdict, chain,
};
use evidence::deterrence::{self, Record};
use market::EscrowState;
use policy::proof::{Rules, checkable, share_bps, terms};
use store::{ClaimRow, LeaseRow, ProofChange, ProofRow, Requested};
use wire::doc;

use super::Proofs;
use crate::Error;
use crate::context::Context;

/// Money enough that shares of it are exact.
const PRICE: Usd = Usd::from_micros(1_000_000_000);

/// What a settlement has to know about the check of a lease's work.
pub(crate) enum Check {
    /// It is under way; the settlement waits.
    Waits,
    /// It is over.
    Over(Box<ProofRow>),
    /// There is none and will be none; the reason is kept with the settlement.
    Never(Unchecked),
    /// Nothing ran on the lease.
    Idle,
}

impl Check {
    /// What the proof says that came of it, once it is over.
    pub(crate) fn row(&self) -> Option<&ProofRow> {
        match self {
            Self::Over(row) => Some(row),
            Self::Waits | Self::Never(_) | Self::Idle => None,
        }
    }
}

impl Context {
    /// What a wrong result may be worth on each network, in ten-thousandths of the price, where every such job is checked.
    pub(crate) fn covers(&self, spec: &JobSpec) -> BTreeMap<NetworkName, u32> {
        if spec.value_at_risk <= Usd::ZERO || checkable(spec, self.registry.notary().is_some()).is_err() {
            return BTreeMap::new();
        }
        let cover = |reserve_bps| {
            let job = deterrence::Job {
                price: PRICE,
                slash: PRICE.basis_points(reserve_bps),
                value_at_risk: Usd::from_micros(i64::MAX),
                segments: spec.verify.segments,
                sample: spec.verify.sample,
                validators: self.config.validators,
            };
            let covered = deterrence::audit(&job, &Record::default()).err().map(|refused| refused.covered);
            let bps = covered.unwrap_or_default().micros() * 10_000 / PRICE.micros();
            u32::try_from(bps).unwrap_or_default()
        };
        let networks = self.registry.iter();
        networks.map(|network| (network.name().clone(), cover(network.capability().reserve_bps))).collect()
    }

    /// What checking a job's work is expected to cost, in ten-thousandths of its machine time.
    pub(crate) fn verification_bps(&self, spec: &JobSpec) -> u32 {
        if checkable(spec, self.registry.notary().is_some()).is_err() {
            return 0;
        }
        share_bps(&self.proof_rules(self.config.validators), spec)
    }

    fn proof_rules(&self, validators: u32) -> Rules {
        Rules { validators, replay_bps: self.config.replay_bps, replay_min: self.config.replay_min }
    }

    /// Where the check of an ended lease's work stands; begins it where there is to be one.
    pub(crate) async fn check_of(&self, lease: &LeaseRow, now: Timestamp) -> Result<Check, Error> {
        if lease.live_at.is_none() {
            return Ok(Check::Idle);
        }
        if let Some(row) = self.store.proof_get(lease.execution).await?.filter(|row| row.lease == lease.id) {
            return Ok(if row.state.is_final() { Check::Over(Box::new(row)) } else { Check::Waits });
        }
        let Some(execution) = self.store.execution_get(lease.execution).await? else {
            return Ok(Check::Idle);
        };
        // A lease that this execution tried and lost before another: nothing ran on it.
        if execution.lease != Some(lease.id) {
            return Ok(Check::Idle);
        }
        let job = self.job(lease.job).await?;
        if let Err(reason) = checkable(&Self::spec(&job)?, self.registry.notary().is_some()) {
            return Ok(Check::Never(reason));
        }
        let mut tx = self.store.begin().await?;
        let of = (lease.execution, lease.job, lease.id);
        tx.proof_insert(of, ProofState::Awaited, now).await?;
        tx.commit().await?;
        self.reached("proof.begin.after")?;
        Ok(Check::Waits)
    }
}

impl Proofs {
    /// Fixes what is asked for, once the provider stands by its work.
    pub(super) async fn request(
        &self,
        row: &ProofRow,
        lease: &LeaseRow,
        now: Timestamp,
    ) -> Result<(), Error> {
        let claim = match self.stands_by(lease).await? {
            StandsBy::NotYet => return self.look_again(row, row.tries, now).await,
            StandsBy::Nothing => None,
            StandsBy::This(claim) => Some(claim),
        };
        let asked = match claim {
            Some(claim) => self.asked(lease, &claim).await?,
            None => Asked::Nothing,
        };
        let mut tx = self.0.store.begin().await?;
        let change = match asked {
            Asked::Nothing => unchecked(Unchecked::NothingCommitted),
            Asked::NotDrawn => unchecked(Unchecked::NotDrawn),
            Asked::This(asked) if tx.hold_extend(lease.hold, asked.held).await?.is_err() => {
                let text = format!("the work on lease {} is not checked: its budget is spent", lease.id);
                tx.alert_raise(now, "work_unchecked", &lease.id.to_string(), &text).await?;
                unchecked(Unchecked::BudgetSpent)
            }
            Asked::This(asked) => ProofChange {
                state: Some(ProofState::Requested),
                request: Some(asked),
                tries: Some(0),
                due_at: Some(now),
                ..ProofChange::default()
            },
        };
        let over = change.state.is_some_and(ProofState::is_final);
        if !tx.proof_change(row, change, now).await? {
            return Ok(());
        }
        if over {
            tx.lease_settle_at(lease.id, now).await?;
        }
        tx.commit().await?;
        Ok(self.0.reached("proof.request.after")?)
    }

    /// By what the provider, or its agent, stands.
    async fn stands_by(&self, lease: &LeaseRow) -> Result<StandsBy, Error> {
        let store = &self.0.store;
        let Some(escrow) = self.0.registry.escrow(&lease.network) else {
            return Ok(store.claim_newest(lease.id).await?.map_or(StandsBy::Nothing, StandsBy::This));
        };
        let shown = match escrow.observe(&Label::of(lease.id)).await {
            Ok(shown) => shown,
            Err(error) => {
                tracing::info!(lease = %lease.id, error = %chain(&error), "an escrow is to be looked at again");
                return Ok(StandsBy::NotYet);
            }
        };
        let Some(shown) = shown else { return Ok(StandsBy::Nothing) };
        Ok(match (shown.state, shown.commitment) {
            (EscrowState::Committed, Some(commitment)) => {
                let told = store.claim_get(lease.id, commitment.leaf_count).await?;
                let told = told.filter(|claim| claim.root == commitment.root);
                // What its agent never told us cannot be opened, and validators will find it withheld.
                StandsBy::This(told.unwrap_or_else(|| ClaimRow {
                    leaf_count: commitment.leaf_count,
                    root: commitment.root.to_vec(),
                    signature: Vec::new(),
                    digest: Vec::new(),
                    outputs: false,
                    acknowledged: false,
                }))
            }
            (state, _) if state.is_final() => StandsBy::Nothing,
            _ => StandsBy::NotYet,
        })
    }

    /// What is asked for about this commitment.
    async fn asked(&self, lease: &LeaseRow, claim: &ClaimRow) -> Result<Asked, Error> {
        let segments = claim.leaf_count.saturating_sub(1 + u32::from(claim.outputs));
        if segments == 0 {
            return Ok(Asked::Nothing);
        }
        let job = self.0.job(lease.job).await?;
        let execution = self.0.store.execution_get(lease.execution).await?;
        // What was not brought to its end is paid only for what passes, so all of it is replayed.
        let whole = execution.is_some_and(|x| matches!(x.state, ExecutionState::Lost(_)));
        let spec = Context::spec(&job)?;
        let price = self.price(lease)?;
        let Some(validators) = self.audit(lease, &spec, segments, price).await? else {
            return Ok(Asked::NotDrawn);
        };
        let rules = self.0.proof_rules(validators);
        let terms = terms(&rules, &spec, segments, whole, price);
        Ok(Asked::This(Requested {
            root: claim.root.clone(),
            leaf_count: claim.leaf_count,
            signature: claim.signature.clone(),
            segments,
            sample: terms.sample,
            validators: terms.validators,
            fee: terms.fee,
            held: terms.total,
        }))
    }

    /// How many validators are drawn for this work; `None` where it is not in the share that is checked.
    async fn audit(
        &self,
        lease: &LeaseRow,
        spec: &JobSpec,
        segments: u32,
        price: Usd,
    ) -> Result<Option<u32>, Error> {
        let reserve_bps =
            self.0.registry.get(&lease.network).map_or(0, |network| network.capability().reserve_bps);
        let job = deterrence::Job {
            price,
            slash: price.basis_points(reserve_bps),
            value_at_risk: spec.value_at_risk,
            segments,
            sample: spec.verify.sample,
            validators: self.0.config.validators,
        };
        let audit = match deterrence::audit(&job, &self.record(lease).await?) {
            Ok(audit) => audit,
            // It was admitted at another price or for more segments: more than all cannot be checked.
            Err(_) => return Ok(Some(job.validators.max(deterrence::RISK_VALIDATORS))),
        };
        let mut drawn = [0u8; 8];
        self.0.entropy.fill(&mut drawn);
        let number = u64::from_le_bytes(drawn) % u64::from(deterrence::MILLION);
        let hit = audit.hits(u32::try_from(number).unwrap_or_default());
        Ok(hit.then_some(audit.validators))
    }

    /// What the verdicts so far say of a provider.
    async fn record(&self, lease: &LeaseRow) -> Result<Record, Error> {
        let Some(provider) = &lease.provider else { return Ok(Record::default()) };
        let newest = self.0.store.proof_list_verdicts(&lease.network, provider, VERDICTS_MAX).await?;
        let soft = |verdict: &Verdict| matches!(verdict, Verdict::Disputed | Verdict::Unknown);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Record {
            audited: count(newest.len()),
            since_soft_failure: newest.iter().position(soft).map(count),
        })
    }

    /// What the lease costs by its terms.
    fn price(&self, lease: &LeaseRow) -> Result<Usd, Error> {
        let offer = doc::offer_from_text(&lease.offer)?;
        let life = lease.live_at.zip(lease.ended_at);
        let grace = self.0.config.close_grace;
        Ok(policy::cost::owed(offer.billing, offer.price, offer.fee, life, lease.close_at, grace))
    }
}

/// Verdicts on a provider that count; older ones tell nothing that these do not.
const VERDICTS_MAX: u32 = 100;

/// What is asked for about a commitment.
enum Asked {
    /// It covers no segment.
    Nothing,
    /// It is not in the share that is checked.
    NotDrawn,
    This(Requested),
}

enum StandsBy {
    NotYet,
    Nothing,
    This(ClaimRow),
}

fn unchecked(reason: Unchecked) -> ProofChange {
    ProofChange { state: Some(ProofState::Unchecked(reason)), ..ProofChange::default() }
}
