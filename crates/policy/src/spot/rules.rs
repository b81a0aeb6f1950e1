//! The rules a job lives under, tick by tick, and the guard that keeps it from being late.
//!
//! Time goes in ticks. At the start of a tick the policy sees whether spot is there. A spot instance is lost when it is
//! not. Starting an instance of another kind costs a delay, which replaces what is left of the last one: money is spent
//! and no work is done. A tick with an instance is paid in full. These are the rules of the simulator that came with
//! Uniform Progress (Wu et al., "Can't Be Late", NSDI 2024), so that costs can be compared with it. Ours are added for
//! several zones: the checkpoint lies where the job last ran, and starting elsewhere costs `move_usd`.

/// Work that is nearer to its end than this, in seconds, is done; sums of binary fractions are not exact.
const DONE_S: f64 = 1e-3;

/// What a job holds during a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing: no cost and no work.
    Idle,
    /// An instance that may be taken away.
    Spot,
    /// An instance that stays.
    OnDemand,
}

/// USD per hour of one instance, or of all nodes of a gang together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// Spot.
    pub spot_usd_h: f64,
    /// On-demand.
    pub on_demand_usd_h: f64,
}

/// What is to be done by when, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    tick_s: f64,
    work_s: f64,
    deadline_s: f64,
    delay_s: f64,
    prices: Prices,
    move_usd: f64,
}

/// Terms that no job can have.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{what} is {value}: {rule}")]
pub struct BadTerms {
    what: &'static str,
    value: f64,
    rule: &'static str,
}

impl Terms {
    /// Seconds of a tick, of work, until the deadline, and of the delay after a change of instance; moving is free.
    ///
    /// # Errors
    /// A number is not finite, a tick or the work is not above zero, or something else is below zero.
    pub fn new(
        tick_s: f64,
        work_s: f64,
        deadline_s: f64,
        delay_s: f64,
        prices: Prices,
    ) -> Result<Self, BadTerms> {
        let above = [("the tick", tick_s), ("the work", work_s)];
        let Prices { spot_usd_h, on_demand_usd_h } = prices;
        let from_zero = [
            ("the deadline", deadline_s),
            ("the delay", delay_s),
            ("the spot price", spot_usd_h),
            ("the on-demand price", on_demand_usd_h),
        ];
        for (what, value) in above {
            if !(value.is_finite() && value > 0.0) {
                return Err(BadTerms { what, value, rule: "give a number above zero" });
            }
        }
        for (what, value) in from_zero {
            if !(value.is_finite() && value >= 0.0) {
                return Err(BadTerms { what, value, rule: "give a number not below zero" });
            }
        }
        Ok(Self { tick_s, work_s, deadline_s, delay_s, prices, move_usd: 0.0 })
    }

    /// The same, with a price in USD on starting in another zone than where the checkpoint lies.
    ///
    /// # Errors
    /// The price is below zero or not finite.
    pub fn with_move_usd(self, move_usd: f64) -> Result<Self, BadTerms> {
        if move_usd.is_finite() && move_usd >= 0.0 {
            return Ok(Self { move_usd, ..self });
        }
        Err(BadTerms { what: "the price of a move", value: move_usd, rule: "give a number not below zero" })
    }

    /// Seconds of a tick.
    pub const fn tick_s(&self) -> f64 {
        self.tick_s
    }

    /// Seconds of work on one instance.
    pub const fn work_s(&self) -> f64 {
        self.work_s
    }

    /// Seconds from the start until the work must be done.
    pub const fn deadline_s(&self) -> f64 {
        self.deadline_s
    }

    /// Seconds that a change of instance costs.
    pub const fn delay_s(&self) -> f64 {
        self.delay_s
    }

    /// What instances cost.
    pub const fn prices(&self) -> Prices {
        self.prices
    }

    /// USD for moving the checkpoint to another zone.
    pub const fn move_usd(&self) -> f64 {
        self.move_usd
    }

    /// USD per hour.
    pub const fn price(&self, kind: Kind) -> f64 {
        match kind {
            Kind::Idle => 0.0,
            Kind::Spot => self.prices.spot_usd_h,
            Kind::OnDemand => self.prices.on_demand_usd_h,
        }
    }

    /// Whether on-demand from the start would be in time; if not, every policy is late.
    pub fn feasible(&self) -> bool {
        ((self.work_s + self.delay_s) / self.tick_s).ceil() <= (self.deadline_s / self.tick_s).floor()
    }
}

/// What a policy sees at the start of a tick.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    /// The job's terms.
    pub terms: &'a Terms,
    /// Whether spot is to be had in any zone.
    pub spot_up: bool,
    /// Seconds since the job's start.
    pub elapsed_s: f64,
    /// Seconds of work done.
    pub done_s: f64,
    /// Seconds of the delay that are still to pass before the instance works.
    pub delay_left_s: f64,
    /// What was held in the last tick. A job with several zones that has just lost its spot instance counts as idle.
    pub last: Kind,
    /// What is held now: `last`, or nothing where a spot instance has just been lost.
    pub running: Kind,
    /// Where the checkpoint lies, if the job ran already.
    pub home: Option<usize>,
}

impl State<'_> {
    /// Seconds of work not yet done.
    pub fn work_left_s(&self) -> f64 {
        self.terms.work_s - self.done_s
    }

    /// Whether the work is done.
    pub fn is_done(&self) -> bool {
        self.work_left_s() <= DONE_S
    }

    /// Whole ticks until the deadline; below zero after it.
    pub fn ticks_left(&self) -> f64 {
        ((self.terms.deadline_s - self.elapsed_s) / self.terms.tick_s).floor()
    }

    /// Ticks that the work left takes on one instance after so many delays.
    pub fn ticks_needed(&self, delays: f64) -> f64 {
        ((self.work_left_s() + delays * self.terms.delay_s) / self.terms.tick_s).ceil()
    }

    /// Whether the work is in time only if an instance that stays is started now.
    pub fn must_start(&self) -> bool {
        self.no_tick_to_spare(1.0)
    }

    /// Whether there is no time for one more delay before an instance that stays is started.
    pub fn no_time_to_change(&self) -> bool {
        self.no_tick_to_spare(2.0)
    }

    /// Rounding takes longer than all else in a tick, and three ticks more than needed decide without it.
    fn no_tick_to_spare(&self, delays: f64) -> bool {
        let needed_s = self.work_left_s() + delays * self.terms.delay_s;
        let left_s = self.terms.deadline_s - self.elapsed_s;
        left_s - needed_s < 3.0 * self.terms.tick_s && self.ticks_needed(delays) >= self.ticks_left()
    }

    /// Whether a spot instance is at work, its delay over.
    fn spot_works(&self, held: Kind) -> bool {
        held == Kind::Spot && self.delay_left_s < DONE_S
    }

    /// What is left to choose once [`Self::must_start`] holds: a spot instance at work may stay.
    pub fn last_resort(&self, held: Kind) -> Kind {
        if self.spot_works(held) { Kind::Spot } else { Kind::OnDemand }
    }

    /// The guard of the rules: what happens for what the policy wants.
    pub(super) fn guarded(&self, want: Kind) -> Kind {
        if !self.is_done() && self.must_start() { self.last_resort(self.last) } else { want }
    }
}

/// A policy, which may remember what it saw in its run.
pub trait Policy {
    /// What to hold in the tick that begins, with `up` the availability of each zone. Called once per tick.
    fn want(&mut self, state: &State<'_>, up: &[bool]) -> Kind;

    /// Where to start a spot instance, asked after `want`; a zone that is not up is not taken. The first by default.
    fn zone(&mut self, state: &State<'_>, up: &[bool]) -> usize {
        let _ = state;
        first_up(up)
    }
}

/// The first zone that has spot.
pub(super) fn first_up(up: &[bool]) -> usize {
    up.iter().position(|zone| *zone).unwrap_or(0)
}
