//! What is done with the money after the end, what it cost, and what has moved.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use chain::market::{State, usd};
use domain::{Label, RetryStatus, Usd};
use market::{Claim, Commitment, ErrorKind, Escrow, EscrowState, Network};

use crate::common::{Party, SPAN_S, Scene, VERDICT_WINDOW_S, label, price, root};

#[tokio::test(flavor = "multi_thread")]
async fn post_settles_what_the_provider_committed_to() {
    let scene = Scene::new().await;
    let label = scene.released(1, 100).await;
    let awaited = scene.network.post(&label).await.unwrap().unwrap();
    assert_eq!((awaited.state, awaited.held), (EscrowState::Awaited, usd(price(100))), "nothing can be done");
    scene.commit(&label).await;
    for _ in 0..2 {
        let paid = scene.network.post(&label).await.unwrap().unwrap();
        assert_eq!((paid.state, paid.paid, paid.held), (EscrowState::Paid, usd(price(100)), Usd::ZERO));
    }
}

/// The provider is silent; its agent's word is brought for it, also when nobody ended the lease.
#[tokio::test(flavor = "multi_thread")]
async fn the_agents_word_is_brought_for_a_silent_provider() {
    let scene = Scene::new().await;
    let released = scene.released(1, 100).await;
    let over = scene.accepted(2).await;
    let claim = scene.claim(&over).await;
    let early = scene.network.claim(&over, &claim).await.unwrap().unwrap();
    assert_eq!(early.state, EscrowState::Open, "it runs");
    scene.pass(500);
    let claim = scene.claim(&released).await;
    let brought = scene.network.claim(&released, &claim).await.unwrap().unwrap();
    assert_eq!((brought.state, brought.held), (EscrowState::Committed, usd(price(100))));
    assert_eq!(brought.commitment, Some(claim.commitment));
    let paid = scene.network.post(&released).await.unwrap().unwrap();
    assert_eq!((paid.state, paid.paid), (EscrowState::Paid, usd(price(100))));
    scene.pass(SPAN_S - 500);
    let claim = scene.claim(&over).await;
    let brought = scene.network.claim(&over, &claim).await.unwrap().unwrap();
    assert_eq!((brought.state, brought.held), (EscrowState::Committed, usd(price(SPAN_S))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_the_provider_did_not_delegate_is_refused() {
    let scene = Scene::new().await;
    let label = scene.released(1, 100).await;
    let claim = scene.claim(&label).await;
    let others = scene.claim(&scene.accepted(2).await).await;
    for claim in [
        Claim { delegation: others.delegation, ..claim.clone() },
        Claim { commitment: Commitment { leaf_count: 1, ..claim.commitment }, ..claim.clone() },
        Claim { signature: vec![1; 64], ..claim },
    ] {
        let error = scene.network.claim(&label, &claim).await.unwrap_err();
        assert_eq!((error.kind, error.status), (ErrorKind::Refused, RetryStatus::Permanent), "{error:?}");
    }
    assert_eq!(scene.state(&label).await, State::Ended);
}

/// The engine compared the agent's word with nothing, since nothing else stood there when it looked.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_is_brought_replaces_no_other() {
    let scene = Scene::new().await;
    let label = scene.released(1, 100).await;
    let claim = scene.claim(&label).await;
    let call = scene.calls().commit(&scene.order(&label).await, chain::B256::repeat_byte(6), 9);
    scene.provider.send(&call).await;
    let shown = scene.network.claim(&label, &claim).await.unwrap().unwrap();
    assert_eq!(shown.state, EscrowState::Committed);
    assert_ne!(shown.commitment, Some(claim.commitment));
}

#[tokio::test(flavor = "multi_thread")]
async fn gas_and_transactions_are_our_own_and_all_of_them() {
    let mut scene = Scene::new().await;
    let label = scene.committed(1, 100).await;
    scene.network.post(&label).await.unwrap();
    let ours = sent_by(&scene, &scene.consumer, &label).await;
    assert_eq!(ours.len(), 3, "create, end, settle");
    for _ in 0..2 {
        let shown = scene.escrow(&label).await;
        assert_eq!(shown.txs, ours.iter().map(|(tx, _)| tx.clone()).collect::<Vec<_>>());
        assert_eq!(shown.gas, ours.iter().map(|(_, gas)| gas).sum::<u64>());
        assert!(shown.gas > 150_000, "{}", shown.gas);
        scene.restart();
    }
    let provider = sent_by(&scene, &scene.provider, &label).await;
    assert_eq!(provider.len(), 2, "accept, commit");
}

/// Hash and gas of what `party` sent about the lease, oldest first, by the blocks alone.
async fn sent_by(scene: &Scene, party: &Party, label: &Label) -> Vec<(String, u64)> {
    let order = scene.order(label).await;
    let calls = scene.calls();
    let inputs: BTreeSet<_> = [
        calls.cancel(&order),
        calls.accept(&order),
        calls.end(&order),
        calls.settle(&order),
        calls.commit(&order, root(), 9),
    ]
    .map(|call| call.input)
    .into();
    let create = calls.create_lease(&order, Vec::new()).input;
    let mut found = Vec::new();
    for tx in scene.transactions().await {
        // A creation carries the contact besides, behind the order's nine words.
        let creates = tx.input.starts_with(&create[..4 + 9 * 32]);
        if tx.from == party.address() && (creates || inputs.contains(&tx.input)) {
            let spent = scene.market.spent(tx.hash).await.unwrap().unwrap();
            found.push((tx.hash.to_string(), spent.gas));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_name_our_leases_once_each_thing_moved() {
    let mut scene = Scene::new().await;
    let start = scene.network.changes(None).await.unwrap();
    assert!(start.at_head && start.labels.is_empty(), "{start:?}");
    let (first, second) = (scene.opened(1).await, scene.accepted(2).await);
    let other = scene.accepted_by_another(3).await;
    assert!(start.offers, "an offer was posted before");
    let bought = scene.network.changes(Some(&start.cursor)).await.unwrap();
    assert!(!bought.offers, "none was posted since");
    let labels: BTreeSet<_> = bought.labels.iter().cloned().collect();
    assert_eq!(labels, [first.clone(), second.clone()].into(), "not {other}");
    let again = scene.network.changes(Some(&start.cursor)).await.unwrap();
    assert_eq!(again, bought, "the caller keeps the cursor, nobody else");
    let idle = scene.network.changes(Some(&bought.cursor)).await.unwrap();
    assert_eq!((idle.labels, idle.at_head), (vec![], true));
    scene.restart();
    scene.provider.send(&scene.calls().end(&scene.order(&second).await)).await;
    let moved = scene.network.changes(Some(&bought.cursor)).await.unwrap();
    assert_eq!(moved.labels, std::slice::from_ref(&second));
    let all = scene.network.changes(None).await.unwrap();
    assert_eq!(all.labels.into_iter().collect::<BTreeSet<_>>(), labels);
    let error = scene.network.changes(Some("nonsense")).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::InvalidInput, RetryStatus::Permanent));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_asked_for_while_a_lease_waits_for_something() {
    let mut scene = Scene::new().await;
    let beats = |scene: &Scene| scene.beating.load(Ordering::SeqCst);
    scene.observe(&label(9)).await;
    assert_eq!(beats(&scene), 0);
    let cancelled = scene.opened(1).await;
    let committed = scene.committed(2, 100).await;
    scene.observe(&cancelled).await;
    assert_eq!(beats(&scene), 1);
    scene.restart();
    assert_eq!(beats(&scene), 0, "the old network is gone");
    scene.network.release(&cancelled).await.unwrap();
    scene.observe(&cancelled).await;
    assert_eq!(beats(&scene), 1, "one of two still waits for its verdict");
    scene.pass(VERDICT_WINDOW_S + 1);
    scene.network.void(&committed).await.unwrap();
    scene.observe(&committed).await;
    assert_eq!(beats(&scene), 0);
}
