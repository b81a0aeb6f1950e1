//! Every action of every reconciler and of the agent API: repeated, failed before its effect, failed after it, and
//! applied when somebody else was faster.
//!
//! A scenario is a quiet world in which a few actions are sure to happen. It is played once undisturbed, which tells
//! what there is to harm: every point that is reached, every call to a network, every tick that moved something. Then it
//! is played again for each of these, with one harm done, and must end the same, with every rule kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{Label, LeaseId, Millis, Usd};
use market::sim::Habits;
use market::{Boot, Network, Observation, Operation, Terms};
use tokio::runtime::{Builder, Handle, Runtime};
use waag_engine::Engine;

use crate::agents::{Failure, Quirk};
use crate::parts::{Cut, lock};
use crate::story::{Event, JobPlan, Story, config};
use crate::world::{TickHarm, World};

/// Something is harmed at most so often at one place: later passes are like the earlier ones.
const PASSES_MAX: u64 = 2;
const CALLS_MAX: u32 = 2;
const TICKS_MAX: u64 = 3;

/// A quiet world and what it shows.
struct Scenario {
    name: &'static str,
    /// The job's lines under `resources` and `waag`, and its budget in micro-dollars.
    resources: &'static str,
    waag: &'static str,
    cap_micros: i64,
    habits: Habits,
    quirk: Option<Quirk>,
    segment_ms: i64,
    events: &'static [(i64, Event)],
    /// How the job ends.
    outcome: &'static str,
    /// Kinds of outbox rows that it must leave: the actions that it is there for.
    shows: &'static [&'static str],
}

const NO_HABITS: Habits = Habits {
    unavailable: 0,
    no_capacity: 0,
    lost_race: 0,
    reply_lost_before: 0,
    reply_lost_after: 0,
    late_listing: 0,
    false_status: 0,
    provider_loss: 0,
    early_end: 0,
    loss_within: Millis(60_000),
    foreign_assignment: 0,
    non_refundable: 0,
    slow_release: 0,
    overbilling: 0,
};

const PLAIN: Scenario = Scenario {
    name: "plain",
    resources: ", infra: sim-cloud",
    waag: "",
    cap_micros: 500_000,
    habits: NO_HABITS,
    quirk: None,
    segment_ms: 4_000,
    events: &[(0, Event::Submit(0))],
    outcome: "completed",
    shows: &[],
};

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a job runs on a cloud",
        shows: &[
            "job.admitted",
            "placement.chosen",
            "lease.intended",
            "lease.live",
            "execution.connected",
            "job.ending",
            "lease.releasing",
            "lease.ended",
            "lease.settled",
            "job.settled",
        ],
        ..PLAIN
    },
    Scenario { name: "bids come in", resources: ", infra: sim-auction", shows: &["lease.live"], ..PLAIN },
    Scenario {
        name: "a queue assigns late and lists late",
        resources: ", infra: sim-queue",
        habits: Habits { late_listing: 10_000, ..NO_HABITS },
        shows: &["lease.live"],
        ..PLAIN
    },
    Scenario { name: "a hold is extended", segment_ms: 100_000, shows: &["lease.live"], ..PLAIN },
    Scenario {
        name: "a queue assigns nobody who may",
        resources: ", infra: sim-queue",
        waag: "regions: [EU, US]\n  failover: { attempts: 0, to: [any] }",
        habits: Habits { foreign_assignment: 10_000, ..NO_HABITS },
        outcome: "attempts_spent",
        shows: &["lease.releasing", "execution.lost"],
        ..PLAIN
    },
    Scenario {
        name: "a provider dies",
        resources: "",
        events: &[(0, Event::Submit(0)), (8_000, Event::KillProvider)],
        shows: &["execution.lost", "lease.releasing"],
        ..PLAIN
    },
    Scenario {
        name: "an agent never connects",
        waag: "failover: { attempts: 0, to: [any] }",
        quirk: Some(Quirk::NeverConnects),
        outcome: "attempts_spent",
        shows: &["execution.lost"],
        ..PLAIN
    },
    Scenario {
        name: "an agent gives up",
        waag: "failover: { attempts: 1, to: [any] }",
        quirk: Some(Quirk::Fails(1, Failure::GivesUp)),
        outcome: "attempts_spent",
        shows: &["execution.lost"],
        ..PLAIN
    },
    Scenario {
        name: "an agent stops without an order",
        waag: "failover: { attempts: 1, to: [any] }",
        quirk: Some(Quirk::Fails(1, Failure::Stops)),
        outcome: "attempts_spent",
        shows: &["execution.lost"],
        ..PLAIN
    },
    Scenario {
        name: "a workload fails",
        quirk: Some(Quirk::Fails(1, Failure::Exit)),
        outcome: "failed",
        shows: &["job.ending"],
        ..PLAIN
    },
    Scenario {
        name: "a user cancels",
        segment_ms: 100_000,
        events: &[(0, Event::Submit(0)), (9_000, Event::Cancel(0))],
        outcome: "cancelled",
        shows: &["execution.closed"],
        ..PLAIN
    },
    Scenario {
        name: "a deadline passes",
        waag: "deadline: 2m",
        quirk: Some(Quirk::Hangs(1)),
        outcome: "deadline_passed",
        shows: &["job.ending"],
        ..PLAIN
    },
    Scenario {
        name: "no offer comes",
        cap_micros: 10,
        outcome: "no_offers",
        shows: &["job.ending"],
        ..PLAIN
    },
    Scenario {
        name: "a budget runs out",
        cap_micros: 6_000,
        segment_ms: 100_000,
        outcome: "budget_spent",
        shows: &["execution.stopping"],
        ..PLAIN
    },
    Scenario {
        name: "a network is out of everything",
        habits: Habits { no_capacity: 10_000, ..NO_HABITS },
        outcome: "attempts_spent",
        waag: "failover: { attempts: 0, to: [any] }",
        shows: &["lease.ended", "execution.lost"],
        ..PLAIN
    },
];

/// What is done to a world.
#[derive(Debug, Clone, Copy)]
enum Harm {
    None,
    /// The control plane dies at the point: before the effect, or after it.
    DiesAt(&'static str, u32),
    /// A call does not arrive, or its reply is lost.
    Cuts(Operation, u32, Cut),
    /// Something is done with a tick that moved something.
    Ticks(u64, TickHarm),
    /// While the control plane stands at the point, the user cancels, so that what it goes on with is stale.
    CancelledAt(&'static str, u32),
    /// While it stands there, another takes over.
    OvertakenAt(&'static str, u32),
}

/// What an undisturbed world has that can be harmed.
struct Undisturbed {
    points: Vec<(&'static str, u64)>,
    calls: Vec<(Operation, u32)>,
    moved: Vec<(u64, &'static str)>,
}

impl Scenario {
    fn story(&self) -> Story {
        let mut story = Story::quiet(11);
        let cap = Usd::from_micros(self.cap_micros);
        let file = format!(
            "name: scenario
resources: {{ cpus: 1+, memory: 1+{} }}
run: work
waag:
  budget: {{ max_total_usd: {cap} }}
  checkpoint: {{ path: /checkpoint }}
  outputs: {{ path: /outputs }}
  verify: {{ method: replay, segments: 3, sample: 1 }}
  {}
",
            self.resources, self.waag
        );
        story.jobs = vec![JobPlan { file, cap }];
        story.habits = [self.habits; 3];
        story.quirk = self.quirk;
        story.segment_ms = (self.segment_ms, self.segment_ms);
        story.events = self.events.to_vec();
        story
    }

    /// Plays the scenario with one harm done.
    async fn play(&self, harm: Harm) -> Undisturbed {
        let mut world = World::new(self.story(), config(), None).await;
        match harm {
            Harm::None => {}
            Harm::DiesAt(point, nth) => world.trap.arm(point, nth),
            Harm::Cuts(operation, nth, cut) => *lock(&world.wire.cut) = Some((operation, nth, cut)),
            Harm::Ticks(tick, what) => world.harm_tick = Some((tick, what)),
            Harm::CancelledAt(point, nth) => {
                let (engine, store) =
                    (Engine::new(world.parts(Arc::new(domain::NoProbe))), world.store.clone());
                world.trap.meddle(
                    point,
                    nth,
                    Box::new(move || {
                        elsewhere(async move {
                            for job in store.job_list(1).await.unwrap() {
                                engine.job_cancel(job.id).await.unwrap();
                            }
                        })
                    }),
                );
            }
            Harm::OvertakenAt(point, nth) => {
                let store = world.store.clone();
                world.trap.meddle(
                    point,
                    nth,
                    Box::new(move || {
                        elsewhere(async move {
                            store.take_over("another").await.unwrap();
                        })
                    }),
                );
            }
        }
        let report = match world.live().await {
            Ok(report) => report,
            Err(wrong) => panic!("{}, {harm:?}: {wrong}", self.name),
        };
        self.compare(&world, harm).await;
        let calls = lock(&world.wire.calls).iter().map(|(operation, n)| (*operation, *n)).collect();
        let points = report.points.iter().map(|(point, (reached, _))| (*point, *reached)).collect();
        Undisturbed { points, calls, moved: world.moved.clone() }
    }

    async fn compare(&self, world: &World, harm: Harm) {
        let Some(job) = world.store.job_list(1).await.unwrap().pop() else {
            // Without the offers of every network nothing says that a fitting one may come.
            assert!(matches!(harm, Harm::Cuts(Operation::Offers, ..)), "{}, {harm:?}: refused", self.name);
            return;
        };
        let outcome = job.state.outcome().unwrap().code();
        let may_be_cancelled = matches!(harm, Harm::CancelledAt(..));
        let as_before = outcome == self.outcome || (may_be_cancelled && outcome == "cancelled");
        assert!(as_before, "{}, {harm:?}: the job ended {outcome}", self.name);
        if matches!(harm, Harm::None) {
            let rows = world.store.outbox_list(0, 10_000).await.unwrap();
            let kinds: BTreeSet<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
            for kind in self.shows {
                assert!(kinds.contains(kind), "{} shows no {kind}, only {kinds:?}", self.name);
            }
        }
    }
}

/// Runs on another thread while the caller stands still.
fn elsewhere(work: impl Future<Output = ()> + Send + 'static) {
    let runtime = Handle::current();
    std::thread::spawn(move || runtime.block_on(work)).join().unwrap();
}

/// Plays every scenario with every harm that `harms` finds in it.
fn harm_all(harms: impl Fn(&Undisturbed) -> Vec<Harm>) -> usize {
    crate::stand::stay_on_one_core();
    harm_all_on(&Builder::new_current_thread().enable_all().build().unwrap(), harms)
}

/// The same while a second thread goes on when the first stands at a point.
fn meddle_with_all(harms: impl Fn(&Undisturbed) -> Vec<Harm>) -> usize {
    crate::stand::stay_on_one_core();
    harm_all_on(&Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(), harms)
}

fn harm_all_on(runtime: &Runtime, harms: impl Fn(&Undisturbed) -> Vec<Harm>) -> usize {
    runtime.block_on(async {
        let mut played = 0;
        for scenario in SCENARIOS {
            let plain = scenario.play(Harm::None).await;
            for harm in harms(&plain) {
                scenario.play(harm).await;
                played += 1;
            }
        }
        played
    })
}

fn at_points(plain: &Undisturbed, harm: impl Fn(&'static str, u32) -> Harm) -> Vec<Harm> {
    let passes = |(point, reached): &(&'static str, u64)| {
        let (point, last) = (*point, (*reached).min(PASSES_MAX));
        (1..=u32::try_from(last).unwrap()).map(move |nth| (point, nth))
    };
    plain.points.iter().flat_map(passes).map(|(point, nth)| harm(point, nth)).collect()
}

#[tokio::test]
async fn an_orphan_is_closed_however_its_release_goes() {
    for cut in [None, Some(Cut::Before), Some(Cut::After)] {
        let mut world = World::new(Story::quiet(3), config(), None).await;
        let cloud = Arc::clone(&world.sites[1].network);
        let offers = cloud.offers().await.unwrap();
        let offer =
            offers.into_iter().find(|o| o.stock != Some(0) && o.price.per_hour() > Usd::ZERO).unwrap();
        let label = Label::of(LeaseId::from_bytes([9; 10]));
        let terms = Terms {
            label: label.clone(),
            span: Millis::HOUR,
            ceiling: offer.price,
            job: [9; 32],
            boot: Boot::new(b"{}".to_vec()),
        };
        cloud.submit(&cloud.prepare(&offer, &terms).await.unwrap()).await.unwrap();
        *lock(&world.wire.cut) = cut.map(|cut| (Operation::Release, 1, cut));
        // Twice, since what is repeated must do no harm and what was cut must be tried again.
        for _ in 0..2 {
            world.time.jump(60_000);
            world.up.as_ref().unwrap().engine.adopt().await.unwrap();
        }
        assert!(matches!(cloud.observe(&label).await.unwrap(), Observation::Ended { .. }), "{cut:?}");
        let alerts = world.store.alert_list(10).await.unwrap();
        assert_eq!(alerts.len(), 1);
        assert_eq!(alerts[0].code, "lease_unrecorded");
        world.live().await.unwrap();
    }
}

#[test]
fn scenarios_reach_every_point() {
    let reached = std::sync::Mutex::new(BTreeSet::new());
    harm_all(|plain| {
        lock(&reached).extend(plain.points.iter().map(|(point, _)| *point));
        Vec::new()
    });
    let missed: Vec<_> = crate::points().filter(|point| !lock(&reached).contains(point)).collect();
    assert!(missed.is_empty(), "no scenario reaches {missed:?}");
}

#[test]
fn an_action_that_dies_before_or_after_its_effect_ends_the_same() {
    let played = harm_all(|plain| at_points(plain, Harm::DiesAt));
    println!("{played} worlds");
}

#[test]
fn a_call_that_is_lost_or_whose_reply_is_lost_ends_the_same() {
    let played = harm_all(|plain| {
        let passes = |(operation, calls): &(Operation, u32)| {
            let (operation, last) = (*operation, (*calls).min(CALLS_MAX));
            (1..=last)
                .flat_map(move |nth| [Cut::Before, Cut::After].map(|cut| Harm::Cuts(operation, nth, cut)))
        };
        plain.calls.iter().flat_map(passes).collect()
    });
    println!("{played} worlds");
}

#[test]
fn a_tick_that_is_repeated_or_lost_or_doubled_ends_the_same() {
    let played = harm_all(|plain| {
        let mut passes: BTreeMap<&str, u64> = BTreeMap::new();
        let mut first = |(_, step): &&(u64, &'static str)| {
            let pass = passes.entry(*step).or_default();
            *pass += 1;
            *pass <= TICKS_MAX
        };
        let each =
            |tick| [TickHarm::Twice, TickHarm::Dies, TickHarm::Beside].map(|what| Harm::Ticks(tick, what));
        plain.moved.iter().filter(|tick| first(tick)).flat_map(|(tick, _)| each(*tick)).collect()
    });
    println!("{played} worlds");
}

#[test]
fn an_action_with_a_stale_generation_changes_nothing() {
    let played = meddle_with_all(|plain| at_points(plain, Harm::CancelledAt));
    println!("{played} worlds");
}

#[test]
fn an_action_of_a_control_plane_that_was_replaced_changes_nothing() {
    let played = meddle_with_all(|plain| at_points(plain, Harm::OvertakenAt));
    println!("{played} worlds");
}
