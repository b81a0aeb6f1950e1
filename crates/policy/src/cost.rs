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

/// A listed price.
struct CloudRow {
    instance: &'static str,
    region: &'static str,
    price: UsdPerHour,
    as_of: &'static str,
    source: &'static str,
}

/// A general-purpose machine of 2 virtual cores, as the catalogue listed it in every zone of the region.
const CLOUD: CloudRow = CloudRow {
    instance: "AWS m5.large (2 vCPU, 8 GiB, on demand)",
    region: "us-east-1",
    price: UsdPerHour::new(Usd::from_micros(96_000)),
    as_of: "2024-02-21",
    source: "github.com/romilbhardwaj/skypilot-catalog, commit 919be2c1a1a2, catalogs/v5/aws/vms.csv",
};

/// What `span` would have cost on one general-purpose machine at a dated, listed price.
pub fn cloud_comparison(span: Millis) -> CloudComparison {
    let CloudRow { instance, region, price, as_of, source } = CLOUD;
    CloudComparison {
        cost: price.charge(span),
        source: format!("{instance} in {region} at ${price}/h on {as_of} ({source})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const METERED: Billing = Billing::Metered { minimum: Millis(0) };

    fn usd(micros: i64) -> Usd {
        Usd::from_micros(micros)
    }

    fn price() -> UsdPerHour {
        // One micro-dollar per millisecond, so that amounts read as times.
        "3.60".parse().unwrap()
    }

    proptest! {
        #[test]
        fn a_hold_is_split_without_a_remainder(held in 0i64..10_000_000, billed in 0i64..10_000_000, owed in 0i64..10_000_000, fee in 0i64..1000) {
            let charge = split(usd(held), usd(billed), usd(owed), usd(fee));
            prop_assert_eq!(charge.paid + charge.refunded, usd(held));
            prop_assert_eq!(charge.paid + charge.disputed, usd(billed));
            prop_assert!(charge.paid <= usd(owed) && charge.fees <= charge.paid);
            prop_assert!(!charge.refunded.is_negative() && !charge.disputed.is_negative());
            prop_assert!(charge.paid == usd(held.min(billed).min(owed)), "nobody waits for what is both owed and held");
        }

        #[test]
        fn what_is_owed_never_grows_by_asking_for_the_end(span in 0i64..100_000, close in 0i64..200_000, grace in 0u64..10_000, minimum in 0u64..50_000, prepaid: bool, refundable: bool) {
            let billing = if prepaid {
                Billing::Prepaid { span: Millis(minimum), refundable }
            } else {
                Billing::Metered { minimum: Millis(minimum) }
            };
            let life = Some((Timestamp(0), Timestamp(span)));
            let open = owed(billing, price(), usd(7), life, None, Millis(grace));
            let closed = owed(billing, price(), usd(7), life, Some(Timestamp(close)), Millis(grace));
            prop_assert!(closed <= open);
            prop_assert!(closed >= usd(7));
            if close + i64::try_from(grace).unwrap() >= span {
                prop_assert_eq!(closed, open);
            }
        }
    }

    #[test]
    fn nothing_is_owed_for_what_is_billed_after_our_close() {
        let life = Some((Timestamp(0), Timestamp(100_000)));
        let owed = |close| owed(METERED, price(), Usd::ZERO, life, close, Millis(1000));
        assert_eq!(owed(None), usd(100_000));
        assert_eq!(owed(Some(Timestamp(9_000))), usd(10_000));
        assert_eq!(owed(Some(Timestamp(200_000))), usd(100_000));
    }

    #[test]
    fn a_lease_is_owed_by_its_terms() {
        let life = Some((Timestamp(5_000), Timestamp(15_000)));
        let owed = |billing| owed(billing, price(), usd(50), life, None, Millis::ZERO);
        let prepaid = |refundable| Billing::Prepaid { span: Millis(60_000), refundable };
        assert_eq!(owed(METERED), usd(10_050));
        assert_eq!(owed(Billing::Metered { minimum: Millis(60_000) }), usd(60_050));
        assert_eq!(owed(prepaid(true)), usd(10_050));
        assert_eq!(owed(prepaid(false)), usd(60_050));
    }

    #[test]
    fn nothing_is_owed_for_a_lease_that_never_went_live() {
        assert_eq!(owed(METERED, price(), usd(50), None, Some(Timestamp(1)), Millis(1000)), Usd::ZERO);
    }

    #[test]
    fn a_close_request_before_the_start_owes_the_grace_at_most() {
        let life = Some((Timestamp(10_000), Timestamp(20_000)));
        let owed = |grace| owed(METERED, price(), usd(50), life, Some(Timestamp(9_000)), Millis(grace));
        assert_eq!(owed(500), usd(50));
        assert_eq!(owed(3_000), usd(2_050));
    }

    #[test]
    fn a_network_that_bills_too_much_is_paid_what_is_owed_and_the_rest_is_disputed() {
        let charge = split(usd(100), usd(90), usd(40), usd(5));
        assert_eq!(charge, Charge { paid: usd(40), fees: usd(5), refunded: usd(60), disputed: usd(50) });
    }

    #[test]
    fn a_network_that_bills_less_than_is_owed_is_paid_what_it_billed() {
        let charge = split(usd(100), usd(3), usd(40), usd(5));
        assert_eq!(charge, Charge { paid: usd(3), fees: usd(3), refunded: usd(97), disputed: Usd::ZERO });
    }

    #[test]
    fn nobody_is_paid_more_than_was_held() {
        let charge = split(usd(30), usd(90), usd(40), usd(5));
        assert_eq!(charge, Charge { paid: usd(30), fees: usd(5), refunded: Usd::ZERO, disputed: usd(60) });
    }

    #[test]
    fn the_cloud_price_is_charged_by_the_millisecond_and_names_its_source() {
        let hour = cloud_comparison(Millis::HOUR);
        assert_eq!(hour.cost, "0.096".parse().unwrap());
        assert_eq!(cloud_comparison(Millis(1)).cost, usd(1), "a charge is rounded up");
        assert_eq!(cloud_comparison(Millis::ZERO).cost, Usd::ZERO);
        for part in ["m5.large", "us-east-1", "$0.096/h", "2024-02-21", "919be2c1a1a2", "aws/vms.csv"] {
            assert!(hour.source.contains(part), "{part} is missing in {}", hour.source);
        }
    }
}
