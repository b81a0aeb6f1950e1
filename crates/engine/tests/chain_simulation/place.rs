//! One chain in memory with a market on it, whose clock is the simulation's and whose blocks are made by transactions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chain::embedded::{CHAIN_ID, EmbeddedChain, Genesis, TestControl};
use chain::market::{Deployed, Market, MarketTerms, deploy, hand_out};
use chain::sender::{Call, IntentKey, Journal, JournalError, Sender, SenderSettings};
use chain::{Address, Bytes, DynProvider, U256};
use custody::EvmSigner;
use domain::{Millis, Probe};
use waag_network::Heartbeat;

use crate::chance::{Dice, SeededEntropy};
use crate::gate::Gate;
use crate::stand::{SimTime, lock};

pub(crate) const DOLLAR: u64 = 1_000_000;
/// What the consumer pays into the market, and into its ledger.
pub(crate) const FUND: u64 = 50 * DOLLAR;
/// What each provider begins with.
pub(crate) const PROVIDER_FUND: u64 = 100 * DOLLAR;
/// Seconds of the contract's windows.
pub(crate) const WINDOW: u32 = 300;

/// Signed transactions, kept as a disk would keep them.
#[derive(Default)]
pub(crate) struct MemoryJournal(Mutex<BTreeMap<String, Vec<Bytes>>>);

#[async_trait]
impl Journal for MemoryJournal {
    async fn add(&self, key: &IntentKey, raw: &Bytes) -> Result<(), JournalError> {
        lock(&self.0).entry(key.0.clone()).or_default().push(raw.clone());
        Ok(())
    }

    async fn versions(&self, key: &IntentKey) -> Result<Vec<Bytes>, JournalError> {
        Ok(lock(&self.0).get(&key.0).cloned().unwrap_or_default())
    }

    async fn newest(&self) -> Result<Vec<Bytes>, JournalError> {
        Ok(lock(&self.0).values().filter_map(|versions| versions.last().cloned()).collect())
    }

    async fn remove(&self, key: &IntentKey) -> Result<(), JournalError> {
        lock(&self.0).remove(&key.0);
        Ok(())
    }
}

/// While empty blocks are wanted, one is made when at least so much time has passed, in milliseconds.
const BEAT: i64 = 5_000;

/// While this lives, somebody wants blocks to be made though nothing happens.
struct Wanted(Arc<AtomicUsize>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Where everybody meets.
pub(crate) struct Place {
    pub(crate) chain: EmbeddedChain,
    pub(crate) deployed: Deployed,
    /// The market as nobody can cut it off, for those who look whether the rules are kept.
    pub(crate) market: Market,
    /// The consumer's way, and the market at its end.
    pub(crate) gate: Arc<Gate>,
    pub(crate) consumers: Market,
    pub(crate) consumer: EvmSigner,
    journal: Arc<MemoryJournal>,
    owner: Sender,
    wanted: Arc<AtomicUsize>,
    empty_blocks: u64,
    beat_at: i64,
    /// Somebody who is no party to anything.
    stranger: Sender,
}

fn sender(provider: DynProvider, signer: &EvmSigner, journal: Arc<dyn Journal>) -> Sender {
    let settings = SenderSettings {
        chain_id: CHAIN_ID,
        fee_cap_wei: 1_000_000_000_000,
        tip_wei: 0,
        gas_ceiling: 10_000_000,
        // A block is there before its transactions are answered, so one look is enough.
        wait: Millis::ZERO,
        poll: Millis(1),
        replace_after: Millis(60_000),
        confirmations: 0,
    };
    Sender::new(provider, Arc::new(signer.clone()), journal, settings)
}

impl Place {
    pub(crate) async fn new(seed: u64, lossy: u64, time: &Arc<SimTime>) -> Self {
        let entropy = SeededEntropy::new(Dice::of(seed, "place"));
        let mint = || EvmSigner::mint(&entropy).unwrap();
        let (owner, consumer, stranger) = (mint(), mint(), mint());
        let deployer_wei = U256::from(10_u128.pow(27));
        let genesis = Genesis { chain_id: CHAIN_ID, deployer: owner.address(), deployer_wei, seed: [7; 32] };
        let chain = EmbeddedChain::in_memory(&genesis, time.clone()).unwrap();
        let kept = || Arc::new(MemoryJournal::default());
        let owner = sender(chain.provider(), &owner, kept());
        let terms = MarketTerms {
            verifier: Address::ZERO,
            insurance: Address::repeat_byte(0x11),
            stake_per_unit: DOLLAR,
            reserve_bps: 10_000,
            unbonding_period: 3_600,
            commit_window: WINDOW,
            verdict_window: WINDOW,
            dispute_window: WINDOW,
        };
        let deployed = deploy(&owner, &terms).await.unwrap();
        let market = Market::open(chain.provider(), deployed.market).await.unwrap();
        let gate = Gate::open(&chain, lossy, Dice::of(seed, "consumer's way")).await;
        let consumers =
            Market::open(chain::remote::connect(&gate.url).unwrap(), deployed.market).await.unwrap();
        let stranger = sender(chain.provider(), &stranger, kept());
        let (journal, wanted, empty_blocks, beat_at) = (kept(), Arc::default(), 0, 0);
        let place = Self {
            chain,
            deployed,
            market,
            gate,
            consumers,
            consumer,
            journal,
            owner,
            wanted,
            empty_blocks,
            beat_at,
            stranger,
        };
        place.fund(place.consumer.address(), FUND).await;
        place.fund(place.stranger.address(), 0).await;
        let paying = sender(place.chain.provider(), &place.consumer, kept());
        let calls =
            [place.market.token_calls().approve(deployed.market, FUND), place.market.calls().deposit(FUND)];
        for (n, call) in calls.iter().enumerate() {
            paying.send(&IntentKey(n.to_string()), call).await.unwrap();
        }
        place
    }

    /// Gas and dollars.
    pub(crate) async fn fund(&self, to: Address, micros: u64) {
        let (token, wei) = (self.deployed.token, U256::from(10_u128.pow(21)));
        hand_out(&self.owner, token, to, wei, micros, &to.to_string()).await.unwrap();
    }

    pub(crate) fn consumer(&self) -> Address {
        self.consumer.address()
    }

    /// The consumer's sender, as a control plane that starts makes it.
    pub(crate) fn sender(&self, probe: Arc<dyn Probe>) -> Sender {
        let journal: Arc<dyn Journal> = self.journal.clone();
        sender(self.consumers.provider().clone(), &self.consumer, journal).with_probe(probe)
    }

    /// The stranger sends; it may be refused.
    pub(crate) async fn by_stranger(&self, key: String, call: &Call) -> bool {
        self.stranger.send(&IntentKey(key), call).await.is_ok()
    }

    /// What a control plane asks for blocks with.
    pub(crate) fn heartbeat(&self) -> Box<dyn Fn() -> Heartbeat + Send + Sync> {
        let wanted = Arc::clone(&self.wanted);
        Box::new(move || {
            wanted.fetch_add(1, SeqCst);
            Box::new(Wanted(Arc::clone(&wanted)))
        })
    }

    /// Makes an empty block where one is wanted and time has passed, as the chain's own thread does by real time.
    pub(crate) fn beat(&mut self, now: i64) {
        if self.wanted.load(SeqCst) > 0 && now >= self.beat_at {
            TestControl::of(&self.chain).mine(1).unwrap();
            self.empty_blocks += 1;
            self.beat_at = now + BEAT;
        }
    }

    /// How many blocks there are in which something happened.
    pub(crate) async fn head(&self) -> u64 {
        self.market.head().await.unwrap().number - self.empty_blocks
    }
}
