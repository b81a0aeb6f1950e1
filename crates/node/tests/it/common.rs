//! A chain with a market on it, a consumer, and a provider's folder.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chain::embedded::{CHAIN_ID, EmbeddedChain, Genesis};
use chain::journal::FileJournal;
use chain::market::{Contact, Deployed, Lease, Market, MarketTerms, OfferId, Order, State, deploy, hand_out};
use chain::sender::{Call, IntentKey, Sender, SenderSettings};
use chain::{Address, B256, U256};
use custody::{EvmSigner, OsEntropy};
use domain::{Clock, ExecutionId, Label, LeaseId, Millis, Timestamp};
use market::{Machine, MemoryMachine};
use node::provider::{self, Folder, Given, Parts, Provider, ProviderError, Tick};
use tempfile::TempDir;
use wire::agent::{BootDoc, Commitment, Credential, bytes_of, hex_of};

pub(crate) const DOLLAR: u64 = 1_000_000;
const START_S: i64 = 1_800_000_000;
/// A provider that has not come to rest by then never will.
const TICKS_MAX: usize = 50;

pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    pub(crate) fn at_start() -> Self {
        Self(AtomicI64::new(START_S * 1000))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Scene {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) url: String,
    pub(crate) owner: Sender,
    pub(crate) deployed: Deployed,
    pub(crate) market: Market,
    pub(crate) consumer: Sender,
    pub(crate) machine: Arc<MemoryMachine>,
}

pub(crate) fn sender(chain: &EmbeddedChain, signer: &EvmSigner, file: &Path) -> Sender {
    let settings = SenderSettings {
        chain_id: chain.chain_id(),
        fee_cap_wei: 500_000_000_000,
        tip_wei: 1_000_000_000,
        gas_ceiling: 8_000_000,
        wait: Millis(10_000),
        poll: Millis(5),
        replace_after: Millis(60_000),
        confirmations: 0,
    };
    let journal = Arc::new(FileJournal::open(file).unwrap());
    Sender::new(chain.provider(), Arc::new(signer.clone()), journal, settings)
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::on_chain(CHAIN_ID).await
    }

    pub(crate) async fn on_chain(chain_id: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock::at_start());
        let owner = EvmSigner::mint(&OsEntropy).unwrap();
        let deployer_wei = U256::from(10_u128.pow(21));
        let genesis = Genesis { chain_id, deployer: owner.address(), deployer_wei, seed: [9; 32] };
        let chain = EmbeddedChain::in_memory(&genesis, Arc::<SetClock>::clone(&clock)).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = chain.http_router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let owner = sender(&chain, &owner, &dir.path().join("owner.redb"));
        let terms = MarketTerms {
            verifier: Address::ZERO,
            insurance: Address::repeat_byte(0x11),
            stake_per_unit: 5 * DOLLAR,
            reserve_bps: 2_000,
            unbonding_period: 3_600,
            commit_window: 600,
            verdict_window: 300,
            dispute_window: 900,
        };
        let deployed = deploy(&owner, &terms).await.unwrap();
        let market = Market::open(chain.provider(), deployed.market).await.unwrap();
        let consumer = EvmSigner::mint(&OsEntropy).unwrap();
        let consumer = sender(&chain, &consumer, &dir.path().join("consumer.redb"));
        let machine = Arc::default();
        let scene = Self { dir, clock, url, owner, deployed, market, consumer, machine };
        scene.fund(scene.consumer.address(), 1_000).await;
        let approve = scene.market.token_calls().approve(deployed.market, u64::MAX);
        scene.by_consumer("approve", &approve).await;
        scene
    }

    pub(crate) async fn fund(&self, to: Address, dollars: u64) {
        let (wei, token) = (U256::from(10_u128.pow(18)), self.deployed.token);
        let key = format!("{to}:{dollars}");
        hand_out(&self.owner, token, to, wei, dollars * DOLLAR, &key).await.unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn folder(&self) -> Folder {
        Folder::at(&self.dir.path().join("provider"))
    }

    pub(crate) fn given(&self, changes: &[(&str, &str)]) -> Given {
        let market = self.deployed.market.to_string();
        let mut given: Given =
            [("rpc_url", self.url.as_str()), ("market", &market), ("poll", "1s"), ("span_max", "1h")]
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
        given.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        given
    }

    /// Makes the provider's folder, and gives it money.
    pub(crate) async fn init(&self, changes: &[(&str, &str)]) -> Address {
        let address = provider::init(self.folder().path(), &self.given(changes), &OsEntropy).unwrap();
        self.fund(address, 100).await;
        address
    }

    /// Other settings in the same folder.
    pub(crate) fn reconfigure(&self, changes: &[(&str, &str)]) {
        let text = provider::Config::file(&self.given(changes));
        std::fs::write(self.folder().config(), text).unwrap();
    }

    pub(crate) fn parts(&self) -> Parts {
        Parts {
            folder: self.folder(),
            machine: Arc::<MemoryMachine>::clone(&self.machine) as Arc<dyn Machine>,
            entropy: Arc::new(OsEntropy),
            proc: "/proc".into(),
            fault: None,
        }
    }

    pub(crate) async fn open(&self) -> Provider {
        Provider::open(self.parts()).await.unwrap()
    }

    /// Ticks until nothing more is due now.
    pub(crate) async fn rest(&self, provider: &mut Provider) -> Tick {
        for _ in 0..TICKS_MAX {
            let tick = provider.tick(self.now()).await.unwrap();
            if tick.next_due > self.now() || tick.dies {
                return tick;
            }
        }
        panic!("the provider does not come to rest")
    }

    /// A provider at rest, with its offer.
    pub(crate) async fn provider(&self, changes: &[(&str, &str)]) -> (Provider, OfferId) {
        let address = self.init(changes).await;
        let mut provider = self.open().await;
        self.rest(&mut provider).await;
        (provider, OfferId::new(address, [0; 12]))
    }

    pub(crate) async fn by_consumer(&self, key: &str, call: &Call) {
        self.consumer.send(&IntentKey(key.to_owned()), call).await.unwrap();
    }

    pub(crate) fn order(&self, offer: OfferId, number: u8) -> (Order, Vec<u8>) {
        let contact = Contact {
            lease: LeaseId::from_bytes([number; 10]),
            execution: ExecutionId::from_bytes([number; 10]),
            pin: [3; 32],
            url: "https://127.0.0.1:7443".to_owned(),
        };
        let contact = contact.to_bytes().unwrap();
        let order = Order {
            consumer: self.consumer.address(),
            offer,
            job_hash: B256::ZERO,
            contact_hash: Contact::hash(&contact),
            max_price_per_hour: DOLLAR,
            units: 1,
            span: 1_800,
            accept_by: u64::try_from(self.now().0 / 1000).unwrap() + 600,
            salt: u64::from(number),
        };
        (order, contact)
    }

    /// The consumer orders; nobody has accepted yet.
    pub(crate) async fn create(&self, offer: OfferId, number: u8) -> Order {
        let (order, contact) = self.order(offer, number);
        self.create_with(&order, contact).await;
        order
    }

    pub(crate) async fn create_with(&self, order: &Order, contact: Vec<u8>) {
        let key = format!("create:{}", self.id(order));
        self.by_consumer(&key, &self.market.calls().create_lease(order, contact)).await;
    }

    pub(crate) fn id(&self, order: &Order) -> B256 {
        self.market.digests().lease(order)
    }

    pub(crate) async fn lease(&self, order: &Order) -> Lease {
        self.market.lease(self.id(order)).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, order: &Order) -> State {
        self.lease(order).await.state
    }

    /// The one agent that lives.
    pub(crate) fn agent(&self) -> (Label, BootDoc) {
        let mut alive = self.machine.alive();
        assert_eq!(alive.len(), 1);
        let (label, boot) = alive.remove(0);
        (label, serde_json::from_slice(boot.expose()).unwrap())
    }

    /// The agent leaves a signed root as agents do.
    pub(crate) fn agent_commits(&self, label: &Label, boot: &BootDoc, root: B256, leaf_count: u32) {
        let Credential::Delegated { lease, agent_key, .. } = &boot.credential else { panic!("no delegate") };
        let lease = B256::from(bytes_of::<32>(lease).unwrap());
        let digest = self.market.digests().commitment(lease, root, leaf_count);
        let signature = EvmSigner::from_hex(agent_key).unwrap().sign_digest(&digest.0).unwrap();
        let said = Commitment {
            root: hex_of(&root.0),
            leaf_count,
            signature: hex_of(&signature),
            digest: hex_of(&[0; 32]),
            outputs: false,
        };
        self.leave(label, &serde_json::to_vec(&said).unwrap());
    }

    pub(crate) fn leave(&self, label: &Label, commitment: &[u8]) {
        let folder = self.folder().machines().join(label.as_str());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(wire::agent::COMMITMENT_FILE), commitment).unwrap();
    }

    pub(crate) async fn refused(&self, parts: Parts) -> ProviderError {
        Provider::open(parts).await.err().unwrap()
    }
}
