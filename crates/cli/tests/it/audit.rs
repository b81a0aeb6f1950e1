//! The audit log as a stranger sees it: a folder, a key, and commands that need nothing else.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::common::{World, eventually, in_repository};

/// Exit code and code of the error.
fn failed(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout);
    let error: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    (output.status.code().unwrap(), error["code"].as_str().unwrap().to_owned())
}

/// The control plane that ran a job, an export of its log, and an export from before the job.
fn exported() -> (World, PathBuf, PathBuf) {
    let mut world = World::new();
    world.up().unwrap();
    let place = |name: &str| world.file(name, "").parent().unwrap().join(format!("{name}-log"));
    let (before, after) = (place("before"), place("after"));
    eventually("the log begins", || world.waag(&["audit", "show", "--json"]).status.success().then_some(()));
    world.json(&["audit", "export", "--to", before.to_str().unwrap()]);
    let hello = in_repository("examples/hello.yaml");
    world.json(&["run", hello.to_str().unwrap(), "--outputs", "out"]);
    world.stop();
    world.json(&["audit", "export", "--to", after.to_str().unwrap()]);
    (world, before, after)
}

fn copied(from: &Path, name: &str) -> PathBuf {
    let to = from.with_file_name(name);
    std::fs::create_dir_all(&to).unwrap();
    let output = std::process::Command::new("cp").arg("-r").arg(from.join(".")).arg(&to).output().unwrap();
    assert!(output.status.success());
    to
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(file).unwrap();
    change(&mut bytes);
    std::fs::write(file, bytes).unwrap();
}

/// The largest file in a folder, as `<width>` files of partial tiles are.
fn partial(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.max_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn exported_log_is_verified_alone_and_continues_the_older_one() {
    let (world, before, after) = exported();
    let old = before.join("checkpoint");
    let doc = world.json(&["audit", "verify", after.to_str().unwrap(), "--from", old.to_str().unwrap()]);
    let kinds = doc["kinds"].as_object().unwrap();
    for kind in [
        "account.funded",
        "job.admitted",
        "placement.chosen",
        "lease.intended",
        "lease.live",
        "execution.connected",
        "execution.ended",
        "job.ending",
        "lease.releasing",
        "lease.ended",
        "lease.settled",
        "job.settled",
    ] {
        assert_eq!(kinds[&format!("waag.{kind}")], 1, "{kind}: {kinds:?}");
    }
    assert_eq!((doc["verified"].as_bool(), doc["continues"].as_u64()), (Some(true), Some(1)));
    assert_eq!(doc["key_from_folder"], true);
    let key = after.join("audit.vkey");
    let doc = world.json(&["audit", "verify", before.to_str().unwrap(), "--key", key.to_str().unwrap()]);
    assert_eq!((doc["records"].as_u64(), doc["key_from_folder"].as_bool()), (Some(1), Some(false)));
    let shown = world.json(&["audit", "show", "--limit", "2"]);
    let types: Vec<_> = shown["records"].as_array().unwrap().iter().map(|one| one["type"].clone()).collect();
    assert_eq!(types, ["waag.job.settled", "waag.lease.settled"]);
    let (code, error) = failed(&world.waag(&["audit", "export", "--to", after.to_str().unwrap(), "--json"]));
    assert_eq!((code, error.as_str()), (2, "folder_not_empty"));
}

#[test]
fn names_and_commands_of_jobs_stand_in_no_record() {
    let (_world, _, after) = exported();
    for (_, folder) in [("entries", after.join("tile/entries/000.p"))] {
        let bytes = String::from_utf8_lossy(&std::fs::read(partial(&folder)).unwrap()).into_owned();
        assert!(bytes.contains("waag.job.admitted") && bytes.contains("\"spec\":\"sha256:"));
        for word in ["hello", "echo", "forge", "\"provider\":\"mill"] {
            assert!(!bytes.contains(word), "{word}");
        }
    }
}

#[test]
fn tampering_with_an_exported_log_is_named() {
    let (world, before, after) = exported();
    let verify = |folder: &Path, more: &[&str]| {
        let args = [&["audit", "verify", folder.to_str().unwrap(), "--json"], more].concat();
        failed(&world.waag(&args))
    };
    let tampered = |name: &str, spoil: &dyn Fn(&Path)| {
        let copy = copied(&after, name);
        spoil(&copy);
        verify(&copy, &[])
    };
    let flip = |at: usize| move |bytes: &mut Vec<u8>| bytes[at] ^= 1;
    let named = [
        ("tile", "audit_tile"),
        ("entry", "audit_entry"),
        ("lost", "audit_missing"),
        ("cut", "audit_damaged"),
        ("size", "audit_signature"),
        ("text", "audit_checkpoint"),
        ("key", "audit_key"),
        ("stranger", "audit_unsigned"),
        ("nothing", "no_audit_log"),
    ];
    for (name, code) in named {
        let (exit, found) = tampered(name, &|copy| match name {
            "tile" => change(&partial(&copy.join("tile/0/000.p")), flip(40)),
            "entry" => change(&partial(&copy.join("tile/entries/000.p")), flip(40)),
            "lost" => std::fs::remove_file(partial(&copy.join("tile/0/000.p"))).unwrap(),
            "cut" => change(&partial(&copy.join("tile/entries/000.p")), |bytes| bytes.truncate(99)),
            "size" => change(&copy.join("checkpoint"), |bytes| {
                let at = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
                bytes[at] ^= 1;
            }),
            "text" => std::fs::write(copy.join("checkpoint"), "no note").unwrap(),
            "key" => change(&copy.join("audit.vkey"), flip(30)),
            "stranger" => {
                let other = World::new();
                let mut other = other;
                other.up().unwrap();
                let log = other.data().join("audit/audit.vkey");
                eventually("another key", || std::fs::copy(&log, copy.join("audit.vkey")).ok());
                other.stop();
            }
            _ => std::fs::remove_file(copy.join("checkpoint")).unwrap(),
        });
        let wanted = match name {
            "key" => 2,
            "nothing" => 4,
            _ => 8,
        };
        assert_eq!((exit, found.as_str()), (wanted, code), "{name}");
    }
    let newer = after.join("checkpoint");
    assert_eq!(verify(&before, &["--from", newer.to_str().unwrap()]), (8, "audit_smaller".to_owned()));
}

#[test]
fn two_histories_are_a_split_view_for_the_monitor() {
    let (mut world, before, after) = exported();
    let state = before.with_file_name("seen.json");
    let monitor = |world: &World, places: &[&Path]| {
        let places = places.iter().map(|place| place.to_str().unwrap());
        let args: Vec<&str> = ["audit", "monitor", "--json", "--state", state.to_str().unwrap()]
            .into_iter()
            .chain(places)
            .collect();
        world.waag(&args)
    };
    let first: Value = serde_json::from_slice(&monitor(&world, &[&before]).stdout).unwrap();
    assert_eq!(first["logs"][0]["before"], Value::Null);
    let second: Value = serde_json::from_slice(&monitor(&world, &[&after]).stdout).unwrap();
    assert_eq!(
        (second["logs"][0]["before"].as_u64(), second["logs"][0]["heads"].as_u64()),
        (Some(1), Some(2))
    );
    // An older copy beside the newest is the same history; alone it is a log that got smaller.
    assert!(monitor(&world, &[&before, &after]).status.success());
    assert_eq!(failed(&monitor(&world, &[&before])), (8, "audit_smaller".to_owned()));
    // The same key signs another history: everything but the keys is new.
    std::fs::rename(world.data().join("keys"), before.with_file_name("keys")).unwrap();
    std::fs::remove_dir_all(world.data()).unwrap();
    std::fs::create_dir_all(world.data()).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(world.data(), std::fs::Permissions::from_mode(0o711)).unwrap();
    std::fs::rename(before.with_file_name("keys"), world.data().join("keys")).unwrap();
    world.up().unwrap();
    let hello = in_repository("examples/hello.yaml");
    for _ in 0..2 {
        world.json(&["run", hello.to_str().unwrap(), "--outputs", "out2"]);
    }
    world.stop();
    let other = before.with_file_name("other-log");
    world.json(&["audit", "export", "--to", other.to_str().unwrap()]);
    let split = (8, "audit_split_view".to_owned());
    assert_eq!(failed(&monitor(&world, &[&other])), split, "against what was seen before");
    assert_eq!(failed(&monitor(&world, &[&after, &other])), split, "against each other");
    let alone = ["audit", "monitor", "--json", "--state", "new.json", other.to_str().unwrap()];
    let checkpoint = after.join("checkpoint");
    let with_head: Vec<&str> = alone.into_iter().chain([checkpoint.to_str().unwrap()]).collect();
    assert_eq!(failed(&world.waag(&with_head)), split, "against a checkpoint alone");
    let (exit, code) = failed(&world.waag(&[
        "audit",
        "verify",
        other.to_str().unwrap(),
        "--from",
        before.join("checkpoint").to_str().unwrap(),
        "--json",
    ]));
    assert_eq!((exit, code.as_str()), (8, "audit_inconsistent"));
}

#[test]
fn what_a_removed_job_was_about_can_no_longer_be_told() {
    let mut world = World::new();
    world.up().unwrap();
    let hello = in_repository("examples/hello.yaml");
    let job =
        world.json(&["run", hello.to_str().unwrap(), "--outputs", "out"])["id"].as_str().unwrap().to_owned();
    world.json(&["jobs", "rm", &job, "--yes"]);
    world.stop();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = store::Store::open(&world.data(), "test").await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.secret_get(job.parse().unwrap()).await.unwrap(), None);
    });
    let shown = world.json(&["audit", "show", "--limit", "1"]);
    assert_eq!(shown["records"][0]["type"], "waag.job.removed");
    let log = world.data().join("audit");
    assert!(world.json(&["audit", "verify", log.to_str().unwrap()])["verified"].as_bool().unwrap());
}
