//! A range of segments, from the state before it to the state after it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::config::{Args, Env, LearningRate};
use crate::data::{self, Image};
use crate::error::Error;
use crate::fixed::decimal;
use crate::network::{BATCH, Network, Score};
use crate::random::SplitMix64;
use crate::state::{self, Settings, State};

/// Where every run starts, so that two runs with the same arguments are the same run.
const SEED: u64 = 1797;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Steps of gradient descent taken by this run.
    pub steps: u64,
    /// Images of the test part that the last state recognises.
    pub test_correct: u64,
    /// Images of the test part.
    pub test_images: u64,
    /// Whether the last segment was among those run, so that the outputs were written.
    pub finished: bool,
}

impl Report {
    /// The recognised share of the test part as decimal text, 0 to 1, rounded down to four decimals.
    #[must_use]
    pub fn accuracy(&self) -> String {
        decimal(self.test_correct, self.test_images)
    }
}

/// Trains over the segments that `env` asks for, with one line to `log` per segment and one at the end.
///
/// Writes state `i` to `<checkpoint dir>/<i>` after segment `i - 1`, and state 0 before the first. When the range
/// reaches the end, writes `model.bin` and `metrics.json` to the output folder. An empty range only does what
/// belongs to its place: it writes state 0 at the start, the outputs at the end.
///
/// # Errors
///
/// Arguments out of bounds, a state to start from that is missing or belongs to another run, files that cannot be
/// written. States written before an error are whole.
pub fn run(args: &Args, env: &Env, log: &mut dyn Write) -> Result<Report, Error> {
    args.check()?;
    let rate = args.learning_rate.or(env.learning_rate).unwrap_or(LearningRate::DEFAULT);
    let settings =
        Settings { hidden: args.hidden, epochs: args.epochs, segments: env.segments, learning_rate: rate.0 };
    let mut trainer = Trainer::start(settings, env)?;
    let first_step = trainer.state.step;
    if env.from == 0 {
        trainer.keep(env, 0)?;
    }
    for segment in env.from..env.to {
        let score = trainer.segment(segment);
        trainer.keep(env, segment + 1)?;
        trainer.log_segment(segment, score, log).map_err(Error::Log)?;
    }

    let score = trainer.state.network.score(&data::test());
    let report = Report {
        steps: trainer.state.step - first_step,
        test_correct: score.correct,
        test_images: score.images,
        finished: env.to == env.segments,
    };
    if report.finished {
        write_whole(&env.output_dir, "model.bin", &state::encode_model(&trainer.state.network))?;
        write_whole(&env.output_dir, "metrics.json", trainer.metrics(&report).as_bytes())?;
    }
    let Report { test_correct, test_images, .. } = report;
    writeln!(log, "test accuracy {} ({test_correct} of {test_images} images)", report.accuracy())
        .and_then(|()| log.flush())
        .map_err(Error::Log)?;
    Ok(report)
}

struct Trainer {
    settings: Settings,
    train_images: usize,
    /// What an epoch goes through: the training part and its moved copies.
    images: Vec<Image>,
    state: State,
}

impl Trainer {
    fn start(settings: Settings, env: &Env) -> Result<Self, Error> {
        let mut rng = SplitMix64(SEED);
        let network = Network::random(settings.hidden as usize, &mut rng);
        let state = State { step: 0, rng, network };
        let train = data::train();
        let mut trainer =
            Self { settings, train_images: train.len(), images: data::augmented(&train), state };
        if env.from > 0 {
            let dir = env.checkpoint_dir.as_deref().ok_or(Error::NoCheckpointDir { from: env.from })?;
            trainer.state =
                read_state(&dir.join(env.from.to_string()), settings, trainer.boundary(env.from))?;
        }
        Ok(trainer)
    }

    fn steps_per_epoch(&self) -> u64 {
        self.images.len().div_ceil(BATCH) as u64
    }

    /// The step at which a segment starts: all steps of the run divided evenly.
    fn boundary(&self, segment: u32) -> u64 {
        let steps = self.steps_per_epoch() * u64::from(self.settings.epochs);
        steps * u64::from(segment) / u64::from(self.settings.segments)
    }

    /// Runs one segment. The order of an epoch follows from the generator at its start, which the state keeps, so a
    /// segment that starts inside an epoch finds the same order again.
    fn segment(&mut self, segment: u32) -> Score {
        let end = self.boundary(segment + 1);
        let per_epoch = self.steps_per_epoch();
        let mut score = Score::default();
        while self.state.step < end {
            let mut rng = self.state.rng;
            let mut order = self.images.clone();
            rng.shuffle(&mut order);
            let from = (self.state.step % per_epoch) as usize;
            let steps = (end - self.state.step).min(per_epoch - from as u64);
            for batch in order.chunks(BATCH).skip(from).take(steps as usize) {
                score.add(self.state.network.train(batch, self.settings.learning_rate));
            }
            self.state.step += steps;
            if self.state.step.is_multiple_of(per_epoch) {
                self.state.rng = rng;
            }
        }
        score
    }

    fn keep(&self, env: &Env, index: u32) -> Result<(), Error> {
        match &env.checkpoint_dir {
            Some(dir) => write_whole(dir, &index.to_string(), &self.state.encode(self.settings)),
            None => Ok(()),
        }
    }

    fn log_segment(&self, segment: u32, score: Score, log: &mut dyn Write) -> io::Result<()> {
        writeln!(
            log,
            "segment {}/{}: epoch {} of {}, train loss {}, train accuracy {}",
            segment + 1,
            self.settings.segments,
            decimal(self.state.step, self.steps_per_epoch()),
            self.settings.epochs,
            decimal(score.loss.max(0).unsigned_abs(), score.images << 16),
            decimal(score.correct, score.images),
        )?;
        log.flush()
    }

    fn metrics(&self, report: &Report) -> String {
        format!(
            "{{\"accuracy\":{},\"test_images\":{},\"train_images\":{},\"epochs\":{},\"segments\":{}}}\n",
            report.accuracy(),
            report.test_images,
            self.train_images,
            self.settings.epochs,
            self.settings.segments,
        )
    }
}

fn read_state(path: &Path, settings: Settings, step: u64) -> Result<State, Error> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::MissingState { path: path.into() },
        _ => Error::Read { path: path.into(), source },
    })?;
    // One byte more than a state holds is enough to see that a file is too long.
    let limit = state::state_len(settings) as u64 + 1;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(|source| Error::Read { path: path.into(), source })?;
    State::decode(&bytes, settings, step).map_err(|source| Error::BadState { path: path.into(), source })
}

/// Writes a file under another name, waits until it is on the disk, and renames it: whoever sees `name` sees all of it.
fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let temporary = dir.join(format!(".{name}.tmp"));
    let path = dir.join(name);
    let write = || {
        fs::create_dir_all(dir)?;
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    };
    write().map_err(|source| Error::Write { path: path.clone(), source })
}
