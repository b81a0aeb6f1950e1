//! This network is held to what every network is held to.

use std::sync::Arc;

use async_trait::async_trait;
use chain::market::State;
use domain::{Clock, Millis, Timestamp};
use market::conformance::{self, CaseOutcome, Subject};
use market::{Boot, Network};

use crate::common::{Scene, boot, root};

struct Waag(Scene);

impl Waag {
    /// The provider takes every order, and commits to what has ended.
    async fn provide(&self) {
        let calls = self.0.calls();
        for (_, lease, order) in self.0.orders().await {
            let found = self.0.market.lease(lease).await.unwrap().unwrap();
            let call = match found.state {
                State::Open if self.0.now() <= found.deadline => calls.accept(&order),
                State::Ended => calls.commit(&order, root(), 1),
                _ => continue,
            };
            self.0.provider.send(&call).await;
        }
    }
}

#[async_trait]
impl Subject for Waag {
    fn network(&self) -> Arc<dyn Network> {
        Arc::<waag_network::WaagNetwork>::clone(&self.0.network)
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    async fn pass(&mut self, time: Millis) {
        self.0.clock.pass(time);
        self.0.mine();
        self.provide().await;
    }

    async fn restart(&mut self) -> bool {
        self.0.restart();
        true
    }

    fn boot(&self) -> Boot {
        boot()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_market_conforms() {
    let mut waag = Waag(Scene::new().await);
    let results = conformance::run(&mut waag).await;
    let failed: Vec<_> = results.iter().filter(|r| matches!(r.outcome, CaseOutcome::Failed(_))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let left_out: Vec<_> =
        results.iter().filter(|r| r.outcome != CaseOutcome::Passed).map(|r| r.name).collect();
    let auctions = [
        "no_bid_exceeds_the_ceiling",
        "bids_are_firm_and_come_within_the_window",
        "a_request_nobody_accepts_costs_nothing",
    ];
    assert_eq!(left_out, auctions, "it passes by leaving cases out");
}
