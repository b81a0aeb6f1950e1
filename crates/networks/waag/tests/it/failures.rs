//! A chain that does not answer, answers late, or takes back what it said.

use std::sync::Arc;

use chain::embedded::TestControl;
use chain::market::State;
use domain::{Millis, RetryStatus};
use market::{ErrorKind, Escrow, Network, Observation};

use crate::common::{Scene, label};

/// Nobody knows yet whether it is bought; sent again, it is bought once.
#[tokio::test(flavor = "multi_thread")]
async fn purchase_in_no_block_yet_is_of_unknown_outcome() {
    let mut scene = Scene::with_patience(Millis(100)).await;
    let label = label(1);
    let intent = scene.intent(&label).await;
    TestControl::of(&scene.chain).pause();
    for _ in 0..2 {
        let error = scene.network.submit(&intent).await.unwrap_err();
        assert_eq!((error.kind, error.status), (ErrorKind::Unavailable, RetryStatus::UnknownOutcome));
        assert_eq!(scene.observe(&label).await, Observation::Absent);
        scene.restart();
    }
    TestControl::of(&scene.chain).resume();
    scene.network.submit(&intent).await.unwrap();
    scene.network.submit(&intent).await.unwrap();
    assert_eq!(scene.observe(&label).await, Observation::Queued);
    assert_eq!(scene.orders().await.len(), 1);
}

/// What is signed may still be bought after it was given up: absence counts only once it is bought, and ended, or void.
#[tokio::test(flavor = "multi_thread")]
async fn release_of_a_purchase_in_no_block_yet_ends_it() {
    let mut scene = Scene::with_patience(Millis(100)).await;
    let label = label(1);
    let intent = scene.intent(&label).await;
    let before = scene.network.balance().await.unwrap();
    TestControl::of(&scene.chain).pause();
    scene.network.submit(&intent).await.unwrap_err();
    let error = scene.network.release(&label).await.unwrap_err();
    assert_eq!(error.status, RetryStatus::UnknownOutcome, "{error:?}");
    scene.restart();
    TestControl::of(&scene.chain).resume();
    let released = scene.network.release(&label).await.unwrap();
    assert!(matches!(released, Observation::Ended { billed: domain::Usd::ZERO, .. }), "{released:?}");
    assert_eq!(scene.network.balance().await.unwrap(), before);
    assert_eq!(scene.network.release(&label).await.unwrap(), released);
}

/// It waited for its block until its own deadline was over, and failed there.
#[tokio::test(flavor = "multi_thread")]
async fn purchase_that_failed_in_its_block_bought_nothing() {
    let scene = Scene::with_patience(Millis(100)).await;
    let label = label(1);
    let intent = scene.intent(&label).await;
    TestControl::of(&scene.chain).pause();
    scene.network.submit(&intent).await.unwrap_err();
    scene.pass(181);
    TestControl::of(&scene.chain).resume();
    let error = scene.network.submit(&intent).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Refused, RetryStatus::Permanent), "{error:?}");
    assert_eq!(scene.network.release(&label).await.unwrap(), Observation::Absent);
    assert_eq!(scene.orders().await.len(), 0);
}

/// The provider accepts between our look and our act, so that what was tried out with success fails in its block.
#[tokio::test(flavor = "multi_thread")]
async fn release_that_loses_a_race_looks_again() {
    let scene = Arc::new(Scene::new().await);
    let label = scene.opened(1).await;
    TestControl::of(&scene.chain).pause();
    let (there, at) = (Arc::clone(&scene), label.clone());
    let accepting = tokio::spawn(async move { there.accept(&at).await });
    scene.sent_by(&scene.provider).await;
    let (there, at) = (Arc::clone(&scene), label.clone());
    let releasing = tokio::spawn(async move { there.network.release(&at).await });
    scene.sent_by(&scene.consumer).await;
    TestControl::of(&scene.chain).resume();
    accepting.await.unwrap();
    let released = releasing.await.unwrap().unwrap();
    assert!(matches!(released, Observation::Ended { .. }), "{released:?}");
    assert_eq!(scene.state(&label).await, State::Ended, "it was accepted, then ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn lease_that_the_chain_takes_back_is_forgotten() {
    let scene = Scene::new().await;
    let kept = scene.accepted(1).await;
    let live = scene.observe(&kept).await;
    scene.mine();
    let snapshot = TestControl::of(&scene.chain).snapshot().unwrap();
    let lost = scene.opened(2).await;
    assert_eq!(scene.observe(&lost).await, Observation::Queued);
    let seen = scene.network.changes(None).await.unwrap();
    TestControl::of(&scene.chain).revert(&snapshot).unwrap();
    scene.pass(1);
    let again = scene.network.changes(Some(&seen.cursor)).await.unwrap();
    assert!(again.at_head && !again.labels.contains(&lost), "{again:?}");
    assert_eq!(scene.observe(&lost).await, Observation::Absent);
    assert_eq!(scene.observe(&kept).await, live);
    assert_eq!(scene.network.list_ours().await.unwrap().len(), 1);
}
