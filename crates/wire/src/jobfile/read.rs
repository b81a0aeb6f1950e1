//! From bytes to a small tree with positions. Anchors, aliases, tags and several documents are refused, which also
//! leaves no way to build a file that grows when it is read.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::FILE_BYTES_MAX;
use super::error::{JobFileError, Position, Problem, clean};

const NODES_MAX: usize = 20_000;
const DEPTH_MAX: usize = 16;

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

/// The file's tree and its text.
pub(super) fn tree<'a>(bytes: &'a [u8], file: &str) -> Result<(Node, &'a str), JobFileError> {
    let whole =
        |what: String, help: &str| Problem::new(Position::default(), "", what, help).in_file(file, "");
    if bytes.len() > FILE_BYTES_MAX {
        let what = format!("the job file has {} bytes, and at most {FILE_BYTES_MAX} are read", bytes.len());
        return Err(whole(what, "a job file is small: put data under `workdir` or `file_mounts`"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let what = format!("the job file is not UTF-8 text: byte {} cannot be read", error.valid_up_to());
        whole(what, "save it as UTF-8; is this the right file?")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder { events: Parser::new_from_str(text), nodes: 0 };
    builder.document().map(|root| (root, text)).map_err(|problem| problem.in_file(file, text))
}

struct Builder<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    nodes: usize,
}

fn position(span: Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Position), Problem> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, position(span))),
            Some(Err(error)) => {
                let marker = error.marker();
                let at = Position { line: marker.line(), column: marker.col() + 1 };
                let what = format!("this is not YAML: {}", clean(error.info(), 200));
                Err(Problem::new(
                    at,
                    "",
                    what,
                    "check indentation (spaces, no tabs), quotes, and the space after `:`",
                ))
            }
            None => Ok((Event::StreamEnd, Position::default())),
        }
    }

    fn document(&mut self) -> Result<Node, Problem> {
        let empty = |at| Problem::new(at, "", "the job file is empty", "write at least `name:` and `run:`");
        loop {
            match self.next()? {
                (Event::StreamStart | Event::Nothing | Event::DocumentStart(_), _) => {}
                (Event::StreamEnd | Event::DocumentEnd, at) => return Err(empty(at)),
                (event, at) => {
                    let root = self.node(event, at, 0)?;
                    self.end()?;
                    return match &root.value {
                        Value::Scalar { text, plain: true } if text.is_empty() => Err(empty(at)),
                        _ => Ok(root),
                    };
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
        if self.nodes > NODES_MAX || depth > DEPTH_MAX {
            let what =
                format!("the job file has more than {NODES_MAX} values or more than {DEPTH_MAX} levels");
            return Err(Problem::new(
                at,
                "",
                what,
                "a job file is small: put data under `workdir` or `file_mounts`",
            ));
        }
        let unusual = |what: &str| Err(Problem::new(at, "", what, "write the value out in full"));
        let value = match event {
            Event::Alias(_) => return unusual("aliases (`*name`) are not read in job files"),
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _)
                if anchor > 0 =>
            {
                return unusual("anchors (`&name`) are not read in job files");
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => {
                return unusual("tags (`!name`) are not read in job files");
            }
            Event::Scalar(text, style, _, None) => {
                Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(..) => Value::List(self.list(depth)?),
            Event::MappingStart(..) => Value::Map(self.map(depth)?),
            _ => return unusual("the job file ends where a value is expected"),
        };
        Ok(Node { at, value })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let Value::Scalar { text: key, .. } = self.node(event, at, depth + 1)?.value else {
                return Err(Problem::new(
                    at,
                    "",
                    "a key is not a plain word",
                    "write keys as words, for example `run:`",
                ));
            };
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let what = format!(
                    "`{}` stands here a second time (first in line {})",
                    clean(&key, 60),
                    first.at.line
                );
                return Err(Problem::new(at, &key, what, "keep one of them"));
            }
            let (event, value_at) = self.next()?;
            let value = self.node(event, value_at, depth + 1)?;
            entries.push(Entry { key, at, value });
        }
    }
}
