//! Programs that the checks need beside Rust. A missing one is installed where that is possible, otherwise the error is
//! the line that installs it; nothing is ever skipped.

use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A program and the system package that brings it.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    name: &'static str,
    package: &'static str,
}

const NEEDED: &[Program] = &[
    Program { name: "git", package: "git" },
    Program { name: "script", package: "bsdutils" },
    Program { name: "node", package: "nodejs" },
    Program { name: "npm", package: "npm" },
    Program { name: "python3", package: "python3-venv" },
];

/// Programs that npm brings, in the versions of `xtask/npm/package.json`. Tests find them under [`NPM_FOLDER`].
const NPM_PROGRAMS: &[(&str, &str)] = &[("@foundry-rs/anvil", "1.7.1"), ("@foundry-rs/cast", "1.7.1")];
const NPM_FOLDER: &str = "target/tools";

/// Makes sure that every needed program is there.
pub(crate) fn ensure(root: &Path) -> Result<()> {
    ensure_system()?;
    ensure_npm(root)
}

fn ensure_npm(root: &Path) -> Result<()> {
    let folder = root.join(NPM_FOLDER);
    if NPM_PROGRAMS.iter().all(|(name, version)| installed_version(&folder, name).as_deref() == Some(version))
    {
        return Ok(());
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("make {NPM_FOLDER}"))?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(root.join("xtask/npm").join(file), folder.join(file))
            .with_context(|| format!("copy xtask/npm/{file}"))?;
    }
    // The packages hold the programs as they are; their install scripts would only move them.
    let line = "npm ci --ignore-scripts --no-audit --no-fund";
    println!("tools: {line} (in {NPM_FOLDER})");
    let installed =
        Command::new("sh").args(["-c", line]).current_dir(&folder).status().context("start sh")?;
    if !installed.success() {
        bail!("installing failed with {installed}; the line was: {line} (in {NPM_FOLDER})");
    }
    Ok(())
}

/// The version of an npm package that lies in the folder.
fn installed_version(folder: &Path, package: &str) -> Option<String> {
    let manifest = folder.join("node_modules").join(package).join("package.json");
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(manifest).ok()?).ok()?;
    manifest.get("version")?.as_str().map(str::to_owned)
}

fn ensure_system() -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing = missing(NEEDED, &path);
    if missing.is_empty() {
        return Ok(());
    }
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0);
    if !is_root || !is_on_path("apt-get", &path) {
        bail!("programs are missing; install them with: {}", install_line(&missing));
    }
    println!("tools: {}", install_line(&missing));
    let installed = Command::new("sh").args(["-c", &install_line(&missing)]).status().context("start sh")?;
    if !installed.success() {
        bail!("installing failed with {installed}; the line was: {}", install_line(&missing));
    }
    Ok(())
}

fn missing(needed: &[Program], path: &OsStr) -> Vec<Program> {
    needed.iter().filter(|program| !is_on_path(program.name, path)).copied().collect()
}

fn is_on_path(name: &str, path: &OsStr) -> bool {
    std::env::split_paths(path).any(|folder| is_executable(&folder.join(name)))
}

fn is_executable(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn install_line(missing: &[Program]) -> String {
    let packages: Vec<&str> = missing.iter().map(|program| program.package).collect();
    format!("apt-get update && apt-get install --yes --no-install-recommends {}", packages.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_missing_gives_its_install_line() {
        let needed =
            [Program { name: "sh", package: "dash" }, Program { name: "no-such-program", package: "nsp" }];
        let missing = missing(&needed, OsStr::new("/bin:/usr/bin"));
        assert_eq!(
            install_line(&missing),
            "apt-get update && apt-get install --yes --no-install-recommends nsp"
        );
    }

    #[test]
    fn npm_programs_have_the_versions_of_the_manifest() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../npm/package.json")).unwrap();
        let wanted = manifest["dependencies"].as_object().unwrap();
        let named: Vec<(&str, &str)> =
            wanted.iter().map(|(name, version)| (name.as_str(), version.as_str().unwrap())).collect();
        assert_eq!(named, NPM_PROGRAMS);
        assert!(!include_str!("../npm/package-lock.json").contains("://"), "the lock file names no host");
    }

    #[test]
    fn program_needs_the_executable_bit() {
        let folder = std::env::temp_dir().join(format!("xtask-tools-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("tool");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(!is_on_path("tool", folder.as_os_str()));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_on_path("tool", folder.as_os_str()));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
