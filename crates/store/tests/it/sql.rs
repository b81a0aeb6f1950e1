//! The SQL is plain: what only SQLite understands stands in the schema file and in `open.rs`, nowhere else.

use std::path::Path;

/// Words that one of the two databases does not know, or understands otherwise.
const FORBIDDEN: &[&str] = &[
    "AUTOINCREMENT",
    "INSERT OR",
    "REPLACE INTO",
    "UPDATE OR",
    "ROWID",
    "LAST_INSERT_ROWID",
    "PRAGMA",
    "SQLITE_",
    "GLOB",
    "IFNULL",
    "IIF(",
    "DATETIME(",
    "STRFTIME(",
    "JULIANDAY(",
    "UNIXEPOCH(",
    "TYPEOF(",
    "GROUP_CONCAT",
    "JSON_",
    "TOTAL(",
    "INSTR(",
    "PRINTF(",
    "HEX(",
    "RANDOM(",
    "CHANGES(",
    "NOCASE",
    "INDEXED BY",
    "ISNULL",
    "NOTNULL",
    "==",
    "`",
    "?",
    "\"",
    "STRICT",
    "FOR UPDATE",
    "FOR SHARE",
    "SKIP LOCKED",
    "ILIKE",
    "::",
    "NOW()",
    "TRUE",
    "FALSE",
];
const VERBS: &[&str] = &["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM "];

fn source(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The string literals of a Rust file. Comments are left out; this crate has no raw strings and no quote characters.
fn literals(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let (mut found, mut current, mut escaped) = (Vec::new(), None::<String>, false);
    for c in code.chars() {
        match (&mut current, c) {
            (None, '"') => current = Some(String::new()),
            (None, _) => {}
            (Some(_), '"') if !escaped => found.extend(current.take()),
            (Some(_), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(literal), c) => literal.push(c),
        }
        escaped = false;
    }
    assert!(current.is_none(), "a literal does not end");
    found
}

/// Every SQL text of the crate's sources but `open.rs`, with its file. A tail of `select!` has no verb of its own.
fn statements() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name == "open.rs" {
            continue;
        }
        let is_sql = |text: &str| {
            VERBS.iter().chain(&["WHERE ", "ORDER BY "]).any(|verb| text.trim_start().starts_with(verb))
        };
        found.extend(
            literals(&source(&format!("src/{name}")))
                .into_iter()
                .filter(|text| is_sql(text))
                .map(|sql| (name.clone(), sql)),
        );
    }
    found
}

fn forbidden(sql: &str) -> Vec<&'static str> {
    let sql = sql.to_uppercase();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let stands_alone = |at: usize, word: &str| {
        let begins = !word.starts_with(is_word) || !sql[..at].ends_with(is_word);
        let ends =
            !word.ends_with(|c| is_word(c) && c != '_') || !sql[at + word.len()..].starts_with(is_word);
        begins && ends
    };
    FORBIDDEN
        .iter()
        .filter(|word| sql.match_indices(**word).any(|(at, _)| stands_alone(at, word)))
        .copied()
        .collect()
}

#[test]
fn statements_hold_nothing_that_one_database_only_knows() {
    let statements = statements();
    assert!(statements.len() > 80, "only {} statements were found", statements.len());
    for (file, sql) in statements {
        assert_eq!(forbidden(&sql), Vec::<&str>::new(), "{file}: {sql}");
    }
}

// PostgreSQL refuses a statement whose highest parameter is not preceded by all the others.
#[test]
fn parameters_are_numbered_without_gaps() {
    for (file, sql) in statements() {
        let mut numbers: Vec<usize> = sql
            .split('$')
            .skip(1)
            .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>(), "{file}: {sql}");
    }
}

/// What differs in the schema of another database: the type of bytes, and how a key counts up by itself.
#[test]
fn schema_differs_from_that_of_another_database_in_two_places_only() {
    let schema = source("schema/sqlite.sql");
    let lines = schema.lines().filter(|line| !line.starts_with("--"));
    for line in lines {
        assert_eq!(forbidden(line), Vec::<&str>::new(), "{line}");
        let is_column = line.starts_with("    ") && line.trim().starts_with(|c: char| c.is_lowercase());
        if is_column {
            let kind = line.split_whitespace().nth(1).unwrap().trim_end_matches(',');
            let portable = ["TEXT", "BIGINT"].contains(&kind);
            let counted = line.trim() == "seq INTEGER PRIMARY KEY,";
            assert!(portable || kind == "BLOB" || counted, "{line}");
        }
    }
}

#[test]
fn forbidden_words_are_found_and_others_let_be() {
    for (sql, words) in [
        ("SELECT a FROM b WHERE c = ? ORDER BY rowid", vec!["ROWID", "?"]),
        ("insert or replace into a values ($1)", vec!["INSERT OR", "REPLACE INTO"]),
        ("SELECT datetime('now'), ifnull(a, 0)", vec!["IFNULL", "DATETIME("]),
        ("SELECT name FROM sqlite_master", vec!["SQLITE_"]),
        ("SELECT subtotal(a), crowid, true_cost, totals FROM b", vec![]),
    ] {
        let mut found = forbidden(sql);
        found.sort_by_key(|word| words.iter().position(|w| w == word));
        if sql.starts_with("insert") {
            assert!(found.contains(&"INSERT OR"), "{found:?}");
        } else {
            assert_eq!(found, words, "{sql}");
        }
    }
}
