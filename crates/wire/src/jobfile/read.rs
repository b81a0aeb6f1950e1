//! From bytes to a small tree with positions. Anchors, aliases, tags and several documents are refused, which also
//! leaves no way to build a file that grows when it is read.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::FILE_BYTES_MAX;
use super::error::{Position, Problem, clean};

const NODES_MAX: usize = 20_000;
const DEPTH_MAX: usize = 16;
const KEY_BYTES_MAX: usize = 1000;

/// A piece of YAML.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A scalar as written; `plain` when it stands without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A mapping in file order, keys unique.
    Map(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Position,
    pub(super) value: Node,
}

/// The text of a file of bearable size, without byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Problem> {
    let whole = |what: String, help: &str| Problem::new(Position::default(), "", what, help);
    if bytes.len() > FILE_BYTES_MAX {
        let what = format!("the job file has {} bytes, and at most {FILE_BYTES_MAX} are read", bytes.len());
        return Err(whole(what, "is this the right file? Data belongs under `workdir` or `file_mounts`"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let what = format!("the job file is not UTF-8 text: byte {} cannot be read", error.valid_up_to());
        whole(what, "is this the right file? If so, save it as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The one document in a text.
pub(super) fn tree(text: &str) -> Result<Node, Problem> {
    Builder::new(text).document()
}

struct Builder<'a> {
    text: &'a str,
    events: Parser<'a, StrInput<'a>>,
    nodes: usize,
    /// Keys from the top of the file to what is being read.
    path: Vec<String>,
    /// Where the lists and mappings begin that are being read.
    open: Vec<Position>,
}

fn position(event: &Event<'_>, span: Span) -> Position {
    let (start, end) = (span.start, span.end);
    let width = match event {
        Event::SequenceStart(..) | Event::MappingStart(..) => 1,
        _ if end.line() > start.line() => usize::MAX,
        _ => end.col().saturating_sub(start.col()),
    };
    Position { line: start.line(), column: start.col() + 1, width }
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, events: Parser::new_from_str(text), nodes: 0, path: Vec::new(), open: Vec::new() }
    }

    fn next(&mut self) -> Result<(Event<'a>, Position), Problem> {
        match self.events.next_event() {
            Some(Ok((event, span))) => {
                let at = position(&event, span);
                Ok((event, at))
            }
            Some(Err(error)) => Err(self.not_yaml(&error)),
            None => Ok((Event::StreamEnd, Position::default())),
        }
    }

    fn document(&mut self) -> Result<Node, Problem> {
        no_control_characters(self.text)?;
        let empty = || {
            let what = "the job file is empty";
            Problem::new(Position::default(), "", what, "write at least `name:` and `run:`")
        };
        loop {
            match self.next()? {
                (Event::StreamStart | Event::Nothing | Event::DocumentStart(_), _) => {}
                (Event::StreamEnd | Event::DocumentEnd, _) => return Err(empty()),
                (event, at) => {
                    let root = self.node(event, at, 0)?;
                    self.end()?;
                    return if root.is_null() { Err(empty()) } else { Ok(root) };
                }
            }
        }
    }

    fn end(&mut self) -> Result<(), Problem> {
        loop {
            match self.next()? {
                (Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, at) => {
                    let what = "several documents in one file (a pipeline) are not supported yet";
                    return Err(Problem::new(at, "", what, "keep one job per file"));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: Position, depth: usize) -> Result<Node, Problem> {
        self.nodes += 1;
        let too_much = |builder: &Self, what: String| {
            let help = "a job file is small: put data under `workdir` or `file_mounts`";
            Err(builder.problem(at, what, help))
        };
        if self.nodes > NODES_MAX {
            return too_much(self, format!("the job file has more than {NODES_MAX} keys and values"));
        }
        if depth > DEPTH_MAX {
            return too_much(self, format!("the job file is nested more than {DEPTH_MAX} levels deep"));
        }
        self.refuse_indirection(&event, at)?;
        let value = match event {
            Event::Scalar(text, style, ..) => {
                Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(..) => {
                self.open.push(at);
                Value::List(self.list(depth)?)
            }
            Event::MappingStart(..) => {
                self.open.push(at);
                Value::Map(self.map(depth)?)
            }
            _ => {
                let what = "the job file ends where a value is expected";
                return Err(self.problem(at, what, "complete the last line"));
            }
        };
        Ok(Node { at, value })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => {
                    self.open.pop();
                    return Ok(items);
                }
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                self.open.pop();
                return Ok(entries);
            }
            let key = match self.node(event, at, depth + 1)?.value {
                Value::Scalar { text, .. } if text.len() <= KEY_BYTES_MAX => text,
                _ => {
                    let what = "this key is not a word";
                    let help = "write a short word and a colon, for example `run:`; quote values that begin with [ or {";
                    return Err(self.problem(at, what, help));
                }
            };
            self.path.push(clean(&key, 60));
            if let Some(first) = lines.insert(key.clone(), at.line) {
                let what = format!("`{}` is written twice, first in line {first}", clean(&key, 60));
                return Err(self.problem(at, what, "keep one of them"));
            }
            let (event, value_at) = self.next()?;
            // The parser has no place for an anchor or a tag itself; the key before it is the nearest.
            self.refuse_indirection(&event, at)?;
            let value = self.node(event, value_at, depth + 1)?;
            self.path.pop();
            entries.push(Entry { key, at, value });
        }
    }
    fn problem(&self, at: Position, what: impl Into<String>, help: &str) -> Problem {
        Problem::new(at, &self.path.join("."), what, help)
    }

    fn refuse_indirection(&self, event: &Event<'_>, at: Position) -> Result<(), Problem> {
        let (anchor, tag) = match event {
            Event::Alias(_) => {
                let what = "aliases (`*name`) are not supported yet";
                let help = "write the value out in full; if you mean a star, quote it: \"*\"";
                return Err(self.problem(at, what, help));
            }
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor > 0, tag.is_some()),
            _ => (false, false),
        };
        if anchor {
            let what = "anchors (`&name`) are not supported yet";
            let help = "remove the anchor and write the value out wherever it is used; quote a text that begins with &";
            return Err(self.problem(at, what, help));
        }
        if tag {
            let what = "tags (`!name`) are not supported yet";
            return Err(self.problem(at, what, "remove the tag; quote a text that begins with !"));
        }
        Ok(())
    }

    fn not_yaml(&self, error: &ScanError) -> Problem {
        let marker = error.marker();
        let at = Position { line: marker.line(), column: marker.col() + 1, width: 1 };
        let about = |parts: &[&str]| parts.iter().any(|part| error.info().contains(part));
        if about(&["flow", "illegal placement"])
            && let Some(opened) = self.open.last()
        {
            let what = "this is not YAML: a bracket is not closed, or a comma is missing after this one";
            return self.problem(
                *opened,
                what,
                "add what is missing; a `:` or `,` inside a text needs quotes",
            );
        }
        match COMPLAINTS.iter().find(|(part, ..)| about(&[part])) {
            Some((_, what, help)) => self.problem(at, format!("this is not YAML: {what}"), help),
            None => {
                let what = format!("this is not YAML: {}", error.info());
                self.problem(at, what, "check indentation, quotes, brackets, and the space after `:`")
            }
        }
    }
}

impl Node {
    /// Whether nothing is written, or YAML's word for it.
    pub(super) fn is_null(&self) -> bool {
        let Value::Scalar { text, plain: true } = &self.value else { return false };
        matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// The scanner takes a zero byte for the end of the text, and YAML allows no other control character either.
fn no_control_characters(text: &str) -> Result<(), Problem> {
    let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let Some((before, c)) = text.find(bad).and_then(|n| Some((&text[..n], text[n..].chars().next()?))) else {
        return Ok(());
    };
    let start = before.rfind(['\n', '\r']).map_or(0, |n| n + 1);
    let breaks = before.matches('\n').count() + before.replace("\r\n", "").matches('\r').count();
    let at = Position { line: breaks + 1, column: before[start..].chars().count() + 1, width: 1 };
    let what = format!("the control character U+{:04X} stands in the file", u32::from(c));
    Err(Problem::new(at, "", what, "remove it, or write it as an escape inside double quotes"))
}

/// What the scanner's usual complaints mean to a person: a part of its message, what is wrong, what to do.
const COMPLAINTS: &[(&str, &str, &str)] = &[
    ("tab", "a tab stands where YAML takes only spaces", "replace the tab with spaces"),
    (
        "mapping values are not allowed",
        "a `:` stands where no new key can begin",
        "quote a value that contains `: `, put a space after the `:` of each key, and check the indentation",
    ),
    ("unexpected end of stream", "a quoted text is not closed", "add the missing quote"),
    ("invalid indentation in quoted scalar", "a quoted text is not closed", "add the missing quote"),
    (
        "unknown escape character",
        "an unknown escape follows a backslash in double quotes",
        "use single quotes, or write the backslash twice",
    ),
    (
        "invalid trailing content",
        "something follows a closing quote",
        "put the whole value into quotes, and write a quote inside double quotes as \\\"",
    ),
    (
        "hexadecimal",
        "an unknown escape follows a backslash in double quotes",
        "use single quotes, or write the backslash twice",
    ),
    (
        "unknown anchor",
        "`*` begins an alias, and no such name is known",
        "write the value out in full; if you mean a star, quote the value",
    ),
    ("simple key expect", "this line is no `key: value`", "add the colon and a space after the key"),
    ("did not find expected key", "this line fits no block above it", "check its indentation"),
    ("unexpected character", "no value can begin with this character", "put the value into quotes"),
    ("recursion limit", "the job file is nested too deep", "write it flat: a job file needs four levels"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The work of reading is one node per event and at most one event past the bound.
    #[test]
    fn no_file_makes_more_work_than_the_bound() {
        let deep = |open: &str| format!("a: {}", open.repeat(FILE_BYTES_MAX / open.len() - 1));
        let bombs = [
            deep("["),
            deep("{a: "),
            format!("a:\n  {}", "- ".repeat(400_000)),
            format!("a: [{}", "x,".repeat(500_000)),
            format!("a: [{}", "[],".repeat(300_000)),
            (0..60_000).map(|n| format!("k{n}:\n")).collect(),
            format!("a: &a [{}]", "*a,".repeat(300_000)),
            "---\n".repeat(200_000),
            "? ".repeat(500_000),
        ];
        for text in bombs {
            let mut builder = Builder::new(&text);
            let refused = builder.document().is_err();
            assert!(refused, "{}", &text[..20]);
            assert!(builder.nodes <= NODES_MAX + 1, "{}: {} nodes", &text[..20], builder.nodes);
        }
    }

    #[test]
    fn the_place_of_a_control_character_counts_every_kind_of_line_break() {
        let problem = tree("a: 1\r\nb: 2\rc: 3\nd: \u{7}").unwrap_err();
        assert_eq!((problem.at.line, problem.at.column), (4, 4));
    }
}
