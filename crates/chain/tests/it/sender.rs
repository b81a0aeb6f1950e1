//! The sender: whatever is lost, stuck or taken back, an intent happens at most once, and in the end once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alloy::consensus::TxEip1559;
use alloy::primitives::{Address, Bytes, TxKind, U256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::{SolCall, SolError};
use domain::Millis;
use domain::RetryStatus;
use futures::future::join_all;
use waag_chain::embedded::{EmbeddedChain, TestControl};
use waag_chain::sender::{Call, IntentKey, Journal, SendError, Sender, SenderSettings};

use crate::common::{Anvil, CHAIN_ID, GWEI, Hand, Probe, WAIT_MAX, embedded, probe_code};
use crate::faults::{Fault, Line, MemoryJournal};

/// A chain with the contract on it, a line to it, and a journal.
struct Scene {
    chain: EmbeddedChain,
    line: Line,
    journal: Arc<MemoryJournal>,
    hand: Hand,
    probe: Address,
}

fn settings() -> SenderSettings {
    SenderSettings {
        chain_id: CHAIN_ID,
        fee_cap_wei: 500 * GWEI,
        tip_wei: GWEI,
        gas_ceiling: 2_000_000,
        wait: Millis(10_000),
        poll: Millis(5),
        replace_after: Millis(60_000),
        confirmations: 0,
    }
}

fn key(name: &str) -> IntentKey {
    IntentKey(name.to_owned())
}

async fn steps_of(provider: &DynProvider, probe: Address, who: Address) -> u64 {
    let request = TransactionRequest::default().to(probe).input(Probe::stepsCall { who }.abi_encode().into());
    U256::from_be_slice(&provider.call(request).await.unwrap()).to()
}

fn add(probe: Address) -> Call {
    Call::contract(probe, Probe::addCall { step: U256::from(1) }.abi_encode())
}

impl Scene {
    async fn new() -> Self {
        let chain = embedded();
        let line = Line::to(&chain);
        let hand = Hand::new(chain.provider());
        let deployed = hand.mined(hand.tx(0, TxKind::Create, probe_code(0))).await;
        let probe = deployed.contract_address.unwrap();
        Self { chain, line, journal: Arc::default(), hand, probe }
    }

    /// A sender as after a start of the process: the journal is all that it knows.
    fn sender(&self, settings: SenderSettings) -> Sender {
        let signer = Arc::new(self.hand.signer.clone());
        Sender::new(self.line.provider(), signer, Arc::<MemoryJournal>::clone(&self.journal), settings)
    }

    /// A sender that gives up waiting soon.
    fn hasty(&self) -> Sender {
        self.sender(SenderSettings { wait: Millis(30), ..settings() })
    }

    async fn steps(&self) -> u64 {
        steps_of(&self.hand.provider, self.probe, self.hand.address()).await
    }

    async fn nonce(&self) -> u64 {
        self.hand.provider.get_transaction_count(self.hand.address()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn intent_sent_again_is_the_same_transaction() {
    let scene = Scene::new().await;
    let first = scene.sender(settings()).send(&key("a"), &add(scene.probe)).await.unwrap();
    let again = scene.sender(settings()).send(&key("a"), &add(scene.probe)).await.unwrap();
    assert_eq!(first.hash, again.hash);
    assert_eq!((scene.steps().await, scene.nonce().await), (1, 2));
    assert_eq!(first.fee_wei, U256::from(first.gas_used) * U256::from(first.receipt.effective_gas_price));
    let other = scene.sender(settings()).send(&key("b"), &add(scene.probe)).await.unwrap();
    assert_ne!(other.hash, first.hash);
    assert_eq!(scene.steps().await, 2);
}

/// Dies at one point, the first time.
struct DiesAt(&'static str, std::sync::atomic::AtomicBool);

impl domain::Probe for DiesAt {
    fn reached(&self, point: &'static str) -> Result<(), domain::Interrupted> {
        let dies = point == self.0 && !self.1.swap(true, std::sync::atomic::Ordering::SeqCst);
        if dies { Err(domain::Interrupted { point }) } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sender_that_dies_at_any_point_sends_once() {
    for point in waag_chain::sender::POINTS {
        let scene = Scene::new().await;
        let probe = Arc::new(DiesAt(point, Default::default()));
        let died = scene.sender(settings()).with_probe(probe.clone());
        let error = died.send(&key("a"), &add(scene.probe)).await.unwrap_err();
        assert!(matches!(error, SendError::Interrupted(_)), "{point}: {error:?}");
        assert_eq!(error.status(), RetryStatus::UnknownOutcome);
        assert!(
            *point != "transaction.stored" || scene.nonce().await == 1,
            "nothing is sent before it is stored"
        );
        scene.sender(settings()).send(&key("a"), &add(scene.probe)).await.unwrap();
        assert_eq!((scene.steps().await, scene.nonce().await), (1, 2), "{point}");
    }
}

// Killed between storing and sending, or sent into a line that was cut: the same to a sender that starts again.
#[tokio::test(flavor = "multi_thread")]
async fn intent_signed_but_not_sent_is_sent_later_once() {
    let scene = Scene::new().await;
    scene.line.set(Fault::SendLost);
    let lost = scene.hasty().send(&key("a"), &add(scene.probe)).await.unwrap_err();
    assert!(matches!(lost, SendError::Pending { .. }), "{lost:?}");
    assert_eq!(lost.status(), RetryStatus::UnknownOutcome);
    assert_eq!(scene.steps().await, 0);
    scene.line.set(Fault::None);
    scene.sender(settings()).send(&key("a"), &add(scene.probe)).await.unwrap();
    assert_eq!((scene.steps().await, scene.nonce().await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_lost_after_sending_does_not_send_twice() {
    let scene = Scene::new().await;
    scene.line.set(Fault::AnswerLost);
    let mined = scene.sender(settings()).send(&key("a"), &add(scene.probe)).await.unwrap();
    assert_eq!(scene.sender(settings()).send(&key("a"), &add(scene.probe)).await.unwrap().hash, mined.hash);
    assert_eq!((scene.steps().await, scene.nonce().await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn chain_out_of_reach_leaves_nothing_signed_and_then_goes_on() {
    let scene = Scene::new().await;
    scene.line.set(Fault::CutOff);
    let refused = scene.sender(settings()).send(&key("a"), &add(scene.probe)).await.unwrap_err();
    assert!(matches!(refused, SendError::Unreachable(_)), "{refused:?}");
    assert_eq!(refused.status(), RetryStatus::Temporary);
    assert!(scene.journal.versions(&key("a")).await.unwrap().is_empty());
    // Cut off while the sender waits: it goes on when the line is back.
    scene.line.set(Fault::SendLost);
    let patient = scene.sender(SenderSettings { replace_after: Millis(20), ..settings() });
    let (probe, line) = (scene.probe, scene.line.clone());
    let sent = tokio::spawn(async move { patient.send(&key("a"), &add(probe)).await });
    until(async || !scene.journal.versions(&key("a")).await.unwrap().is_empty()).await;
    line.set(Fault::CutOff);
    until(async || line.provider().get_chain_id().await.is_err()).await;
    line.set(Fault::None);
    sent.await.unwrap().unwrap();
    assert_eq!(scene.steps().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn call_that_reverts_is_permanent_and_signs_nothing() {
    let scene = Scene::new().await;
    let large = Call::contract(scene.probe, Probe::addCall { step: U256::from(101) }.abi_encode());
    let refused = scene.sender(settings()).send(&key("a"), &large).await.unwrap_err();
    assert_eq!(refused.status(), RetryStatus::Permanent);
    let SendError::Reverted { data, hash: None, .. } = refused else { panic!("{refused:?}") };
    let error = Probe::TooLarge::abi_decode(&data).unwrap();
    assert_eq!((error.given, error.max), (U256::from(101), U256::from(100)));
    assert_eq!(scene.nonce().await, 1);
    let burning = Call::contract(scene.probe, Probe::failWithInvalidCall {}.abi_encode());
    let refused = scene.sender(settings()).send(&key("b"), &burning).await.unwrap_err();
    assert!(matches!(refused, SendError::Reverted { .. }), "{refused:?}");
    // The same sender goes on at once: a failed estimate has not eaten a nonce.
    scene.sender(settings()).send(&key("c"), &add(scene.probe)).await.unwrap();
    assert_eq!(scene.nonce().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_of_the_configuration_hold() {
    let scene = Scene::new().await;
    let tight = scene.sender(SenderSettings { gas_ceiling: 30_000, ..settings() });
    let refused = tight.send(&key("a"), &add(scene.probe)).await.unwrap_err();
    assert!(matches!(refused, SendError::GasCeiling { needed: 30_001.., ceiling: 30_000 }), "{refused:?}");
    let cheap = scene.sender(SenderSettings { fee_cap_wei: GWEI, ..settings() });
    let refused = cheap.send(&key("a"), &add(scene.probe)).await.unwrap_err();
    assert!(matches!(refused, SendError::FeeCap { cap_wei: GWEI, .. }), "{refused:?}");
    assert_eq!(refused.status(), RetryStatus::Temporary);
    let poor = Call { to: Address::ZERO.into(), input: Bytes::new(), value: U256::from(1u128 << 100) };
    let refused = scene.sender(settings()).send(&key("a"), &poor).await.unwrap_err();
    assert!(matches!(refused, SendError::NoFunds), "{refused:?}");
    assert_eq!(scene.nonce().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stuck_transaction_is_replaced_and_happens_once() {
    let scene = Scene::new().await;
    TestControl::of(&scene.chain).pause();
    let sender = scene.sender(SenderSettings { replace_after: Millis(15), ..settings() });
    let probe = scene.probe;
    let sent = tokio::spawn(async move { sender.send(&key("a"), &add(probe)).await });
    until(async || scene.journal.versions(&key("a")).await.unwrap().len() >= 3).await;
    TestControl::of(&scene.chain).resume();
    let mined = sent.await.unwrap().unwrap();
    let versions = scene.journal.versions(&key("a")).await.unwrap();
    let found = scene.hand.provider.get_transaction_by_hash(mined.hash).await.unwrap().unwrap();
    assert!(versions.len() >= 3 && found.block_number.is_some());
    assert_eq!((scene.steps().await, scene.nonce().await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn replacement_stops_at_the_fee_cap() {
    let scene = Scene::new().await;
    TestControl::of(&scene.chain).pause();
    let low =
        SenderSettings { fee_cap_wei: 4 * GWEI, replace_after: Millis(5), wait: Millis(200), ..settings() };
    let waiting = scene.sender(low).send(&key("a"), &add(scene.probe)).await.unwrap_err();
    assert_eq!(waiting.status(), RetryStatus::UnknownOutcome);
    for raw in scene.journal.versions(&key("a")).await.unwrap() {
        let tx = decode(&raw);
        assert!(tx.max_fee_per_gas <= 4 * GWEI, "{}", tx.max_fee_per_gas);
    }
    TestControl::of(&scene.chain).resume();
    scene.sender(settings()).send(&key("a"), &add(scene.probe)).await.unwrap();
    assert_eq!(scene.steps().await, 1);
}

fn decode(raw: &Bytes) -> TxEip1559 {
    use alloy::consensus::TxEnvelope;
    use alloy::eips::eip2718::Decodable2718;
    match TxEnvelope::decode_2718(&mut raw.as_ref()).unwrap() {
        TxEnvelope::Eip1559(signed) => signed.tx().clone(),
        other => panic!("{other:?}"),
    }
}

// The first of two intents never reached the chain: the second one brings it along, or both would wait for ever.
#[tokio::test(flavor = "multi_thread")]
async fn nonce_gap_is_filled_by_the_next_intent() {
    let scene = Scene::new().await;
    scene.line.set(Fault::SendLost);
    scene.hasty().send(&key("a"), &add(scene.probe)).await.unwrap_err();
    scene.hasty().send(&key("b"), &add(scene.probe)).await.unwrap_err();
    scene.line.set(Fault::None);
    scene.sender(settings()).send(&key("c"), &add(scene.probe)).await.unwrap();
    assert_eq!((scene.steps().await, scene.nonce().await), (3, 4));
    for name in ["a", "b"] {
        scene.sender(settings()).send(&key(name), &add(scene.probe)).await.unwrap();
    }
    assert_eq!(scene.steps().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonce_taken_by_another_transaction_gives_the_intent_a_new_one() {
    let scene = Scene::new().await;
    scene.line.set(Fault::SendLost);
    scene.hasty().send(&key("a"), &add(scene.probe)).await.unwrap_err();
    scene.line.set(Fault::None);
    scene.hand.mined(scene.hand.tx(1, Address::ZERO.into(), Bytes::new())).await;
    scene.sender(settings()).send(&key("a"), &add(scene.probe)).await.unwrap();
    assert_eq!((scene.steps().await, scene.nonce().await), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn intents_sent_together_all_happen() {
    let scene = Scene::new().await;
    let sender = scene.sender(settings());
    let intents: Vec<IntentKey> = (0..32).map(|index| key(&index.to_string())).collect();
    let call = add(scene.probe);
    let mined = join_all(intents.iter().map(|intent| sender.send(intent, &call))).await;
    let mut hashes: Vec<_> = mined.into_iter().map(|mined| mined.unwrap().hash).collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!((hashes.len(), scene.steps().await), (32, 32));
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_that_fails_in_its_block_is_permanent() {
    let scene = Scene::new().await;
    let once = Call::contract(scene.probe, Probe::onceCall {}.abi_encode());
    TestControl::of(&scene.chain).pause();
    // Both pass the simulation, since neither is in a block yet.
    scene.hasty().send(&key("a"), &once).await.unwrap_err();
    scene.hasty().send(&key("b"), &once).await.unwrap_err();
    TestControl::of(&scene.chain).resume();
    scene.sender(settings()).send(&key("a"), &once).await.unwrap();
    let failed = scene.sender(settings()).send(&key("b"), &once).await.unwrap_err();
    assert!(matches!(failed, SendError::Reverted { hash: Some(_), .. }), "{failed:?}");
    assert_eq!(failed.status(), RetryStatus::Permanent);
}

#[tokio::test(flavor = "multi_thread")]
async fn forgotten_intent_may_happen_anew() {
    let scene = Scene::new().await;
    let sender = scene.sender(settings());
    sender.send(&key("a"), &add(scene.probe)).await.unwrap();
    sender.forget(&key("a")).await.unwrap();
    sender.send(&key("a"), &add(scene.probe)).await.unwrap();
    assert_eq!(scene.steps().await, 2);
}

// A block with the transaction is taken back three deep before the transaction counts as done.
#[tokio::test(flavor = "multi_thread")]
async fn reorganization_of_depth_three_brings_the_transaction_back_once() {
    let anvil = Anvil::start(&[]);
    let hand = Hand::new(anvil.provider());
    let deployed = hand.mined(hand.tx(0, TxKind::Create, probe_code(0))).await;
    let (probe, provider) = (deployed.contract_address.unwrap(), anvil.provider());
    let mine = async |count: u64| {
        let _: serde_json::Value = provider.raw_request("anvil_mine".into(), (count,)).await.unwrap();
    };
    mine(5).await;
    let journal = Arc::<MemoryJournal>::default();
    let deep =
        SenderSettings { confirmations: 4, replace_after: Millis(50), wait: Millis(20_000), ..settings() };
    let sender = Sender::new(anvil.provider(), Arc::new(hand.signer.clone()), journal, deep);
    let sent = tokio::spawn(async move { sender.send(&key("a"), &add(probe)).await });
    until(async || steps_of(&provider, probe, hand.address()).await == 1).await;
    mine(2).await;
    let _: serde_json::Value =
        provider.raw_request("anvil_reorg".into(), (3u64, Vec::<u8>::new())).await.unwrap();
    assert_eq!(steps_of(&provider, probe, hand.address()).await, 0, "the reorganization took it away");
    until(async || steps_of(&provider, probe, hand.address()).await == 1).await;
    mine(4).await;
    let mined = sent.await.unwrap().unwrap();
    let receipt = provider.get_transaction_receipt(mined.hash).await.unwrap().unwrap();
    assert_eq!(receipt.block_hash, mined.receipt.block_hash);
    assert_eq!(steps_of(&provider, probe, hand.address()).await, 1);
    assert_eq!(provider.get_transaction_count(hand.address()).await.unwrap(), 2);
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let give_up = Instant::now() + WAIT_MAX;
    while !holds().await {
        assert!(Instant::now() < give_up, "it never came about");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
