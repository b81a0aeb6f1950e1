//! A chain with a market on it, its parties, and the network of one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use chain::embedded::{CHAIN_ID, EmbeddedChain, Genesis, TestControl};
use chain::follow::{FollowSettings, Follower};
use chain::journal::FileJournal;
use chain::market::{
    self as contracts, Calls, Contact, Deployed, Lease, Market, MarketEvent, MarketTerms, OfferId,
    OfferTerms, Order, Refusal, Spec, State,
};
use chain::sender::{Call, IntentKey, Mined, Sender, SenderSettings};
use chain::{Address, B256, Bytes, U256};
use custody::{EvmSigner, OsEntropy};
use domain::{Clock, Hardware, Label, LeaseId, Millis, Offer, Timestamp, UsdPerHour};
use market::{Boot, Claim, Commitment, Escrow, Escrowed, Intent, Network, Observation, Terms};
use tempfile::TempDir;
use waag_network::{Parts, WaagNetwork};

pub(crate) const DOLLAR: u64 = 1_000_000;
const START_S: i64 = 1_800_000_000;
/// Seconds that tests buy.
pub(crate) const SPAN_S: u32 = 3_600;
pub(crate) const COMMIT_WINDOW_S: u32 = 600;
pub(crate) const VERDICT_WINDOW_S: u32 = 300;
/// An hour of the offer that tests buy on.
pub(crate) const PRICE: u64 = DOLLAR;
pub(crate) const UNITS: u32 = 64;
const LEAVES: u32 = 9;
/// Ten seconds: nothing takes so long unless something is wrong.
const SENT_LOOKS_MAX: u32 = 5_000;

pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    pub(crate) fn pass(&self, time: Millis) {
        self.0.fetch_add(time.0.cast_signed(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Somebody with a key. What it sends has a name of its own each time.
pub(crate) struct Party {
    pub(crate) signer: EvmSigner,
    pub(crate) sender: Arc<Sender>,
    sent: AtomicUsize,
    _journal: TempDir,
}

impl Party {
    pub(crate) fn new(chain: &EmbeddedChain, signer: EvmSigner) -> Self {
        Self::patient(chain, signer, Millis(10_000))
    }

    fn patient(chain: &EmbeddedChain, signer: EvmSigner, wait: Millis) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = SenderSettings {
            chain_id: CHAIN_ID,
            fee_cap_wei: 500_000_000_000,
            tip_wei: 1_000_000_000,
            gas_ceiling: 8_000_000,
            wait,
            poll: Millis(2),
            replace_after: Millis(60_000),
            confirmations: 0,
        };
        let journal = Arc::new(FileJournal::open(&dir.path().join("sent.redb")).unwrap());
        let sender = Sender::new(chain.provider(), Arc::new(signer.clone()), journal, settings);
        Self { signer, sender: Arc::new(sender), sent: AtomicUsize::new(0), _journal: dir }
    }

    pub(crate) fn address(&self) -> Address {
        self.signer.address()
    }

    pub(crate) async fn send(&self, call: &Call) -> Mined {
        let key = IntentKey(format!("test:{}", self.sent.fetch_add(1, Ordering::SeqCst)));
        self.sender.send(&key, call).await.unwrap()
    }

    /// Sends what the contract refuses: why it does.
    pub(crate) async fn refused(&self, call: &Call) -> Refusal {
        let error = self.sender.send(&IntentKey("test:refused".to_owned()), call).await.unwrap_err();
        Refusal::of(&error).unwrap_or_else(|| panic!("{error:?}"))
    }

    pub(crate) fn sign(&self, digest: B256) -> Vec<u8> {
        self.signer.sign_digest(&digest.0).unwrap().to_vec()
    }
}

/// A transaction as its block has it.
pub(crate) struct Sent {
    pub(crate) hash: B256,
    pub(crate) from: Address,
    pub(crate) input: Bytes,
}

pub(crate) struct Scene {
    pub(crate) chain: EmbeddedChain,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) owner: Party,
    pub(crate) deployed: Deployed,
    pub(crate) market: Market,
    pub(crate) consumer: Party,
    pub(crate) provider: Party,
    pub(crate) verifier: Party,
    pub(crate) stranger: Party,
    pub(crate) network: Arc<WaagNetwork>,
    /// Guards of the heartbeat that are held now.
    pub(crate) beating: Arc<AtomicUsize>,
}

struct Beat(Arc<AtomicUsize>);

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with_patience(Millis(10_000)).await
    }

    /// A scene whose consumer waits so long for a block.
    pub(crate) async fn with_patience(wait: Millis) -> Self {
        let clock = Arc::new(SetClock(AtomicI64::new(START_S * 1000)));
        let owner = EvmSigner::mint(&OsEntropy).unwrap();
        let deployer_wei = U256::from(10_u128.pow(21));
        let genesis = Genesis { chain_id: CHAIN_ID, deployer: owner.address(), deployer_wei, seed: [9; 32] };
        let chain = EmbeddedChain::in_memory(&genesis, Arc::<SetClock>::clone(&clock)).unwrap();
        let owner = Party::new(&chain, owner);
        let party = || EvmSigner::mint(&OsEntropy).unwrap();
        let consumer = Party::patient(&chain, party(), wait);
        let [provider, verifier, stranger] = [(); 3].map(|()| Party::new(&chain, party()));
        let terms = MarketTerms {
            verifier: verifier.address(),
            insurance: Address::repeat_byte(0x11),
            stake_per_unit: DOLLAR,
            reserve_bps: 2_000,
            unbonding_period: 3_600,
            commit_window: COMMIT_WINDOW_S,
            verdict_window: VERDICT_WINDOW_S,
            dispute_window: 900,
        };
        let deployed = contracts::deploy(&owner.sender, &terms).await.unwrap();
        let market = Market::open(chain.provider(), deployed.market).await.unwrap();
        let beating = Arc::default();
        let network = build(&market, deployed.block, &consumer, &clock, &beating);
        let scene = Self {
            chain,
            clock,
            owner,
            deployed,
            market,
            consumer,
            provider,
            verifier,
            stranger,
            network,
            beating,
        };
        scene.fund(&scene.consumer, 1_000, 900).await;
        scene.fund(&scene.provider, 1_000, 500).await;
        scene.fund(&scene.verifier, 0, 0).await;
        scene.fund(&scene.stranger, 0, 0).await;
        scene.provider.send(&scene.calls().stake(300 * DOLLAR)).await;
        scene.post_offer(1, PRICE, UNITS).await;
        scene
    }

    /// Gives gas and test dollars, lets the market pull them, and pays some of them in.
    pub(crate) async fn fund(&self, party: &Party, dollars: u64, paid_in: u64) {
        let (wei, token, to) = (U256::from(10_u128.pow(18)), self.deployed.token, party.address());
        contracts::hand_out(&self.owner.sender, token, to, wei, dollars * DOLLAR, &to.to_string())
            .await
            .unwrap();
        party.send(&self.market.token_calls().approve(self.deployed.market, u64::MAX)).await;
        if paid_in > 0 {
            party.send(&self.calls().deposit(paid_in * DOLLAR)).await;
        }
    }

    pub(crate) fn calls(&self) -> Calls {
        self.market.calls()
    }

    /// The same network as after a start: nothing is kept but on the chain and in the journal.
    pub(crate) fn restart(&mut self) {
        self.network = build(&self.market, self.deployed.block, &self.consumer, &self.clock, &self.beating);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass, on the chain too.
    pub(crate) fn pass(&self, seconds: u32) {
        self.clock.pass(Millis::from_secs(u64::from(seconds)));
        self.mine();
    }

    pub(crate) fn mine(&self) {
        TestControl::of(&self.chain).mine(1).unwrap();
    }

    /* PROVIDER */

    pub(crate) async fn post_offer(&self, number: u8, price: u64, units: u32) -> OfferId {
        let spec = Spec {
            name: "mill-7".parse().unwrap(),
            region: "EU-DE".parse().unwrap(),
            hardware: Hardware { cpus_milli: 2_000, memory_mib: 4_096, disk_mib: 10_000, accelerators: None },
            startup: Millis(2_000),
        };
        self.post(number, price, units, spec.to_bytes().unwrap()).await
    }

    pub(crate) async fn post(&self, number: u8, price: u64, units: u32, spec: Vec<u8>) -> OfferId {
        let id = OfferId::new(self.provider.address(), [number; 12]);
        let from = u64::try_from(self.now().0 / 1000).unwrap();
        let terms = OfferTerms {
            price_per_hour: price,
            units,
            available_from: from,
            available_until: from + 30 * 24 * 3_600,
        };
        self.provider.send(&self.calls().post_offer(id, &terms, spec)).await;
        id
    }

    pub(crate) async fn accept(&self, label: &Label) {
        self.provider.send(&self.calls().accept(&self.order(label).await)).await;
    }

    pub(crate) async fn commit(&self, label: &Label) {
        let call = self.calls().commit(&self.order(label).await, root(), LEAVES);
        self.provider.send(&call).await;
    }

    /// All orders so far, by the chain alone.
    pub(crate) async fn orders(&self) -> Vec<(Label, B256, Order)> {
        let settings = FollowSettings {
            addresses: vec![self.deployed.market],
            signatures: vec![],
            from_block: self.deployed.block,
            blocks_max: 1_000_000,
            events_max: 1_000_000,
            confirmations: 0,
            reorg_depth: 0,
        };
        let page = Follower::new(self.chain.provider(), settings).page(None).await.unwrap();
        let events = self.market.events(&page.events).await.unwrap();
        let orders = events.into_iter().filter_map(|happened| match happened.event {
            MarketEvent::LeaseCreated { lease, order, contact, .. } => {
                let contact = Contact::from_bytes(&contact).ok()?;
                Some((Label::of(contact.lease), lease, order))
            }
            _ => None,
        });
        orders.collect()
    }

    pub(crate) async fn order(&self, label: &Label) -> Order {
        let found = self.orders().await.into_iter().find(|(other, ..)| other == label);
        found.unwrap_or_else(|| panic!("{label} is not on the chain")).2
    }

    pub(crate) async fn on_chain(&self, label: &Label) -> Lease {
        let id = self.market.digests().lease(&self.order(label).await);
        self.market.lease(id).await.unwrap().unwrap()
    }

    /* CONSUMER */

    pub(crate) async fn offer(&self) -> Offer {
        let offers = self.network.offers().await.unwrap();
        offers.into_iter().min_by_key(|offer| (offer.price, offer.id.clone())).unwrap()
    }

    pub(crate) async fn intent(&self, label: &Label) -> Intent {
        let offer = self.offer().await;
        self.network.prepare(&offer, &terms(label, offer.price)).await.unwrap()
    }

    pub(crate) async fn opened(&self, n: u8) -> Label {
        let label = label(n);
        let intent = self.intent(&label).await;
        self.network.submit(&intent).await.unwrap();
        label
    }

    pub(crate) async fn accepted(&self, n: u8) -> Label {
        let label = self.opened(n).await;
        self.accept(&label).await;
        label
    }

    /// Used for `seconds`, then released by the consumer.
    pub(crate) async fn released(&self, n: u8, seconds: u32) -> Label {
        let label = self.accepted(n).await;
        self.pass(seconds);
        let released = self.network.release(&label).await.unwrap();
        assert!(matches!(released, Observation::Ended { .. }), "{released:?}");
        label
    }

    pub(crate) async fn committed(&self, n: u8, seconds: u32) -> Label {
        let label = self.released(n, seconds).await;
        self.commit(&label).await;
        label
    }

    pub(crate) async fn observe(&self, label: &Label) -> Observation {
        Network::observe(&*self.network, label).await.unwrap()
    }

    pub(crate) async fn escrow(&self, label: &Label) -> Escrowed {
        Escrow::observe(&*self.network, label).await.unwrap().unwrap()
    }

    /// The agent's word for the lease's work, as its provider would have it.
    pub(crate) async fn claim(&self, label: &Label) -> Claim {
        let lease = self.market.digests().lease(&self.order(label).await);
        let agent = EvmSigner::mint(&OsEntropy).unwrap();
        let digests = self.market.digests();
        let commitment = Commitment { root: root().0, leaf_count: LEAVES };
        let signature = digests.commitment(lease, root(), LEAVES);
        Claim {
            commitment,
            signature: agent.sign_digest(&signature.0).unwrap().to_vec(),
            delegation: self.provider.sign(digests.delegation(lease, agent.address())),
        }
    }

    /// A live lease of somebody else, under a label as we would give it.
    pub(crate) async fn accepted_by_another(&mut self, n: u8) -> Label {
        let other = Party::new(&self.chain, EvmSigner::mint(&OsEntropy).unwrap());
        self.fund(&other, 10, 10).await;
        let us = std::mem::replace(&mut self.consumer, other);
        self.restart();
        let label = self.accepted(n).await;
        self.consumer = us;
        self.restart();
        label
    }

    /// Everything that was ever sent, oldest first.
    pub(crate) async fn transactions(&self) -> Vec<Sent> {
        let mut sent = Vec::new();
        for number in 0..=self.market.head().await.unwrap().number {
            let request = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["{number:#x}",true]}}"#
            );
            let answer = self.chain.answer(request.as_bytes()).await.unwrap();
            let block: serde_json::Value = serde_json::from_str(&answer).unwrap();
            let read = |tx: &serde_json::Value, key: &str| tx[key].as_str().unwrap().to_owned();
            sent.extend(block["result"]["transactions"].as_array().unwrap().iter().map(|tx| Sent {
                hash: read(tx, "hash").parse().unwrap(),
                from: read(tx, "from").parse().unwrap(),
                input: read(tx, "input").parse().unwrap(),
            }));
        }
        sent
    }

    /// Waits until something of this party is on its way into a block.
    pub(crate) async fn sent_by(&self, party: &Party) {
        let count = async |block: &str| {
            let address = party.address();
            let request = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["{address}","{block}"]}}"#
            );
            self.chain.answer(request.as_bytes()).await.unwrap()
        };
        for _ in 0..SENT_LOOKS_MAX {
            if count("pending").await != count("latest").await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{} has sent nothing", party.address());
    }

    pub(crate) async fn balance_of(&self, party: &Party) -> u64 {
        self.market.account(party.address()).await.unwrap().balance
    }

    pub(crate) async fn state(&self, label: &Label) -> State {
        self.on_chain(label).await.state
    }
}

fn build(
    market: &Market,
    from_block: u64,
    consumer: &Party,
    clock: &Arc<SetClock>,
    beating: &Arc<AtomicUsize>,
) -> Arc<WaagNetwork> {
    let beating = Arc::clone(beating);
    Arc::new(WaagNetwork::new(Parts {
        name: "waag".parse().unwrap(),
        market: market.clone(),
        notary: None,
        from_block,
        confirmations: 0,
        sender: Arc::clone(&consumer.sender),
        signer: consumer.signer.clone(),
        clock: Arc::<SetClock>::clone(clock),
        simulated: true,
        heartbeat: Box::new(move || {
            beating.fetch_add(1, Ordering::SeqCst);
            Box::new(Beat(Arc::clone(&beating)))
        }),
    }))
}

pub(crate) fn root() -> B256 {
    B256::repeat_byte(5)
}

pub(crate) fn label(n: u8) -> Label {
    Label::of(LeaseId::from_bytes([n; 10]))
}

pub(crate) const TOKEN: &str = "73656372657473";

pub(crate) fn boot() -> Boot {
    let execution = domain::ExecutionId::from_bytes([2; 10]);
    let pin = "7f".repeat(32);
    let document = format!(
        r#"{{"protocol":1,"url":"https://127.0.0.1:7443/conformance","pin":"{pin}","execution":"{execution}",
           "credential":{{"kind":"token","token":"{TOKEN}"}}}}"#
    );
    Boot::new(document.into_bytes())
}

pub(crate) fn terms(label: &Label, ceiling: UsdPerHour) -> Terms {
    let span = Millis::from_secs(u64::from(SPAN_S));
    Terms { label: label.clone(), span, ceiling, job: [7; 32], boot: boot() }
}

/// What so many seconds of the offer cost.
pub(crate) fn price(seconds: u32) -> u64 {
    contracts::charge(PRICE, seconds).unwrap()
}
