//! Signed notes (c2sp.org/signed-note) with Ed25519 signatures: a text, an empty line, and lines that begin with a long
//! dash. Who calls brings the cryptography.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Wrong, sha256};

/// Says whether 64 bytes are the signature of a key (32 bytes) over a text.
pub type Verify<'a> = &'a dyn Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool;

const MARK: &str = "\u{2014} ";
const ED25519: u8 = 1;

/// The public key of who signs notes, with its name; shown as `name+id+key`, the form in which keys are handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    name: String,
    public: [u8; 32],
}

impl Key {
    /// A key with a name.
    ///
    /// # Errors
    /// `Key` for a name that is empty or has spaces or a plus.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, Wrong> {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+') {
            return Err(Wrong::Key("its name is empty or has a space, a plus or a control character"));
        }
        Ok(Self { name: name.to_owned(), public })
    }

    /// Reads `name+id+key`.
    ///
    /// # Errors
    /// `Key` when it is none, or when its parts do not belong together.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Wrong::Key("write name+id+key"));
        };
        let bytes = STANDARD.decode(key).map_err(|_| Wrong::Key("its last part is not Base64"))?;
        let public = match bytes.split_first() {
            Some((&ED25519, public)) => public.try_into().ok(),
            _ => None,
        };
        let key = Self::new(name, public.ok_or(Wrong::Key("it is not an Ed25519 key"))?)?;
        if key.id_text() == id { Ok(key) } else { Err(Wrong::Key("its id is not that of its name and key")) }
    }

    /// Its name; that of the log that it signs for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Ed25519 public key.
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The first four bytes of `SHA-256(name || 0x0A || 0x01 || key)`.
    fn id(&self) -> [u8; 4] {
        let hash = sha256(&[self.name.as_bytes(), b"\n", &[ED25519], &self.public]);
        let mut id = [0; 4];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        id
    }

    fn id_text(&self) -> String {
        format!("{:08x}", u32::from_be_bytes(self.id()))
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = STANDARD.encode([&[ED25519], self.public.as_slice()].concat());
        write!(f, "{}+{}+{key}", self.name, self.id_text())
    }
}

/// A text with signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    /// Name, key id and signature of each.
    signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

impl Note {
    /// Signs a text, which ends with a line break, and gives the whole note.
    pub fn sign(key: &Key, text: &str, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> String {
        let signature = STANDARD.encode([key.id().as_slice(), &sign(text.as_bytes())].concat());
        format!("{text}\n{MARK}{} {signature}\n", key.name)
    }

    /// Reads a note; whether its signatures hold, [`Note::open`] says.
    ///
    /// # Errors
    /// `Note`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Wrong> {
        let whole = std::str::from_utf8(bytes).map_err(|_| Wrong::Note("it is not UTF-8"))?;
        if whole.chars().any(|c| c.is_control() && c != '\n') {
            return Err(Wrong::Note("it has control characters"));
        }
        let at = whole.rfind("\n\n").ok_or(Wrong::Note("no empty line stands before signatures"))?;
        let (text, lines) = whole.split_at(at + 1);
        let lines = lines.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.filter(|lines| !lines.is_empty()).ok_or(Wrong::Note("it has no signature"))?;
        let signatures = lines.split('\n').map(signature).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, if `key` has signed it. Signatures of others are not looked at.
    ///
    /// # Errors
    /// `Unsigned` or `Signature`.
    pub fn open(&self, key: &Key, verify: Verify<'_>) -> Result<&str, Wrong> {
        let ours = |(name, id, _): &&(String, [u8; 4], Vec<u8>)| *name == key.name && *id == key.id();
        let unsigned = || Wrong::Unsigned { name: key.name.clone(), id: key.id_text() };
        let (_, _, bytes) = self.signatures.iter().find(ours).ok_or_else(unsigned)?;
        let holds =
            bytes.as_slice().try_into().is_ok_and(|sig| verify(&key.public, self.text.as_bytes(), sig));
        if holds { Ok(&self.text) } else { Err(Wrong::Signature(key.name.clone())) }
    }
}

fn signature(line: &str) -> Result<(String, [u8; 4], Vec<u8>), Wrong> {
    let malformed = || Wrong::Note("a signature line is malformed");
    let (name, encoded) =
        line.strip_prefix(MARK).and_then(|rest| rest.split_once(' ')).ok_or_else(malformed)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| malformed())?;
    let (id, signature) = bytes.split_first_chunk::<4>().ok_or_else(malformed)?;
    if name.is_empty() || name.contains('+') || signature.is_empty() {
        return Err(malformed());
    }
    Ok((name.to_owned(), *id, signature.to_vec()))
}
