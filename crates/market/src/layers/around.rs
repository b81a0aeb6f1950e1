//! What makes a layer a network: every call goes through one place.

use std::future::Future;

use async_trait::async_trait;
use domain::{Label, Millis, NetworkName, Offer};

use crate::{
    Balance, Capability, Error, Intent, Introduction, Listed, Network, Observation, Operation, Terms,
};

/// Behaviour around the calls to a network. Whatever has it is a network itself, of the same name and abilities.
pub(super) trait Around: Send + Sync {
    /// The network inside.
    fn inner(&self) -> &dyn Network;

    /// Makes a call to the network inside: not at all, once, or again where the operation may be repeated.
    fn call<T, F>(
        &self,
        operation: Operation,
        call: impl Fn() -> F + Send + Sync,
    ) -> impl Future<Output = Result<T, Error>> + Send
    where
        T: Send,
        F: Future<Output = Result<T, Error>> + Send;
}

#[async_trait]
impl<L: Around> Network for L {
    fn name(&self) -> &NetworkName {
        self.inner().name()
    }

    fn capability(&self) -> Capability {
        self.inner().capability()
    }

    async fn offers(&self) -> Result<Vec<Offer>, Error> {
        self.call(Operation::Offers, || self.inner().offers()).await
    }

    async fn prepare(&self, offer: &Offer, terms: &Terms) -> Result<Intent, Error> {
        self.call(Operation::Prepare, || self.inner().prepare(offer, terms)).await
    }

    async fn submit(&self, intent: &Intent) -> Result<(), Error> {
        self.call(Operation::Submit, || self.inner().submit(intent)).await
    }

    async fn observe(&self, label: &Label) -> Result<Observation, Error> {
        self.call(Operation::Observe, || self.inner().observe(label)).await
    }

    async fn list_ours(&self) -> Result<Vec<Listed>, Error> {
        self.call(Operation::ListOurs, || self.inner().list_ours()).await
    }

    async fn extend(&self, label: &Label, span: Millis) -> Result<(), Error> {
        self.call(Operation::Extend, || self.inner().extend(label, span)).await
    }

    async fn release(&self, label: &Label) -> Result<Observation, Error> {
        self.call(Operation::Release, || self.inner().release(label)).await
    }

    async fn balance(&self) -> Result<Balance, Error> {
        self.call(Operation::Balance, || self.inner().balance()).await
    }

    async fn vouches(&self, label: &Label, introduction: &Introduction) -> Result<bool, Error> {
        self.call(Operation::Vouch, || self.inner().vouches(label, introduction)).await
    }
}
