//! Accounts and holds. Money moves in two phases: held, then posted or voided.
//!
//! A job's hold is set aside from its account; a lease's hold is lent by its job's hold. Posting to a lease's hold posts
//! to the job's hold and to the account in the same statement group, so that the equations hold at every commit:
//! `funded = available + held + posted` per account, `amount = posted + voided` per closed hold.

use domain::{AccountId, HoldId, JobId, LeaseId, Timestamp, Usd};
use sqlx::sqlite::SqliteRow;

use crate::error::Doing;
use crate::row::Columns;
use crate::{Error, Store, Tx};

/// An account. `funded = available + held + posted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Paid in.
    pub funded: Usd,
    /// Free.
    pub available: Usd,
    /// Set aside for jobs.
    pub held: Usd,
    /// Spent.
    pub posted: Usd,
}

/// Money set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// The job.
    pub job: JobId,
    /// The lease, when it is a lease's hold.
    pub lease: Option<LeaseId>,
    /// What was set aside.
    pub amount: Usd,
    /// Spent.
    pub posted: Usd,
    /// Given back.
    pub voided: Usd,
    /// Lent to the holds of leases.
    pub lent: Usd,
    /// Whether it can still change.
    pub open: bool,
}

impl Hold {
    /// What is neither spent, given back nor lent.
    pub fn left(&self) -> Usd {
        self.amount - self.posted - self.voided - self.lent
    }
}

/// There is not enough to set aside; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldRefused;

fn hold_of(row: &SqliteRow) -> Result<Hold, Error> {
    let c = Columns(row);
    Ok(Hold {
        id: c.parsed("id")?,
        job: c.parsed("job")?,
        lease: c.maybe_parsed("lease")?,
        amount: c.usd("amount")?,
        posted: c.usd("posted")?,
        voided: c.usd("voided")?,
        lent: c.usd("lent")?,
        open: c.flag("open")?,
    })
}

const HOLD: &str = "SELECT id, job, lease, amount, posted, voided, lent, open FROM hold WHERE id = $1";

impl Store {
    /// The account, if it was ever funded.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn account_get(&self, id: AccountId) -> Result<Option<Account>, Error> {
        let row = sqlx::query("SELECT funded, available, held, posted FROM account WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.read)
            .await
            .doing("read an account")?;
        row.map(|row| {
            let c = Columns(&row);
            Ok(Account {
                funded: c.usd("funded")?,
                available: c.usd("available")?,
                held: c.usd("held")?,
                posted: c.usd("posted")?,
            })
        })
        .transpose()
    }

    /// The hold.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn hold_get(&self, id: HoldId) -> Result<Option<Hold>, Error> {
        let row =
            sqlx::query(HOLD).bind(id.to_string()).fetch_optional(&self.read).await.doing("read a hold")?;
        row.as_ref().map(hold_of).transpose()
    }

    /// Checks the whole ledger against its equations and returns what does not add up; empty is right.
    ///
    /// # Errors
    /// The database could not be read.
    pub async fn ledger_check(&self) -> Result<Vec<String>, Error> {
        let rows = sqlx::query(
            "SELECT 'account ' || a.id || ': held differs from its open holds' AS wrong FROM account a \
             WHERE a.held <> (SELECT COALESCE(SUM(h.amount - h.posted - h.voided), 0) FROM hold h \
                              WHERE h.account = a.id AND h.parent IS NULL) \
             UNION ALL \
             SELECT 'account ' || a.id || ': posted differs from its holds' FROM account a \
             WHERE a.posted <> (SELECT COALESCE(SUM(h.posted), 0) FROM hold h WHERE h.account = a.id AND h.parent IS NULL) \
             UNION ALL \
             SELECT 'hold ' || p.id || ': lent differs from the holds of its leases' FROM hold p \
             WHERE p.parent IS NULL AND p.lent <> (SELECT COALESCE(SUM(h.amount - h.posted - h.voided), 0) FROM hold h \
                                                   WHERE h.parent = p.id) \
             UNION ALL \
             SELECT 'hold ' || p.id || ': posted differs from the holds of its leases' FROM hold p \
             WHERE p.parent IS NULL AND p.posted <> (SELECT COALESCE(SUM(h.posted), 0) FROM hold h WHERE h.parent = p.id) \
             UNION ALL \
             SELECT 'account ' || a.id || ': funded differs from its entries' FROM account a \
             WHERE a.funded <> (SELECT COALESCE(SUM(e.amount), 0) FROM entry e WHERE e.account = a.id AND e.kind = 'fund') \
             UNION ALL \
             SELECT 'account ' || a.id || ': posted differs from its entries' FROM account a \
             WHERE a.posted <> (SELECT COALESCE(SUM(e.amount), 0) FROM entry e WHERE e.account = a.id AND e.kind = 'post') \
             UNION ALL \
             SELECT 'lease ' || l.id || ': settled but its hold is open' FROM lease l JOIN hold h ON h.id = l.hold \
             WHERE l.settled = 1 AND h.open = 1 \
             UNION ALL \
             SELECT 'job ' || j.id || ': settled but its hold is open' FROM job j JOIN hold h ON h.id = j.hold \
             WHERE j.state = 'settled' AND h.open = 1 \
             UNION ALL \
             SELECT 'job ' || j.id || ': settled but its lease ' || l.id || ' is open' FROM lease l \
             JOIN job j ON j.id = l.job WHERE l.state <> 'ended' AND j.state = 'settled'",
        )
        .fetch_all(&self.read)
        .await
        .doing("check the ledger")?;
        rows.iter().map(|row| Columns(row).text("wrong")).collect()
    }
}

impl Tx {
    /// Pays into an account, which is made at its first payment.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn account_fund(&mut self, id: AccountId, amount: Usd, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO account (id, funded, available, held, posted) VALUES ($1, $2, $2, 0, 0) \
             ON CONFLICT (id) DO UPDATE SET funded = account.funded + $2, available = account.available + $2",
        )
        .bind(id.to_string())
        .bind(amount.column())
        .execute(self.conn())
        .await
        .doing("fund an account")?;
        self.entry(now, id, None, "fund", amount).await
    }

    /// Sets money aside for a job: one conditional update, so that no two jobs can both take the last dollar.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn hold_for_job(
        &mut self,
        hold: HoldId,
        account: AccountId,
        job: JobId,
        amount: Usd,
        now: Timestamp,
    ) -> Result<Result<(), HoldRefused>, Error> {
        let done = sqlx::query(
            "UPDATE account SET available = available - $2, held = held + $2 WHERE id = $1 AND available >= $2",
        )
        .bind(account.to_string())
        .bind(amount.column())
        .execute(self.conn())
        .await
        .doing("hold money for a job")?;
        if done.rows_affected() != 1 {
            return Ok(Err(HoldRefused));
        }
        sqlx::query("INSERT INTO hold (id, account, job, amount) VALUES ($1, $2, $3, $4)")
            .bind(hold.to_string())
            .bind(account.to_string())
            .bind(job.to_string())
            .bind(amount.column())
            .execute(self.conn())
            .await
            .doing("hold money for a job")?;
        self.entry(now, account, Some(hold), "hold", amount).await?;
        Ok(Ok(()))
    }

    /// Lends money from a job's hold to a lease's hold.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn hold_for_lease(
        &mut self,
        hold: HoldId,
        parent: HoldId,
        lease: LeaseId,
        amount: Usd,
    ) -> Result<Result<(), HoldRefused>, Error> {
        if !self.lend(parent, amount).await? {
            return Ok(Err(HoldRefused));
        }
        sqlx::query(
            "INSERT INTO hold (id, account, job, parent, lease, amount) \
             SELECT $1, account, job, id, $3, $4 FROM hold WHERE id = $2",
        )
        .bind(hold.to_string())
        .bind(parent.to_string())
        .bind(lease.to_string())
        .bind(amount.column())
        .execute(self.conn())
        .await
        .doing("hold money for a lease")?;
        Ok(Ok(()))
    }

    /// Lends more from a job's hold to a lease's open hold.
    ///
    /// # Errors
    /// The database could not be written.
    pub async fn hold_extend(&mut self, hold: HoldId, amount: Usd) -> Result<Result<(), HoldRefused>, Error> {
        let parent = self.parent_of(hold).await?;
        if !self.lend(parent, amount).await? {
            return Ok(Err(HoldRefused));
        }
        let done = sqlx::query("UPDATE hold SET amount = amount + $2 WHERE id = $1 AND open = 1")
            .bind(hold.to_string())
            .bind(amount.column())
            .execute(self.conn())
            .await
            .doing("extend a hold")?;
        if done.rows_affected() == 1 {
            return Ok(Ok(()));
        }
        Err(Error::Ledger { doing: "extend a hold", why: "it is closed" })
    }

    /// Closes a lease's hold: `paid` is posted, the rest goes back to the job's hold. Returns the rest.
    ///
    /// # Errors
    /// `Ledger` when `paid` is more than was held or the hold is closed.
    pub async fn hold_close_lease(&mut self, hold: HoldId, paid: Usd, now: Timestamp) -> Result<Usd, Error> {
        let doing = "close a lease's hold";
        let parent = self.parent_of(hold).await?;
        let row = sqlx::query(
            "UPDATE hold SET posted = posted + $2, voided = amount - posted - $2, open = 0 \
             WHERE id = $1 AND open = 1 AND posted + voided + $2 <= amount RETURNING amount, account",
        )
        .bind(hold.to_string())
        .bind(paid.column())
        .fetch_optional(self.conn())
        .await
        .doing(doing)?
        .ok_or(Error::Ledger { doing, why: "it is closed already, or less was held than is to be paid" })?;
        let amount = Columns(&row).usd("amount")?;
        let account: AccountId = Columns(&row).parsed("account")?;
        let done =
            sqlx::query("UPDATE hold SET lent = lent - $2, posted = posted + $3 WHERE id = $1 AND open = 1")
                .bind(parent.to_string())
                .bind(amount.column())
                .bind(paid.column())
                .execute(self.conn())
                .await
                .doing(doing)?;
        if done.rows_affected() != 1 {
            return Err(Error::Ledger { doing, why: "its job's hold is closed" });
        }
        sqlx::query("UPDATE account SET held = held - $2, posted = posted + $2 WHERE id = $1")
            .bind(account.to_string())
            .bind(paid.column())
            .execute(self.conn())
            .await
            .doing(doing)?;
        self.entry(now, account, Some(hold), "post", paid).await?;
        Ok(amount - paid)
    }

    /// Closes a job's hold: what was not posted goes back to the account. Returns it.
    ///
    /// # Errors
    /// `Ledger` when a lease's hold is still open, or the hold is closed.
    pub async fn hold_close_job(&mut self, hold: HoldId, now: Timestamp) -> Result<Usd, Error> {
        let doing = "close a job's hold";
        let row = sqlx::query(
            "UPDATE hold SET voided = amount - posted, open = 0 WHERE id = $1 AND open = 1 AND lent = 0 \
             AND parent IS NULL RETURNING voided, account",
        )
        .bind(hold.to_string())
        .fetch_optional(self.conn())
        .await
        .doing(doing)?
        .ok_or(Error::Ledger { doing, why: "it is closed already, or a lease still holds part of it" })?;
        let voided = Columns(&row).usd("voided")?;
        let account: AccountId = Columns(&row).parsed("account")?;
        sqlx::query("UPDATE account SET held = held - $2, available = available + $2 WHERE id = $1")
            .bind(account.to_string())
            .bind(voided.column())
            .execute(self.conn())
            .await
            .doing(doing)?;
        self.entry(now, account, Some(hold), "void", voided).await?;
        Ok(voided)
    }

    async fn lend(&mut self, parent: HoldId, amount: Usd) -> Result<bool, Error> {
        let done = sqlx::query(
            "UPDATE hold SET lent = lent + $2 WHERE id = $1 AND open = 1 AND amount - posted - voided - lent >= $2",
        )
        .bind(parent.to_string())
        .bind(amount.column())
        .execute(self.conn())
        .await
        .doing("lend from a job's hold")?;
        Ok(done.rows_affected() == 1)
    }

    async fn parent_of(&mut self, hold: HoldId) -> Result<HoldId, Error> {
        let row = sqlx::query("SELECT parent FROM hold WHERE id = $1 AND parent IS NOT NULL")
            .bind(hold.to_string())
            .fetch_optional(self.conn())
            .await
            .doing("find a hold")?
            .ok_or(Error::Ledger { doing: "find a lease's hold", why: "there is none with this id" })?;
        Columns(&row).parsed("parent")
    }

    async fn entry(
        &mut self,
        now: Timestamp,
        account: AccountId,
        hold: Option<HoldId>,
        kind: &'static str,
        amount: Usd,
    ) -> Result<(), Error> {
        sqlx::query("INSERT INTO entry (at, account, hold, kind, amount) VALUES ($1, $2, $3, $4, $5)")
            .bind(now.0)
            .bind(account.to_string())
            .bind(hold.map(|h| h.to_string()))
            .bind(kind)
            .bind(amount.column())
            .execute(self.conn())
            .await
            .doing("write a ledger entry")?;
        Ok(())
    }
}
