//! The follower: every event once, in order, over pages, restarts and reorganizations.

use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::rpc::types::Log;
use alloy::sol_types::{SolCall, SolEvent};
use waag_chain::embedded::{EmbeddedChain, TestControl};
use waag_chain::follow::{Cursor, FollowError, FollowSettings, Follower, Page};

use crate::common::{Hand, Probe, embedded, probe_code};
use crate::faults::{Fault, Line};

struct Scene {
    chain: EmbeddedChain,
    hand: Hand,
    probe: Address,
    nonce: u64,
}

impl Scene {
    async fn new() -> Self {
        let chain = embedded();
        let hand = Hand::new(chain.provider());
        let deployed = hand.mined(hand.tx(0, TxKind::Create, probe_code(0))).await;
        Self { chain, hand, probe: deployed.contract_address.unwrap(), nonce: 1 }
    }

    async fn call(&mut self, call: impl SolCall) {
        let receipt =
            self.hand.mined(self.hand.tx(self.nonce, self.probe.into(), call.abi_encode().into())).await;
        assert!(receipt.status());
        self.nonce += 1;
    }

    async fn add(&mut self, step: u64) {
        self.call(Probe::addCall { step: U256::from(step) }).await;
    }

    fn settings(&self) -> FollowSettings {
        FollowSettings {
            addresses: vec![self.probe],
            signatures: vec![],
            from_block: 0,
            blocks_max: 100,
            events_max: 100,
            confirmations: 0,
            reorg_depth: 3,
        }
    }

    fn follower(&self, settings: FollowSettings) -> Follower {
        Follower::new(self.hand.provider.clone(), settings)
    }
}

/// The steps that events tell of; a note counts as 1000.
fn steps(events: &[Log]) -> Vec<u64> {
    let step = |log: &Log| Probe::Counted::decode_log(&log.inner).map_or(1000, |counted| counted.step.to());
    events.iter().map(step).collect()
}

/// Reads to the head, keeping the cursor as text in between, as a caller does in its store.
async fn drain(follower: &Follower, mut cursor: Option<Cursor>) -> (Vec<Log>, Cursor, usize) {
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let Page { undo_from, events, cursor: next, at_head } = follower.page(cursor.as_ref()).await.unwrap();
        assert_eq!(undo_from, None);
        seen.extend(events);
        pages += 1;
        let kept = next.to_string();
        if at_head {
            return (seen, next, pages);
        }
        cursor = Some(kept.parse().unwrap());
        assert!(pages < 1_000, "the follower gets nowhere");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_sees_every_event_once_whatever_the_pages() {
    let mut scene = Scene::new().await;
    for step in 1..=5 {
        scene.add(step).await;
        let note = Probe::noteCall { topic: B256::ZERO, data: Bytes::new(), times: U256::from(3) };
        scene.call(note).await;
    }
    let expected: Vec<u64> = (1..=5).flat_map(|step| [step, 1000, 1000, 1000]).collect();
    for blocks_max in [1, 2, 7, 100] {
        for events_max in [1, 2, 3, 100] {
            let follower = scene.follower(FollowSettings { blocks_max, events_max, ..scene.settings() });
            let (seen, cursor, pages) = drain(&follower, None).await;
            assert_eq!(steps(&seen), expected, "{blocks_max} blocks, {events_max} events");
            assert!(pages >= (11 / blocks_max) as usize && pages >= 20 / events_max);
            let (more, again, _) = drain(&follower, Some(cursor.clone())).await;
            assert!(more.is_empty());
            assert_eq!(again, cursor, "nothing new leaves the cursor as it was");
        }
    }
    let counted = FollowSettings { signatures: vec![Probe::Counted::SIGNATURE_HASH], ..scene.settings() };
    assert_eq!(steps(&drain(&scene.follower(counted), None).await.0), [1, 2, 3, 4, 5]);
    let late = FollowSettings { from_block: 6, ..scene.settings() };
    assert_eq!(steps(&drain(&scene.follower(late), None).await.0)[..4], [3, 1000, 1000, 1000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_waits_for_confirmations() {
    let mut scene = Scene::new().await;
    let follower = scene.follower(FollowSettings { confirmations: 2, ..scene.settings() });
    scene.add(1).await;
    let (seen, cursor, _) = drain(&follower, None).await;
    assert!(seen.is_empty());
    TestControl::of(&scene.chain).mine(1).unwrap();
    let (seen, cursor, _) = drain(&follower, Some(cursor)).await;
    assert!(seen.is_empty());
    TestControl::of(&scene.chain).mine(1).unwrap();
    let (seen, _, _) = drain(&follower, Some(cursor)).await;
    assert_eq!(steps(&seen), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reorganization_of_depth_three_is_undone_from_the_right_block() {
    let mut scene = Scene::new().await;
    let follower = scene.follower(scene.settings());
    scene.add(1).await;
    let snapshot = TestControl::of(&scene.chain).snapshot().unwrap();
    let nonce = scene.nonce;
    for step in 2..=4 {
        scene.add(step).await;
    }
    let (seen, cursor, _) = drain(&follower, None).await;
    assert_eq!(steps(&seen), [1, 2, 3, 4]);
    TestControl::of(&scene.chain).revert(&snapshot).unwrap();
    scene.nonce = nonce;
    scene.add(20).await;
    let page = follower.page(Some(&cursor)).await.unwrap();
    assert_eq!(page.undo_from, Some(3), "block 2 holds the first step and stands");
    assert_eq!(steps(&page.events), [20]);
    let (more, _, _) = drain(&follower, Some(page.cursor)).await;
    assert!(more.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn reorganization_deeper_than_promised_is_refused() {
    let mut scene = Scene::new().await;
    let follower = scene.follower(scene.settings());
    scene.add(1).await;
    let snapshot = TestControl::of(&scene.chain).snapshot().unwrap();
    let nonce = scene.nonce;
    for step in 2..=5 {
        scene.add(step).await;
    }
    let (_, cursor, _) = drain(&follower, None).await;
    TestControl::of(&scene.chain).revert(&snapshot).unwrap();
    scene.nonce = nonce;
    scene.add(20).await;
    let refused = follower.page(Some(&cursor)).await;
    assert!(matches!(refused, Err(FollowError::TooDeep { below: 3, depth: 3 })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chain_out_of_reach_leaves_the_cursor_as_it_was() {
    let mut scene = Scene::new().await;
    scene.add(1).await;
    let line = Line::to(&scene.chain);
    let follower = Follower::new(line.provider(), scene.settings());
    let (_, cursor, _) = drain(&follower, None).await;
    scene.add(2).await;
    line.set(Fault::CutOff);
    assert!(matches!(follower.page(Some(&cursor)).await, Err(FollowError::Unreachable(_))));
    line.set(Fault::None);
    assert_eq!(steps(&drain(&follower, Some(cursor)).await.0), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_of_an_empty_chain_begins_at_the_beginning() {
    // A chain without any block beyond genesis has no events, and its cursor begins at the beginning.
    let chain = embedded();
    let follower = Follower::new(
        chain.provider(),
        FollowSettings {
            addresses: vec![],
            signatures: vec![],
            from_block: 1,
            blocks_max: 10,
            events_max: 10,
            confirmations: 0,
            reorg_depth: 3,
        },
    );
    let page = follower.page(None).await.unwrap();
    assert!(page.at_head && page.events.is_empty() && page.undo_from.is_none());
    let hand = Hand::new(chain.provider());
    let probe = hand.mined(hand.tx(0, TxKind::Create, probe_code(0))).await.contract_address.unwrap();
    hand.mined(hand.tx(1, probe.into(), Probe::addCall { step: U256::from(1) }.abi_encode().into())).await;
    assert_eq!(steps(&drain(&follower, Some(page.cursor)).await.0), [1]);
}
