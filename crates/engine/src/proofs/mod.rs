//! Proofs: the work of an execution is checked by validators that are drawn after its provider has committed to it, and its
//! settlement waits for the verdict.
//!
//! - `canary.rs`: what our own provider planted is shown.
//! - `check.rs`: whether and how a lease's work is checked.
//! - `refute.rs`: what did not pass is not built upon.
//! - `openings.rs`: serves drawn validators.
//! - `show.rs`: proofs as they are shown.
//!
//! The request is stored, its fee held, before it is sent; the same request is the same proof, so it may be sent again.

mod canary;
mod check;
mod openings;
mod refute;
mod show;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Label, ProofState, RetryStatus, Timestamp, Unchecked, chain};
use market::{Error as MarketError, Notary, Proof, ProofPhase, ProofRequest};
use store::{LeaseRow, ProofChange, ProofOutcome, ProofRow, Requested};
use wire::proof::DrawnDoc;

pub(crate) use check::Check;
pub(crate) use openings::{Openings, leaves_of};
pub(crate) use refute::{refuted, set_back};

use crate::context::Context;
use crate::{Config, Error, Reconciler};

pub(crate) struct Proofs(pub(crate) Arc<Context>);

impl Proofs {
    async fn advance(&self, row: &ProofRow, now: Timestamp) -> Result<(), Error> {
        let lease = self.0.store.lease_get(row.lease).await?;
        let lease = lease.ok_or_else(|| Error::Missing { what: "lease", of: row.execution.to_string() })?;
        match (row.state, &row.request, self.0.registry.notary()) {
            (ProofState::Awaited, _, _) => self.request(row, &lease, now).await,
            (ProofState::Requested, Some(asked), Some(notary)) => {
                self.open(row, &lease, asked, notary.as_ref(), now).await
            }
            (ProofState::Open, Some(asked), Some(notary)) => {
                self.follow(row, &lease, asked, notary.as_ref(), now).await
            }
            // The notary that was asked is not connected now; it may be after the next start.
            _ => self.look_again(row, row.tries + 1, now).await,
        }
    }

    async fn open(
        &self,
        row: &ProofRow,
        lease: &LeaseRow,
        asked: &Requested,
        notary: &dyn Notary,
        now: Timestamp,
    ) -> Result<(), Error> {
        let request = self.asked_of(lease, asked).await?;
        self.0.reached("proof.open.before")?;
        let opened = notary.open(&request).await;
        self.0.reached("proof.open.after")?;
        match opened {
            Ok(proof) => {
                let change = ProofChange {
                    state: Some(ProofState::Open),
                    outcome: Some(outcome_of(&proof)),
                    tries: Some(0),
                    due_at: Some(now),
                    ..ProofChange::default()
                };
                let mut tx = self.0.store.begin().await?;
                if tx.proof_change(row, change, now).await? {
                    let body = format!("{{\"notary_id\":\"{}\"}}", wire::agent::hex_of(&proof.id));
                    tx.outbox_add(now, "proof.opened", &row.execution.to_string(), &body).await?;
                    tx.commit().await?;
                }
                Ok(())
            }
            Err(error)
                if error.status == RetryStatus::Permanent
                    && now.since(row.created_at) > self.0.config.proof_patience =>
            {
                self.give_up(row, lease, &error, now).await
            }
            Err(error) => self.not_done(row, &error, now).await,
        }
    }

    /// Nothing of it is under way, so what was held for it goes back when the lease is settled.
    async fn give_up(
        &self,
        row: &ProofRow,
        lease: &LeaseRow,
        error: &MarketError,
        now: Timestamp,
    ) -> Result<(), Error> {
        let state = ProofState::Unchecked(Unchecked::NotOpened);
        let change = ProofChange { state: Some(state), ..ProofChange::default() };
        let text = format!("the work on lease {} is not checked: {}", lease.id, chain(error));
        let mut tx = self.0.store.begin().await?;
        if tx.proof_change(row, change, now).await? {
            tx.alert_raise(now, "work_unchecked", &lease.id.to_string(), &text).await?;
            tx.lease_settle_at(lease.id, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn follow(
        &self,
        row: &ProofRow,
        lease: &LeaseRow,
        asked: &Requested,
        notary: &dyn Notary,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut request = self.asked_of(lease, asked).await?;
        request.planted = self.planted(row, lease, asked, notary).await?;
        match notary.advance(&request).await {
            Ok(Some(proof)) => self.shown(row, lease, &proof, now).await,
            // It was there when it was opened, so the chain has gone back and will take it again.
            Ok(None) => {
                let change = ProofChange {
                    state: Some(ProofState::Requested),
                    due_at: Some(now),
                    ..ProofChange::default()
                };
                let mut tx = self.0.store.begin().await?;
                tx.proof_change(row, change, now).await?;
                Ok(tx.commit().await?)
            }
            Err(error) => self.not_done(row, &error, now).await,
        }
    }

    /// Keeps what the notary shows, and concludes with it.
    async fn shown(
        &self,
        row: &ProofRow,
        lease: &LeaseRow,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<(), Error> {
        let outcome = outcome_of(proof);
        let verdict = proof.verdict.filter(|_| proof.phase == ProofPhase::Concluded);
        let Some(verdict) = verdict else {
            let change = ProofChange {
                outcome: Some(outcome),
                tries: Some(0),
                due_at: Some(now + self.0.config.escrow_every),
                ..ProofChange::default()
            };
            let mut tx = self.0.store.begin().await?;
            tx.proof_change(row, change, now).await?;
            return Ok(tx.commit().await?);
        };
        self.0.reached("proof.conclude.before")?;
        let mut tx = self.0.store.begin().await?;
        let state = ProofState::Concluded(verdict);
        let body = format!(
            "{{\"verdict\":\"{}\",\"fee_paid_usd\":\"{}\",\"slashed_usd\":\"{}\"}}",
            verdict.code(),
            outcome.fee_paid,
            outcome.slashed
        );
        let change = ProofChange { state: Some(state), outcome: Some(outcome), ..ProofChange::default() };
        if tx.proof_change(row, change, now).await? {
            tx.outbox_add(now, "proof.concluded", &row.execution.to_string(), &body).await?;
            if state.is_refuted() {
                refute::go_back(&mut tx, row, verdict, now).await?;
            }
            tx.lease_settle_at(lease.id, now).await?;
            tx.commit().await?;
        }
        self.0.reached("proof.conclude.after")?;
        openings::forget_states(&self.0, row).await
    }

    /// The request as the notary takes it.
    async fn asked_of(&self, lease: &LeaseRow, asked: &Requested) -> Result<ProofRequest, Error> {
        let job = self.0.job(lease.job).await?;
        let malformed = || Error::Missing { what: "root", of: lease.id.to_string() };
        let root = asked.root.as_slice().try_into().map_err(|_| malformed())?;
        Ok(ProofRequest {
            network: lease.network.clone(),
            label: Label::of(lease.id),
            execution: lease.execution,
            job_hash: crate::jobs::hash_of(&job),
            commitment: market::Commitment { root, leaf_count: asked.leaf_count },
            signature: asked.signature.clone(),
            segments: asked.segments,
            sample: asked.sample,
            validators: asked.validators,
            fee: asked.fee,
            url: self.0.agent_url.clone(),
            pin: self.0.keys.tls().pin().to_string(),
            planted: None,
        })
    }

    async fn not_done(&self, row: &ProofRow, error: &MarketError, now: Timestamp) -> Result<(), Error> {
        tracing::info!(execution = %row.execution, error = %chain(error), "a proof is to be looked at again");
        self.look_again(row, row.tries.saturating_add(1), now).await
    }

    async fn look_again(&self, row: &ProofRow, tries: u32, now: Timestamp) -> Result<(), Error> {
        let due_at = now + self.0.backoff(tries);
        let change = ProofChange { tries: Some(tries), due_at: Some(due_at), ..ProofChange::default() };
        let mut tx = self.0.store.begin().await?;
        tx.proof_change(row, change, now).await?;
        Ok(tx.commit().await?)
    }
}

fn outcome_of(proof: &Proof) -> ProofOutcome {
    let drawn: Vec<DrawnDoc> = proof.drawn.iter().map(drawn_doc).collect();
    ProofOutcome {
        notary_id: Some(proof.id.to_vec()),
        seed: proof.seed.map(|seed| seed.to_vec()),
        drawn: wire::proof::drawn_to_text(&drawn),
        fee_paid: proof.fee_paid,
        slashed: proof.slashed,
        compensated: proof.compensated,
        gas: proof.gas,
        txs: proof.txs.clone(),
    }
}

fn drawn_doc(drawn: &market::Drawn) -> DrawnDoc {
    DrawnDoc {
        validator: drawn.validator.clone(),
        finding: drawn.finding.map(|finding| finding.code().to_owned()),
        result: drawn.result.map(|result| wire::agent::hex_of(&result)),
    }
}

#[async_trait]
impl Reconciler for Proofs {
    fn name(&self) -> &'static str {
        "proofs"
    }

    async fn tick(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let due = self.0.store.proof_list_due(now, Config::BATCH).await?;
        for row in &due {
            self.advance(row, now).await?;
        }
        if !due.is_empty() {
            self.0.changed();
        }
        Ok(self.0.store.proof_next_due().await?)
    }
}
