//! The connected networks by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::NetworkName;

use crate::{Escrow, Network, Notary};

/// All connected networks. The one place where a network's type is erased.
#[derive(Clone, Default)]
pub struct Registry {
    networks: BTreeMap<NetworkName, Arc<dyn Network>>,
    escrows: BTreeMap<NetworkName, Arc<dyn Escrow>>,
    notary: Option<Arc<dyn Notary>>,
}

impl Registry {
    /// A registry of these networks; of two with one name the later stays.
    pub fn new(networks: impl IntoIterator<Item = Arc<dyn Network>>) -> Self {
        let networks = networks.into_iter().map(|n| (n.name().clone(), n)).collect();
        Self { networks, escrows: BTreeMap::new(), notary: None }
    }

    /// The same, with the escrow of one of its networks.
    #[must_use]
    pub fn with_escrow(mut self, network: NetworkName, escrow: Arc<dyn Escrow>) -> Self {
        self.escrows.insert(network, escrow);
        self
    }

    /// The same, with the notary for leases of all networks.
    #[must_use]
    pub fn with_notary(mut self, notary: Arc<dyn Notary>) -> Self {
        self.notary = Some(notary);
        self
    }

    /// The notary; `None` where nobody can have work checked.
    pub const fn notary(&self) -> Option<&Arc<dyn Notary>> {
        self.notary.as_ref()
    }

    /// The escrow of the network with this name; `None` where the network bills us.
    pub fn escrow(&self, name: &NetworkName) -> Option<&Arc<dyn Escrow>> {
        self.escrows.get(name)
    }

    /// All escrows, by the name of their network.
    pub fn escrows(&self) -> impl Iterator<Item = (&NetworkName, &Arc<dyn Escrow>)> {
        self.escrows.iter()
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
