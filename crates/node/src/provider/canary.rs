//! A planted state: ordered of an agent, and kept for the owner, whose control plane shows it once the validators have spoken.
//!
//! What the agent left is copied before its lease is committed to and before its folder goes, so `canaries/<lease>.json` is there
//! for as long as it may be needed.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use chain::B256;
use serde::{Deserialize, Serialize};
use wire::agent::{CANARY_FILE, CanaryDoc, Fault, hex_of};

use super::Provider;
use super::error::ProviderError;
use super::folder::Folder;
use super::state::label_of;
use crate::party::files::write_whole;

/// A planted state of one lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planted {
    /// The lease's name on chain: 32 bytes, hex with `0x`.
    pub lease: String,
    /// From which the planted digest follows: 32 bytes, hex with `0x`. A secret until the validators have spoken.
    pub salt: String,
    /// The number of the state in its job.
    pub index: u64,
    /// The place of its leaf in the commitment.
    pub position: u32,
}

impl Folder {
    /// Everything that was planted and kept, by lease.
    ///
    /// # Errors
    /// When the folder cannot be read. A file that holds something else is left out.
    pub fn canaries(&self) -> Result<Vec<Planted>, ProviderError> {
        let folder = self.canary_folder();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|source| ProviderError::File { path: folder, source })?,
        };
        let read = |path: PathBuf| serde_json::from_slice::<Planted>(&fs::read(path).ok()?).ok();
        let mut found: Vec<Planted> = entries.flatten().filter_map(|entry| read(entry.path())).collect();
        found.sort_by(|a, b| a.lease.cmp(&b.lease));
        Ok(found)
    }

    fn canary_folder(&self) -> PathBuf {
        self.path().join("canaries")
    }
}

impl Provider {
    /// What an agent is told that is to plant a state. Another salt each time: the one that counts is in what the agent leaves.
    pub(super) fn canary_order(&self) -> Fault {
        let mut salt = [0; 32];
        self.entropy.fill(&mut salt);
        Fault::Canary { salt: hex_of(&salt) }
    }

    /// Keeps what the lease's agent left, if it planted something.
    pub(super) fn keep_canary(&self, lease: B256) -> Result<(), ProviderError> {
        let left = self.folder.machines().join(label_of(lease).as_str()).join(CANARY_FILE);
        let Some(CanaryDoc { salt, index, position }) =
            fs::read(left).ok().and_then(|text| serde_json::from_slice(&text).ok())
        else {
            return Ok(());
        };
        let planted = Planted { lease: lease.to_string(), salt, index, position };
        let folder = self.folder.canary_folder();
        let path = folder.join(format!("{lease}.json"));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.and_then(|()| write_whole(&path, &serde_json::to_vec(&planted)?))
            .map_err(|source| ProviderError::File { path, source })
    }
}
