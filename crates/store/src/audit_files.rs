//! The files of the audit log, in a folder that can be copied or served as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Error;

/// Files by their path inside the log. Cheap to clone; clones are the same files. Calls block, for as long as a disk needs.
#[derive(Clone)]
pub struct AuditFiles(Place);

#[derive(Clone)]
enum Place {
    /// With a lock, since whoever writes a file uses the same other name for it.
    Folder(Arc<Path>, Arc<Mutex<()>>),
    Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>),
}

impl Default for AuditFiles {
    /// Files that live in memory, for simulations.
    fn default() -> Self {
        Self(Place::Memory(Arc::default()))
    }
}

impl AuditFiles {
    /// Files in `folder`, which is made with the first.
    pub fn in_folder(folder: &Path) -> Self {
        Self(Place::Folder(folder.into(), Arc::default()))
    }

    /// The bytes at a path; `None` where there are none.
    ///
    /// # Errors
    /// `Folder` when the disk does not answer.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        match &self.0 {
            Place::Memory(files) => Ok(locked(files).get(path).cloned()),
            Place::Folder(folder, _) => match fs::read(folder.join(path)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if missing(&error) => Ok(None),
                Err(source) => Err(Error::Folder { folder: folder.join(path), source }),
            },
        }
    }

    /// Puts files in place, each whole or not at all, and returns once they survive a loss of power.
    ///
    /// # Errors
    /// `Folder` when the disk does not take them; some may be in place then.
    pub fn write<'a>(&self, files: impl IntoIterator<Item = (String, &'a [u8])>) -> Result<(), Error> {
        match &self.0 {
            Place::Memory(place) => {
                locked(place).extend(files.into_iter().map(|(path, bytes)| (path, bytes.to_vec())));
                Ok(())
            }
            Place::Folder(folder, writing) => {
                let _one_at_a_time = locked(writing);
                write_all(folder, files)
                    .map_err(|source| Error::Folder { folder: folder.to_path_buf(), source })
            }
        }
    }

    /// Removes a folder with all that is in it. A failure only leaves superfluous files.
    pub fn remove_folder(&self, path: &str) {
        match &self.0 {
            Place::Memory(files) => locked(files).retain(|name, _| !Path::new(name).starts_with(path)),
            // What is not there needs no removing, and nothing depends on what stays.
            Place::Folder(folder, _) => drop(fs::remove_dir_all(folder.join(path))),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file where a folder is expected is no such file either.
fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Each under another name first, then all flushed, renamed, and their folders flushed.
fn write_all<'a>(folder: &Path, files: impl IntoIterator<Item = (String, &'a [u8])>) -> io::Result<()> {
    let (mut renames, mut changed) = (Vec::new(), BTreeSet::new());
    for (path, bytes) in files {
        let to = folder.join(path);
        let parent = to.parent().unwrap_or(folder).to_owned();
        make_folders(&parent, &mut changed)?;
        let new = PathBuf::from(format!("{}.new", to.display()));
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        renames.push((new, to));
        changed.insert(parent);
    }
    for (new, to) in renames {
        fs::rename(new, to)?;
    }
    changed.iter().try_for_each(|folder| File::open(folder)?.sync_all())
}

/// Makes a folder and those above it, and notes which folders have a new entry by it.
fn make_folders(folder: &Path, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let new: Vec<&Path> = folder.ancestors().take_while(|one| !one.exists()).collect();
    fs::create_dir_all(folder)?;
    let parents = new.iter().filter_map(|one| one.parent());
    changed.extend(parents.filter(|one| !one.as_os_str().is_empty()).map(Path::to_owned));
    Ok(())
}
