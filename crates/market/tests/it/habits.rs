//! Each habit does what it is said to do, and all of it follows from the seed.

use std::sync::Arc;

use crate::common::{World, label};
use async_trait::async_trait;
use domain::{Billing, Clock, Label, Millis, Timestamp, Usd};
use waag_market::sim::{Habits, SimConfig, SimNetwork, StateFile, VISIBILITY};
use waag_market::{
    Boot, Error, ErrorKind, Machine, MachineError, MachineRef, Network, Observation, RetryStatus,
};

const ALWAYS: u16 = 10_000;

fn within_a_minute() -> Habits {
    Habits { loss_within: Millis(60_000), ..Habits::default() }
}

fn is(error: &Error, kind: ErrorKind, status: RetryStatus) -> bool {
    error.kind == kind && error.status == status
}

fn billed(seen: &Observation) -> Usd {
    match seen {
        Observation::Ended { billed, .. } => *billed,
        other => panic!("not ended: {other:?}"),
    }
}

#[tokio::test]
async fn an_unavailable_network_does_nothing() {
    let world = World::new(SimNetwork::cloud, Habits::default());
    let (_, intent) = world.intent(&label(1)).await;
    let down = World::new(SimNetwork::cloud, Habits { unavailable: ALWAYS, ..Habits::default() });
    let error = down.network.submit(&intent).await.unwrap_err();
    assert!(is(&error, ErrorKind::Unavailable, RetryStatus::Temporary), "{error:?}");
    assert!(down.network.list_ours().await.is_err());
    assert_eq!(down.network.purchases(&label(1)).await, 0);
}

#[tokio::test]
async fn a_refused_purchase_leaves_nothing() {
    for (habits, kind) in [
        (Habits { no_capacity: ALWAYS, ..Habits::default() }, ErrorKind::NoCapacity),
        (Habits { lost_race: ALWAYS, ..Habits::default() }, ErrorKind::LostRace),
    ] {
        for build in [SimNetwork::cloud, SimNetwork::auction, SimNetwork::queue] {
            let world = World::new(build, habits);
            let error = world.submit(&label(1)).await.unwrap_err();
            assert!(is(&error, kind, RetryStatus::Permanent), "{error:?}");
            assert_eq!(world.network.purchases(&label(1)).await, 0);
            assert_eq!(world.network.open_leases().await, 0);
            assert_eq!(world.observe(&label(1)).await, Observation::Absent);
        }
    }
}

#[tokio::test]
async fn a_bid_that_is_withdrawn_leaves_the_request_open() {
    let world = World::new(SimNetwork::auction, Habits { lost_race: 5_000, ..Habits::default() });
    let mut withdrawn = 0;
    for n in 0..40 {
        if world.submit(&label(n)).await.is_err() {
            continue;
        }
        world.pass(400);
        let Observation::Bidding { bids, .. } = world.observe(&label(n)).await else { panic!("no bids") };
        let intent = world.intent_for(&bids[0], &label(n)).await;
        let Err(error) = world.network.submit(&intent).await else { continue };
        assert!(is(&error, ErrorKind::LostRace, RetryStatus::Permanent), "{error:?}");
        let Observation::Bidding { bids: left, .. } = world.observe(&label(n)).await else {
            panic!("closed")
        };
        assert_eq!(left[..], bids[1..]);
        assert!(!world.alive(&label(n)));
        withdrawn += 1;
    }
    assert!(withdrawn > 0);
}

#[tokio::test]
async fn a_lost_reply_tells_nothing_of_what_happened() {
    let lost_before = Habits { reply_lost_before: ALWAYS, ..Habits::default() };
    let lost_after = Habits { reply_lost_after: ALWAYS, ..Habits::default() };
    for (habits, bought) in [(lost_before, 0), (lost_after, 1)] {
        let world = World::new(SimNetwork::cloud, habits);
        let error = world.submit(&label(1)).await.unwrap_err();
        assert_eq!(error.status, RetryStatus::UnknownOutcome);
        assert_eq!(world.network.purchases(&label(1)).await, bought);
        assert_eq!(world.alive(&label(1)), bought == 1);
        let error = world.network.release(&label(1)).await.unwrap_err();
        assert_eq!(error.status, RetryStatus::UnknownOutcome);
        assert_eq!(world.network.live_leases().await, 0);
        assert_eq!(matches!(world.observe(&label(1)).await, Observation::Ended { .. }), bought == 1);
    }
}

#[tokio::test]
async fn a_late_listing_shows_within_the_visibility() {
    let habits = Habits { late_listing: ALWAYS, ..Habits::default() };
    for build in [SimNetwork::cloud, SimNetwork::queue] {
        let world = World::new(build, habits);
        world.submit(&label(1)).await.unwrap();
        assert_eq!(world.observe(&label(1)).await, Observation::Absent);
        assert_eq!(world.network.list_ours().await.unwrap(), []);
        assert_eq!(world.network.release(&label(1)).await.unwrap(), Observation::Absent);
        assert_eq!(world.network.open_leases().await, 1, "what is not shown cannot be released");
        world.pass(VISIBILITY.0);
        assert_ne!(world.observe(&label(1)).await, Observation::Absent);
        assert_eq!(world.network.list_ours().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn only_a_network_without_idempotency_sells_a_hidden_label_again() {
    let habits = Habits { late_listing: ALWAYS, ..Habits::default() };
    let cloud = World::new(SimNetwork::cloud, habits);
    let queue = World::new(SimNetwork::queue, habits);
    for (world, purchases) in [(&cloud, 1), (&queue, 2)] {
        let (offer, intent) = world.intent(&label(1)).await;
        world.network.submit(&intent).await.unwrap();
        world.network.submit(&intent).await.unwrap();
        assert_eq!(world.network.purchases(&label(1)).await, purchases);
        world.pass(VISIBILITY.0 + 1);
        world.network.submit(&intent).await.unwrap();
        assert_eq!(world.network.purchases(&label(1)).await, purchases, "shown, it is seen");
        let Observation::Live { since, .. } = world.observe(&label(1)).await else { panic!("not live") };
        let used = world.clock.now().since(since);
        let once = offer.billing.charge(offer.price, used);
        let all = (0..purchases).map(|_| once).sum::<Usd>();
        assert_eq!(billed(&world.network.release(&label(1)).await.unwrap()), all);
    }
}

#[tokio::test]
async fn a_false_status_is_absent_only_while_it_may_be_and_queued_only_for_a_while() {
    let world = World::new(SimNetwork::cloud, Habits { false_status: ALWAYS, ..Habits::default() });
    let (mut flickered, mut queued) = (0, 0);
    for n in 0..30 {
        world.submit(&label(n)).await.unwrap();
        let seen: Vec<_> = [world.observe(&label(n)).await, world.observe(&label(n)).await].into();
        flickered += u32::from(seen.contains(&Observation::Absent));
        queued += u32::from(seen.contains(&Observation::Queued));
        assert!(world.alive(&label(n)));
        world.pass(VISIBILITY.0);
        for _ in 0..4 {
            assert_ne!(world.observe(&label(n)).await, Observation::Absent);
        }
        world.pass(20_000);
        assert!(matches!(world.observe(&label(n)).await, Observation::Live { .. }));
        world.network.release(&label(n)).await.unwrap();
    }
    assert!(flickered > 0 && queued > 0, "{flickered} {queued}");
}

#[tokio::test]
async fn a_lost_provider_is_noticed_unless_the_status_lies() {
    let noticed = Habits { provider_loss: ALWAYS, ..within_a_minute() };
    let unnoticed = Habits { false_status: ALWAYS, ..noticed };
    for (habits, ends) in [(noticed, true), (unnoticed, false)] {
        let world = World::new(SimNetwork::cloud, habits);
        world.submit(&label(1)).await.unwrap();
        assert!(world.alive(&label(1)));
        world.pass(60_000);
        let seen = world.observe(&label(1)).await;
        assert!(!world.alive(&label(1)), "lost within a minute, but {seen:?}");
        assert!(world.network.running().await.is_empty());
        world.pass(60_000);
        assert_eq!(matches!(world.observe(&label(1)).await, Observation::Ended { .. }), ends);
        assert_eq!(world.network.live_leases().await, usize::from(!ends));
        assert_eq!(world.machine.started(), 1, "it is not started again");
        let bill = billed(&world.network.release(&label(1)).await.unwrap());
        assert!(bill > Usd::ZERO);
    }
}

#[tokio::test]
async fn a_network_may_end_a_lease_by_itself_and_bills_until_then() {
    let world = World::new(SimNetwork::cloud, Habits { early_end: ALWAYS, ..within_a_minute() });
    let offer = world.submit(&label(1)).await.unwrap();
    let bought_at = world.clock.now();
    world.pass(3_600_000);
    let Observation::Ended { at, billed } = world.observe(&label(1)).await else { panic!("not ended") };
    assert!(at.since(bought_at) <= Millis(60_000), "it ended when it was due, not when it was looked at");
    assert_eq!(billed, offer.billing.charge(offer.price, at.since(bought_at)));
    assert!(!world.alive(&label(1)));
}

#[tokio::test]
async fn a_queue_assigns_outside_the_usual_areas_only_by_habit() {
    for (chance, foreign) in [(0, false), (ALWAYS, true)] {
        let habits = Habits { foreign_assignment: chance, ..Habits::default() };
        let world = World::new(SimNetwork::queue, habits);
        for n in 0..10 {
            world.submit(&label(n)).await.unwrap();
            assert_eq!(world.observe(&label(n)).await, Observation::Queued);
            world.pass(1_500);
            let Observation::Live { region, .. } = world.observe(&label(n)).await else { panic!("not live") };
            assert_eq!(region.unwrap().as_str().starts_with("ASIA"), foreign);
        }
    }
}

#[tokio::test]
async fn prepaid_time_is_given_back_only_where_the_offer_says_so() {
    let honest = World::new(SimNetwork::queue, Habits::default());
    let strict = World::new(SimNetwork::queue, Habits { non_refundable: ALWAYS, ..Habits::default() });
    let gives_back = async |world: &World| {
        let offers = world.network.offers().await.unwrap();
        offers.iter().filter(|o| matches!(o.billing, Billing::Prepaid { refundable: true, .. })).count()
    };
    assert!(gives_back(&honest).await > 0);
    assert_eq!(gives_back(&strict).await, 0);
    let offer = strict.submit(&label(1)).await.unwrap();
    strict.pass(1_500);
    assert!(matches!(strict.observe(&label(1)).await, Observation::Live { .. }));
    let Billing::Prepaid { span, .. } = offer.billing else { panic!("not prepaid") };
    assert_eq!(billed(&strict.network.release(&label(1)).await.unwrap()), offer.price.charge(span));
}

#[tokio::test]
async fn a_slow_release_is_live_until_it_was_asked_for_often_enough() {
    let world = World::new(SimNetwork::cloud, Habits { slow_release: ALWAYS, ..Habits::default() });
    let offer = world.submit(&label(1)).await.unwrap();
    let since = world.clock.now();
    world.pass(100_000);
    let first_asked = world.clock.now();
    let mut calls = 0;
    let bill = loop {
        calls += 1;
        match world.network.release(&label(1)).await.unwrap() {
            Observation::Ended { billed, .. } => break billed,
            seen => assert!(matches!(seen, Observation::Live { .. }) && world.alive(&label(1)), "{seen:?}"),
        }
        world.pass(100_000);
    };
    assert!((2..=4).contains(&calls), "{calls}");
    assert_eq!(
        bill,
        offer.billing.charge(offer.price, first_asked.since(since)),
        "billed until we first asked"
    );
}

#[tokio::test]
async fn an_overbilling_network_bills_a_minute_more() {
    let world = World::new(SimNetwork::cloud, Habits { overbilling: ALWAYS, ..Habits::default() });
    let offer = world.submit(&label(1)).await.unwrap();
    world.pass(120_000);
    let bill = billed(&world.network.release(&label(1)).await.unwrap());
    assert_eq!(bill, offer.billing.charge(offer.price, Millis(180_000)));
}

#[tokio::test]
async fn a_killed_provider_takes_its_agents_and_offers_along_and_bills_on() {
    let mut world = World::new(SimNetwork::cloud, Habits::default());
    let offer = world.submit(&label(1)).await.unwrap();
    world.submit(&label(2)).await.unwrap();
    let provider = world.network.kill_provider(&label(1)).await.unwrap();
    assert_eq!(Some(&provider), offer.provider.as_ref());
    assert!(!world.alive(&label(1)) && !world.alive(&label(2)));
    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        let offers = world.network.offers().await.unwrap();
        assert!(offers.iter().all(|o| o.provider.as_ref() != Some(&provider)));
        world.pass(60_000);
        assert!(matches!(world.observe(&label(1)).await, Observation::Live { .. }));
        assert_eq!(world.machine.started(), 2);
    }
    let bill = billed(&world.network.release(&label(1)).await.unwrap());
    assert_eq!(bill, offer.billing.charge(offer.price, Millis(120_000)));
    assert_eq!(world.network.kill_provider(&label(1)).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_run_replays_from_its_seed_and_another_seed_runs_otherwise() {
    async fn trace(seed: u64) -> Vec<String> {
        let habits = Habits::all(2_000);
        let mut trace = Vec::new();
        for build in [SimNetwork::cloud, SimNetwork::auction, SimNetwork::queue] {
            let world = World::with(build, habits, StateFile::memory(), seed);
            let offers = loop {
                match world.network.offers().await {
                    Ok(offers) => break offers,
                    Err(_) => world.pass(10),
                }
            };
            let offer = offers.iter().find(|o| o.price.per_hour() > Usd::ZERO).unwrap();
            for n in 0..30 {
                let intent = world.intent_for(offer, &label(n)).await;
                trace.push(format!("{:?}", world.network.submit(&intent).await));
                world.pass(700);
                trace.push(format!("{:?}", world.network.observe(&label(n)).await));
                trace.push(format!("{:?}", world.network.release(&label(n / 2)).await));
            }
        }
        trace
    }
    let first = trace(3).await;
    assert_eq!(first, trace(3).await);
    assert_ne!(first, trace(4).await);
}

/// A host on which nothing starts.
struct Broken;

#[async_trait]
impl Machine for Broken {
    async fn start(&self, label: &Label, _boot: &Boot) -> Result<MachineRef, MachineError> {
        Err(MachineError::Start { label: label.clone(), source: std::io::ErrorKind::NotFound.into() })
    }

    async fn find(&self, _label: &Label, _machine: MachineRef) -> Result<bool, MachineError> {
        Ok(false)
    }

    async fn kill(&self, _label: &Label, _machine: MachineRef) -> Result<(), MachineError> {
        Ok(())
    }

    async fn forget(&self, _label: &Label) -> Result<(), MachineError> {
        Ok(())
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_800_000_000_000)
    }
}

#[tokio::test]
async fn a_lease_whose_agent_cannot_be_started_ends_without_a_bill() {
    let world = World::new(SimNetwork::cloud, Habits::default());
    let (_, intent) = world.intent(&label(1)).await;
    let config = SimConfig::new("sim-test".parse().unwrap(), 7);
    let broken = SimNetwork::cloud(config, Arc::new(Still), Arc::new(Broken), &StateFile::memory()).unwrap();
    broken.submit(&intent).await.unwrap();
    assert_eq!(billed(&broken.observe(&label(1)).await.unwrap()), Usd::ZERO);
}
