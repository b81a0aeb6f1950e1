//! Every state of a lease on the chain, in the words of network, escrow and notary, before and after a start.

use chain::market::State;
use domain::{Assurance, Label, Millis, Timestamp, Usd};
use market::{EscrowState, Network, Notary, Observation};

use crate::common::{COMMIT_WINDOW_S, SPAN_S, Scene, VERDICT_WINDOW_S, label, price, root};

fn usd(micros: u64) -> Usd {
    chain::market::usd(micros)
}

fn after(at: Timestamp, seconds: u32) -> Timestamp {
    at + Millis::from_secs(u64::from(seconds))
}

/// What is expected of a lease.
struct Expected {
    observation: Observation,
    escrow: EscrowState,
    held: u64,
    paid: u64,
    deadline: Option<Timestamp>,
}

/// Looks, starts again, and looks again: nothing may depend on what was kept in memory.
async fn check(scene: &mut Scene, label: &Label, expected: Expected) {
    for start in ["before a start", "after a start"] {
        assert_eq!(scene.observe(label).await, expected.observation, "{start}");
        let shown = scene.escrow(label).await;
        let Expected { escrow, held, paid, deadline, .. } = expected;
        assert_eq!((shown.state, shown.held, shown.paid), (escrow, usd(held), usd(paid)), "{start}");
        assert_eq!(shown.deadline, deadline, "{start}");
        let listed = scene.network.list_ours().await.unwrap();
        let open = matches!(expected.observation, Observation::Queued | Observation::Live { .. });
        assert_eq!(
            listed.iter().filter(|listed| listed.label == *label).count(),
            usize::from(open),
            "{start}"
        );
        let noted = scene.network.commitment(label).await.unwrap();
        assert_eq!(noted.map(|noted| noted.commitment), shown.commitment, "{start}");
        scene.restart();
    }
}

fn ended(at: Timestamp, seconds: u32) -> Observation {
    Observation::Ended { at, billed: usd(price(seconds)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_is_queued() {
    let mut scene = Scene::new().await;
    let label = scene.opened(1).await;
    let held = price(SPAN_S);
    let expected = Expected {
        observation: Observation::Queued,
        escrow: EscrowState::Open,
        held,
        paid: 0,
        deadline: None,
    };
    check(&mut scene, &label, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_too_long_is_taken_back_by_looking_at_it() {
    let mut scene = Scene::new().await;
    let before = scene.balance_of(&scene.consumer).await;
    let label = scene.opened(1).await;
    scene.pass(60);
    assert_eq!(scene.observe(&label).await, Observation::Queued, "the last second belongs to the provider");
    scene.pass(1);
    let observation = Observation::Ended { at: scene.now(), billed: Usd::ZERO };
    let expected = Expected { observation, escrow: EscrowState::Refunded, held: 0, paid: 0, deadline: None };
    check(&mut scene, &label, expected).await;
    assert_eq!(scene.state(&label).await, State::Cancelled);
    assert_eq!(scene.balance_of(&scene.consumer).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn active_is_live_until_its_span_is_over() {
    let mut scene = Scene::new().await;
    let label = scene.accepted(1).await;
    let (since, held) = (scene.now(), price(SPAN_S));
    let live = Observation::Live {
        provider: scene.provider.address().to_string().to_ascii_lowercase().parse().unwrap(),
        region: Some("EU-DE".parse().unwrap()),
        assurance: Assurance::Claimed,
        since,
        until: Some(after(since, SPAN_S)),
    };
    scene.pass(SPAN_S - 1);
    let expected = Expected { observation: live, escrow: EscrowState::Open, held, paid: 0, deadline: None };
    check(&mut scene, &label, expected).await;
    scene.pass(1);
    let expected = || Expected {
        observation: ended(after(since, SPAN_S), SPAN_S),
        escrow: EscrowState::Awaited,
        held,
        paid: 0,
        deadline: Some(after(since, SPAN_S + COMMIT_WINDOW_S)),
    };
    check(&mut scene, &label, expected()).await;
    scene.pass(COMMIT_WINDOW_S);
    check(&mut scene, &label, expected()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_bills_what_was_used() {
    let mut scene = Scene::new().await;
    let label = scene.released(1, 100).await;
    let at = scene.now();
    scene.pass(50);
    let expected = Expected {
        observation: ended(at, 100),
        escrow: EscrowState::Awaited,
        held: price(100),
        paid: 0,
        deadline: Some(after(at, COMMIT_WINDOW_S)),
    };
    check(&mut scene, &label, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_waits_for_the_verdict_and_is_settled() {
    let mut scene = Scene::new().await;
    let label = scene.released(1, 100).await;
    let at = scene.now();
    scene.pass(60);
    scene.commit(&label).await;
    let expected = Expected {
        observation: ended(at, 100),
        escrow: EscrowState::Committed,
        held: price(100),
        paid: 0,
        deadline: Some(after(at, 60 + VERDICT_WINDOW_S)),
    };
    check(&mut scene, &label, expected).await;
    let noted = scene.network.commitment(&label).await.unwrap().unwrap();
    assert_eq!((noted.commitment.root, noted.at), (root().0, after(at, 60)));
    scene.pass(7);
    scene.consumer.send(&scene.calls().settle(&scene.order(&label).await)).await;
    let expected = Expected {
        observation: ended(at, 100),
        escrow: EscrowState::Paid,
        held: 0,
        paid: price(100),
        deadline: None,
    };
    check(&mut scene, &label, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disputed_then_slashed_gives_all_of_it_back() {
    let mut scene = Scene::new().await;
    let before = scene.balance_of(&scene.consumer).await;
    let label = scene.committed(1, 100).await;
    let at = scene.now();
    let order = scene.order(&label).await;
    scene.verifier.send(&scene.calls().dispute(&order)).await;
    let expected = Expected {
        observation: ended(at, 100),
        escrow: EscrowState::Disputed,
        held: price(100),
        paid: 0,
        deadline: Some(after(at, 900)),
    };
    check(&mut scene, &label, expected).await;
    let (penalty, challenger) = (100, scene.verifier.address());
    scene.verifier.send(&scene.calls().slash(&order, penalty, 50, challenger)).await;
    let (escrow, held, paid) = (EscrowState::Slashed, 0, 0);
    check(&mut scene, &label, Expected { observation: ended(at, 100), escrow, held, paid, deadline: None })
        .await;
    assert_eq!(scene.balance_of(&scene.consumer).await, before + 50);
}

/// A provider that gives the money back of itself, while its lease runs and after.
#[tokio::test(flavor = "multi_thread")]
async fn refunded_bills_what_was_used_all_the_same() {
    let mut scene = Scene::new().await;
    for (n, released) in [(1, false), (2, true)] {
        let before = scene.balance_of(&scene.consumer).await;
        let label = if released { scene.released(n, 100).await } else { scene.accepted(n).await };
        let at = if released { scene.now() } else { after(scene.now(), 100) };
        scene.pass(100);
        scene.provider.send(&scene.calls().refund(&scene.order(&label).await)).await;
        let (escrow, held, paid) = (EscrowState::Refunded, 0, 0);
        let expected = Expected { observation: ended(at, 100), escrow, held, paid, deadline: None };
        check(&mut scene, &label, expected).await;
        assert_eq!(scene.balance_of(&scene.consumer).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_costs_nothing() {
    let mut scene = Scene::new().await;
    for by_provider in [false, true] {
        let before = scene.balance_of(&scene.consumer).await;
        let label = scene.opened(1 + u8::from(by_provider)).await;
        scene.pass(9);
        let at = scene.now();
        if by_provider {
            scene.provider.send(&scene.calls().cancel(&scene.order(&label).await)).await;
        } else {
            scene.network.release(&label).await.unwrap();
        }
        scene.pass(9);
        let observation = Observation::Ended { at, billed: Usd::ZERO };
        let expected =
            Expected { observation, escrow: EscrowState::Refunded, held: 0, paid: 0, deadline: None };
        check(&mut scene, &label, expected).await;
        assert_eq!(scene.balance_of(&scene.consumer).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn extended_lasts_longer_and_holds_more() {
    let mut scene = Scene::new().await;
    let label = scene.accepted(1).await;
    let since = scene.now();
    let longer = Millis::from_secs(u64::from(2 * SPAN_S));
    scene.network.extend(&label, longer).await.unwrap();
    scene.network.extend(&label, longer).await.unwrap();
    assert_eq!(scene.on_chain(&label).await.span, 2 * SPAN_S);
    assert_eq!(scene.escrow(&label).await.held, usd(price(2 * SPAN_S)));
    scene.pass(2 * SPAN_S);
    let expected = Expected {
        observation: ended(after(since, 2 * SPAN_S), 2 * SPAN_S),
        escrow: EscrowState::Awaited,
        held: price(2 * SPAN_S),
        paid: 0,
        deadline: Some(after(since, 2 * SPAN_S + COMMIT_WINDOW_S)),
    };
    check(&mut scene, &label, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_is_absent_everywhere() {
    let scene = Scene::new().await;
    let unknown = label(99);
    assert_eq!(scene.observe(&unknown).await, Observation::Absent);
    assert_eq!(market::Escrow::observe(&*scene.network, &unknown).await.unwrap(), None);
    assert_eq!(scene.network.commitment(&unknown).await.unwrap(), None);
}
