//! Sealed objects in and out: inputs from the user, checkpoints and outputs from agents, outputs to the user.

use std::io::{Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use custody::{DataKey, Digest, Signer, seal, wrap};
use domain::{ExecutionId, JobId, ObjectId};
use futures::Stream;
use store::{ExecutionRow, ObjectKind, ObjectRow, ReceiveError};
use wire::agent::{Commitment, UploadReceipt, WRAP_INFO};

use super::introductions::claim_of;
use crate::{AgentRefusal, Engine, Error};

/// What a receipt's signature is for.
const RECEIPT_PURPOSE: &str = "waag/upload-receipt/1";
/// States kept of a job: the newest can be gone on from, the one before guards against a bad newest.
const CHECKPOINTS_KEPT: u32 = 2;

impl Engine {
    /// Takes the user's files, seals them, and keeps them for a job to name. `plain` is a file with a tar.
    ///
    /// # Errors
    /// The data store failed.
    pub async fn inputs_store(&self, plain: std::fs::File) -> Result<(ObjectId, u64), Error> {
        let context = &self.context;
        let id = ObjectId::mint(&*context.entropy);
        let (key, aad) = (DataKey::mint(&*context.entropy), format!("inputs|{id}"));
        let (entropy, seal_key, seal_aad) =
            (std::sync::Arc::clone(&context.entropy), key.clone(), aad.clone());
        let (sealed, plain_bytes, content) = tokio::task::spawn_blocking(move || -> Result<_, Error> {
            let mut out = tempfile::tempfile()?;
            let mut content = evidence::StateHasher::default();
            content.take(&plain)?;
            (&plain).seek(SeekFrom::Start(0))?;
            let sizes = seal(&mut &plain, &mut out, &seal_key, seal_aad.as_bytes(), &*entropy)?;
            out.seek(SeekFrom::Start(0))?;
            Ok((out, sizes.plain_bytes, content.finish()))
        })
        .await
        .map_err(std::io::Error::other)??;
        let (digest, bytes) = self.keep(id, sealed).await?;
        let wrapped = wrap(&key, &context.keys.customer().public(), WRAP_INFO, &*context.entropy)?;
        let mut tx = context.store.begin().await?;
        tx.object_insert(&ObjectRow {
            id,
            job: None,
            kind: ObjectKind::Inputs,
            execution: None,
            segment: None,
            context: aad,
            wrapped_key: hex::encode(wrapped),
            digest,
            content: Some(content),
            bytes,
            created_at: context.now(),
        })
        .await?;
        tx.commit().await?;
        Ok((id, plain_bytes))
    }

    async fn keep(&self, id: ObjectId, sealed: std::fs::File) -> Result<(String, u64), Error> {
        let mut digest = Digest::default();
        let stream = file_stream(tokio::fs::File::from_std(sealed));
        let received =
            self.context.store.objects().receive(id, stream, u64::MAX, |part| digest.update(part)).await;
        match received {
            Ok(received) => Ok((digest.finish(), received.bytes)),
            Err(ReceiveError::Store(error)) => Err(error.into()),
            Err(ReceiveError::Sender(error)) => Err(error.into()),
            Err(ReceiveError::TooLarge { .. }) => {
                Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge).into())
            }
        }
    }

    /// Takes a checkpoint of state `segment`: after this the work before it is never done again.
    ///
    /// # Errors
    /// Nothing of a broken upload is kept.
    pub async fn agent_checkpoint<S, E>(
        &self,
        token: &str,
        segment: u32,
        wrapped_key: &str,
        commitment: Option<&Commitment>,
        body: S,
    ) -> Result<UploadReceipt, AgentRefusal>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + 'static,
    {
        let claim = commitment.map(claim_of).transpose()?;
        let execution = self.agent(token).await?;
        let job = self.context.job(execution.job).await?;
        // The state that it began from is another's, and stays as it is.
        if segment <= execution.from_segment || segment > job.segments {
            return Err(AgentRefusal::Malformed("this execution has no such state"));
        }
        let mut claim = match claim {
            Some(claim) => Some((self.signs(&execution, &claim).await?, claim)),
            None => None,
        };
        let context = wire::agent::checkpoint_context(execution.id, segment);
        let mut row = self
            .upload(&execution, ObjectKind::Checkpoint, Some(segment), context, wrapped_key, body)
            .await?;
        self.context.reached("execution.checkpoint.stored")?;
        let claimed = claim.as_mut().map(|(_, claim)| claim);
        let mut acknowledgement = match self.acknowledge_state(&execution, claimed, &mut row).await {
            Ok(word) => word,
            Err(refusal) => return self.not_kept(&row, refusal).await,
        };
        let mut tx = self.context.store.begin().await?;
        if !tx.execution_progress(execution.id, segment).await? {
            drop(tx);
            return self.not_kept(&row, AgentRefusal::Ended).await;
        }
        // The newest state is served to validators, so nothing takes the place of one that we gave our word for.
        let kept = tx.object_content(execution.job, execution.id, segment).await?;
        if kept.is_some() && kept != row.content {
            drop(tx);
            return self
                .not_kept(&row, AgentRefusal::Malformed("this state was stored with another content"))
                .await;
        }
        if let Some((lease, claim)) = &claim {
            let stands = tx.claim_insert(*lease, claim).await?;
            acknowledgement = acknowledgement.filter(|_| stands);
        }
        tx.object_insert(&row).await?;
        let root =
            claim.map_or_else(String::new, |(_, claim)| format!(",\"root\":\"{}\"", hex::encode(claim.root)));
        let (object, digest) = (row.id, &row.digest);
        let body = format!("{{\"segment\":{segment},\"object\":\"{object}\",\"digest\":\"{digest}\"{root}}}");
        tx.outbox_add(row.created_at, "checkpoint.stored", &execution.id.to_string(), &body).await?;
        tx.job_progress(execution.job, segment).await?;
        tx.commit().await?;
        self.context.reached("execution.checkpoint.after")?;
        self.heard(&execution);
        if self.context.checkable(&job)?.is_err() {
            self.forget_old_checkpoints(execution.job, segment).await?;
        }
        Ok(UploadReceipt { acknowledgement, ..self.receipt(&row, execution.id) })
    }

    /// Removes what was uploaded, and says why.
    async fn not_kept<T>(&self, row: &ObjectRow, refusal: AgentRefusal) -> Result<T, AgentRefusal> {
        self.context.store.objects().remove(row.id).await?;
        Err(refusal)
    }

    /// Takes the outputs.
    ///
    /// # Errors
    /// Nothing of a broken upload is kept.
    pub async fn agent_outputs<S, E>(
        &self,
        token: &str,
        wrapped_key: &str,
        body: S,
    ) -> Result<UploadReceipt, AgentRefusal>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + 'static,
    {
        let execution = self.agent(token).await?;
        let context = wire::agent::outputs_context(execution.id);
        let row = self.upload(&execution, ObjectKind::Outputs, None, context, wrapped_key, body).await?;
        let mut tx = self.context.store.begin().await?;
        // An upload takes its time, and the execution may have been given up meanwhile.
        if !tx.execution_get_in_txn(execution.id).await?.is_some_and(|x| x.state.is_open()) {
            drop(tx);
            self.context.store.objects().remove(row.id).await?;
            return Err(AgentRefusal::Ended);
        }
        tx.object_insert(&row).await?;
        let body = format!("{{\"object\":\"{}\",\"digest\":\"{}\"}}", row.id, row.digest);
        tx.outbox_add(row.created_at, "outputs.stored", &execution.id.to_string(), &body).await?;
        tx.commit().await?;
        self.heard(&execution);
        Ok(self.receipt(&row, execution.id))
    }

    async fn upload<S, E>(
        &self,
        execution: &ExecutionRow,
        kind: ObjectKind,
        segment: Option<u32>,
        context: String,
        wrapped_key: &str,
        body: S,
    ) -> Result<ObjectRow, AgentRefusal>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + 'static,
    {
        let customer = self.context.keys.customer();
        let wrapped =
            hex::decode(wrapped_key).map_err(|_| AgentRefusal::Malformed("the wrapped key is not hex"))?;
        if customer.unwrap_key(&wrapped, WRAP_INFO).is_err() {
            return Err(AgentRefusal::Malformed("the wrapped key does not open with the customer's key"));
        }
        let id = ObjectId::mint(&*self.context.entropy);
        let mut digest = Digest::default();
        let max = self.context.config.upload_bytes_max;
        let received = self.context.store.objects().receive(id, body, max, |part| digest.update(part)).await;
        let received = received.map_err(|error| match error {
            ReceiveError::TooLarge { max } => AgentRefusal::TooLarge { max },
            ReceiveError::Sender(_) => AgentRefusal::BrokeOff,
            ReceiveError::Store(error) => AgentRefusal::Engine(error.into()),
        })?;
        if received.bytes == 0 {
            self.context.store.objects().remove(id).await?;
            return Err(AgentRefusal::Malformed("the upload is empty"));
        }
        Ok(ObjectRow {
            id,
            job: Some(execution.job),
            kind,
            execution: Some(execution.id),
            segment,
            context,
            wrapped_key: wrapped_key.to_owned(),
            digest: digest.finish(),
            content: None,
            bytes: received.bytes,
            created_at: self.context.now(),
        })
    }

    fn receipt(&self, row: &ObjectRow, execution: ExecutionId) -> UploadReceipt {
        let mut receipt = UploadReceipt {
            object: row.id,
            execution,
            segment: row.segment,
            digest: row.digest.clone(),
            at_ms: row.created_at.0,
            signature: String::new(),
            acknowledgement: None,
        };
        receipt.signature =
            self.context.keys.receipts().sign(RECEIPT_PURPOSE, receipt.signed_text().as_bytes());
        receipt
    }

    async fn forget_old_checkpoints(&self, job: JobId, newest: u32) -> Result<(), Error> {
        let old = self
            .context
            .store
            .object_list_checkpoints_before(job, newest.saturating_sub(CHECKPOINTS_KEPT - 1))
            .await?;
        if old.is_empty() {
            return Ok(());
        }
        let mut tx = self.context.store.begin().await?;
        for id in &old {
            tx.object_forget(*id).await?;
        }
        tx.commit().await?;
        for id in old {
            self.context.store.objects().remove(id).await?;
        }
        Ok(())
    }

    /// The ciphertext of an object that the agent, or a drawn validator, may read: its job's bundle, inputs and checkpoints.
    ///
    /// # Errors
    /// `NoObject` for an object of another job.
    pub async fn agent_object(
        &self,
        token: &str,
        object: ObjectId,
    ) -> Result<impl Stream<Item = Result<Bytes, std::io::Error>> + Send + use<>, AgentRefusal> {
        let (job, outputs_too) = match self.opened(token) {
            Some(job) => (job, false),
            None => (self.agent(token).await?.job, true),
        };
        let row = self.context.store.object_get(object).await?;
        let open = |row: &ObjectRow| row.job == Some(job) && (outputs_too || row.kind != ObjectKind::Outputs);
        if !row.as_ref().is_some_and(open) {
            return Err(AgentRefusal::NoObject);
        }
        Ok(self.context.store.objects().stream(object).await?)
    }

    /// Opens the job's outputs into `to`, a tar. Returns whether there are any.
    ///
    /// # Errors
    /// The object does not open, or a file could not be written.
    pub async fn outputs_open(&self, job: JobId, to: &Path) -> Result<bool, Error> {
        let row = match self.context.job(job).await?.outputs {
            Some(id) => self.context.store.object_get(id).await?,
            None => None,
        };
        let Some(row) = row else { return Ok(false) };
        self.open_into(&row, std::fs::File::create(to)?).await?;
        Ok(true)
    }
}

fn file_stream(file: tokio::fs::File) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    futures::stream::try_unfold(file, |mut file| async move {
        let mut part = vec![0u8; 256 * 1024];
        let read = tokio::io::AsyncReadExt::read(&mut file, &mut part).await?;
        part.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(part), file)))
    })
}
