//! Reading single values out of the tree, each with its field's path.

use std::str::FromStr;

use domain::{Need, Usd};

use super::error::{Position, Problem, Problems, clean};
use super::keys;
use super::read::{Entry, Node, Value};

const TEXT_BYTES_MAX: usize = 256 * 1024;
const ENTRIES_MAX: usize = 1000;

/// A value with the path by which messages name it, and the place they point at.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    pub(super) path: String,
    pub(super) at: Position,
    pub(super) node: &'a Node,
}

/// The entries of a mapping.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    path: String,
    at: Position,
    entries: &'a [Entry],
}

/// An amount of hardware as people write it.
#[derive(Debug)]
pub(super) struct Amount {
    /// How many of our units one of theirs has.
    pub(super) scale: u64,
    /// The largest amount, in our units.
    pub(super) max: u64,
    /// Their unit.
    pub(super) unit: &'static str,
    /// How to write it.
    pub(super) help: &'static str,
}

impl<'a> Field<'a> {
    pub(super) fn problem(&self, what: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem::new(self.at, &self.path, what, help)
    }

    fn wrong_kind(&self, wanted: &str, help: &str) -> Problem {
        let found = match &self.node.value {
            _ if self.node.is_null() => {
                return self.problem("this key has no value", help);
            }
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        };
        self.problem(format!("{wanted} is needed here, and this is {found}"), help)
    }

    pub(super) fn fields(&self) -> Result<Fields<'a>, Problem> {
        match &self.node.value {
            Value::Map(entries) if entries.len() <= ENTRIES_MAX => {
                Ok(Fields { path: self.path.clone(), at: self.at, entries })
            }
            Value::Map(entries) => Err(self.too_many(entries.len())),
            _ => Err(self.wrong_kind("a mapping", "write `key: value` lines, indented below the key")),
        }
    }

    /// The items of a list; a single value counts as a list of one.
    pub(super) fn items(&self, help: &str) -> Result<Vec<Field<'a>>, Problem> {
        match &self.node.value {
            Value::List(items) if items.len() > ENTRIES_MAX => Err(self.too_many(items.len())),
            Value::List(items) if items.is_empty() => Err(self.problem("the list is empty", help)),
            Value::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(n, node)| Field { path: format!("{}[{n}]", self.path), at: node.at, node })
                .collect()),
            Value::Scalar { .. } if !self.node.is_null() => Ok(vec![self.clone()]),
            _ => Err(self.wrong_kind("a list", help)),
        }
    }

    fn too_many(&self, n: usize) -> Problem {
        let what = format!("there are {n} entries here, and at most {ENTRIES_MAX} are taken");
        self.problem(what, "put long lists into a file under `workdir`")
    }

    /// The text exactly as it stands, whatever YAML would make of it.
    pub(super) fn text(&self, help: &str) -> Result<&'a str, Problem> {
        let text = match &self.node.value {
            Value::Scalar { text, .. } if !self.node.is_null() => text,
            _ => return Err(self.wrong_kind("a single value", help)),
        };
        if text.len() > TEXT_BYTES_MAX {
            let what = format!("the text has {} bytes, and at most {TEXT_BYTES_MAX} are taken", text.len());
            return Err(self.problem(what, "put it into a file under `workdir`"));
        }
        if text.contains('\0') {
            return Err(self.problem("the text contains a zero byte", "remove it: no program could read it"));
        }
        Ok(text)
    }

    pub(super) fn parsed<T: FromStr>(&self, help: &str) -> Result<T, Problem>
    where
        T::Err: std::fmt::Display,
    {
        self.text(help)?.parse().map_err(|error: T::Err| self.problem(error.to_string(), help))
    }

    pub(super) fn flag(&self) -> Result<bool, Problem> {
        let help = "write true or false";
        match self.text(help)? {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(self.problem(format!("`{}` is neither true nor false", clean(other, 40)), help)),
        }
    }

    pub(super) fn count(&self, min: u32, max: u32) -> Result<u32, Problem> {
        let help = format!("write a whole number from {min} to {max}");
        let text = self.text(&help)?;
        match whole_number(text) {
            Some(n) if (min..=max).contains(&n) => Ok(n),
            _ => Err(self
                .problem(format!("`{}` is not a whole number from {min} to {max}", clean(text, 40)), help)),
        }
    }

    /// Dollars, read from the text as it stands, so that no binary fraction comes between.
    pub(super) fn money(&self, help: &str) -> Result<Usd, Problem> {
        let text = self.text(help)?;
        let amount: Usd = text.parse().map_err(|error| self.problem(format!("{error}"), help))?;
        if amount.is_negative() {
            return Err(self.problem(format!("`{}` is less than nothing", clean(text, 40)), help));
        }
        if leads_with_zero(text) {
            return Err(self.problem(format!("`{}` begins with a zero", clean(text, 40)), help));
        }
        Ok(amount)
    }

    /// Dollars that must be more than nothing.
    pub(super) fn cap(&self, help: &str) -> Result<Usd, Problem> {
        match self.money(help)? {
            Usd::ZERO => Err(self.problem("a limit of 0 admits no offer", help)),
            amount => Ok(amount),
        }
    }

    /// An amount like `4`, `0.5` or `4+`, rounded up to our unit.
    pub(super) fn amount(&self, amount: &Amount) -> Result<Need, Problem> {
        let text = self.text(amount.help)?;
        let (number, at_least) = match text.strip_suffix('+') {
            Some(number) => (number, true),
            None => (text, false),
        };
        let shown = clean(text, 40);
        let n = scaled(number, amount.scale).ok_or_else(|| {
            self.problem(format!("`{shown}` is not a number of {}", amount.unit), amount.help)
        })?;
        if n == 0 {
            return Err(self.problem(format!("a job cannot run with {shown} {}", amount.unit), amount.help));
        }
        if n > amount.max {
            let most = amount.max / amount.scale;
            let what = format!("no machine has {shown} {}: at most {most} can be asked for", amount.unit);
            return Err(self.problem(what, amount.help));
        }
        Ok(if at_least { Need::AtLeast(n) } else { Need::Exactly(n) })
    }
}

/// Digits alone: a leading zero would mean an octal number to some readers of YAML.
pub(super) fn whole_number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && !leads_with_zero(text);
    if digits { text.parse().ok() } else { None }
}

fn leads_with_zero(text: &str) -> bool {
    text.strip_prefix('0').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// A decimal times `scale`, rounded up.
pub(super) fn scaled(text: &str, scale: u64) -> Option<u64> {
    const DIGITS_MAX: usize = 12;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.len() <= DIGITS_MAX && s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') || leads_with_zero(text)
    {
        return None;
    }
    let unit = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let all = whole.parse::<u128>().ok()? * unit + part;
    u64::try_from((all * u128::from(scale)).div_ceil(unit)).ok()
}

impl<'a> Fields<'a> {
    /// The whole file, its keys checked.
    pub(super) fn top(root: &'a Node, problems: &mut Problems) -> Option<Self> {
        let field = Field { path: String::new(), at: root.at, node: root };
        let fields = problems.keep(field.fields())?;
        keys::check(&fields, problems);
        Some(Self { at: Position::default(), ..fields })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| self.field(entry))
    }

    /// Reads one value when it is there; what is wrong with it is noted.
    pub(super) fn read<T>(
        &self,
        key: &str,
        problems: &mut Problems,
        read: impl FnOnce(&Field<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        self.get(key).and_then(|field| problems.keep(read(&field)))
    }

    /// Reads one value that must be there.
    pub(super) fn need<T>(
        &self,
        key: &str,
        help: &str,
        problems: &mut Problems,
        read: impl FnOnce(&Field<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        if self.get(key).is_none() {
            problems.add(Problem::new(self.at, &self.path_of(key), format!("`{key}` is missing"), help));
        }
        self.read(key, problems, read)
    }

    /// The mapping below a key, its keys checked where they are ours to name. A key with nothing below it says nothing.
    pub(super) fn block(&self, key: &str, problems: &mut Problems) -> Option<Fields<'a>> {
        let field = self.get(key).filter(|field| !field.node.is_null())?;
        let fields = problems.keep(field.fields())?;
        keys::check(&fields, problems);
        // What is missing in a block is shown at its key, since the block itself begins with some other key.
        let key_at = self.entries.iter().find(|entry| entry.key == key).map_or(fields.at, |entry| entry.at);
        Some(Self { at: key_at, ..fields })
    }

    /// Every key with its place and its value.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Position, Field<'a>)> + '_ {
        self.entries.iter().map(|entry| (entry.key.as_str(), entry.at, self.field(entry)))
    }

    fn field(&self, entry: &'a Entry) -> Field<'a> {
        // What is not written has no place of its own.
        let at = if entry.value.is_null() { entry.at } else { entry.value.at };
        Field { path: self.path_of(&entry.key), at, node: &entry.value }
    }

    fn path_of(&self, key: &str) -> String {
        let key = clean(key, 60);
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}
