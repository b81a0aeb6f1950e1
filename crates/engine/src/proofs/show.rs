//! Proofs as they are shown.

use domain::{ExecutionId, LeaseId, ProofState};
use evidence::{deterrence, drawn_segments};
use store::{ProofRow, Requested};
use wire::agent::hex_of;
use wire::proof::{ProofDoc, drawn_from_text};

use crate::Error;
use crate::context::Context;

impl Context {
    /// How the work of an execution on this lease was checked, once that is decided.
    pub(crate) async fn proof_doc(
        &self,
        execution: ExecutionId,
        lease: LeaseId,
    ) -> Result<Option<ProofDoc>, Error> {
        let row = self.store.proof_get(execution).await?.filter(|row| row.lease == lease);
        Ok(row.as_ref().map(doc_of))
    }
}

fn doc_of(row: &ProofRow) -> ProofDoc {
    let (verdict, reason) = match row.state {
        ProofState::Concluded(verdict) => (Some(verdict.code().to_owned()), None),
        ProofState::Unchecked(reason) => (None, Some(reason.code().to_owned())),
        ProofState::Awaited | ProofState::Requested | ProofState::Open => (None, None),
    };
    let asked = row.request.as_ref();
    let seed: Option<[u8; 32]> = row.outcome.seed.as_deref().and_then(|seed| seed.try_into().ok());
    let drawn = match (asked, seed) {
        (Some(asked), Some(seed)) => drawn_segments(&seed, asked.segments, asked.sample),
        _ => Vec::new(),
    };
    ProofDoc {
        state: row.state.code().to_owned(),
        verdict,
        reason,
        root: asked.map(|asked| hex_of(&asked.root)),
        leaf_count: asked.map(|asked| asked.leaf_count),
        segments: asked.map_or(0, |asked| asked.segments),
        validators: drawn_from_text(&row.outcome.drawn),
        seed: row.outcome.seed.as_deref().map(hex_of),
        notary_id: row.outcome.notary_id.as_deref().map(hex_of),
        fee_usd: row.outcome.fee_paid,
        slashed_usd: row.outcome.slashed,
        compensated_usd: row.outcome.compensated,
        miss_probability: asked.filter(|_| !drawn.is_empty()).map(miss),
        drawn,
    }
}

/// The chance that none of the drawn segments is wrong although half of all are, wherever they lie: the first and the last are
/// always drawn, so that a cheat spares them.
fn miss(asked: &Requested) -> f64 {
    let between = asked.segments.saturating_sub(2);
    let faked = asked.segments / 2;
    if faked > between {
        return 0.0;
    }
    1.0 - deterrence::detection(between, faked, asked.sample)
}
