//! What a proof costs.

use domain::Finding;
use waag_chain::market::{self, Contact, Order};
use waag_chain::notary::{Request, finding_hash};
use waag_chain::{Address, U256};

use super::{CONTACT, DOLLAR, ETHER, LEAVES, Measured, Party, Scene, root};

/// Seven validators of whom three are drawn, and a consumer with money at the notary.
struct ProofScene {
    scene: Scene,
    validators: Vec<Party>,
}

impl ProofScene {
    async fn new() -> Self {
        let scene = Scene::new().await;
        let validators: Vec<Party> = (0x70..0x77).map(|scalar| Party::new(&scene.chain, scalar)).collect();
        for party in validators.iter().chain([&scene.consumer]) {
            scene.owner.send(market::give_gas(party.address(), U256::from(ETHER / 10))).await;
            scene.owner.send(scene.token.mint(party.address(), 100 * DOLLAR)).await;
            party.send(scene.token.approve(scene.notary.address(), u64::MAX)).await;
            party.send(scene.notary.calls().deposit(100 * DOLLAR)).await;
        }
        for party in &validators {
            party.send(scene.notary.calls().stake(50 * DOLLAR)).await;
            party.send(scene.notary.calls().join(1)).await;
        }
        let proofs = Self { scene, validators };
        // Everybody has taken part in a proof before.
        let (request, order) = proofs.committed(1).await;
        proofs.whole(&request, Some(&order), Finding::Same).await;
        proofs
    }

    /// A lease with a commitment, and a request to check it.
    async fn committed(&self, salt: u64) -> (Request, Order) {
        let order = self.scene.order(100 + salt);
        self.scene.consumer.send(self.scene.calls.create_lease(&order, CONTACT.to_vec())).await;
        self.scene.lease_over(&order).await;
        self.scene.provider.send(self.scene.calls.commit(&order, root(), LEAVES)).await;
        let request = Request {
            consumer: order.consumer,
            subject: self.scene.market.digests().lease(&order),
            job_hash: order.job_hash,
            root: root(),
            leaf_count: LEAVES,
            segments: LEAVES - 1,
            sample: 8,
            validators: 3,
            fee: 1_000,
            provider: self.scene.provider.address(),
            salt,
        };
        (request, order)
    }

    /// From opening to conclusion: what opening, draw, first finding, first reveal and conclusion cost, and all together.
    async fn whole(&self, request: &Request, order: Option<&Order>, finding: Finding) -> [u64; 6] {
        let (scene, calls) = (&self.scene, self.scene.notary.calls());
        let open = match order {
            Some(order) => calls.open(request, order, CONTACT.to_vec()),
            None => {
                let digests = scene.notary.digests();
                let digest = digests.commitment(request.subject, request.root, request.leaf_count);
                let signature = scene.agent.signer.sign_digest(&digest.0).unwrap().to_vec();
                calls.open_signed(request, signature, CONTACT.to_vec())
            }
        };
        let open = scene.consumer.send(open).await;
        for _ in 0..2 {
            scene.owner.send(market::give_gas(scene.owner.address(), U256::ZERO)).await;
        }
        let draw = scene.owner.send(calls.draw(request)).await;
        let id = scene.notary.digests().proof(request);
        let drawn = scene.notary.proof(id).await.unwrap().unwrap().drawn;
        let party =
            |address: Address| self.validators.iter().find(|party| party.address() == address).unwrap();
        let (result, salt) = (root(), root());
        let (mut commits, mut reveals) = (Vec::new(), Vec::new());
        for at in &drawn {
            let hash = finding_hash(id, at.validator, finding, result, salt);
            commits.push(party(at.validator).send(calls.commit_finding(id, hash)).await);
        }
        for at in &drawn {
            reveals.push(party(at.validator).send(calls.reveal_finding(id, finding, result, salt)).await);
        }
        let conclude = match order {
            Some(order) => calls.conclude(request, order),
            None => calls.conclude_signed(request),
        };
        let conclude = scene.consumer.send(conclude).await;
        let findings: u64 = commits.iter().chain(&reveals).sum();
        [open, draw, commits[0], reveals[0], conclude, open + draw + findings + conclude]
    }
}

pub(super) async fn proofs() -> Vec<Measured> {
    let proofs = ProofScene::new().await;
    let (request, order) = proofs.committed(2).await;
    let [open, draw, commit, reveal, conclude, total] =
        proofs.whole(&request, Some(&order), Finding::Same).await;
    let (request, order) = proofs.committed(3).await;
    let failed = proofs.whole(&request, Some(&order), Finding::Differs).await;
    let elsewhere = Request { provider: Address::ZERO, subject: Contact::hash(b"elsewhere"), ..request };
    let signed = proofs.whole(&elsewhere, None, Finding::Same).await;
    let anchor =
        |size| proofs.scene.notary.calls().anchor(root(), size, Contact::hash(&u64::to_be_bytes(size)));
    proofs.scene.consumer.send(anchor(7)).await;
    let anchor = proofs.scene.consumer.send(anchor(8)).await;
    vec![
        ("proof_open", open),
        ("proof_open_signed", signed[0]),
        ("proof_draw", draw),
        ("proof_commit", commit),
        ("proof_reveal", reveal),
        ("proof_conclude", conclude),
        ("proof_conclude_failed", failed[4]),
        ("proof_total", total),
        ("anchor", anchor),
    ]
}
