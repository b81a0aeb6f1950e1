//! Offers gathered: a cache with an age, asked for again every `offers_every`. It survives a crash by being asked for
//! again; a network that cannot be asked keeps its last offers until they are stale.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Millis, NetworkName, Offer, Timestamp, chain};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use market::Network;
use policy::learning::history::sum_up;
use policy::learning::reputation::Rules;
use policy::objective::Knowledge;

use crate::context::Context;
use crate::pace::Pace;
use crate::{Error, Reconciler};

/// What happened is summed up anew after this long.
const LEARN_EVERY: Millis = Millis::from_secs(60);
/// What happened longer ago, 90 days, says nothing any more.
const REMEMBERED_MS: i64 = 90 * 24 * 3_600_000;
/// And of all that, the newest leases.
const RECORDS_MAX: u32 = 20_000;

/// The latest offers of every network.
#[derive(Default)]
pub(crate) struct Catalogue {
    offers: BTreeMap<NetworkName, Vec<Offer>>,
    unreachable: BTreeMap<NetworkName, String>,
    version: u64,
    refreshed: Pace,
    /// What happened on each network, as far as the objective of a plan depends on it.
    knowledge: Arc<Knowledge>,
    learned: Pace,
}

impl Catalogue {
    pub(crate) fn all(&self) -> Vec<Offer> {
        self.offers.values().flatten().cloned().collect()
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// What is known beside the offers.
    pub(crate) fn knowledge(&self) -> Arc<Knowledge> {
        Arc::clone(&self.knowledge)
    }

    pub(crate) const fn unreachable(&self) -> &BTreeMap<NetworkName, String> {
        &self.unreachable
    }
}

pub(crate) struct Offers(pub(crate) Arc<Context>);

impl Offers {
    pub(crate) async fn refresh(&self, now: Timestamp) {
        let networks = self.0.registry.iter();
        let mut asked: FuturesUnordered<_> = networks.map(|network| self.ask(network.as_ref())).collect();
        while asked.next().await.is_some() {}
        drop(asked);
        let offers = {
            let mut catalogue = self.0.catalogue();
            catalogue.refreshed.mark(now);
            catalogue.all()
        };
        self.0.brokers().see(&offers, now);
        self.0.changed();
    }

    /// Sums up what became of leases.
    async fn learn(&self, now: Timestamp) -> Result<(), Error> {
        let since = Timestamp(now.0.saturating_sub(REMEMBERED_MS));
        let records = self.0.store.lease_records(since, RECORDS_MAX).await?;
        let knowledge = Arc::new(sum_up(&records, &Rules::default(), now));
        let mut catalogue = self.0.catalogue();
        catalogue.knowledge = knowledge;
        catalogue.learned.mark(now);
        Ok(())
    }

    /// Asks one network.
    pub(crate) async fn ask(&self, network: &dyn Network) {
        let answer = network.offers().await;
        let name = network.name().clone();
        let mut catalogue = self.0.catalogue();
        match answer {
            Ok(offers) => {
                catalogue.unreachable.remove(&name);
                catalogue.offers.insert(name, offers);
            }
            Err(error) => {
                catalogue.unreachable.insert(name, chain(&error));
            }
        }
        catalogue.version += 1;
    }
}

#[async_trait]
impl Reconciler for Offers {
    fn name(&self) -> &'static str {
        "offers"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let every = self.0.config.offers_every;
        let ahead = self.0.catalogue().refreshed.ahead(now, every);
        if self.0.catalogue().learned.ahead(now, LEARN_EVERY).is_none() {
            self.learn(now).await?;
        }
        if ahead.is_none() {
            self.refresh(now).await;
        }
        Ok(Some(ahead.unwrap_or(now + every)))
    }
}
