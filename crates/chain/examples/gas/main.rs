//! What each call of the market and of the notary costs, as its receipt shows it: the committed artifacts on the embedded chain, under the
//! conditions of `contracts/test/Gas.t.sol`.
//!
//! `cargo run -p waag-chain --example gas` prints JSON; `cargo xtask gas` makes the table of it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and stops at the first surprise"
)]

mod proof;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use custody::EvmSigner;
use domain::{Clock, Entropy, Millis, Timestamp};
use waag_chain::embedded::{EmbeddedChain, Genesis};
use waag_chain::journal::FileJournal;
use waag_chain::market::{self, Calls, Contact, Market, MarketTerms, OfferId, OfferTerms, Order, TokenCalls};
use waag_chain::notary::{self, Notary, NotaryTerms};
use waag_chain::sender::{Call, IntentKey, Sender, SenderSettings};
use waag_chain::{Address, B256, Bytes, U256};

const CHAIN_ID: u64 = 31_337;
const GWEI: u128 = 1_000_000_000;
const ETHER: u64 = 1_000_000_000_000_000_000;

const NOW: u64 = 1_700_000_000;
const DAY: u64 = 24 * 3_600;
const DOLLAR: u64 = 1_000_000;
const PRICE: u64 = 2_500_001;
const UNITS: u32 = 8;
const SPAN: u32 = 3_600;
const SPEC: &[u8] = br#"{"accelerator":"H100","count":1,"memory_gib":80,"region":"EU"}"#;
const CONTACT: &[u8] = b"https://gateway.example:7443 sha256:7f83b1657ff1fc53b92dc18148a1d65d";
const LEAVES: u32 = 33;

struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct Scalar(u8);

impl Entropy for Scalar {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0);
        if let Some(last) = out.last_mut() {
            *last = self.0;
        }
    }
}

/// A party with a key. Every transaction has a name of its own in the journal.
struct Party {
    signer: EvmSigner,
    sender: Sender,
    sent: Cell<u32>,
    _folder: tempfile::TempDir,
}

impl Party {
    fn new(chain: &EmbeddedChain, scalar: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = EvmSigner::open(&folder.path().join("keys"), "a.key", &Scalar(scalar)).unwrap();
        let journal = Arc::new(FileJournal::open(&folder.path().join("sent.redb")).unwrap());
        let settings = SenderSettings {
            chain_id: CHAIN_ID,
            fee_cap_wei: 1_000 * GWEI,
            tip_wei: GWEI,
            gas_ceiling: 16_000_000,
            wait: Millis(30_000),
            poll: Millis(1),
            replace_after: Millis(60_000),
            confirmations: 0,
        };
        let sender = Sender::new(chain.provider(), Arc::new(signer.clone()), journal, settings);
        Self { signer, sender, sent: Cell::new(0), _folder: folder }
    }

    fn address(&self) -> Address {
        self.signer.address()
    }

    /// Sends, and says what it cost.
    async fn send(&self, call: Call) -> u64 {
        self.sent.set(self.sent.get() + 1);
        let key = IntentKey(self.sent.get().to_string());
        self.sender.send(&key, &call).await.unwrap().gas_used
    }
}

/// A market with a provider that has posted an offer and a consumer that has money, both after one settled lease.
struct Scene {
    clock: Arc<SetClock>,
    chain: EmbeddedChain,
    owner: Party,
    notary: Notary,
    market: Market,
    calls: Calls,
    token: TokenCalls,
    consumer: Party,
    provider: Party,
    agent: Party,
    stranger: Party,
    offer: OfferId,
}

impl Scene {
    async fn new() -> Self {
        let clock = Arc::new(SetClock(AtomicI64::new(NOW.cast_signed() * 1_000)));
        let deployer = tempfile::tempdir().unwrap();
        let deployer = EvmSigner::open(&deployer.path().join("keys"), "a.key", &Scalar(1)).unwrap();
        let wei = U256::from(ETHER) * U256::from(1_000);
        let genesis =
            Genesis { chain_id: CHAIN_ID, deployer: deployer.address(), deployer_wei: wei, seed: [3; 32] };
        let chain = EmbeddedChain::in_memory(&genesis, Arc::<SetClock>::clone(&clock)).unwrap();
        let owner = Party::new(&chain, 1);
        let deployed = notary::deploy(&owner.sender, &notary_terms(), &terms()).await.unwrap();
        let notary = Notary::open(chain.provider(), deployed.notary).await.unwrap();
        let market = Market::open(chain.provider(), deployed.market.market).await.unwrap();
        let [consumer, provider, agent, stranger] =
            [0xC0, 0xF0, 0xA6, 0x57].map(|scalar| Party::new(&chain, scalar));
        let offer = offer_id(&provider, 1);
        let (calls, token) = (market.calls(), market.token_calls());
        let scene = Self {
            clock,
            chain,
            owner,
            notary,
            market,
            calls,
            token,
            consumer,
            provider,
            agent,
            stranger,
            offer,
        };
        for (party, dollars) in [(&scene.consumer, 1_000), (&scene.provider, 1_000), (&scene.stranger, 0)] {
            scene.owner.send(market::give_gas(party.address(), U256::from(ETHER))).await;
            if dollars > 0 {
                scene.owner.send(token.mint(party.address(), dollars * DOLLAR)).await;
                party.send(scene.approve()).await;
                party.send(calls.deposit(dollars * DOLLAR)).await;
            }
        }
        scene.provider.send(calls.stake(500 * DOLLAR)).await;
        scene.provider.send(scene.post_offer(1)).await;
        let order = scene.order(1);
        scene.consumer.send(calls.create_lease(&order, CONTACT.to_vec())).await;
        scene.lease_over(&order).await;
        scene.provider.send(calls.commit(&order, root(), LEAVES)).await;
        scene.consumer.send(calls.settle(&order)).await;
        scene.provider.send(calls.withdraw(DOLLAR, scene.stranger.address())).await;
        scene
    }

    fn now(&self) -> u64 {
        (self.clock.now().0 / 1_000).cast_unsigned()
    }

    fn skip(&self, seconds: u32) {
        self.clock.0.fetch_add(i64::from(seconds) * 1_000, Ordering::SeqCst);
    }

    /// All that the test of the contracts approves: as much as there is.
    fn approve(&self) -> Call {
        let mut call = self.token.approve(self.market.address(), u64::MAX);
        let mut input = call.input.to_vec();
        let amount = input.len() - 32;
        input[amount..].fill(0xff);
        call.input = Bytes::from(input);
        call
    }

    fn post_offer(&self, salt: u8) -> Call {
        let from = self.now();
        let terms = OfferTerms {
            price_per_hour: PRICE,
            units: UNITS,
            available_from: from,
            available_until: from + 30 * DAY,
        };
        self.calls.post_offer(offer_id(&self.provider, salt), &terms, SPEC.to_vec())
    }

    fn order(&self, salt: u64) -> Order {
        Order {
            consumer: self.consumer.address(),
            offer: self.offer,
            job_hash: Contact::hash(b"job"),
            contact_hash: Contact::hash(CONTACT),
            max_price_per_hour: PRICE,
            units: 2,
            span: SPAN,
            accept_by: self.now() + 300,
            salt,
        }
    }

    /// Accepts, and lets the span pass. What acceptance cost.
    async fn lease_over(&self, order: &Order) -> u64 {
        let gas = self.provider.send(self.calls.accept(order)).await;
        self.skip(SPAN);
        gas
    }
}

fn offer_id(provider: &Party, salt: u8) -> OfferId {
    let mut number = [0; 12];
    number[11] = salt;
    OfferId::new(provider.address(), number)
}

fn root() -> B256 {
    Contact::hash(b"root")
}

fn insurance() -> Address {
    Address::left_padding_from(&0x115_u16.to_be_bytes())
}

fn notary_terms() -> NotaryTerms {
    NotaryTerms {
        insurance: insurance(),
        stake_per_unit: 20 * DOLLAR,
        stake_per_proof: 5 * DOLLAR,
        min_fee: 10,
        unbonding_period: 7 * 86_400,
        draw_delay: 2,
        finding_window: 480,
        reveal_window: 240,
        excuse_window: 360,
    }
}

fn terms() -> MarketTerms {
    MarketTerms {
        verifier: Address::ZERO,
        insurance: insurance(),
        stake_per_unit: 10 * DOLLAR,
        reserve_bps: 20_000,
        unbonding_period: 7 * 86_400,
        commit_window: 600,
        verdict_window: 3_600,
        dispute_window: 86_400,
    }
}

/// Key and gas of a call.
type Measured = (&'static str, u64);

async fn whole_lease() -> Vec<Measured> {
    let scene = Scene::new().await;
    let (calls, order) = (scene.calls, scene.order(2));
    let create = scene.consumer.send(calls.create_lease(&order, CONTACT.to_vec())).await;
    let accept = scene.lease_over(&order).await;
    let commit = scene.provider.send(calls.commit(&order, root(), LEAVES)).await;
    let settle = scene.consumer.send(calls.settle(&order)).await;
    let total = create + accept + commit + settle;
    vec![
        ("create", create),
        ("accept", accept),
        ("commit", commit),
        ("settle", settle),
        ("lease_total", total),
    ]
}

async fn by_signature() -> Vec<Measured> {
    let scene = Scene::new().await;
    let (calls, order) = (scene.calls, scene.order(3));
    let id = scene.market.digests().lease(&order);
    let signed = |party: &Party, digest: B256| party.signer.sign_digest(&digest.0).unwrap().to_vec();
    let signature = signed(&scene.consumer, id);
    let create_for = scene.stranger.send(calls.create_lease_for(&order, CONTACT.to_vec(), signature)).await;
    scene.provider.send(calls.accept(&order)).await;
    scene.skip(SPAN / 2);
    let extend = scene.consumer.send(calls.extend(&order, SPAN)).await;
    let end = scene.consumer.send(calls.end(&order)).await;
    let digests = scene.market.digests();
    let delegation = signed(&scene.provider, digests.delegation(id, scene.agent.address()));
    let signature = signed(&scene.agent, digests.commitment(id, root(), LEAVES));
    let commit_signed =
        scene.stranger.send(calls.commit_signed(&order, root(), LEAVES, delegation, signature)).await;
    vec![("create_for", create_for), ("extend", extend), ("end", end), ("commit_signed", commit_signed)]
}

async fn paid_from_allowance() -> Vec<Measured> {
    let scene = Scene::new().await;
    scene.consumer.send(scene.calls.withdraw(990 * DOLLAR, scene.consumer.address())).await;
    let order = Order { span: 10 * SPAN, ..scene.order(4) };
    let create = scene.consumer.send(scene.calls.create_lease(&order, CONTACT.to_vec())).await;
    vec![("create_pulling", create)]
}

async fn money_and_offers() -> Vec<Measured> {
    let scene = Scene::new().await;
    let (calls, stranger) = (scene.calls, scene.stranger.address());
    let part = scene.provider.send(calls.withdraw(DOLLAR, stranger)).await;
    let all = scene.market.account(scene.consumer.address()).await.unwrap().balance;
    let withdraw = scene.consumer.send(calls.withdraw(all, stranger)).await;
    scene.stranger.send(scene.approve()).await;
    scene.stranger.send(calls.deposit(1)).await;
    let deposit = scene.stranger.send(calls.deposit(1)).await;
    scene.provider.send(calls.stake(1)).await;
    let offer_register = scene.provider.send(scene.post_offer(2)).await;
    vec![
        ("withdraw_part", part),
        ("withdraw", withdraw),
        ("deposit", deposit),
        ("offer_register", offer_register),
    ]
}

#[tokio::main]
async fn main() {
    let groups = [
        whole_lease().await,
        by_signature().await,
        paid_from_allowance().await,
        money_and_offers().await,
        proof::proofs().await,
    ];
    let gas: BTreeMap<&str, u64> = groups.into_iter().flatten().collect();
    println!("{}", serde_json::json!(gas));
}
