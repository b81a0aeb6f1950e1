//! What is owed, and what a listed cloud would have asked.

use domain::{Billing, CloudComparison, Millis, Timestamp, Usd, UsdPerHour};

/// How a lease's money is split in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Posted.
    pub paid: Usd,
    /// The fees in `paid`.
    pub fees: Usd,
    /// Given back.
    pub refunded: Usd,
    /// Billed beyond what is owed.
    pub disputed: Usd,
}

/// What we owe for a lease: its terms for the time from `live_at` to the network's end of it or, if that is earlier,
/// to `grace` after we first asked for the end. Nothing when it never went live.
pub fn owed(
    billing: Billing,
    price: UsdPerHour,
    fee: Usd,
    life: Option<(Timestamp, Timestamp)>,
    close_at: Option<Timestamp>,
    grace: Millis,
) -> Usd {
    let Some((live_at, ended_at)) = life else { return Usd::ZERO };
    let until = close_at.map_or(ended_at, |close| ended_at.min(close + grace));
    billing.charge(price, until.since(live_at)) + fee
}

/// Splits a hold: the lesser of what is billed and what is owed is paid, never more than is held; what is billed beyond
/// that is disputed. `paid + refunded = held`.
pub fn split(held: Usd, billed: Usd, owed: Usd, fee: Usd) -> Charge {
    let paid = billed.min(owed).min(held);
    Charge { paid, fees: fee.min(paid), refunded: held - paid, disputed: billed.less(paid) }
}

struct CloudRow {
    instance: &'static str,
    price_micros_per_hour: i64,
    source: &'static str,
}

/// One dated row: a general-purpose machine of 2 virtual cores.
const CLOUD: CloudRow = CloudRow {
    instance: "AWS m5.large (2 vCPU, 8 GiB), us-east-1, Linux on demand",
    price_micros_per_hour: 96_000,
    source: "SkyPilot catalog, aws/vms.csv, 2024-02-21",
};

/// What `span` would have cost on that machine.
pub fn cloud_comparison(span: Millis) -> CloudComparison {
    let price = UsdPerHour::new(Usd::from_micros(CLOUD.price_micros_per_hour));
    CloudComparison {
        cost: price.charge(span),
        source: format!("{} at ${price}/h ({})", CLOUD.instance, CLOUD.source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_hold_is_split_without_a_remainder(held in 0i64..10_000_000, billed in 0i64..10_000_000, owed in 0i64..10_000_000, fee in 0i64..1000) {
            let usd = Usd::from_micros;
            let charge = split(usd(held), usd(billed), usd(owed), usd(fee));
            prop_assert_eq!(charge.paid + charge.refunded, usd(held));
            prop_assert_eq!(charge.paid + charge.disputed, usd(billed));
            prop_assert!(charge.paid <= usd(owed) && charge.fees <= charge.paid);
        }
    }

    #[test]
    fn nothing_is_owed_for_what_is_billed_after_our_close() {
        let price = "3.60".parse().unwrap();
        let metered = Billing::Metered { minimum: Millis(0) };
        let life = Some((Timestamp(0), Timestamp(100_000)));
        let owed = |close| owed(metered, price, Usd::ZERO, life, close, Millis(1000));
        assert_eq!(owed(None), "0.1".parse().unwrap());
        assert_eq!(owed(Some(Timestamp(9_000))), "0.01".parse().unwrap());
        assert_eq!(owed(Some(Timestamp(200_000))), "0.1".parse().unwrap());
    }
}
