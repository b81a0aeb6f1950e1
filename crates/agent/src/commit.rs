//! What the agent stands by: a root over its states, signed anew with each of them, and left where its provider finds it.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use custody::{EvmSigner, Secret, token_hash};
use evidence::{Canary, Leaf, Tree, commitment_digest};
use wire::agent::{
    BootDoc, CANARY_FILE, COMMITMENT_FILE, CanaryDoc, Commitment, Credential, Introduction, bytes_of,
    hello_statement, hex_of,
};

/// An agent that speaks for its provider about one lease.
pub struct Delegate {
    signer: EvmSigner,
    lease: [u8; 32],
    domain: [u8; 32],
    delegation: String,
    folder: PathBuf,
    tree: RefCell<Tree>,
}

impl Delegate {
    /// The delegate that the boot document makes of this agent, if it does.
    ///
    /// # Errors
    /// The credential is malformed.
    pub fn of(boot: &BootDoc, folder: &Path) -> io::Result<Option<Self>> {
        let Credential::Delegated { lease, domain, agent_key, delegation } = &boot.credential else {
            return Ok(None);
        };
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the credential is malformed");
        Ok(Some(Self {
            signer: EvmSigner::from_hex(agent_key).map_err(|_| malformed())?,
            lease: bytes_of(lease).ok_or_else(malformed)?,
            domain: bytes_of(domain).ok_or_else(malformed)?,
            delegation: delegation.clone(),
            folder: folder.to_owned(),
            tree: RefCell::default(),
        }))
    }

    /// What admits this agent, with the token that it made itself.
    ///
    /// # Errors
    /// The key cannot sign, which a key in memory always can.
    pub fn introduction(
        &self,
        boot: &BootDoc,
        instance_key: &str,
        token: &Secret,
    ) -> io::Result<Introduction> {
        let statement = hello_statement(boot.execution, instance_key, &token_hash(token.expose()));
        Ok(Introduction {
            execution: boot.execution,
            agent: self.signer.address_text(),
            delegation: self.delegation.clone(),
            signature: self.sign(&evidence::keccak(&[statement.as_bytes()]))?,
        })
    }

    /// Commits to one more leaf of a job.
    ///
    /// # Errors
    /// The key cannot sign, which a key in memory always can.
    pub fn commit(&self, job: &[u8; 32], leaf: Leaf) -> io::Result<Commitment> {
        let mut tree = self.tree.borrow_mut();
        tree.push(leaf.hash(job));
        let root = tree.root().ok_or_else(|| io::Error::other("a tree with a leaf has a root"))?;
        let digest = commitment_digest(&self.domain, &self.lease, &root, tree.leaves());
        Ok(Commitment { root: hex_of(&root), leaf_count: tree.leaves(), signature: self.sign(&digest)? })
    }

    fn sign(&self, digest: &[u8; 32]) -> io::Result<String> {
        self.signer.sign_digest(digest).map(|signature| hex_of(&signature)).map_err(io::Error::other)
    }

    /// Leaves a commitment where the provider looks; it sees the one before or this one, whole.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn leave(&self, commitment: &Commitment) -> io::Result<()> {
        self.leave_whole(COMMITMENT_FILE, &serde_json::to_vec(commitment)?)
    }

    /// Leaves what the provider's owner needs to show that a leaf was planted.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub(crate) fn leave_canary(&self, canary: &Canary) -> io::Result<()> {
        let Canary { salt, index, position } = *canary;
        let doc = CanaryDoc { salt: hex_of(&salt), index, position };
        self.leave_whole(CANARY_FILE, &serde_json::to_vec(&doc)?)
    }

    fn leave_whole(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let beside = self.folder.join(format!("{name}.new"));
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(beside, self.folder.join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ExecutionId;

    fn delegate(folder: &Path) -> Delegate {
        let boot = BootDoc {
            protocol: wire::agent::PROTOCOL,
            url: String::new(),
            pin: String::new(),
            execution: ExecutionId::from_bytes([1; 10]),
            credential: Credential::Delegated {
                lease: hex_of(&[2; 32]),
                domain: hex_of(&[3; 32]),
                agent_key: hex::encode([4; 32]),
                delegation: "0x05".to_owned(),
            },
            fault: None,
        };
        Delegate::of(&boot, folder).unwrap().unwrap()
    }

    #[test]
    fn each_leaf_gives_a_new_root_which_the_provider_finds() {
        let dir = tempfile::tempdir().unwrap();
        let delegate = delegate(dir.path());
        let mut roots = Vec::new();
        for index in 0..3 {
            let commitment = delegate.commit(&[6; 32], Leaf::state(index, [7; 32])).unwrap();
            delegate.leave(&commitment).unwrap();
            let found = fs::read(dir.path().join(COMMITMENT_FILE)).unwrap();
            assert_eq!(serde_json::from_slice::<Commitment>(&found).unwrap(), commitment);
            assert_eq!(commitment.leaf_count, u32::try_from(index).unwrap() + 1);
            assert_eq!(commitment.to_string().parse(), Ok(commitment.clone()));
            roots.push(commitment.root);
        }
        roots.dedup();
        assert_eq!(roots.len(), 3);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
