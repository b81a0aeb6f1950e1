//! The chain, the folder and the replays as one view.

use super::Validator;
use super::decide::{OnChain, ProofView, View};
use super::error::ValidatorError;

/// Pages of events in one tick; what is left comes in the next.
const PAGES_MAX: usize = 20;
/// A cursor alone is written only after so many blocks: reading a few again costs less than a write for each block.
const BLOCKS_UNSAVED_MAX: u64 = 200;

impl Validator {
    /// Takes the events since the last look, with their cursor. Whether that was all of them.
    pub(super) async fn follow(&mut self) -> Result<bool, ValidatorError> {
        for _ in 0..PAGES_MAX {
            let page = self.follower.page(self.state.cursor.as_ref()).await?;
            let opened = self.link.opened(&page).await?;
            self.unsaved |= !opened.is_empty() || page.undo_from.is_some();
            self.state.absorb(&page, opened);
            if self.unsaved || page.cursor.number >= self.saved_block.saturating_add(BLOCKS_UNSAVED_MAX) {
                self.save()?;
            }
            if page.at_head {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) async fn look(&mut self) -> Result<View, ValidatorError> {
        let me = self.address();
        // Deadlines are the chain's, and so is the clock that they are held against.
        let now = self.link.next_time().await?;
        let mut proofs = Vec::with_capacity(self.state.proofs.len());
        for (id, seen) in &self.state.proofs {
            let on_chain: Option<OnChain> = self.link.proof(*id, me).await?;
            proofs.push(ProofView {
                id: *id,
                on_chain,
                word: seen.word,
                replay: self.replays.look(*id).await,
            });
        }
        Ok(View {
            now,
            block: self.link.next_block().await?,
            purse: self.link.purse(me).await?,
            seat: self.link.seat(me).await?,
            proofs,
            leaving: self.folder.is_leaving(),
            window: self.link.finding_window(),
        })
    }
}
