//! Every lease reaches its exit by time alone, by the call of a stranger, whoever has vanished.

use chain::market::{Refusal, State};
use domain::Label;
use market::{Escrow, EscrowState, Observation};

use crate::common::{COMMIT_WINDOW_S, SPAN_S, Scene, VERDICT_WINDOW_S, price};

/// Who gives the last push, when time has passed.
#[derive(Clone, Copy, Debug)]
enum By {
    Stranger,
    Ourselves,
}

impl By {
    async fn push(self, scene: &Scene, label: &Label) {
        match self {
            Self::Stranger => {
                scene.stranger.send(&scene.calls().expire(&scene.order(label).await)).await;
            }
            Self::Ourselves => {
                scene.network.void(label).await.unwrap();
            }
        }
    }
}

/// Nothing moves up to the deadline, `seconds` from now; one second later the lease is over, as `state` on the chain.
async fn leaves(scene: &Scene, label: &Label, by: By, seconds: u32, state: State) {
    scene.pass(seconds);
    let before = scene.state(label).await;
    scene.network.void(label).await.unwrap();
    assert_eq!(scene.state(label).await, before, "{by:?}: the deadline has not passed");
    let refused = scene.stranger.refused(&scene.calls().expire(&scene.order(label).await)).await;
    assert!(matches!(refused, Refusal::TooEarly { .. }), "{by:?}: the contract says so too: {refused}");
    scene.pass(1);
    by.push(scene, label).await;
    assert_eq!(scene.state(label).await, state, "{by:?}");
    assert!(scene.escrow(label).await.state.is_final(), "{by:?}");
}

/// Both accounts after it, against those before: what the consumer has paid and the provider has got.
async fn moved(scene: &Scene, before: (u64, u64)) -> (u64, u64) {
    let consumer = scene.balance_of(&scene.consumer).await;
    let provider = scene.balance_of(&scene.provider).await;
    (before.0 - consumer, provider - before.1)
}

async fn accounts(scene: &Scene) -> (u64, u64) {
    (scene.balance_of(&scene.consumer).await, scene.balance_of(&scene.provider).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn never_accepted() {
    for by in [By::Stranger, By::Ourselves] {
        let scene = Scene::new().await;
        let before = accounts(&scene).await;
        let label = scene.opened(1).await;
        assert_eq!(moved(&scene, before).await, (price(SPAN_S), 0));
        leaves(&scene, &label, by, 60, State::Cancelled).await;
        assert_eq!(moved(&scene, before).await, (0, 0));
    }
}

/// The provider took it and vanished: nothing was done, so nothing is paid, and its stake and units are free again.
#[tokio::test(flavor = "multi_thread")]
async fn never_started() {
    for by in [By::Stranger, By::Ourselves] {
        let scene = Scene::new().await;
        let before = accounts(&scene).await;
        let label = scene.accepted(1).await;
        let offer = scene.order(&label).await.offer;
        assert_eq!(scene.market.offer(offer).await.unwrap().unwrap().leased, 1);
        leaves(&scene, &label, by, SPAN_S + COMMIT_WINDOW_S, State::Refunded).await;
        assert_eq!(moved(&scene, before).await, (0, 0));
        assert_eq!(scene.market.offer(offer).await.unwrap().unwrap().leased, 0);
        assert_eq!(scene.market.account(scene.provider.address()).await.unwrap().reserved, 0);
    }
}

/// Nobody ends it: its span does. The provider commits, and is paid when nobody has contradicted.
#[tokio::test(flavor = "multi_thread")]
async fn never_ended() {
    for by in [By::Stranger, By::Ourselves] {
        let scene = Scene::new().await;
        let before = accounts(&scene).await;
        let label = scene.accepted(1).await;
        scene.pass(SPAN_S + COMMIT_WINDOW_S);
        scene.commit(&label).await;
        leaves(&scene, &label, by, VERDICT_WINDOW_S, State::Settled).await;
        assert_eq!(moved(&scene, before).await, (price(SPAN_S), price(SPAN_S)));
        assert_eq!(scene.escrow(&label).await.paid, chain::market::usd(price(SPAN_S)));
    }
}

/// Ended early by either side and never committed to: the unused part is back at once, the rest at the deadline.
#[tokio::test(flavor = "multi_thread")]
async fn ended_early_without_commitment() {
    for (by, provider_ends) in [(By::Stranger, true), (By::Ourselves, false)] {
        let scene = Scene::new().await;
        let before = accounts(&scene).await;
        let label = if provider_ends {
            let label = scene.accepted(1).await;
            scene.pass(100);
            scene.provider.send(&scene.calls().end(&scene.order(&label).await)).await;
            label
        } else {
            scene.released(1, 100).await
        };
        let end = scene.observe(&label).await;
        assert_eq!(end, Observation::Ended { at: scene.now(), billed: chain::market::usd(price(100)) });
        assert_eq!(moved(&scene, before).await, (price(100), 0));
        leaves(&scene, &label, by, COMMIT_WINDOW_S, State::Refunded).await;
        assert_eq!(moved(&scene, before).await, (0, 0));
        assert_eq!(scene.observe(&label).await, end, "what was billed stays what it was");
        assert_eq!(scene.escrow(&label).await.state, EscrowState::Refunded);
    }
}

/// The consumer is gone for good: whoever did the work and committed to it is paid without it.
#[tokio::test(flavor = "multi_thread")]
async fn consumer_vanished() {
    let scene = Scene::new().await;
    let before = accounts(&scene).await;
    let label = scene.accepted(1).await;
    scene.pass(100);
    scene.commit(&label).await;
    leaves(&scene, &label, By::Stranger, VERDICT_WINDOW_S, State::Settled).await;
    assert_eq!(moved(&scene, before).await, (price(100), price(100)));
}

/// The verifier found a mismatch and vanished: nobody is punished, nobody is paid.
#[tokio::test(flavor = "multi_thread")]
async fn verdict_never_given() {
    let scene = Scene::new().await;
    let before = accounts(&scene).await;
    let label = scene.committed(1, 100).await;
    scene.verifier.send(&scene.calls().dispute(&scene.order(&label).await)).await;
    leaves(&scene, &label, By::Stranger, 900, State::Refunded).await;
    assert_eq!(moved(&scene, before).await, (0, 0));
}
