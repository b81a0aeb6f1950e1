//! `waag audit monitor`: what a log shows here, there, and showed before, must be one history. A log that shows two is
//! convicted by its own signatures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use custody::note_verify;
use evidence::log::{Checkpoint, Key, Wrong, check};
use serde::{Deserialize, Serialize};

use super::folder::{Folder, failed, key_in};
use super::verify::continued;
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;
use crate::show::table::{Side, Table};

/// What is remembered, by the log's name.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Memory {
    logs: BTreeMap<String, Remembered>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Remembered {
    key: String,
    /// The newest signed head that was seen, as it was signed.
    checkpoint: String,
}

/// A signed head, and where it was seen.
struct View {
    head: Checkpoint,
    note: String,
    place: PathBuf,
    /// The folder, where there is one.
    folder: Option<Folder>,
}

#[derive(Debug, Serialize)]
struct MonitorDoc {
    logs: Vec<LogLine>,
}

#[derive(Debug, Serialize)]
struct LogLine {
    origin: String,
    records: u64,
    /// Heads compared with each other, the remembered one among them.
    heads: usize,
    /// Records when it was seen last.
    before: Option<u64>,
}

pub(super) fn run(state: &Path, key_file: Option<&Path>, places: &[PathBuf], out: &Out) -> Done {
    let mut memory = remembered(state)?;
    let given = key_file.map(key_in).transpose()?;
    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    for (name, known) in &memory.logs {
        keys.insert(name.clone(), Key::parse(&known.key).map_err(|wrong| failed(&wrong, state))?);
    }
    for key in given.into_iter().chain(own_keys(places)?) {
        let known = keys.entry(key.name().to_owned()).or_insert_with(|| key.clone());
        if *known != key {
            let said = format!("{} shows another key than before", key.name());
            return Err(Failure::new(Exit::NotProven, "audit_key_changed", said)
                .why(format!("before {known}, now {key}"))
                .next("a log keeps its key: whoever published it is to explain that"));
        }
    }
    let mut logs: BTreeMap<String, Vec<View>> = BTreeMap::new();
    for place in places {
        let view = view(place, &keys)?;
        logs.entry(view.head.origin.clone()).or_default().push(view);
    }
    let mut lines = Vec::new();
    for (origin, mut views) in logs {
        let before = memory.logs.get(&origin).map(|known| before(known, &keys, state)).transpose()?;
        let seen = before.as_ref().map(|view| view.head.size);
        views.extend(before);
        let newest = one_history(&views)?;
        let key = keys.get(&origin).map(ToString::to_string).unwrap_or_default();
        lines.push(LogLine {
            origin: origin.clone(),
            records: newest.head.size,
            heads: views.len(),
            before: seen,
        });
        memory.logs.insert(origin, Remembered { key, checkpoint: newest.note.clone() });
    }
    remember(state, &memory)?;
    let doc = MonitorDoc { logs: lines };
    out.either(&doc, || text(&doc));
    Ok(())
}

fn own_keys(places: &[PathBuf]) -> Done<Vec<Key>> {
    let mut keys = Vec::new();
    for place in places.iter().filter(|place| place.is_dir()) {
        keys.extend(Folder::at(place).own_key()?);
    }
    Ok(keys)
}

/// The signed head at a place: a folder, or a file with a checkpoint.
fn view(place: &Path, keys: &BTreeMap<String, Key>) -> Done<View> {
    let folder = place.is_dir().then(|| Folder::at(place));
    let bytes = match &folder {
        Some(folder) => folder.head_bytes()?,
        None => std::fs::read(place).map_err(|e| {
            failed(&Wrong::Unreadable { path: "the checkpoint".to_owned(), why: e.to_string() }, place)
        })?,
    };
    let note = String::from_utf8_lossy(&bytes).into_owned();
    let origin = note.lines().next().unwrap_or_default();
    let key = keys.get(origin).ok_or_else(|| {
        failed(&Wrong::Missing(format!("the key of {origin}")), place).next("name it with --key")
    })?;
    let head = Checkpoint::open(&bytes, key, &note_verify).map_err(|wrong| failed(&wrong, place))?;
    Ok(View { head, note, place: place.to_owned(), folder })
}

fn before(known: &Remembered, keys: &BTreeMap<String, Key>, state: &Path) -> Done<View> {
    let key = known.checkpoint.lines().next().and_then(|origin| keys.get(origin));
    let key = key.ok_or_else(|| failed(&Wrong::Checkpoint("it is of no known log"), state))?;
    let head = Checkpoint::open(known.checkpoint.as_bytes(), key, &note_verify);
    let head = head.map_err(|wrong| failed(&wrong, state))?;
    Ok(View { head, note: known.checkpoint.clone(), place: state.to_owned(), folder: None })
}

/// The newest of some heads of one log, if all others are beginnings of it.
fn one_history(views: &[View]) -> Done<&View> {
    let newest = views.iter().max_by_key(|view| view.head.size);
    let newest = newest.context("compare at least one head")?;
    for view in views.iter().filter(|view| view.head.size == newest.head.size) {
        if view.head.root != newest.head.root {
            return Err(split(view, newest));
        }
    }
    let same = |view: &&View| view.head.size == newest.head.size && view.folder.is_some();
    let Some(base) = views.iter().find(same) else {
        let largest = views.iter().filter(|view| view.folder.is_some()).map(|view| view.head.size).max();
        let wrong = Wrong::Smaller { found: largest.unwrap_or(0), known: newest.head.size };
        return Err(failed(&wrong, &newest.place)
            .why("no folder that was named has the records of this head")
            .next("name a folder with the newest log; if there is none, records were taken back"));
    };
    let Some(folder) = &base.folder else { return Ok(base) };
    for view in views.iter().filter(|view| view.head.size < base.head.size) {
        let holds = continued(folder, &view.head, &base.head).map_err(|wrong| folder.wrong(&wrong))?;
        if !holds {
            // A folder with damaged hashes proves nothing about who signed what.
            check::<_, _, Wrong>(&mut folder.reader(base.head.size), &base.head, |_, _| Ok(()))
                .map_err(|wrong| folder.wrong(&wrong))?;
            return Err(split(view, base));
        }
    }
    Ok(base)
}

/// Two signed heads that cannot both be true.
fn split(one: &View, other: &View) -> Failure {
    let shown = |view: &View| {
        format!(
            "{} records with root {} in {}",
            view.head.size,
            hex::encode(view.head.root),
            view.place.display()
        )
    };
    let said = format!("{} signed two histories: this is a split view", one.head.origin);
    Failure::new(Exit::NotProven, "audit_split_view", said)
        .why(format!("{}; {}", shown(one), shown(other)))
        .next("keep both checkpoints: together they prove it to anybody who has the key")
}

fn remembered(state: &Path) -> Done<Memory> {
    match std::fs::read(state) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
            let said = format!("{} is not what an earlier run wrote", state.display());
            Failure::new(Exit::Usage, "audit_state", said).why(e).next("name another file, or restore it")
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Memory::default()),
        Err(e) => Err(failed(&Wrong::Unreadable { path: "the state".to_owned(), why: e.to_string() }, state)),
    }
}

/// Under another name first, so that the file is the old one or the new one.
fn remember(state: &Path, memory: &Memory) -> Done {
    let mut new = state.as_os_str().to_owned();
    new.push(".new");
    let text = serde_json::to_vec_pretty(memory).context("write what was seen")?;
    std::fs::write(&new, text)
        .and_then(|()| std::fs::rename(&new, state))
        .with_context(|| format!("write {}", state.display()))?;
    Ok(())
}

fn text(doc: &MonitorDoc) -> String {
    let mut table = Table::new(&[
        ("log", Side::Left),
        ("records", Side::Right),
        ("before", Side::Right),
        ("heads compared", Side::Right),
    ]);
    for line in &doc.logs {
        let before = line.before.map_or_else(|| "first seen".to_owned(), |size| size.to_string());
        table.row([line.origin.clone(), line.records.to_string(), before, line.heads.to_string()]);
    }
    format!("{}\none history", table.text())
}
