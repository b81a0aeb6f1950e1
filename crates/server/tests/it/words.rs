//! The consumer's word that it has the states of a lease: given for what could be opened here, and for nothing that could not be opened
//! later.

use std::sync::Arc;

use async_trait::async_trait;
use custody::{DataKey, EvmSigner, InstanceKey, OsEntropy, seal, wrap};
use domain::{ExecutionId, Label, NetworkName};
use engine::AgentRefusal;
use evidence::{Leaf, Tree, commitment_digest, content_digest};
use futures::stream;
use market::{Anchor, Caller, Changes, Claim, Committed, Error, Escrow, Escrowed, Notary, Proof};
use market::{ProofRequest, Subject};
use wire::agent::{
    BootDoc, Commitment, Hello, PROTOCOL, SandboxKind, UploadReceipt, WRAP_INFO, Welcome, bytes_of,
    checkpoint_context, hex_of,
};

use crate::http::Request;
use crate::plane::Plane;

const JOB: &str =
    r#"{"file": "name: a\nrun: echo\nwaag: { budget: { max_total_usd: 2.00 }, verify: { segments: 8 } }\n"}"#;
const SUBJECT: Subject = Subject { domain: [3; 32], lease: [4; 32] };

/// An escrow and a notary that know one lease and move nothing. The word for a root is that root.
struct Stub;

#[async_trait]
impl Escrow for Stub {
    async fn observe(&self, _: &Label) -> Result<Option<Escrowed>, Error> {
        Ok(None)
    }

    async fn claim(&self, _: &Label, _: &Claim) -> Result<Option<Escrowed>, Error> {
        Ok(None)
    }

    async fn post(&self, _: &Label) -> Result<Option<Escrowed>, Error> {
        Ok(None)
    }

    async fn void(&self, _: &Label) -> Result<Option<Escrowed>, Error> {
        Ok(None)
    }

    async fn acknowledge(&self, _: &Label, of: &market::Commitment) -> Result<Option<Vec<u8>>, Error> {
        Ok(Some(of.root.to_vec()))
    }

    async fn changes(&self, _: Option<&str>) -> Result<Changes, Error> {
        Ok(Changes { labels: Vec::new(), offers: false, cursor: String::new(), at_head: true })
    }
}

#[async_trait]
impl Notary for Stub {
    async fn commitment(&self, _: &Label) -> Result<Option<Committed>, Error> {
        Ok(None)
    }

    async fn subject(&self, _: &NetworkName, _: &Label) -> Result<Option<Subject>, Error> {
        Ok(Some(SUBJECT))
    }

    async fn open(&self, _: &ProofRequest) -> Result<Proof, Error> {
        panic!("nothing ends here")
    }

    async fn observe(&self, _: &ProofRequest) -> Result<Option<Proof>, Error> {
        Ok(None)
    }

    async fn advance(&self, _: &ProofRequest) -> Result<Option<Proof>, Error> {
        Ok(None)
    }

    async fn drew(&self, _: &[u8; 32], _: &Caller) -> Result<bool, Error> {
        Ok(false)
    }

    async fn anchor(&self, _: &Anchor) -> Result<(), Error> {
        Ok(())
    }

    async fn anchored(&self, _: &[u8; 32]) -> Result<Option<Anchor>, Error> {
        Ok(None)
    }
}

/// An agent that signs whatever it is asked to.
struct Agent {
    plane: Plane,
    boot: BootDoc,
    welcome: Welcome,
    signer: EvmSigner,
    leaves: Vec<[u8; 32]>,
}

impl Agent {
    async fn welcomed() -> Self {
        let plane = Plane::start_with(|registry| {
            registry.with_escrow("sim-cloud".parse().unwrap(), Arc::new(Stub)).with_notary(Arc::new(Stub))
        })
        .await;
        assert_eq!(Request::new(&plane, "POST", "/v1/jobs").json(JOB).send().await.status, 201);
        let boot = plane.agents_started(1).await.remove(0);
        let signer = EvmSigner::mint(&OsEntropy).unwrap();
        let hello = Hello {
            protocol: PROTOCOL,
            instance_key: InstanceKey::mint(&OsEntropy).public().to_string(),
            sandbox: SandboxKind::Namespaces,
            introduction: None,
            agent: Some(signer.address_text()),
        };
        let welcome = plane.engine.agent_hello(boot.token().unwrap(), &hello).await.unwrap();
        Self { plane, boot, welcome, signer, leaves: Vec::new() }
    }

    /// One more leaf, and the word for all that there are.
    fn commits(&mut self, leaf: Leaf) -> Commitment {
        self.leaves.push(leaf.hash(&bytes_of(&self.welcome.job_hash).unwrap()));
        let outputs = leaf.out != [0; 32];
        let digest = if outputs { leaf.out } else { leaf.state };
        self.signed(digest, outputs)
    }

    fn signed(&self, digest: [u8; 32], outputs: bool) -> Commitment {
        let mut tree = Tree::default();
        self.leaves.iter().for_each(|leaf| tree.push(*leaf));
        let root = tree.root().unwrap();
        let signed = commitment_digest(&SUBJECT.domain, &SUBJECT.lease, &root, tree.leaves());
        Commitment {
            root: hex_of(&root),
            leaf_count: tree.leaves(),
            signature: hex_of(&self.signer.sign_digest(&signed).unwrap()),
            digest: hex_of(&digest),
            outputs,
        }
    }

    async fn tells(&self, commitment: &Commitment) -> Option<String> {
        let token = self.boot.token().unwrap();
        self.plane.engine.agent_commitment(token, commitment).await.unwrap().signature
    }

    async fn uploads(
        &self,
        segment: u32,
        content: &[u8],
        commitment: &Commitment,
    ) -> Result<UploadReceipt, AgentRefusal> {
        let key = DataKey::mint(&OsEntropy);
        let to = self.welcome.customer_key.parse().unwrap();
        let wrapped = hex::encode(wrap(&key, &to, WRAP_INFO, &OsEntropy).unwrap());
        let execution: ExecutionId = self.boot.execution;
        let context = checkpoint_context(execution, segment);
        let mut sealed = Vec::new();
        seal(&mut &content[..], &mut sealed, &key, context.as_bytes(), &OsEntropy).unwrap();
        let body = stream::iter([Ok::<_, std::io::Error>(sealed.into())]);
        let token = self.boot.token().unwrap();
        self.plane.engine.agent_checkpoint(token, segment, &wrapped, Some(commitment), body).await
    }

    /// Works on a state as it should: it begins, or uploads, and has the word for the root.
    async fn works(&mut self, number: u32) -> Commitment {
        let content = content(number);
        let digest = if number == 0 { [0; 32] } else { content_digest(&content) };
        let commitment = self.commits(Leaf::state(number.into(), digest));
        let word = match number {
            0 => self.tells(&commitment).await,
            _ => self.uploads(number, &content, &commitment).await.unwrap().acknowledgement,
        };
        assert_eq!(word.as_ref(), Some(&commitment.root), "state {number}");
        commitment
    }
}

fn content(number: u32) -> Vec<u8> {
    format!("state {number}").into_bytes()
}

#[tokio::test]
async fn each_state_that_opens_to_what_its_leaf_says_has_the_word_and_so_have_the_outputs() {
    let mut agent = Agent::welcomed().await;
    for number in 0..=3 {
        agent.works(number).await;
    }
    let outputs = agent.commits(Leaf::outputs(4, [7; 32]));
    assert_eq!(agent.tells(&outputs).await, Some(outputs.root.clone()));
    assert_eq!(agent.tells(&outputs).await, Some(outputs.root), "a lost answer is asked for again");
}

#[tokio::test]
async fn state_that_is_not_what_its_leaf_says_has_no_word_and_neither_has_any_after_it() {
    let mut agent = Agent::welcomed().await;
    agent.works(0).await;
    let planted = agent.commits(Leaf::state(1, [9; 32]));
    assert_eq!(agent.uploads(1, b"another", &planted).await.unwrap().acknowledgement, None);
    let next = agent.commits(Leaf::state(2, content_digest(b"two")));
    assert_eq!(agent.uploads(2, b"two", &next).await.unwrap().acknowledgement, None);
    let outputs = agent.commits(Leaf::outputs(3, [7; 32]));
    assert_eq!(agent.tells(&outputs).await, None);
}

#[tokio::test]
async fn root_over_leaves_that_were_not_told_has_no_word() {
    let mut agent = Agent::welcomed().await;
    agent.works(0).await;
    // Each state is there, but the leaves below the root are others.
    agent.leaves[0] = [1; 32];
    let other = agent.commits(Leaf::state(1, content_digest(b"one")));
    assert_eq!(agent.uploads(1, b"one", &other).await.unwrap().acknowledgement, None);
}

#[tokio::test]
async fn state_has_no_word_in_the_place_of_another() {
    let mut agent = Agent::welcomed().await;
    agent.works(0).await;
    let second = agent.commits(Leaf::state(1, content_digest(b"two")));
    assert_eq!(agent.uploads(2, b"two", &second).await.unwrap().acknowledgement, None);
}

#[tokio::test]
async fn nothing_takes_the_place_of_a_state_that_has_the_word() {
    let mut agent = Agent::welcomed().await;
    agent.works(0).await;
    let first = agent.works(1).await;
    let files = agent.plane.object_files();
    let again = agent.uploads(1, &content(1), &first).await.unwrap();
    assert_eq!(again.acknowledgement, Some(first.root.clone()), "the same may come again");
    let kept = agent.plane.object_files();
    assert!(kept >= files);
    for (segment, bytes) in [(1, &b"garbage"[..]), (0, b"garbage")] {
        let refused = agent.uploads(segment, bytes, &first).await.unwrap_err();
        assert!(matches!(refused, AgentRefusal::Malformed(_)), "{segment}: {refused:?}");
        assert_eq!(agent.plane.object_files(), kept, "what is refused is not kept");
    }
}

#[tokio::test]
async fn nothing_has_the_word_after_the_outputs() {
    let mut agent = Agent::welcomed().await;
    agent.works(0).await;
    let outputs = agent.commits(Leaf::outputs(1, [7; 32]));
    assert!(agent.tells(&outputs).await.is_some());
    let late = agent.commits(Leaf::state(2, content_digest(b"two")));
    assert_eq!(agent.uploads(2, b"two", &late).await.unwrap().acknowledgement, None);
}
