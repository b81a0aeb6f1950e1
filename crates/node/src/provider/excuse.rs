//! States that validators say are kept back: the consumer's word that it had them, shown in time, excuses the provider, which is paid
//! then.

use chain::B256;
use chain::market::ReadError;
use chain::notary::{Notary, NotaryEvent, Phase, Request};
use wire::agent::bytes_of;

use super::Provider;
use super::error::ProviderError;
use super::state::{SeenLease, label_of};

/// Pages of the notary's events that are looked through for one proof.
const PAGES_MAX: usize = 1_000;

/// What excuses the provider of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excuse {
    /// As it was opened.
    pub(crate) request: Request,
    /// The consumer's word for the root.
    pub(crate) word: Vec<u8>,
}

/// The notary that judges leases of a market, where there is one.
pub(super) async fn judge_of(market: &chain::market::Market) -> Result<Option<Notary>, ReadError> {
    match Notary::open(market.provider().clone(), market.verifier().await?).await {
        Ok(notary) => Ok(Some(notary)),
        Err(ReadError::NoNotary { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Provider {
    /// What can be shown for a lease whose states are said to be kept back. `None` where nobody says so, and where there is no
    /// word.
    pub(super) async fn excuse(
        &self,
        lease: B256,
        seen: &SeenLease,
    ) -> Result<Option<Excuse>, ProviderError> {
        let Some(notary) = &self.notary else { return Ok(None) };
        let Some(id) = notary.proof_of(seen.order.consumer, lease).await? else { return Ok(None) };
        let found = notary.proof(id).await?;
        if !found.is_some_and(|proof| proof.phase == Phase::Excusing && !proof.excused) {
            return Ok(None);
        }
        let Some(request) = self.opened(notary, seen.block, id).await? else { return Ok(None) };
        let left = self
            .left(&label_of(lease))
            .filter(|left| bytes_of(&left.commitment.root) == Some(request.root.0));
        let word = left.and_then(|left| bytes_of::<65>(&left.acknowledgement?));
        if word.is_none() {
            tracing::warn!(%lease, "its states are said to be kept back, and the consumer's word for them is missing");
        }
        Ok(word.map(|word| Excuse { request, word: word.to_vec() }))
    }

    /// The request of a proof, which the notary tells once, as it is opened.
    async fn opened(&self, notary: &Notary, from: u64, id: B256) -> Result<Option<Request>, ProviderError> {
        let follower = notary.follower(from, 0, &NotaryEvent::CALLING);
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            let page = follower.page(cursor.as_ref()).await?;
            let events = notary.events(&page.events).await?;
            let found = events.into_iter().find_map(|happened| match happened.event {
                NotaryEvent::ProofOpened { proof, request, .. } if proof == id => Some(request),
                _ => None,
            });
            if found.is_some() || page.at_head {
                return Ok(found);
            }
            cursor = Some(page.cursor);
        }
        Ok(None)
    }
}
