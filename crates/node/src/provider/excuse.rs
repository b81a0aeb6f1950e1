//! States that validators say are kept back: the consumer's receipts for them, shown in time, excuse the provider, which is paid then.

use std::fs::File;
use std::io::Read;

use chain::B256;
use chain::market::ReadError;
use chain::notary::{Notary, NotaryEvent, Phase, Receipt, Request};
use domain::Label;
use evidence::{Tree, drawn_segments, tree};
use wire::agent::{RECEIPTS_FILE, ReceiptDoc, bytes_of};

use super::Provider;
use super::error::ProviderError;
use super::state::{SeenLease, label_of};

/// Pages of the notary's events that are looked through for one proof.
const PAGES_MAX: usize = 1_000;
/// More than the longest job leaves.
const RECEIPTS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What excuses the provider of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excuse {
    /// As it was opened.
    pub(crate) request: Request,
    /// For each leaf that a drawn segment begins or ends with, in order.
    pub(crate) receipts: Vec<Receipt>,
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
    /// What can be shown for a lease whose states are said to be kept back. `None` where nobody says so, and where a receipt is
    /// missing.
    pub(super) async fn excuse(
        &self,
        lease: B256,
        seen: &SeenLease,
    ) -> Result<Option<Excuse>, ProviderError> {
        let Some(notary) = &self.notary else { return Ok(None) };
        let Some(id) = notary.proof_of(seen.order.consumer, lease).await? else { return Ok(None) };
        let found = notary.proof(id).await?.filter(|proof| proof.phase == Phase::Excusing && !proof.excused);
        let Some(seed) = found.and_then(|proof| proof.seed) else { return Ok(None) };
        let Some(request) = self.opened(notary, seen.block, id).await? else { return Ok(None) };
        let Some(receipts) = self.receipts(&label_of(lease), &request, &seed.0) else {
            tracing::warn!(%lease, "its states are said to be kept back, and receipts for them are missing");
            return Ok(None);
        };
        Ok(Some(Excuse { request, receipts }))
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

    /// Receipts for all leaves of the drawn segments, each with its way to the root.
    fn receipts(&self, label: &Label, request: &Request, seed: &[u8; 32]) -> Option<Vec<Receipt>> {
        let kept = self.kept(label)?;
        let kept = kept.get(..usize::try_from(request.leaf_count).ok()?)?;
        let leaves = kept.iter().map(|receipt| bytes_of(&receipt.leaf)).collect::<Option<Vec<[u8; 32]>>>()?;
        let mut grown = Tree::default();
        leaves.iter().for_each(|leaf| grown.push(*leaf));
        if grown.root() != Some(request.root.0) {
            return None;
        }
        let mut places: Vec<u32> = drawn_segments(seed, request.segments, request.sample)
            .into_iter()
            .flat_map(|segment| [segment, segment + 1])
            .collect();
        places.dedup();
        places.into_iter().map(|place| receipt(kept, &leaves, usize::try_from(place).ok()?)).collect()
    }

    /// What the lease's agent left, by the places of the leaves.
    fn kept(&self, label: &Label) -> Option<Vec<ReceiptDoc>> {
        let file = File::open(self.folder.machines().join(label.as_str()).join(RECEIPTS_FILE)).ok()?;
        let mut text = String::new();
        file.take(RECEIPTS_BYTES_MAX).read_to_string(&mut text).ok()?;
        // An agent that was killed may leave half a line, and it is the last one.
        Some(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect())
    }
}

fn receipt(kept: &[ReceiptDoc], leaves: &[[u8; 32]], place: usize) -> Option<Receipt> {
    let ReceiptDoc { index, signature, .. } = kept.get(place)?;
    let signature: [u8; 65] = bytes_of(signature.as_deref()?)?;
    Some(Receipt {
        index: *index,
        leaf: B256::from(*leaves.get(place)?),
        siblings: tree::proof(leaves, place).into_iter().map(B256::from).collect(),
        signature: signature.to_vec(),
    })
}
