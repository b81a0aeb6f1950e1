//! The job file: a SkyPilot task YAML plus one block `waag:`.
//!
//! `read.rs` turns YAML events into a small tree with positions; `keys.rs` lists every key; `values.rs` reads single
//! values; `fields.rs` with `resources.rs`, `work.rs` and `waag.rs` builds the [`JobSpec`]; `print.rs` writes a spec
//! back; `error.rs` says what is wrong, where, and how to mend it. Nothing is silently ignored: a known SkyPilot key
//! that does not run yet is an error, and so is every unknown key.
//!
//! Scalars are taken as they are written, so that `NO` is a region, `on` an environment value of two letters and
//! `2.00` exactly two dollars. `memory` and `disk_size`, which SkyPilot calls GB, are GiB.

mod error;
mod fields;
mod keys;
mod print;
mod read;
mod resources;
mod values;
mod waag;
mod work;

use std::collections::BTreeMap;
use std::fmt;

use domain::{JobSpec, Millis, Usd, Verify, VerifyMethod};

pub use error::{JobFileError, JobFileProblem};
use error::{Position, Problem, Source};
pub use print::print;

/// The largest job file in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// A job may cost this much when its file names no budget: one dollar.
pub const DEFAULT_MAX_TOTAL: Usd = Usd::from_micros(1_000_000);
/// A job has this long when its file names no deadline.
pub const DEFAULT_DEADLINE: Millis = Millis::HOUR.times(2);
/// How a result is checked when the file does not say; fewer segments than `sample` lower it.
pub const DEFAULT_VERIFY: Verify = Verify { method: VerifyMethod::Replay, segments: 32, sample: 8 };
/// How many further executions a lost provider may cause when the file does not say.
pub const DEFAULT_ATTEMPTS: u32 = 3;

/// A job file, read and checked.
#[derive(Clone, PartialEq, Eq)]
pub struct JobFile {
    /// What the job is.
    pub spec: JobSpec,
    /// Secrets by name; `None` where the value is to come from the caller's environment.
    pub secrets: BTreeMap<String, Option<String>>,
}

impl fmt::Debug for JobFile {
    /// Names secrets without their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobFile").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// Reads a job file; `file_name` is for messages only.
///
/// # Errors
/// Everything found wrong, in file order, each with line, column, field and the fix. A file that is not YAML shows
/// its first fault only.
pub fn parse(bytes: &[u8], file_name: &str) -> Result<JobFile, JobFileError> {
    let text = read::text(bytes).map_err(|problem| Source::new(file_name, "").error(vec![problem]))?;
    let mut source = Source::new(file_name, text);
    let root = read::tree(text).map_err(|problem| source.error(vec![problem]))?;
    source.hide_secrets_of(&root);
    let file = fields::job_file(&root).map_err(|problems| source.error(problems))?;
    // A stored spec is read again in its printed form, where escapes can make it longer than it was.
    let printed = print(&file.spec).len();
    if printed > FILE_BYTES_MAX {
        let what =
            format!("written out in full the job has {printed} bytes, and at most {FILE_BYTES_MAX} are kept");
        let help = "put long scripts into files under `workdir`";
        return Err(source.error(vec![Problem::new(Position::default(), "", what, help)]));
    }
    Ok(file)
}
