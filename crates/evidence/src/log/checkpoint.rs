//! What is signed about a log: its name, its size, its root (c2sp.org/tlog-checkpoint).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Hash, Key, Note, Verify, Wrong};

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, the same for ever.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads the text. Lines after the third are extensions and left alone.
    ///
    /// # Errors
    /// `Checkpoint`.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut lines = text.strip_suffix('\n').ok_or(Wrong::Checkpoint("its last line is cut"))?.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty());
        let origin = origin.ok_or(Wrong::Checkpoint("its first line is empty"))?.to_owned();
        let number = lines.next().unwrap_or_default();
        let size: u64 = number.parse().map_err(|_| Wrong::Checkpoint("its second line is no size"))?;
        if size.to_string() != number {
            return Err(Wrong::Checkpoint("its size is not written in the one right way"));
        }
        let root = STANDARD.decode(lines.next().unwrap_or_default()).ok();
        let root = root.and_then(|root| root.try_into().ok());
        let root = root.ok_or(Wrong::Checkpoint("its third line is no SHA-256 digest in Base64"))?;
        if lines.any(str::is_empty) {
            return Err(Wrong::Checkpoint("it has an empty line"));
        }
        Ok(Self { origin, size, root })
    }

    /// Reads a signed checkpoint of the log that `key` signs for.
    ///
    /// # Errors
    /// It is none, or not signed by the key, or of another log.
    pub fn open(bytes: &[u8], key: &Key, verify: Verify<'_>) -> Result<Self, Wrong> {
        let this = Self::parse(Note::parse(bytes)?.open(key, verify)?)?;
        if this.origin == key.name() {
            return Ok(this);
        }
        Err(Wrong::Origin { found: this.origin, wanted: key.name().to_owned() })
    }

    /// Signs it; gives the whole note.
    pub fn sign(&self, key: &Key, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> String {
        Note::sign(key, &self.text(), sign)
    }
}
