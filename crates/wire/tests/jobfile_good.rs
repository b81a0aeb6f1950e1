//! Job files that must be taken, and what they mean.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use domain::{
    Accelerators, FailoverRule, FileMount, JobSpec, Level, Millis, Need, Targets, Usd, VerifyMethod,
};
use waag_wire::jobfile::{
    DEFAULT_ATTEMPTS, DEFAULT_DEADLINE, DEFAULT_MAX_TOTAL, DEFAULT_VERIFY, JobFile, parse, print,
};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jobfiles/good").join(name)
}

fn good(name: &str) -> JobFile {
    parse(&fs::read(path(name)).unwrap(), name).unwrap_or_else(|error| panic!("{error}"))
}

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

fn only(names: &[&str]) -> Targets {
    Targets::Only(names.iter().map(|name| name.parse().unwrap()).collect())
}

fn env<'a>(spec: &'a JobSpec, name: &str) -> &'a str {
    &spec.envs[name]
}

#[test]
fn a_minimal_file_gets_the_documented_defaults() {
    let JobFile { spec, secrets } = good("minimal.yaml");
    assert_eq!((spec.name.as_str(), spec.run.as_str()), ("hello", "echo hello"));
    assert_eq!(spec.resources, domain::Requirement::default());
    assert_eq!((spec.level, spec.deadline, spec.verify), (Level::Standard, DEFAULT_DEADLINE, DEFAULT_VERIFY));
    assert_eq!((spec.budget.max_total, spec.max_hourly), (DEFAULT_MAX_TOTAL, None));
    assert_eq!(spec.failover, FailoverRule { attempts: DEFAULT_ATTEMPTS, to: Targets::Any });
    assert_eq!((spec.use_spot, spec.availability_bps, spec.class), (None, 0, None));
    assert!(!spec.network && spec.regions.is_empty() && secrets.is_empty());
    assert_eq!(
        good("empty-blocks.yaml").spec,
        JobSpec { name: "empty".parse().unwrap(), run: "echo".into(), ..spec }
    );
}

#[test]
fn the_file_of_the_design_is_read_as_written() {
    let JobFile { spec, .. } = good("design.yaml");
    assert_eq!(spec.resources.cpus_milli, Some(Need::AtLeast(1000)));
    assert_eq!(spec.resources.memory_mib, Some(Need::AtLeast(1024)));
    assert_eq!(env(&spec, "LEARNING_RATE"), "0.05");
    assert_eq!(spec.file_mounts, [FileMount { inside: "/data".into(), source: "./digits/data".into() }]);
    assert_eq!(spec.budget.max_total, usd("2"));
    assert_eq!(spec.max_hourly.unwrap().per_hour(), usd("2.5"));
    assert_eq!(spec.regions, ["EU", "US"].map(|r| r.parse().unwrap()).into());
    assert_eq!(spec.checkpoint_path.as_deref(), Some("/checkpoint"));
    assert_eq!(spec.outputs_path.as_deref(), Some("/outputs"));
}

#[test]
fn every_key_that_runs_is_read() {
    let JobFile { spec, secrets } = good("full.yaml");
    assert_eq!(spec.resources.cpus_milli, Some(Need::Exactly(2500)));
    assert_eq!(spec.resources.memory_mib, Some(Need::AtLeast(64 * 1024)));
    assert_eq!(spec.resources.disk_mib, Some(256 * 1024));
    assert_eq!(spec.resources.accelerators, Some(Accelerators { model: "H100-80GB".into(), count: 8 }));
    assert_eq!(spec.infra, only(&["aws"]));
    assert_eq!((spec.use_spot, spec.availability_bps), (Some(true), 9_500));
    assert_eq!(spec.expected_run, Some(domain::Millis::HOUR.times(6)));
    assert_eq!(spec.class, Some(domain::WorkClass::Training));
    assert_eq!(spec.regions, ["us-east-1".parse().unwrap()].into());
    assert_eq!(spec.max_hourly.unwrap().per_hour(), usd("12.5"), "the lower of the two caps");
    assert_eq!(spec.workdir.as_deref(), Some("../project"));
    let inside: Vec<&str> = spec.file_mounts.iter().map(|mount| mount.inside.as_str()).collect();
    assert_eq!(inside, ["/data/digits", "/z"]);
    assert!(spec.setup.as_deref().unwrap().ends_with("echo \"done: $HOME\" # not a comment\n"));
    assert_eq!(spec.run, "set -e\n\npython train.py --out /outputs\n");
    assert_eq!((spec.level, spec.network), (Level::Critical, true));
    assert_eq!((spec.budget.max_total, spec.value_at_risk), (usd("100.000001"), usd("50000")));
    assert_eq!(spec.deadline, Millis::HOUR.times(24) + Millis::from_secs(1800));
    assert_eq!(spec.window.start_after.unwrap().to_string(), "2026-12-01T08:00:00.000Z");
    assert_eq!(spec.window.finish_by.unwrap().to_string(), "2026-12-02T00:00:00.500Z");
    assert_eq!((spec.verify.method, spec.verify.segments, spec.verify.sample), (VerifyMethod::None, 4, 4));
    assert_eq!(spec.failover, FailoverRule { attempts: 0, to: only(&["akash", "golem"]) });
    assert_eq!(secrets["API_TOKEN"], None);
    assert_eq!(secrets["FIXED"].as_deref(), Some("hunter2"));
    assert_eq!(spec.secrets, secrets.keys().cloned().collect());
    assert!(!print(&spec).contains("hunter2"));
}

#[test]
fn scalars_are_taken_as_written() {
    let spec = good("full.yaml").spec;
    let expected = [
        ("RATE", "0.050"),
        ("ON", "on"),
        ("NORWAY", "NO"),
        ("HEX", "0x10"),
        ("TRUE", "yes"),
        ("EMPTY", ""),
        ("SPACED", "  two  "),
        ("TILDE", "~"),
        ("GREETING", "grüß dich \u{1f600}"),
    ];
    for (name, value) in expected {
        assert_eq!(env(&spec, name), value, "{name}");
    }
    let spec = good("yaml-traps.yaml").spec;
    assert_eq!((spec.name.as_str(), spec.run.as_str()), ("no", "true"));
    assert_eq!((spec.infra, spec.regions), (Targets::Any, ["EU".parse().unwrap()].into()));
    assert_eq!(spec.resources.accelerators, Some(Accelerators { model: "4090".into(), count: 2 }));
    assert_eq!(spec.setup.as_deref(), Some("folded line\n"));
    let values: Vec<&str> = spec.envs.values().map(String::as_str).collect();
    assert_eq!(values, ["~x", "012", "1_000", "12:30:45", ".inf", "null", "it's"]);
}

#[test]
fn a_byte_order_mark_and_other_line_ends_change_nothing() {
    for name in ["design.yaml", "full.yaml", "yaml-traps.yaml", "empty-blocks.yaml"] {
        let text = fs::read_to_string(path(name)).unwrap();
        for line_end in ["\r\n", "\r"] {
            let changed = format!("\u{feff}{}", text.replace('\n', line_end));
            assert_eq!(parse(changed.as_bytes(), name).unwrap(), good(name), "{name} with {line_end:?}");
        }
    }
    let spec = good("windows.yaml").spec;
    assert_eq!((spec.run.as_str(), env(&spec, "A")), ("echo one\necho two\n", "b"));
}

#[test]
fn every_example_of_the_repository_is_taken() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.display().to_string();
            parse(&fs::read(&path).unwrap(), &name).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
