//! The policies that ours is measured against.

use super::rules::{Kind, Policy, State};

/// On-demand from start to end.
#[derive(Debug, Clone, Copy)]
pub struct OnDemand;

impl Policy for OnDemand {
    fn want(&mut self, _: &State<'_>, _: &[bool]) -> Kind {
        Kind::OnDemand
    }
}

/// Spot whenever there is any, else on-demand.
#[derive(Debug, Clone, Copy)]
pub struct SpotElseOnDemand;

impl Policy for SpotElseOnDemand {
    fn want(&mut self, state: &State<'_>, _: &[bool]) -> Kind {
        if state.spot_up { Kind::Spot } else { Kind::OnDemand }
    }
}

/// Spot or nothing, until only on-demand is in time.
#[derive(Debug, Clone, Copy)]
pub struct Greedy;

impl Policy for Greedy {
    fn want(&mut self, state: &State<'_>, _: &[bool]) -> Kind {
        let keeps_spot = state.running == Kind::Spot && state.spot_up;
        if state.must_start() || (state.no_time_to_change() && !keeps_spot) {
            return Kind::OnDemand;
        }
        if state.spot_up { Kind::Spot } else { Kind::Idle }
    }
}

/// Uniform Progress (Wu et al., "Can't Be Late", NSDI 2024): never behind an even pace, spot whenever it is kept.
#[derive(Debug, Clone, Copy)]
pub struct UniformProgress;

impl Policy for UniformProgress {
    fn want(&mut self, state: &State<'_>, _: &[bool]) -> Kind {
        let terms = state.terms;
        let behind = |at_s: f64| state.done_s < at_s * terms.work_s() / terms.deadline_s();
        let late_now = behind(state.elapsed_s);
        let late_after_a_change = behind(state.elapsed_s + 2.0 * terms.delay_s());
        let mut want = match (state.spot_up, late_now) {
            (true, _) => Kind::Spot,
            (false, true) => Kind::OnDemand,
            (false, false) => Kind::Idle,
        };
        if state.running == Kind::OnDemand && (!state.spot_up || late_after_a_change) {
            want = Kind::OnDemand;
        }
        if state.no_time_to_change() && state.running != Kind::Spot {
            want = Kind::OnDemand;
        }
        if state.must_start() { state.last_resort(state.running) } else { want }
    }
}
