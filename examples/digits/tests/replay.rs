//! The workload as the agent sees it: states in a folder, any range of segments, the same bytes.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::path::Path;

use waag_digits::{Args, Env, Error, Report, StateError, run};

const SEGMENTS: u32 = 8;
const SMALL: Args = Args { epochs: 2, hidden: 16, learning_rate: None };

/// Runs segments `from..to` of a small training in `dir`, with states in `c` and outputs in `o`.
fn segments(dir: &Path, from: u32, to: u32) -> Result<Report, Error> {
    run(&SMALL, &env(dir, from, to, &[]), &mut Vec::new())
}

fn env(dir: &Path, from: u32, to: u32, more: &[(&str, &str)]) -> Env {
    let mut vars: BTreeMap<String, String> = [
        ("WAAG_SEGMENTS", SEGMENTS.to_string()),
        ("WAAG_SEGMENT_FROM", from.to_string()),
        ("WAAG_SEGMENT_TO", to.to_string()),
        ("WAAG_CHECKPOINT_DIR", dir.join("c").display().to_string()),
        ("WAAG_OUTPUT_DIR", dir.join("o").display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    vars.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Env::from_vars(|name| vars.get(name).cloned()).unwrap()
}

/// Every file below `dir`, by its path.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    ["c", "o"]
        .iter()
        .filter_map(|folder| fs::read_dir(dir.join(folder)).ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.strip_prefix(dir).unwrap().display().to_string(), fs::read(&path).unwrap()))
        .collect()
}

/// FNV-1a, 64 bits.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_demo_run_learns_to_read_digits() {
    let dir = tempfile::tempdir().unwrap();
    let env = Env::from_vars(|name| match name {
        "WAAG_OUTPUT_DIR" => Some(dir.path().join("o").display().to_string()),
        "LEARNING_RATE" => Some("0.05".into()),
        _ => None,
    });
    let mut log = Vec::new();
    let report = run(&Args::default(), &env.unwrap(), &mut log).unwrap();
    let log = String::from_utf8(log).unwrap();

    assert!(report.test_correct * 100 >= report.test_images * 97, "{report:?}");
    assert_eq!(log.lines().count(), 33, "{log}");
    assert!(log.starts_with("segment 1/32: epoch 0.9"), "{log}");
    assert!(log.contains("\nsegment 32/32: epoch 30.0000 of 30, train loss 0.0"), "{log}");
    assert!(log.ends_with(&format!(
        "test accuracy {} ({} of 359 images)\n",
        report.accuracy(),
        report.test_correct
    )));

    let files = files(dir.path());
    assert_eq!(files.keys().collect::<Vec<_>>(), ["o/metrics.json", "o/model.bin"]);
    let accuracy = report.accuracy();
    let metrics = format!(
        "{{\"accuracy\":{accuracy},\"test_images\":359,\"train_images\":1438,\"epochs\":30,\"segments\":32}}\n"
    );
    assert_eq!(String::from_utf8_lossy(&files["o/metrics.json"]), metrics);
    assert_eq!(files["o/model.bin"].len(), 8 + 16 + 4 * (65 * 256 + 257 * 10));
}

#[test]
fn every_split_gives_the_same_bytes() {
    let whole = tempfile::tempdir().unwrap();
    segments(whole.path(), 0, SEGMENTS).unwrap();
    let expected = files(whole.path());
    let names: Vec<_> = (0..=SEGMENTS)
        .map(|i| format!("c/{i}"))
        .chain(["o/metrics.json".into(), "o/model.bin".into()])
        .collect();
    assert_eq!(expected.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());

    for cuts in [vec![0, 3, 8], vec![0, 1, 5, 7, 8], vec![0, 0, 8, 8], (0..=SEGMENTS).collect()] {
        let mut seen = BTreeMap::new();
        let mut handed_over: Option<(u32, Vec<u8>)> = None;
        for range in cuts.windows(2) {
            // Each range has a folder of its own, with nothing in it but the state it starts from.
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("c")).unwrap();
            if let Some((index, bytes)) = &handed_over {
                fs::write(dir.path().join("c").join(index.to_string()), bytes).unwrap();
            }
            segments(dir.path(), range[0], range[1]).unwrap();
            let made = files(dir.path());
            handed_over = Some((range[1], made[&format!("c/{}", range[1])].clone()));
            seen.extend(made);
        }
        assert!(seen == expected, "cut at {cuts:?}");
    }
}

#[test]
fn the_final_state_is_the_same_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    segments(dir.path(), 0, SEGMENTS).unwrap();
    let state = fs::read(dir.path().join("c/8")).unwrap();
    assert_eq!(format!("{:016x}", digest(&state)), "4a6b3372d193006c");
}

#[test]
fn a_run_without_a_checkpoint_folder_must_start_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("o").display().to_string();
    let vars = |from: &'static str| {
        Env::from_vars(|name| match name {
            "WAAG_OUTPUT_DIR" => Some(output.clone()),
            "WAAG_SEGMENT_FROM" => Some(from.into()),
            _ => None,
        })
    };
    run(&SMALL, &vars("0").unwrap(), &mut Vec::new()).unwrap();
    let error = run(&SMALL, &vars("5").unwrap(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::NoCheckpointDir { from: 5 }), "{error}");
}

#[test]
fn a_missing_state_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = segments(dir.path(), 3, 5).unwrap_err();
    assert!(matches!(error, Error::MissingState { .. }));
    assert_eq!(
        error.to_string(),
        format!("state to start from is missing: {}", dir.path().join("c/3").display())
    );
    assert_eq!(files(dir.path()), BTreeMap::new());
}

#[test]
fn a_state_that_is_not_of_this_run_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    segments(dir.path(), 0, 3).unwrap();
    let good = fs::read(dir.path().join("c/3")).unwrap();
    let other_step = fs::read(dir.path().join("c/2")).unwrap();
    let changed = |at: usize, bytes: &[u8]| {
        let mut state = good.clone();
        state[at..at + bytes.len()].copy_from_slice(bytes);
        state
    };
    let expected = good.len();
    let too_large = (8 << 24) + 1_i32;
    for (bytes, problem) in [
        (vec![], StateError::Foreign),
        (b"PK\x03\x04 something else".to_vec(), StateError::Foreign),
        (good[..11].to_vec(), StateError::Length { found: 11, expected }),
        (good[..expected - 1].to_vec(), StateError::Length { found: expected - 1, expected }),
        ([&good[..], b"and more"].concat(), StateError::Length { found: expected + 1, expected }),
        (changed(8, &[2]), StateError::Version { found: 2, expected: 1 }),
        (changed(16, &[17]), StateError::Setting { name: "hidden", found: 17, expected: 16 }),
        (other_step, StateError::Step { found: 112, expected: 168 }),
        (changed(60, &too_large.to_le_bytes()), StateError::Weight { value: too_large, offset: 60 }),
        (
            changed(expected - 4, &i32::MIN.to_le_bytes()),
            StateError::Weight { value: i32::MIN, offset: expected - 4 },
        ),
    ] {
        let state = dir.path().join("c/3");
        fs::write(&state, bytes).unwrap();
        let error = segments(dir.path(), 3, 4).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot continue from {}", state.display()));
        let source = error.source().and_then(|source| source.downcast_ref::<StateError>());
        assert_eq!(source, Some(&problem));
        assert!(!dir.path().join("c/4").exists());
    }
}

#[test]
fn another_learning_rate_is_another_run() {
    let dir = tempfile::tempdir().unwrap();
    segments(dir.path(), 0, 2).unwrap();
    let faster = env(dir.path(), 2, 3, &[("LEARNING_RATE", "0.1")]);
    let error = run(&SMALL, &faster, &mut Vec::new()).unwrap_err();
    let source = error.source().map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("made with learning rate (1/65536) 3277, this run has 6554"));

    // An argument is closer to the user than the environment.
    let args = Args { learning_rate: Some("0.05".parse().unwrap()), ..SMALL };
    run(&args, &faster, &mut Vec::new()).unwrap();
}

#[test]
fn arguments_out_of_bounds_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let env = env(dir.path(), 0, 1, &[]);
    for args in [Args { epochs: 0, ..SMALL }, Args { hidden: 513, ..SMALL }] {
        let error = run(&args, &env, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }), "{error}");
    }
}

#[test]
fn what_a_killed_run_left_behind_is_no_hindrance() {
    let dir = tempfile::tempdir().unwrap();
    segments(dir.path(), 0, 1).unwrap();
    let kept = files(dir.path());
    fs::write(dir.path().join("c/.1.tmp"), b"half a state, and longer than a whole one".repeat(1000))
        .unwrap();
    segments(dir.path(), 0, 1).unwrap();
    assert_eq!(files(dir.path()), kept);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("c"), b"a file where a folder should be").unwrap();
    let error = segments(dir.path(), 0, 1).unwrap_err();
    assert_eq!(error.to_string(), format!("writing {}", dir.path().join("c/0").display()));
}
