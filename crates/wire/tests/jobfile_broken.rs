//! Broken job files and the message a person gets for each, kept as golden files. `WAAG_GOLDEN=update` rewrites them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use waag_wire::jobfile::{FILE_BYTES_MAX, JobFileError, parse};

/// Longer than any message with 20 problems of the greatest length needs to be read by a person.
const MESSAGE_BYTES_MAX: usize = 20_000;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jobfiles").join(name)
}

fn files(name: &str, extension: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder(name)).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.extension().and_then(|e| e.to_str()), Some(extension), "{}", path.display());
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        found.insert(stem, fs::read(&path).unwrap());
    }
    found
}

/// The files in the folder and those too large or too strange to keep there.
fn broken() -> BTreeMap<String, Vec<u8>> {
    const HEAD: &str = "name: train\nrun: python train.py\n";
    let mut all = files("broken", "yaml");
    let deep = |open: &str, n: usize| format!("{HEAD}envs: {}", open.repeat(n)).into_bytes();
    let envs: String = (0..1001).map(|n| format!("  A{n}: x\n")).collect();
    let quoted = "\u{1f600}".repeat(50_000);
    let long_when_printed: String = (0..4).map(|n| format!("  A{n}: \"{quoted}\"\n")).collect();
    let made: [(&str, Vec<u8>); 14] = [
        ("made-control-character", b"name: train\nrun: echo \x1b[31mred\n".to_vec()),
        ("made-zero-byte", b"name: train\nrun: echo one\0 two\n".to_vec()),
        ("made-100-megabytes", vec![b'a'; 100_000_000]),
        ("made-one-byte-too-many", vec![b'#'; FILE_BYTES_MAX + 1]),
        ("made-not-utf-8", b"name: train\nrun: echo \xff\xfe\n".to_vec()),
        ("made-utf-16", "\u{feff}name: x\n".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("made-bomb-brackets", deep("[", 500_000)),
        ("made-bomb-braces", deep("{a: ", 200_000)),
        ("made-bomb-dashes", format!("{HEAD}envs:\n  {}", "- ".repeat(400_000)).into_bytes()),
        ("made-bomb-items", format!("{HEAD}waag: {{ regions: [{}EU] }}", "EU,".repeat(300_000)).into_bytes()),
        ("made-too-many-keys", (0..60_000).map(|n| format!("key{n}: x\n")).collect::<String>().into_bytes()),
        ("made-too-many-envs", format!("{HEAD}envs:\n{envs}").into_bytes()),
        ("made-run-too-long", format!("name: train\nrun: {}\n", "x".repeat(300_000)).into_bytes()),
        ("made-too-long-when-printed", format!("{HEAD}envs:\n{long_when_printed}").into_bytes()),
    ];
    for (name, bytes) in made {
        assert!(all.insert(name.to_owned(), bytes).is_none(), "{name} is also a file");
    }
    all
}

fn refused(name: &str, bytes: &[u8]) -> JobFileError {
    match parse(bytes, "job.yaml") {
        Ok(file) => panic!("{name} is taken: {file:?}"),
        Err(error) => error,
    }
}

#[test]
fn broken_files_are_refused_with_the_golden_message() {
    let update = std::env::var("WAAG_GOLDEN").is_ok_and(|value| value == "update");
    let broken = broken();
    let messages: BTreeMap<String, String> =
        broken.iter().map(|(name, bytes)| (name.clone(), format!("{}\n", refused(name, bytes)))).collect();
    if update {
        for name in files("golden", "txt").keys().filter(|name| !messages.contains_key(*name)) {
            fs::remove_file(folder("golden").join(format!("{name}.txt"))).unwrap();
        }
        for (name, message) in &messages {
            fs::write(folder("golden").join(format!("{name}.txt")), message).unwrap();
        }
    }
    let golden = files("golden", "txt");
    let names = |map: BTreeSet<&String>| map.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(golden.keys().collect()),
        names(messages.keys().collect()),
        "files and messages pair up"
    );
    for (name, message) in &messages {
        assert_eq!(String::from_utf8_lossy(&golden[name]), *message, "{name}");
    }
}

#[test]
fn every_message_is_short_clean_and_says_what_to_do() {
    for (name, bytes) in broken() {
        let error = refused(&name, &bytes);
        assert!((1..=20).contains(&error.problems.len()), "{name}");
        for problem in &error.problems {
            assert!(!problem.what.is_empty() && !problem.help.is_empty(), "{name}: {problem:?}");
        }
        let message = error.to_string();
        assert!(message.len() <= MESSAGE_BYTES_MAX, "{name}: {} bytes", message.len());
        assert!(message.chars().all(|c| c == '\n' || !c.is_control()), "{name}");
        assert!(!message.contains('\u{202e}'), "{name}");
    }
}

#[test]
fn no_message_shows_a_secret() {
    for (name, bytes) in broken() {
        let message = refused(&name, &bytes).to_string();
        assert!(!message.contains("hunter"), "{name}: {message}");
    }
    let taken = parse(b"name: a\nrun: b\nsecrets: { TOKEN: hunter2 }\n", "job.yaml").unwrap();
    assert_eq!(taken.secrets["TOKEN"].as_deref(), Some("hunter2"));
    assert!(!format!("{taken:?}").contains("hunter2"));
}

#[test]
fn a_problem_names_its_place() {
    let text = b"name: train\nrun: echo\nwaag:\n  budget:\n    max_total_usd: -5\n";
    let error = parse(text, "job.yaml").unwrap_err();
    let [problem] = error.problems.as_slice() else { panic!("{error}") };
    assert_eq!((problem.line, problem.column), (5, 20));
    assert_eq!(problem.field, "waag.budget.max_total_usd");
}
