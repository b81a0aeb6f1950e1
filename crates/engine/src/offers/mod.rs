//! Offers gathered: a cache with an age, asked for again every `offers_every`. It survives a crash by being asked for
//! again; a network that cannot be asked keeps its last offers until they are stale.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{NetworkName, Offer, Timestamp, chain};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

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
        let mut calls: FuturesUnordered<_> = self
            .0
            .registry
            .iter()
            .map(|network| async move { (network.name(), network.offers().await) })
            .collect();
        while let Some((name, answer)) = calls.next().await {
            let mut catalogue = self.0.catalogue();
            match answer {
                Ok(offers) => {
                    catalogue.unreachable.remove(name);
                    catalogue.offers.insert(name.clone(), offers);
                }
                Err(error) => {
                    catalogue.unreachable.insert(name.clone(), chain(&error));
                }
            }
            catalogue.version += 1;
        }
        self.0.catalogue().refreshed.mark(now);
        self.0.changed();
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
