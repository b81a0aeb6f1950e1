//! A provider of our own may plant a state by which validators are tried. What it planted lies in a folder that the configuration
//! names, by lease; it is shown to the notary once they have spoken, if its segment was drawn.

use domain::{Label, chain};
use evidence::{Canary, Leaf, drawn_segments};
use market::{Notary, PlantedLeaf};
use store::{LeaseRow, ProofRow, Requested};
use wire::agent::{CanaryDoc, bytes_of, hex_of};

use super::Proofs;
use super::openings::Work;
use crate::Error;

impl Proofs {
    /// What was planted in the work of a lease, with its way to the root. `None` where nothing was, or where it was not drawn.
    pub(super) async fn planted(
        &self,
        row: &ProofRow,
        lease: &LeaseRow,
        asked: &Requested,
        notary: &dyn Notary,
    ) -> Result<Option<PlantedLeaf>, Error> {
        let seed = row.outcome.seed.as_deref().and_then(|seed| <[u8; 32]>::try_from(seed).ok());
        let (Some(folder), Some(seed)) = (&self.0.config.canaries, seed) else { return Ok(None) };
        let subject = match notary.subject(&lease.network, &Label::of(lease.id)).await {
            Ok(subject) => subject,
            Err(error) => {
                tracing::info!(lease = %lease.id, error = %chain(&error), "the notary cannot name a lease now");
                None
            }
        };
        let Some(subject) = subject else { return Ok(None) };
        let Ok(text) = tokio::fs::read(folder.join(format!("{}.json", hex_of(&subject.lease)))).await else {
            return Ok(None);
        };
        let canary = serde_json::from_slice::<CanaryDoc>(&text).ok().and_then(|doc| {
            Some(Canary { salt: bytes_of(&doc.salt)?, index: doc.index, position: doc.position })
        });
        let Some(canary) = canary else {
            tracing::warn!(lease = %lease.id, "what was planted in its work cannot be read");
            return Ok(None);
        };
        let segment = canary.position.wrapping_sub(1);
        if !drawn_segments(&seed, asked.segments, asked.sample).contains(&segment) {
            return Ok(None);
        }
        self.way_of(row, asked, &canary).await
    }

    async fn way_of(
        &self,
        row: &ProofRow,
        asked: &Requested,
        canary: &Canary,
    ) -> Result<Option<PlantedLeaf>, Error> {
        let job = self.0.job(row.job).await?;
        let Some(execution) = self.0.store.execution_get(row.execution).await? else { return Ok(None) };
        let claims = self.0.store.claim_list(row.lease, asked.leaf_count).await?;
        let hash = crate::jobs::hash_of(&job);
        let leaf = Leaf::state(canary.index, canary.digest()).hash(&hash);
        let siblings =
            Work::of(&execution, asked, &claims, &hash).and_then(|work| work.way_of(&leaf, canary.position));
        let Canary { salt, index, position } = *canary;
        Ok(siblings.map(|siblings| PlantedLeaf { salt, index, position, siblings }))
    }
}
