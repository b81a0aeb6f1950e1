//! A folder with a log, its keys, and what is wrong with it.

use std::io;
use std::path::{Path, PathBuf};

use custody::note_verify;
use evidence::log::{CHECKPOINT, Checkpoint, Key, Reader, Wrong};

use crate::failure::{Done, Exit, Failure};
use crate::show::text::clean;

/// The log's public key, beside it.
pub(super) const KEY_FILE: &str = "audit.vkey";
/// The public key of upload receipts, beside it.
pub(super) const RECEIPTS_FILE: &str = "receipts.pub";

/// A folder with a log.
pub(super) struct Folder {
    pub(super) path: PathBuf,
}

impl Folder {
    pub(super) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The bytes of a file; `None` where there is none.
    pub(super) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Wrong> {
        match std::fs::read(self.path.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(Wrong::Unreadable { path: path.to_owned(), why: e.to_string() }),
        }
    }

    /// Reads a log of so many records.
    pub(super) fn reader(&self, size: u64) -> Reader<impl FnMut(&str) -> Result<Option<Vec<u8>>, Wrong>> {
        Reader::new(size, |path: &str| self.read(path))
    }

    /// The bytes of the newest head.
    pub(super) fn head_bytes(&self) -> Done<Vec<u8>> {
        self.read(CHECKPOINT).map_err(|wrong| self.wrong(&wrong))?.ok_or_else(|| {
            let said = format!("{} holds no audit log", self.path.display());
            Failure::new(Exit::NotFound, "no_audit_log", said)
                .why("nothing was published there yet, or it is another folder")
                .next("name a folder with a file `checkpoint`")
        })
    }

    /// The newest head, if the key signed it.
    pub(super) fn head(&self, key: &Key) -> Done<Checkpoint> {
        let bytes = self.head_bytes()?;
        Checkpoint::open(&bytes, key, &note_verify).map_err(|wrong| self.wrong(&wrong))
    }

    /// The key that lies in the folder.
    pub(super) fn own_key(&self) -> Done<Option<Key>> {
        let bytes = self.read(KEY_FILE).map_err(|wrong| self.wrong(&wrong))?;
        bytes.map(|bytes| key_of(&bytes).map_err(|wrong| self.wrong(&wrong))).transpose()
    }

    /// The key in a file, else the one in the folder.
    pub(super) fn key(&self, file: Option<&Path>) -> Done<Key> {
        if let Some(file) = file {
            return key_in(file);
        }
        // A folder without a log is told before one without a key.
        self.head_bytes()?;
        self.own_key()?.ok_or_else(|| self.wrong(&Wrong::Missing(KEY_FILE.to_owned())))
    }

    /// What is wrong with the folder, as a failure.
    pub(super) fn wrong(&self, wrong: &Wrong) -> Failure {
        failed(wrong, &self.path)
    }
}

/// What is wrong with what stands at a path, as a failure.
pub(super) fn failed(wrong: &Wrong, path: &Path) -> Failure {
    let exit = match wrong {
        Wrong::Key(_) => Exit::Usage,
        Wrong::Unreadable { .. } => Exit::Failed,
        _ => Exit::NotProven,
    };
    let said = format!("{}: {}", clean(&path.display().to_string()), clean(&wrong.to_string()));
    Failure::new(exit, code(wrong), said).next(next(wrong))
}

fn code(wrong: &Wrong) -> &'static str {
    match wrong {
        Wrong::Key(_) => "audit_key",
        Wrong::Note(_) | Wrong::Checkpoint(_) => "audit_checkpoint",
        Wrong::Unsigned { .. } => "audit_unsigned",
        Wrong::Signature(_) => "audit_signature",
        Wrong::Origin { .. } => "audit_origin",
        Wrong::Missing(_) => "audit_missing",
        Wrong::Unreadable { .. } => "audit_unreadable",
        Wrong::Damaged { .. } | Wrong::TooLong(_) => "audit_damaged",
        Wrong::Tile(_) => "audit_tile",
        Wrong::Entry { .. } => "audit_entry",
        Wrong::Root { .. } => "audit_root",
        Wrong::Inconsistent { .. } => "audit_inconsistent",
        Wrong::Smaller { .. } => "audit_smaller",
    }
}

const fn next(wrong: &Wrong) -> &'static str {
    match wrong {
        Wrong::Key(_) => "name a file with a line `name+id+key`, as audit.vkey has it",
        Wrong::Unreadable { .. } => "see that you may read the folder",
        Wrong::Unsigned { .. } | Wrong::Origin { .. } => {
            "is it the key of this log? a log that changed its key has another name"
        }
        Wrong::Inconsistent { .. } | Wrong::Smaller { .. } => {
            "keep both checkpoints: whoever signed them is to explain them"
        }
        _ => "get the folder again from where it is published; if it stays so, the log was changed",
    }
}

/// The key in a file.
pub(super) fn key_in(file: &Path) -> Done<Key> {
    let bytes = std::fs::read(file)
        .map_err(|e| failed(&Wrong::Unreadable { path: "the key".to_owned(), why: e.to_string() }, file))?;
    key_of(&bytes).map_err(|wrong| failed(&wrong, file))
}

fn key_of(bytes: &[u8]) -> Result<Key, Wrong> {
    Key::parse(std::str::from_utf8(bytes).map_err(|_| Wrong::Key("it is not UTF-8"))?)
}
