//! Agents that their provider introduces: they show no token of ours, but the provider's word and their own.

use custody::{signer_of, token_hash};
use domain::{ExecutionId, Label, LeaseId, chain};
use market::Subject;
use store::{ClaimRow, DelegationRow, ExecutionChange, ExecutionRow, LeaseRow};
use wire::agent::{Acknowledgement, Commitment, Hello, Introduction, hello_statement};

use crate::{AgentRefusal, Engine};

/// Longer signatures are none.
const SIGNATURE_BYTES_MAX: usize = 4 * 1024;

impl Engine {
    /// The execution of an agent that introduces itself with a token of its own. Once its lease is live and its provider
    /// stands by it, the token is the execution's; the first agent stays.
    pub(super) async fn admit(
        &self,
        token: &str,
        hello: &Hello,
        introduction: &Introduction,
    ) -> Result<ExecutionRow, AgentRefusal> {
        let execution = self.execution_of(introduction.execution).await?;
        let lease = self.lease_must_be_live(&execution).await?;
        let hash = token_hash(token);
        if self.context.store.delegation_get(lease.id).await?.is_some() {
            let same = execution.token_hash.as_ref() == Some(&hash);
            return if same { Ok(execution) } else { Err(AgentRefusal::OtherInstance) };
        }
        let network = self.context.registry.get(&lease.network).ok_or(AgentRefusal::Unknown)?;
        if !network.capability().introduces {
            return Err(AgentRefusal::Unknown);
        }
        let delegation = bytes(&introduction.delegation)?;
        let shown = market::Introduction {
            agent: introduction.agent.clone(),
            delegation: delegation.clone(),
            statement: hello_statement(execution.id, &hello.instance_key, &hash).into_bytes(),
            signature: bytes(&introduction.signature)?,
        };
        match network.vouches(&Label::of(lease.id), &shown).await {
            Ok(true) => {}
            Ok(false) => return Err(AgentRefusal::Unknown),
            Err(error) => {
                tracing::info!(lease = %lease.id, error = %chain(&error), "a network could not tell whose agent this is");
                return Err(AgentRefusal::NotYet);
            }
        }
        let mut tx = self.context.store.begin().await?;
        let change = ExecutionChange { token_hash: Some(hash), ..ExecutionChange::default() };
        let row = DelegationRow { agent: introduction.agent.clone(), signature: delegation };
        if !tx.delegation_insert(lease.id, &row).await?
            || !tx.execution_change(&execution, change, self.context.now()).await?
        {
            return Err(AgentRefusal::NotYet);
        }
        tx.commit().await?;
        self.execution_of(execution.id).await
    }

    async fn execution_of(&self, id: ExecutionId) -> Result<ExecutionRow, AgentRefusal> {
        let row = self.context.store.execution_get(id).await?.ok_or(AgentRefusal::Unknown)?;
        if row.state.is_open() { Ok(row) } else { Err(AgentRefusal::Ended) }
    }

    /// Keeps what an agent commits to.
    ///
    /// # Errors
    /// `Malformed` from an agent that has not said by which key it signs, or that signed with another.
    pub async fn agent_commitment(
        &self,
        token: &str,
        commitment: &Commitment,
    ) -> Result<Acknowledgement, AgentRefusal> {
        let execution = self.agent(token).await?;
        let mut claim = claim_of(commitment)?;
        let lease = self.signs(&execution, &claim).await?;
        let word = self.acknowledge_told(&execution, lease, &mut claim).await?;
        let mut tx = self.context.store.begin().await?;
        let stands = tx.claim_insert(lease, &claim).await?;
        let body =
            format!("{{\"root\":\"{}\",\"leaf_count\":{}}}", hex::encode(&claim.root), claim.leaf_count);
        tx.outbox_add(self.context.now(), "lease.committed", &lease.to_string(), &body).await?;
        tx.commit().await?;
        self.heard(&execution);
        Ok(Acknowledgement { signature: word.filter(|_| stands) })
    }

    /// The lease for which an agent signs, if it was admitted with the key by which it signed. The signature of an agent that its
    /// provider introduced is checked where it is brought; the provider answers for it.
    pub(super) async fn signs(
        &self,
        execution: &ExecutionRow,
        claim: &ClaimRow,
    ) -> Result<LeaseId, AgentRefusal> {
        let id = execution.lease.ok_or(AgentRefusal::NotYet)?;
        let Some(admitted) = self.context.store.delegation_get(id).await? else {
            return Err(AgentRefusal::Malformed("this agent has not said by which key it signs"));
        };
        if !admitted.signature.is_empty() {
            return Ok(id);
        }
        let lease = self.context.store.lease_get(id).await?.ok_or(AgentRefusal::Unknown)?;
        let signer = match (self.subject(&lease).await?, claim.root.as_slice().try_into()) {
            (Some(Subject { domain, lease }), Ok(root)) => {
                let digest = evidence::commitment_digest(&domain, &lease, &root, claim.leaf_count);
                claim
                    .signature
                    .as_slice()
                    .try_into()
                    .ok()
                    .and_then(|signature| signer_of(&digest, &signature))
            }
            _ => None,
        };
        if signer.is_some_and(|signer| signer.eq_ignore_ascii_case(&admitted.agent)) {
            Ok(id)
        } else {
            Err(AgentRefusal::Malformed("the commitment is not signed by this agent's key"))
        }
    }

    /// What an agent signs for on a lease whose provider does not introduce it; `None` where nobody would check it.
    pub(super) async fn subject(&self, lease: &LeaseRow) -> Result<Option<Subject>, AgentRefusal> {
        let Some(notary) = self.context.registry.notary() else { return Ok(None) };
        match notary.subject(&lease.network, &Label::of(lease.id)).await {
            Ok(subject) => Ok(subject),
            Err(error) => {
                tracing::info!(lease = %lease.id, error = %chain(&error), "the notary could not be asked");
                Err(AgentRefusal::NotYet)
            }
        }
    }
}

/// A commitment as it is kept.
pub(super) fn claim_of(commitment: &Commitment) -> Result<ClaimRow, AgentRefusal> {
    let malformed =
        AgentRefusal::Malformed("the commitment is not a root, a number of leaves, a signature and a digest");
    let Some((root, signature, digest)) = commitment.bytes() else { return Err(malformed) };
    if commitment.leaf_count == 0 {
        return Err(malformed);
    }
    Ok(ClaimRow {
        leaf_count: commitment.leaf_count,
        root: root.to_vec(),
        signature: signature.to_vec(),
        digest: digest.to_vec(),
        outputs: commitment.outputs,
        acknowledged: false,
    })
}

fn bytes(text: &str) -> Result<Vec<u8>, AgentRefusal> {
    let malformed = AgentRefusal::Malformed("the introduction is not in hex with 0x");
    let Some(digits) = text.strip_prefix("0x").filter(|digits| digits.len() <= 2 * SIGNATURE_BYTES_MAX)
    else {
        return Err(malformed);
    };
    hex::decode(digits).map_err(|_| malformed)
}
