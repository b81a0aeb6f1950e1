//! The policy outside the simulator: what a broker buys next for one job, from what its networks offer by the clock.
//!
//! The broker asks when the job holds nothing: at its begin, after a loss, and at every tick of a wait. What it holds stays until it
//! is lost or done, so that a job on a machine that stays does not go back to spot.

use domain::{Estimate, Millis, Offer, OfferRef, Refusal, Timestamp, Usd, UsdPerHour};

use super::adaptive::{Plan, decide};
use super::belief::{Belief, SHIPPED};
use super::rules::{BadTerms, Kind, Prices, State, Terms};
use super::zones::prior_of_any;
use crate::eligibility::refusal;
use crate::placement::{Situation, Tenure, estimate};

/// Time between two looks, as in most records that the prior was fitted on.
pub const TICK: Millis = Millis(300_000);
/// What the best machines of both kinds cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Market {
    /// The cheapest that may be taken away, to be had now or not.
    pub spot: UsdPerHour,
    /// The cheapest that stays.
    pub on_demand: UsdPerHour,
    /// How many kinds of the former are known, each with a capacity of its own.
    pub zones: usize,
}

/// What is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Work.
    pub work: Millis,
    /// Until it must be done.
    pub left: Millis,
    /// What a loss costs: until it is noticed, another start, and the work that is done again.
    pub delay: Millis,
}

/// What the offers say to a job that may be on either kind of machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What both kinds cost.
    pub market: Market,
    /// What is left to do, on the cheapest machine that stays.
    pub need: Need,
    /// Whether a machine that may be taken away is to be had now.
    pub up: bool,
    /// All of those that would do, to be had or not.
    pub zones: Vec<OfferRef>,
}

/// What there is to choose for a job; `None` where it may be on one kind of machine only. A loss is noticed within `noticed`.
pub fn look(situation: &Situation<'_>, offers: &[Offer], noticed: Millis) -> Option<Seen> {
    let situation = Situation { tenure: Tenure::Any, ..situation.clone() };
    let mut stays: Option<(Usd, UsdPerHour, Millis, Estimate)> = None;
    let mut spot: Option<(Usd, UsdPerHour)> = None;
    let (mut up, mut zones) = (false, Vec::new());
    for offer in offers {
        let estimate = estimate(&situation, offer);
        let there = match refusal(&situation, offer) {
            None => true,
            Some(Refusal::Stock) => false,
            Some(_) => continue,
        };
        if offer.interruptible {
            zones.push(offer.id.clone());
            up |= there;
            let found = (estimate.total, offer.price);
            spot = Some(spot.map_or(found, |best| best.min(found)));
        } else if there && stays.is_none_or(|(total, ..)| estimate.total < total) {
            stays = Some((estimate.total, offer.price, offer.startup, estimate));
        }
    }
    let ((_, on_demand, startup, estimate), (_, spot)) = (stays?, spot?);
    let work = Millis(estimate.span.0.saturating_sub(startup.0));
    let segments = situation.spec.verify.segments.saturating_sub(situation.segments_done).max(1);
    Some(Seen {
        market: Market { spot, on_demand, zones: zones.len() },
        need: Need {
            work,
            left: situation.deadline_at.since(situation.now),
            // A loss just before a state is saved is the worst moment.
            delay: Millis(noticed.0 + startup.0 + work.0.div_ceil(u64::from(segments))),
        },
        up,
        zones,
    })
}

/// One job's side of the policy: what it has seen. A decision solves the rest of the job anew, so that it is about the prices and the
/// work of the moment, and nothing large is kept meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Broker {
    belief: Belief,
    looked_at: Timestamp,
    /// Seconds of record in a second of the clock: 1, but where records are played.
    pace: f64,
}

impl Broker {
    /// Nothing seen yet, of so many zones.
    pub fn new(zones: usize, pace: u32, now: Timestamp) -> Self {
        let belief = Belief::new(prior_of_any(SHIPPED, zones));
        Self { belief, looked_at: now, pace: f64::from(pace.max(1)) }
    }

    /// Whether any machine that may be taken away is to be had.
    pub fn see(&mut self, up: bool, now: Timestamp) {
        let since_s = seconds(now.since(self.looked_at)) * self.pace;
        self.belief.see(up, since_s);
        self.looked_at = now;
    }

    /// What to buy now for a job that holds nothing. The job is in time whenever it can be and every tick was decided so. Takes some
    /// hundred milliseconds; see [`Plan::new`].
    ///
    /// # Errors
    /// The need or a price is out of bounds, as where no work is left.
    pub fn choose(&self, market: &Market, need: &Need) -> Result<Tenure, BadTerms> {
        let plan = Plan::new(terms(market, need, self.pace)?, SHIPPED, market.zones);
        let state = State {
            terms: plan.terms(),
            spot_up: self.belief.is_up(),
            elapsed_s: 0.0,
            done_s: 0.0,
            delay_left_s: 0.0,
            last: Kind::Idle,
            running: Kind::Idle,
            home: None,
        };
        Ok(match decide(&plan, &state, &self.belief) {
            Kind::Idle => Tenure::Idle,
            Kind::Spot => Tenure::Spot,
            Kind::OnDemand => Tenure::OnDemand,
        })
    }

    /// When to ask again while nothing is held.
    pub fn next_look(&self, now: Timestamp) -> Timestamp {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a tick is a few minutes"
        )]
        let tick = Millis((TICK.0 as f64 / self.pace) as u64);
        now + tick.max(Millis(1_000))
    }
}

fn terms(market: &Market, need: &Need, pace: f64) -> Result<Terms, BadTerms> {
    let usd_h = |price: UsdPerHour| price.per_hour().micros() as f64 / 1e6;
    let prices = Prices { spot_usd_h: usd_h(market.spot), on_demand_usd_h: usd_h(market.on_demand) };
    let played_s = |span| seconds(span) * pace;
    Terms::new(seconds(TICK), played_s(need.work), played_s(need.left), played_s(need.delay), prices)
}

fn seconds(span: Millis) -> f64 {
    span.0 as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_772_366_400_000);
    const HOUR: Millis = Millis::HOUR;
    const MARKET: fn() -> Market =
        || Market { spot: "0.90".parse().unwrap(), on_demand: "3.00".parse().unwrap(), zones: 1 };

    /// So many hours of work, and of time for it; played so many times as fast.
    fn need(work_h: u64, left_h: u64, pace: u64) -> Need {
        let played = |span: Millis| Millis(span.0 / pace);
        Need {
            work: played(HOUR.times(work_h)),
            left: played(HOUR.times(left_h)),
            delay: played(Millis(600_000)),
        }
    }

    /// What a broker does that saw spot there, or not, for a day.
    fn after_a_day(up: bool, need: Need, pace: u32) -> Tenure {
        let mut broker = Broker::new(1, pace, NOW);
        for tick in 0..288 {
            broker.see(up, NOW + Millis(TICK.0 * tick / u64::from(pace)));
        }
        broker.choose(&MARKET(), &need).unwrap()
    }

    #[test]
    fn spot_is_taken_where_it_is_and_waited_for_while_there_is_time() {
        assert_eq!(after_a_day(true, need(8, 16, 1), 1), Tenure::Spot);
        assert_eq!(after_a_day(false, need(8, 16, 1), 1), Tenure::Idle);
    }

    #[test]
    fn machine_that_stays_is_bought_while_it_is_still_in_time() {
        let tight = Need { left: Millis(HOUR.times(8).0 + 700_000), ..need(8, 16, 1) };
        for up in [true, false] {
            assert_eq!(after_a_day(up, tight, 1), Tenure::OnDemand, "{up}");
        }
        // However long it waits for spot that does not come, the work fits into what is left once it gives up.
        let mut left = HOUR.times(12);
        while after_a_day(false, Need { left, ..need(8, 16, 1) }, 1) == Tenure::Idle {
            left = Millis(left.0 - TICK.0);
        }
        assert!(left >= Millis(HOUR.times(8).0 + 600_000), "{left}");
    }

    #[test]
    fn record_played_fast_is_decided_about_as_it_was_recorded() {
        for up in [true, false] {
            for left_h in 9..=12 {
                let slow = after_a_day(up, need(8, left_h, 1), 1);
                assert_eq!(after_a_day(up, need(8, left_h, 60), 60), slow, "{up} {left_h}");
            }
        }
    }

    #[test]
    fn job_without_work_has_no_answer() {
        let done = Need { work: Millis::ZERO, ..need(8, 16, 1) };
        assert!(Broker::new(1, 1, NOW).choose(&MARKET(), &done).is_err());
    }
}
