//! Reading single values out of the tree, each with its field's path.

use std::str::FromStr;

use domain::{Need, Usd};

use super::error::{Position, Problem, clean};
use super::read::{Entry, Node, Value};

/// A node with the path by which messages name it.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    pub(super) path: String,
    pub(super) node: &'a Node,
}

/// The entries of a mapping; every key must be asked for or refused.
pub(super) struct Fields<'a> {
    path: String,
    at: Position,
    entries: &'a [Entry],
}

impl<'a> Field<'a> {
    pub(super) fn problem(&self, what: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem::new(self.node.at, &self.path, what, help)
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.node.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    fn kind(&self) -> &'static str {
        match &self.node.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    pub(super) fn fields(&self) -> Result<Fields<'a>, Problem> {
        match &self.node.value {
            Value::Map(entries) => Ok(Fields { path: self.path.clone(), at: self.node.at, entries }),
            _ => Err(self.problem(
                format!("a mapping is needed here, this is {}", self.kind()),
                "write `key: value` lines, indented below the field",
            )),
        }
    }

    /// The items of a list; a single value counts as a list of one.
    pub(super) fn items(&self) -> Result<Vec<Field<'a>>, Problem> {
        match &self.node.value {
            Value::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(n, node)| Field { path: format!("{}[{n}]", self.path), node })
                .collect()),
            Value::Scalar { .. } if !self.is_null() => Ok(vec![self.clone()]),
            _ => {
                Err(self
                    .problem(format!("a list is needed here, this is {}", self.kind()), "write [one, two]"))
            }
        }
    }

    /// The text exactly as it stands, whatever YAML would make of it.
    pub(super) fn text(&self) -> Result<&'a str, Problem> {
        match &self.node.value {
            Value::Scalar { text, .. } if !self.is_null() => Ok(text),
            _ => {
                Err(self
                    .problem(format!("a text is needed here, this is {}", self.kind()), "write one value"))
            }
        }
    }

    pub(super) fn parsed<T: FromStr>(&self, help: &str) -> Result<T, Problem>
    where
        T::Err: std::fmt::Display,
    {
        self.text()?.parse().map_err(|error: T::Err| self.problem(clean(&error.to_string(), 300), help))
    }

    pub(super) fn flag(&self) -> Result<bool, Problem> {
        match self.text()? {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(self
                .problem(format!("`{}` is neither true nor false", clean(other, 40)), "write true or false")),
        }
    }

    pub(super) fn count(&self, min: u32, max: u32) -> Result<u32, Problem> {
        let text = self.text()?;
        let help = format!("write a whole number from {min} to {max}");
        match text.parse::<u32>() {
            Ok(n) if (min..=max).contains(&n) => Ok(n),
            _ => {
                Err(self.problem(format!("`{}` is not a number from {min} to {max}", clean(text, 40)), help))
            }
        }
    }

    pub(super) fn money(&self) -> Result<Usd, Problem> {
        let amount: Usd =
            self.parsed("write dollars with at most six digits after the point, for example 2.50")?;
        if amount.is_negative() {
            return Err(
                self.problem(format!("{amount} is less than nothing"), "write an amount of zero or more")
            );
        }
        Ok(amount)
    }

    /// An amount like `4`, `0.5` or `4+`, in units of `1 / scale`, at least one of them and at most `max`.
    pub(super) fn need(&self, scale: u64, max: u64, help: &str) -> Result<Need, Problem> {
        let text = self.text()?;
        let (number, at_least) = match text.strip_suffix('+') {
            Some(number) => (number, true),
            None => (text, false),
        };
        let bad = || self.problem(format!("`{}` is not an amount", clean(text, 40)), help);
        let n = scaled(number, scale).ok_or_else(bad)?;
        if n == 0 {
            return Err(self.problem("a job needs more than nothing", help));
        }
        if n > max {
            return Err(self.problem(
                format!("no machine has `{}`: at most {} is possible", clean(text, 40), max / scale),
                help,
            ));
        }
        Ok(if at_least { Need::AtLeast(n) } else { Need::Exactly(n) })
    }
}

/// A decimal times `scale`, rounded up.
fn scaled(text: &str, scale: u64) -> Option<u64> {
    const DIGITS_MAX: usize = 12;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.len() <= DIGITS_MAX && s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return None;
    }
    let unit = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let all = whole.parse::<u128>().ok()? * unit
        + if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    u64::try_from((all * u128::from(scale)).div_ceil(unit)).ok()
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let field = Field { path: self.path_of(key), node: &entry.value };
        (!field.is_null()).then_some(field)
    }

    pub(super) fn need(&self, key: &str, help: &str) -> Result<Field<'a>, Problem> {
        self.get(key)
            .ok_or_else(|| Problem::new(self.at, &self.path_of(key), format!("`{key}` is missing"), help))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Position, Field<'a>)> + '_ {
        self.entries
            .iter()
            .map(|e| (e.key.as_str(), e.at, Field { path: self.path_of(&e.key), node: &e.value }))
    }

    /// Refuses keys that are not known, and known ones that do not run yet.
    pub(super) fn only(&self, known: &[&str], later: &[&str]) -> Result<(), Problem> {
        for entry in self.entries {
            let key = entry.key.as_str();
            if known.contains(&key) {
                continue;
            }
            let path = self.path_of(key);
            if later.contains(&key) {
                let what = format!("`{}` is not supported yet", clean(key, 60));
                return Err(Problem::new(
                    entry.at,
                    &path,
                    what,
                    "remove it: a job that needs it cannot run here yet",
                ));
            }
            let near = near(key, known);
            let help = if near.is_empty() {
                format!("known here: {}", known.join(", "))
            } else {
                format!("did you mean {}?", near.join(" or "))
            };
            return Err(Problem::new(entry.at, &path, format!("`{}` is not known", clean(key, 60)), help));
        }
        Ok(())
    }

    fn path_of(&self, key: &str) -> String {
        let key = clean(key, 60);
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

/// At most three known words within two edits.
fn near(word: &str, known: &[&str]) -> Vec<String> {
    let mut found: Vec<(usize, &str)> =
        known.iter().map(|k| (distance(word, k), *k)).filter(|(d, _)| *d <= 2).collect();
    found.sort_unstable();
    found.into_iter().take(3).map(|(_, k)| format!("`{k}`")).collect()
}

/// The number of single-letter edits between two words (Levenshtein 1965).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(60).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let best = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}
