//! Keeps the tree small and plain: see `rules` and `modules` for what is checked. Files are those that git tracks or would track.

mod modules;
mod rules;
mod source;

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// A place that breaks a rule. `line` is 0 where the whole file does.
#[derive(Debug)]
struct Finding {
    rule: &'static str,
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {} ({})", self.path, self.message, self.rule),
            line => write!(out, "{}:{line}: {} ({})", self.path, self.message, self.rule),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    exception: Vec<Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    rule: String,
    /// A file, or a folder if it ends in `/`.
    path: String,
    reason: String,
}

impl Exception {
    fn covers(&self, finding: &Finding) -> bool {
        let at_path =
            finding.path == self.path || self.path.ends_with('/') && finding.path.starts_with(&self.path);
        self.rule == finding.rule && at_path
    }
}

pub(crate) fn run(root: &Path) -> Result<()> {
    let table = std::fs::read_to_string(root.join("xtask/tidy.toml")).context("read xtask/tidy.toml")?;
    let exceptions: Exceptions = toml::from_str(&table).context("parse xtask/tidy.toml")?;
    let files = files(root)?;
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for path in &files {
        let (size, text) = read(root, path)?;
        found.extend(rules::size(path, size));
        let Some(text) = text else { continue };
        found.extend(rules::text(path, &text));
        if path.ends_with(".rs") {
            let (broken, long) = rules::rust(path, &text);
            found.extend(broken);
            notes.extend(long);
        }
    }
    let contents = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    found.extend(rules::crate_readmes(&files, contents));
    found.extend(modules::orphans(&files, contents));
    let problems = without_exceptions(found, &exceptions.exception);
    for note in notes {
        println!("tidy: note: {note}");
    }
    for problem in &problems {
        println!("tidy: {problem}");
    }
    if !problems.is_empty() {
        bail!(
            "{} places to mend; a rare exception goes with its reason into xtask/tidy.toml",
            problems.len()
        );
    }
    println!("tidy: {} files are tidy", files.len());
    Ok(())
}

/// Tracked files and new ones that are not ignored, relative to the root. Links are left out, and so are files that are
/// deleted but still tracked.
fn files(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("start git")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let list = String::from_utf8(output.stdout).context("a file name is no UTF-8")?;
    let mut files: Vec<String> = list.split_terminator('\0').map(str::to_owned).collect();
    files.retain(|path| std::fs::symlink_metadata(root.join(path)).is_ok_and(|found| found.is_file()));
    files.sort();
    files.dedup();
    Ok(files)
}

/// Size in bytes, and the contents where they are text of a sane size.
fn read(root: &Path, path: &str) -> Result<(u64, Option<String>)> {
    let file = root.join(path);
    let size = std::fs::metadata(&file).with_context(|| format!("look at {path}"))?.len();
    if size > rules::FILE_BYTES_MAX {
        return Ok((size, None));
    }
    let bytes = std::fs::read(&file).with_context(|| format!("read {path}"))?;
    Ok((size, String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))))
}

fn without_exceptions(found: Vec<Finding>, exceptions: &[Exception]) -> Vec<String> {
    let mut problems = Vec::new();
    for exception in exceptions {
        if exception.reason.trim().is_empty() {
            problems.push(format!("xtask/tidy.toml: the exception for {} gives no reason", exception.path));
        }
        if !found.iter().any(|finding| exception.covers(finding)) {
            let Exception { path, rule, .. } = exception;
            problems.push(format!(
                "xtask/tidy.toml: nothing needs the exception from {rule} for {path}; remove it"
            ));
        }
    }
    let is_excepted = |finding: &Finding| exceptions.iter().any(|exception| exception.covers(finding));
    problems.extend(found.iter().filter(|finding| !is_excepted(finding)).map(Finding::to_string));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(path: &str) -> Finding {
        Finding { rule: "file-end", path: path.to_owned(), line: 3, message: "no newline".to_owned() }
    }

    fn exception(rule: &str, path: &str, reason: &str) -> Exception {
        Exception { rule: rule.to_owned(), path: path.to_owned(), reason: reason.to_owned() }
    }

    #[test]
    fn exception_covers_its_rule_at_its_file_or_folder_only() {
        let left = |exception| without_exceptions(vec![finding("a/b.txt")], &[exception]);
        assert_eq!(left(exception("file-end", "a/b.txt", "why")), Vec::<String>::new());
        assert_eq!(left(exception("file-end", "a/", "why")), Vec::<String>::new());
        for useless in ["a", "a/b", "c/"] {
            let problems = left(exception("file-end", useless, "why"));
            assert_eq!(problems.len(), 2, "{problems:?}");
            assert!(problems[0].contains("nothing needs the exception"), "{problems:?}");
            assert_eq!(problems[1], "a/b.txt:3: no newline (file-end)");
        }
        assert_eq!(left(exception("other", "a/", "why")).len(), 2);
    }

    #[test]
    fn exception_without_reason_is_refused() {
        let problems = without_exceptions(vec![finding("a")], &[exception("file-end", "a", " ")]);
        assert_eq!(problems, ["xtask/tidy.toml: the exception for a gives no reason"]);
    }
}
