//! Our policy: idle, spot or on-demand, by what each is expected to cost to the end.
//!
//! The cost to the end depends on how long spot stays and stays away, which is not known. [`Plan`] solves the job once for
//! each of a grid of assumed exponents; [`decide`] weighs these answers by the present belief and takes the cheapest. That
//! each answer assumes its exponents known from then on costs little: availability is seen whatever is held, so no
//! choice is worth making to learn (the QMDP approximation: Littman, Cassandra, Kaelbling, ICML 1995).
//!
//! Being late is no matter of belief: nothing is chosen that leaves no time to start on-demand and do all the work on
//! it, losing whatever runs at the worst moment.

use super::belief::{Belief, Prior};
use super::rules::{Kind, Policy, State, Terms};
use super::table::{self, Corner, Grid, Place, Table};
use super::zones;

/// Assumed exponents for spells with spot, and as many without: enough that more change costs by less than 0.1 %.
const EXPONENTS: usize = 5;
/// From the middle of the assumed exponents to the largest.
const SPREAD: f64 = 3.0;
/// Losses per hour of the zone in use while another has spot, in the reckoning of jobs with several zones.
const MOVES_PER_HOUR: f64 = 0.2;
/// Answers with a smaller share of the belief than this are left out.
const WEIGHT_MIN: f64 = 1e-6;

/// A job's costs to the end for every assumption; made once per job, or once for jobs on the same terms.
#[derive(Debug, Clone)]
pub struct Plan {
    terms: Terms,
    prior: Prior,
    grid: Grid,
    answers: Vec<Answer>,
}

#[derive(Debug, Clone)]
struct Answer {
    up: f64,
    down: f64,
    table: Table,
}

impl Plan {
    /// Solves a job that may use this many zones. Takes some hundred milliseconds, and
    /// some tens of MiB while it is kept.
    pub fn new(terms: Terms, prior: Prior, zones: usize) -> Self {
        let prior = zones::prior_of_any(prior, zones);
        let grid = Grid::new(&terms);
        let moves = if zones > 1 { MOVES_PER_HOUR } else { 0.0 };
        let mut answers = Vec::with_capacity(EXPONENTS * EXPONENTS);
        for up in assumed(prior.up.events / prior.up.exposure) {
            for down in assumed(prior.down.events / prior.down.exposure) {
                let table = Table::solve(&grid, &terms, &prior, (up, down), moves);
                answers.push(Answer { up, down, table });
            }
        }
        Self { terms, prior, grid, answers }
    }

    /// The terms it was made for.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// A belief to start with: of any of the job's zones having spot.
    pub fn belief(&self) -> Belief {
        Belief::new(self.prior)
    }
}

/// Exponents around a mean, in even ratios.
fn assumed(mean: f64) -> [f64; EXPONENTS] {
    let half = (EXPONENTS - 1) as f64 / 2.0;
    std::array::from_fn(|n| mean * SPREAD.powf((n as f64 - half) / half))
}

/// What to hold in the tick that begins.
///
/// `state` is that of a job on the plan's terms; `belief` came from [`Plan::belief`] and has seen every tick up to this
/// one. The job is in time whenever its terms allow it and each of its ticks was decided so. The answer depends on
/// nothing but the arguments.
///
/// The price of a move plays no part: whoever waits for a zone pays it later, so it chooses the zone, not the time.
pub fn decide(plan: &Plan, state: &State<'_>, belief: &Belief) -> Kind {
    if state.must_start() {
        return state.last_resort(state.running);
    }
    if state.running == Kind::Spot && state.spot_up {
        return Kind::Spot;
    }
    let costs = expected(plan, state, belief);
    let mut best = (Kind::OnDemand, costs.on_demand);
    if state.spot_up && !state.no_time_to_change() && costs.spot < best.1 {
        best = (Kind::Spot, costs.spot);
    }
    if costs.idle < best.1 { Kind::Idle } else { best.0 }
}

/// Expected costs to the end, up to a common factor.
#[derive(Default)]
struct Costs {
    idle: f64,
    spot: f64,
    on_demand: f64,
}

/// Where a choice leads: slack after the tick and what is held then.
struct Choice {
    corner: Corner,
    up: usize,
    down: usize,
}

fn expected(plan: &Plan, state: &State<'_>, belief: &Belief) -> Costs {
    let terms = state.terms;
    let tick_s = terms.tick_s();
    let left_s = state.ticks_left() * tick_s;
    let slack_s = left_s - state.work_left_s();
    let stays = state.running == Kind::OnDemand;
    let on_demand_slack_s = slack_s - if stays { state.delay_left_s } else { terms.delay_s() };
    let to = |slack_s: f64, up: usize, down: usize| Choice {
        corner: plan.grid.corner(left_s - tick_s, slack_s),
        up,
        down,
    };
    let idle = to(slack_s - tick_s, table::FREE_UP, table::FREE_DOWN);
    let spot = to(slack_s - terms.delay_s(), table::SPOT_UP, table::FREE_DOWN);
    let on_demand = to(on_demand_slack_s, table::ON_DEMAND_UP, table::ON_DEMAND_DOWN);
    let (newly, older) = (table::age(0.0), table::age(belief.age_s() + tick_s));
    let mut costs = Costs::default();
    for (answer, weight) in plan.answers.iter().zip(weights(plan, belief)) {
        if weight < WEIGHT_MIN {
            continue;
        }
        let spell = if state.spot_up { plan.prior.up } else { plan.prior.down };
        let exponent = if state.spot_up { answer.up } else { answer.down };
        let lasts = spell.lasts(exponent, belief.age_s(), tick_s);
        let ahead = |choice: &Choice| answer.ahead(choice, state.spot_up, lasts, older, newly);
        let tick_usd = |kind| terms.price(kind) * tick_s / 3600.0;
        costs.idle += weight * ahead(&idle);
        costs.spot += weight * (tick_usd(Kind::Spot) + ahead(&spot));
        costs.on_demand += weight * (tick_usd(Kind::OnDemand) + ahead(&on_demand));
    }
    costs
}

impl Answer {
    /// Cost from the next tick on.
    fn ahead(&self, choice: &Choice, up: bool, lasts: f64, older: Place, newly: Place) -> f64 {
        let (same, other) = if up { (choice.up, choice.down) } else { (choice.down, choice.up) };
        let cost = |state: usize, age: Place| self.table.cost_usd(choice.corner, state, age);
        lasts * cost(same, older) + (1.0 - lasts) * cost(other, newly)
    }
}

/// How well each answer's exponents agree with the belief, the best one being 1. The assumed exponents stand in even
/// ratios, so the weight is the Gamma's density over the logarithm of the exponent.
fn weights(plan: &Plan, belief: &Belief) -> Vec<f64> {
    let ((up_events, up_exposure), (down_events, down_exposure)) = (belief.gamma(true), belief.gamma(false));
    let log = |answer: &Answer| {
        let up = up_events * answer.up.ln() - up_exposure * answer.up;
        up + down_events * answer.down.ln() - down_exposure * answer.down
    };
    let most = plan.answers.iter().map(log).fold(f64::NEG_INFINITY, f64::max);
    plan.answers.iter().map(|answer| (log(answer) - most).exp()).collect()
}

/// Our policy in the simulator: it learns from each tick and decides.
#[derive(Debug, Clone)]
pub struct Adaptive<'a> {
    plan: &'a Plan,
    any: Belief,
    zones: zones::Beliefs,
}

impl<'a> Adaptive<'a> {
    /// Nothing seen yet; `prior` is that of one zone.
    pub fn new(plan: &'a Plan, prior: Prior, zones: usize) -> Self {
        Self { plan, any: plan.belief(), zones: zones::Beliefs::new(prior, zones) }
    }

    /// Learns from a tick: also one before the job's start, if a record of it exists.
    pub fn see(&mut self, up: &[bool]) {
        let tick_s = self.plan.terms.tick_s();
        self.any.see(up.contains(&true), tick_s);
        self.zones.see(up, tick_s);
    }
}

impl Policy for Adaptive<'_> {
    fn want(&mut self, state: &State<'_>, up: &[bool]) -> Kind {
        self.see(up);
        decide(self.plan, state, &self.any)
    }

    fn zone(&mut self, state: &State<'_>, up: &[bool]) -> usize {
        self.zones.choose(state, up).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::belief::SHIPPED;
    use super::super::rules::Prices;
    use super::*;

    const PRICES: Prices = Prices { spot_usd_h: 1.0, on_demand_usd_h: 3.0 };

    fn plan(slack_s: f64) -> Plan {
        let terms = Terms::new(600.0, 86_400.0, 86_400.0 + slack_s, 720.0, PRICES).unwrap();
        Plan::new(terms, SHIPPED, 1)
    }

    fn state<'a>(plan: &'a Plan, spot_up: bool, running: Kind) -> State<'a> {
        let terms = &plan.terms;
        let (elapsed_s, done_s, delay_left_s) = (0.0, 0.0, 0.0);
        State { terms, spot_up, elapsed_s, done_s, delay_left_s, last: running, running, home: None }
    }

    fn believed(plan: &Plan, looks: &[(bool, u32)]) -> Belief {
        let mut belief = plan.belief();
        for (up, times) in looks {
            (0..*times).for_each(|_| belief.see(*up, 600.0));
        }
        belief
    }

    /// What is expected of the best choice must be what the tables say, which were solved in steps of one tick.
    #[test]
    fn the_best_choice_costs_what_the_tables_say() {
        let plan = plan(14_400.0);
        for (up, running, table) in [
            (true, Kind::Idle, table::FREE_UP),
            (false, Kind::Idle, table::FREE_DOWN),
            (true, Kind::OnDemand, table::ON_DEMAND_UP),
            (false, Kind::OnDemand, table::ON_DEMAND_DOWN),
        ] {
            let belief = believed(&plan, &[(!up, 1), (up, 4)]);
            let state = state(&plan, up, running);
            let costs = expected(&plan, &state, &belief);
            let spot = if up { costs.spot } else { f64::INFINITY };
            let best = costs.idle.min(costs.on_demand).min(spot);
            let corner = plan.grid.corner(100_800.0, 14_400.0);
            let now = table::age(belief.age_s());
            let answers = plan.answers.iter().zip(weights(&plan, &belief));
            let told: f64 =
                answers.map(|(answer, weight)| weight * answer.table.cost_usd(corner, table, now)).sum();
            assert!((best / told - 1.0).abs() < 0.003, "{up} {running:?}: {best} is not {told}");
        }
    }

    #[test]
    fn the_heaviest_answer_is_the_one_that_fits_what_was_seen() {
        let plan = plan(7200.0);
        let heaviest = |looks: &[(bool, u32)]| {
            let weights = weights(&plan, &believed(&plan, looks));
            let most = plan.answers.iter().zip(weights).max_by(|one, other| one.1.total_cmp(&other.1));
            most.map(|(answer, _)| (answer.up, answer.down)).unwrap()
        };
        let short: Vec<(bool, u32)> = (0..60).flat_map(|_| [(true, 12), (false, 1)]).collect();
        let (_, prior) = heaviest(&[]);
        assert!(heaviest(&short).1 > prior && heaviest(&short).0 <= prior);
        let long: Vec<(bool, u32)> = (0..60).flat_map(|_| [(true, 1), (false, 60)]).collect();
        assert!(heaviest(&long).1 < prior);
    }

    #[test]
    fn an_absence_that_used_to_be_short_is_waited_for_and_a_long_one_is_not() {
        let plan = plan(4.0 * 3600.0);
        let state = state(&plan, false, Kind::Idle);
        let short: Vec<(bool, u32)> = (0..20).flat_map(|_| [(true, 12), (false, 1)]).collect();
        assert_eq!(decide(&plan, &state, &believed(&plan, &short)), Kind::Idle);
        assert_eq!(decide(&plan, &state, &believed(&plan, &[(false, 200)])), Kind::OnDemand);
    }

    #[test]
    fn on_demand_is_left_for_a_spell_that_has_lasted_and_not_for_a_flicker() {
        let plan = plan(2.0 * 3600.0);
        let state = state(&plan, true, Kind::OnDemand);
        let flickers: Vec<(bool, u32)> = (0..40).flat_map(|_| [(false, 6), (true, 1)]).collect();
        assert_eq!(decide(&plan, &state, &believed(&plan, &flickers)), Kind::OnDemand);
        assert_eq!(decide(&plan, &state, &believed(&plan, &[(false, 1), (true, 40)])), Kind::Spot);
    }

    #[test]
    fn on_demand_starts_when_there_is_time_for_nothing_else() {
        let plan = plan(1200.0);
        let belief = believed(&plan, &[(false, 1), (true, 40)]);
        assert_eq!(decide(&plan, &state(&plan, true, Kind::Idle), &belief), Kind::OnDemand);
    }
}
