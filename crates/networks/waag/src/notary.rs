//! What stands on the chain about the work of a lease.

use async_trait::async_trait;
use domain::Label;
use market::{Commitment, Committed, Error, Notary, Operation};

use crate::WaagNetwork;
use crate::error::of_read;

#[async_trait]
impl Notary for WaagNetwork {
    async fn commitment(&self, label: &Label) -> Result<Option<Committed>, Error> {
        let Some(found) = self.find(Operation::Escrow, label).await? else { return Ok(None) };
        let (leaf_count, at) = (found.lease.leaf_count, found.record.committed_at);
        let Some(at) = at.filter(|_| leaf_count > 0) else { return Ok(None) };
        let root = self.market.root_of(found.record.id).await;
        let root = root.map_err(|e| of_read(e).in_call(&self.name, Operation::Escrow))?;
        Ok(Some(Committed { commitment: Commitment { root: root.0, leaf_count }, at }))
    }
}
