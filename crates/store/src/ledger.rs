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

/// One branch per equation, each naming what breaks it. The entries are the second set of books: they are only ever
/// added to, so they tell when a row was changed without one.
const LEDGER_CHECK: &str = "\
    SELECT 'account ' || a.id || ': held differs from its open holds' AS wrong FROM account a \
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
    SELECT 'account ' || a.id || ': its balances differ from its entries' FROM account a JOIN ( \
        SELECT account, \
               SUM(CASE WHEN kind = 'fund' THEN amount ELSE 0 END) AS funded, \
               SUM(CASE kind WHEN 'hold' THEN amount WHEN 'post' THEN -amount WHEN 'void' THEN -amount ELSE 0 END) AS held, \
               SUM(CASE WHEN kind = 'post' THEN amount ELSE 0 END) AS posted \
        FROM entry GROUP BY account \
    ) e ON e.account = a.id WHERE a.funded <> e.funded OR a.held <> e.held OR a.posted <> e.posted \
    UNION ALL \
    SELECT 'account ' || a.id || ': it has no entries' FROM account a \
    WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE e.account = a.id) \
    UNION ALL \
    SELECT 'hold ' || h.id || ': it is open but belongs to no job' FROM hold h \
    WHERE h.open = 1 AND h.parent IS NULL AND NOT EXISTS (SELECT 1 FROM job j WHERE j.hold = h.id) \
    UNION ALL \
    SELECT 'hold ' || h.id || ': it is open but belongs to no lease' FROM hold h \
    WHERE h.open = 1 AND h.parent IS NOT NULL AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.id = h.lease AND l.hold = h.id) \
    UNION ALL \
    SELECT 'lease ' || l.id || ': its hold is open and it is settled, or neither' FROM lease l JOIN hold h ON h.id = l.hold \
    WHERE l.settled = h.open \
    UNION ALL \
    SELECT 'lease ' || l.id || ': its settlement differs from its hold' FROM lease l JOIN hold h ON h.id = l.hold \
    LEFT JOIN settlement s ON s.lease = l.id \
    WHERE l.settled = 1 AND (s.lease IS NULL OR s.paid <> h.posted OR s.refunded <> h.voided) \
    UNION ALL \
    SELECT 'job ' || j.id || ': its hold is open and it is settled, or neither' FROM job j JOIN hold h ON h.id = j.hold \
    WHERE CASE WHEN j.state = 'settled' THEN 1 ELSE 0 END = h.open \
    UNION ALL \
    SELECT 'job ' || j.id || ': settled but its lease ' || l.id || ' is open' FROM lease l \
    JOIN job j ON j.id = l.job WHERE l.state <> 'ended' AND j.state = 'settled'";

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
        let rows = sqlx::query(LEDGER_CHECK).fetch_all(&self.read).await.doing("check the ledger")?;
        rows.iter().map(|row| Columns(row).text("wrong")).collect()
    }
}

impl Tx {
    /// Pays into an account, which is made at its first payment.
    ///
    /// # Errors
    /// `Ledger` when the amount is negative or the account cannot hold as much.
    pub async fn account_fund(&mut self, id: AccountId, amount: Usd, now: Timestamp) -> Result<(), Error> {
        let doing = "fund an account";
        let micros = column(doing, amount)?;
        let done = sqlx::query(
            "INSERT INTO account (id, funded, available, held, posted) VALUES ($1, $2, $2, 0, 0) \
             ON CONFLICT (id) DO UPDATE SET funded = account.funded + $2, available = account.available + $2 \
             WHERE account.funded <= $3",
        )
        .bind(id.to_string())
        .bind(micros)
        .bind(i64::MAX - micros)
        .execute(self.conn())
        .await
        .doing(doing)?;
        if done.rows_affected() != 1 {
            return Err(Error::Ledger { doing, why: "it would hold more than an account can" });
        }
        self.entry(now, id, None, "fund", micros).await
    }

    /// Sets money aside for a job: one conditional update, so that no two jobs can both take the last dollar.
    ///
    /// # Errors
    /// `Ledger` when the amount is negative or no account can hold as much.
    pub async fn hold_for_job(
        &mut self,
        hold: HoldId,
        account: AccountId,
        job: JobId,
        amount: Usd,
        now: Timestamp,
    ) -> Result<Result<(), HoldRefused>, Error> {
        let doing = "hold money for a job";
        let micros = column(doing, amount)?;
        let done = sqlx::query(
            "UPDATE account SET available = available - $2, held = held + $2 WHERE id = $1 AND available >= $2",
        )
        .bind(account.to_string())
        .bind(micros)
        .execute(self.conn())
        .await
        .doing(doing)?;
        if done.rows_affected() != 1 {
            return Ok(Err(HoldRefused));
        }
        sqlx::query("INSERT INTO hold (id, account, job, amount) VALUES ($1, $2, $3, $4)")
            .bind(hold.to_string())
            .bind(account.to_string())
            .bind(job.to_string())
            .bind(micros)
            .execute(self.conn())
            .await
            .doing(doing)?;
        self.entry(now, account, Some(hold), "hold", micros).await?;
        Ok(Ok(()))
    }

    /// Lends money from a job's hold to a lease's hold.
    ///
    /// # Errors
    /// `Ledger` when the amount is negative or no account can hold as much.
    pub async fn hold_for_lease(
        &mut self,
        hold: HoldId,
        parent: HoldId,
        lease: LeaseId,
        amount: Usd,
    ) -> Result<Result<(), HoldRefused>, Error> {
        let doing = "hold money for a lease";
        let micros = column(doing, amount)?;
        if !self.lend(parent, micros).await? {
            return Ok(Err(HoldRefused));
        }
        sqlx::query(
            "INSERT INTO hold (id, account, job, parent, lease, amount) \
             SELECT $1, account, job, id, $3, $4 FROM hold WHERE id = $2",
        )
        .bind(hold.to_string())
        .bind(parent.to_string())
        .bind(lease.to_string())
        .bind(micros)
        .execute(self.conn())
        .await
        .doing(doing)?;
        Ok(Ok(()))
    }

    /// Lends more from a job's hold to a lease's open hold.
    ///
    /// # Errors
    /// `Ledger` when the lease's hold is closed, the amount is negative or no account can hold as much.
    pub async fn hold_extend(&mut self, hold: HoldId, amount: Usd) -> Result<Result<(), HoldRefused>, Error> {
        let doing = "extend a hold";
        let micros = column(doing, amount)?;
        let parent = self.parent_of_open(hold, doing).await?;
        if !self.lend(parent, micros).await? {
            return Ok(Err(HoldRefused));
        }
        sqlx::query("UPDATE hold SET amount = amount + $2 WHERE id = $1")
            .bind(hold.to_string())
            .bind(micros)
            .execute(self.conn())
            .await
            .doing(doing)?;
        Ok(Ok(()))
    }

    /// Closes a lease's hold: `paid` is posted, the rest goes back to the job's hold. Returns the rest.
    ///
    /// # Errors
    /// `Ledger` when `paid` is negative or more than was held, or the hold is closed.
    pub async fn hold_close_lease(&mut self, hold: HoldId, paid: Usd, now: Timestamp) -> Result<Usd, Error> {
        let doing = "close a lease's hold";
        let micros = column(doing, paid)?;
        let parent = self.parent_of_open(hold, doing).await?;
        let row = sqlx::query(
            "UPDATE hold SET posted = $2, voided = amount - $2, open = 0 WHERE id = $1 AND amount >= $2 \
             RETURNING amount, account",
        )
        .bind(hold.to_string())
        .bind(micros)
        .fetch_optional(self.conn())
        .await
        .doing(doing)?
        .ok_or(Error::Ledger { doing, why: "less was held than is to be paid" })?;
        let amount = Columns(&row).usd("amount")?;
        let account: AccountId = Columns(&row).parsed("account")?;
        sqlx::query("UPDATE hold SET lent = lent - $2, posted = posted + $3 WHERE id = $1")
            .bind(parent.to_string())
            .bind(amount.column())
            .bind(micros)
            .execute(self.conn())
            .await
            .doing(doing)?;
        sqlx::query("UPDATE account SET held = held - $2, posted = posted + $2 WHERE id = $1")
            .bind(account.to_string())
            .bind(micros)
            .execute(self.conn())
            .await
            .doing(doing)?;
        self.entry(now, account, Some(hold), "post", micros).await?;
        Ok(amount - paid)
    }

    /// Closes a job's hold: what was not posted goes back to the account. Returns it.
    ///
    /// # Errors
    /// `Ledger` when a lease's hold is still open, or the hold is closed.
    pub async fn hold_close_job(&mut self, hold: HoldId, now: Timestamp) -> Result<Usd, Error> {
        let doing = "close a job's hold";
        let row = sqlx::query(
            "UPDATE hold SET voided = amount - posted, open = 0 WHERE id = $1 AND open = 1 AND parent IS NULL \
             AND NOT EXISTS (SELECT 1 FROM hold l WHERE l.parent = $1 AND l.open = 1) RETURNING voided, account",
        )
        .bind(hold.to_string())
        .fetch_optional(self.conn())
        .await
        .doing(doing)?
        .ok_or(Error::Ledger { doing, why: "it is closed already, or a lease's hold is open" })?;
        let voided = Columns(&row).usd("voided")?;
        let account: AccountId = Columns(&row).parsed("account")?;
        sqlx::query("UPDATE account SET held = held - $2, available = available + $2 WHERE id = $1")
            .bind(account.to_string())
            .bind(voided.column())
            .execute(self.conn())
            .await
            .doing(doing)?;
        self.entry(now, account, Some(hold), "void", voided.column()).await?;
        Ok(voided)
    }

    async fn lend(&mut self, parent: HoldId, micros: i64) -> Result<bool, Error> {
        let done = sqlx::query(
            "UPDATE hold SET lent = lent + $2 WHERE id = $1 AND open = 1 AND parent IS NULL \
             AND amount - posted - voided - lent >= $2",
        )
        .bind(parent.to_string())
        .bind(micros)
        .execute(self.conn())
        .await
        .doing("lend from a job's hold")?;
        Ok(done.rows_affected() == 1)
    }

    /// The job's hold that lent to this open hold of a lease. A job's hold outlives the holds of its leases, so it is open
    /// too.
    async fn parent_of_open(&mut self, hold: HoldId, doing: &'static str) -> Result<HoldId, Error> {
        let row = sqlx::query("SELECT parent FROM hold WHERE id = $1 AND parent IS NOT NULL AND open = 1")
            .bind(hold.to_string())
            .fetch_optional(self.conn())
            .await
            .doing(doing)?
            .ok_or(Error::Ledger { doing, why: "it is closed, or no lease's hold" })?;
        Columns(&row).parsed("parent")
    }

    async fn entry(
        &mut self,
        now: Timestamp,
        account: AccountId,
        hold: Option<HoldId>,
        kind: &'static str,
        micros: i64,
    ) -> Result<(), Error> {
        sqlx::query("INSERT INTO entry (at, account, hold, kind, amount) VALUES ($1, $2, $3, $4, $5)")
            .bind(now.0)
            .bind(account.to_string())
            .bind(hold.map(|h| h.to_string()))
            .bind(kind)
            .bind(micros)
            .execute(self.conn())
            .await
            .doing("write a ledger entry")?;
        Ok(())
    }
}

/// The amount for a column. A negative one would undo what it should do, and one that no column holds would be cut off.
fn column(doing: &'static str, amount: Usd) -> Result<i64, Error> {
    let micros = i64::try_from(amount.micros()).ok().filter(|micros| *micros >= 0);
    micros.ok_or(Error::Ledger { doing, why: "the amount is negative, or more than an account can hold" })
}
