//! The local keystore: one file per key, in a folder that only its owner can read.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use domain::Entropy;
use zeroize::Zeroizing;

use crate::tls::{ServerIdentity, TlsError};
use crate::{DataKey, InstanceKey, LocalSigner, NoteSigner, Secret};

const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The control plane's keys, made at first start.
pub struct Keystore {
    receipts: LocalSigner,
    audit: NoteSigner,
    customer: InstanceKey,
    rows: DataKey,
    api_token: Secret,
    tls: ServerIdentity,
    folder: PathBuf,
}

/// The keystore could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// A file or the folder could not be used.
    #[error("the key file {path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others could read it.
    #[error(
        "{path} can be read by others: run `chmod {mode} {path}`, and replace the key if others use this machine"
    )]
    Open {
        /// Which.
        path: PathBuf,
        /// The right mode.
        mode: &'static str,
    },
    /// It does not hold such a key.
    #[error("{path} does not hold a key of the expected kind: restore it from a backup")]
    Malformed {
        /// Which.
        path: PathBuf,
    },
    /// The certificate could not be made.
    #[error("the agent API's certificate could not be made")]
    Tls(#[source] TlsError),
}

impl Keystore {
    /// Opens the keystore in `folder`; makes it, or keys it lacks, where they are missing.
    ///
    /// # Errors
    /// `Open` when others can read it, `Malformed` when a file does not hold its key; that file is never changed.
    pub fn open(folder: &Path, entropy: &dyn Entropy) -> Result<Self, KeystoreError> {
        folder_open(folder)?;
        let random = || {
            let mut bytes = Zeroizing::new(vec![0u8; 32]);
            entropy.fill(&mut bytes);
            Ok(bytes)
        };
        let malformed = |name: &str| KeystoreError::Malformed { path: folder.join(name) };
        let seed = key_file(folder, "receipts.key", random)?;
        let audit = key_file(folder, "audit.key", random)?;
        let customer = key_file(folder, "customer.key", || Ok(InstanceKey::mint(entropy).bytes()))?;
        let rows = key_file(folder, "rows.key", random)?;
        let token = key_file(folder, "api-token", || {
            Ok(Zeroizing::new(Secret::mint(entropy).expose().as_bytes().to_vec()))
        })?;
        let rows: [u8; 32] = rows.as_slice().try_into().map_err(|_| malformed("rows.key"))?;
        let token = token_text(&token).ok_or_else(|| malformed("api-token"))?;
        Ok(Self {
            receipts: LocalSigner::from_seed(&seed).map_err(|_| malformed("receipts.key"))?,
            audit: NoteSigner::from_seed(&audit).map_err(|_| malformed("audit.key"))?,
            customer: InstanceKey::from_bytes(&customer).ok_or_else(|| malformed("customer.key"))?,
            rows: DataKey::from_bytes(rows),
            api_token: token,
            tls: identity(folder)?,
            folder: folder.to_owned(),
        })
    }

    /// Signs receipts.
    pub fn receipts(&self) -> &LocalSigner {
        &self.receipts
    }

    /// Signs the heads of the audit log, and nothing else.
    pub fn audit(&self) -> &NoteSigner {
        &self.audit
    }

    /// The customer's own key at level standard: whoever holds it can open inputs, checkpoints and outputs.
    pub fn customer(&self) -> &InstanceKey {
        &self.customer
    }

    /// Seals secrets in database columns.
    pub fn rows(&self) -> &DataKey {
        &self.rows
    }

    /// What the user API asks for.
    pub fn api_token(&self) -> &Secret {
        &self.api_token
    }

    /// The file that holds the API token.
    pub fn api_token_path(&self) -> PathBuf {
        self.folder.join("api-token")
    }

    /// The agent API's certificate.
    pub fn tls(&self) -> &ServerIdentity {
        &self.tls
    }
}

/// A token is what [`Secret::mint`] makes. Anything shorter could be guessed, and an empty one is held by everybody.
fn token_text(bytes: &[u8]) -> Option<Secret> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let whole = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| Secret::new(text.to_owned()))
}

/// Certificate and key belong together, so they stand in one file: the certificate's length as four bytes, both in DER.
fn identity(folder: &Path) -> Result<ServerIdentity, KeystoreError> {
    const NAME: &str = "tls.key";
    let bytes = key_file(folder, NAME, || {
        let made = ServerIdentity::mint().map_err(KeystoreError::Tls)?;
        let (certificate, key) = made.parts();
        let len = u32::try_from(certificate.len()).unwrap_or(u32::MAX);
        Ok(Zeroizing::new([&len.to_be_bytes(), certificate, key].concat()))
    })?;
    let malformed = || KeystoreError::Malformed { path: folder.join(NAME) };
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or_else(malformed)?;
    let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| malformed())?;
    let (certificate, key) = rest.split_at_checked(len).ok_or_else(malformed)?;
    let identity = ServerIdentity::from_parts(certificate.to_vec(), Zeroizing::new(key.to_vec()));
    identity.server_config().map_err(|_| malformed())?;
    Ok(identity)
}

/// Makes the folder of a keystore where it is missing, and refuses one that others can read.
pub(crate) fn folder_open(folder: &Path) -> Result<(), KeystoreError> {
    let failed = |source| KeystoreError::File { path: folder.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mode = fs::metadata(folder).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeystoreError::Open { path: folder.to_owned(), mode: "700" });
    }
    Ok(())
}

/// Reads a key file, or makes it: written under another name, flushed, then linked into place, so that it is there
/// whole or not at all and an existing key is never overwritten.
pub(crate) fn key_file(
    folder: &Path,
    name: &str,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, KeystoreError>,
) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let path = folder.join(name);
    let failed = |source| KeystoreError::File { path: path.clone(), source };
    // Left by a start that died while it made this key.
    let temporary = folder.join(format!(".{name}.new"));
    let _ = fs::remove_file(&temporary);
    match File::open(&path) {
        Ok(file) => {
            if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
                return Err(KeystoreError::Open { path, mode: "600" });
            }
            let mut bytes = Zeroizing::new(Vec::new());
            file.take(KEY_FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
            Ok(bytes)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let bytes = make()?;
            let mut file =
                File::options().write(true).create_new(true).mode(0o600).open(&temporary).map_err(failed)?;
            file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
            file.write_all(&bytes).map_err(failed)?;
            file.sync_all().map_err(failed)?;
            fs::hard_link(&temporary, &path).map_err(failed)?;
            fs::remove_file(&temporary).map_err(failed)?;
            File::open(folder).and_then(|f| f.sync_all()).map_err(failed)?;
            Ok(bytes)
        }
        Err(source) => Err(failed(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OsEntropy, Signer};

    #[test]
    fn the_same_keys_come_back_and_nobody_else_can_read_them() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        let first = Keystore::open(&folder, &OsEntropy).unwrap();
        let again = Keystore::open(&folder, &OsEntropy).unwrap();
        assert_eq!(first.receipts().public_key(), again.receipts().public_key());
        assert_eq!(first.audit().public(), again.audit().public());
        assert_ne!(hex::encode(first.audit().public()), first.receipts().public_key());
        assert_eq!(first.customer().public(), again.customer().public());
        assert_eq!(first.rows().bytes(), again.rows().bytes());
        assert_eq!(first.tls().pin(), again.tls().pin());
        assert!(first.api_token().matches(again.api_token().expose()));
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
                entry.file_name().into_string().unwrap()
            })
            .collect();
        names.sort();
        assert_eq!(names, KEY_FILES);
    }

    const KEY_FILES: [&str; 6] =
        ["api-token", "audit.key", "customer.key", "receipts.key", "rows.key", "tls.key"];

    // An empty token above all: a request with an empty one would be let in.
    #[test]
    fn a_damaged_key_is_refused_by_name_and_left_as_it_is() {
        for name in KEY_FILES {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("keys");
            drop(Keystore::open(&folder, &OsEntropy).unwrap());
            let whole = fs::read(folder.join(name)).unwrap();
            for damaged in [&whole[..whole.len() - 1], b"", b"\n", &[0xff; 33]] {
                fs::write(folder.join(name), damaged).unwrap();
                let refused = Keystore::open(&folder, &OsEntropy).err();
                assert!(
                    matches!(&refused, Some(KeystoreError::Malformed { path }) if path.ends_with(name)),
                    "{name}: {damaged:?}: {refused:?}"
                );
                assert_eq!(fs::read(folder.join(name)).unwrap(), damaged);
            }
        }
    }

    #[test]
    fn a_start_that_died_while_a_key_was_made_leaves_no_second_copy() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        let first = Keystore::open(&folder, &OsEntropy).unwrap();
        fs::hard_link(folder.join("rows.key"), folder.join(".rows.key.new")).unwrap();
        let again = Keystore::open(&folder, &OsEntropy).unwrap();
        assert_eq!(first.rows().bytes(), again.rows().bytes());
        assert!(!folder.join(".rows.key.new").exists());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_mending_command() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        drop(Keystore::open(&folder, &OsEntropy).unwrap());
        for name in KEY_FILES {
            fs::set_permissions(folder.join(name), Permissions::from_mode(0o640)).unwrap();
            let refused = Keystore::open(&folder, &OsEntropy).err().unwrap().to_string();
            assert!(refused.contains(&format!("`chmod 600 {}`", folder.join(name).display())), "{refused}");
            fs::set_permissions(folder.join(name), Permissions::from_mode(0o600)).unwrap();
        }
        fs::set_permissions(&folder, Permissions::from_mode(0o750)).unwrap();
        let refused = Keystore::open(&folder, &OsEntropy).err().unwrap().to_string();
        assert!(refused.contains(&format!("`chmod 700 {}`", folder.display())), "{refused}");
    }

    #[test]
    fn secrets_do_not_show() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "***");
        assert!(secret.matches("hunter2") && !secret.matches("hunter3"));
    }
}
