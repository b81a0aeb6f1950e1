//! What is wrong with a job file, and how it is shown.

use std::fmt;
use std::ops::Range;

use super::read::{Node, Value};

/// A job file cannot be taken. `Display` shows every problem with its place, its line and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFileError {
    /// The file's name.
    pub file: String,
    /// What is wrong, in file order; at least one and at most 20.
    pub problems: Vec<JobFileProblem>,
    /// How many more were found.
    pub more: usize,
}

/// One thing that is wrong. All texts are cut and free of control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFileProblem {
    /// From 1; 0 when the whole file is to blame.
    pub line: usize,
    /// In characters, from 1; 0 when the whole file is to blame.
    pub column: usize,
    /// Path of the field, e.g. `waag.budget.max_total_usd`; empty for the whole file.
    pub field: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub help: String,
    excerpt: Option<Excerpt>,
}

/// A line, or a window of it, with the offset and width of what is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    line: String,
    offset: usize,
    width: usize,
}

const PROBLEMS_MAX: usize = 20;
const MESSAGE_CHARS_MAX: usize = 400;
const FIELD_CHARS_MAX: usize = 120;
const EXCERPT_CHARS_MAX: usize = 100;
/// How much of a long line is shown before the place that is to blame.
const EXCERPT_LEAD_CHARS: usize = 40;

/// Where something stands in the file: line and column from 1, width in characters on that line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) width: usize,
}

/// A problem before the file's name and text are known.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) at: Position,
    pub(super) field: String,
    pub(super) what: String,
    pub(super) help: String,
}

impl Problem {
    pub(super) fn new(at: Position, field: &str, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at, field: field.to_owned(), what: what.into(), help: help.into() }
    }
}

/// What was found wrong so far; reading goes on, so that a person mends a file once.
#[derive(Debug, Default)]
pub(super) struct Problems(pub(super) Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The value, or a note of what is wrong with it.
    pub(super) fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.add(problem)).ok()
    }
}

/// A file's name and text, and the lines that are never shown because secrets stand there.
#[derive(Debug)]
pub(super) struct Source<'a> {
    file: &'a str,
    text: &'a str,
    hidden_lines: Range<usize>,
}

impl<'a> Source<'a> {
    /// Until the structure is known, every line from the first mention of secrets on may hold one.
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        let first = lines(text).position(is_about_secrets).map_or(usize::MAX, |n| n + 1);
        Self { file, text, hidden_lines: first..usize::MAX }
    }

    /// Hides exactly the lines from the first key about secrets to the key after the last such key.
    pub(super) fn hide_secrets_of(&mut self, root: &Node) {
        self.hidden_lines = 0..0;
        let Value::Map(entries) = &root.value else { return };
        let Some(first) = entries.iter().position(|e| is_about_secrets(&e.key)) else { return };
        let last = entries.iter().rposition(|e| is_about_secrets(&e.key)).unwrap_or(first);
        let (from, last_at) = (entries[first].at.line, entries[last].at.line);
        self.hidden_lines =
            from..entries.get(last + 1).map_or(usize::MAX, |next| next.at.line.max(last_at + 1));
    }

    /// The error for people; `problems` is not empty.
    pub(super) fn error(&self, mut problems: Vec<Problem>) -> JobFileError {
        // What stands nowhere, since it is missing, comes last.
        problems.sort_by_key(|problem| (problem.at.line == 0, problem.at));
        let more = problems.len().saturating_sub(PROBLEMS_MAX);
        problems.truncate(PROBLEMS_MAX);
        let problems = problems.into_iter().map(|problem| self.problem(&problem)).collect();
        JobFileError { file: clean(self.file, FIELD_CHARS_MAX), problems, more }
    }

    fn problem(&self, problem: &Problem) -> JobFileProblem {
        let Position { line, column, width } = problem.at;
        let shown = line > 0 && !self.hidden_lines.contains(&line);
        let text = if shown { lines(self.text).nth(line - 1).unwrap_or_default() } else { "" };
        JobFileProblem {
            line,
            column,
            field: clean(&problem.field, FIELD_CHARS_MAX),
            what: clean(&problem.what, MESSAGE_CHARS_MAX),
            help: clean(&problem.help, MESSAGE_CHARS_MAX),
            excerpt: (!text.trim().is_empty()).then(|| Excerpt::of(text, column.saturating_sub(1), width)),
        }
    }
}

fn is_about_secrets(text: &str) -> bool {
    text.to_ascii_lowercase().contains("secret")
}

/// Lines as YAML counts them: ended by LF, CR LF or CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).flat_map(|line| line.split('\r'))
}

impl Excerpt {
    fn of(line: &str, start: usize, width: usize) -> Self {
        let line = line.trim_end();
        let first = if start < EXCERPT_CHARS_MAX { 0 } else { start - EXCERPT_LEAD_CHARS };
        let mut shown = String::from(if first > 0 { "..." } else { "" });
        let (mut from, mut to) = (None, 0);
        for (n, c) in line.chars().enumerate().skip(first).take(EXCERPT_CHARS_MAX) {
            if n == start {
                from = Some(shown.chars().count());
            }
            push_clean(&mut shown, c);
            if n < start.saturating_add(width.max(1)) {
                to = shown.chars().count();
            }
        }
        // A place past the end of the line is shown just behind it.
        let offset = from.unwrap_or_else(|| shown.chars().count());
        if line.chars().nth(first + EXCERPT_CHARS_MAX).is_some() {
            shown.push_str("...");
        }
        Self { line: shown, offset, width: to.saturating_sub(offset).max(1) }
    }
}

/// Cuts a text and shows control characters as escapes, so that a file cannot write to the reader's terminal.
pub(super) fn clean(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    text.chars().take(chars_max).for_each(|c| push_clean(&mut out, c));
    if text.chars().nth(chars_max).is_some() {
        out.push_str("...");
    }
    out
}

fn push_clean(out: &mut String, c: char) {
    match c {
        '\t' => out.push(' '),
        '"' | '\'' | '\\' => out.push(c),
        // Escapes control, formatting and other invisible characters, and keeps letters of every script.
        _ => out.extend(c.escape_debug()),
    }
}

impl std::error::Error for JobFileError {}

impl fmt::Display for JobFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("\n\n")?;
            }
            problem.show(&self.file, f)?;
        }
        if self.more > 0 {
            write!(f, "\n\nand {} more problems", self.more)?;
        }
        Ok(())
    }
}

impl JobFileProblem {
    fn show(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n --> {file}", self.what)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.field.is_empty() {
            write!(f, " ({})", self.field)?;
        }
        if let Some(Excerpt { line, offset, width }) = &self.excerpt {
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            write!(f, "\n{gutter} |\n{number} | {line}")?;
            write!(f, "\n{gutter} | {}{}", " ".repeat(*offset), "^".repeat(*width))?;
        }
        write!(f, "\nhelp: {}", self.help)
    }
}
