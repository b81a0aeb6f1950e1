//! The account's word that it has every state below a root. It is given where each was opened here and is what its leaf says, and where
//! the leaves that we were told of make the root; by it the lease's provider is excused, and paid, should one be kept back from
//! validators. A root that we were never told has no word, whatever states lie below it.

use std::io::{Seek, SeekFrom, Write};

use domain::{Label, LeaseId, chain};
use evidence::{StateHasher, Tree};
use futures::StreamExt;
use market::{Commitment, Escrow};
use store::{ClaimRow, ExecutionRow, ObjectRow};
use tokio::io::AsyncWriteExt;
use wire::agent::hex_of;

use crate::proofs::leaves_of;
use crate::{AgentRefusal, Engine, Error};

impl Engine {
    /// The word for a state that was uploaded, which is opened where something stands between for its lease.
    ///
    /// # Errors
    /// `NotYet` where it cannot be given now. `None` where nobody needs it, and where it would not be true.
    pub(super) async fn acknowledge_state(
        &self,
        execution: &ExecutionRow,
        claim: Option<&mut ClaimRow>,
        row: &mut ObjectRow,
    ) -> Result<Option<String>, AgentRefusal> {
        let Some(lease) = execution.lease else { return Ok(None) };
        let Some(escrow) = self.escrow_of(lease).await? else { return Ok(None) };
        match self.content(row).await {
            Ok(content) => row.content = Some(content),
            Err(Error::Seal(error)) => {
                tracing::warn!(execution = %execution.id, %error, "a state does not open");
            }
            Err(error) => return Err(error.into()),
        }
        let Some(claim) = claim else { return Ok(None) };
        let newest = u64::from(execution.from_segment) + u64::from(claim.leaf_count.saturating_sub(1));
        let is_there = row.content.is_some_and(|content| claim.digest.as_slice() == content)
            && row.segment.map(u64::from) == Some(newest);
        if claim.outputs || !is_there {
            tracing::warn!(execution = %execution.id, "a state is not what its agent committed to");
            return Ok(None);
        }
        self.acknowledge(escrow, execution, lease, claim).await
    }

    /// The word for what is committed to without an upload: the state from which an execution begins, and its outputs, which
    /// validators do not need.
    ///
    /// # Errors
    /// As of [`Self::acknowledge_state`].
    pub(super) async fn acknowledge_told(
        &self,
        execution: &ExecutionRow,
        lease: LeaseId,
        claim: &mut ClaimRow,
    ) -> Result<Option<String>, AgentRefusal> {
        let Some(escrow) = self.escrow_of(lease).await? else { return Ok(None) };
        let is_there = match (claim.outputs, claim.leaf_count, execution.from_segment) {
            (true, ..) => true,
            (false, 1, 0) => claim.digest == [0; 32],
            (false, 1, from) => {
                let row = self.context.store.object_checkpoint(execution.job, from).await?;
                claim.digest == self.content(&row.ok_or(AgentRefusal::Unknown)?).await?
            }
            (false, ..) => false,
        };
        if is_there { self.acknowledge(escrow, execution, lease, claim).await } else { Ok(None) }
    }

    /// The word for the root of a claim whose newest leaf is as it says.
    async fn acknowledge(
        &self,
        escrow: &dyn Escrow,
        execution: &ExecutionRow,
        lease: LeaseId,
        claim: &mut ClaimRow,
    ) -> Result<Option<String>, AgentRefusal> {
        let mut told = self.context.store.claim_list(lease, claim.leaf_count.saturating_sub(1)).await?;
        if !told.last().is_none_or(|before| before.acknowledged && !before.outputs) {
            return Ok(None);
        }
        told.push(claim.clone());
        let job = self.context.job(execution.job).await?;
        let leaves = leaves_of(execution, &told, &crate::jobs::hash_of(&job)).unwrap_or_default();
        let mut tree = Tree::default();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        let Some(root) = tree.root().filter(|root| claim.root.as_slice() == root) else { return Ok(None) };
        let commitment = Commitment { root, leaf_count: tree.leaves() };
        match escrow.acknowledge(&Label::of(lease), &commitment).await {
            Ok(word) => {
                claim.acknowledged = word.is_some();
                Ok(word.map(|signature| hex_of(&signature)))
            }
            Err(error) => {
                tracing::info!(execution = %execution.id, error = %chain(&error), "a state cannot be acknowledged now");
                Err(AgentRefusal::NotYet)
            }
        }
    }

    /// What stands between for a lease. Where nothing does, findings cost its provider nothing, and it needs no word of ours.
    async fn escrow_of(&self, lease: LeaseId) -> Result<Option<&dyn Escrow>, Error> {
        let row = self.context.store.lease_get(lease).await?;
        Ok(row.and_then(|row| self.context.registry.escrow(&row.network)).map(AsRef::as_ref))
    }

    /// BLAKE3 of what is sealed.
    async fn content(&self, row: &ObjectRow) -> Result<[u8; 32], Error> {
        match row.content {
            Some(content) => Ok(content),
            None => Ok(self.open_into(row, StateHasher::default()).await?.finish()),
        }
    }

    /// Opens an object part by part.
    ///
    /// # Errors
    /// It does not open, or a file could not be written. `out` holds a genuine beginning then.
    pub(super) async fn open_into<W: Write + Send + 'static>(
        &self,
        row: &ObjectRow,
        mut out: W,
    ) -> Result<W, Error> {
        let (key, context) = (self.data_key(row)?, row.context.clone());
        let mut sealed = tokio::fs::File::from_std(tempfile::tempfile()?);
        let mut parts = std::pin::pin!(self.context.store.objects().stream(row.id).await?);
        while let Some(part) = parts.next().await {
            sealed.write_all(&part?).await?;
        }
        sealed.flush().await?;
        let mut sealed = sealed.into_std().await;
        tokio::task::spawn_blocking(move || -> Result<W, Error> {
            sealed.seek(SeekFrom::Start(0))?;
            custody::open(&mut sealed, &mut out, &key, context.as_bytes())?;
            Ok(out)
        })
        .await
        .map_err(std::io::Error::other)?
    }
}
