//! Keeps the contracts' calls, events and errors in `crates/chain` equal to the artifacts in `contracts/artifacts`.
//!
//! The ABI becomes Solidity declarations inside alloy's `sol!`, which needs no parser of JSON at build time and reads as
//! what it is; the creation code becomes a file of hex beside them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

const CONTRACTS: &[&str] = &["Market", "Notary", "TestDollar"];
const ARTIFACTS: &str = "contracts/artifacts";
const BINDINGS: &str = "crates/chain/src/market/bindings.rs";
const CODE: &str = "crates/chain/src/market/code";

const HEADER: &str = "\
//! The contracts as their artifacts have them. Written by `cargo xtask bindings`; a change here is lost.

";

/// As far as we read an artifact.
#[derive(Deserialize)]
struct Artifact {
    abi: Vec<Entry>,
    bytecode: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    inputs: Vec<Param>,
    #[serde(default)]
    outputs: Vec<Param>,
    #[serde(rename = "stateMutability")]
    mutability: Option<String>,
}

#[derive(Deserialize)]
struct Param {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "internalType", default)]
    internal: String,
    #[serde(default)]
    indexed: bool,
    #[serde(default)]
    components: Vec<Param>,
}

pub(crate) fn write(root: &Path) -> Result<()> {
    std::fs::create_dir_all(root.join(CODE)).with_context(|| format!("make {CODE}"))?;
    for (path, text) in files(root)? {
        std::fs::write(root.join(&path), text).with_context(|| format!("write {path}"))?;
        println!("bindings: wrote {path}");
    }
    Ok(())
}

pub(crate) fn check(root: &Path) -> Result<()> {
    for (path, text) in files(root)? {
        let committed = match std::fs::read_to_string(root.join(&path)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("read {path}")),
        };
        if committed != text {
            bail!("{path} is not what the artifacts say; run `cargo xtask bindings` and commit the file");
        }
        println!("bindings: {path} comes from the artifacts");
    }
    Ok(())
}

/// The path and the text of each file.
fn files(root: &Path) -> Result<Vec<(String, String)>> {
    let mut declarations = Vec::new();
    let mut files = Vec::new();
    let mut structs = BTreeMap::new();
    for name in CONTRACTS {
        let path = format!("{ARTIFACTS}/{name}.json");
        let text = std::fs::read_to_string(root.join(&path)).with_context(|| format!("read {path}"))?;
        let artifact: Artifact = serde_json::from_str(&text).with_context(|| format!("parse {path}"))?;
        declarations.push(contract(name, &artifact.abi, &mut structs)?);
        files.push((format!("{CODE}/{name}.hex"), artifact.bytecode + "\n"));
    }
    let mut text = String::from(HEADER) + "alloy::sol! {\n";
    for declaration in structs.into_values().chain(declarations) {
        text += &declaration;
    }
    text += "}\n";
    files.push((BINDINGS.to_owned(), text));
    Ok(files)
}

/// The declaration of a contract; the structs that it names are added to `structs`.
fn contract(name: &str, abi: &[Entry], structs: &mut BTreeMap<String, String>) -> Result<String> {
    let mut text = format!("    contract {name} {{\n");
    for entry in abi {
        for param in entry.inputs.iter().chain(&entry.outputs) {
            add_struct(param, structs)?;
        }
        let inputs = params(&entry.inputs)?;
        match entry.kind.as_str() {
            "constructor" => writeln!(text, "        constructor({inputs});")?,
            "event" | "error" => writeln!(text, "        {} {}({inputs});", entry.kind, entry.name)?,
            "function" => {
                let mutability = match entry.mutability.as_deref() {
                    None | Some("nonpayable") => String::new(),
                    Some(other) => format!(" {other}"),
                };
                let outputs = match params(&entry.outputs)?.as_str() {
                    "" => String::new(),
                    outputs => format!(" returns ({outputs})"),
                };
                writeln!(text, "        function {}({inputs}) external{mutability}{outputs};", entry.name)?;
            }
            other => bail!("{name}: an ABI entry of the unknown kind {other}"),
        }
    }
    Ok(text + "    }\n")
}

fn add_struct(param: &Param, structs: &mut BTreeMap<String, String>) -> Result<()> {
    if !param.kind.starts_with("tuple") {
        return Ok(());
    }
    let name = struct_of(param)?;
    let mut text = format!("    #[derive(Debug, PartialEq, Eq)]\n    struct {name} {{\n");
    for member in &param.components {
        add_struct(member, structs)?;
        writeln!(text, "        {} {};", type_of(member)?, member.name)?;
    }
    text += "    }\n";
    if let Some(other) = structs.insert(name.to_owned(), text.clone())
        && other != text
    {
        bail!("two contracts disagree on struct {name}");
    }
    Ok(())
}

fn params(params: &[Param]) -> Result<String> {
    let shown = params.iter().map(|param| {
        let indexed = if param.indexed { " indexed" } else { "" };
        let name = if param.name.is_empty() { String::new() } else { format!(" {}", param.name) };
        Ok(format!("{}{indexed}{name}", type_of(param)?))
    });
    Ok(shown.collect::<Result<Vec<_>>>()?.join(", "))
}

/// The type as it is declared: for a struct or an array of structs, by the struct's name.
fn type_of(param: &Param) -> Result<String> {
    Ok(match param.kind.strip_prefix("tuple") {
        Some(dimensions) => format!("{}{dimensions}", struct_of(param)?),
        None => param.kind.clone(),
    })
}

/// The name of the struct in a parameter's type, without what it is nested in.
fn struct_of(param: &Param) -> Result<&str> {
    let name = param.internal.strip_prefix("struct ").context("a tuple without a struct's name")?;
    let name = name.split_once('[').map_or(name, |(name, _)| name);
    Ok(name.rsplit('.').next().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(abi: &str) -> Result<(String, Vec<String>)> {
        let mut structs = BTreeMap::new();
        let text = contract("C", &serde_json::from_str::<Vec<Entry>>(abi).unwrap(), &mut structs)?;
        Ok((text, structs.into_values().collect()))
    }

    #[test]
    fn abi_becomes_declarations() {
        let (text, structs) = declared(
            r#"[
                {"type": "constructor", "inputs": [{"name": "owner", "type": "address"}], "stateMutability": "nonpayable"},
                {"type": "function", "name": "pay", "stateMutability": "view",
                 "inputs": [{"name": "order", "type": "tuple", "internalType": "struct Lib.Order", "components": [
                    {"name": "rate", "type": "uint64"}, {"name": "state", "type": "uint8", "internalType": "enum State"}]}],
                 "outputs": [{"name": "", "type": "bytes32"}]},
                {"type": "function", "name": "payAll", "stateMutability": "nonpayable",
                 "inputs": [{"name": "orders", "type": "tuple[]", "internalType": "struct Lib.Order[]", "components": [
                    {"name": "rate", "type": "uint64"}, {"name": "state", "type": "uint8", "internalType": "enum State"}]}]},
                {"type": "event", "name": "Paid", "inputs": [
                    {"name": "id", "type": "bytes32", "indexed": true}, {"name": "sum", "type": "uint64", "indexed": false}]},
                {"type": "error", "name": "Late", "inputs": []}
            ]"#,
        )
        .unwrap();
        assert_eq!(
            text,
            "    contract C {\n        constructor(address owner);\n        function pay(Order order) external view \
             returns (bytes32);\n        function payAll(Order[] orders) external;\n        event Paid(bytes32 indexed id, uint64 sum);\n        error Late();\n    }\n"
        );
        assert_eq!(
            structs,
            [
                "    #[derive(Debug, PartialEq, Eq)]\n    struct Order {\n        uint64 rate;\n        uint8 state;\n    }\n"
            ]
        );
    }

    #[test]
    fn what_cannot_be_declared_is_refused() {
        for abi in [
            r#"[{"type": "fallback"}]"#,
            r#"[{"type": "error", "name": "E", "inputs": [{"name": "a", "type": "tuple"}]}]"#,
        ] {
            assert!(declared(abi).is_err(), "{abi}");
        }
    }
}
