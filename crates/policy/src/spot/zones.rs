//! Several zones: which of those that have spot to start in.

use super::belief::{Belief, Prior};
use super::rules::{Kind, State};

/// How far ahead, in seconds, a stay is reckoned.
const HORIZON_S: f64 = 8.0 * 3600.0;

/// The prior of any of `n` zones having spot, reckoned from zones that are up half of the time and fail by themselves:
/// one of them returns `n` times as fast as one alone, and all are away for a share of `1 / 2^n`, so that the last one
/// is lost `(2^n - 1) / n` times as rarely. Zones do fail together; the belief corrects what that changes.
pub(super) fn prior_of_any(prior: Prior, zones: usize) -> Prior {
    // More zones change nothing any more, and powers stay small.
    let zones = zones.clamp(1, 16) as f64;
    let mut any = prior;
    any.down.exposure /= zones;
    any.up.exposure *= (zones.exp2() - 1.0) / zones;
    any
}

/// What is believed of each zone.
#[derive(Debug, Clone)]
pub(super) struct Beliefs {
    zones: Vec<Belief>,
}

impl Beliefs {
    /// Nothing seen yet.
    pub(super) fn new(prior: Prior, zones: usize) -> Self {
        Self { zones: vec![Belief::new(prior); zones] }
    }

    pub(super) fn see(&mut self, up: &[bool], since_s: f64) {
        if self.zones.len() == 1 {
            return;
        }
        for (belief, up) in self.zones.iter_mut().zip(up) {
            belief.see(*up, since_s);
        }
    }

    /// The zone whose stay costs least per second of work: a stay costs its delay and the move there, and brings the
    /// spot time to come less the delay. None where no zone has spot.
    pub(super) fn choose(&self, state: &State<'_>, up: &[bool]) -> Option<usize> {
        if self.zones.len() == 1 {
            return up.contains(&true).then_some(0);
        }
        let terms = state.terms;
        let delay_usd = terms.price(Kind::Spot) * terms.delay_s() / 3600.0;
        let horizon_s = HORIZON_S.min(state.work_left_s() + terms.delay_s());
        let usd_per_s = |zone: usize, belief: &Belief| {
            let moves = state.home.is_some_and(|home| home != zone);
            let move_usd = if moves { terms.move_usd() } else { 0.0 };
            let works_s = (belief.spot_to_come_s(horizon_s) - terms.delay_s()).max(1.0);
            (delay_usd + move_usd) / works_s
        };
        let there = self.zones.iter().enumerate().filter(|(zone, _)| up.get(*zone) == Some(&true));
        let priced = there.map(|(zone, belief)| (zone, usd_per_s(zone, belief)));
        priced.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(zone, _)| zone)
    }
}

#[cfg(test)]
mod tests {
    use super::super::belief::SHIPPED;
    use super::super::rules::{Prices, Terms};
    use super::*;

    fn chosen(move_usd: f64, home: Option<usize>, up: &[bool]) -> Option<usize> {
        let prices = Prices { spot_usd_h: 1.0, on_demand_usd_h: 3.0 };
        let terms = Terms::new(600.0, 172_800.0, 200_000.0, 720.0, prices).unwrap();
        let terms = terms.with_move_usd(move_usd).unwrap();
        let mut beliefs = Beliefs::new(SHIPPED, 3);
        // The second zone has had spot for long, the third and then the first for one look.
        for look in 0..50 {
            beliefs.see(&[look == 49, true, look == 49], 600.0);
        }
        let state = State {
            terms: &terms,
            spot_up: true,
            elapsed_s: 30_000.0,
            done_s: 0.0,
            delay_left_s: 0.0,
            last: Kind::Idle,
            running: Kind::Idle,
            home,
        };
        beliefs.choose(&state, up)
    }

    #[test]
    fn the_zone_that_has_had_spot_for_longest_is_chosen_unless_moving_costs_more() {
        let all = [true, true, true];
        assert_eq!(chosen(0.0, Some(0), &all), Some(1));
        assert_eq!(chosen(10.0, Some(0), &all), Some(0));
        assert_eq!(chosen(10.0, None, &all), Some(1));
        assert_eq!(chosen(10.0, Some(1), &[true, false, true]), Some(0));
        assert_eq!(chosen(0.0, None, &[false; 3]), None);
    }

    #[test]
    fn any_of_several_zones_returns_sooner_and_stays_longer() {
        let mean = |spell: super::super::belief::SpellPrior| spell.events / spell.exposure;
        let any = prior_of_any(SHIPPED, 2);
        assert!((mean(any.down) / mean(SHIPPED.down) - 2.0).abs() < 1e-12);
        assert!((mean(any.up) / mean(SHIPPED.up) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(prior_of_any(SHIPPED, 1), SHIPPED);
    }
}
