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
    /// There is no more: this is the last that can be lent, and the job stops at its next checkpoint.
    StopAtCheckpoint(Usd),
    /// No checkpoint came in time: what is held pays for no more than the release.
    StopNow,
}

/// Decides whether the hold covers the lease until `margin` from now, which is what noticing, stopping and releasing
/// may take; otherwise it is extended by `step` of running, or by what is left where that reaches the margin too. A job
/// that cannot pay so far may use the first half of the margin to reach a checkpoint; the second belongs to the release.
pub fn cover(money: &LeaseMoney, now: Timestamp, margin: Millis, step: Millis) -> Cover {
    let used = now.since(money.live_at);
    let needed = |span| money.billing.ceiling(money.price, span) + money.fee;
    let must = needed(used + margin);
    if must <= money.held {
        return Cover::Enough;
    }
    let wish = needed(used + margin + step).less(money.held);
    let loan = wish.min(money.left_in_job);
    let paid_for = money.held + loan;
    if paid_for >= must {
        Cover::Extend(loan)
    } else if paid_for >= needed(used + Millis(margin.0 / 2)) {
        Cover::StopAtCheckpoint(loan)
    } else {
        Cover::StopNow
    }
}

/// How long a lease may be extended to, in whole seconds from its start: as long as `held` pays for and no longer, since
/// what a network takes in advance must be held before.
pub fn extendable(money: &LeaseMoney, held: Usd) -> Millis {
    let span = money.price.affords(held - money.fee);
    Millis(span.0 - span.0 % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const METERED: Billing = Billing::Metered { minimum: Millis(0) };
    const MARGIN: Millis = Millis(60);
    const STEP: Millis = Millis(600);

    fn usd(micros: i64) -> Usd {
        Usd::from_micros(micros)
    }

    /// A lease at one micro-dollar per millisecond with a fee of 5, looked at 100 ms after it went live.
    fn verdict(held: i64, left: i64, billing: Billing) -> Cover {
        let money = LeaseMoney {
            held: usd(held),
            fee: usd(5),
            price: "3.60".parse().unwrap(),
            billing,
            live_at: Timestamp(1_000),
            left_in_job: usd(left),
        };
        cover(&money, Timestamp(1_100), MARGIN, STEP)
    }

    #[test]
    fn a_hold_that_reaches_to_the_margin_is_enough() {
        assert_eq!(verdict(165, 0, METERED), Cover::Enough);
        assert_ne!(verdict(164, 1_000, METERED), Cover::Enough);
    }

    #[test]
    fn a_hold_that_runs_out_is_extended_by_a_step_of_running() {
        assert_eq!(verdict(100, 665, METERED), Cover::Extend(usd(665)));
        assert_eq!(verdict(100, 10_000, METERED), Cover::Extend(usd(665)));
    }

    #[test]
    fn less_than_a_step_lends_all_that_is_left() {
        assert_eq!(verdict(100, 664, METERED), Cover::Extend(usd(664)));
        assert_eq!(verdict(100, 65, METERED), Cover::Extend(usd(65)));
    }

    #[test]
    fn a_job_that_cannot_pay_past_the_margin_stops_at_its_next_checkpoint() {
        assert_eq!(verdict(100, 64, METERED), Cover::StopAtCheckpoint(usd(64)));
        assert_eq!(verdict(135, 0, METERED), Cover::StopAtCheckpoint(usd(0)));
    }

    #[test]
    fn a_job_without_a_checkpoint_in_time_stops_while_its_release_can_be_paid() {
        assert_eq!(verdict(134, 0, METERED), Cover::StopNow);
        assert_eq!(verdict(100, 34, METERED), Cover::StopNow);
        assert_eq!(verdict(0, 0, METERED), Cover::StopNow);
    }

    #[test]
    fn a_prepaid_span_is_covered_until_it_ends() {
        let prepaid = Billing::Prepaid { span: Millis(3_600), refundable: false };
        assert_eq!(verdict(3_605, 0, prepaid), Cover::Enough);
        let short = Billing::Prepaid { span: Millis(120), refundable: true };
        assert_eq!(verdict(125, 10_000, short), Cover::Extend(usd(640)));
    }

    #[test]
    fn a_clock_set_back_asks_for_no_more_than_the_margin() {
        let price = "3.60".parse().unwrap();
        let money = LeaseMoney {
            held: usd(65),
            fee: usd(5),
            price,
            billing: METERED,
            live_at: Timestamp(9_000),
            left_in_job: Usd::ZERO,
        };
        assert_eq!(cover(&money, Timestamp(1_000), MARGIN, STEP), Cover::Enough);
    }

    proptest! {
        /// Follows a lease tick by tick, as long as ticks come no further apart than the margin.
        #[test]
        fn a_lease_is_never_live_without_cover_for_its_release(
            price in 1i64..50_000_000, fee in 0i64..10_000, minimum in 0u64..100_000,
            prepaid: bool, refundable: bool, margin in 1_000u64..60_000, step in 0u64..600_000,
            budget in 0i64..50_000_000, ticks in prop::collection::vec(1u64..1_000, 1..200),
        ) {
            let price = UsdPerHour::new(usd(price));
            let billing = if prepaid {
                Billing::Prepaid { span: Millis(minimum), refundable }
            } else {
                Billing::Metered { minimum: Millis(minimum) }
            };
            let margin = Millis(margin);
            let mut held = billing.ceiling(price, margin + margin) + usd(fee);
            let mut left = usd(budget);
            let total = held + left;
            let mut now = Timestamp(0);
            for tick in ticks {
                now = now + Millis(tick);
                let used = now.since(Timestamp(0));
                let money = LeaseMoney { held, fee: usd(fee), price, billing, live_at: Timestamp(0), left_in_job: left };
                // Whatever comes next, a release that takes the margin less one tick is paid for.
                let release = Millis(used.0 + margin.0 - tick);
                prop_assert!(billing.charge(price, release) + usd(fee) <= held);
                match cover(&money, now, margin, Millis(step)) {
                    Cover::Enough => prop_assert!(billing.ceiling(price, used + margin) + usd(fee) <= held),
                    Cover::Extend(amount) => {
                        prop_assert!(amount > Usd::ZERO && amount <= left);
                        (held, left) = (held + amount, left - amount);
                        prop_assert!(billing.ceiling(price, used + margin) + usd(fee) <= held);
                    }
                    Cover::StopAtCheckpoint(amount) => {
                        prop_assert!(billing.ceiling(price, used + margin) + usd(fee) > held + left);
                        prop_assert_eq!(amount, left, "nothing is kept back");
                        break;
                    }
                    Cover::StopNow => {
                        prop_assert!(billing.ceiling(price, used + Millis(margin.0 / 2)) + usd(fee) > held + left);
                        break;
                    }
                }
                prop_assert_eq!(held + left, total);
            }
        }
    }

    proptest! {
        #[test]
        fn a_lease_is_extended_to_what_is_held_and_no_further(held in 5i64..10_000_000, price in 1i64..10_000_000) {
            let money = LeaseMoney {
                held: usd(held),
                fee: usd(5),
                price: UsdPerHour::new(usd(price)),
                billing: METERED,
                live_at: Timestamp(0),
                left_in_job: Usd::ZERO,
            };
            let span = extendable(&money, usd(held));
            prop_assert!(money.billing.ceiling(money.price, span) + money.fee <= usd(held));
            prop_assert!(money.billing.ceiling(money.price, span + Millis(1000)) + money.fee > usd(held));
        }
    }
}
