//! When to wait, when to take spot, when to pay for on-demand.
//!
//! An hour of work on spot costs `price / useful`, with `useful` the share of paid time that is neither lost nor spent on
//! checkpoints ([`Plan::useful`](super::checkpoint::Plan::useful)). So spot pays up to the price `on-demand x useful`,
//! which is also the bid. Waiting pays when the forecast price is lower by [`WORTH`] within the time to spare.

/// Waiting must promise so much of the price, or it is not worth the risk that the forecast is wrong.
pub const WORTH: f64 = 0.002;

/// What the two markets ask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Market {
    /// The spot price in dollars per hour, where spot is offered now.
    pub spot_usd_per_hour: Option<f64>,
    /// The on-demand price in dollars per hour.
    pub on_demand_usd_per_hour: f64,
    /// The share of paid spot time that is useful, above 0.
    pub useful: f64,
}

/// What the job still needs, in hours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Need {
    /// Work left.
    pub work_h: f64,
    /// Until it must be done.
    pub left_h: f64,
    /// From purchase to work.
    pub startup_h: f64,
}

/// The forecast change of the logarithm of the spot price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ahead {
    /// From now, in hours.
    pub in_h: f64,
    /// Of the natural logarithm.
    pub change: f64,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Buy {
    /// Nothing yet.
    Wait,
    /// Spot, and to give it up above this price.
    Spot {
        /// Dollars per hour.
        bid_usd_per_hour: f64,
    },
    /// On-demand.
    OnDemand,
}

impl Need {
    /// Hours that may pass without work, so that on-demand started after them is still in time.
    pub fn spare_h(&self) -> f64 {
        self.left_h - self.work_h - self.startup_h
    }
}

/// Whether a price forecast within `spare_h` hours is low enough to wait for it.
pub fn worth_waiting(ahead: &[Ahead], spare_h: f64) -> bool {
    ahead.iter().any(|ahead| ahead.in_h <= spare_h && ahead.change < -WORTH)
}

/// What to do now. With no more time to spare than another start takes, a loss on spot would be too late to mend, so
/// that on-demand is all that is left.
pub fn decide(market: &Market, need: &Need, ahead: &[Ahead]) -> Buy {
    let spare = need.spare_h();
    if spare <= need.startup_h {
        return Buy::OnDemand;
    }
    let bid = market.on_demand_usd_per_hour * market.useful;
    let Some(spot) = market.spot_usd_per_hour else {
        return Buy::Wait;
    };
    let will_pay = |ahead: &Ahead| spot * ahead.change.exp() <= bid;
    let cheaper: Vec<Ahead> = ahead.iter().copied().filter(will_pay).collect();
    if worth_waiting(&cheaper, spare) {
        Buy::Wait
    } else if spot <= bid {
        Buy::Spot { bid_usd_per_hour: bid }
    } else {
        Buy::OnDemand
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARKET: Market = Market { spot_usd_per_hour: Some(1.0), on_demand_usd_per_hour: 3.0, useful: 0.8 };
    const NEED: Need = Need { work_h: 10.0, left_h: 20.0, startup_h: 0.2 };
    const FALLS: Ahead = Ahead { in_h: 6.5, change: -0.05 };

    #[test]
    fn spot_is_bid_for_up_to_what_its_useful_hours_are_worth() {
        assert_eq!(decide(&MARKET, &NEED, &[]), Buy::Spot { bid_usd_per_hour: 3.0 * 0.8 });
        let dear = Market { spot_usd_per_hour: Some(2.5), ..MARKET };
        assert_eq!(decide(&dear, &NEED, &[]), Buy::OnDemand);
    }

    #[test]
    fn a_fall_is_waited_for_only_while_there_is_time() {
        assert_eq!(decide(&MARKET, &NEED, &[FALLS]), Buy::Wait);
        let soon = Need { left_h: 15.0, ..NEED };
        assert!(matches!(decide(&MARKET, &soon, &[FALLS]), Buy::Spot { .. }));
        let small = Ahead { change: -0.001, ..FALLS };
        assert!(matches!(decide(&MARKET, &NEED, &[small]), Buy::Spot { .. }));
    }

    #[test]
    fn a_fall_that_stays_too_dear_is_not_waited_for() {
        let dear = Market { spot_usd_per_hour: Some(2.8), ..MARKET };
        assert_eq!(decide(&dear, &NEED, &[FALLS]), Buy::OnDemand);
        let fits = Ahead { change: -0.3, ..FALLS };
        assert_eq!(decide(&dear, &NEED, &[fits]), Buy::Wait);
    }

    #[test]
    fn without_spot_one_waits_until_only_on_demand_is_in_time() {
        let none = Market { spot_usd_per_hour: None, ..MARKET };
        assert_eq!(decide(&none, &NEED, &[]), Buy::Wait);
        assert_eq!(decide(&none, &Need { left_h: 10.3, ..NEED }, &[]), Buy::OnDemand);
    }

    proptest! {
        #[test]
        fn no_decision_risks_the_deadline(left in 0.0..30.0f64, spot in 0.1..5.0f64, change in -1.0..1.0f64, in_h in 0.0..40.0f64) {
            let market = Market { spot_usd_per_hour: Some(spot), ..MARKET };
            let need = Need { left_h: left, ..NEED };
            let chosen = decide(&market, &need, &[Ahead { in_h, change }]);
            if need.spare_h() <= need.startup_h {
                prop_assert_eq!(chosen, Buy::OnDemand);
            }
            if let Buy::Spot { bid_usd_per_hour } = chosen {
                prop_assert!(spot <= bid_usd_per_hour && bid_usd_per_hour <= market.on_demand_usd_per_hour);
            }
        }
    }
}
