//! Offers gathered: a cache with an age, asked for again every `offers_every`. It survives a crash by being asked for
//! again; a network that cannot be asked keeps its last offers until they are stale.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{NetworkName, Offer, Timestamp, chain};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use market::Network;

use crate::context::Context;
use crate::pace::Pace;
use crate::{Error, Reconciler};

/// The latest offers of every network.
#[derive(Default)]
pub(crate) struct Catalogue {
    offers: BTreeMap<NetworkName, Vec<Offer>>,
    unreachable: BTreeMap<NetworkName, String>,
    version: u64,
    refreshed: Pace,
}

impl Catalogue {
    pub(crate) fn all(&self) -> Vec<Offer> {
        self.offers.values().flatten().cloned().collect()
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
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
        self.0.catalogue().refreshed.mark(now);
        self.0.changed();
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
        if ahead.is_none() {
            self.refresh(now).await;
        }
        Ok(Some(ahead.unwrap_or(now + every)))
    }
}
