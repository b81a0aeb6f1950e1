//! Each way in which a lease ends without chance, and the deaths between what the chain and what the ledger keeps: one
//! provider, one job, no attempt beyond the first.

use chain::market::Cause;
use domain::Usd;

use crate::agents::Quirk;
use crate::gate::Side;
use crate::place::WINDOW;
use crate::runtime;
use crate::story::{Event, Story};
use crate::world::{Report, World};

/// Nobody needs more deadlines than a lease has states.
const EXPIRIES_MAX: usize = 4;
/// The longest time to a deadline, in milliseconds: a span, and a window after it.
const LONGEST: i64 = 7_200_000 + WINDOW as i64 * 1_000;

/// What became of the lease: whether it was paid, and by whose word.
type Exit = (Option<Cause>, Usd);

/// Of the one lease that was paid, if there was one; a lease that nobody accepts is followed by another.
fn exit_of(world: &World) -> Exit {
    assert!(!world.truth.leases.is_empty(), "nothing was bought");
    let paid: Vec<_> = world.truth.leases.values().filter_map(|known| known.paid).collect();
    assert!(paid.len() <= 1, "one provider was paid twice for one job");
    (paid.first().map(|(_, cause)| *cause), chain::market::usd(paid.iter().map(|(micros, _)| micros).sum()))
}

fn play(story: Story) -> (Report, Exit) {
    runtime().block_on(async {
        let mut world = World::new(story, None).await;
        let report = world.live().await.unwrap_or_else(|wrong| panic!("{wrong}"));
        let exit = exit_of(&world);
        (report, exit)
    })
}

fn quiet(quirk: Quirk, more: &[(i64, Event)]) -> Story {
    let mut story = Story::quiet(5);
    story.quirk = Some(quirk);
    story.events.extend(more.iter().cloned());
    story
}

fn outcome(report: &Report) -> &str {
    let job = |what: &&String| what.starts_with("job ");
    report.counts.keys().find(job).map_or("none", |what| &what[4..])
}

#[test]
fn a_provider_that_never_accepts_is_paid_nothing() {
    let (report, exit) = play(quiet(Quirk::None, &[(0, Event::KillMill(0, true, None))]));
    // What never ran is no attempt, but nobody buys from one that is not there for ever.
    assert_eq!((outcome(&report), exit), ("attempts_spent", (None, Usd::ZERO)));
}

#[test]
fn a_provider_that_accepts_and_never_starts_an_agent_is_paid_nothing() {
    // It dies by the answer to its acceptance, which is the only transaction that it sends then.
    let (report, exit) = play(quiet(Quirk::None, &[(0, Event::KillMillAtSend(0, Side::After, None))]));
    assert_eq!((outcome(&report), exit), ("attempts_spent", (None, Usd::ZERO)));
    let (report, exit) = play(quiet(Quirk::NeverConnects, &[]));
    assert_eq!((outcome(&report), exit), ("attempts_spent", (None, Usd::ZERO)));
}

#[test]
fn an_agent_that_never_ends_is_paid_within_its_budget() {
    let (report, (cause, paid)) = play(quiet(Quirk::Idles(1), &[]));
    assert_eq!((outcome(&report), cause), ("budget_spent", Some(Cause::Consumer)));
    assert!(paid > Usd::ZERO && paid <= "0.05".parse().unwrap(), "{paid}");
}

#[test]
fn an_agent_that_ends_early_is_paid_for_what_it_stands_by() {
    let (report, (cause, paid)) = play(quiet(Quirk::Dies(1), &[]));
    assert_eq!((outcome(&report), cause), ("attempts_spent", Some(Cause::Consumer)));
    let whole = play(quiet(Quirk::None, &[])).1.1;
    assert!(Usd::ZERO < paid && paid < whole, "{paid} of {whole}");
}

#[test]
fn a_root_that_nobody_told_us_is_paid_only_by_time() {
    let (report, (cause, paid)) = play(quiet(Quirk::Forges(1), &[]));
    assert_eq!((outcome(&report), cause), ("completed", Some(Cause::Time)));
    assert!(paid > Usd::ZERO);
}

#[test]
fn a_provider_that_dies_with_its_agent_is_paid_by_its_agents_word() {
    let (report, (cause, paid)) = play(quiet(Quirk::None, &[(22_000, Event::KillMill(0, true, None))]));
    assert_eq!((outcome(&report), cause), ("attempts_spent", Some(Cause::Consumer)));
    assert!(paid > Usd::ZERO);
}

#[test]
fn a_death_between_the_chain_and_the_ledger_costs_nothing() {
    let undisturbed = play(quiet(Quirk::None, &[]));
    assert_eq!(outcome(&undisturbed.0), "completed");
    let points = ["settlement.escrow.before", "settlement.escrow.after", "settlement.post.before"];
    let sends = [1, 2, 3].map(|nth| chain::sender::POINTS.iter().map(move |point| (*point, nth)));
    let deaths = points.map(|point| (point, 1)).into_iter().chain(sends.into_iter().flatten());
    for (point, nth) in deaths {
        let (report, exit) = play(quiet(Quirk::None, &[(0, Event::Trap(point, nth))]));
        let died = report.counts[&format!("died at {point}")];
        assert_eq!(
            (outcome(&report), exit.0, died),
            ("completed", Some(Cause::Consumer), 1),
            "{point} {nth}"
        );
    }
}

#[test]
fn a_chain_that_is_unreachable_for_a_minute_delays_everything_and_loses_nothing() {
    for at in [0, 3_000, 20_000, 31_000] {
        let (report, (cause, paid)) = play(quiet(Quirk::None, &[(at, Event::Unreachable(60_000))]));
        assert_eq!(
            (outcome(&report), cause.is_some(), paid > Usd::ZERO),
            ("completed", true, true),
            "at {at}"
        );
    }
}

/// The consumer is never seen again from `at` on. Every lease reaches its exit by time and a stranger's calls alone.
async fn without_consumer(quirk: Quirk, at: i64, more: &[(i64, Event)]) -> Exit {
    let mut story = quiet(quirk, more);
    story.events.push((at, Event::Vanish));
    story.events.sort_by_key(|(at, _)| *at);
    let mut world = World::new(story, None).await;
    world.come_to_rest().await.unwrap();
    while world.time.real() < at + 60_000 {
        world.go_on().await.unwrap();
    }
    for _ in 0..EXPIRIES_MAX {
        let until = world.time.real() + LONGEST;
        while world.time.real() < until {
            world.go_on().await.unwrap();
        }
        world.stranger_expires().await.unwrap();
    }
    world.check().await.unwrap();
    assert!(world.truth.leases.values().all(|known| known.is_final), "a lease is left");
    exit_of(&world)
}

#[test]
fn every_lease_of_a_consumer_that_vanishes_ends_by_time_and_a_stranger() {
    runtime().block_on(async {
        let died = [(0, Event::KillMill(0, true, None))];
        assert_eq!(without_consumer(Quirk::None, 3_000, &died).await, (None, Usd::ZERO), "never accepted");
        assert_eq!(without_consumer(Quirk::NeverConnects, 3_000, &[]).await.0, None, "never started");
        let (cause, paid) = without_consumer(Quirk::Idles(1), 30_000, &[]).await;
        assert!(cause == Some(Cause::Time) && paid > Usd::ZERO, "the work that was done: {cause:?} {paid}");
        let died = [(25_000, Event::KillMill(0, true, None))];
        assert_eq!(without_consumer(Quirk::None, 26_000, &died).await.0, None, "nobody brings a root");
    });
}
