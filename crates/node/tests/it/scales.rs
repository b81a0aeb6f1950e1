//! A notary with validators, and a consumer that has work checked.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chain::embedded::{CHAIN_ID, EmbeddedChain, Genesis};
use chain::market::{Contact, Market, MarketTerms, Order, hand_out};
use chain::notary::{self, Drawn, Notary, NotaryTerms, Phase, Proof, Request};
use chain::sender::{Call, IntentKey, Sender};
use chain::{Address, B256, U256};
use custody::{EvmSigner, OsEntropy};
use domain::{Clock, ExecutionId, Finding, LeaseId, NoProbe, Probe, Timestamp};
use node::validator::{self, Fault, Folder, Given, Parts, Validator, ValidatorError};
use tempfile::TempDir;

use crate::common::{DOLLAR, SetClock, sender};
use crate::plane::{JOB, Mill, Plane, SAMPLE, SEGMENTS, Work};

pub(crate) const WINDOW_S: i64 = 600;
pub(crate) const REVEAL_S: i64 = 60;
pub(crate) const EXCUSE_S: i64 = 120;
pub(crate) const FEE: u64 = 10_000;
/// The first, the last and the sample.
pub(crate) const SHARE: u64 = FEE * (SAMPLE as u64 + 2);
pub(crate) const STAKE: u64 = 100 * DOLLAR;
pub(crate) const PER_PROOF: u64 = 10 * DOLLAR;
/// Looks that a replay takes at most, and the wait between them.
const LOOKS_MAX: usize = 2_000;
const LOOK: Duration = Duration::from_millis(5);

pub(crate) struct Scales {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) url: String,
    pub(crate) owner: Sender,
    pub(crate) consumer: Sender,
    pub(crate) consumer_key: EvmSigner,
    pub(crate) notary: Notary,
    pub(crate) market: Market,
    pub(crate) plane: Plane,
    pub(crate) mill: Arc<Mill>,
    pub(crate) chain: EmbeddedChain,
    pub(crate) insurance: Address,
}

impl Scales {
    pub(crate) async fn new(work: Work) -> Self {
        Self::on_chain(CHAIN_ID, work).await
    }

    pub(crate) async fn on_chain(chain_id: u64, work: Work) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock::at_start());
        let owner = EvmSigner::mint(&OsEntropy).unwrap();
        let deployer_wei = U256::from(10_u128.pow(22));
        let genesis = Genesis { chain_id, deployer: owner.address(), deployer_wei, seed: [9; 32] };
        let chain = EmbeddedChain::in_memory(&genesis, Arc::<SetClock>::clone(&clock)).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = chain.http_router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let owner = sender(&chain, &owner, &dir.path().join("owner.redb"));
        let insurance = Address::repeat_byte(0x11);
        let deployed = notary::deploy(&owner, &notary_terms(insurance), &terms(insurance)).await.unwrap();
        let market = Market::open(chain.provider(), deployed.market.market).await.unwrap();
        let notary = Notary::open(chain.provider(), deployed.notary).await.unwrap();
        let consumer_key = EvmSigner::mint(&OsEntropy).unwrap();
        let consumer = sender(&chain, &consumer_key, &dir.path().join("consumer.redb"));
        let (plane, mill) = (Plane::new(work).await, Arc::default());
        let scales = Self {
            dir,
            clock,
            url,
            owner,
            consumer,
            consumer_key,
            notary,
            market,
            plane,
            mill,
            chain,
            insurance,
        };
        scales.fund(scales.consumer.address()).await;
        for (name, spender) in [("fees", scales.notary.address()), ("leases", scales.market.address())] {
            let approve = scales.market.token_calls().approve(spender, u64::MAX);
            scales.by_consumer(name, &approve).await;
        }
        scales
    }

    pub(crate) async fn fund(&self, to: Address) {
        let (wei, token) = (U256::from(10_u128.pow(18)), self.market.settings().token);
        hand_out(&self.owner, token, to, wei, 1_000 * DOLLAR, &to.to_string()).await.unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn path(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("validator-{number}"))
    }

    pub(crate) fn given(&self, changes: &[(&str, &str)]) -> Given {
        let notary = self.notary.address().to_string();
        let base =
            [("rpc_url", self.url.as_str()), ("notary", &notary), ("poll", "1s"), ("conclude_after", "5s")];
        base.iter().chain(changes).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    pub(crate) async fn init(&self, number: usize) -> Address {
        let address = validator::init(&self.path(number), &self.given(&[]), &OsEntropy).unwrap();
        self.fund(address).await;
        address
    }

    pub(crate) fn parts(&self, number: usize) -> Parts {
        Parts {
            folder: Folder::at(&self.path(number)),
            replayer: self.mill.clone(),
            entropy: Arc::new(OsEntropy),
            clock: self.clock.clone(),
            probe: Arc::new(NoProbe),
            fault: None,
        }
    }

    /// The validator, whose journal the one before it may still be writing to.
    pub(crate) async fn open(&self, number: usize, fault: Option<Fault>, probe: Arc<dyn Probe>) -> Validator {
        for _ in 0..LOOKS_MAX {
            match Validator::open(Parts { fault, probe: probe.clone(), ..self.parts(number) }).await {
                Ok(validator) => return validator,
                Err(ValidatorError::Journal(_)) => tokio::time::sleep(LOOK).await,
                Err(error) => panic!("{error:?}"),
            }
        }
        panic!("the journal is never let go")
    }

    /// Validators with seats, misbehaving as said.
    pub(crate) async fn seated(&self, faults: &[Option<Fault>]) -> Vec<Validator> {
        let mut seated = Vec::new();
        for (number, fault) in faults.iter().enumerate() {
            self.init(number).await;
            let mut validator = self.open(number, *fault, Arc::new(NoProbe)).await;
            self.rest(&mut validator).await;
            seated.push(validator);
        }
        seated
    }

    /// Ticks until nothing more is due now. Whether it has left.
    pub(crate) async fn rest(&self, validator: &mut Validator) -> bool {
        for _ in 0..100 {
            let tick = validator.tick(self.now()).await.unwrap();
            if tick.next_due > self.now() || tick.left {
                return tick.left;
            }
        }
        panic!("the validator does not come to rest")
    }

    pub(crate) async fn by_consumer(&self, key: &str, call: &Call) {
        self.consumer.send(&IntentKey(key.to_owned()), call).await.unwrap();
    }

    /// Makes a block.
    pub(crate) async fn block(&self) {
        let head = self.notary.head().await.unwrap().number;
        let gift = chain::market::give_gas(self.insurance, U256::from(1));
        self.owner.send(&IntentKey(format!("block:{head}")), &gift).await.unwrap();
    }

    pub(crate) fn contact(&self) -> Vec<u8> {
        let contact = Contact {
            lease: LeaseId::from_bytes([1; 10]),
            execution: ExecutionId::from_bytes([1; 10]),
            pin: self.plane.pin,
            url: self.plane.url.clone(),
        };
        contact.to_bytes().unwrap()
    }

    pub(crate) fn request(&self, subject: B256, provider: Address, validators: u32) -> Request {
        let work = self.plane.work();
        Request {
            consumer: self.consumer.address(),
            subject,
            job_hash: B256::from(*JOB),
            root: work.root,
            leaf_count: work.leaf_count(),
            segments: SEGMENTS,
            sample: SAMPLE,
            validators,
            fee: FEE,
            provider,
            salt: 1,
        }
    }

    /// Has the work of a lease elsewhere checked, and draws.
    pub(crate) async fn opened(&self, validators: u32) -> (Request, B256) {
        let request = self.request(B256::repeat_byte(0x33), Address::ZERO, validators);
        let digest = self.notary.digests().commitment(request.subject, request.root, request.leaf_count);
        let signature = EvmSigner::mint(&OsEntropy).unwrap().sign_digest(&digest.0).unwrap();
        let open = self.notary.calls().open_signed(&request, signature.to_vec(), self.contact());
        self.by_consumer("open", &open).await;
        let id = self.drawn(&request).await;
        (request, id)
    }

    /// The same for a lease of the market.
    pub(crate) async fn opened_on_market(&self, order: &Order, validators: u32) -> (Request, B256) {
        let subject = self.market.digests().lease(order);
        let request = self.request(subject, order.offer.provider(), validators);
        let open = self.notary.calls().open(&request, order, self.contact());
        self.by_consumer("open", &open).await;
        let id = self.drawn(&request).await;
        (request, id)
    }

    async fn drawn(&self, request: &Request) -> B256 {
        for _ in 0..2 {
            self.block().await;
        }
        self.by_consumer("draw", &self.notary.calls().draw(request)).await;
        let id = self.notary.digests().proof(request);
        let seed = self.proof(id).await.seed.unwrap();
        self.plane.drawn(id, seed);
        id
    }

    pub(crate) async fn proof(&self, id: B256) -> Proof {
        self.notary.proof(id).await.unwrap().unwrap()
    }

    /// What a validator said.
    pub(crate) async fn finding(&self, id: B256, validator: Address) -> Option<Finding> {
        let drawn = self.proof(id).await.drawn;
        drawn.iter().find(|drawn: &&Drawn| drawn.validator == validator).unwrap().finding
    }

    /// Ticks all of them until the proof has come so far.
    pub(crate) async fn until(&self, all: &mut [Validator], id: B256, phase: Phase) -> Proof {
        for _ in 0..LOOKS_MAX {
            self.tick(all).await;
            let proof = self.proof(id).await;
            if proof.phase == phase {
                return proof;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("it stays at {:?}", self.proof(id).await)
    }

    /// Ticks all of them until somebody has asked for the states.
    pub(crate) async fn until_asked(&self, all: &mut [Validator]) {
        for _ in 0..LOOKS_MAX {
            self.tick(all).await;
            if !self.plane.askers().is_empty() {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("nobody asks")
    }

    /// Ticks all of them until so many have committed.
    pub(crate) async fn until_said(&self, all: &mut [Validator], id: B256, committed: usize) {
        for _ in 0..LOOKS_MAX {
            self.tick(all).await;
            if self.committed(id).await >= committed {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("they say nothing")
    }

    async fn tick(&self, all: &mut [Validator]) {
        for validator in all.iter_mut() {
            validator.tick(self.now()).await.unwrap();
        }
    }

    /// The consumer, whose turn it is, concludes what was opened elsewhere.
    pub(crate) async fn concluded(&self, request: &Request, id: B256) -> Proof {
        self.by_consumer("conclude", &self.notary.calls().conclude_signed(request)).await;
        self.proof(id).await
    }

    /// Free money and stake of a validator at the notary.
    pub(crate) async fn money(&self, of: Address) -> (u64, u64) {
        let account = self.notary.account(of).await.unwrap();
        (account.balance, account.stake)
    }

    pub(crate) async fn committed(&self, id: B256) -> usize {
        self.proof(id).await.drawn.iter().filter(|drawn| drawn.committed).count()
    }

    pub(crate) fn ran(&self) -> usize {
        self.mill.ran.load(Ordering::SeqCst)
    }
}

pub(crate) fn terms(insurance: Address) -> MarketTerms {
    MarketTerms {
        verifier: Address::ZERO,
        insurance,
        stake_per_unit: 5 * DOLLAR,
        reserve_bps: 10_000,
        unbonding_period: 3_600,
        commit_window: 600,
        verdict_window: 3_600,
        dispute_window: 900,
    }
}

fn notary_terms(insurance: Address) -> NotaryTerms {
    let seconds = |seconds: i64| u32::try_from(seconds).unwrap();
    NotaryTerms {
        insurance,
        stake_per_unit: STAKE,
        stake_per_proof: PER_PROOF,
        min_fee: 1,
        unbonding_period: 3_600,
        draw_delay: 1,
        finding_window: seconds(WINDOW_S),
        reveal_window: seconds(REVEAL_S),
        excuse_window: seconds(EXCUSE_S),
    }
}
