//! What can stop a run.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a run did not happen or did not end. Each message says what to look at.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An environment variable does not hold what the workload can use.
    #[error("{name} is `{value}`: expected {expected}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may hold.
        expected: &'static str,
    },
    /// The three segment variables do not describe a range.
    #[error(
        "segments {from} to {to} of {segments} are not a range: WAAG_SEGMENT_FROM <= WAAG_SEGMENT_TO <= WAAG_SEGMENTS"
    )]
    Range {
        /// First segment to run.
        from: u32,
        /// The segment before which to stop.
        to: u32,
        /// Segments of the whole run.
        segments: u32,
    },
    /// An argument is outside its bounds.
    #[error("{name} is {value}: expected 1 to {max}")]
    Argument {
        /// The argument.
        name: &'static str,
        /// Its value.
        value: u32,
        /// The largest value allowed.
        max: u32,
    },
    /// A range that starts after segment 0 continues from a state, and no folder for states was named.
    #[error(
        "starting at segment {from} needs the state before it: set WAAG_CHECKPOINT_DIR to the folder that holds it"
    )]
    NoCheckpointDir {
        /// First segment to run.
        from: u32,
    },
    /// The state to start from is not there.
    #[error("state to start from is missing: {}", path.display())]
    MissingState {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The state to start from is not one this run can continue.
    #[error("cannot continue from {}", path.display())]
    BadState {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: StateError,
    },
    /// A file could not be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("writing {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The log could not be written.
    #[error("writing the log")]
    Log(#[source] io::Error),
}

/// Why bytes are not the state that a run asked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// The file does not begin like a state of this workload.
    #[error("not a state of digits-train")]
    Foreign,
    /// The file has another format version.
    #[error("format version {found}, this program reads version {expected}")]
    Version {
        /// Version in the file.
        found: u32,
        /// Version of this program.
        expected: u32,
    },
    /// The file was made by a run with other settings.
    #[error("made with {name} {found}, this run has {expected}")]
    Setting {
        /// The setting, with its unit.
        name: &'static str,
        /// Its value in the file.
        found: u32,
        /// Its value in this run.
        expected: u32,
    },
    /// The file has another length than its format.
    #[error("{found} bytes instead of {expected}")]
    Length {
        /// Bytes in the file (one more than expected stands for any larger number).
        found: usize,
        /// Bytes of a whole state.
        expected: usize,
    },
    /// The state belongs elsewhere in the run.
    #[error("it is at step {found}, the segment starts at step {expected}")]
    Step {
        /// Steps done, by the file.
        found: u64,
        /// Steps done at the start of the segment.
        expected: u64,
    },
    /// A weight or velocity is larger than training can make it.
    #[error("{value} at byte {offset} is outside the bounds of a weight")]
    Weight {
        /// The number, in Q24.
        value: i32,
        /// Where it stands.
        offset: usize,
    },
}
