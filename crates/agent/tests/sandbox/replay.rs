//! Segments of the example that are run again, behind the real fence, against what an execution would have committed to.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use digits::{Args, Env};
use waag_agent::replay::{ReplayError, Replayed, Replayer, Sandboxed, Segment, digest_of};
use waag_agent::sandbox::Mode;
use wire::agent::Bundle;

use crate::Case;
use crate::fixture::{Fixture, block_on};

pub(crate) const CASES: &[Case] = &[
    ("every_segment_gives_again_what_was_committed_to", every_segment_gives_again_what_was_committed_to),
    ("a_fabricated_state_is_found_from_both_sides", a_fabricated_state_is_found_from_both_sides),
    ("a_workload_that_gives_nothing_gives_nothing", a_workload_that_gives_nothing_gives_nothing),
    ("a_workload_that_goes_on_is_not_waited_for", a_workload_that_goes_on_is_not_waited_for),
];

const SEGMENTS: u32 = 6;
const SMALL: Args = Args { epochs: 2, hidden: 16, learning_rate: None };

/// `waag example digits-train`, as the workload calls it.
pub(crate) fn example() -> ExitCode {
    let env = Env::from_vars(|name| std::env::var(name).ok()).unwrap();
    digits::run(&SMALL, &env, &mut std::io::stdout()).unwrap();
    ExitCode::SUCCESS
}

/// The whole training, done here.
fn train(dir: &Path) {
    let vars = |name: &str| match name {
        "WAAG_SEGMENTS" => Some(SEGMENTS.to_string()),
        "WAAG_CHECKPOINT_DIR" => Some(dir.join("c").display().to_string()),
        "WAAG_OUTPUT_DIR" => Some(dir.join("outputs").display().to_string()),
        _ => None,
    };
    digits::run(&SMALL, &Env::from_vars(vars).unwrap(), &mut Vec::new()).unwrap();
}

/// As the agent packs it, written down once more: equal bytes on every machine are the point.
fn tar_of(path: &Path, name: &str) -> File {
    let mut builder = tar::Builder::new(tempfile::tempfile().unwrap());
    builder.mode(tar::HeaderMode::Deterministic);
    builder.append_path_with_name(path, name).unwrap();
    if path.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for inside in names {
            builder.append_path_with_name(path.join(&inside), Path::new(name).join(&inside)).unwrap();
        }
    }
    let mut tar = builder.into_inner().unwrap();
    tar.seek(SeekFrom::Start(0)).unwrap();
    tar
}

fn state_of(dir: &Path, number: u32) -> File {
    tar_of(&dir.join("c").join(number.to_string()), &number.to_string())
}

fn bundle(setup: Option<&str>, run: &str) -> Arc<Bundle> {
    Arc::new(Bundle {
        setup: setup.map(str::to_owned),
        run: run.to_owned(),
        env: std::collections::BTreeMap::new(),
        workdir: true,
        mounts: Vec::new(),
        checkpoint_path: Some("/checkpoint".to_owned()),
        outputs_path: Some("/outputs".to_owned()),
        network: false,
        cpus_milli: 2000,
        memory_mib: 512,
        disk_mib: 256,
        accelerators: 0,
        segments: SEGMENTS,
        inputs: None,
        salt: String::new(),
    })
}

fn segment(bundle: &Arc<Bundle>, state: Option<File>, number: u32, outputs: bool) -> Segment {
    Segment { bundle: Arc::clone(bundle), inputs: None, state, of: SEGMENTS, number, outputs }
}

fn replay(f: &Fixture, segment: Segment) -> Result<Replayed, ReplayError> {
    let replayer = Sandboxed::new(std::env::current_exe().unwrap(), f.path("replay"));
    let replayed = block_on(replayer.replay(segment));
    assert!(!f.path("replay").exists(), "nothing is left of it");
    replayed
}

/// The fence is the best that this machine has, so one of the two modes is enough.
fn train_once(f: &Fixture) -> bool {
    fs::set_permissions(f.dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let once = f.mode == Mode::Namespaces;
    if once {
        train(f.dir.path());
    }
    once
}

fn every_segment_gives_again_what_was_committed_to(f: &Fixture) {
    if !train_once(f) {
        return;
    }
    let work = bundle(Some("touch set-up"), "test -e set-up && waag example digits-train");
    for number in 0..SEGMENTS {
        let before = (number > 0).then(|| state_of(f.dir.path(), number));
        let last = number + 1 == SEGMENTS;
        let replayed = replay(f, segment(&work, before, number, last)).unwrap();
        let state = digest_of(&mut state_of(f.dir.path(), number + 1)).unwrap();
        let outputs = digest_of(&mut tar_of(&f.path("outputs"), "outputs")).unwrap();
        assert_eq!(replayed, Replayed { state: Some(state), outputs: last.then_some(outputs) }, "{number}");
    }
}

fn a_fabricated_state_is_found_from_both_sides(f: &Fixture) {
    if !train_once(f) {
        return;
    }
    let honest: Vec<_> = (3..5).map(|n| digest_of(&mut state_of(f.dir.path(), n)).unwrap()).collect();
    let path = f.path("c").join("3");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let work = bundle(None, "waag example digits-train");
    let fabricated = digest_of(&mut state_of(f.dir.path(), 3)).unwrap();
    let from_before = replay(f, segment(&work, Some(state_of(f.dir.path(), 2)), 2, false)).unwrap();
    assert_eq!(from_before.state, Some(honest[0]));
    assert_ne!(from_before.state, Some(fabricated));
    let from_it = replay(f, segment(&work, Some(state_of(f.dir.path(), 3)), 3, false)).unwrap();
    assert_ne!(from_it.state, Some(honest[1]));
}

fn a_workload_that_gives_nothing_gives_nothing(f: &Fixture) {
    for run in ["exit 3", "true", "kill -9 $$"] {
        let replayed = replay(f, segment(&bundle(None, run), None, 0, true)).unwrap();
        assert_eq!(replayed.state, None, "{run}");
        // The folder is there, and empty, where the work says that it ended well.
        assert_eq!(replayed.outputs.is_some(), run == "true");
    }
    let failed = replay(f, segment(&bundle(Some("exit 1"), "true"), None, 0, false));
    assert!(matches!(failed, Err(ReplayError::Setup)), "{failed:?}");
}

fn a_workload_that_goes_on_is_not_waited_for(f: &Fixture) {
    let run = "echo state > $WAAG_CHECKPOINT_DIR/.1 && mv $WAAG_CHECKPOINT_DIR/.1 $WAAG_CHECKPOINT_DIR/1; sleep 10000";
    let replayed = replay(f, segment(&bundle(None, run), None, 0, false)).unwrap();
    assert!(replayed.state.is_some() && replayed.outputs.is_none());
}
