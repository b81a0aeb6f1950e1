//! Every key of a job file: those that run, and those of SkyPilot that do not run yet.

use super::error::{Problem, Problems, clean};
use super::values::Fields;

/// The keys of one mapping.
struct Section {
    /// Empty for the top of the file.
    path: &'static str,
    keys: &'static [&'static str],
    /// Keys that are known but do not run, each with what to do instead.
    later: &'static [(&'static str, &'static str)],
}

const REMOVE: &str = "remove it: a job that needs it cannot run on Waag yet";
const STORE: &str = "mount local folders with `file_mounts`, and keep results under `waag.outputs.path`";

const SECTIONS: &[Section] = &[
    Section {
        path: "",
        keys: &[
            "name",
            "resources",
            "envs",
            "secrets",
            "workdir",
            "file_mounts",
            "setup",
            "run",
            "num_nodes",
            "waag",
        ],
        later: &[
            ("volumes", STORE),
            ("volume_mounts", STORE),
            ("managed_secrets", "use `secrets`"),
            ("service", "remove it: only jobs that end by themselves run today"),
            ("pool", REMOVE),
            ("inputs", "mount local folders with `file_mounts`"),
            ("outputs", "write `outputs: { path: /outputs }` under `waag:`"),
            ("config", REMOVE),
            ("event_callback", REMOVE),
            ("api_server_access", REMOVE),
        ],
    },
    Section {
        path: "resources",
        keys: &[
            "cpus",
            "memory",
            "accelerators",
            "disk_size",
            "use_spot",
            "infra",
            "region",
            "max_hourly_cost",
        ],
        later: &[
            ("cloud", "name the network in `infra`, for example `infra: aws`"),
            ("zone", "name a region: zones cannot be chosen yet"),
            ("instance_type", "ask for `cpus`, `memory` and `accelerators`"),
            ("disk_tier", REMOVE),
            ("ephemeral_storage", REMOVE),
            ("local_disk", REMOVE),
            ("network_tier", REMOVE),
            ("ports", "remove it: nothing can connect to a job from outside yet"),
            ("image_id", "remove it: install what the job needs in `setup`"),
            ("labels", REMOVE),
            ("autostop", "remove it: a lease ends with its job"),
            ("hooks", REMOVE),
            ("job_recovery", "use `failover` under `waag:`"),
            ("priority", REMOVE),
            ("priority_class", REMOVE),
            ("volumes", STORE),
            ("accelerator_args", REMOVE),
            ("any_of", "describe one set of hardware; `4+` asks for at least four"),
            ("ordered", "describe one set of hardware; `4+` asks for at least four"),
        ],
    },
    Section {
        path: "waag",
        keys: &[
            "level",
            "budget",
            "deadline",
            "expected_run",
            "window",
            "regions",
            "checkpoint",
            "outputs",
            "value_at_risk_usd",
            "availability",
            "class",
            "network",
            "verify",
            "failover",
        ],
        later: &[],
    },
    Section { path: "waag.budget", keys: &["max_total_usd", "max_hourly_usd"], later: &[] },
    Section { path: "waag.window", keys: &["start_after", "finish_by"], later: &[] },
    Section { path: "waag.checkpoint", keys: &["path"], later: &[] },
    Section { path: "waag.outputs", keys: &["path"], later: &[] },
    Section { path: "waag.verify", keys: &["method", "segments", "sample"], later: &[] },
    Section { path: "waag.failover", keys: &["attempts", "to"], later: &[] },
];

/// Notes every key that the section of these fields does not know, and every known one that does not run yet.
pub(super) fn check(fields: &Fields<'_>, problems: &mut Problems) {
    let Some(section) = SECTIONS.iter().find(|section| section.path == fields.path()) else { return };
    for (key, at, field) in fields.entries() {
        if section.keys.contains(&key) {
            continue;
        }
        let shown = clean(key, 60);
        let (what, help) = match section.later.iter().find(|(later, _)| *later == key) {
            Some((_, instead)) => (format!("`{shown}` is not supported yet"), (*instead).to_owned()),
            None => (format!("there is no key `{shown}` here"), unknown_help(section, key)),
        };
        problems.add(Problem::new(at, &field.path, what, help));
    }
}

/// What people who come from elsewhere call our keys.
const SYNONYMS: &[(&str, &str)] = &[
    ("gpu", "accelerators"),
    ("gpus", "accelerators"),
    ("ram", "memory"),
    ("cmd", "run"),
    ("command", "run"),
    ("commands", "run"),
    ("timeout", "deadline"),
    ("per_hour", "max_hourly_usd"),
];

fn unknown_help(section: &Section, key: &str) -> String {
    let homes: Vec<&str> = SECTIONS.iter().filter(|s| s.keys.contains(&key)).map(|s| s.path).collect();
    match homes.as_slice() {
        [] => {}
        [""] => return format!("`{key}:` stands at the top of the file, without indentation"),
        paths => {
            let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
            return format!("move it under {}", paths.join(" or "));
        }
    }
    let near = near(key, section.keys);
    if near.is_empty() {
        format!("remove it, or use one of: {}", section.keys.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    }
}

/// At most three known words that lie within two edits or share a part with the word, nearest first.
fn near(word: &str, known: &[&str]) -> Vec<String> {
    const SHARED_MIN: usize = 3;
    const WORD_CHARS_MAX: usize = 60;
    if word.len() > WORD_CHARS_MAX {
        return Vec::new();
    }
    let word = word.to_ascii_lowercase();
    if let Some((_, ours)) = SYNONYMS.iter().find(|(theirs, ours)| *theirs == word && known.contains(ours)) {
        return vec![format!("`{ours}`")];
    }
    let shares = |k: &str| word.len() >= SHARED_MIN && (k.contains(&word) || word.contains(k));
    let mut found: Vec<(usize, &str)> = known
        .iter()
        .map(|k| (distance(&word, k), *k))
        .filter(|(d, k)| *d <= 2.min(word.len().saturating_sub(1)) || shares(k))
        .collect();
    found.sort_unstable();
    found.into_iter().take(3).map(|(_, k)| format!("`{k}`")).collect()
}

/// The number of single-letter edits between two words (Levenshtein 1965).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let best = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}
