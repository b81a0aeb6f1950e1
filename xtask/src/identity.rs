//! Builds the example training in several ways, runs each build, and compares all bytes of its states and outputs. Replay proves
//! something only where every machine that may replay computes the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// One way to build it: nothing but code generation differs.
struct Build {
    name: &'static str,
    opt_level: &'static str,
    /// For rustc's `-C target-cpu`; `None` for the baseline of the host.
    target_cpu: Option<&'static str>,
}

const BUILDS: &[Build] = &[
    Build { name: "opt-level 0", opt_level: "0", target_cpu: None },
    Build { name: "opt-level 3", opt_level: "3", target_cpu: None },
    #[cfg(target_arch = "x86_64")]
    Build { name: "opt-level 3 for x86-64-v3", opt_level: "3", target_cpu: Some("x86-64-v3") },
];
const PACKAGE: &str = "waag-digits";
const EXAMPLE: &str = "train";
const SEGMENTS: u32 = 4;
const EPOCHS: &str = "1";
const HIDDEN: &str = "64";

pub(crate) fn run(root: &Path) -> Result<()> {
    let mut runs: Vec<(&str, Files)> = Vec::new();
    for build in BUILDS {
        if build.target_cpu.is_some() && !can_run_v3() {
            println!("identity: {} is left out, since this machine cannot run it", build.name);
            continue;
        }
        let folder = root.join("target/identity/runs").join(build.name.replace(' ', "-"));
        let files = train(&compile(root, build)?, &folder)
            .with_context(|| format!("run the build with {}", build.name))?;
        if let Some((first, expected)) = runs.first()
            && let Some(difference) = difference(expected, &files)
        {
            bail!("{first} and {} do not give the same bytes: {difference}", build.name);
        }
        runs.push((build.name, files));
    }
    let (_, files) = runs.first().context("nothing was built")?;
    // Each state, the one before the first segment included, and the two outputs.
    if files.len() != SEGMENTS as usize + 3 {
        bail!("{} files instead of {}: {:?}", files.len(), SEGMENTS + 3, files.keys());
    }
    let bytes: usize = files.values().map(Vec::len).sum();
    println!("identity: {} builds give the same {bytes} bytes in {} files", runs.len(), files.len());
    Ok(())
}

/// What a run leaves, in the order in which it is computed.
const PARTS: [&str; 2] = ["states", "outputs"];

/// Files by their part, as a position in [`PARTS`], and name.
type Files = BTreeMap<(usize, String), Vec<u8>>;

/// Builds the example into a folder of its own. Only what the target runs is built anew for another processor: with a named
/// target, cargo keeps macros and build scripts.
fn compile(root: &Path, build: &Build) -> Result<PathBuf> {
    let host = host()?;
    let mut command = crate::cargo(root);
    command
        .args(["build", "--locked", "--quiet", "-p", PACKAGE, "--example", EXAMPLE, "--target", &host])
        .args(["--target-dir", "target/identity/build"])
        .arg("--config")
        .arg(format!("profile.dev.package.{PACKAGE}.opt-level={}", build.opt_level))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", build.target_cpu.map(|cpu| format!("-C target-cpu={cpu}")).unwrap_or_default());
    if !command.status().context("start cargo build")?.success() {
        bail!("{EXAMPLE} of {PACKAGE} does not build with {}", build.name);
    }
    Ok(root.join("target/identity/build").join(host).join("debug/examples").join(EXAMPLE))
}

/// The target that rustc builds for where it is not told otherwise.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say for which host it is")?.to_owned())
}

/// Trains in a new folder, and reads what lies there then.
fn train(program: &Path, folder: &Path) -> Result<Files> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    let output = Command::new(program)
        .args([EPOCHS, HIDDEN])
        .env_remove("LEARNING_RATE")
        .env_remove("WAAG_SEGMENT_FROM")
        .env_remove("WAAG_SEGMENT_TO")
        .env("WAAG_SEGMENTS", SEGMENTS.to_string())
        .env("WAAG_CHECKPOINT_DIR", folder.join(PARTS[0]))
        .env("WAAG_OUTPUT_DIR", folder.join(PARTS[1]))
        .output()
        .with_context(|| format!("start {}", program.display()))?;
    if !output.status.success() {
        bail!("it ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    let mut files = Files::new();
    for (at, part) in PARTS.into_iter().enumerate() {
        for entry in std::fs::read_dir(folder.join(part)).with_context(|| format!("list its {part}"))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(
                (at, name),
                std::fs::read(&path).with_context(|| format!("read {}", path.display()))?,
            );
        }
    }
    Ok(files)
}

/// The first file in which two runs differ, and where.
fn difference(expected: &Files, found: &Files) -> Option<String> {
    let keys: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    keys.into_iter().find_map(|key| {
        let name = format!("{}/{}", PARTS[key.0], key.1);
        let (Some(expected), Some(found)) = (expected.get(key), found.get(key)) else {
            return Some(format!("{name} is not in both"));
        };
        let at = expected.iter().zip(found).position(|(a, b)| a != b);
        let at = at.or((expected.len() != found.len()).then(|| expected.len().min(found.len())));
        at.map(|at| format!("{name} differs from byte {at}"))
    })
}

#[cfg(target_arch = "x86_64")]
fn can_run_v3() -> bool {
    std::is_x86_feature_detected!("avx2")
        && std::is_x86_feature_detected!("fma")
        && std::is_x86_feature_detected!("bmi2")
        && std::is_x86_feature_detected!("lzcnt")
        && std::is_x86_feature_detected!("movbe")
}

#[cfg(not(target_arch = "x86_64"))]
fn can_run_v3() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[(usize, &str, &[u8])]) -> Files {
        all.iter().map(|(part, name, bytes)| ((*part, (*name).to_owned()), bytes.to_vec())).collect()
    }

    #[test]
    fn first_difference_is_named() {
        let expected = files(&[(0, "0", b"abcd"), (0, "1", b"efgh"), (1, "a", b"ij")]);
        assert_eq!(difference(&expected, &expected), None);
        for (found, named) in [
            (files(&[(0, "0", b"abcd"), (0, "1", b"efGH"), (1, "a", b"__")]), "states/1 differs from byte 2"),
            (files(&[(0, "0", b"abc"), (0, "1", b"____"), (1, "a", b"ij")]), "states/0 differs from byte 3"),
            (files(&[(0, "0", b"abcd"), (1, "a", b"ij")]), "states/1 is not in both"),
            (files(&[(0, "0", b"abcd"), (0, "1", b"efgh")]), "outputs/a is not in both"),
        ] {
            assert_eq!(difference(&expected, &found).as_deref(), Some(named));
        }
    }
}
