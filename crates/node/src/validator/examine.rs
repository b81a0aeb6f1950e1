//! One proof, replayed: the openings are asked for and held against the root on chain, then every drawn segment is run again.
//!
//! Nothing that is served is believed: a state counts only with its way to the root. What does not come, or is not what was
//! committed to, is kept back by whoever holds it. Openings and objects are asked for again and again; whoever started this ends
//! it when the time is over, and finds in [`Progress`] what is to be said then.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::replay::{OpeningsError, ReplayError, Replayed, Replayer, Segment, Source, digest_of};
use chain::B256;
use custody::EvmSigner;
use domain::{Clock, Finding};
use evidence::{Leaf, drawn_segments, keccak, tree};
use tokio::sync::watch;
use wire::agent::{Bundle, bytes_of, hex_of};
use wire::openings::{OpenedLeaf, OpenedSegment, OpeningRequest, Openings, openings_statement};

use super::decide::Found;
use super::notary::Asked;
use super::state::Whereabouts;

/// The wait between two tries doubles from the first to the longest.
const WAIT_FIRST: Duration = Duration::from_millis(200);
const WAIT_LONGEST: Duration = Duration::from_secs(5);

/// What is to be examined, and by whom.
pub(crate) struct Task {
    pub(crate) id: B256,
    pub(crate) asked: Asked,
    pub(crate) seed: B256,
    /// `None` where the proof's event names no place.
    pub(crate) contact: Option<Whereabouts>,
    pub(crate) signer: EvmSigner,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) replayer: Arc<dyn Replayer>,
    pub(crate) objects: PathBuf,
}

/// What would be said now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What follows from what was replayed so far, with all that is missing kept back. `None` while it is this machine that takes
    /// the time or fails: it knows nothing about what is missing.
    pub(crate) kept_back: Option<Found>,
}

/// What keeps a proof from being examined now.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the openings do not come")]
    Openings(#[from] OpeningsError),
    #[error("the openings are wrong: {0}")]
    Wrong(&'static str),
    #[error("a segment cannot be run here")]
    Replay(#[from] ReplayError),
    #[error("an object could not be read")]
    Io(#[from] std::io::Error),
}

/// One segment, as far as it is known.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// It was run.
    Ran { same: bool, state: [u8; 32], outputs: Option<[u8; 32]> },
    /// The state before it is not the one that was committed to.
    KeptBack,
}

/// Segments that are known, by their places.
type Known = BTreeMap<u32, Outcome>;

/// Examines a proof, for as long as it takes.
pub(crate) async fn examine(task: Task, progress: watch::Sender<Progress>) -> Found {
    let mut known = Known::new();
    let mut wait = WAIT_FIRST;
    loop {
        match task.try_all(&mut known, &progress).await {
            Ok(()) => return task.found(&known),
            Err(trouble) => {
                tracing::warn!(proof = %task.id, error = domain::chain(&trouble), "a proof cannot be examined yet");
                let ours = matches!(trouble, Trouble::Replay(_) | Trouble::Io(_));
                let kept_back = (!ours).then(|| task.found(&known));
                progress.send_replace(Progress { kept_back });
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT_LONGEST);
    }
}

/// Openings that were held against the root.
struct Checked {
    openings: Openings,
    first: u32,
    job: [u8; 32],
}

/// What was committed to of one segment.
struct Wanted {
    before: [u8; 32],
    after: [u8; 32],
    outputs: Option<[u8; 32]>,
}

impl Task {
    /// What is to be said before anything has come.
    pub(crate) fn at_first(&self) -> Progress {
        Progress { kept_back: Some(self.found(&Known::new())) }
    }

    /// Runs every drawn segment that is not known yet.
    async fn try_all(&self, known: &mut Known, progress: &watch::Sender<Progress>) -> Result<(), Trouble> {
        std::fs::create_dir_all(&self.objects)?;
        let contact =
            self.contact.as_ref().ok_or(Trouble::Wrong("the proof names no place to ask for them"))?;
        let mut source = Source::new(&contact.url, &contact.pin.0, self.objects.clone())?;
        let checked = self.check(source.openings(&self.request(&source)?).await?)?;
        let (bundle, inputs) = source.work(&checked.openings, &checked.job).await?;
        self.must_fit(&checked, &bundle)?;
        let bundle = Arc::new(bundle);
        for opened in &checked.openings.opened {
            if known.contains_key(&opened.segment) {
                continue;
            }
            let inputs = inputs.as_ref().map(std::fs::File::try_clone).transpose()?;
            let outcome = self.segment(&source, &checked, opened, &bundle, inputs, progress).await?;
            known.insert(opened.segment, outcome);
        }
        Ok(())
    }

    fn request(&self, source: &Source) -> Result<OpeningRequest, Trouble> {
        let (proof, validator) = (hex_of(self.id.as_slice()), self.signer.address_text());
        let (instance_key, at_ms) = (source.instance_key(), self.clock.now().0);
        let statement = openings_statement(&proof, &validator, &instance_key, at_ms);
        let signature =
            self.signer.sign_digest(&keccak(&[statement.as_bytes()])).map_err(std::io::Error::other)?;
        Ok(OpeningRequest { proof, validator, instance_key, at_ms, signature: hex_of(&signature) })
    }

    /// Holds everything against what stands on chain, before anything is run.
    fn check(&self, openings: Openings) -> Result<Checked, Trouble> {
        let job = bytes_of(&openings.job_hash).ok_or(Trouble::Wrong("the job's hash is malformed"))?;
        if job != self.asked.job_hash.0 || openings.leaf_count != self.asked.leaf_count {
            return Err(Trouble::Wrong("they are of another job or commitment"));
        }
        if !openings.opened.iter().map(|opened| opened.segment).eq(self.segments()) {
            return Err(Trouble::Wrong("they are not of the segments that were drawn"));
        }
        let first = openings.lease_segments_from;
        let checked = Checked { openings, first, job };
        for opened in &checked.openings.opened {
            self.wanted(&checked, opened)?;
        }
        Ok(checked)
    }

    /// What was committed to lies within the job.
    fn must_fit(&self, checked: &Checked, bundle: &Bundle) -> Result<(), Trouble> {
        let end = checked.first.checked_add(self.asked.segments);
        match end.is_some_and(|end| end <= bundle.segments) {
            true => Ok(()),
            false => Err(Trouble::Wrong("they reach beyond the job")),
        }
    }

    /// The drawn segments, in order.
    fn segments(&self) -> Vec<u32> {
        drawn_segments(&self.seed.0, self.asked.segments, self.asked.sample)
    }

    /// The last segment of a commitment that binds outputs.
    fn binds_outputs(&self, segment: u32) -> bool {
        segment + 1 == self.asked.segments && self.asked.leaf_count == self.asked.segments.saturating_add(2)
    }

    /// The digests of a segment, each on its way to the root.
    fn wanted(&self, checked: &Checked, opened: &OpenedSegment) -> Result<Wanted, Trouble> {
        let place = opened.segment;
        let leaf = |opened: &OpenedLeaf, place: u32, is_outputs: bool| {
            let (digest, siblings) = opened.bytes().ok_or(Trouble::Wrong("a leaf is malformed"))?;
            let number = u64::from(checked.first) + u64::from(place);
            let leaf = if is_outputs { Leaf::outputs(number, digest) } else { Leaf::state(number, digest) };
            let root = &self.asked.root.0;
            if !tree::verify(root, self.asked.leaf_count, place, &leaf.hash(&checked.job), &siblings) {
                return Err(Trouble::Wrong("a leaf does not lead to the root that was committed to"));
            }
            Ok(digest)
        };
        let before = leaf(&opened.before, place, false)?;
        let after = leaf(&opened.after, place + 1, false)?;
        let outputs = match (&opened.outputs, self.binds_outputs(place)) {
            (Some(outputs), true) => Some(leaf(outputs, place + 2, true)?),
            (None, false) => None,
            _ => {
                return Err(Trouble::Wrong(
                    "outputs are opened where none are bound, or the other way round",
                ));
            }
        };
        if opened.state.is_none() != (before == [0; 32]) {
            return Err(Trouble::Wrong("a state is missing, or given where the work begins from nothing"));
        }
        Ok(Wanted { before, after, outputs })
    }

    async fn segment(
        &self,
        source: &Source,
        checked: &Checked,
        opened: &OpenedSegment,
        bundle: &Arc<Bundle>,
        inputs: Option<std::fs::File>,
        progress: &watch::Sender<Progress>,
    ) -> Result<Outcome, Trouble> {
        let wanted = self.wanted(checked, opened)?;
        let mut state = match &opened.state {
            Some(state) => Some(source.object(state).await?),
            None => None,
        };
        if let Some(state) = &mut state
            && digest_of(state)? != wanted.before
        {
            return Ok(Outcome::KeptBack);
        }
        // From here on it is this machine that takes the time.
        progress.send_replace(Progress { kept_back: None });
        let number = checked.first + opened.segment;
        let outputs = wanted.outputs.is_some();
        let segment =
            Segment { bundle: Arc::clone(bundle), inputs, state, of: bundle.segments, number, outputs };
        let replayed = self.replayer.replay(segment).await?;
        Ok(self.outcome(checked, opened.segment, &wanted, &replayed))
    }

    /// What came out, as leaves. Where nothing came out, the leaf of nothing stands: every honest validator computes the same.
    fn outcome(&self, checked: &Checked, place: u32, wanted: &Wanted, replayed: &Replayed) -> Outcome {
        let number = u64::from(checked.first) + u64::from(place);
        let same = replayed.state == Some(wanted.after) && replayed.outputs == wanted.outputs;
        let state = Leaf::state(number + 1, replayed.state.unwrap_or_default()).hash(&checked.job);
        let outputs = wanted
            .outputs
            .map(|_| Leaf::outputs(number + 2, replayed.outputs.unwrap_or_default()).hash(&checked.job));
        Outcome::Ran { same, state, outputs }
    }

    /// What follows from what is known. One difference decides, whatever else is missing.
    fn found(&self, known: &Known) -> Found {
        let segments = self.segments();
        let differs = known.values().any(|outcome| matches!(outcome, Outcome::Ran { same: false, .. }));
        let is_missing = |segment: &u32| !matches!(known.get(segment), Some(Outcome::Ran { .. }));
        let finding = match differs {
            true => Finding::Differs,
            false if segments.iter().any(is_missing) => Finding::Withheld,
            false => Finding::Same,
        };
        let leaves: Vec<[u8; 32]> = segments
            .iter()
            .flat_map(|segment| match known.get(segment) {
                Some(Outcome::Ran { state, outputs, .. }) => [Some(*state), *outputs],
                _ => [Some([0; 32]), None],
            })
            .flatten()
            .collect();
        Found { finding, result: evidence::result(&leaves) }
    }
}

#[cfg(test)]
mod tests;
