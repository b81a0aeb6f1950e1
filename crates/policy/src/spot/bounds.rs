//! What no policy can be cheaper than.

use super::rules::{Kind, Terms};

/// Values at the most that [`optimum_usd`] keeps for a tick.
const LEVELS_MAX: f64 = 65_536.0;

/// USD if all spot time before the deadline could be used without any delay; `any_up` says for every tick whether some
/// zone has spot. A bound, not to be reached.
pub fn bound_usd(any_up: &[bool], terms: &Terms) -> f64 {
    let ticks = (terms.deadline_s() / terms.tick_s()).floor() as usize;
    let up = any_up.iter().take(ticks).filter(|up| **up).count();
    let spot_h = up as f64 * terms.tick_s() / 3600.0;
    let work_h = terms.work_s() / 3600.0;
    let on_demand_h = (work_h - spot_h).max(0.0);
    spot_h.min(work_h) * terms.price(Kind::Spot) + on_demand_h * terms.price(Kind::OnDemand)
}

/// USD of the cheapest way there was, known afterwards: under the same rules, delays included, with moves for nothing.
/// `None` where no way is in time, or where tick, work and delay have no common measure fine enough to reckon in.
///
/// By dynamic programming over tick, what is held and slack, in units of the greatest common divisor of tick and delay.
/// A delay is reckoned as work when it starts. The rules forgive what is left of a delay when another begins, but whoever
/// gains by that paid for an instance that did no work, so the cheapest way never does.
pub fn optimum_usd(any_up: &[bool], terms: &Terms) -> Option<f64> {
    let unit_s = divisor(terms.tick_s(), terms.delay_s())?;
    let ticks = (terms.deadline_s() / terms.tick_s()).floor();
    let slack = (ticks * terms.tick_s() - terms.work_s()) / unit_s;
    if !(0.0..LEVELS_MAX).contains(&slack) {
        return None;
    }
    // All are whole numbers within the bounds just checked; work that is no multiple leaves less slack.
    let levels = slack.floor() as usize + 1;
    let (tick, delay) = ((terms.tick_s() / unit_s) as usize, (terms.delay_s() / unit_s) as usize);
    let usd = |kind| terms.price(kind) * terms.tick_s() / 3600.0;
    let (spot_usd, on_demand_usd) = (usd(Kind::Spot), usd(Kind::OnDemand));
    let mut next = [(); 3].map(|()| vec![0.0_f64; levels]);
    let mut here = next.clone();
    for n in (0..ticks as usize).rev() {
        let up = any_up.get(n).copied().unwrap_or(false);
        let left = (ticks as usize - n) * tick;
        let [idle, spot, on_demand] = &next;
        let after = |costs: &[f64], slack: usize, spent: usize| {
            slack.checked_sub(spent).and_then(|slack| costs.get(slack)).copied().unwrap_or(f64::INFINITY)
        };
        for (held, costs) in here.iter_mut().enumerate() {
            for (slack, cost) in costs.iter_mut().enumerate() {
                // From here on all slack is left over.
                if slack >= left {
                    *cost = 0.0;
                    continue;
                }
                let keeps_spot = held == 1 && up;
                let to_spot = after(spot, slack, if keeps_spot { 0 } else { delay });
                let to_on_demand = after(on_demand, slack, if held == 2 { 0 } else { delay });
                *cost = after(idle, slack, tick).min(on_demand_usd + to_on_demand);
                if up {
                    *cost = cost.min(spot_usd + to_spot);
                }
            }
        }
        std::mem::swap(&mut next, &mut here);
    }
    let [start, ..] = &next;
    start.last().copied().filter(|cost| cost.is_finite())
}

/// The greatest common divisor of two whole numbers of seconds.
fn divisor(one: f64, other: f64) -> Option<f64> {
    let (mut one, mut other) = (one, other);
    if one.fract() != 0.0 || other.fract() != 0.0 {
        return None;
    }
    while other > 0.0 {
        (one, other) = (other, one % other);
    }
    Some(one)
}
