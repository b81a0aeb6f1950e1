//! The job file: a SkyPilot task YAML plus one block `waag:`.
//!
//! `read.rs` turns YAML events into a small tree with positions, `fields.rs` reads the tree into a [`JobSpec`],
//! `print.rs` writes a spec back, `error.rs` says what is wrong, where, and how to mend it. Nothing is silently ignored:
//! a known SkyPilot key that does not run yet is an error, and so is every unknown key.

mod error;
mod fields;
mod print;
mod read;
mod values;

use std::collections::BTreeMap;

use domain::{JobSpec, Usd};

pub use error::JobFileError;
pub use print::print;

/// The largest job file.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// A job may cost this much when its file names no budget: one dollar.
pub const DEFAULT_MAX_TOTAL: Usd = Usd::from_micros(1_000_000);

/// A job file, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFile {
    /// What the job is.
    pub spec: JobSpec,
    /// Secrets by name; `None` where the value is to come from the caller's environment.
    pub secrets: BTreeMap<String, Option<String>>,
}

/// Reads a job file; `file_name` is for messages only.
///
/// # Errors
/// The first thing that is wrong, with line, column, field and the fix.
pub fn parse(bytes: &[u8], file_name: &str) -> Result<JobFile, JobFileError> {
    let (root, text) = read::tree(bytes, file_name)?;
    fields::job_file(&root).map_err(|problem| problem.in_file(file_name, text))
}
