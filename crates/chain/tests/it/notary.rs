//! The notary's client against the contracts on an embedded chain, and the draw against that of `evidence`.

use std::sync::Arc;

use alloy::providers::Provider;
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall;
use domain::{ExecutionId, Finding, LeaseId, Millis, Verdict};
use evidence::{Leaf, Tree, drawn_segments, drawn_validators};
use waag_chain::embedded::EmbeddedChain;
use waag_chain::market::{self, Contact, Market, MarketTerms, OfferId, OfferTerms, Order, State};
use waag_chain::notary::{self, NotaryEvent, NotaryTerms, Outcome, Phase, Refusal, Request, finding_hash};
use waag_chain::{Address, B256, U256, keccak256};

use crate::common::{SetClock, deployer, genesis};
use crate::party::Party;

const START_S: i64 = 1_800_000_000;
const DOLLAR: u64 = 1_000_000;
const SEGMENTS: u32 = 12;
const FEE: u64 = 100;
const JOB: [u8; 32] = [7; 32];
const STAKE: u64 = 20 * DOLLAR;

alloy::sol! {
    function draws() external view returns (address);
    function segments(bytes32 seed, uint32 count, uint32 sample) external pure returns (uint32[] memory);
    function validators(bytes32 seed, uint64[] calldata stakes, uint256 wanted) external pure returns (uint256[] memory);
}

fn market_terms() -> MarketTerms {
    MarketTerms {
        verifier: Address::ZERO,
        insurance: Address::repeat_byte(0x11),
        stake_per_unit: 5 * DOLLAR,
        reserve_bps: 20_000,
        unbonding_period: 3_600,
        commit_window: 600,
        verdict_window: 900,
        dispute_window: 900,
    }
}

fn notary_terms() -> NotaryTerms {
    NotaryTerms {
        insurance: Address::repeat_byte(0x12),
        stake_per_unit: STAKE,
        stake_per_proof: 5 * DOLLAR,
        min_fee: 10,
        unbonding_period: 3_600,
        draw_delay: 1,
        finding_window: 120,
        reveal_window: 60,
        excuse_window: 90,
    }
}

/// A job's tree whose states from segment `honest` on are made up.
fn tree(honest: u32) -> Tree {
    let mut tree = Tree::default();
    for index in 0..=u64::from(SEGMENTS) {
        let made_up = index > u64::from(honest);
        let state = evidence::keccak(&[&index.to_be_bytes(), &[u8::from(made_up)]]);
        tree.push(Leaf::state(index, state).hash(&JOB));
    }
    tree
}

fn root_of(tree: &Tree) -> B256 {
    B256::from(tree.root().unwrap())
}

fn contact() -> Vec<u8> {
    let contact = Contact {
        lease: LeaseId::from_bytes([1; 10]),
        execution: ExecutionId::from_bytes([2; 10]),
        pin: [3; 32],
        url: "https://127.0.0.1:7443".to_owned(),
    };
    contact.to_bytes().unwrap()
}

/// A market with a notary, five validators, and an accepted lease.
struct Scene {
    chain: EmbeddedChain,
    clock: Arc<SetClock>,
    owner: Party,
    deployed: notary::Deployed,
    market: Market,
    notary: notary::Notary,
    provider: Party,
    consumer: Party,
    validators: Vec<Party>,
}

impl Scene {
    async fn new() -> Self {
        let clock = SetClock::at(START_S);
        let chain = EmbeddedChain::in_memory(&genesis(), Arc::<SetClock>::clone(&clock)).unwrap();
        let owner = Party::new(&chain, deployer());
        let deployed = notary::deploy(&owner.sender, &notary_terms(), &market_terms()).await.unwrap();
        let market = Market::open(chain.provider(), deployed.market.market).await.unwrap();
        let notary = notary::Notary::open(chain.provider(), deployed.notary).await.unwrap();
        let (provider, consumer) = (Party::stranger(&chain), Party::stranger(&chain));
        let validators: Vec<Party> = (0..5).map(|_| Party::stranger(&chain)).collect();
        let scene = Self { chain, clock, owner, deployed, market, notary, provider, consumer, validators };
        for (number, party) in scene.parties().enumerate() {
            let (token, wei) = (scene.deployed.market.token, U256::from(10_u64.pow(18)));
            let (to, key) = (party.address(), number.to_string());
            market::hand_out(&scene.owner.sender, token, to, wei, 100 * DOLLAR, &key).await.unwrap();
            for spender in [scene.market.address(), scene.notary.address()] {
                let approve = scene.market.token_calls().approve(spender, u64::MAX);
                party.send(&format!("approve {spender}"), &approve).await;
            }
        }
        for party in [&scene.provider, &scene.consumer] {
            party.send("deposit", &scene.market.calls().deposit(50 * DOLLAR)).await;
        }
        scene.provider.send("stake", &scene.market.calls().stake(20 * DOLLAR)).await;
        let calls = scene.notary.calls();
        for party in &scene.validators {
            party.send("deposit at notary", &calls.deposit(STAKE)).await;
            party.send("stake at notary", &calls.stake(STAKE)).await;
            party.send("join", &calls.join(1)).await;
        }
        scene
    }

    fn parties(&self) -> impl Iterator<Item = &Party> {
        [&self.provider, &self.consumer].into_iter().chain(&self.validators)
    }

    /// A lease whose provider has committed to this tree.
    async fn committed(&self, tree: &Tree) -> (Order, B256) {
        let calls = self.market.calls();
        let offer = OfferId::new(self.provider.address(), [7; 12]);
        let from = u64::try_from(START_S).unwrap();
        let terms = OfferTerms {
            price_per_hour: DOLLAR,
            units: 1,
            available_from: from,
            available_until: from + 100_000,
        };
        self.provider.send("offer", &calls.post_offer(offer, &terms, b"{}".to_vec())).await;
        let order = Order {
            consumer: self.consumer.address(),
            offer,
            job_hash: JOB.into(),
            contact_hash: Contact::hash(&contact()),
            max_price_per_hour: DOLLAR,
            units: 1,
            span: 1_800,
            accept_by: from + 600,
            salt: 1,
        };
        self.consumer.send("create", &calls.create_lease(&order, contact())).await;
        self.provider.send("accept", &calls.accept(&order)).await;
        self.clock.advance(1_200);
        self.provider.send("commit", &calls.commit(&order, root_of(tree), tree.leaves())).await;
        let lease = self.market.digests().lease(&order);
        (order, lease)
    }

    fn request(&self, subject: B256, tree: &Tree) -> Request {
        Request {
            consumer: self.consumer.address(),
            subject,
            job_hash: JOB.into(),
            root: root_of(tree),
            leaf_count: tree.leaves(),
            segments: SEGMENTS,
            sample: 3,
            validators: 3,
            fee: FEE,
            provider: self.provider.address(),
            salt: 9,
        }
    }

    /// Lets the block of the draw be made, and the next one.
    async fn draw(&self, request: &Request) -> notary::Proof {
        self.owner.send("a block", &market::give_gas(self.owner.address(), U256::ZERO)).await;
        self.owner.send("draw", &self.notary.calls().draw(request)).await;
        self.proof(request).await
    }

    async fn proof(&self, request: &Request) -> notary::Proof {
        self.notary.proof(self.notary.digests().proof(request)).await.unwrap().unwrap()
    }

    fn party(&self, address: Address) -> &Party {
        self.parties().find(|party| party.address() == address).unwrap()
    }

    /// All who were drawn commit to this, and reveal it.
    async fn all_say(&self, request: &Request, finding: Finding) {
        let (calls, id) = (self.notary.calls(), self.notary.digests().proof(request));
        let drawn = self.proof(request).await.drawn;
        let (result, salt) = (keccak256(b"leaves"), B256::repeat_byte(4));
        for at in &drawn {
            let hash = finding_hash(id, at.validator, finding, result, salt);
            self.party(at.validator).send("finding", &calls.commit_finding(id, hash)).await;
        }
        for at in &drawn {
            let reveal = calls.reveal_finding(id, finding, result, salt);
            self.party(at.validator).send("reveal", &reveal).await;
        }
    }

    async fn events(&self) -> Vec<NotaryEvent> {
        let page = self.notary.follower(self.deployed.block, 0, &[]).page(None).await.unwrap();
        let events = self.notary.events(&page.events).await.unwrap();
        events.into_iter().map(|happened| happened.event).collect()
    }

    async fn ask<C: SolCall>(&self, to: Address, call: C) -> C::Return {
        let request = TransactionRequest::default().to(to).input(call.abi_encode().into());
        let answer = self.chain.provider().call(request).await.unwrap();
        C::abi_decode_returns_validate(&answer).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn draw_of_the_contract_is_that_of_evidence() {
    let scene = Scene::new().await;
    let draws = scene.ask(scene.notary.address(), drawsCall {}).await;
    let word = |case: u64, what: u64| {
        let hash = evidence::keccak(&[&case.to_be_bytes(), &what.to_be_bytes()]);
        u64::from_be_bytes(hash[..8].try_into().unwrap())
    };
    for case in 0..300_u64 {
        let seed = evidence::keccak(&[&case.to_be_bytes()]);
        let count = u32::try_from(word(case, 0) % 200).unwrap();
        let sample = u32::try_from(word(case, 1) % 60).unwrap();
        let drawn = scene.ask(draws, segmentsCall { seed: seed.into(), count, sample }).await;
        assert_eq!(drawn, drawn_segments(&seed, count, sample), "{count} segments, a sample of {sample}");

        // Stakes of all sizes, some of nobody, and now and then one that outweighs the rest.
        let seats = word(case, 2) % 20;
        let stakes: Vec<u64> =
            (0..seats).map(|seat| word(case, 10 + seat) >> (word(case, 40 + seat) % 65).min(63)).collect();
        let stakes: Vec<u64> =
            stakes.iter().map(|stake| if stake % 3 == 0 { 0 } else { stake / seats }).collect();
        let wanted = word(case, 3) % 9;
        let call = validatorsCall { seed: seed.into(), stakes: stakes.clone(), wanted: U256::from(wanted) };
        let drawn: Vec<usize> = scene.ask(draws, call).await.iter().map(|at| at.saturating_to()).collect();
        assert_eq!(drawn, drawn_validators(&seed, &stakes, usize::try_from(wanted).unwrap()), "{stakes:?}");
    }
}

/// The test of the contracts' tree has the same root, see `test_knownRoot`.
#[test]
fn root_of_the_contracts_tests_is_that_of_evidence() {
    let word = |n: u8| {
        let mut word = [0; 32];
        word[31] = n;
        word
    };
    let mut tree = Tree::default();
    for index in 0..3 {
        tree.push(Leaf::state(u64::from(index), word(index + 1)).hash(&word(7)));
    }
    let known = "0x9dc573cf26a53adaee704f6b39b12e8557f58a4891ca3698b29cc26f925b7615";
    assert_eq!(root_of(&tree).to_string(), known);
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_are_those_of_the_contract() {
    alloy::sol! {
        function uploadDigest(bytes32 subject, bytes32 root, uint32 leafCount) external view returns (bytes32);
        function commitmentDigest(bytes32 subject, bytes32 root, uint32 leafCount) external view returns (bytes32);
        function domainSeparator() external view returns (bytes32);
    }
    let scene = Scene::new().await;
    let (notary, digests) = (scene.notary.address(), scene.notary.digests());
    let (subject, leaf) = (B256::repeat_byte(1), B256::repeat_byte(2));
    assert_eq!(
        scene.ask(notary, uploadDigestCall { subject, root: leaf, leafCount: 3 }).await,
        digests.upload(subject, leaf, 3)
    );
    let receipt = evidence::upload_digest(&digests.separator().0, &subject.0, &leaf.0, 3);
    assert_eq!(
        digests.upload(subject, leaf, 3),
        B256::from(receipt),
        "what an agent is given without the chain"
    );
    let call = commitmentDigestCall { subject, root: leaf, leafCount: 4 };
    assert_eq!(scene.ask(notary, call).await, digests.commitment(subject, leaf, 4));
    assert_eq!(scene.ask(notary, domainSeparatorCall {}).await, digests.separator());
    let signed = evidence::commitment_digest(&digests.separator().0, &subject.0, &leaf.0, 4);
    assert_eq!(
        digests.commitment(subject, leaf, 4),
        B256::from(signed),
        "what an agent signs without the chain"
    );
    // The request's digest is the one under which the contract keeps the proof: the whole proof below would miss it.
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_proof_of_honest_work_settles_its_lease() {
    let scene = Scene::new().await;
    let honest = tree(SEGMENTS);
    let (order, lease) = scene.committed(&honest).await;
    let request = scene.request(lease, &honest);
    let (calls, id) = (scene.notary.calls(), scene.notary.digests().proof(&request));
    assert_eq!(scene.notary.proof(id).await.unwrap(), None);
    scene.consumer.send("deposit at notary", &calls.deposit(DOLLAR)).await;
    let opened = scene.consumer.send("open", &calls.open(&request, &order, contact())).await;
    let proof = scene.proof(&request).await;
    assert_eq!((proof.phase, proof.draw_block, proof.seed), (Phase::Opened, opened.block + 1, None));
    assert_eq!(scene.notary.proof_of(request.consumer, lease).await.unwrap(), Some(id));
    let account = scene.notary.account(request.consumer).await.unwrap();
    assert_eq!((request.cost(), account.balance), (Some(3 * 5 * FEE), DOLLAR - 1_500));

    let proof = scene.draw(&request).await;
    let block = scene.chain.provider().get_block_by_number(proof.draw_block.into()).await.unwrap().unwrap();
    let seed = evidence::draw_seed(&block.header.hash.0, &JOB, &honest.root().unwrap());
    assert_eq!(proof.seed, Some(B256::from(seed)));
    let seats = scene.notary.seats().await.unwrap();
    let weights: Vec<u64> =
        seats.iter().map(|seat| seat.map_or(0, |seat| u64::from(seat.units) * STAKE)).collect();
    let expected = drawn_validators(&seed, &weights, 3).into_iter().map(|at| seats[at].unwrap().validator);
    assert_eq!(proof.drawn.iter().map(|at| at.validator).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert!(proof.drawn.iter().all(|at| at.reserved == 5 * DOLLAR && !at.committed && at.finding.is_none()));
    assert_eq!(proof.phase, Phase::Committing);

    scene.all_say(&request, Finding::Same).await;
    let proof = scene.proof(&request).await;
    assert_eq!(proof.phase, Phase::Closing);
    assert!(
        proof
            .drawn
            .iter()
            .all(|at| at.finding == Some(Finding::Same) && at.result == Some(keccak256(b"leaves")))
    );
    scene.consumer.send("conclude", &calls.conclude(&request, &order)).await;
    let proof = scene.proof(&request).await;
    let outcome = Outcome { fee_paid: 1_500, ..Outcome::default() };
    assert_eq!(
        (proof.phase, proof.verdict, proof.outcome),
        (Phase::Concluded, Some(Verdict::Passed), Some(outcome))
    );
    assert_eq!(scene.market.lease(lease).await.unwrap().unwrap().state, State::Settled);
    for drawn in &proof.drawn {
        let account = scene.notary.account(drawn.validator).await.unwrap();
        assert_eq!((account.balance, account.stake, account.reserved), (500, STAKE, 0));
    }

    let events = scene.events().await;
    let said = NotaryEvent::ProofOpened {
        proof: id,
        request: request.clone(),
        draw_block: proof.draw_block,
        agent: None,
        contact: contact().into(),
    };
    assert!(events.contains(&said), "{events:?}");
    let ended = NotaryEvent::ProofConcluded { proof: id, verdict: Verdict::Passed, outcome };
    assert_eq!(events.last(), Some(&ended));
    assert_eq!(events.iter().filter(|event| event.proof() == Some(id)).count(), 1 + 1 + 3 + 3 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_proof_of_made_up_work_slashes_its_provider() {
    let scene = Scene::new().await;
    let made_up = tree(SEGMENTS / 2);
    let (order, lease) = scene.committed(&made_up).await;
    let request = scene.request(lease, &made_up);
    let calls = scene.notary.calls();
    let (escrow, reserve) =
        (scene.market.escrow_of(lease).await.unwrap(), scene.market.reserve_of(lease).await.unwrap());
    let before = scene.market.account(scene.consumer.address()).await.unwrap().balance;
    // Nothing is in its account at the notary: all of the fee comes from the allowance.
    scene.consumer.send("open", &calls.open(&request, &order, contact())).await;
    scene.draw(&request).await;
    scene.all_say(&request, Finding::Differs).await;
    scene.clock.advance(61);
    // The consumer is away: anybody concludes.
    scene.owner.send("conclude", &calls.conclude(&request, &order)).await;
    let proof = scene.proof(&request).await;
    let outcome = Outcome { fee_paid: 1_500, fee_back: 0, slashed: reserve, to_consumer: 1_500 };
    assert_eq!((proof.verdict, proof.outcome), (Some(Verdict::Failed), Some(outcome)));
    assert_eq!(scene.market.lease(lease).await.unwrap().unwrap().state, State::Slashed);
    let provider = scene.market.account(scene.provider.address()).await.unwrap();
    assert_eq!((provider.stake, provider.reserved), (20 * DOLLAR - reserve, 0));
    let consumer = scene.market.account(scene.consumer.address()).await.unwrap();
    assert_eq!(consumer.balance, before + escrow + 1_500);
    for drawn in &proof.drawn {
        let account = scene.notary.account(drawn.validator).await.unwrap();
        assert_eq!(account.balance, 500 + reserve / 4 / 3);
    }
    assert_eq!(scene.market.account(scene.notary.address()).await.unwrap().balance, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lease_outside_the_market_is_checked_by_its_agents_signature() {
    let scene = Scene::new().await;
    let honest = tree(SEGMENTS);
    let subject = B256::repeat_byte(0x51);
    let request = Request { provider: Address::ZERO, ..scene.request(subject, &honest) };
    let (calls, digests) = (scene.notary.calls(), scene.notary.digests());
    let agent = Party::stranger(&scene.chain);
    let signed = digests.commitment(subject, request.root, request.leaf_count);
    let signature = agent.signer.sign_digest(&signed.0).unwrap().to_vec();
    scene.consumer.send("open", &calls.open_signed(&request, signature, contact())).await;
    let opened = scene.events().await.into_iter().find_map(|event| match event {
        NotaryEvent::ProofOpened { agent, .. } => agent,
        _ => None,
    });
    assert_eq!(opened, Some(agent.address()));
    scene.draw(&request).await;
    scene.clock.advance(121);
    // Nobody speaks. A block has to tell the time.
    scene.owner.send("another block", &market::give_gas(scene.owner.address(), U256::ZERO)).await;
    assert_eq!(scene.proof(&request).await.phase, Phase::Revealing);
    scene.clock.advance(120);
    scene.consumer.send("conclude", &calls.conclude_signed(&request)).await;
    let proof = scene.proof(&request).await;
    let outcome = Outcome { fee_back: 1_500, ..Outcome::default() };
    assert_eq!((proof.verdict, proof.outcome), (Some(Verdict::Unknown), Some(outcome)));
    assert!(proof.drawn.iter().all(|drawn| drawn.finding == Some(Finding::Silent)));
    // Their stake does not cover their units any more, so they are drawn no more.
    let left = scene.notary.members().await.unwrap().into_iter().filter(|seat| seat.until.is_some());
    assert_eq!(left.count(), 3);
    let slashed = scene
        .events()
        .await
        .into_iter()
        .filter(|event| matches!(event, NotaryEvent::ValidatorSlashed { .. }));
    assert_eq!(slashed.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_has_the_notarys_name_and_values() {
    let scene = Scene::new().await;
    let honest = tree(SEGMENTS);
    let (order, lease) = scene.committed(&honest).await;
    let request = scene.request(lease, &honest);
    let (calls, id) = (scene.notary.calls(), scene.notary.digests().proof(&request));
    let refused = async |party: &Party, call| Refusal::of(&party.failed(&call).await).unwrap();
    let none = refused(&scene.owner, calls.draw(&request)).await;
    assert_eq!(none.to_string(), "WrongPhase: the proof is none");
    let cheap = Request { fee: 9, ..request.clone() };
    let said = refused(&scene.consumer, calls.open(&cheap, &order, contact())).await;
    assert_eq!(said, Refusal::FeeTooLow { fee: 9, min: 10 });
    let many = Request { validators: 6, ..request.clone() };
    let said = refused(&scene.consumer, calls.open(&many, &order, contact())).await;
    assert_eq!(said, Refusal::NotEnoughValidators { eligible: 5, wanted: 6 });
    scene.consumer.send("open", &calls.open(&request, &order, contact())).await;
    let again = Request { salt: 10, ..request.clone() };
    let said = refused(&scene.consumer, calls.open(&again, &order, contact())).await;
    assert_eq!(said, Refusal::ProofExists { proof: id });
    let early = refused(&scene.owner, calls.draw(&request)).await;
    let draw_block = scene.proof(&request).await.draw_block;
    assert_eq!(early, Refusal::BlockNotReached { from: draw_block + 1 });
    let poor = refused(&scene.validators[0], calls.unbond(1)).await;
    let shared = market::Refusal::InsufficientStake {
        provider: scene.validators[0].address(),
        stake: STAKE,
        needed: STAKE + 1,
    };
    assert_eq!(poor, Refusal::Shared(shared));
    scene.clock.advance(121);
    scene.owner.send("abandon", &calls.abandon(&request)).await;
    assert_eq!(scene.proof(&request).await.phase, Phase::Abandoned);
    assert_eq!(Refusal::decode(b"nothing of ours"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_is_anchored_and_never_shrinks() {
    let scene = Scene::new().await;
    let (calls, log) = (scene.notary.calls(), B256::repeat_byte(0x10));
    assert_eq!(scene.notary.anchored(scene.consumer.address(), log).await.unwrap(), None);
    let root = B256::repeat_byte(1);
    scene.consumer.send("anchor", &calls.anchor(log, 7, root)).await;
    let anchored = scene.notary.anchored(scene.consumer.address(), log).await.unwrap();
    assert_eq!(anchored, Some(notary::Anchored { size: 7, root }));
    for (size, root) in [(6, root), (7, B256::repeat_byte(2))] {
        let error = scene.consumer.failed(&calls.anchor(log, size, root)).await;
        assert_eq!(Refusal::of(&error), Some(Refusal::LogRewritten { size: 7 }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deployment_of_both_asked_for_again_is_the_same() {
    let scene = Scene::new().await;
    let again = notary::deploy(&scene.owner.sender, &notary_terms(), &market_terms()).await.unwrap();
    assert_eq!(again, scene.deployed);
    let settings = scene.notary.settings();
    assert_eq!((settings.market, settings.token), (scene.market.address(), scene.deployed.market.token));
    assert_eq!(scene.market.verifier().await.unwrap(), scene.notary.address());
    assert_eq!(settings.lead_time, notary_terms().lead_time());
    let refused = notary::Notary::open(scene.chain.provider(), scene.market.address()).await.err().unwrap();
    assert!(matches!(refused, market::ReadError::NoNotary { .. }), "{refused:?}");
    let seats = scene.notary.members().await.unwrap();
    assert!(seats.iter().zip(&scene.validators).all(|(seat, party)| seat.validator == party.address()));
    let gone = scene.notary.next_time().await.unwrap() + Millis::from_secs(0);
    assert!(gone >= scene.notary.head().await.unwrap().at);
}
