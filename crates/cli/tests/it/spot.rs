//! `waag bench spot` on a small folder of its own: the table's figures, the check, and what it says of wrong files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

use crate::common::{WAAG, World};

const INDEX: &str = "trace_id,provider,zone,instance_type,gpu,kind,start_utc,gap_seconds,capacity,n_ticks\n\
    x,aws,a,p3.2xlarge,V100,availability,2023-02-15,600,1,600\n\
    y,aws,b,p3.2xlarge,V100,availability,2023-02-15,600,1,600\n\
    z,aws,c,p3.2xlarge,V100,preemption,2023-02-15,600,4,600\n\
    c,aws,d,r5.16xlarge,,preemption,2023-02-15,600,1,600\n";
const INTERVALS: &str = "trace_id,start_tick,n_ticks,available\nx,0,600,1\ny,0,300,0\ny,300,300,1\nz,0,100,3\nz,100,500,4\nc,0,600,1\n";
/// Spot all the time: 48 h and a delay on it, 290 ticks.
const KNOWN: &str = "policy,trace_id,start_tick,work_h,deadline_h,delay_h,cost_usd,finish_h,late,changeovers,spot_h,od_h,bound_usd\n\
    on_demand,x,0,48,53,0.2,147.9000,48.333,0,1,0.00,48.33,46.7088\n\
    greedy,y+x,5,48,60,0.2,47.0332,48.333,0,1,48.33,0.00,46.7088\n";

fn folder(world: &World, index: &str, intervals: &str, known: &str) -> PathBuf {
    let path = world.file("data/public/spot/index.csv", index);
    let public = path.parent().and_then(Path::parent).unwrap().to_owned();
    std::fs::write(public.join("baselines_spot.csv"), known).unwrap();
    let packed = std::fs::File::create(public.join("spot/intervals.csv.gz")).unwrap();
    let mut packed = GzEncoder::new(packed, Compression::fast());
    packed.write_all(intervals.as_bytes()).unwrap();
    packed.finish().unwrap();
    public.parent().unwrap().to_owned()
}

fn measured(data: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let data = data.to_str().unwrap();
    let args = [["bench", "spot", "--json", "--data", data, "--starts", "2"].as_slice(), more].concat();
    // Its own `--data` is the folder to measure on.
    let output = Command::new(WAAG).args(args).output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn bench_spot_measures_every_case_and_checks_every_known_cost() {
    let world = World::new();
    let (code, report) = measured(&folder(&world, INDEX, INTERVALS, KNOWN), &["--check"]);
    assert_eq!((code, &report["check"]["agree"], &report["check"]["runs"]), (Some(0), &2.into(), &2.into()));
    let rows = report["rows"].as_array().unwrap();
    let named = |case: &str| rows.iter().filter(|row| row["case"] == case).collect::<Vec<_>>();
    for case in ["one_zone", "gang", "2_zones_hindsight_free_moves", "2_zones"] {
        assert_eq!(named(case).len(), 3, "{case}: {report:#}");
        assert!(named(case).iter().all(|row| row["late"] == 0), "{report:#}");
    }
    // Two zones, of which one always has spot: all but the one delay is saved.
    assert_eq!(named("2_zones")[0]["saving_pct"]["ours"], 67.98);
    assert_eq!(named("2_zones")[0]["bound_pct"], 68.2);
    assert_eq!(report["traces_not_used"], serde_json::json!(["c"]));
}

#[test]
fn bench_spot_fails_where_a_known_cost_differs_and_says_which() {
    let world = World::new();
    let known = KNOWN.replace("147.9000", "147.9100");
    let (code, report) = measured(&folder(&world, INDEX, INTERVALS, &known), &["--check"]);
    assert_eq!((code, report["code"].as_str()), (Some(1), Some("bench_differs")));
    assert_eq!(report["why"], "line 2: cost of on_demand is 147.9000, not 147.9100");
}

#[test]
fn bench_spot_names_file_line_and_field_of_what_is_wrong() {
    let world = World::new();
    let wrong = |index: &str, intervals: &str| {
        let (code, error) = measured(&folder(&world, index, intervals, KNOWN), &[]);
        assert_eq!((code, error["code"].as_str()), (Some(2), Some("traces_unreadable")), "{error:#}");
        error["message"].as_str().unwrap().to_owned()
    };
    let told = wrong(&INDEX.replace(",600,4,", ",600,many,"), INTERVALS);
    assert!(told.starts_with("spot/index.csv, line 4, field `capacity`"), "{told}");
    let told = wrong(INDEX, &INTERVALS.replace("y,300,300", "y,299,301"));
    assert!(told.starts_with("spot/intervals.csv.gz, line 4, field `start_tick`: `299`"), "{told}");
    let told = wrong(INDEX, &INTERVALS.replace("z,0,100,3\n", ""));
    assert!(told.starts_with("spot/intervals.csv.gz, line 5, field `start_tick`: `100`"), "{told}");
    let told = wrong(&INDEX.replace("600,4,600", "600,4,601"), INTERVALS);
    assert!(told.contains("says that z has 601 ticks"), "{told}");
    let told = wrong(&INDEX.replace("n_ticks", "ticks"), INTERVALS);
    assert!(told.starts_with("spot/index.csv, line 2: missing field `n_ticks`"), "{told}");
    let told = wrong(&INDEX.replace(",V100,", ",,"), INTERVALS);
    assert!(told.ends_with("has no trace that a job can be played on"), "{told}");
}
