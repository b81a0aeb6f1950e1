//! Keeps the gas table in `contracts/README.md` equal to what the example `gas` of `crates/chain` measures.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

const README: &str = "contracts/README.md";
const BEGIN: &str = "<!-- gas: written by `cargo xtask gas` -->\n";
const END: &str = "<!-- /gas -->\n";

/// Gas by the keys of the example.
type Figures = BTreeMap<String, u64>;

/// A line of the table.
struct Row {
    call: &'static str,
    /// What is added up.
    keys: &'static [&'static str],
    aim: Option<u64>,
}

const ROWS: &[Row] = &[
    Row { call: "`createLease` from the account", keys: &["create"], aim: None },
    Row { call: "`accept`", keys: &["accept"], aim: None },
    Row { call: "`commit` by the provider", keys: &["commit"], aim: None },
    Row { call: "`settle`", keys: &["settle"], aim: None },
    Row { call: "**a whole lease**", keys: &["lease_total"], aim: Some(220_000) },
    Row {
        call: "`createLease` that pulls all from the allowance, in place of the first row",
        keys: &["create_pulling"],
        aim: None,
    },
    Row { call: "a whole lease with it", keys: &["create_pulling", "accept", "commit", "settle"], aim: None },
    Row { call: "`createLeaseFor`", keys: &["create_for"], aim: None },
    Row { call: "`commitSigned`, in place of the third row", keys: &["commit_signed"], aim: None },
    Row { call: "a whole lease with it", keys: &["create", "accept", "commit_signed", "settle"], aim: None },
    Row { call: "`postOffer`, 63 bytes of description", keys: &["offer_register"], aim: Some(100_000) },
    Row {
        call: "`withdraw` of all, by an account that is then empty",
        keys: &["withdraw"],
        aim: Some(40_000),
    },
    Row { call: "`withdraw` of a part", keys: &["withdraw_part"], aim: None },
    Row { call: "`deposit`", keys: &["deposit"], aim: None },
    Row { call: "`extend`", keys: &["extend"], aim: None },
    Row { call: "`end`", keys: &["end"], aim: None },
    Row { call: "`open` of a proof, from the account", keys: &["proof_open"], aim: None },
    Row { call: "`openSigned`, in place of it", keys: &["proof_open_signed"], aim: None },
    Row { call: "`draw`, 3 of 7 validators", keys: &["proof_draw"], aim: None },
    Row { call: "`commitFinding`, the first of 3", keys: &["proof_commit"], aim: None },
    Row { call: "`revealFinding`, the first of 3", keys: &["proof_reveal"], aim: None },
    Row { call: "`conclude`, passed", keys: &["proof_conclude"], aim: None },
    Row { call: "`conclude`, failed", keys: &["proof_conclude_failed"], aim: None },
    Row { call: "**a whole proof that passes**", keys: &["proof_total"], aim: None },
    Row { call: "`anchor` of a log that was anchored before", keys: &["anchor"], aim: None },
];

pub(crate) fn write(root: &Path) -> Result<()> {
    let (committed, measured) = (read(root)?, table(&figures(root)?)?);
    let path = root.join(README);
    std::fs::write(path, with_table(&committed, &measured)?).with_context(|| format!("write {README}"))?;
    print!("{measured}");
    Ok(())
}

pub(crate) fn check(root: &Path) -> Result<()> {
    let (committed, measured) = (read(root)?, table(&figures(root)?)?);
    if with_table(&committed, &measured)? != committed {
        println!("{measured}");
        bail!(
            "the gas table in {README} is not what was measured; run `cargo xtask gas` and commit the file"
        );
    }
    println!("gas: the table in {README} is what the artifacts use");
    Ok(())
}

pub(crate) fn json(root: &Path) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(&figures(root)?).context("print the figures")?);
    Ok(())
}

fn read(root: &Path) -> Result<String> {
    std::fs::read_to_string(root.join(README)).with_context(|| format!("read {README}"))
}

fn figures(root: &Path) -> Result<Figures> {
    let output = crate::cargo(root)
        .args(["run", "--quiet", "--locked", "-p", "waag-chain", "--example", "gas"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("start the example `gas` of crates/chain")?;
    if !output.status.success() {
        bail!("the example `gas` failed with {}; see above", output.status);
    }
    serde_json::from_slice(&output.stdout).context("read what the example `gas` printed")
}

fn table(figures: &Figures) -> Result<String> {
    let mut table = String::from("| call | gas | aim |\n|---|---|---|\n");
    for Row { call, keys, aim } in ROWS {
        let mut gas = 0;
        for key in *keys {
            gas += figures.get(*key).with_context(|| format!("the example `gas` measured no {key}"))?;
        }
        let gas = thousands(gas);
        let gas = if call.starts_with("**") { format!("**{gas}**") } else { gas };
        table += &format!("| {call} | {gas} | {} |\n", aim.map_or_else(String::new, thousands));
    }
    Ok(table.replace("|  |", "| |"))
}

/// The text with this table between its marks.
fn with_table(text: &str, table: &str) -> Result<String> {
    let (before, rest) =
        text.split_once(BEGIN).with_context(|| format!("find {} in {README}", BEGIN.trim()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("find {} in {README}", END.trim()))?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (219_623, "219,623"), (1_000_000, "1,000,000")]
        {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn table_takes_the_place_of_the_old_one_and_nothing_else() {
        let text = format!("# a\n{BEGIN}old\n{END}b\n");
        assert_eq!(with_table(&text, "new\n").unwrap(), format!("# a\n{BEGIN}new\n{END}b\n"));
        assert_eq!(with_table(&text, "old\n").unwrap(), text);
        assert!(with_table("# a\n", "new\n").is_err());
    }

    #[test]
    fn table_adds_up_and_misses_no_figure() {
        let keys = ROWS.iter().flat_map(|row| row.keys);
        let mut figures: Figures = keys.map(|key| ((*key).to_owned(), 10_000)).collect();
        let table = table(&figures).unwrap();
        assert!(table.contains("| **a whole lease** | **10,000** | 220,000 |\n"), "{table}");
        assert!(table.contains("| a whole lease with it | 40,000 | |\n"), "{table}");
        figures.remove("settle");
        assert!(super::table(&figures).unwrap_err().to_string().ends_with("measured no settle"));
    }
}
