//! What runs and what it finds around it: scripts, variables, folders.

use std::collections::BTreeMap;

use domain::FileMount;

use super::error::{Position, Problem, Problems, clean};
use super::read::Value;
use super::values::{Field, Fields};
use super::waag::Waag;

const RUN_HELP: &str = "write the command that is the job, for example `run: python train.py`";
const SETUP_HELP: &str = "write a shell command that prepares the machine";
const SOURCE_HELP: &str = "name a local file or folder, for example ./data";
const SECRET_HELP: &str = "write one value, or leave it empty to take it from the environment of `waag run`";
const ENV_HELP: &str = "write one value, or \"\" for an empty text; what `waag run` shall take from its environment goes under `secrets:`";
const VARIABLE_BYTES_MAX: usize = 200;
const SOURCE_BYTES_MAX: usize = 4096;
const INSIDE_BYTES_MAX: usize = 255;
/// Names that begin so belong to Waag.
const RESERVED: &str = "WAAG_";
/// Folders at the root of a machine that a job cannot put anything into.
const TAKEN: &[&str] =
    &["bin", "boot", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "usr", "workdir"];

/// The keys at the top of the file that are neither hardware nor terms.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) envs: BTreeMap<String, String>,
    pub(super) secrets: BTreeMap<String, Option<String>>,
    pub(super) workdir: Option<String>,
    pub(super) file_mounts: Vec<FileMount>,
    pub(super) setup: Option<String>,
    /// `None` only when a problem was noted.
    pub(super) run: Option<String>,
}

impl Work {
    pub(super) fn read(top: &Fields<'_>, problems: &mut Problems) -> Self {
        let mut work = Self {
            secrets: variables(top, "secrets", problems, secret),
            envs: variables(top, "envs", problems, |field| field.text(ENV_HELP).map(str::to_owned)),
            workdir: top.read("workdir", problems, source),
            setup: top.read("setup", problems, |field| script(field, SETUP_HELP)),
            run: top.need("run", RUN_HELP, problems, |field| script(field, RUN_HELP)),
            ..Self::default()
        };
        work.no_twins(top, problems);
        let mounts = top.block("file_mounts", problems);
        let entries = mounts.iter().flat_map(Fields::entries);
        work.file_mounts =
            entries.filter_map(|(inside, at, field)| problems.keep(mount(inside, at, &field))).collect();
        work.file_mounts.sort_by(|a, b| a.inside.cmp(&b.inside));
        work
    }

    fn no_twins(&self, top: &Fields<'_>, problems: &mut Problems) {
        let mut quiet = Problems::default();
        let Some(envs) = top.block("envs", &mut quiet) else { return };
        for (name, at, field) in envs.entries().filter(|(name, ..)| self.secrets.contains_key(*name)) {
            let what = format!("`{}` stands under `envs` and under `secrets`", clean(name, 60));
            problems.add(Problem::new(at, &field.path, what, "keep one of them"));
        }
    }

    /// What a job writes must not lie in what was mounted for it, nor the other way round.
    pub(super) fn apart_from(&self, waag: &Waag, problems: &mut Problems) {
        for (path, field) in waag.checkpoint.iter().chain(&waag.outputs) {
            if let Some(mount) = self.file_mounts.iter().find(|mount| overlap(&mount.inside, path)) {
                let what = format!(
                    "`{}` is mounted by `file_mounts` and cannot be written",
                    clean(&mount.inside, 60)
                );
                problems.add(field.problem(what, "choose a path outside every mount"));
            }
        }
    }
}

/// Whether two inside paths are the same or one holds the other.
pub(super) fn overlap(a: &str, b: &str) -> bool {
    let holds = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    holds(a, b) || holds(b, a)
}

fn variables<T>(
    top: &Fields<'_>,
    key: &str,
    problems: &mut Problems,
    read: impl Fn(&Field<'_>) -> Result<T, Problem>,
) -> BTreeMap<String, T> {
    let Some(fields) = top.block(key, problems) else { return BTreeMap::new() };
    let mut out = BTreeMap::new();
    for (name, at, field) in fields.entries() {
        if let Err((what, help)) = variable_name(name) {
            problems.add(Problem::new(at, &field.path, what, help));
        }
        if let Some(value) = problems.keep(read(&field)) {
            out.insert(name.to_owned(), value);
        }
    }
    out
}

/// The text, or none when the value is to come from the caller's environment.
fn secret(field: &Field<'_>) -> Result<Option<String>, Problem> {
    if field.node.is_null() {
        return Ok(None);
    }
    field.text(SECRET_HELP).map(|text| Some(text.to_owned()))
}

fn variable_name(name: &str) -> Result<(), (String, &'static str)> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let digit_first = name.starts_with(|c: char| c.is_ascii_digit());
    let shown = clean(name, 60);
    if name.is_empty() || name.len() > VARIABLE_BYTES_MAX || !name.bytes().all(fits) || digit_first {
        let help = "use at most 200 letters, digits and `_`, and no digit first";
        return Err((format!("`{shown}` cannot be the name of a variable"), help));
    }
    if name.starts_with(RESERVED) {
        return Err((
            format!("`{shown}` is reserved: Waag sets names that begin with {RESERVED}"),
            "choose another name",
        ));
    }
    Ok(())
}

fn script(field: &Field<'_>, help: &str) -> Result<String, Problem> {
    let text = match &field.node.value {
        Value::List(_) => {
            return Err(field.problem(
                "a script is one text, and this is a list",
                "write `|` after the colon and one command per line below it",
            ));
        }
        _ => field.text(help)?,
    };
    if text.trim().is_empty() {
        return Err(field.problem("there is nothing to run", help));
    }
    Ok(text.to_owned())
}

/// A path on the user's machine.
fn source(field: &Field<'_>) -> Result<String, Problem> {
    if let Value::Map(_) = field.node.value {
        let what = "git repositories and storage buckets are not supported yet";
        return Err(field.problem(what, SOURCE_HELP));
    }
    let text = field.text(SOURCE_HELP)?;
    if text.contains("://") {
        return Err(field.problem("remote sources are not supported yet", SOURCE_HELP));
    }
    if text.trim().is_empty() || text.len() > SOURCE_BYTES_MAX {
        return Err(field.problem("this is not a path", SOURCE_HELP));
    }
    Ok(text.to_owned())
}

fn mount(inside: &str, at: Position, field: &Field<'_>) -> Result<FileMount, Problem> {
    inside_path(inside).map_err(|(what, help)| Problem::new(at, &field.path, what, help))?;
    Ok(FileMount { inside: inside.to_owned(), source: source(field)? })
}

/// Checks an absolute path that hides nothing the workload needs.
pub(super) fn inside_path(text: &str) -> Result<(), (String, &'static str)> {
    let help = "write an absolute path to a folder of your own, for example /data";
    let bad = |what: &str| Err((format!("`{}` {what}", clean(text, 60)), help));
    let Some(rest) = text.strip_prefix('/') else { return bad("is not an absolute path inside the job") };
    if text.len() > INSIDE_BYTES_MAX || text.chars().any(char::is_control) {
        return bad("is too long or has control characters");
    }
    if text.len() > 1 && text.ends_with('/') {
        return Err((format!("`{}` ends with `/`", clean(text, 60)), "write it without the `/` at its end"));
    }
    if rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return bad("has an empty part, `.` or `..`");
    }
    match rest.split('/').next() {
        Some(first) if TAKEN.contains(&first) => bad("belongs to the system or to Waag"),
        _ => Ok(()),
    }
}
