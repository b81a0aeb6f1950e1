//! How a stake is brought up to what is wanted, one transaction after the other.

/// What a party has, in micro-units of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Purse {
    pub(crate) stake: u64,
    /// In the contract, free.
    pub(crate) balance: u64,
    /// Outside it.
    pub(crate) tokens: u64,
    /// What the contract may pull of these.
    pub(crate) allowance: u64,
}

/// The next transaction on the way to a stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The contract may pull so much.
    Approve(u64),
    /// So much becomes balance.
    Deposit(u64),
    /// So much of the balance becomes stake.
    Stake(u64),
    /// So much is missing.
    Missing(u64),
    /// The stake is there.
    There,
}

impl Purse {
    /// The next step towards this stake.
    pub(crate) fn towards(&self, wanted: u64) -> Step {
        let short = wanted.saturating_sub(self.stake);
        let amount = short.saturating_sub(self.balance);
        match amount {
            _ if short == 0 => Step::There,
            0 => Step::Stake(short),
            _ if amount > self.tokens => Step::Missing(amount - self.tokens),
            _ if amount > self.allowance => Step::Approve(amount),
            _ => Step::Deposit(amount),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_leads_to_the_stake() {
        let mut purse = Purse { stake: 1, balance: 2, tokens: 9, allowance: 0 };
        let mut steps = Vec::new();
        loop {
            let step = purse.towards(10);
            steps.push(step);
            match step {
                Step::Approve(amount) => purse.allowance = amount,
                Step::Deposit(amount) => {
                    (purse.tokens, purse.allowance) = (purse.tokens - amount, purse.allowance - amount);
                    purse.balance += amount;
                }
                Step::Stake(amount) => {
                    (purse.balance, purse.stake) = (purse.balance - amount, purse.stake + amount)
                }
                Step::Missing(_) | Step::There => break,
            }
        }
        assert_eq!(steps, [Step::Approve(7), Step::Deposit(7), Step::Stake(9), Step::There]);
        assert_eq!(Purse { tokens: 3, ..Purse::default() }.towards(10), Step::Missing(7));
    }
}
