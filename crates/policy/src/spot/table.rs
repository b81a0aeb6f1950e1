//! What it costs from here to the end, for one assumed pair of exponents, by dynamic programming.
//!
//! The state is the time left, the slack (time left less work left, delays counted as work), what is held, and whether
//! spot is there and since when. In a step the job idles and burns slack, or changes and burns a delay of it, or works
//! and keeps it. Slack below one delay leaves on-demand only; a spot instance may be started from two delays on.
//! Between grid points values are interpolated linearly.

use super::belief::Prior;
use super::rules::{Kind, Terms};

/// Ages of a spell in seconds at which values are kept: about geometric, as the rate of ending falls with age.
const AGES_S: [f64; 7] = [0.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 36_000.0];
const AGES: usize = AGES_S.len();
/// Held and availability; each has one value per age.
pub(super) const FREE_UP: usize = 0;
pub(super) const SPOT_UP: usize = AGES;
pub(super) const ON_DEMAND_UP: usize = 2 * AGES;
pub(super) const FREE_DOWN: usize = 3 * AGES;
pub(super) const ON_DEMAND_DOWN: usize = 4 * AGES;
const STATES: usize = 5 * AGES;

/// The shortest step of time: availability changes little within it.
const STEP_MIN_S: f64 = 600.0;
/// Steps at the most, which bounds memory and time for long deadlines.
const STEPS_MAX: f64 = 512.0;
/// Every so many steps values are kept: they are solved step by step, and vary slowly with the time left.
const KEPT_EVERY: usize = 4;
/// Growth from one point of the slack axis to the next, past its fine beginning.
const SLACK_GROWTH: f64 = 1.05;
/// Points of slack at the most.
const SLACKS_MAX: usize = 192;

/// A place between two grid points: this share of the way from `low` to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    low: usize,
    share: f64,
}

impl Place {
    /// Where `x` stands among at least two rising points; outside, at the nearest end.
    fn among(x: f64, points: &[f64]) -> Self {
        let above = points.partition_point(|point| *point <= x).clamp(1, points.len().max(2) - 1);
        let (low, high) = match (points.get(above - 1), points.get(above)) {
            (Some(low), Some(high)) => (*low, *high),
            _ => return Self { low: 0, share: 0.0 },
        };
        Self { low: above - 1, share: ((x - low) / (high - low)).clamp(0.0, 1.0) }
    }

    fn mix(self, low: f64, high: f64) -> f64 {
        low + self.share * (high - low)
    }
}

/// The place of an age in seconds.
pub(super) fn age(age_s: f64) -> Place {
    Place::among(age_s, &AGES_S)
}

/// The grid of time and slack that all tables of a plan share.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    step_s: f64,
    steps: usize,
    slacks_s: Vec<f64>,
}

impl Grid {
    pub(super) fn new(terms: &Terms) -> Self {
        let least_s = STEP_MIN_S.max(terms.deadline_s() / STEPS_MAX);
        let step_s = terms.tick_s() * (least_s / terms.tick_s()).round().max(1.0);
        // At most `STEPS_MAX` and a few; never none, so that there are two points to mix.
        let steps = (terms.deadline_s() / step_s).ceil().clamp(1.0, 2.0 * STEPS_MAX) as usize;
        let most_s = (terms.deadline_s() - terms.work_s()).max(step_s) * 1.02;
        let finest_s = (terms.delay_s() / 2.0).max(step_s / 4.0);
        let mut slacks_s = vec![0.0];
        let mut at_s = 0.0;
        while at_s < most_s && slacks_s.len() < SLACKS_MAX {
            at_s = (at_s + finest_s).max(at_s * SLACK_GROWTH);
            slacks_s.push(at_s);
        }
        Self { step_s, steps, slacks_s }
    }

    /// The corner of a time left and a slack, both in seconds.
    pub(super) fn corner(&self, left_s: f64, slack_s: f64) -> Corner {
        let kept = self.kept();
        let at = (left_s / (self.step_s * KEPT_EVERY as f64)).clamp(0.0, kept as f64);
        let low = (at as usize).min(kept - 1);
        Corner { time: Place { low, share: at - low as f64 }, slack: self.slack(slack_s) }
    }

    /// Kept rows beyond the one at the deadline.
    fn kept(&self) -> usize {
        self.steps.div_ceil(KEPT_EVERY)
    }

    fn slack(&self, slack_s: f64) -> Place {
        Place::among(slack_s, &self.slacks_s)
    }
}

/// A place in time and slack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Corner {
    time: Place,
    slack: Place,
}

/// Cost to the end in USD, for each point of the grid and each state.
#[derive(Debug, Clone)]
pub(super) struct Table {
    slacks: usize,
    values: Vec<f32>,
}

/// How availability moves within a step, and what moving between zones adds.
struct Step {
    next_age: [Place; AGES],
    stays_up: [f64; AGES],
    stays_down: [f64; AGES],
    /// Probability that the zone is lost while another has spot.
    moves: f64,
}

impl Table {
    /// Solves backwards from the deadline. `moves` is the probability per hour that the zone in use is lost while
    /// another has spot.
    pub(super) fn solve(
        grid: &Grid,
        terms: &Terms,
        prior: &Prior,
        exponents: (f64, f64),
        moves: f64,
    ) -> Self {
        let step = Step::new(grid.step_s, prior, exponents, moves);
        let slacks = grid.slacks_s.len();
        let row = slacks * STATES;
        let mut values = Vec::with_capacity((grid.kept() + 1) * row);
        let (mut next, mut ahead) = (vec![0_f64; row], vec![0_f64; row]);
        values.resize(row, 0_f32);
        let options = Options::new(grid, terms);
        for n in 1..=grid.kept() * KEPT_EVERY {
            for (next, ahead) in next.chunks_exact(STATES).zip(ahead.chunks_exact_mut(STATES)) {
                step.expect(next, ahead);
            }
            let left_s = n as f64 * grid.step_s;
            for (slack, here) in next.chunks_exact_mut(STATES).enumerate() {
                options.choose(left_s, slack, &ahead, here);
            }
            if n.is_multiple_of(KEPT_EVERY) {
                values.extend(next.iter().map(|cost| *cost as f32));
            }
        }
        Self { slacks, values }
    }

    /// Cost to the end in USD from a state at a corner.
    pub(super) fn cost_usd(&self, corner: Corner, state: usize, age: Place) -> f64 {
        let at = |time: usize, slack: usize| {
            let index = (time * self.slacks + slack) * STATES + state + age.low;
            let value = |index: usize| f64::from(self.values.get(index).copied().unwrap_or(0.0));
            age.mix(value(index), value(index + 1))
        };
        let Corner { time, slack } = corner;
        let in_row = |time: usize| slack.mix(at(time, slack.low), at(time, slack.low + 1));
        time.mix(in_row(time.low), in_row(time.low + 1))
    }
}

impl Step {
    fn new(step_s: f64, prior: &Prior, (up, down): (f64, f64), moves: f64) -> Self {
        Self {
            next_age: AGES_S.map(|at_s| age(at_s + step_s)),
            stays_up: AGES_S.map(|at_s| prior.up.lasts(up, at_s, step_s)),
            stays_down: AGES_S.map(|at_s| prior.down.lasts(down, at_s, step_s)),
            moves: 1.0 - (-moves * step_s / 3600.0).exp(),
        }
    }

    /// The expected cost after a step, for what is held in it, from the costs a step later.
    fn expect(&self, next: &[f64], ahead: &mut [f64]) {
        let value = |index: usize| next.get(index).copied().unwrap_or(0.0);
        let mut set = |index: usize, cost: f64| {
            if let Some(cell) = ahead.get_mut(index) {
                *cell = cost;
            }
        };
        for n in 0..AGES {
            let (Some(place), Some(stays_up), Some(stays_down)) =
                (self.next_age.get(n), self.stays_up.get(n), self.stays_down.get(n))
            else {
                continue;
            };
            let older = |state: usize| place.mix(value(state + place.low), value(state + place.low + 1));
            let ends = |stays: f64, older: f64, newly: f64| stays * older + (1.0 - stays) * newly;
            let kept = (1.0 - self.moves) * older(SPOT_UP) + self.moves * older(FREE_UP);
            set(FREE_UP + n, ends(*stays_up, older(FREE_UP), value(FREE_DOWN)));
            set(SPOT_UP + n, ends(*stays_up, kept, value(FREE_DOWN)));
            set(ON_DEMAND_UP + n, ends(*stays_up, older(ON_DEMAND_UP), value(ON_DEMAND_DOWN)));
            set(FREE_DOWN + n, ends(*stays_down, older(FREE_DOWN), value(FREE_UP)));
            set(ON_DEMAND_DOWN + n, ends(*stays_down, older(ON_DEMAND_DOWN), value(ON_DEMAND_UP)));
        }
    }
}

/// What may be held in a step, and what it costs.
struct Options<'a> {
    grid: &'a Grid,
    terms: &'a Terms,
    after_delay: Vec<Place>,
    after_idling: Vec<Place>,
}

impl<'a> Options<'a> {
    fn new(grid: &'a Grid, terms: &'a Terms) -> Self {
        let less = |spent_s: f64| grid.slacks_s.iter().map(|slack_s| grid.slack(slack_s - spent_s)).collect();
        Self { grid, terms, after_delay: less(terms.delay_s()), after_idling: less(grid.step_s) }
    }

    /// The least cost of each state at one point of time and slack.
    fn choose(&self, left_s: f64, slack: usize, ahead: &[f64], here: &mut [f64]) {
        let (Some(slack_s), Some(delayed), Some(idled)) =
            (self.grid.slacks_s.get(slack), self.after_delay.get(slack), self.after_idling.get(slack))
        else {
            return;
        };
        let work_left_s = left_s - slack_s;
        if work_left_s <= 0.0 {
            return;
        }
        let at = |slack: usize, state: usize| ahead.get(slack * STATES + state).copied().unwrap_or(0.0);
        let mixed = |place: &Place, state: usize| place.mix(at(place.low, state), at(place.low + 1, state));
        let delay_s = self.terms.delay_s();
        let paid = |kind: Kind, work_s: f64| self.terms.price(kind) * work_s.min(self.grid.step_s) / 3600.0;
        let paid_on = |kind| (paid(kind, work_left_s), paid(kind, work_left_s + delay_s));
        let (spot, spot_new) = paid_on(Kind::Spot);
        let (on_demand, on_demand_new) = paid_on(Kind::OnDemand);
        // Too late for on-demand: steep, so that nothing between two points drifts there.
        let late = 10.0 * self.terms.price(Kind::OnDemand) * (delay_s - slack_s).max(0.0) / 3600.0;
        let unless = |allowed: bool, cost: f64| if allowed { cost } else { f64::INFINITY };
        let may_idle = *slack_s >= self.grid.step_s + delay_s;
        let may_start_spot = *slack_s >= 2.0 * delay_s;
        for n in 0..AGES {
            let idle = unless(may_idle, mixed(idled, FREE_UP + n));
            let to_spot = unless(may_start_spot, spot_new + mixed(delayed, SPOT_UP + n));
            let stay_spot = spot + at(slack, SPOT_UP + n);
            let to_on_demand = on_demand_new + mixed(delayed, ON_DEMAND_UP + n) + late;
            let stay_on_demand = on_demand + at(slack, ON_DEMAND_UP + n);
            let idle_down = unless(may_idle, mixed(idled, FREE_DOWN + n));
            let to_on_demand_down = on_demand_new + mixed(delayed, ON_DEMAND_DOWN + n) + late;
            let stay_on_demand_down = on_demand + at(slack, ON_DEMAND_DOWN + n);
            for (state, cost) in [
                (FREE_UP, idle.min(to_spot).min(to_on_demand)),
                (SPOT_UP, stay_spot.min(to_on_demand)),
                (ON_DEMAND_UP, stay_on_demand.min(to_spot).min(idle)),
                (FREE_DOWN, idle_down.min(to_on_demand_down)),
                (ON_DEMAND_DOWN, stay_on_demand_down.min(idle_down)),
            ] {
                if let Some(cell) = here.get_mut(state + n) {
                    *cell = cost;
                }
            }
        }
    }
}
