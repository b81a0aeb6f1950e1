//! Jobs that may only run in a window of time.

use domain::{Clock, JobState, Millis, Outcome, Timestamp, Usd};
use wire::doc::placement_from_text;

use crate::story::{Event, JobPlan, Story, config};
use crate::world::World;

/// When the clock of a world begins.
const BEGIN: &str = "2027-01-15T08:00:00.000Z";
const OPENS: &str = "2027-01-15T08:20:00.000Z";

#[tokio::test]
async fn a_job_is_neither_planned_nor_bought_for_before_its_window_opens_and_then_runs() {
    let file = format!(
        "name: later\nresources: {{ cpus: 1+ }}\nrun: work\nwaag:\n  budget: {{ max_total_usd: 2.00 }}\n  deadline: 10m\n  \
         window: {{ start_after: {OPENS} }}\n  outputs: {{ path: /outputs }}\n"
    );
    let mut story = Story::quiet(1);
    story.jobs = vec![JobPlan { file, cap: Usd::from_micros(2_000_000) }];
    story.events = vec![(0, Event::Submit(0))];
    let mut world = World::new(story, config(), None).await;
    assert_eq!(world.time.now(), BEGIN.parse().unwrap());
    world.live().await.unwrap();
    let job = world.lives[0].job.unwrap();
    let row = world.store.job_get(job).await.unwrap().unwrap();
    let opens: Timestamp = OPENS.parse().unwrap();
    assert!(matches!(row.state, JobState::Settled(Outcome::Completed)), "{row:?}");
    assert_eq!(row.deadline_at, opens + Millis::from_secs(600));
    let plans = world.store.placement_list(job).await.unwrap();
    assert!(plans.iter().all(|plan| placement_from_text(plan).unwrap().made_at >= opens), "{plans:?}");
    let leases = world.store.lease_list(job).await.unwrap();
    assert!(!leases.is_empty() && row.ended_at.is_some_and(|at| at > opens && at < row.deadline_at));
}
