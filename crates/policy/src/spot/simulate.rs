//! One job, played over recorded availability.

use super::rules::{Kind, Policy, State, Terms, first_up};

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// USD for instances and moves.
    pub cost_usd: f64,
    /// Seconds after the start at which the work was done, a whole number of ticks.
    pub finish_s: f64,
    /// Instances started.
    pub changeovers: u32,
    /// Starts in another zone than where the checkpoint lay.
    pub moves: u32,
    /// Seconds paid for on spot.
    pub spot_s: f64,
    /// Seconds paid for on-demand.
    pub on_demand_s: f64,
}

impl Run {
    /// Whether the work was done after the deadline.
    pub fn is_late(&self, terms: &Terms) -> bool {
        self.finish_s > terms.deadline_s()
    }
}

/// The job between two ticks.
struct Job {
    held: Kind,
    zone: usize,
    home: Option<usize>,
    delay_left_s: f64,
    done_s: f64,
    run: Run,
}

/// Plays a job from the first tick of `zones` on: each says for every tick whether spot is there. Ticks after the end
/// of a record count as without spot. From the deadline on the guard asks for an instance at every tick, so a run ends;
/// a bound on its ticks holds where rounding would keep it from that.
pub fn run<P: Policy>(zones: &[&[bool]], terms: &Terms, policy: &mut P) -> Run {
    let mut job = Job::new();
    let mut up = vec![false; zones.len()];
    let ticks_max = ticks_max(zones, terms);
    let mut tick = 0_usize;
    loop {
        for (now, zone) in up.iter_mut().zip(zones) {
            *now = zone.get(tick).copied().unwrap_or(false);
        }
        job.work(terms);
        // A count of ticks is far below 2^53.
        job.run.finish_s = tick as f64 * terms.tick_s();
        if terms.work_s() - job.done_s <= 1e-3 || tick > ticks_max {
            return job.run;
        }
        job.choose(terms, policy, &up);
        tick += 1;
    }
}

/// Past the deadline an instance runs at all times but for one tick after each loss; losses end with the records.
fn ticks_max(zones: &[&[bool]], terms: &Terms) -> usize {
    let longest = zones.iter().map(|zone| zone.len()).max().unwrap_or(0);
    let alone = (terms.deadline_s() + terms.work_s() + terms.delay_s()) / terms.tick_s();
    // Terms are finite and not negative, and a cast from `f64` saturates.
    longest.saturating_add(alone.ceil() as usize).saturating_add(2)
}

impl Job {
    const fn new() -> Self {
        let run =
            Run { cost_usd: 0.0, finish_s: 0.0, changeovers: 0, moves: 0, spot_s: 0.0, on_demand_s: 0.0 };
        Self { held: Kind::Idle, zone: 0, home: None, delay_left_s: 0.0, done_s: 0.0, run }
    }

    /// The tick that has passed.
    fn work(&mut self, terms: &Terms) {
        let tick_s = terms.tick_s();
        match self.held {
            Kind::Idle => return,
            Kind::Spot => self.run.spot_s += tick_s,
            Kind::OnDemand => self.run.on_demand_s += tick_s,
        }
        self.run.cost_usd += terms.price(self.held) * tick_s / 3600.0;
        let worked_s = (tick_s - self.delay_left_s).max(0.0);
        self.delay_left_s = (self.delay_left_s - (tick_s - worked_s)).max(0.0);
        if self.delay_left_s < 1e-3 {
            self.delay_left_s = 0.0;
        }
        self.done_s += worked_s.min(terms.work_s() - self.done_s);
    }

    /// The tick that begins.
    fn choose<P: Policy>(&mut self, terms: &Terms, policy: &mut P, up: &[bool]) {
        let spot_up = up.contains(&true);
        let lost = self.held == Kind::Spot && !up.get(self.zone).copied().unwrap_or(false);
        let running = if lost { Kind::Idle } else { self.held };
        let state = State {
            terms,
            spot_up,
            elapsed_s: self.run.finish_s,
            done_s: self.done_s,
            delay_left_s: self.delay_left_s,
            last: if up.len() == 1 { self.held } else { running },
            running,
            home: self.home,
        };
        let mut want = state.guarded(policy.want(&state, up));
        if want == Kind::Spot && !spot_up {
            want = Kind::Idle;
        }
        if want != running && want != Kind::Idle {
            if want == Kind::Spot {
                let zone = policy.zone(&state, up);
                self.zone = if up.get(zone) == Some(&true) { zone } else { first_up(up) };
            }
            self.start(terms, want);
        }
        self.held = want;
    }

    /// On-demand is to be had everywhere, so it starts where the checkpoint lies, or in the first zone.
    fn start(&mut self, terms: &Terms, kind: Kind) {
        self.delay_left_s = terms.delay_s();
        self.run.changeovers += 1;
        let zone = if kind == Kind::Spot { self.zone } else { self.home.unwrap_or(0) };
        if self.home.is_some_and(|home| home != zone) {
            self.run.moves += 1;
            self.run.cost_usd += terms.move_usd();
        }
        self.home = Some(zone);
    }
}
