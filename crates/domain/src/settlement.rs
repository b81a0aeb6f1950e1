//! Money moved for a job.

use crate::Usd;

/// What a job cost in the end. `held = paid + refunded` for each closed hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settlement {
    /// Posted for compute and fees.
    pub paid: Usd,
    /// Held and given back.
    pub refunded: Usd,
    /// The part of `paid` that was fees.
    pub fees: Usd,
    /// Billed by networks beyond what we owe; not paid, waiting for a person.
    pub disputed: Usd,
    /// The same seconds on a listed cloud machine.
    pub cloud: Option<CloudComparison>,
}

/// What the same seconds would have cost at a listed cloud price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudComparison {
    /// The amount.
    pub cost: Usd,
    /// Instance type, region, price, date and public source of the price.
    pub source: String,
}
