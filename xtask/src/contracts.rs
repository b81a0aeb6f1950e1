//! Keeps `contracts/artifacts` equal to what the sources compile to, and runs the tests of the contracts.
//!
//! Compiler, test runner and library come from npm by the lock file in `contracts`, into `target/tools/contracts`. Nothing
//! is installed again while that file and `package.json` stay as they were.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The contracts that are deployed; each is `contracts/src/<name>.sol`.
const CONTRACTS: &[&str] = &["Market", "Notary", "TestDollar"];
const ARTIFACTS: &str = "contracts/artifacts";
const TOOLS: &str = "target/tools/contracts";
const LIBRARY: &str = "contracts/lib/openzeppelin-contracts/contracts";
/// Where forge leaves a build of the sources alone: what else is compiled with them must not show in the bytes.
const BUILD: &str = "target/contracts/artifacts";
const LISTS: &[&str] = &["package.json", "package-lock.json", ".npmrc"];

/// What forge writes per contract, as far as we read it.
#[derive(Deserialize)]
struct Built {
    abi: Value,
    bytecode: Code,
    #[serde(rename = "deployedBytecode")]
    deployed_bytecode: Code,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Code {
    object: String,
}

#[derive(Deserialize)]
struct Metadata {
    compiler: Version,
    settings: Value,
    sources: BTreeMap<String, Hashed>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[derive(Deserialize)]
struct Hashed {
    keccak256: String,
}

/// What others read. Members are in alphabetical order, as those of a JSON value are.
#[derive(Serialize)]
struct Artifact<'a> {
    abi: Value,
    bytecode: String,
    compiler: Compiler,
    contract: &'a str,
    #[serde(rename = "deployedBytecode")]
    deployed_bytecode: String,
    source: String,
    /// Keccak-256 of every file that went in.
    sources: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Compiler {
    name: &'static str,
    settings: Value,
    version: String,
}

pub(crate) fn write(root: &Path) -> Result<()> {
    for (path, text) in build(root)? {
        std::fs::write(root.join(&path), text).with_context(|| format!("write {path}"))?;
        println!("contracts: wrote {path}");
    }
    Ok(())
}

pub(crate) fn check(root: &Path) -> Result<()> {
    for (path, text) in build(root)? {
        let committed = match std::fs::read_to_string(root.join(&path)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("read {path}")),
        };
        if committed != text {
            bail!(
                "{path} is not what the sources compile to; run `cargo xtask contracts` and commit the file"
            );
        }
        println!("contracts: {path} comes from the sources");
    }
    Ok(())
}

/// The tests of the contracts and the format of their sources.
pub(crate) fn test(root: &Path) -> Result<()> {
    install(root)?;
    forge(root, "default", &["fmt", "--check"])?;
    forge(root, "default", &["test"])
}

/// The path and the text of each artifact.
fn build(root: &Path) -> Result<Vec<(String, String)>> {
    install(root)?;
    let out = format!("../{BUILD}/out");
    let cache = format!("../{BUILD}/cache");
    forge(root, "release", &["build", "--force", "--skip", "test", "--out", &out, "--cache-path", &cache])?;
    CONTRACTS.iter().map(|name| Ok((format!("{ARTIFACTS}/{name}.json"), artifact(root, name)?))).collect()
}

fn artifact(root: &Path, name: &str) -> Result<String> {
    let path = format!("{BUILD}/out/{name}.sol/{name}.json");
    let text = std::fs::read_to_string(root.join(&path)).with_context(|| format!("read {path}"))?;
    let built: Built = serde_json::from_str(&text).with_context(|| format!("parse {path}"))?;
    render(name, built)
}

fn render(name: &str, built: Built) -> Result<String> {
    let Metadata { compiler, settings, sources } = built.metadata;
    let artifact = Artifact {
        abi: built.abi,
        bytecode: built.bytecode.object,
        compiler: Compiler { name: "solc", settings, version: compiler.version },
        contract: name,
        deployed_bytecode: built.deployed_bytecode.object,
        source: format!("src/{name}.sol"),
        sources: sources.into_iter().map(|(path, source)| (path, source.keccak256)).collect(),
    };
    Ok(serde_json::to_string_pretty(&artifact).context("print an artifact")? + "\n")
}

/// Brings the tools by npm unless they are there, and the library to where the compiler looks for it.
fn install(root: &Path) -> Result<()> {
    let tools = root.join(TOOLS);
    std::fs::create_dir_all(&tools).with_context(|| format!("make {TOOLS}"))?;
    let wanted = LISTS
        .iter()
        .map(|name| {
            let path = root.join("contracts").join(name);
            std::fs::read(&path).with_context(|| format!("read contracts/{name}"))
        })
        .collect::<Result<Vec<_>>>()?;
    let stamp = tools.join("installed");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted.concat())
        && root.join(LIBRARY).is_dir()
    {
        return Ok(());
    }
    for (name, contents) in LISTS.iter().zip(&wanted) {
        std::fs::write(tools.join(name), contents).with_context(|| format!("write {TOOLS}/{name}"))?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&tools).args(["ci", "--no-progress"]);
    succeed(npm, "npm ci", "install it; on Debian: apt-get install --yes nodejs npm")?;
    let library = root.join(LIBRARY);
    if library.exists() {
        std::fs::remove_dir_all(&library).with_context(|| format!("remove {LIBRARY}"))?;
    }
    copy_folder(&tools.join("node_modules/@openzeppelin/contracts"), &library)?;
    std::fs::write(&stamp, wanted.concat()).with_context(|| format!("write {}", stamp.display()))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry.with_context(|| format!("list {}", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            std::fs::copy(&source, &target).with_context(|| format!("copy {}", source.display()))?;
        }
    }
    Ok(())
}

/// Runs forge with a profile of `contracts/foundry.toml`.
fn forge(root: &Path, profile: &str, args: &[&str]) -> Result<()> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let machine = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
    let program = format!("{TOOLS}/node_modules/@foundry-rs/forge-{system}-{machine}/bin/forge");
    let mut command = Command::new(root.join(program));
    command.current_dir(root.join("contracts")).env("FOUNDRY_PROFILE", profile).args(args);
    succeed(command, &format!("forge {}", args.join(" ")), "run `cargo xtask contracts` again")
}

fn succeed(mut command: Command, shown: &str, hint: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("start {shown}: {hint}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifact_holds_what_was_built_and_from_what() {
        let built = serde_json::from_str(
            r#"{
                "abi": [{"type": "function", "name": "f"}],
                "bytecode": {"object": "0x60", "linkReferences": {}},
                "deployedBytecode": {"object": "0x61"},
                "metadata": {
                    "compiler": {"version": "0.8.37+commit.1"},
                    "settings": {"evmVersion": "cancun"},
                    "sources": {"src/B.sol": {"keccak256": "0x2"}, "src/A.sol": {"keccak256": "0x1", "urls": []}}
                }
            }"#,
        )
        .unwrap();
        let text = render("A", built).unwrap();
        let artifact: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(artifact["contract"], "A");
        assert_eq!(artifact["source"], "src/A.sol");
        assert_eq!(artifact["bytecode"], "0x60");
        assert_eq!(artifact["deployedBytecode"], "0x61");
        assert_eq!(artifact["compiler"]["version"], "0.8.37+commit.1");
        assert_eq!(artifact["compiler"]["settings"]["evmVersion"], "cancun");
        assert_eq!(artifact["sources"]["src/A.sol"], "0x1");
        assert!(text.find("src/A.sol") < text.find("src/B.sol") && text.ends_with("}\n"), "{text}");
    }

    #[test]
    fn folder_is_copied_whole() {
        let folder = std::env::temp_dir().join(format!("xtask-contracts-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("from/deep")).unwrap();
        std::fs::write(folder.join("from/deep/file"), "a").unwrap();
        copy_folder(&folder.join("from"), &folder.join("to")).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("to/deep/file")).unwrap(), "a");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
