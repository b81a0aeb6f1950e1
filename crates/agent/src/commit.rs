//! What the agent stands by: a root over its states, signed anew with each of them, and left where its provider finds it.

use std::cell::{OnceCell, RefCell};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use custody::{EvmSigner, Secret, signer_of, token_hash};
use domain::Entropy;
use evidence::{Canary, Leaf, Tree, commitment_digest};
use wire::agent::{
    BootDoc, CANARY_FILE, COMMITMENT_FILE, CanaryDoc, Commitment, Credential, Introduction, Left, Receiver,
    Subject, bytes_of, hello_statement, hex_of,
};

/// An agent that signs what it does: for its provider, or by a key that it made itself and for nobody but itself.
pub struct Delegate {
    signer: EvmSigner,
    /// What it signs for: domain separator and lease, once known.
    subject: OnceCell<([u8; 32], [u8; 32])>,
    /// The provider's word; `None` where no provider speaks for it.
    delegation: Option<String>,
    /// Whose word it needs for each state, and under which domain that is given.
    receiver: Option<([u8; 32], String)>,
    folder: PathBuf,
    tree: RefCell<Tree>,
}

impl Delegate {
    /// The delegate that the boot document makes of this agent.
    ///
    /// # Errors
    /// The credential is malformed.
    pub fn of(boot: &BootDoc, folder: &Path, entropy: &dyn Entropy) -> io::Result<Self> {
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the credential is malformed");
        let (signer, subject, delegation, receiver) = match &boot.credential {
            Credential::Delegated { lease, domain, agent_key, delegation, receiver } => {
                let domain = bytes_of(domain).ok_or_else(malformed)?;
                let lease = bytes_of(lease).ok_or_else(malformed)?;
                let signer = EvmSigner::from_hex(agent_key).map_err(|_| malformed())?;
                let receiver = match receiver {
                    Some(Receiver { account, domain }) => {
                        Some((bytes_of(domain).ok_or_else(malformed)?, account.clone()))
                    }
                    None => None,
                };
                (signer, OnceCell::from((domain, lease)), Some(delegation.clone()), receiver)
            }
            Credential::Token { .. } | Credential::ByProvider => {
                (EvmSigner::mint(entropy).map_err(io::Error::other)?, OnceCell::new(), None, None)
            }
        };
        let folder = folder.to_owned();
        Ok(Self { signer, subject, delegation, receiver, folder, tree: RefCell::default() })
    }

    /// What admits this agent, with the token that it made itself; `None` where no provider speaks for it.
    ///
    /// # Errors
    /// The key cannot sign, which a key in memory always can.
    pub fn introduction(
        &self,
        boot: &BootDoc,
        instance_key: &str,
        token: &Secret,
    ) -> io::Result<Option<Introduction>> {
        let Some(delegation) = &self.delegation else { return Ok(None) };
        let statement = hello_statement(boot.execution, instance_key, &token_hash(token.expose()));
        Ok(Some(Introduction {
            execution: boot.execution,
            agent: self.signer.address_text(),
            delegation: delegation.clone(),
            signature: self.sign(&evidence::keccak(&[statement.as_bytes()]))?,
        }))
    }

    /// The address by which it signs, where it has to be told: nobody else speaks for it.
    pub fn own_address(&self) -> Option<String> {
        self.delegation.is_none().then(|| self.signer.address_text())
    }

    /// Takes what to sign for from the control plane, unless its provider has said so.
    ///
    /// # Errors
    /// It is malformed.
    pub fn told(&self, subject: Option<&Subject>) -> io::Result<()> {
        let (None, Some(subject)) = (self.subject.get(), subject) else { return Ok(()) };
        let malformed =
            || io::Error::new(io::ErrorKind::InvalidData, "what is to be signed for is malformed");
        let domain = bytes_of(&subject.domain).ok_or_else(malformed)?;
        let lease = bytes_of(&subject.lease).ok_or_else(malformed)?;
        // It was empty above, and nothing else sets it.
        let _ = self.subject.set((domain, lease));
        Ok(())
    }

    /// Commits to one more leaf of a job; `None` where nobody would check it.
    ///
    /// # Errors
    /// The key cannot sign, which a key in memory always can.
    pub fn commit(&self, job: &[u8; 32], leaf: Leaf) -> io::Result<Option<Commitment>> {
        let Some((domain, lease)) = self.subject.get() else { return Ok(None) };
        let mut tree = self.tree.borrow_mut();
        tree.push(leaf.hash(job));
        let root = tree.root().ok_or_else(|| io::Error::other("a tree with a leaf has a root"))?;
        let digest = commitment_digest(domain, lease, &root, tree.leaves());
        let outputs = leaf.out != [0; 32];
        Ok(Some(Commitment {
            root: hex_of(&root),
            leaf_count: tree.leaves(),
            signature: self.sign(&digest)?,
            digest: hex_of(if outputs { &leaf.out } else { &leaf.state }),
            outputs,
        }))
    }

    fn sign(&self, digest: &[u8; 32]) -> io::Result<String> {
        self.signer.sign_digest(digest).map(|signature| hex_of(&signature)).map_err(io::Error::other)
    }

    /// Leaves a commitment where the provider looks, with the consumer's word for it; it sees the one before or this one, whole.
    /// Nothing where no provider does. Whether the provider can rely on it: without that word it would not be paid for states
    /// that are kept back, so nothing is left then. `without` says that it does not need one.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn leave(&self, commitment: &Commitment, word: Option<&str>, without: bool) -> io::Result<bool> {
        if self.delegation.is_none() {
            return Ok(true);
        }
        let word = word.filter(|word| self.is_genuine(commitment, word));
        if self.receiver.is_some() && word.is_none() && !without {
            return Ok(false);
        }
        let left = Left { commitment: commitment.clone(), acknowledgement: word.map(str::to_owned) };
        self.leave_whole(COMMITMENT_FILE, &serde_json::to_vec(&left)?)?;
        Ok(true)
    }

    /// Whether this is the consumer's word for this root.
    fn is_genuine(&self, commitment: &Commitment, word: &str) -> bool {
        let (Some((domain, account)), Some((_, lease))) = (&self.receiver, self.subject.get()) else {
            return false;
        };
        let (Some(root), Some(signature)) = (bytes_of(&commitment.root), bytes_of(word)) else {
            return false;
        };
        let digest = evidence::upload_digest(domain, lease, &root, commitment.leaf_count);
        signer_of(&digest, &signature).as_ref() == Some(account)
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
    use custody::OsEntropy;
    use domain::ExecutionId;

    fn delegate(folder: &Path, receiver: Option<Receiver>) -> Delegate {
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
                receiver,
            },
            fault: None,
        };
        Delegate::of(&boot, folder, &OsEntropy).unwrap()
    }

    #[test]
    fn each_leaf_gives_a_new_root_which_the_provider_finds() {
        let dir = tempfile::tempdir().unwrap();
        let delegate = delegate(dir.path(), None);
        let mut roots = Vec::new();
        for index in 0..3 {
            let commitment = delegate.commit(&[6; 32], Leaf::state(index, [7; 32])).unwrap().unwrap();
            assert!(delegate.leave(&commitment, None, false).unwrap());
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

    #[test]
    fn commitment_is_left_only_with_the_consumers_word_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let (consumer, stranger) =
            (EvmSigner::mint(&OsEntropy).unwrap(), EvmSigner::mint(&OsEntropy).unwrap());
        let receiver = Receiver { account: consumer.address_text(), domain: hex_of(&[9; 32]) };
        let delegate = delegate(dir.path(), Some(receiver));
        let commit = |index| delegate.commit(&[6; 32], Leaf::state(index, [7; 32])).unwrap().unwrap();
        let word = |by: &EvmSigner, of: &Commitment| {
            let root = bytes_of(&of.root).unwrap();
            let digest = evidence::upload_digest(&[9; 32], &[2; 32], &root, of.leaf_count);
            hex_of(&by.sign_digest(&digest).unwrap())
        };
        let left = || {
            let text = fs::read(dir.path().join(COMMITMENT_FILE)).ok()?;
            Some(serde_json::from_slice::<Left>(&text).unwrap())
        };
        let (first, second) = (commit(0), commit(1));
        let good = word(&consumer, &first);
        for bad in
            [None, Some(word(&consumer, &second)), Some(word(&stranger, &first)), Some("0x".to_owned())]
        {
            assert!(!delegate.leave(&first, bad.as_deref(), false).unwrap(), "{bad:?}");
        }
        assert_eq!(left(), None, "a provider does not stand by what it might not be paid for");
        assert!(delegate.leave(&first, Some(&good), false).unwrap());
        assert_eq!(left(), Some(Left { commitment: first, acknowledgement: Some(good.clone()) }));
        assert!(delegate.leave(&second, Some(&good), true).unwrap(), "whoever plants needs no word");
        assert_eq!(left(), Some(Left { commitment: second, acknowledgement: None }));
    }
}
