//! One segment of a job run once more, from an opened state, by the means that an execution is run by.
//!
//! A validator asks for its openings and fetches what they name through a [`Source`], and has each segment run by a [`Replayer`].
//! States and outputs are packed and digested as the agent of an execution does it, so equal work has equal digests.

mod source;

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wire::agent::Bundle;

use crate::place::{Place, PlaceError, Range, commands};
use crate::sandbox::{Exit, Running, SandboxError};
use crate::upload::{ObjectError, packed};

pub use self::source::{OpeningsError, Source};
pub use crate::upload::digest_of;
pub use crate::work::pack as state_of;

const SCAN_EVERY: Duration = Duration::from_millis(20);
const DISK_EVERY: Duration = Duration::from_secs(1);

/// A segment to run.
pub struct Segment {
    /// What is run.
    pub bundle: Arc<Bundle>,
    /// The tar of the job's inputs.
    pub inputs: Option<File>,
    /// The tar of the state to go on from; `None` where the work begins from nothing.
    pub state: Option<File>,
    /// Segments of the whole job.
    pub of: u32,
    /// This one's number in the job, from 0.
    pub number: u32,
    /// Whether its outputs are asked for too, which the job's last segment leaves.
    pub outputs: bool,
}

/// What came out. Where the workload fails on a state, or exhausts what the job may use, nothing comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// BLAKE3 of the state after the segment.
    pub state: Option<[u8; 32]>,
    /// BLAKE3 of the outputs, where they were asked for.
    pub outputs: Option<[u8; 32]>,
}

/// A segment could not be run here, which says nothing about it.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The fence could not be put up.
    #[error("the workload could not be fenced")]
    Sandbox(#[from] SandboxError),
    /// The folder could not be used.
    #[error("the folder of a replay could not be used")]
    Io(#[from] std::io::Error),
    /// What was laid out could not be unpacked, or the result not be packed.
    #[error("what a segment needs or gives could not be moved")]
    Objects(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The job's setup, which ran for the execution, failed.
    #[error("the job's setup fails on this machine")]
    Setup,
    /// The workload could not be started behind the fence.
    #[error("the workload was not started: {why}")]
    NotStarted {
        /// As the fence told it.
        why: String,
    },
}

impl From<PlaceError> for ReplayError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Sandbox(error) => Self::Sandbox(error),
            PlaceError::Io(error) => Self::Io(error),
        }
    }
}

impl From<ObjectError> for ReplayError {
    fn from(error: ObjectError) -> Self {
        Self::Objects(Box::new(error))
    }
}

/// Runs segments again.
#[async_trait]
pub trait Replayer: Send + Sync {
    /// Runs setup and workload over one segment. A call that is dropped ends what it started.
    ///
    /// # Errors
    /// When this machine cannot run it; another try may.
    async fn replay(&self, segment: Segment) -> Result<Replayed, ReplayError>;
}

/// Runs segments in the sandbox of this machine, one at a time.
pub struct Sandboxed {
    exe: PathBuf,
    folder: PathBuf,
    /// The folder is one, and so is the user that workloads of this process run as.
    one: tokio::sync::Mutex<()>,
}

impl Sandboxed {
    /// In `folder`, which is emptied before and after each segment; `exe` is this program.
    pub fn new(exe: PathBuf, folder: PathBuf) -> Self {
        Self { exe, folder, one: tokio::sync::Mutex::default() }
    }
}

#[async_trait]
impl Replayer for Sandboxed {
    async fn replay(&self, segment: Segment) -> Result<Replayed, ReplayError> {
        let _one = self.one.lock().await;
        let (exe, folder) = (self.exe.clone(), self.folder.clone());
        let (run, place) = tokio::task::spawn_blocking(move || lay_out(segment, folder, exe))
            .await
            .map_err(std::io::Error::other)??;
        let replayed = replay(&run, &place).await;
        place.work.clear();
        replayed
    }
}

/// What is left of a segment once all is laid out.
struct Run {
    bundle: Arc<Bundle>,
    range: Range,
    outputs: bool,
}

fn lay_out(segment: Segment, folder: PathBuf, exe: PathBuf) -> Result<(Run, Place), ReplayError> {
    let Segment { bundle, mut inputs, state, of, number, outputs } = segment;
    let place = Place::make(folder, exe)?;
    if let Some(inputs) = &mut inputs {
        inputs.seek(SeekFrom::Start(0))?;
    }
    place.furnish(&bundle, inputs.as_mut())?;
    if let Some(mut state) = state {
        place.put_state(&bundle, &mut state)?;
    }
    place.hand_over(&bundle)?;
    let range = Range { of, from: number, to: number + 1 };
    Ok((Run { bundle, range, outputs }, place))
}

async fn replay(run: &Run, place: &Place) -> Result<Replayed, ReplayError> {
    let after = place.work.path("checkpoint").join(run.range.to.to_string());
    let last = commands(&run.bundle).count();
    for (n, command) in commands(&run.bundle).enumerate() {
        let mut running = place.start(&run.bundle, command, run.range)?;
        drain(&mut running);
        let is_work = n + 1 == last;
        // Without outputs nothing is asked for that comes after the state, which appears as a whole.
        let enough = (is_work && !run.outputs).then_some(&after);
        let exit = finished(run, place, &mut running, enough).await?;
        running.kill();
        match exit {
            None | Some(Exit::Code(0)) => {}
            Some(Exit::NotStarted) => {
                let why = running.refusal().unwrap_or("the sandbox gave no reason").to_owned();
                return Err(ReplayError::NotStarted { why });
            }
            Some(_) if !is_work => return Err(ReplayError::Setup),
            Some(_) => return Ok(Replayed { outputs: None, ..came_out(run, place, &after).await? }),
        }
    }
    came_out(run, place, &after).await
}

/// How the command ended; `None` when what was waited for is there before, or the job's disk is full.
async fn finished(
    run: &Run,
    place: &Place,
    running: &mut Running,
    enough: Option<&PathBuf>,
) -> Result<Option<Exit>, ReplayError> {
    let mut scan = tokio::time::interval(SCAN_EVERY);
    let mut disk = tokio::time::interval(DISK_EVERY);
    loop {
        tokio::select! {
            exit = running.wait() => return Ok(Some(exit?)),
            _ = scan.tick() => {
                if enough.is_some_and(|path| path.exists()) {
                    return Ok(None);
                }
            }
            _ = disk.tick() => {
                if place.is_full(&run.bundle) {
                    return Ok(None);
                }
            }
        }
    }
}

async fn came_out(run: &Run, place: &Place, after: &std::path::Path) -> Result<Replayed, ReplayError> {
    let seal_dir = place.work.path("seal");
    let digest = async |path: PathBuf, name: String| -> Result<Option<[u8; 32]>, ReplayError> {
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(packed(path, name, &seal_dir).await?.digest))
    };
    let state = digest(after.to_owned(), run.range.to.to_string()).await?;
    let outputs = place.work.path("outputs");
    let outputs = if run.outputs { digest(outputs, "outputs".to_owned()).await? } else { None };
    Ok(Replayed { state, outputs })
}

/// What it says is its customer's and goes nowhere; it must not wait for a reader.
fn drain(running: &mut Running) {
    let (out, err) = running.output();
    if let Some(mut out) = out {
        tokio::spawn(async move { tokio::io::copy(&mut out, &mut tokio::io::sink()).await });
    }
    if let Some(mut err) = err {
        tokio::spawn(async move { tokio::io::copy(&mut err, &mut tokio::io::sink()).await });
    }
}
