//! The chain, the machine and the folder as one view.

use std::fs::File;
use std::io::Read;

use chain::B256;
use chain::market::{State, signer_of};
use domain::Label;
use wire::agent::{Left, bytes_of};

use super::Provider;
use super::decide::{Agent, LeaseView, Signed, View};
use super::error::ProviderError;
use super::state::{SeenLease, label_of};

/// Pages of events in one tick; what is left comes in the next.
const PAGES_MAX: usize = 20;
const COMMITMENT_BYTES_MAX: u64 = 4 * 1024;
/// A cursor alone is written only after so many blocks: reading a few again costs less than a write for each block.
const BLOCKS_UNSAVED_MAX: u64 = 200;

impl Provider {
    /// Takes the events since the last look, with their cursor. Whether that was all of them.
    pub(super) async fn follow(&mut self) -> Result<bool, ProviderError> {
        for _ in 0..PAGES_MAX {
            let page = self.follower.page(self.state.cursor.as_ref()).await?;
            let events = self.market.events(&page.events).await?;
            let before = (self.state.offers.clone(), self.state.leases.clone());
            self.state.absorb(self.address(), &page, events);
            let same = before == (self.state.offers.clone(), self.state.leases.clone());
            self.unsaved |= !same || page.undo_from.is_some();
            if self.unsaved || page.cursor.number >= self.saved_block.saturating_add(BLOCKS_UNSAVED_MAX) {
                self.save()?;
            }
            if page.at_head {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) async fn look(&self) -> Result<View, ProviderError> {
        let me = self.address();
        // Deadlines are the chain's, and so is the clock that they are held against.
        let now = self.market.next_time().await?;
        let ids: Vec<B256> = self.state.leases.keys().copied().collect();
        let on_chain = self.market.leases(&ids).await?;
        let mut leases = Vec::with_capacity(ids.len());
        for ((id, seen), on_chain) in self.state.leases.iter().zip(on_chain) {
            let label = label_of(*id);
            let label_taken = self.state.leases.keys().any(|other| other != id && label_of(*other) == label);
            let is_judged =
                on_chain.is_some_and(|lease| matches!(lease.state, State::Committed | State::Disputed));
            let excuse = if is_judged { self.excuse(*id, seen).await? } else { None };
            leases.push(LeaseView {
                id: *id,
                order: seen.order.clone(),
                has_contact: seen.contact.is_some(),
                label_taken,
                on_chain,
                agent: self.agent(&label, seen).await,
                start_failures: seen.start_failures,
                refused: seen.refused.is_some(),
                signed: self.signed(*id, &label),
                excuse,
            });
        }
        Ok(View {
            now,
            me,
            account: self.market.account(me).await?,
            tokens: self.market.token_balance(me).await?,
            allowance: self.market.token_allowance(me).await?,
            offers: self.state.offers.iter().map(|(id, offer)| (*id, offer.clone())).collect(),
            leases,
            draining: self.folder.is_draining(),
            withdrawal: self.folder.withdrawal(),
        })
    }

    async fn agent(&self, label: &Label, seen: &SeenLease) -> Agent {
        let Some(machine) = seen.agent else {
            return if seen.starting { Agent::Unsure } else { Agent::None };
        };
        match self.machine.find(label, machine).await {
            Ok(true) => Agent::Alive,
            Ok(false) => Agent::Gone,
            // What cannot be looked at counts as living: to be killed first when its lease is over.
            Err(error) => {
                tracing::warn!(%label, error = domain::chain(&error), "an agent cannot be looked at");
                Agent::Alive
            }
        }
    }

    /// What the lease's agent left.
    pub(super) fn left(&self, label: &Label) -> Option<Left> {
        let file = File::open(self.folder.commitment(label)).ok()?;
        let mut text = Vec::new();
        file.take(COMMITMENT_BYTES_MAX).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The last root of the lease's agent, if the agent signed it for this lease.
    fn signed(&self, lease: B256, label: &Label) -> Option<Signed> {
        let said = self.left(label)?.commitment;
        let root = B256::from(bytes_of(&said.root)?);
        let signature = hex::decode(said.signature.strip_prefix("0x")?).ok()?;
        let agent = self.folder.agent_key(label, self.entropy.as_ref()).ok()?.address();
        let digest = self.market.digests().commitment(lease, root, said.leaf_count);
        let genuine = signer_of(digest, &signature) == Some(agent) && said.leaf_count > 0;
        genuine.then_some(Signed { root, leaf_count: said.leaf_count })
    }
}
