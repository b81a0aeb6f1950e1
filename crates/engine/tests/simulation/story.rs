//! What is to happen in a world, drawn from its seed before it begins.

use domain::{Millis, Usd};
use market::sim::Habits;
use waag_engine::{Config, POINTS};

use crate::agents::Quirk;
use crate::chance::Dice;

/// Jobs in a world.
pub(crate) const JOBS: usize = 20;
/// Every job has this long.
pub(crate) const DEADLINE: Millis = Millis(3_600_000);
const SUBMITTED_WITHIN: i64 = 240_000;

/// Something that happens at a moment of real time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Submit(usize),
    Cancel(usize),
    /// Its user cancels it while a network is being called.
    CancelDuringCall(usize),
    /// One of the networks does not answer for so long.
    Outage(usize, i64),
    /// The machine's clock is set.
    Jump(i64),
    /// The control plane dies the next time it reaches the point.
    Trap(&'static str),
    /// It dies now.
    Restart,
    /// The provider of some live lease dies with all its agents.
    KillProvider,
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
    pub(crate) habits: [Habits; 3],
    pub(crate) capacity: u32,
    pub(crate) funds: Usd,
    pub(crate) jobs: Vec<JobPlan>,
    /// By time; the order of those at one moment is part of the story.
    pub(crate) events: Vec<(i64, Event)>,
    /// Nothing goes wrong, so every job must complete.
    pub(crate) calm: bool,
    /// How many of a hundred agents do something odd.
    pub(crate) odd_agents: u64,
    /// The shortest and the longest segment in milliseconds.
    pub(crate) segment_ms: (i64, i64),
    /// What every agent does, instead of what is drawn.
    pub(crate) quirk: Option<Quirk>,
    /// In so many of a hundred looks the status of a live lease goes back.
    pub(crate) lies: u64,
    /// A notary is connected, so that work is checked.
    pub(crate) weighed: bool,
    /// How many of a hundred agents fabricate states.
    pub(crate) cheats: u64,
    /// Spare machines are sold too, and taken away.
    pub(crate) spare: bool,
}

impl Story {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed, "story");
        let calm = seed.is_multiple_of(8);
        let weighed = Dice::of(seed, "weighed").percent(50);
        let harsh = if calm { 0 } else { *dice.pick(&[100, 500, 1_500, 4_000]).unwrap() };
        let habits = [(); 3].map(|()| habits(&mut dice, harsh));
        let jobs: Vec<JobPlan> = (0..JOBS).map(|n| job(&mut dice, n, calm)).collect();
        let mut events = Vec::new();
        for n in 0..JOBS {
            let at = dice.millis(0, SUBMITTED_WITHIN);
            events.push((at, Event::Submit(n)));
            let cancelled_at = at + dice.millis(0, 90_000);
            match dice.between(0, 99) {
                _ if calm => {}
                0..10 => events.push((cancelled_at, Event::Cancel(n))),
                10..20 => events.push((cancelled_at, Event::CancelDuringCall(n))),
                _ => {}
            }
        }
        if !calm {
            trouble(&mut dice, &mut events);
        }
        events.sort_by_key(|(at, _)| *at);
        let generous = calm || dice.percent(70);
        Self {
            seed,
            habits,
            capacity: u32::try_from(dice.between(if calm { 16 } else { 1 }, 16)).unwrap(),
            funds: Usd::from_micros(if generous { 1_000_000_000 } else { 2_000_000 }),
            jobs,
            events,
            calm,
            odd_agents: if calm { 0 } else { dice.between(0, 50) },
            segment_ms: (500, if !calm && dice.percent(10) { 240_000 } else { 12_000 }),
            quirk: None,
            lies: if !calm && dice.percent(30) { dice.between(1, 40) } else { 0 },
            weighed,
            cheats: if weighed && !calm { dice.between(0, 30) } else { 0 },
            spare: !calm && Dice::of(seed, "spare").percent(10),
        }
    }
}

impl Story {
    /// A world in which nothing happens by itself.
    pub(crate) fn quiet(seed: u64) -> Self {
        Self {
            seed,
            habits: [Habits::default(); 3],
            capacity: 16,
            funds: Usd::from_micros(10_000_000),
            jobs: Vec::new(),
            events: Vec::new(),
            calm: false,
            odd_agents: 0,
            segment_ms: (500, 12_000),
            quirk: None,
            lies: 0,
            weighed: true,
            cheats: 0,
            spare: false,
        }
    }
}

fn trouble(dice: &mut Dice, events: &mut Vec<(i64, Event)>) {
    let span = SUBMITTED_WITHIN + 240_000;
    for _ in 0..dice.between(0, 8) {
        let point = dice.pick(POINTS).copied().unwrap();
        events.push((dice.millis(0, span), Event::Trap(point)));
    }
    for _ in 0..dice.between(0, 2) {
        events.push((dice.millis(0, span), Event::Restart));
    }
    for _ in 0..dice.between(0, 3) {
        events.push((dice.millis(0, span), Event::KillProvider));
    }
    for _ in 0..dice.between(0, 2) {
        let site = usize::try_from(dice.between(0, 2)).unwrap();
        events.push((dice.millis(0, span), Event::Outage(site, dice.millis(1_000, 400_000))));
    }
    if dice.percent(40) {
        for _ in 0..dice.between(1, 6) {
            let longest = *dice.pick(&[2_000, 60_000, 3_600_000]).unwrap();
            events.push((dice.millis(0, span), Event::Jump(dice.millis(-longest, longest))));
        }
    }
}

fn habits(dice: &mut Dice, harsh: u64) -> Habits {
    let mut chance = || {
        let strikes = harsh > 0 && dice.percent(50);
        if strikes { u16::try_from(dice.between(1, harsh)).unwrap() } else { 0 }
    };
    Habits {
        unavailable: chance(),
        no_capacity: chance(),
        lost_race: chance(),
        reply_lost_before: chance(),
        reply_lost_after: chance(),
        late_listing: chance(),
        false_status: chance(),
        provider_loss: chance(),
        early_end: chance(),
        loss_within: Millis(60_000),
        foreign_assignment: chance(),
        non_refundable: chance(),
        slow_release: chance(),
        overbilling: chance(),
    }
}

fn job(dice: &mut Dice, n: usize, calm: bool) -> JobPlan {
    let micros =
        if calm || dice.percent(80) { dice.between(200_000, 600_000) } else { dice.between(1_000, 60_000) };
    let cap = Usd::from_micros(i64::try_from(micros).unwrap());
    let segments = dice.between(1, 4);
    let regions = if dice.percent(50) { "\n  regions: [EU, US]" } else { "" };
    let attempts = dice.between(0, 4);
    let file = format!(
        "name: sim-{n}
resources: {{ cpus: 1+, memory: 1+ }}
run: work
waag:
  budget: {{ max_total_usd: {cap} }}
  deadline: 1h{regions}
  checkpoint: {{ path: /checkpoint }}
  outputs: {{ path: /outputs }}
  verify: {{ method: replay, segments: {segments}, sample: 1 }}
  failover: {{ attempts: {attempts}, to: [any] }}
"
    );
    JobPlan { file, cap }
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
        offers_every: secs(40),
        observe_every: secs(20),
        sweep_every: secs(60),
        audit_every: secs(20),
        ..Config::default()
    }
}
