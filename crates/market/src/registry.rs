//! The connected networks by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::NetworkName;

use crate::Network;

/// All connected networks. The one place where a network's type is erased.
#[derive(Clone, Default)]
pub struct Registry {
    networks: BTreeMap<NetworkName, Arc<dyn Network>>,
}

impl Registry {
    /// A registry of these networks; of two with one name the later stays.
    pub fn new(networks: impl IntoIterator<Item = Arc<dyn Network>>) -> Self {
        Self { networks: networks.into_iter().map(|n| (n.name().clone(), n)).collect() }
    }

    /// The network with this name.
    pub fn get(&self, name: &NetworkName) -> Option<&Arc<dyn Network>> {
        self.networks.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Network>> {
        self.networks.values()
    }
}
