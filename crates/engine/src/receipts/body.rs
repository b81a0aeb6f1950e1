//! What a receipt says, from the rows. The same rows give the same bytes, before the job is settled and ever after.

use std::collections::HashMap;

use domain::{
    ExecutionState, FailReason, Label, LeaseId, Outcome, ProofState, RetryStatus, Timestamp, Usd, chain,
};
use evidence::{Leaf, Tree};
use store::{ClaimRow, ExecutionRow, JobRow, LeaseFactRow, LeaseRow, ProofRow, Requested, SettlementRow};
use wire::agent::hex_of;
use wire::doc;
use wire::proof::drawn_from_text;
use wire::receipt::{
    BodyDoc, CommitmentPart, ExecutionPart, JobPart, ProofPart, RECEIPT_VERSION, SettlementPart,
};

use crate::Error;
use crate::context::Context;

/// All rows that a receipt is made of.
struct Rows<'a> {
    job: &'a JobRow,
    job_hash: [u8; 32],
    leases: Vec<LeaseRow>,
    settlements: HashMap<LeaseId, SettlementRow>,
    proofs: Vec<ProofRow>,
    facts: &'a [LeaseFactRow],
}

impl Context {
    /// What receipts say of the job's leases beyond other rows. `None` while the notary may yet tell more.
    pub(crate) async fn lease_facts(
        &self,
        job: &JobRow,
        now: Timestamp,
    ) -> Result<Option<Vec<LeaseFactRow>>, Error> {
        let waited = job.ended_at.map_or(domain::Millis::ZERO, |ended| now.since(ended));
        let mut facts = Vec::new();
        for lease in self.store.lease_list(job.id).await? {
            let capability = self.registry.get(&lease.network).map(|network| network.capability());
            let signs = self.store.delegation_get(lease.id).await?.is_some();
            let subject = match self.registry.notary().filter(|_| signs) {
                None => None,
                Some(notary) => match notary.subject(&lease.network, &Label::of(lease.id)).await {
                    Ok(subject) => subject,
                    Err(error) if error.status == RetryStatus::Permanent => None,
                    Err(error) => {
                        tracing::info!(lease = %lease.id, error = %chain(&error), "the notary could not say what was signed for");
                        if waited < self.config.proof_patience {
                            return Ok(None);
                        }
                        None
                    }
                },
            };
            facts.push(LeaseFactRow {
                lease: lease.id,
                withholds: capability.is_some_and(|capability| capability.withholds_payment),
                subject: subject.map(|subject| (subject.domain.to_vec(), subject.lease.to_vec())),
            });
        }
        Ok(Some(facts))
    }

    /// The digest of the body of a job's receipt.
    pub(crate) async fn receipt_digest(&self, job: &JobRow, facts: &[LeaseFactRow]) -> Result<String, Error> {
        let body = self.receipt_body(job, facts).await?;
        Ok(wire::receipt::body_digest(&body).map_err(std::io::Error::from)?)
    }

    /// The body of a job's receipt, once all its leases are settled.
    pub(crate) async fn receipt_body(&self, job: &JobRow, facts: &[LeaseFactRow]) -> Result<BodyDoc, Error> {
        let store = &self.store;
        let settlements = store.settlement_list(job.id).await?;
        let rows = Rows {
            job,
            job_hash: crate::jobs::hash_of(job),
            leases: store.lease_list(job.id).await?,
            settlements: settlements.iter().map(|row| (row.lease, row.clone())).collect(),
            proofs: store.proof_list(job.id).await?,
            facts,
        };
        let mut executions = Vec::new();
        for execution in store.execution_list(job.id).await? {
            executions.push(self.execution_part(&rows, &execution).await?);
        }
        let hold = store.hold_get(job.hold).await?;
        let hold = hold.ok_or_else(|| Error::Missing { what: "hold", of: job.id.to_string() })?;
        let sum = |of: fn(&SettlementRow) -> Usd| settlements.iter().map(of).sum::<Usd>();
        let mut body = BodyDoc {
            version: RECEIPT_VERSION,
            job: job_part(&rows)?,
            settlement: SettlementPart {
                held_usd: hold.amount,
                paid_usd: sum(|row| row.paid),
                refunded_usd: hold.amount - hold.posted,
                fees_usd: sum(|row| row.fees),
                disputed_usd: sum(|row| row.disputed),
                simulated: executions.iter().any(|execution| execution.simulated),
                gas: settlements.iter().map(|row| row.gas).sum(),
                tx: settlements.into_iter().flat_map(|row| row.txs).collect(),
            },
            executions,
            unproven: Vec::new(),
        };
        body.unproven = wire::receipt::unproven(&body);
        Ok(body)
    }

    async fn execution_part(&self, rows: &Rows<'_>, row: &ExecutionRow) -> Result<ExecutionPart, Error> {
        let ours = |lease: &&LeaseRow| lease.execution == row.id;
        let named = rows.leases.iter().find(|lease| Some(lease.id) == row.lease);
        let lease = named.or_else(|| rows.leases.iter().rfind(ours));
        let of = |lease: &LeaseRow, what: fn(&SettlementRow) -> Usd| {
            rows.settlements.get(&lease.id).map_or(Usd::ZERO, what)
        };
        let all = rows.leases.iter().filter(ours);
        let paid = lease.map_or(Usd::ZERO, |lease| of(lease, |row| row.paid));
        let offer = lease.map(|lease| doc::offer_from_text(&lease.offer)).transpose()?;
        let reason = match row.state {
            ExecutionState::Lost(reason) => Some(reason.code().to_owned()),
            ExecutionState::Failed(reason) => Some(reason.code()),
            _ => None,
        };
        let provider = lease.and_then(|lease| lease.provider.clone());
        let region = lease.and_then(|lease| lease.region.clone());
        let fact = lease.and_then(|lease| rows.facts.iter().find(|fact| fact.lease == lease.id));
        let proof = lease.and_then(|lease| {
            rows.proofs.iter().find(|proof| proof.execution == row.id && proof.lease == lease.id)
        });
        Ok(ExecutionPart {
            id: row.id,
            attempt: row.attempt,
            lease: lease.map(|lease| lease.id),
            network: lease.map(|lease| lease.network.to_string()),
            provider: provider.or_else(|| offer.as_ref()?.provider.clone()).map(|name| name.to_string()),
            region: region.or_else(|| offer.as_ref()?.region.clone()).map(|region| region.to_string()),
            price_usd_hour: offer.as_ref().map(|offer| offer.price),
            state: row.state.code().to_owned(),
            reason,
            from_segment: row.from_segment,
            to_segment: row.to_segment,
            started_at: row.connected_at.map(|at| at.to_string()),
            ended_at: row.ended_at.map(|at| at.to_string()),
            paid_usd: paid,
            paid_before_usd: all.clone().map(|lease| of(lease, |row| row.paid)).sum::<Usd>() - paid,
            fees_usd: all.map(|lease| of(lease, |row| row.fees)).sum(),
            withholds_payment: fact.is_some_and(|fact| fact.withholds),
            simulated: offer.is_some_and(|offer| offer.simulated),
            commitment: match lease {
                Some(lease) => self.commitment_part(rows, row, lease, fact, proof).await?,
                None => None,
            },
            proof: proof.map(proof_part),
        })
    }

    async fn commitment_part(
        &self,
        rows: &Rows<'_>,
        execution: &ExecutionRow,
        lease: &LeaseRow,
        fact: Option<&LeaseFactRow>,
        proof: Option<&ProofRow>,
    ) -> Result<Option<CommitmentPart>, Error> {
        let store = &self.store;
        let newest = store.claim_newest(lease.id).await?;
        let asked = proof.and_then(|proof| proof.request.clone());
        let Some(stands) = asked.map(Stands::asked).or_else(|| newest.map(Stands::told)) else {
            return Ok(None);
        };
        let claims = store.claim_list(lease.id, stands.leaf_count).await?;
        let digests = digests(&rows.job_hash, execution.from_segment, &claims, &stands);
        let known = digests.is_some();
        let told = claims.last().filter(|_| known).map(|claim| claim.signature.clone());
        let signature = Some(stands.signature).filter(|bytes| !bytes.is_empty()).or(told);
        let admitted = store.delegation_get(lease.id).await?;
        let subject = fact.and_then(|fact| fact.subject.as_ref());
        Ok(Some(CommitmentPart {
            domain: subject.map(|(domain, _)| hex_of(domain)),
            lease: subject.map(|(_, lease)| hex_of(lease)),
            root: hex_of(&stands.root),
            leaf_count: stands.leaf_count,
            digests: digests.unwrap_or_default(),
            binds_outputs: stands.outputs,
            agent: admitted.as_ref().map(|row| row.agent.clone()),
            signature: signature.filter(|bytes| !bytes.is_empty()).map(|bytes| hex_of(&bytes)),
            delegation: admitted.filter(|row| !row.signature.is_empty()).map(|row| hex_of(&row.signature)),
        }))
    }
}

/// By what an execution's provider, or its agent, stands.
struct Stands {
    root: Vec<u8>,
    leaf_count: u32,
    outputs: bool,
    signature: Vec<u8>,
}

impl Stands {
    fn asked(asked: Requested) -> Self {
        let outputs = asked.leaf_count > asked.segments.saturating_add(1);
        Self { root: asked.root, leaf_count: asked.leaf_count, outputs, signature: asked.signature }
    }

    fn told(claim: ClaimRow) -> Self {
        let ClaimRow { root, leaf_count, outputs, signature, .. } = claim;
        Self { root, leaf_count, outputs, signature }
    }
}

/// The digests of all leaves, where those that we were told of make the root.
fn digests(job: &[u8; 32], from: u32, claims: &[ClaimRow], stands: &Stands) -> Option<Vec<String>> {
    let (mut tree, mut texts) = (Tree::default(), Vec::new());
    for (n, claim) in claims.iter().enumerate() {
        let digest: [u8; 32] = claim.digest.as_slice().try_into().ok()?;
        let index = u64::from(from) + u64::try_from(n).ok()?;
        let leaf = if claim.outputs { Leaf::outputs(index, digest) } else { Leaf::state(index, digest) };
        tree.push(leaf.hash(job));
        texts.push(hex_of(&digest));
    }
    (tree.leaves() == stands.leaf_count && tree.root()?.as_slice() == stands.root).then_some(texts)
}

fn job_part(rows: &Rows<'_>) -> Result<JobPart, Error> {
    let job = rows.job;
    let missing = || Error::Missing { what: "outcome", of: job.id.to_string() };
    let outcome = job.state.outcome().ok_or_else(missing)?;
    let reason = match outcome {
        Outcome::Failed(reason) => Some(FailReason::code(*reason)),
        _ => None,
    };
    Ok(JobPart {
        id: job.id,
        name: job.name.clone(),
        spec: job.spec.clone(),
        bundle: hex_of(&job.bundle_content),
        job_hash: hex_of(&rows.job_hash),
        outcome: outcome.code().to_owned(),
        reason,
        outputs: job.outputs.is_some(),
        submitted_at: job.submitted_at.to_string(),
        ended_at: job.ended_at.ok_or_else(missing)?.to_string(),
    })
}

fn proof_part(row: &ProofRow) -> ProofPart {
    let (verdict, reason) = match row.state {
        ProofState::Concluded(verdict) => (Some(verdict.code().to_owned()), None),
        ProofState::Unchecked(reason) => (None, Some(reason.code().to_owned())),
        ProofState::Awaited | ProofState::Requested | ProofState::Open => (None, None),
    };
    let (asked, outcome) = (row.request.as_ref(), &row.outcome);
    let seed: Option<[u8; 32]> = outcome.seed.as_deref().and_then(|seed| seed.try_into().ok());
    ProofPart {
        state: row.state.code().to_owned(),
        verdict,
        reason,
        root: asked.map(|asked| hex_of(&asked.root)),
        leaf_count: asked.map(|asked| asked.leaf_count),
        segments: asked.map_or(0, |asked| asked.segments),
        sample: asked.map_or(0, |asked| asked.sample),
        drawn: match (asked, &seed) {
            (Some(asked), Some(seed)) => evidence::drawn_segments(seed, asked.segments, asked.sample),
            _ => Vec::new(),
        },
        validators: drawn_from_text(&outcome.drawn),
        seed: outcome.seed.as_deref().map(hex_of),
        notary_id: outcome.notary_id.as_deref().map(hex_of),
        fee_usd: outcome.fee_paid,
        slashed_usd: outcome.slashed,
        compensated_usd: outcome.compensated,
    }
}
