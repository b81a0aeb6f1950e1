//! The state file of a simulated network: a journal of JSON lines, one for each change, of which the last line about a
//! lease holds.
//!
//! A line is written before the network answers, so it outlives the death of this process; it is not synced, so a power
//! cut may lose the last lines. A torn last line is ignored: whoever asked has not been answered. The journal is
//! rewritten (another file, synced, renamed) when it is opened and whenever it holds much more than is needed.
//!
//! Boot bytes are secrets of the party that bought. They are kept apart, in files only the owner can read, from the
//! purchase until the agent has been started.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{Label, Usd};
use serde::{Deserialize, Serialize};

use super::lease::Lease;
use crate::Boot;

/// Where a simulated network keeps its state.
#[derive(Clone)]
pub struct StateFile(Place);

#[derive(Clone)]
enum Place {
    Memory(Arc<Mutex<Memory>>),
    Disk(PathBuf),
}

#[derive(Default)]
struct Memory {
    journal: Vec<u8>,
    boots: BTreeMap<Label, Boot>,
}

/// The state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Reading it failed.
    #[error("the network's state could not be read")]
    Read(#[source] io::Error),
    /// Writing it failed.
    #[error("the network's state could not be written")]
    Write(#[source] io::Error),
    /// A line other than a torn last one cannot be understood.
    #[error("line {line} of the network's state cannot be understood")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl StateFile {
    /// A file, with a folder for boot bytes beside it; both are made when needed, for the owner only.
    pub const fn at(path: PathBuf) -> Self {
        Self(Place::Disk(path))
    }

    /// Kept in memory, for simulations; clones share it, so a network can be built again from it.
    pub fn memory() -> Self {
        Self(Place::Memory(Arc::default()))
    }
}

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Lease(Box<Lease>),
    /// A provider that is gone.
    Dead(String),
    /// What leases that are no longer kept have cost.
    Forgotten(Usd),
}

/// An open state file.
pub(super) struct Journal {
    place: Place,
    /// Open for appending; none in memory.
    file: Option<File>,
    bytes: u64,
    pub(super) lines: usize,
}

fn memory(shared: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    // Every change is one statement, so what a panic left behind is whole.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Opens the state and reads all of it, oldest line first.
    pub(super) fn open(state: &StateFile) -> Result<(Self, Vec<Entry>), StateError> {
        let place = state.0.clone();
        let bytes = match &place {
            Place::Memory(shared) => memory(shared).journal.clone(),
            Place::Disk(path) => match fs::read(path) {
                Ok(bytes) => bytes,
                Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(e) => return Err(StateError::Read(e)),
            },
        };
        Ok((Self { place, file: None, bytes: 0, lines: 0 }, parse(&bytes)?))
    }

    /// Writes the state anew.
    pub(super) fn rewrite(&mut self, entries: impl Iterator<Item = Entry>) -> Result<(), StateError> {
        let mut bytes = Vec::new();
        let mut lines = 0;
        for entry in entries {
            bytes.extend(line(&entry)?);
            lines += 1;
        }
        match &self.place {
            Place::Memory(shared) => memory(shared).journal.clone_from(&bytes),
            Place::Disk(path) => self.file = Some(replace(path, &bytes).map_err(StateError::Write)?),
        }
        (self.bytes, self.lines) = (bytes.len() as u64, lines);
        Ok(())
    }

    /// Adds one line.
    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), StateError> {
        let bytes = line(entry)?;
        match (&self.place, &mut self.file) {
            (Place::Memory(shared), _) => memory(shared).journal.extend(&bytes),
            (Place::Disk(_), Some(file)) => {
                if let Err(e) = file.write_all(&bytes) {
                    // Half a line in the middle would make the whole file unreadable.
                    file.set_len(self.bytes).map_err(StateError::Write)?;
                    return Err(StateError::Write(e));
                }
            }
            (Place::Disk(_), None) => return Err(StateError::Write(io::ErrorKind::NotConnected.into())),
        }
        self.bytes += bytes.len() as u64;
        self.lines += 1;
        Ok(())
    }

    pub(super) fn boot_put(&self, label: &Label, boot: &Boot) -> Result<(), StateError> {
        match &self.place {
            Place::Memory(shared) => {
                memory(shared).boots.insert(label.clone(), boot.clone());
                Ok(())
            }
            Place::Disk(path) => private_file(&boot_path(path, label), false)
                .and_then(|mut file| file.write_all(boot.expose()))
                .map_err(StateError::Write),
        }
    }

    pub(super) fn boot_get(&self, label: &Label) -> Result<Option<Boot>, StateError> {
        match &self.place {
            Place::Memory(shared) => Ok(memory(shared).boots.get(label).cloned()),
            Place::Disk(path) => match fs::read(boot_path(path, label)) {
                Ok(bytes) => Ok(Some(Boot::new(bytes))),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(StateError::Read(e)),
            },
        }
    }

    pub(super) fn boot_remove(&self, label: &Label) -> Result<(), StateError> {
        match &self.place {
            Place::Memory(shared) => {
                memory(shared).boots.remove(label);
                Ok(())
            }
            Place::Disk(path) => match fs::remove_file(boot_path(path, label)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StateError::Write(e)),
                _ => Ok(()),
            },
        }
    }

    /// Removes boot bytes whose lease nobody waits to start: what a crash left.
    pub(super) fn boot_keep_only(&self, waiting: impl Fn(&Label) -> bool) -> Result<(), StateError> {
        let labels: Vec<Label> = match &self.place {
            Place::Memory(shared) => memory(shared).boots.keys().cloned().collect(),
            Place::Disk(path) => match fs::read_dir(boot_dir(path)) {
                Ok(files) => files
                    .filter_map(|f| f.ok()?.file_name().to_str()?.strip_suffix(BOOT)?.parse().ok())
                    .collect(),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(e) => return Err(StateError::Read(e)),
            },
        };
        labels.iter().filter(|label| !waiting(label)).try_for_each(|label| self.boot_remove(label))
    }
}

const BOOT: &str = ".boot";

fn boot_dir(path: &Path) -> PathBuf {
    path.with_extension("boot")
}

fn boot_path(path: &Path, label: &Label) -> PathBuf {
    boot_dir(path).join(format!("{label}{BOOT}"))
}

fn line(entry: &Entry) -> Result<Vec<u8>, StateError> {
    let mut bytes = serde_json::to_vec(entry).map_err(|e| StateError::Write(e.into()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Vec<Entry>, StateError> {
    // Only what a line feed ends was written whole.
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let lines = bytes[..whole].split(|b| *b == b'\n').enumerate().filter(|(_, text)| !text.is_empty());
    lines
        .map(|(n, text)| {
            serde_json::from_slice(text).map_err(|source| StateError::Line { line: n + 1, source })
        })
        .collect()
}

fn private_file(path: &Path, append: bool) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    OpenOptions::new().create(true).write(true).append(append).truncate(!append).mode(0o600).open(path)
}

/// Puts `bytes` in the place of the file's content, whole or not at all, and opens it for appending.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let mut file = private_file(&fresh, false)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    private_file(path, true)
}
