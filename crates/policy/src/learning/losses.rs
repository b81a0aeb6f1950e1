//! How often a network loses what runs on it.

use domain::Millis;

/// A network counts as having run so long without a loss before anything was seen of it: one loss in its first minute is no sixty
/// in an hour. A mean of a Gamma posterior with no loss in this time, as a rate of Poisson losses has it.
pub const UNSEEN: Millis = Millis(24 * Millis::HOUR.0);

/// Losses to expect in a million hours, after so many in `ran` of leases that lived.
pub fn per_million_hours(lost: u64, ran: Millis) -> u32 {
    let hours_in_million = u128::from(lost) * 1_000_000 * u128::from(Millis::HOUR.0);
    let seen = u128::from(ran.0) + u128::from(UNSEEN.0);
    u32::try_from(hours_in_million / seen).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_counts_less_the_longer_a_network_has_run() {
        assert_eq!(per_million_hours(0, Millis(0)), 0, "who was never seen is not blamed");
        let after = |hours: u64| per_million_hours(1, Millis::HOUR.times(hours));
        assert_eq!(after(0), 41_666, "one in the day that was assumed");
        assert_eq!(after(976), 1_000);
        assert!(per_million_hours(2, Millis::HOUR) > after(1));
        assert_eq!(per_million_hours(u64::MAX, Millis(0)), u32::MAX);
    }
}
