//! What is wrong with a job file.

use std::fmt;

/// A job file cannot be taken. `Display` shows what, where, the line itself, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFileError {
    /// The file's name.
    pub file: String,
    /// From 1; 0 when no line is to blame.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// Path of the field, e.g. `waag.budget.max_total_usd`; empty for the whole file.
    pub field: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub help: String,
    /// The line, cut and cleaned.
    pub excerpt: String,
}

impl std::error::Error for JobFileError {}

/// Where something stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A problem before the file's name and text are known.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) at: Position,
    pub(super) field: String,
    pub(super) what: String,
    pub(super) help: String,
}

const EXCERPT_CHARS_MAX: usize = 100;

impl Problem {
    pub(super) fn new(at: Position, field: &str, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at, field: field.to_owned(), what: what.into(), help: help.into() }
    }

    pub(super) fn in_file(self, file: &str, text: &str) -> JobFileError {
        let line = text.lines().nth(self.at.line.wrapping_sub(1)).unwrap_or_default();
        JobFileError {
            file: clean(file, EXCERPT_CHARS_MAX),
            line: self.at.line,
            column: self.at.column,
            field: clean(&self.field, EXCERPT_CHARS_MAX),
            what: self.what,
            help: self.help,
            excerpt: clean(line, EXCERPT_CHARS_MAX),
        }
    }
}

/// Cuts a text and shows control characters as escapes, so that a file cannot write to the reader's terminal.
pub(super) fn clean(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    for c in text.chars().take(chars_max) {
        if c == '\t' {
            out.push(' ');
        } else if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    if text.chars().nth(chars_max).is_some() {
        out.push_str("...");
    }
    out
}

impl fmt::Display for JobFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        write!(f, "\n --> {}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.field.is_empty() {
            write!(f, " ({})", self.field)?;
        }
        if self.line > 0 && !self.excerpt.is_empty() {
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            write!(f, "\n{gutter} |\n{number} | {}", self.excerpt)?;
            if self.column <= self.excerpt.chars().count() {
                write!(f, "\n{gutter} | {}^", " ".repeat(self.column.saturating_sub(1)))?;
            }
        }
        write!(f, "\nhelp: {}", self.help)
    }
}
