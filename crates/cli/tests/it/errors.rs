//! Every stable code of the sources stands in `docs/errors.md`, and every code that stands there is in the sources.

use std::collections::BTreeSet;
use std::path::Path;

use crate::common::in_repository;

const ROOMS: [&str; 6] = ["cli", "domain", "engine", "evidence", "policy", "server"];
/// What stands before a code where an error, an alert or a state is made.
const BEFORE: [&str; 4] = ["Exit::", "StatusCode::", "alert(", "alert_raise("];

fn sources(folder: &Path, out: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            out.push(text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned());
        }
    }
}

fn is_code(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// The string literals of a text that look like codes.
fn literals(text: &str) -> impl Iterator<Item = String> {
    text.split('"').skip(1).step_by(2).filter(|text| is_code(text)).map(str::to_owned)
}

/// The codes of one source file: literals in functions called `code` and in lists of codes, and first literals of what makes an error.
fn codes(source: &str, out: &mut BTreeSet<String>) {
    for (at, _) in source.match_indices("fn code(") {
        let body = &source[at..];
        out.extend(literals(&body[..body.find("\n    }").unwrap_or(body.len())]));
    }
    for (at, _) in source.match_indices("\ncoded! {") {
        let list = &source[at..];
        out.extend(literals(&list[..list.find("\n}").unwrap_or(list.len())]));
    }
    for before in BEFORE {
        for (at, _) in source.match_indices(before) {
            // `Exit::Usage, "code"`, `alert_raise(now, "code"`: nothing but names and commas may stand between.
            let rest = &source[at + before.len()..];
            let Some((between, after)) = rest.split_once('"') else { continue };
            let plain =
                between.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b',' | b' ' | b'\n'));
            let code = after.split('"').next().unwrap_or_default();
            if plain && is_code(code) {
                out.insert(code.to_owned());
            }
        }
    }
}

#[test]
fn error_list_names_every_code_and_no_other() {
    let (mut texts, mut found) = (Vec::new(), BTreeSet::new());
    for room in ROOMS {
        sources(&in_repository(&format!("crates/{room}/src")), &mut texts);
    }
    texts.iter().for_each(|text| codes(text, &mut found));
    let list = std::fs::read_to_string(in_repository("docs/errors.md")).unwrap();
    let listed: BTreeSet<String> = list
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(code, _)| code.split(':').next().unwrap_or_default().to_owned())
        .collect();
    let missing: Vec<_> = found.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/errors.md lacks {missing:?}");
    let whole = texts.concat();
    let unknown: Vec<_> = listed
        .iter()
        .filter(|code| !whole.contains(&format!("\"{code}\"")) && !whole.contains(&format!("\"{code}:")))
        .collect();
    assert!(unknown.is_empty(), "docs/errors.md names {unknown:?}, which no source has");
    assert!(found.len() > 60, "the sources were not read: {found:?}");
}
