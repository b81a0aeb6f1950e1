//! The local keystore: one file per key, in a folder that only its owner can read.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use domain::Entropy;
use zeroize::Zeroizing;

use crate::tls::{ServerIdentity, TlsError};
use crate::{DataKey, InstanceKey, LocalSigner, Secret};

const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The control plane's keys, made at first start.
pub struct Keystore {
    receipts: LocalSigner,
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
    /// `Open` when others can read it; nothing is changed then.
    pub fn open(folder: &Path, entropy: &dyn Entropy) -> Result<Self, KeystoreError> {
        let failed = |source| KeystoreError::File { path: folder.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mode = fs::metadata(folder).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeystoreError::Open { path: folder.to_owned(), mode: "700" });
        }
        let random = || {
            let mut bytes = Zeroizing::new(vec![0u8; 32]);
            entropy.fill(&mut bytes);
            Ok(bytes)
        };
        let malformed = |name: &str| KeystoreError::Malformed { path: folder.join(name) };
        let seed = key_file(folder, "receipts.key", random)?;
        let customer = key_file(folder, "customer.key", || Ok(InstanceKey::mint(entropy).bytes()))?;
        let rows = key_file(folder, "rows.key", random)?;
        let token = key_file(folder, "api-token", || {
            Ok(Zeroizing::new(Secret::mint(entropy).expose().as_bytes().to_vec()))
        })?;
        let rows: [u8; 32] = rows.as_slice().try_into().map_err(|_| malformed("rows.key"))?;
        let token = String::from_utf8(token.to_vec()).map_err(|_| malformed("api-token"))?;
        Ok(Self {
            receipts: LocalSigner::from_seed(&seed).map_err(|_| malformed("receipts.key"))?,
            customer: InstanceKey::from_bytes(&customer).ok_or_else(|| malformed("customer.key"))?,
            rows: DataKey::from_bytes(rows),
            api_token: Secret::new(token.trim().to_owned()),
            tls: identity(folder)?,
            folder: folder.to_owned(),
        })
    }

    /// Signs receipts.
    pub fn receipts(&self) -> &LocalSigner {
        &self.receipts
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
    Ok(ServerIdentity::from_parts(certificate.to_vec(), Zeroizing::new(key.to_vec())))
}

/// Reads a key file, or makes it: written under another name, flushed, then linked into place, so that it is there
/// whole or not at all and an existing key is never overwritten.
fn key_file(
    folder: &Path,
    name: &str,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, KeystoreError>,
) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let path = folder.join(name);
    let failed = |source| KeystoreError::File { path: path.clone(), source };
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
            let temporary = folder.join(format!(".{name}.new"));
            let _ = fs::remove_file(&temporary);
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
        assert_eq!(first.customer().public(), again.customer().public());
        assert_eq!(first.tls().pin(), again.tls().pin());
        assert!(first.api_token().matches(again.api_token().expose()));
        for entry in fs::read_dir(&folder).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_mending_command() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        drop(Keystore::open(&folder, &OsEntropy).unwrap());
        fs::set_permissions(folder.join("rows.key"), Permissions::from_mode(0o644)).unwrap();
        let refused = Keystore::open(&folder, &OsEntropy).err().unwrap();
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }

    #[test]
    fn secrets_do_not_show() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "***");
        assert!(secret.matches("hunter2") && !secret.matches("hunter3"));
    }
}
