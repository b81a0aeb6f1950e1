//! Whether a lease's hold still covers it.

use domain::{Billing, Millis, Timestamp, Usd, UsdPerHour};

/// The money side of a live lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseMoney {
    /// What is held for it.
    pub held: Usd,
    /// The purchase fee, which the hold covers too.
    pub fee: Usd,
    /// Its price.
    pub price: UsdPerHour,
    /// Its terms.
    pub billing: Billing,
    /// Since when it is billed.
    pub live_at: Timestamp,
    /// What the job has left beside this hold.
    pub left_in_job: Usd,
}

/// What is to be done about the hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// It lasts beyond the margin.
    Enough,
    /// Lend this much more.
    Extend(Usd),
    /// There is no more: the job stops at its next checkpoint.
    StopAtCheckpoint,
}

/// Decides whether the hold covers the lease until `margin` from now, which is what noticing, stopping and releasing
/// may take; it is then extended by `step` of running, or by what is left.
pub fn cover(money: &LeaseMoney, now: Timestamp, margin: Millis, step: Millis) -> Cover {
    let used = now.since(money.live_at);
    let needed = |span| money.billing.ceiling(money.price, span) + money.fee;
    let must = needed(used + margin);
    if must <= money.held {
        return Cover::Enough;
    }
    let wish = needed(used + margin + step).less(money.held);
    let least = must.less(money.held);
    if wish <= money.left_in_job {
        Cover::Extend(wish)
    } else if least < money.left_in_job {
        Cover::Extend(money.left_in_job)
    } else {
        Cover::StopAtCheckpoint
    }
}
