//! Keeps `docs/openapi.json` equal to what the `waag` binary prints.

use std::path::Path;

use anyhow::{Context, Result, bail};

const DOCUMENT: &str = "docs/openapi.json";

pub(crate) fn write(root: &Path) -> Result<()> {
    let document = generate(root)?;
    std::fs::write(root.join(DOCUMENT), document).with_context(|| format!("write {DOCUMENT}"))?;
    println!("openapi: wrote {DOCUMENT}");
    Ok(())
}

pub(crate) fn check(root: &Path) -> Result<()> {
    let generated = generate(root)?;
    let committed = match std::fs::read_to_string(root.join(DOCUMENT)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read {DOCUMENT}")),
    };
    if let Some(line) = first_difference(&committed, &generated) {
        bail!(
            "{DOCUMENT} differs from the binary at line {line}; run `cargo xtask openapi` and commit the file"
        );
    }
    println!("openapi: {DOCUMENT} is what the binary serves");
    Ok(())
}

fn generate(root: &Path) -> Result<String> {
    let output = crate::cargo(root)
        .args(["run", "--quiet", "--locked", "-p", "waag-cli", "--", "openapi"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("start `waag openapi`")?;
    if !output.status.success() {
        bail!("`waag openapi` failed with {}; see above", output.status);
    }
    let mut text =
        String::from_utf8(output.stdout).context("`waag openapi` printed bytes that are no UTF-8")?;
    serde_json::from_str::<serde::de::IgnoredAny>(&text)
        .context("`waag openapi` printed no JSON document")?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// The first line, from 1, in which the two texts differ.
fn first_difference(a: &str, b: &str) -> Option<usize> {
    if a == b {
        return None;
    }
    let same = a.split('\n').zip(b.split('\n')).take_while(|(a, b)| a == b).count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn difference_names_the_first_line_that_differs() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(first_difference("", "{}\n"), Some(1));
    }
}
