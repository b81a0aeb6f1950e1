//! Sealed objects between the agent's folder and the control plane.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use custody::{DataKey, Digest, InstanceKey, OsEntropy, PublicKey};
use evidence::StateHasher;
use futures::{Stream, StreamExt};
use reqwest::{Body, Method};
use tokio::io::AsyncWriteExt;
use wire::agent::{COMMITMENT_HEADER, Commitment, SealedRef, UploadReceipt, WRAP_INFO, WRAPPED_KEY_HEADER};

use crate::client::{Answer, Client, ClientError, Patience, once};
use crate::work::pack;

const PART_BYTES: usize = 256 * 1024;
const GIVE_UP: std::time::Duration = std::time::Duration::from_secs(3600);

/// An object could not be brought in or out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObjectError {
    /// The control plane could not be reached or refused.
    #[error("the control plane did not take or give an object")]
    Client(#[from] ClientError),
    /// It does not open.
    #[error("a sealed object does not open")]
    Seal(#[from] custody::SealError),
    /// Its key does not open.
    #[error("a sealed object's key does not open")]
    Key(#[from] custody::WrapError),
    /// The folder could not be used.
    #[error("the agent's folder could not be used")]
    Io(#[from] std::io::Error),
    /// What arrived there is not what was sent.
    #[error("the control plane acknowledged other bytes than were sent")]
    Receipt,
}

/// Fetches an object and opens it into a temporary file, at its start.
pub(crate) async fn fetch(
    client: &Client,
    sealed: &SealedRef,
    key: &InstanceKey,
    seal_dir: &Path,
) -> Result<File, ObjectError> {
    let path = format!("objects/{}", sealed.object);
    let wrapped = hex::decode(&sealed.wrapped_key).map_err(|_| custody::WrapError::Unwrap)?;
    let data_key = key.unwrap_key(&wrapped, WRAP_INFO)?;
    let mut patience = Patience::new(GIVE_UP);
    let mut ciphertext = loop {
        let response = client.until_answered(|| client.request(Method::GET, &path)).await?;
        let mut file = tokio::fs::File::from_std(tempfile::tempfile_in(seal_dir)?);
        let mut parts = response.bytes_stream();
        let mut whole = true;
        while let Some(part) = parts.next().await {
            match part {
                Ok(part) => file.write_all(&part).await?,
                Err(_) => whole = false,
            }
        }
        file.flush().await?;
        if whole {
            break file.into_std().await;
        }
        patience.wait().await?;
    };
    let (context, dir) = (sealed.context.clone(), seal_dir.to_owned());
    blocking(move || {
        ciphertext.seek(SeekFrom::Start(0))?;
        let mut plain = tempfile::tempfile_in(dir)?;
        custody::open(&mut ciphertext, &mut plain, &data_key, context.as_bytes())?;
        plain.seek(SeekFrom::Start(0))?;
        Ok(plain)
    })
    .await
}

/// One file or folder as a tar, and the digest of that.
pub(crate) struct Packed {
    tar: File,
    pub(crate) digest: [u8; 32],
}

/// Packs one file or folder under a name.
pub(crate) async fn packed(source: PathBuf, name: String, seal_dir: &Path) -> Result<Packed, ObjectError> {
    let dir = seal_dir.to_owned();
    blocking(move || {
        let mut tar = pack(&source, &name, &dir)?;
        let digest = digest_of(&mut tar)?;
        Ok(Packed { tar, digest })
    })
    .await
}

/// The digest of a whole file, which is then at its start again.
pub fn digest_of(file: &mut File) -> std::io::Result<[u8; 32]> {
    let mut hasher = StateHasher::default();
    file.seek(SeekFrom::Start(0))?;
    hasher.take(&*file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(hasher.finish())
}

/// Where something goes, and under which words it is sealed.
pub(crate) struct Destination {
    pub(crate) path: String,
    pub(crate) context: String,
    /// Told with it.
    pub(crate) commitment: Option<Commitment>,
}

/// Seals and uploads what was packed; the receipt must name the bytes that were sent.
pub(crate) async fn send(
    client: &Client,
    to: &Destination,
    packed: Packed,
    customer: PublicKey,
    seal_dir: &Path,
) -> Result<UploadReceipt, ObjectError> {
    let (dir, context, mut tar) = (seal_dir.to_owned(), to.context.clone(), packed.tar);
    let (sealed, wrapped) = blocking(move || {
        let key = DataKey::mint(&OsEntropy);
        let mut sealed = tempfile::tempfile_in(&dir)?;
        custody::seal(&mut tar, &mut sealed, &key, context.as_bytes(), &OsEntropy)?;
        Ok((sealed, hex::encode(custody::wrap(&key, &customer, WRAP_INFO, &OsEntropy)?)))
    })
    .await?;
    let mut patience = Patience::new(GIVE_UP);
    let mut last_digest = String::new();
    loop {
        let mut file = sealed.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let (stream, digest) = hashed(file);
        let mut request = client.request(Method::PUT, &to.path).header(WRAPPED_KEY_HEADER, &wrapped);
        if let Some(commitment) = &to.commitment {
            request = request.header(COMMITMENT_HEADER, commitment.to_string());
        }
        let answer = once(request.body(Body::wrap_stream(stream))).await?;
        last_digest = digest.await.unwrap_or(last_digest);
        if let Answer::Good(response) = answer
            && let Ok(receipt) = response.json::<UploadReceipt>().await
        {
            return if receipt.digest == last_digest { Ok(receipt) } else { Err(ObjectError::Receipt) };
        }
        patience.wait().await?;
    }
}

type Hashed = futures::stream::BoxStream<'static, Result<Bytes, std::io::Error>>;

/// A file as a stream, and the digest of what was read once it has ended.
fn hashed(file: File) -> (Hashed, tokio::sync::oneshot::Receiver<String>) {
    let (done, digest) = tokio::sync::oneshot::channel();
    let state = (tokio::fs::File::from_std(file), Digest::default(), Some(done));
    let stream: std::pin::Pin<Box<dyn Stream<Item = _> + Send>> =
        Box::pin(futures::stream::try_unfold(state, |(mut file, mut digest, mut done)| async move {
            let mut part = vec![0u8; PART_BYTES];
            let read = tokio::io::AsyncReadExt::read(&mut file, &mut part).await?;
            part.truncate(read);
            digest.update(&part);
            if read == 0 {
                if let Some(done) = done.take() {
                    // Nobody waits for it when the request has failed already.
                    let _ = done.send(digest.clone().finish());
                }
                return Ok(None);
            }
            Ok(Some((Bytes::from(part), (file, digest, done))))
        }));
    (stream, digest)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ObjectError> + Send + 'static,
) -> Result<T, ObjectError> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}
