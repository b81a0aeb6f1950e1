//! The rules, each a pure function from a file to what breaks it.

use super::Finding;
use super::source::Source;

/// Lines of a Rust file, without the test module at its end: the aim, and the limit.
const FILE_LINES_AIM: usize = 400;
const FILE_LINES_MAX: usize = 800;
/// Lines of a function, signature and closing brace included.
const FUNCTION_LINES_MAX: usize = 70;
pub(super) const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;
const README_LINES_MAX: usize = 60;
const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";
const ARCHITECTURE_LINES_MAX: usize = 250;

/// Code that is refused, the name of the rule, and what to write instead.
const REFUSED_CODE: &[(&str, &str, &str)] = &[
    ("#[ignore", "ignored-test", "an ignored test proves nothing: make it run, or delete it"),
    ("todo!(", "unfinished", "finish it, or return an error that says what is missing"),
    ("unimplemented!(", "unfinished", "finish it, or return an error that says what is missing"),
    ("#[allow(", "allow", "write #[expect(.., reason = \"..\")], which fails once nothing needs it"),
    ("#![allow(", "allow", "write #![expect(.., reason = \"..\")], which fails once nothing needs it"),
];

/// Words that make a literal an SQL statement: a verb before a space, and a word somewhere after it.
const SQL: &[(&str, &str)] =
    &[("SELECT", ""), ("INSERT", "INTO"), ("UPDATE", "SET"), ("DELETE", "FROM"), ("CREATE", "TABLE")];

fn finding(rule: &'static str, path: &str, line: usize, message: impl Into<String>) -> Finding {
    Finding { rule, path: path.to_owned(), line, message: message.into() }
}

pub(super) fn size(path: &str, bytes: u64) -> Option<Finding> {
    let message =
        || format!("{bytes} bytes, more than {FILE_BYTES_MAX}: generate it, fetch it, or make it smaller");
    (bytes > FILE_BYTES_MAX).then(|| finding("file-bytes", path, 0, message()))
}

pub(super) fn text(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            found.push(finding("trailing-space", path, index + 1, "space at the end of the line"));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(finding("file-end", path, text.lines().count(), "no newline at the end of the file"));
    }
    if path == ARCHITECTURE {
        found.extend(too_long("architecture-lines", path, text, ARCHITECTURE_LINES_MAX));
    }
    found
}

fn too_long(rule: &'static str, path: &str, text: &str, limit: usize) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > limit)
        .then(|| finding(rule, path, 0, format!("{lines} lines, more than {limit}: say it shorter")))
}

/// What breaks a rule in a Rust file, and a note for one that is longer than the aim.
pub(super) fn rust(path: &str, text: &str) -> (Vec<Finding>, Option<String>) {
    let source = Source::new(text);
    let mut found = Vec::new();
    let lines = source.test_module_line().map_or_else(|| text.lines().count(), |line| line - 1);
    if lines > FILE_LINES_MAX {
        let message =
            format!("{lines} lines without tests, more than {FILE_LINES_MAX}: split it by what it does");
        found.push(finding("file-lines", path, 0, message));
    }
    let is_long = (FILE_LINES_AIM + 1..=FILE_LINES_MAX).contains(&lines);
    let note = is_long.then(|| format!("{path}: {lines} lines without tests; the aim is {FILE_LINES_AIM}"));
    for function in source.functions() {
        let lines = function.last_line - function.first_line + 1;
        if lines > FUNCTION_LINES_MAX {
            let message = format!("fn {} has {lines} lines, more than {FUNCTION_LINES_MAX}", function.name);
            found.push(finding("function-lines", path, function.first_line, message));
        }
    }
    for (index, line) in source.code.lines().enumerate() {
        for (code, rule, instead) in REFUSED_CODE {
            if line.contains(code) {
                found.push(finding(rule, path, index + 1, format!("{code}..: {instead}")));
            }
        }
    }
    found.extend(sql_outside_store(path, &source));
    (found, note)
}

fn sql_outside_store(path: &str, source: &Source) -> Vec<Finding> {
    let in_store = path.starts_with("crates/store/");
    let is_test = path.split('/').any(|part| matches!(part, "tests" | "tests.rs"));
    if in_store || is_test {
        return Vec::new();
    }
    let tests_from = source.test_module_line().unwrap_or(usize::MAX);
    source
        .strings
        .iter()
        .filter(|literal| literal.line < tests_from && is_sql(&literal.text))
        .map(|literal| {
            finding("sql", path, literal.line, "SQL outside crates/store: give the store a method")
        })
        .collect()
}

fn is_sql(literal: &str) -> bool {
    let words: Vec<&str> = literal.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    SQL.iter().any(|(verb, object)| {
        let Some(at) = words.iter().position(|word| word == verb) else { return false };
        let followed = literal.contains(&format!("{verb} ")) || literal.contains(&format!("{verb}\n"));
        followed && (object.is_empty() || words[at..].contains(object))
    })
}

/// Each crate has a README that is short and serves as its documentation. `contents` gives a file's text, if it is there.
pub(super) fn crate_readmes(files: &[String], contents: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for folder in files.iter().filter_map(|path| path.strip_suffix("/Cargo.toml")) {
        let readme = format!("{folder}/README.md");
        match contents(&readme) {
            Some(text) => found.extend(too_long("readme-lines", &readme, &text, README_LINES_MAX)),
            None => found.push(finding(
                "readme",
                &readme,
                0,
                "is missing: purpose, what it knows, where to start",
            )),
        }
        let Some((top, text)) = ["src/lib.rs", "src/main.rs"].iter().find_map(|name| {
            let path = format!("{folder}/{name}");
            contents(&path).map(|text| (path, text))
        }) else {
            continue;
        };
        if !text.contains("#![doc = include_str!(\"../README.md\")]") {
            let message =
                "does not include the README: start it with #![doc = include_str!(\"../README.md\")]";
            found.push(finding("readme", &top, 0, message));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules_broken(path: &str, text: &str) -> Vec<(&'static str, usize)> {
        rust(path, text).0.iter().map(|finding| (finding.rule, finding.line)).collect()
    }

    #[test]
    fn files_are_measured_without_their_tests() {
        let lines = |count| "const A: u8 = 1;\n".repeat(count);
        let tests = format!("\n#[cfg(test)]\nmod tests {{\n{}}}\n", lines(900));
        assert_eq!(rules_broken("a.rs", &(lines(799) + &tests)), []);
        assert_eq!(rules_broken("a.rs", &lines(801)), [("file-lines", 0)]);
        assert_eq!(rules_broken("a.rs", &(lines(801) + &tests)), [("file-lines", 0)]);
        assert_eq!(rust("a.rs", &lines(400)).1, None);
        assert!(rust("a.rs", &lines(401)).1.is_some());
    }

    #[test]
    fn functions_have_up_to_seventy_lines() {
        let function = |inside: usize| format!("\nfn long() {{\n{}}}\n", "    call();\n".repeat(inside));
        assert_eq!(rules_broken("a.rs", &function(68)), []);
        assert_eq!(rules_broken("a.rs", &function(69)), [("function-lines", 2)]);
        let (found, _) = rust("a.rs", &function(80));
        assert_eq!(found[0].to_string(), "a.rs:2: fn long has 82 lines, more than 70 (function-lines)");
    }

    #[test]
    fn refused_code_is_found_in_code_only() {
        for (code, rule, _) in REFUSED_CODE {
            let broken = format!("\n    {code}x)]\n");
            assert_eq!(rules_broken("a.rs", &broken), [(*rule, 2)], "{code}");
            assert_eq!(rules_broken("a.rs", &format!("// {code}x)]\nconst A: &str = \"{code}x)]\";\n")), []);
        }
        assert_eq!(rules_broken("a.rs", "#[expect(dead_code, reason = \"..\")]\n"), []);
    }

    #[test]
    fn sql_is_for_store_and_tests() {
        let file = "fn a() {\n    run(\"SELECT a FROM b\");\n}\n";
        assert_eq!(rules_broken("crates/engine/src/a.rs", file), [("sql", 2)]);
        for free in ["crates/store/src/a.rs", "crates/cli/tests/a.rs", "crates/cli/src/a/tests.rs"] {
            assert_eq!(rules_broken(free, file), [], "{free}");
        }
        let in_tests = format!("fn b() {{}}\n\n#[cfg(test)]\nmod tests {{\n{file}}}\n");
        assert_eq!(rules_broken("crates/engine/src/a.rs", &in_tests), []);
    }

    #[test]
    fn sql_needs_its_words() {
        for sql in [
            "SELECT 1",
            "INSERT OR IGNORE INTO t",
            "UPDATE t\nSET a = 1",
            "DELETE FROM t",
            "CREATE TABLE t (a)",
        ] {
            assert!(is_sql(sql), "{sql}");
        }
        for text in
            ["SELECT", "select one", "PRESELECT x", "UPDATE your file", "INSERTED INTO", "SET x UPDATE y"]
        {
            assert!(!is_sql(text), "{text}");
        }
    }

    #[test]
    fn text_ends_cleanly() {
        let rules = |path: &str, contents: &str| -> Vec<(&'static str, usize)> {
            text(path, contents).iter().map(|finding| (finding.rule, finding.line)).collect()
        };
        assert_eq!(rules("a.md", "a\n\nb\n"), []);
        assert_eq!(rules("a.md", ""), []);
        assert_eq!(
            rules("a.md", "a \nb\t\nc\r\n"),
            [("trailing-space", 1), ("trailing-space", 2), ("trailing-space", 3)]
        );
        assert_eq!(rules("a.md", "a\nb"), [("file-end", 2)]);
        assert_eq!(rules(ARCHITECTURE, &"a\n".repeat(250)), []);
        assert_eq!(rules(ARCHITECTURE, &"a\n".repeat(251)), [("architecture-lines", 0)]);
    }

    #[test]
    fn file_of_more_than_two_mebibytes_is_refused() {
        assert!(size("a.bin", FILE_BYTES_MAX).is_none());
        assert_eq!(size("a.bin", FILE_BYTES_MAX + 1).map(|finding| finding.rule), Some("file-bytes"));
    }

    #[test]
    fn crate_needs_a_short_readme_that_is_its_documentation() {
        const DOC: &str = "#![doc = include_str!(\"../README.md\")]\n";
        let broken = |readme: Option<usize>, top: &str, text: &str| -> Vec<String> {
            let files = ["Cargo.toml".to_owned(), "crates/a/Cargo.toml".to_owned()];
            let contents = |path: &str| match path {
                "crates/a/README.md" => readme.map(|lines| "a\n".repeat(lines)),
                _ => (path == format!("crates/a/src/{top}.rs")).then(|| text.to_owned()),
            };
            let found = crate_readmes(&files, contents);
            found.iter().map(|finding| format!("{} {}", finding.rule, finding.path)).collect()
        };
        assert_eq!(broken(Some(60), "lib", DOC), Vec::<String>::new());
        assert_eq!(broken(Some(60), "main", DOC), Vec::<String>::new());
        assert_eq!(broken(Some(61), "lib", DOC), ["readme-lines crates/a/README.md"]);
        assert_eq!(broken(None, "lib", DOC), ["readme crates/a/README.md"]);
        assert_eq!(broken(Some(9), "lib", "mod a;\n"), ["readme crates/a/src/lib.rs"]);
    }
}
