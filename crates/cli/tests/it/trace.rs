//! Recorded spot capacity, played by a simulated network, and jobs that run on it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::World;

/// One zone that has a machine for four of five ticks; a tick takes five seconds.
fn recorded(world: &mut World) {
    let head = "trace_id,provider,zone,instance_type,gpu,gpus_per_node,kind,start_utc,gap_seconds,capacity,n_ticks\n";
    world.file(
        "traces/spot/index.csv",
        &format!("{head}zone-a,aws,us-west-2a,p3.2xlarge,V100,1,availability,,300,1,5\n"),
    );
    let path = world.file("traces/spot/intervals.csv.gz", "");
    let mut gz = GzEncoder::new(std::fs::File::create(&path).unwrap(), Compression::fast());
    gz.write_all(b"trace_id,start_tick,n_ticks,available\nzone-a,0,4,1\nzone-a,4,1,0\n").unwrap();
    gz.finish().unwrap();
    let folder = path.ancestors().nth(2).unwrap().to_str().unwrap().to_owned();
    world.set("WAAG_NETWORKS_SIMULATED_TRACE", &folder);
    world.set("WAAG_ENGINE_OFFERS_EVERY", "1s");
}

/// A job of 22 segments of a second each, which is more than the zone ever gives at once.
fn job(resources: &str, terms: &str) -> String {
    format!(
        "name: spot\nresources: {{ accelerators: \"V100:1\"{resources} }}\n\
         run: |\n  n=$WAAG_SEGMENT_FROM\n  while [ $n -lt $WAAG_SEGMENT_TO ]; do\n    sleep 1; n=$((n + 1)); d=$WAAG_CHECKPOINT_DIR\n    \
         mkdir $d/.new; echo $n > $d/.new/n; mv $d/.new $d/$n\n  done\n\
         waag:\n  budget: {{ max_total_usd: 5.00 }}\n  checkpoint: {{ path: /checkpoint }}\n  \
         verify: {{ method: none, segments: 22, sample: 0 }}\n  failover: {{ attempts: 0 }}\n{terms}"
    )
}

fn networks_and_states(done: &serde_json::Value) -> Vec<(String, String)> {
    let of = |x: &serde_json::Value, key: &str| x[key].as_str().unwrap().to_owned();
    done["executions"].as_array().unwrap().iter().map(|x| (of(x, "provider"), of(x, "state"))).collect()
}

#[test]
fn job_whose_spot_machine_is_taken_away_goes_on_there_without_spending_an_attempt() {
    let mut world = World::new();
    recorded(&mut world);
    world.up().unwrap();
    let file = world.file("job.yaml", &job("", "  deadline: 90s\n  expected_run: 22s\n"));
    let done = world.json(&["run", file.to_str().unwrap()]);
    assert_eq!(done["outcome"], "completed", "{done:#}");
    let executions = networks_and_states(&done);
    assert!(executions.len() > 1, "the machine was taken away: {executions:?}");
    let (last, before) = executions.split_last().unwrap();
    assert_eq!(last.1, "completed");
    let taken = |(provider, state): &(String, String)| provider == "zone-a-spot" && state == "lost";
    assert!(before.iter().all(taken), "{executions:?}");
    world.assert_clean();
}

#[test]
fn job_without_time_to_wait_or_that_asks_for_it_runs_on_a_machine_that_stays() {
    let mut world = World::new();
    recorded(&mut world);
    world.up().unwrap();
    for (resources, terms) in [
        ("", "  deadline: 40s\n  expected_run: 35s\n"),
        (", use_spot: false", "  deadline: 10m\n  expected_run: 22s\n"),
    ] {
        let file = world.file("job.yaml", &job(resources, terms));
        let done = world.json(&["run", file.to_str().unwrap()]);
        assert_eq!(done["outcome"], "completed", "{done:#}");
        let executions = networks_and_states(&done);
        assert_eq!(executions, [("zone-a-on-demand".to_owned(), "completed".to_owned())], "{resources}");
        world.waag(&["jobs", "rm", done["id"].as_str().unwrap()]);
    }
    world.assert_clean();
}

#[test]
fn folder_without_a_record_is_refused_before_anything_starts() {
    let world = World::new();
    let output = world.waag(&["up", "--trace", world.data().to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("traces_unreadable") && said.contains("spot"), "{said}");
    let output = world.waag(&["up", "--trace", "traces", "--trace-pace", "0"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("networks.simulated.trace_pace") && said.contains("--trace-pace"), "{said}");
}
