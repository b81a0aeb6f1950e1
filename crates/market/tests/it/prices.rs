//! What is for sale follows from the seed and the time, and covers what a job may want or must refuse.

use crate::common::{Build, World, label};
use domain::{Assurance, Offer, Usd};
use waag_market::sim::{Habits, SimNetwork, StateFile};
use waag_market::{ErrorKind, Network};

async fn offers(build: Build, seed: u64, minutes: u64) -> Vec<Offer> {
    let world = World::with(build, Habits::default(), StateFile::memory(), seed);
    world.pass(minutes * 60_000);
    world.network.offers().await.unwrap()
}

#[tokio::test]
async fn one_seed_gives_the_same_offers_and_another_gives_others() {
    for build in [SimNetwork::cloud, SimNetwork::auction, SimNetwork::queue] {
        assert_eq!(offers(build, 1, 5).await, offers(build, 1, 5).await);
        assert_ne!(offers(build, 1, 5).await, offers(build, 2, 5).await);
    }
}

#[tokio::test]
async fn prices_move_slowly_but_do_move() {
    let micros = |offers: &[Offer]| offers.iter().map(|o| o.price.per_hour().micros()).collect::<Vec<_>>();
    let mut moved = false;
    let first = micros(&offers(SimNetwork::cloud, 1, 0).await);
    let mut last = first.clone();
    for minute in 1..120 {
        let now = micros(&offers(SimNetwork::cloud, 1, minute).await);
        for (before, after) in last.iter().zip(&now) {
            // A hundredth, and the 100 micro-dollars that prices are rounded to.
            assert!((before - after).abs() <= before / 100 + 100, "{before} to {after} in a minute");
        }
        moved |= now.iter().zip(&first).any(|(now, first)| (now - first).abs() > first / 50);
        last = now;
    }
    assert!(moved);
}

#[tokio::test]
async fn every_seed_has_something_for_a_plain_job_and_something_to_refuse() {
    let place = |o: &Offer| o.region.as_ref().map(|r| r.as_str()[..2].to_owned()).unwrap_or_default();
    for seed in 0..50 {
        let mut all = Vec::new();
        for build in [SimNetwork::cloud, SimNetwork::auction, SimNetwork::queue] {
            let offers = offers(build, seed, 0).await;
            let fits = |o: &&Offer| {
                o.hardware.cpus_milli >= 1_000
                    && o.hardware.memory_mib >= 1_024
                    && o.hardware.accelerators.is_none()
                    && o.price.per_hour() > Usd::ZERO
                    && o.stock != Some(0)
                    && place(o) != "AS"
            };
            assert!(offers.iter().filter(fits).count() > 0, "seed {seed} sells nothing plain");
            all.extend(offers);
        }
        assert!(all.iter().all(|o| o.simulated));
        assert!(all.iter().any(|o| o.price.per_hour() == Usd::ZERO));
        assert!(all.iter().any(|o| o.stock == Some(0)));
        assert!(all.iter().any(|o| o.hardware.cpus_milli < 1_000));
        assert!(all.iter().any(|o| place(o) == "AS"));
        assert!(all.iter().any(|o| o.hardware.accelerators.as_ref().is_some_and(|a| a.count == 8)));
        assert!(all.iter().any(|o| o.assurance > Assurance::Claimed));
    }
}

#[tokio::test]
async fn an_offer_without_a_price_cannot_be_bought() {
    let world = World::new(SimNetwork::cloud, Habits::default());
    let offers = world.network.offers().await.unwrap();
    let free = offers.iter().find(|o| o.price.per_hour() == Usd::ZERO).unwrap();
    let terms = waag_market::Terms {
        label: label(1),
        span: crate::common::SPAN,
        ceiling: free.price,
        job: [7; 32],
        boot: waag_market::Boot::new(Vec::new()),
    };
    assert_eq!(world.network.prepare(free, &terms).await.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(free.quote.amount, "unknown");
}
