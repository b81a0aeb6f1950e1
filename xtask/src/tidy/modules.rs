//! Files that no `mod` reaches: the compiler never sees them, so nothing else can tell that they are dead.

use std::collections::BTreeSet;

use super::Finding;
use super::source::Source;

/// Where a package keeps sources, and whether each file right in it is a program or test of its own.
const FOLDERS: [(&str, bool); 5] =
    [("src", false), ("src/bin", true), ("tests", true), ("examples", true), ("benches", true)];

/// A module that is declared and lies in another file.
#[derive(Debug, PartialEq, Eq)]
struct Declared {
    /// The modules around it in the same file, then its own name.
    names: Vec<String>,
    /// Where it says it lies.
    path: Option<String>,
}

/// Every source file of a package that is no root and that no root leads to. `contents` gives a file's text.
pub(super) fn orphans(files: &[String], contents: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let packages: Vec<&str> = files.iter().filter_map(|path| path.strip_suffix("/Cargo.toml")).collect();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    for package in &packages {
        let manifest = contents(&format!("{package}/Cargo.toml")).unwrap_or_default();
        let named = named_roots(package, &manifest);
        let roots = files.iter().filter(|path| is_root(package, path) || named.contains(*path));
        let mut open: Vec<(String, bool)> = roots.map(|path| (path.clone(), true)).collect();
        while let Some((path, root)) = open.pop() {
            if !reached.insert(path.clone()) {
                continue;
            }
            let Some(text) = contents(&path) else { continue };
            let targets = leads_to(&path, root, &text);
            open.extend(targets.into_iter().filter(|path| files.contains(path)).map(|path| (path, false)));
        }
    }
    let is_source = |path: &str| {
        path.ends_with(".rs")
            && packages.iter().any(|package| FOLDERS.iter().any(|(folder, _)| within(path, package, folder)))
    };
    files
        .iter()
        .filter(|path| is_source(path) && !reached.contains(*path))
        .map(|path| Finding {
            rule: "orphan",
            path: path.clone(),
            line: 0,
            message: "no `mod` leads here, so it is never compiled: declare it, or delete it".to_owned(),
        })
        .collect()
}

fn within(path: &str, package: &str, folder: &str) -> bool {
    path.strip_prefix(package)
        .and_then(|rest| rest.strip_prefix('/')?.strip_prefix(folder))
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether cargo finds the file by itself.
fn is_root(package: &str, path: &str) -> bool {
    let Some(inside) = path.strip_prefix(package).and_then(|rest| rest.strip_prefix('/')) else {
        return false;
    };
    if matches!(inside, "build.rs" | "src/lib.rs" | "src/main.rs") {
        return true;
    }
    FOLDERS.iter().filter(|(_, each)| *each).any(|(folder, _)| {
        let rest = inside.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
        match rest.split_once('/') {
            None => rest.ends_with(".rs"),
            Some((_, file)) => file == "main.rs",
        }
    })
}

/// The files that the manifest names as roots.
fn named_roots(package: &str, manifest: &str) -> Vec<String> {
    let Ok(manifest) = manifest.parse::<toml::Table>() else { return Vec::new() };
    let lists =
        ["bin", "test", "example", "bench"].map(|kind| manifest.get(kind).and_then(|list| list.as_array()));
    let targets = lists.into_iter().flatten().flatten().chain(manifest.get("lib"));
    let paths = targets.filter_map(|target| target.get("path")?.as_str());
    paths.map(|path| format!("{package}/{path}")).collect()
}

/// Where the modules of a file may lie, and what it includes.
fn leads_to(path: &str, root: bool, text: &str) -> Vec<String> {
    let source = Source::new(text);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.trim_end_matches(".rs");
    let modules = if root || stem == "mod" { folder.to_owned() } else { format!("{folder}/{stem}") };
    let mut targets = Vec::new();
    for Declared { names, path } in declared(&source) {
        let around =
            names[..names.len() - 1].iter().fold(modules.clone(), |base, name| format!("{base}/{name}"));
        match path {
            Some(path) if names.len() == 1 => targets.push(normal(&format!("{folder}/{path}"))),
            Some(path) => targets.push(normal(&format!("{around}/{path}"))),
            None => {
                let module = format!("{around}/{}", names[names.len() - 1]);
                targets.extend([format!("{module}.rs"), format!("{module}/mod.rs")]);
            }
        }
    }
    let included = source.code.match_indices("include!(").filter_map(|(at, _)| literal_at(&source, at));
    targets.extend(included.map(|file| normal(&format!("{folder}/{file}"))));
    targets
}

/// Every `mod name;`, in the order of the file.
fn declared(source: &Source) -> Vec<Declared> {
    let (mut found, mut inside, mut depth) = (Vec::new(), Vec::<(String, usize)>::new(), 0usize);
    let code = &source.code;
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let word =
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum::<usize>();
        match (rest.as_bytes()[0], &rest[..word]) {
            (b'{', _) => depth += 1,
            (b'}', _) => {
                depth = depth.saturating_sub(1);
                inside.retain(|(_, opened)| *opened <= depth);
            }
            (_, "mod") => {
                let after = rest[word..].trim_start();
                let after = after.strip_prefix("r#").unwrap_or(after);
                let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                match after[name.len()..].trim_start().as_bytes().first() {
                    Some(b';') if !name.is_empty() => {
                        let names = inside.iter().map(|(name, _)| name.clone()).chain([name]).collect();
                        found.push(Declared { names, path: path_attribute(source, at) });
                    }
                    Some(b'{') if !name.is_empty() => inside.push((name, depth + 1)),
                    _ => {}
                }
            }
            _ => {}
        }
        at += word.max(rest.chars().next().map_or(1, char::len_utf8));
    }
    found
}

/// What `#[path = ".."]` says among the attributes of the item at `at`.
fn path_attribute(source: &Source, at: usize) -> Option<String> {
    let item = source.code[..at].rfind([';', '{', '}']).map_or(0, |end| end + 1);
    let attribute = source.code[item..at].find("#[path")?;
    literal_at(source, item + attribute)
}

/// The inside of the string literal on the line of `at`.
fn literal_at(source: &Source, at: usize) -> Option<String> {
    let line = source.code[..at].matches('\n').count() + 1;
    let literal = source.strings.iter().find(|literal| literal.line == line)?;
    Some(literal.text.trim_matches('"').to_owned())
}

/// The path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orphans_of(files: &[(&str, &str)]) -> Vec<String> {
        let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let contents =
            |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
        orphans(&names, contents).into_iter().map(|finding| finding.path).collect()
    }

    #[test]
    fn files_that_modules_lead_to_are_no_orphans() {
        let files = [
            ("Cargo.toml", ""),
            ("crates/a/Cargo.toml", "[[bin]]\nname = \"b\"\npath = \"src/odd/start.rs\"\n"),
            ("crates/a/build.rs", ""),
            ("crates/a/src/lib.rs", "mod one;\npub(crate) mod two;\n#[cfg(test)]\nmod tests;\nmod r#type;\n"),
            ("crates/a/src/one.rs", "mod inner;\nmod around { pub mod deep; }\nmod after;\n"),
            ("crates/a/src/one/inner.rs", ""),
            ("crates/a/src/one/around/deep.rs", ""),
            ("crates/a/src/one/after.rs", ""),
            (
                "crates/a/src/two/mod.rs",
                "fn f() { if true {} }\nmod beside;\n#[path = \"../elsewhere.rs\"]\nmod far;\n",
            ),
            ("crates/a/src/two/beside.rs", ""),
            ("crates/a/src/elsewhere.rs", "const A: u8 = include!(\"value.rs\");\n"),
            ("crates/a/src/value.rs", "7"),
            ("crates/a/src/tests.rs", ""),
            ("crates/a/src/type.rs", ""),
            ("crates/a/src/odd/start.rs", "mod beside;\n"),
            ("crates/a/src/odd/beside.rs", ""),
            ("crates/a/src/bin/tool.rs", ""),
            ("crates/a/src/bin/large/main.rs", "mod part;\n"),
            ("crates/a/src/bin/large/part.rs", ""),
            ("crates/a/tests/alone.rs", ""),
            ("crates/a/tests/it/main.rs", "mod part;\n"),
            ("crates/a/tests/it/part.rs", ""),
            ("crates/a/examples/show.rs", ""),
            ("crates/a/fuzz/elsewhere.rs", ""),
        ];
        assert_eq!(orphans_of(&files), Vec::<String>::new());
    }

    #[test]
    fn file_that_no_module_leads_to_is_an_orphan() {
        let files = [
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/lib.rs", "mod one;\n// mod two;\nconst A: &str = \"mod three;\";\nmod four {}\n"),
            ("crates/a/src/one.rs", "mod around { }\nmod deep;\n"),
            ("crates/a/src/one/around/deep.rs", ""),
            ("crates/a/src/two.rs", "mod five;\n"),
            ("crates/a/src/two/five.rs", ""),
            ("crates/a/src/three.rs", ""),
            ("crates/a/src/four.rs", ""),
            ("crates/a/tests/it/main.rs", ""),
            ("crates/a/tests/it/part.rs", ""),
            ("crates/b/Cargo.toml", ""),
            ("crates/b/src/main.rs", "mod one;\n"),
            ("crates/b/src/one/two.rs", ""),
        ];
        let expected = [
            "crates/a/src/one/around/deep.rs",
            "crates/a/src/two.rs",
            "crates/a/src/two/five.rs",
            "crates/a/src/three.rs",
            "crates/a/src/four.rs",
            "crates/a/tests/it/part.rs",
            "crates/b/src/one/two.rs",
        ];
        assert_eq!(orphans_of(&files), expected);
    }

    #[test]
    fn orphan_is_told_with_what_to_do() {
        let files = ["a/Cargo.toml".to_owned(), "a/src/lost.rs".to_owned()];
        let found = orphans(&files, |_| Some(String::new()));
        let message = "no `mod` leads here, so it is never compiled: declare it, or delete it";
        assert_eq!(found[0].to_string(), format!("a/src/lost.rs: {message} (orphan)"));
    }
}
