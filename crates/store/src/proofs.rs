//! Proofs: how the work of each execution is checked.

use domain::{
    ExecutionId, JobId, LeaseId, NetworkName, ProofState, ProviderName, Timestamp, Unchecked, Usd, Verdict,
};
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// A proof as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofRow {
    /// Of which execution.
    pub execution: ExecutionId,
    /// Of which job.
    pub job: JobId,
    /// On which lease.
    pub lease: LeaseId,
    /// Where it stands.
    pub state: ProofState,
    /// Rises with every change.
    pub generation: i64,
    /// What is asked for, from state `requested` on.
    pub request: Option<Requested>,
    /// What came of it so far.
    pub outcome: ProofOutcome,
    /// When the execution's lease had ended and the check was decided upon.
    pub created_at: Timestamp,
    /// When it was final.
    pub ended_at: Option<Timestamp>,
    /// Calls that failed in a row.
    pub tries: u32,
    /// When somebody should look at it next.
    pub due_at: Timestamp,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// The root that was committed to, 32 bytes.
    pub root: Vec<u8>,
    /// Leaves below it.
    pub leaf_count: u32,
    /// The agent's signature over both; empty where the notary has it.
    pub signature: Vec<u8>,
    /// Segments that it covers.
    pub segments: u32,
    /// Segments drawn beside the first and the last.
    pub sample: u32,
    /// Validators drawn.
    pub validators: u32,
    /// For one validator and one segment.
    pub fee: Usd,
    /// Held for all of it, within the hold of the lease.
    pub held: Usd,
}

/// What came of a proof.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProofOutcome {
    /// Its name at the notary, 32 bytes.
    pub notary_id: Option<Vec<u8>>,
    /// From which segments and validators follow, 32 bytes.
    pub seed: Option<Vec<u8>>,
    /// The drawn validators and what they said, as the caller writes it.
    pub drawn: String,
    /// Paid to validators.
    pub fee_paid: Usd,
    /// Taken from the provider's stake.
    pub slashed: Usd,
    /// What of it came to us.
    pub compensated: Usd,
    /// Units of gas that our own transactions used.
    pub gas: u64,
    /// Hashes of these transactions, oldest first.
    pub txs: Vec<String>,
}

/// A guarded change of a proof.
#[derive(Debug, Clone, Default)]
pub struct ProofChange {
    /// The new state; `None` keeps it.
    pub state: Option<ProofState>,
    /// What is asked for from now on.
    pub request: Option<Requested>,
    /// What came of it so far.
    pub outcome: Option<ProofOutcome>,
    /// Calls that failed in a row.
    pub tries: Option<u32>,
    /// When somebody should look next.
    pub due_at: Option<Timestamp>,
}

macro_rules! select {
    ($tail:literal) => {
        sqlx::query(concat!(
            "SELECT execution, job, lease, state, detail, generation, root, leaf_count, signature, segments, sample, validators, \
             fee, held, notary_id, seed, drawn, fee_paid, slashed, compensated, gas, txs, created_at, ended_at, tries, due_at \
             FROM proof ",
            $tail
        ))
    };
}

fn state_of(c: &Columns<'_>) -> Result<ProofState, Error> {
    let (state, detail) = (c.text("state")?, c.maybe_text("detail")?);
    match (state.as_str(), detail.as_deref()) {
        ("awaited", None) => Some(ProofState::Awaited),
        ("requested", None) => Some(ProofState::Requested),
        ("open", None) => Some(ProofState::Open),
        ("concluded", Some(verdict)) => Verdict::from_code(verdict).map(ProofState::Concluded),
        ("unchecked", Some(reason)) => Unchecked::from_code(reason).map(ProofState::Unchecked),
        _ => None,
    }
    .ok_or(Error::Unreadable { what: "proof state", value: state })
}

const fn detail_of(state: ProofState) -> Option<&'static str> {
    match state {
        ProofState::Concluded(verdict) => Some(verdict.code()),
        ProofState::Unchecked(reason) => Some(reason.code()),
        ProofState::Awaited | ProofState::Requested | ProofState::Open => None,
    }
}

fn proof_of(row: &SqliteRow) -> Result<ProofRow, Error> {
    let c = Columns(row);
    let request = match c.maybe_bytes("root")? {
        None => None,
        Some(root) => Some(Requested {
            root,
            leaf_count: c.count("leaf_count")?,
            signature: c.bytes("signature")?,
            segments: c.count("segments")?,
            sample: c.count("sample")?,
            validators: c.count("validators")?,
            fee: c.usd("fee")?,
            held: c.usd("held")?,
        }),
    };
    Ok(ProofRow {
        execution: c.parsed("execution")?,
        job: c.parsed("job")?,
        lease: c.parsed("lease")?,
        state: state_of(&c)?,
        generation: c.int("generation")?,
        request,
        outcome: ProofOutcome {
            notary_id: c.maybe_bytes("notary_id")?,
            seed: c.maybe_bytes("seed")?,
            drawn: c.text("drawn")?,
            fee_paid: c.usd("fee_paid")?,
            slashed: c.usd("slashed")?,
            compensated: c.usd("compensated")?,
            gas: c.size("gas")?,
            txs: c.text("txs")?.split_whitespace().map(ToOwned::to_owned).collect(),
        },
        created_at: c.time("created_at")?,
        ended_at: c.maybe_time("ended_at")?,
        tries: c.count("tries")?,
        due_at: c.time("due_at")?,
    })
}

impl Store {
    /// The proof of an execution's work.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn proof_get(&self, execution: ExecutionId) -> Result<Option<ProofRow>, Error> {
        let row = select!("WHERE execution = $1")
            .bind(execution.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("read a proof")?;
        row.as_ref().map(proof_of).transpose()
    }

    /// The proof with this name at the notary.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn proof_find(&self, notary_id: &[u8]) -> Result<Option<ProofRow>, Error> {
        let row = select!("WHERE notary_id = $1")
            .bind(notary_id)
            .fetch_optional(&self.read)
            .await
            .doing("find a proof")?;
        row.as_ref().map(proof_of).transpose()
    }

    /// The job's proofs, oldest first.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn proof_list(&self, job: JobId) -> Result<Vec<ProofRow>, Error> {
        let rows = select!("WHERE job = $1 ORDER BY created_at, execution")
            .bind(job.to_string())
            .fetch_all(&self.read)
            .await
            .doing("list proofs")?;
        rows.iter().map(proof_of).collect()
    }

    /// The verdicts on a provider's work, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn proof_list_verdicts(
        &self,
        network: &NetworkName,
        provider: &ProviderName,
        limit: u32,
    ) -> Result<Vec<Verdict>, Error> {
        let rows = sqlx::query(
            "SELECT p.detail AS verdict FROM proof p JOIN lease l ON l.id = p.lease \
             WHERE l.network = $1 AND l.provider = $2 AND p.state = 'concluded' \
             ORDER BY p.ended_at DESC, p.execution LIMIT $3",
        )
        .bind(network.to_string())
        .bind(provider.to_string())
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .doing("list the verdicts on a provider")?;
        let verdict = |text: String| {
            Verdict::from_code(&text).ok_or(Error::Unreadable { what: "verdict", value: text })
        };
        rows.iter().map(|row| Columns(row).text("verdict").and_then(verdict)).collect()
    }

    /// Proofs that are not final and due, at most `limit`, longest due first.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn proof_list_due(&self, now: Timestamp, limit: u32) -> Result<Vec<ProofRow>, Error> {
        let rows = select!(
            "WHERE state IN ('awaited', 'requested', 'open') AND due_at <= $1 ORDER BY due_at, execution LIMIT $2"
        )
        .bind(now.0)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await
        .doing("list due proofs")?;
        rows.iter().map(proof_of).collect()
    }

    /// When the next proof that is not final is due.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn proof_next_due(&self) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query(
            "SELECT MIN(due_at) AS due FROM proof WHERE state IN ('awaited', 'requested', 'open')",
        )
        .fetch_one(&self.read)
        .await
        .doing("find the next due proof")?;
        Columns(&row).maybe_time("due")
    }
}

impl Tx {
    /// Begins the proof of an execution's work. Returns whether there was none before.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn proof_insert(
        &mut self,
        (execution, job, lease): (ExecutionId, JobId, LeaseId),
        state: ProofState,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO proof (execution, job, lease, state, detail, created_at, ended_at, due_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $6) ON CONFLICT (execution) DO NOTHING",
        )
        .bind(execution.to_string())
        .bind(job.to_string())
        .bind(lease.to_string())
        .bind(state.code())
        .bind(detail_of(state))
        .bind(now.0)
        .bind(state.is_final().then_some(now.0))
        .execute(self.conn())
        .await
        .doing("insert a proof")?;
        Ok(done.rows_affected() == 1)
    }

    /// Changes a proof that still has `row.generation`. Returns whether it had.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn proof_change(
        &mut self,
        row: &ProofRow,
        change: ProofChange,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let state = change.state.unwrap_or(row.state);
        let request = change.request.as_ref().or(row.request.as_ref());
        let outcome = change.outcome.as_ref().unwrap_or(&row.outcome);
        let ended_at = row.ended_at.or_else(|| state.is_final().then_some(now));
        let done = sqlx::query(
            "UPDATE proof SET state = $3, detail = $4, generation = generation + 1, root = $5, leaf_count = $6, \
             signature = $7, segments = $8, sample = $9, validators = $10, fee = $11, held = $12, notary_id = $13, seed = $14, \
             drawn = $15, fee_paid = $16, slashed = $17, compensated = $18, gas = $19, txs = $20, ended_at = $21, tries = $22, \
             due_at = $23 WHERE execution = $1 AND generation = $2",
        )
        .bind(row.execution.to_string())
        .bind(row.generation)
        .bind(state.code())
        .bind(detail_of(state))
        .bind(request.map(|asked| asked.root.clone()))
        .bind(request.map(|asked| i64::from(asked.leaf_count)))
        .bind(request.map(|asked| asked.signature.clone()))
        .bind(request.map_or(0, |asked| i64::from(asked.segments)))
        .bind(request.map_or(0, |asked| i64::from(asked.sample)))
        .bind(request.map_or(0, |asked| i64::from(asked.validators)))
        .bind(request.map_or(0, |asked| asked.fee.column()))
        .bind(request.map_or(0, |asked| asked.held.column()))
        .bind(&outcome.notary_id)
        .bind(&outcome.seed)
        .bind(&outcome.drawn)
        .bind(outcome.fee_paid.column())
        .bind(outcome.slashed.column())
        .bind(outcome.compensated.column())
        .bind(i64::try_from(outcome.gas).unwrap_or(i64::MAX))
        .bind(outcome.txs.join(" "))
        .bind(ended_at.map(|t| t.0))
        .bind(i64::from(change.tries.unwrap_or(row.tries)))
        .bind(change.due_at.unwrap_or(row.due_at).0)
        .execute(self.conn())
        .await
        .doing("change a proof")?;
        Ok(done.rows_affected() == 1)
    }

    /// Makes the proof of an execution's work due at once, if it has one that is not final.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn proof_wake(&mut self, execution: ExecutionId, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "UPDATE proof SET due_at = $2 WHERE execution = $1 AND state IN ('awaited', 'requested', 'open')",
        )
        .bind(execution.to_string())
        .bind(now.0)
        .execute(self.conn())
        .await
        .doing("wake a proof")?;
        Ok(())
    }
}
