//! Drawn validators get what they are to replay: the states before their segments, each with its way up to the root.

use std::collections::HashMap;

use custody::{PublicKey, Secret, token_hash};
use domain::{ExecutionId, JobId, ObjectId, ProofState, chain};
use evidence::{Leaf, Tree, drawn_segments, tree};
use market::Caller;
use store::{ClaimRow, ExecutionRow, ObjectKind, ObjectRow, ProofRow, Requested};
use wire::agent::hex_of;
use wire::openings::{OPENINGS_SKEW_MS, OpenedLeaf, OpenedSegment, OpeningRequest, Openings as Answer};

use crate::context::Context;
use crate::{AgentRefusal, Engine, Error};

/// More tokens than this are never open at a time; the oldest proofs' are forgotten, and their validators ask again.
const TOKENS_MAX: usize = 10_000;

/// The tokens of drawn validators. They live as long as this process; a validator that lost its own asks again.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    /// By the token's hash: whose job it opens, and for which proof and validator.
    tokens: HashMap<String, (JobId, String)>,
}

impl Openings {
    fn admit(&mut self, token: &Secret, job: JobId, of: String) {
        if self.tokens.len() >= TOKENS_MAX {
            self.tokens.clear();
        }
        self.tokens.retain(|_, (_, other)| *other != of);
        self.tokens.insert(token_hash(token.expose()), (job, of));
    }

    fn forget(&mut self, job: JobId) {
        self.tokens.retain(|_, (other, _)| *other != job);
    }
}

impl Engine {
    /// The job whose objects a validator's token opens.
    pub(crate) fn opened(&self, token: &str) -> Option<JobId> {
        self.context.openings().tokens.get(&token_hash(token)).map(|(job, _)| *job)
    }

    /// What a drawn validator is to replay.
    ///
    /// # Errors
    /// `NotDrawn` to everybody else, `NoProof` and `ProofOver` where there is nothing to replay, `Withheld` where what was
    /// committed to was never told us.
    pub async fn openings(&self, request: &OpeningRequest) -> Result<Answer, AgentRefusal> {
        let malformed = || AgentRefusal::Malformed("the request for openings is not in hex with 0x");
        let (id, signature) = request.bytes().ok_or_else(malformed)?;
        let instance: PublicKey = request
            .instance_key
            .parse()
            .map_err(|_| AgentRefusal::Malformed("instance_key is not a public key"))?;
        if (self.context.now().0 - request.at_ms).abs() > OPENINGS_SKEW_MS {
            return Err(AgentRefusal::NotDrawn);
        }
        let store = &self.context.store;
        let proof = store.proof_find(&id).await?.ok_or(AgentRefusal::NoProof)?;
        if proof.state != ProofState::Open {
            return Err(AgentRefusal::ProofOver);
        }
        let Some((asked, seed)) = drawn(&proof) else { return Err(AgentRefusal::NotYet) };
        self.must_be_drawn(&id, request, &signature).await?;
        let job = self.context.job(proof.job).await?;
        let execution = store.execution_get(proof.execution).await?.ok_or(AgentRefusal::NoProof)?;
        let claims = store.claim_list(proof.lease, asked.leaf_count).await?;
        let hash = crate::jobs::hash_of(&job);
        let work = Work::of(&execution, asked, &claims, &hash).ok_or(AgentRefusal::Withheld)?;
        let states = self.states(&execution).await?;
        let opened = drawn_segments(&seed, asked.segments, asked.sample)
            .into_iter()
            .map(|segment| self.open_segment(&work, &states, segment, &instance))
            .collect::<Result<Vec<_>, _>>()?;
        let missing = |what| Error::Missing { what, of: job.id.to_string() };
        let bundle = store.object_get(job.bundle).await?.ok_or_else(|| missing("bundle"))?;
        let inputs = match job.inputs {
            Some(id) => Some(store.object_get(id).await?.ok_or_else(|| missing("inputs"))?),
            None => None,
        };
        let token = Secret::mint(&*self.context.entropy);
        let of = format!("{} {}", request.proof, request.validator.to_ascii_lowercase());
        self.context.openings().admit(&token, job.id, of);
        Ok(Answer {
            job_terms: hex_of(&evidence::job_terms(job.id, &job.spec)),
            job_hash: hex_of(&hash),
            token: token.expose().to_owned(),
            lease_segments_from: execution.from_segment,
            leaf_count: asked.leaf_count,
            bundle: self.sealed_ref(&bundle, &instance)?,
            inputs: inputs.map(|row| self.sealed_ref(&row, &instance)).transpose()?,
            opened,
        })
    }

    async fn must_be_drawn(
        &self,
        id: &[u8; 32],
        request: &OpeningRequest,
        signature: &[u8; 65],
    ) -> Result<(), AgentRefusal> {
        let notary = self.context.registry.notary().ok_or(AgentRefusal::NoProof)?;
        let caller = Caller {
            validator: request.validator.clone(),
            statement: request.statement().into_bytes(),
            signature: signature.to_vec(),
        };
        match notary.drew(id, &caller).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AgentRefusal::NotDrawn),
            Err(error) => {
                tracing::info!(proof = request.proof, error = %chain(&error), "the notary could not be asked");
                Err(AgentRefusal::NotYet)
            }
        }
    }

    /// The states that an execution began from and made, by their number.
    async fn states(&self, execution: &ExecutionRow) -> Result<HashMap<u32, ObjectRow>, Error> {
        let store = &self.context.store;
        let attempts: HashMap<ExecutionId, u32> =
            store.execution_list(execution.job).await?.into_iter().map(|x| (x.id, x.attempt)).collect();
        let mut states = HashMap::new();
        for object in store.object_list(execution.job).await? {
            let (Some(segment), Some(by)) = (object.segment, object.execution) else { continue };
            let own = by == execution.id && segment > execution.from_segment;
            let earlier = attempts.get(&by).is_some_and(|attempt| *attempt < execution.attempt);
            let first = segment == execution.from_segment && earlier;
            if object.kind == ObjectKind::Checkpoint && (own || first) {
                // Objects come in the order in which they were stored, so the newest stays.
                states.insert(segment, object);
            }
        }
        Ok(states)
    }

    fn open_segment(
        &self,
        work: &Work<'_>,
        states: &HashMap<u32, ObjectRow>,
        segment: u32,
        instance: &PublicKey,
    ) -> Result<OpenedSegment, AgentRefusal> {
        let before = work.leaf(segment).ok_or(AgentRefusal::Withheld)?;
        let number = work.execution.from_segment + segment;
        let state = match states.get(&number) {
            Some(row) => Some(self.sealed_ref(row, instance)?),
            None if number == 0 => None,
            None => return Err(AgentRefusal::Withheld),
        };
        let last = segment + 1 == work.asked.segments;
        let bound = last && work.asked.leaf_count == work.asked.segments + 2;
        Ok(OpenedSegment {
            segment,
            state,
            before,
            after: work.leaf(segment + 1).ok_or(AgentRefusal::Withheld)?,
            outputs: if bound { Some(work.leaf(segment + 2).ok_or(AgentRefusal::Withheld)?) } else { None },
        })
    }
}

/// What was committed to, leaf by leaf.
pub(super) struct Work<'a> {
    execution: &'a ExecutionRow,
    asked: &'a Requested,
    digests: Vec<[u8; 32]>,
    leaves: Vec<[u8; 32]>,
}

impl<'a> Work<'a> {
    /// `None` where the leaves that we were told of do not make the root.
    pub(super) fn of(
        execution: &'a ExecutionRow,
        asked: &'a Requested,
        claims: &[ClaimRow],
        job_hash: &[u8; 32],
    ) -> Option<Self> {
        let leaves = leaves_of(execution, claims, job_hash)?;
        let digests =
            claims.iter().map(|claim| claim.digest.as_slice().try_into().ok()).collect::<Option<_>>()?;
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        let whole = tree.root().is_some_and(|root| root.as_slice() == asked.root);
        whole.then_some(Self { execution, asked, digests, leaves })
    }

    /// What stands beside the way from this leaf up to the root, if it stands at this place.
    pub(super) fn way_of(&self, leaf: &[u8; 32], place: u32) -> Option<Vec<[u8; 32]>> {
        let place = usize::try_from(place).ok()?;
        (self.leaves.get(place)? == leaf).then(|| tree::proof(&self.leaves, place))
    }

    fn leaf(&self, index: u32) -> Option<OpenedLeaf> {
        let index = usize::try_from(index).ok()?;
        Some(OpenedLeaf::new(self.digests.get(index)?, &tree::proof(&self.leaves, index)))
    }
}

/// The leaves that an execution's agent has told us of, one for each claim.
pub(crate) fn leaves_of(
    execution: &ExecutionRow,
    claims: &[ClaimRow],
    job_hash: &[u8; 32],
) -> Option<Vec<[u8; 32]>> {
    let leaf = |(index, claim): (u64, &ClaimRow)| {
        let digest: [u8; 32] = claim.digest.as_slice().try_into().ok()?;
        let leaf = if claim.outputs { Leaf::outputs(index, digest) } else { Leaf::state(index, digest) };
        Some(leaf.hash(job_hash))
    };
    (u64::from(execution.from_segment)..).zip(claims).map(leaf).collect()
}

fn drawn(proof: &ProofRow) -> Option<(&Requested, [u8; 32])> {
    let seed = proof.outcome.seed.as_deref()?.try_into().ok()?;
    Some((proof.request.as_ref()?, seed))
}

/// The states of an execution whose check is over are not needed any more, but for its last: from there the job goes on.
pub(super) async fn forget_states(context: &Context, proof: &ProofRow) -> Result<(), Error> {
    let executions = context.store.execution_list(proof.job).await?;
    let Some(execution) = executions.iter().find(|x| x.id == proof.execution) else { return Ok(()) };
    context.openings().forget(proof.job);
    let begun_from: Vec<u32> = executions.iter().map(|x| x.from_segment).collect();
    let mut old: Vec<ObjectId> = Vec::new();
    for object in context.store.object_list(proof.job).await? {
        let Some(segment) = object.segment else { continue };
        let kept = begun_from.contains(&segment) || segment + 1 >= execution.to_segment;
        if object.kind == ObjectKind::Checkpoint && object.execution == Some(execution.id) && !kept {
            old.push(object.id);
        }
    }
    let mut tx = context.store.begin().await?;
    for id in &old {
        tx.object_forget(*id).await?;
    }
    tx.commit().await?;
    for id in old {
        context.store.objects().remove(id).await?;
    }
    Ok(())
}
