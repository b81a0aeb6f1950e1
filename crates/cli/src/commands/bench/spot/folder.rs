//! The folder of recorded availability: `spot/index.csv`, `spot/intervals.csv.gz`, and the costs of known policies.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};
use flate2::read::MultiGzDecoder;

use crate::failure::{Done, Exit, Failure};
use crate::show::text::clean;

/// Bytes of one file, unpacked, at the most; the largest that is known has half a MiB.
const FILE_MAX: u64 = 256 << 20;
/// Ticks of all traces together at the most: a byte of memory each.
const TICKS_MAX: u64 = 256 << 20;

/// One zone's record.
pub(super) struct Trace {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) zone: String,
    pub(super) instance_type: String,
    pub(super) gpu: String,
    pub(super) kind: String,
    pub(super) start_utc: String,
    pub(super) tick_s: f64,
    /// Nodes that are needed together.
    pub(super) capacity: u32,
    /// For every tick, whether all of them are to be had.
    pub(super) up: Vec<bool>,
}

/// A row of `baselines_spot.csv`.
pub(super) struct Known {
    pub(super) line: u64,
    pub(super) policy: String,
    pub(super) traces: Vec<String>,
    pub(super) start_tick: usize,
    pub(super) work_h: f64,
    pub(super) deadline_h: f64,
    pub(super) delay_h: f64,
    pub(super) cost_usd: f64,
    pub(super) late: bool,
    pub(super) bound_usd: f64,
}

/// Where the files are: in the folder itself, or in its subfolder `public`.
pub(super) struct Folder {
    pub(super) root: PathBuf,
}

impl Folder {
    pub(super) fn find(data: &Path) -> Done<Self> {
        for root in [data.to_owned(), data.join("public")] {
            if root.join("spot/index.csv").is_file() {
                return Ok(Self { root });
            }
        }
        let what = format!("{} holds no spot/index.csv, nor does its subfolder `public`", data.display());
        Err(Failure::new(Exit::Usage, "bench_data", what)
            .next("name the folder that holds spot/index.csv and spot/intervals.csv.gz"))
    }

    /// All traces, in the order of the index.
    pub(super) fn traces(&self) -> Done<Vec<Trace>> {
        let mut index = Rows::open(&self.root.join("spot/index.csv"))?;
        let (mut traces, mut ticks, mut places) = (Vec::new(), Vec::new(), HashMap::new());
        while let Some(row) = index.next()? {
            let trace = Trace {
                id: row.text("trace_id")?.to_owned(),
                provider: row.text("provider")?.to_owned(),
                zone: row.text("zone")?.to_owned(),
                instance_type: row.text("instance_type")?.to_owned(),
                gpu: row.text("gpu")?.to_owned(),
                kind: row.text("kind")?.to_owned(),
                start_utc: row.text("start_utc")?.to_owned(),
                tick_s: f64::from(row.number::<u32>("gap_seconds", 1)?),
                capacity: row.number("capacity", 1)?,
                up: Vec::new(),
            };
            if places.insert(trace.id.clone(), traces.len()).is_some() {
                return Err(row.wrong("trace_id", "it stands there twice", "name each trace once"));
            }
            ticks.push(row.number::<u64>("n_ticks", 0)?);
            traces.push(trace);
        }
        self.intervals(&mut traces, &places)?;
        for (trace, ticks) in traces.iter().zip(ticks) {
            if trace.up.len() as u64 != ticks {
                let what = format!(
                    "spot/index.csv says that {} has {ticks} ticks, spot/intervals.csv.gz has {}",
                    clean(&trace.id),
                    trace.up.len()
                );
                let next = "get both files again, from the same place";
                return Err(Failure::new(Exit::Usage, "bench_data", what).next(next));
            }
        }
        Ok(traces)
    }

    fn intervals(&self, traces: &mut [Trace], places: &HashMap<String, usize>) -> Done {
        let mut rows = Rows::open(&self.root.join("spot/intervals.csv.gz"))?;
        let mut total = 0_u64;
        while let Some(row) = rows.next()? {
            let place = places.get(row.text("trace_id")?);
            let Some(trace) = place.and_then(|place| traces.get_mut(*place)) else {
                return Err(row.wrong("trace_id", "the index has no such trace", "add it to spot/index.csv"));
            };
            let start: u64 = row.number("start_tick", 0)?;
            if start != trace.up.len() as u64 {
                let why = format!("the ticks before end at {}", trace.up.len());
                return Err(row.wrong("start_tick", &why, "let ticks follow without gap or overlap"));
            }
            let ticks: u64 = row.number("n_ticks", 1)?;
            total = total.saturating_add(ticks);
            if total > TICKS_MAX {
                let why = format!("all traces together have more than {TICKS_MAX} ticks");
                return Err(row.wrong("n_ticks", &why, "measure on fewer traces"));
            }
            let available: u32 = row.number("available", 0)?;
            // Bounded just above.
            trace.up.extend(std::iter::repeat_n(available >= trace.capacity, ticks as usize));
        }
        Ok(())
    }

    /// What known policies cost, made by the reference simulator.
    pub(super) fn known(&self) -> Done<Vec<Known>> {
        let mut rows = Rows::open(&self.root.join("baselines_spot.csv"))?;
        let mut known = Vec::new();
        while let Some(row) = rows.next()? {
            known.push(Known {
                line: row.line(),
                policy: row.text("policy")?.to_owned(),
                traces: row.text("trace_id")?.split('+').map(str::to_owned).collect(),
                start_tick: row.number("start_tick", 0)?,
                work_h: row.number("work_h", 0.0)?,
                deadline_h: row.number("deadline_h", 0.0)?,
                delay_h: row.number("delay_h", 0.0)?,
                cost_usd: row.number("cost_usd", 0.0)?,
                late: row.number::<u8>("late", 0)? != 0,
                bound_usd: row.number("bound_usd", 0.0)?,
            });
        }
        Ok(known)
    }
}

/// The rows of a file of comma-separated values with a heading.
struct Rows {
    path: PathBuf,
    reader: csv::Reader<Box<dyn Read>>,
    columns: HashMap<String, usize>,
    record: StringRecord,
}

impl Rows {
    fn open(path: &Path) -> Done<Self> {
        let unreadable = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Usage, "bench_data", format!("{} cannot be read", path.display()))
                .why(error)
                .next("name a folder that holds it, and see that you may read it")
        };
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        let packed = path.extension().is_some_and(|ending| ending == "gz");
        let plain: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let mut reader = ReaderBuilder::new().from_reader(Box::new(Bounded { plain, left: FILE_MAX }) as _);
        let headers = reader.headers().map_err(|error| unreadable(&error))?;
        let columns = headers.iter().enumerate().map(|(at, name)| (name.to_owned(), at)).collect();
        Ok(Self { path: path.to_owned(), reader, columns, record: StringRecord::new() })
    }

    fn next(&mut self) -> Done<Option<Row<'_>>> {
        match self.reader.read_record(&mut self.record) {
            Ok(true) => Ok(Some(Row { rows: self })),
            Ok(false) => Ok(None),
            Err(error) => {
                let line = self.reader.position().line();
                let what = format!("{} line {line} cannot be read", self.path.display());
                Err(Failure::new(Exit::Usage, "bench_data", what).why(error).next("get the file again"))
            }
        }
    }
}

/// Fails, rather than ends, where a file unpacks to more than is allowed.
struct Bounded {
    plain: Box<dyn Read>,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.plain.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| std::io::Error::other(format!("it unpacks to more than {FILE_MAX} bytes")))?;
        Ok(read)
    }
}

struct Row<'a> {
    rows: &'a Rows,
}

impl Row<'_> {
    fn line(&self) -> u64 {
        self.rows.record.position().map_or(0, csv::Position::line)
    }

    fn text(&self, field: &str) -> Done<&str> {
        let at = self.rows.columns.get(field);
        at.and_then(|at| self.rows.record.get(*at)).ok_or_else(|| {
            let what = format!("{} has no column `{field}`", self.rows.path.display());
            Failure::new(Exit::Usage, "bench_data", what).next("add the column to its first line")
        })
    }

    fn number<T: std::str::FromStr + PartialOrd>(&self, field: &str, least: T) -> Done<T> {
        match self.text(field)?.parse::<T>() {
            Ok(number) if number >= least => Ok(number),
            Ok(_) => Err(self.wrong(field, "it is too small", "give a larger number")),
            Err(_) => Err(self.wrong(field, "it is not a number of its kind", "give a number")),
        }
    }

    fn wrong(&self, field: &str, why: &str, next: &str) -> Failure {
        let value = self.rows.columns.get(field).and_then(|at| self.rows.record.get(*at)).unwrap_or_default();
        let path = self.rows.path.display();
        let what = format!("{path} line {}: `{field}` is `{}`", self.line(), clean(value));
        Failure::new(Exit::Usage, "bench_data", what).why(why).next(next)
    }
}
