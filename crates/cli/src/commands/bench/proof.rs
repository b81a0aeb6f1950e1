//! What proving costs beside the work itself: the example of the demo, run once; each of its states committed to as its agent does;
//! and the segments that three validators of a proof run again, each in a sandbox.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::replay::{Replayer, Sandboxed, Segment, digest_of, state_of};
use anyhow::Context;
use domain::JobSpec;
use evidence::{Leaf, drawn_segments};
use wire::agent::Bundle;

use super::commitment::delegate;
use crate::commands::demo::JOB;
use crate::failure::{Done, Exit, Failure};

/// Validators of one proof do the same work side by side.
const VALIDATORS: u32 = 3;

/// What each run gave, in percent of the time of the work.
#[derive(Default)]
pub(super) struct Proving {
    /// Committing to its states.
    pub(super) committing: Vec<f64>,
    /// That, and the replays of all validators.
    pub(super) replayed: Vec<f64>,
}

impl Proving {
    /// One run.
    pub(super) async fn measure(&mut self, folder: &Path) -> Done {
        let folder = tempfile::tempdir_in(folder).context("make a folder for the example")?;
        let spec =
            wire::jobfile::parse(JOB.as_bytes(), "the demo's job").context("read the demo's job")?.spec;
        let work = work(folder.path(), &spec)?;
        let committing = committing(folder.path(), spec.verify.segments)?;
        let replays = replays(folder.path(), &spec).await? * VALIDATORS;
        let percent = |time: Duration| time.as_secs_f64() / work.as_secs_f64() * 100.0;
        self.committing.push(percent(committing));
        self.replayed.push(percent(committing + replays));
        Ok(())
    }
}

/// The whole job, without a fence.
fn work(folder: &Path, spec: &JobSpec) -> Done<Duration> {
    let exe = std::env::current_exe().context("find this program")?;
    let command = spec.run.replacen("waag", &exe.display().to_string(), 1);
    let started = Instant::now();
    let status = Command::new("sh")
        .args(["-c", &command])
        .envs(&spec.envs)
        .env("WAAG_SEGMENTS", spec.verify.segments.to_string())
        .env("WAAG_CHECKPOINT_DIR", folder.join("checkpoint"))
        .env("WAAG_OUTPUT_DIR", folder.join("outputs"))
        .stdout(Stdio::null())
        .status()
        .context("run the example")?;
    if !status.success() {
        return Err(failed(format!("the example ended with {status}")));
    }
    Ok(started.elapsed())
}

fn failed(what: String) -> Failure {
    Failure::new(Exit::Failed, "bench_proof", what)
}

fn committing(folder: &Path, segments: u32) -> Done<Duration> {
    let delegate = delegate(folder)?;
    let started = Instant::now();
    for number in 0..=segments {
        let digest = match number {
            0 => [0; 32],
            _ => digest_of(&mut state(folder, number)?).context("read a state")?,
        };
        let leaf = Leaf::state(u64::from(number), digest);
        delegate
            .commit(&[6; 32], leaf)
            .context("commit to a state")?
            .context("an agent with a delegation commits")?;
    }
    Ok(started.elapsed())
}

/// What one validator runs again; each segment must give the state that the work gave.
async fn replays(folder: &Path, spec: &JobSpec) -> Done<Duration> {
    let exe = std::env::current_exe().context("find this program")?;
    let replayer = Sandboxed::new(exe, folder.join("replay"));
    let (bundle, of) = (Arc::new(bundle(spec)), spec.verify.segments);
    let started = Instant::now();
    for number in drawn_segments(&[7; 32], of, spec.verify.sample) {
        let before = if number == 0 { None } else { Some(state(folder, number)?) };
        let bundle = Arc::clone(&bundle);
        let segment = Segment { bundle, inputs: None, state: before, of, number, outputs: number + 1 == of };
        let replayed = replayer.replay(segment).await.context("run a segment again")?;
        let after = digest_of(&mut state(folder, number + 1)?).context("read a state")?;
        if replayed.state != Some(after) {
            return Err(failed(format!("segment {number}, run again, gave another state")));
        }
    }
    Ok(started.elapsed())
}

fn state(folder: &Path, number: u32) -> Done<File> {
    let path = folder.join("checkpoint").join(number.to_string());
    Ok(state_of(&path, &number.to_string(), folder).context("pack a state")?)
}

fn bundle(spec: &JobSpec) -> Bundle {
    Bundle {
        setup: None,
        run: spec.run.clone(),
        env: spec.envs.clone(),
        workdir: false,
        mounts: Vec::new(),
        checkpoint_path: spec.checkpoint_path.clone(),
        outputs_path: spec.outputs_path.clone(),
        network: false,
        cpus_milli: 1_000,
        memory_mib: 1_024,
        disk_mib: 1_024,
        accelerators: 0,
        segments: spec.verify.segments,
        inputs: None,
        salt: String::new(),
    }
}
