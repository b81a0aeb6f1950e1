//! What is to happen in a world, drawn from its seed before it begins.

use domain::{Millis, Usd};
use waag_engine::{Config, POINTS};

use crate::agents::Quirk;
use crate::chance::Dice;
use crate::gate::Side;

/// Every job has this long.
pub(crate) const DEADLINE: Millis = Millis(1_200_000);
const SUBMITTED_WITHIN: i64 = 60_000;
const TROUBLE_WITHIN: i64 = 300_000;

/// Something that happens at a moment of real time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Submit(usize),
    Cancel(usize),
    /// The control plane dies the `nth` time it reaches the point.
    Trap(&'static str, u32),
    /// It dies now.
    Restart,
    /// It dies and nobody ever starts it again.
    Vanish,
    /// A provider dies, and its agents with it where that is said; it comes back after so long, or never.
    KillMill(usize, bool, Option<i64>),
    /// A provider dies at its `nth` request from now on.
    KillMillAt(usize, u64, Side, Option<i64>),
    /// A provider dies at the next transaction that it sends.
    KillMillAtSend(usize, Side, Option<i64>),
    /// A provider cannot reach the chain for so long.
    CutMill(usize, i64),
    /// The network answers the control plane nothing for so long.
    Outage(i64),
    /// The control plane cannot reach the chain for so long.
    Unreachable(i64),
    /// The chain makes no blocks for so long.
    Stall(i64),
}

/// A job to be submitted.
#[derive(Debug, Clone)]
pub(crate) struct JobPlan {
    pub(crate) file: String,
    pub(crate) cap: Usd,
}

/// A world before it begins.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    /// The price of each provider, in dollars for an hour.
    pub(crate) prices: Vec<&'static str>,
    pub(crate) jobs: Vec<JobPlan>,
    /// By time; the order of those at one moment is part of the story.
    pub(crate) events: Vec<(i64, Event)>,
    /// Nothing goes wrong, so every job must complete.
    pub(crate) calm: bool,
    /// In so many of a hundred calls to the network the call or its answer is lost,
    pub(crate) lossy_calls: u64,
    /// and in so many of a hundred transactions.
    pub(crate) lossy_sends: u64,
    /// How many of a hundred agents do something odd.
    pub(crate) odd_agents: u64,
    /// The shortest and the longest segment in milliseconds.
    pub(crate) segment_ms: (i64, i64),
    /// What every agent does, instead of what is drawn.
    pub(crate) quirk: Option<Quirk>,
}

impl Story {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed, "story");
        let calm = seed.is_multiple_of(8);
        let mills = usize::try_from(dice.between(1, 3)).unwrap();
        let prices = (0..mills).map(|_| *dice.pick(&["0.36", "0.50", "0.72"]).unwrap()).collect();
        let jobs: Vec<JobPlan> =
            (0..usize::try_from(dice.between(2, 5)).unwrap()).map(|n| job(&mut dice, n, calm)).collect();
        let mut events = Vec::new();
        for n in 0..jobs.len() {
            let at = dice.millis(0, SUBMITTED_WITHIN);
            events.push((at, Event::Submit(n)));
            if !calm && dice.percent(20) {
                events.push((at + dice.millis(0, 90_000), Event::Cancel(n)));
            }
        }
        if !calm {
            trouble(&mut dice, mills, &mut events);
        }
        events.sort_by_key(|(at, _)| *at);
        let mut chance = |most| if calm || dice.percent(50) { 0 } else { dice.between(1, most) };
        let (lossy_calls, lossy_sends) = (chance(15), chance(30));
        Self {
            lossy_calls,
            lossy_sends,
            odd_agents: if calm { 0 } else { dice.between(0, 60) },
            seed,
            prices,
            jobs,
            events,
            calm,
            segment_ms: (2_000, 40_000),
            quirk: None,
        }
    }

    /// A world with one provider and one job, in which nothing happens by itself.
    pub(crate) fn quiet(seed: u64) -> Self {
        Self {
            seed,
            prices: vec!["0.36"],
            jobs: vec![plan(0, "0.05", 3, 0)],
            events: vec![(0, Event::Submit(0))],
            calm: false,
            lossy_calls: 0,
            lossy_sends: 0,
            odd_agents: 0,
            segment_ms: (10_000, 10_000),
            quirk: None,
        }
    }
}

fn trouble(dice: &mut Dice, mills: usize, events: &mut Vec<(i64, Event)>) {
    let points: Vec<&'static str> = POINTS.iter().chain(chain::sender::POINTS).copied().collect();
    let mut at = |dice: &mut Dice, event| events.push((dice.millis(0, TROUBLE_WITHIN), event));
    for _ in 0..dice.between(0, 8) {
        let late =
            chain::sender::POINTS.iter().chain(&["settlement.escrow.before", "settlement.escrow.after"]);
        let late: Vec<&'static str> = late.copied().collect();
        let point = *if dice.percent(50) { dice.pick(&points) } else { dice.pick(&late) }.unwrap();
        let nth = u32::try_from(dice.between(1, 2)).unwrap();
        at(dice, Event::Trap(point, nth));
    }
    if dice.percent(30) {
        at(dice, Event::Restart);
    }
    for _ in 0..dice.between(0, 3) {
        let mill = usize::try_from(dice.between(0, 2)).unwrap() % mills;
        let back = dice.percent(75).then(|| dice.millis(1_000, 240_000));
        let side = if dice.percent(50) { Side::Before } else { Side::After };
        let event = match dice.between(0, 3) {
            0 => Event::KillMill(mill, dice.percent(50), back),
            1 => Event::CutMill(mill, dice.millis(1_000, 400_000)),
            2 => Event::KillMillAtSend(mill, side, back),
            _ => Event::KillMillAt(mill, dice.between(1, 60), side, back),
        };
        at(dice, event);
    }
    if dice.percent(30) {
        let event = Event::Outage(dice.millis(1_000, 90_000));
        at(dice, event);
    }
    if dice.percent(30) {
        let event = Event::Unreachable(dice.millis(1_000, 90_000));
        at(dice, event);
    }
    if dice.percent(20) {
        let event = Event::Stall(dice.millis(1_000, 60_000));
        at(dice, event);
    }
}

fn job(dice: &mut Dice, n: usize, calm: bool) -> JobPlan {
    let cap = if calm { "0.08" } else { *dice.pick(&["0.02", "0.04", "0.08"]).unwrap() };
    let segments = dice.between(1, 4);
    plan(n, cap, segments, dice.between(0, 3))
}

pub(crate) fn plan(n: usize, cap: &str, segments: u64, attempts: u64) -> JobPlan {
    let file = format!(
        "name: sim-{n}
resources: {{ cpus: 0.5+, memory: 0.1+ }}
run: work
waag:
  budget: {{ max_total_usd: {cap} }}
  deadline: 20m
  checkpoint: {{ path: /checkpoint }}
  outputs: {{ path: /outputs }}
  verify: {{ method: replay, segments: {segments}, sample: 1 }}
  failover: {{ attempts: {attempts}, to: [any] }}
"
    );
    JobPlan { file, cap: cap.parse().unwrap() }
}

/// Settings that make things happen sooner; everything else as in the product.
pub(crate) fn config() -> Config {
    let secs = Millis::from_secs;
    Config {
        heartbeat: secs(15),
        connect_patience: secs(60),
        stock_memory: secs(30),
        no_offer_patience: secs(180),
        assumed_run: secs(60),
        startup_patience: secs(120),
        hold_step: secs(120),
        calls: 1,
        // What is looked at more seldom is played in less time.
        // Whatever this machine has free, it has this.
        default_disk_mib: 128,
        backoff: secs(2),
        no_offer_retry: secs(10),
        offers_every: secs(40),
        observe_every: secs(20),
        sweep_every: secs(60),
        audit_every: secs(20),
        escrow_every: secs(5),
        ..Config::default()
    }
}
