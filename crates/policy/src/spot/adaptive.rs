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
    /// Solves a job that may use this many zones. Takes tens of milliseconds, and some ten MiB while it is kept.
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
