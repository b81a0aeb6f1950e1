//! Runs the suites that keep golden files with `WAAG_GOLDEN=update`, which makes them rewrite the files instead of
//! comparing. A reviewer reads the diff.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

const VARIABLE: &str = "WAAG_GOLDEN";

pub(crate) fn run(root: &Path) -> Result<()> {
    // A suite that keeps golden files is one that reads the variable.
    let output = Command::new("git")
        .current_dir(root)
        .args([
            "grep",
            "--files-with-matches",
            "--untracked",
            "--fixed-strings",
            VARIABLE,
            "--",
            "crates/*.rs",
        ])
        .output()
        .context("start git")?;
    let files = String::from_utf8_lossy(&output.stdout);
    let rooms = rooms(&files);
    if rooms.is_empty() {
        bail!("no test below crates/ reads {VARIABLE} {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let mut command = crate::cargo(root);
    command.args(["test", "--locked"]).env(VARIABLE, "update");
    for room in &rooms {
        command.arg("-p").arg(format!("waag-{room}"));
    }
    println!("golden: renewing {}", rooms.iter().copied().collect::<Vec<_>>().join(", "));
    if !command.status().context("start cargo test")?.success() {
        bail!("a suite failed for another reason than its golden files; see above");
    }
    println!("golden: done; read the change with: git diff -- '*golden*'");
    Ok(())
}

/// The rooms that a list of files below `crates/` lies in.
fn rooms(files: &str) -> BTreeSet<&str> {
    files.lines().filter_map(|path| path.strip_prefix("crates/")?.split('/').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::rooms;

    #[test]
    fn rooms_are_named_once() {
        let found = rooms("crates/wire/tests/a.rs\ncrates/policy/src/b.rs\ncrates/wire/tests/c.rs\n");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["policy", "wire"]);
    }
}
