//! The account's word that it has a state. It is given for what was opened here and is what the leaf says, and for nothing else: by it
//! the lease's provider is excused, and paid, should that state be kept back from validators.

use std::io::{Seek, SeekFrom, Write};

use domain::{Label, LeaseId, chain};
use evidence::{Leaf, StateHasher};
use futures::StreamExt;
use market::Escrow;
use store::{ClaimRow, ExecutionRow, ObjectRow};
use tokio::io::AsyncWriteExt;
use wire::agent::{Acknowledgement, hex_of};

use crate::{AgentRefusal, Engine, Error};

impl Engine {
    /// The word for the newest leaf of a claim, whose state has this content.
    ///
    /// # Errors
    /// `NotYet` where it cannot be given now. `None` where nobody needs it, and where what we have is not what the leaf says.
    pub(super) async fn acknowledge(
        &self,
        escrow: &dyn Escrow,
        execution: &ExecutionRow,
        lease: LeaseId,
        claim: &ClaimRow,
        content: [u8; 32],
    ) -> Result<Option<String>, AgentRefusal> {
        let number = u64::from(execution.from_segment) + u64::from(claim.leaf_count.saturating_sub(1));
        if claim.digest.as_slice() != content {
            tracing::warn!(execution = %execution.id, state = number, "a state is not what its agent committed to");
            return Ok(None);
        }
        let job = self.context.job(execution.job).await?;
        let leaf = Leaf::state(number, content).hash(&crate::jobs::hash_of(&job));
        let label = Label::of(lease);
        match escrow.acknowledge(&label, number, &leaf).await {
            Ok(word) => Ok(word.map(|signature| hex_of(&signature))),
            Err(error) => {
                tracing::info!(execution = %execution.id, error = %chain(&error), "a state cannot be acknowledged now");
                Err(AgentRefusal::NotYet)
            }
        }
    }

    /// The word for the state from which an execution begins: all that an agent commits to before it works.
    pub(super) async fn acknowledge_first(
        &self,
        execution: &ExecutionRow,
        lease: LeaseId,
        claim: &ClaimRow,
    ) -> Result<Acknowledgement, AgentRefusal> {
        if claim.outputs || claim.leaf_count != 1 {
            return Ok(Acknowledgement::default());
        }
        let Some(escrow) = self.escrow_of(lease).await? else { return Ok(Acknowledgement::default()) };
        let content = match execution.from_segment {
            0 => [0; 32],
            segment => {
                let row = self.context.store.object_checkpoint(execution.job, segment).await?;
                self.content(&row.ok_or(AgentRefusal::Unknown)?).await?
            }
        };
        Ok(Acknowledgement { signature: self.acknowledge(escrow, execution, lease, claim, content).await? })
    }

    /// What stands between for a lease. Where nothing does, findings cost its provider nothing, and it needs no word of ours.
    pub(super) async fn escrow_of(&self, lease: LeaseId) -> Result<Option<&dyn Escrow>, Error> {
        let row = self.context.store.lease_get(lease).await?;
        Ok(row.and_then(|row| self.context.registry.escrow(&row.network)).map(AsRef::as_ref))
    }

    /// BLAKE3 of what is sealed.
    pub(super) async fn content(&self, row: &ObjectRow) -> Result<[u8; 32], Error> {
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
