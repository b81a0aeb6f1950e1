//! The state file of a simulated network: one JSON line per changed lease, appended before the answer is given. The last
//! line of a label counts; a torn last line was never answered for and is dropped. Lines reach the kernel at once, which
//! survives the death of the process; the disk is not waited for.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use domain::{Millis, Timestamp};

use super::record::{Phase, Record};

/// Ended leases are shown for this long.
const ENDED_KEPT: Millis = Millis::HOUR.times(24);

/// Where a simulated network keeps its leases.
pub struct StateFile {
    file: Option<File>,
    pub(super) records: BTreeMap<String, Record>,
}

/// The state file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the state file {path} cannot be used")]
pub struct JournalError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl StateFile {
    /// State that dies with the process.
    pub fn memory() -> Self {
        Self { file: None, records: BTreeMap::new() }
    }

    /// Opens or makes the state file; ended leases older than a day are left out. It is readable by its owner only, since
    /// it holds boot bytes until an agent has them.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, JournalError> {
        let failed = |source| JournalError { path: path.to_owned(), source };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(failed(source)),
        };
        let mut records = BTreeMap::new();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let record: Record = serde_json::from_str(line).map_err(|e| failed(e.into()))?;
            records.insert(record.label.clone(), record);
        }
        records.retain(|_, r| !matches!(r.phase, Phase::Ended { at, .. } if now.since(at) > ENDED_KEPT));
        let temporary = path.with_extension("new");
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(0o600);
        let mut file = options.open(&temporary).map_err(failed)?;
        for record in records.values() {
            write_line(&mut file, record).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        std::fs::rename(&temporary, path).map_err(failed)?;
        Ok(Self { file: Some(file), records })
    }

    /// Keeps a changed lease.
    pub(super) fn put(&mut self, record: Record) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            write_line(file, &record)?;
        }
        self.records.insert(record.label.clone(), record);
        Ok(())
    }
}

fn write_line(file: &mut File, record: &Record) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    // One write, so that a line is torn only when the kernel itself stops.
    file.write_all(&line)
}
