//! What stands on the chain about the work of a lease.

use async_trait::async_trait;
use domain::Label;
use market::{Committed, Error, Notary, Operation};

use crate::WaagNetwork;
use crate::index::Index;

#[async_trait]
impl Notary for WaagNetwork {
    async fn commitment(&self, label: &Label) -> Result<Option<Committed>, Error> {
        let commitment = |index: &Index| index.of(label).and_then(|lease| lease.commitment);
        self.with_index(Operation::Escrow, commitment).await
    }
}
