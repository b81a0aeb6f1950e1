//! Reads recorded traces: a folder of CSV files, some of them gzipped. An error names file, line and field.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use domain::Timestamp;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::{Done, Exit, Failure};
use crate::show::text::clean;

const INDEX: &str = "spot/index.csv";
const INTERVALS: &str = "spot/intervals.csv.gz";
const LIFETIMES: &str = "spot/lifetimes_2020.csv";
const PRICES: &str = "price_history/aws_spot_changes.csv.gz";
const BASELINES: &str = "baselines_spot.csv";
/// Bytes of one file, unpacked, at the most; the largest that is known has some eight MiB.
const FILE_MAX: u64 = 256 << 20;
/// Ticks of all traces together at the most: a byte of memory each.
const TICKS_MAX: u64 = 256 << 20;

/// Spot capacity of one kind in one zone, looked at once per tick.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trace {
    pub(crate) about: TraceRow,
    /// Of the first tick; the epoch where the file does not know.
    pub(crate) start: Timestamp,
    /// In the order of time, without gaps.
    pub(crate) runs: Vec<Run>,
}

/// What `spot/index.csv` says about a trace.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct TraceRow {
    pub(crate) trace_id: String,
    pub(crate) provider: String,
    pub(crate) zone: String,
    pub(crate) instance_type: String,
    /// Empty for a machine without any.
    pub(crate) gpu: String,
    /// `availability`: a launch would succeed. `preemption`: held nodes are alive. `fleet`: the size of a fleet.
    pub(crate) kind: String,
    pub(crate) start_utc: String,
    /// Length of a tick.
    pub(crate) gap_seconds: u32,
    /// Of one node; older files do not say.
    #[serde(default)]
    pub(crate) gpus_per_node: u32,
    /// Nodes asked for.
    pub(crate) capacity: u32,
    pub(crate) n_ticks: u32,
}

/// Ticks in a row with the same number of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) ticks: u32,
    pub(crate) available: u32,
}

#[derive(Debug, Deserialize)]
struct RunRow {
    trace_id: String,
    start_tick: u32,
    n_ticks: u32,
    available: u32,
}

/// One machine, held until it was lost.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Lifetime {
    pub(crate) provider: String,
    pub(crate) zone: String,
    pub(crate) gpu: String,
    pub(crate) created_utc: String,
    /// It was alive then.
    pub(crate) last_seen_running_s: f64,
    /// And lost by then.
    pub(crate) gone_by_s: Option<f64>,
    /// 1: it was alive when the log ended.
    pub(crate) censored: u8,
}

/// A spot price from this moment on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct PriceChange {
    pub(crate) unix_s: i64,
    pub(crate) instance_type: String,
    pub(crate) region: String,
    pub(crate) zone: String,
    /// USD per hour for the whole instance; nothing when none is offered.
    pub(crate) spot_usd_hour: Option<f64>,
    /// `price`, `initial` or `gone`.
    pub(crate) event: String,
}

/// What a run of a known policy cost by the reference simulator.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Baseline {
    pub(crate) policy: String,
    /// Several are joined with `+`.
    pub(crate) trace_id: String,
    pub(crate) start_tick: usize,
    pub(crate) work_h: f64,
    pub(crate) deadline_h: f64,
    pub(crate) delay_h: f64,
    pub(crate) cost_usd: f64,
    /// 1: after the deadline.
    pub(crate) late: u8,
    pub(crate) bound_usd: f64,
}

/// The folder that holds `spot/` and `price_history/`: `folder` itself, or its `public`.
pub(crate) fn root(folder: &Path) -> Done<PathBuf> {
    let holds = |at: &Path| at.join("spot").is_dir() || at.join("price_history").is_dir();
    let candidates = [folder.to_owned(), folder.join("public")];
    candidates.into_iter().find(|at| holds(at)).ok_or_else(|| {
        bad(format!("{} holds no traces", folder.display()))
            .why("neither it nor its `public` has a folder `spot` or `price_history`")
            .next("name the folder that holds `spot` or `price_history`")
    })
}

/// All traces with their ticks; nothing where the folder has none.
pub(crate) fn traces(root: &Path) -> Done<Option<Vec<Trace>>> {
    let (Some(index), Some(rows)) = (table::<TraceRow>(root, INDEX)?, table::<RunRow>(root, INTERVALS)?)
    else {
        return Ok(None);
    };
    let mut traces = Vec::with_capacity(index.len());
    let mut place = BTreeMap::new();
    for (line, about) in index {
        let start = time(&about.start_utc).ok_or_else(|| {
            wrong(
                INDEX,
                line,
                "start_utc",
                &about.start_utc,
                "write 2023-02-15T00:00:00Z, the day alone, or nothing",
            )
        })?;
        if about.gap_seconds == 0 || about.capacity == 0 {
            return Err(wrong(INDEX, line, "gap_seconds or capacity", "0", "write a number above 0"));
        }
        if place.insert(about.trace_id.clone(), traces.len()).is_some() {
            return Err(wrong(INDEX, line, "trace_id", &about.trace_id, "name each trace once"));
        }
        traces.push(Trace { about, start, runs: Vec::new() });
    }
    fill(&mut traces, &place, rows)?;
    Ok(Some(traces))
}

/// Gives each trace its ticks, of which there must be as many as the index says.
fn fill(traces: &mut [Trace], place: &BTreeMap<String, usize>, rows: Vec<(u64, RunRow)>) -> Done {
    let (mut ends, mut total): (Vec<u32>, u64) = (vec![0; traces.len()], 0);
    for (line, row) in rows {
        let Some(&at) = place.get(&row.trace_id) else {
            let fix = format!("name a trace of {INDEX}");
            return Err(wrong(INTERVALS, line, "trace_id", &row.trace_id, &fix));
        };
        if row.start_tick != ends[at] {
            let fix = format!("this trace goes on at tick {}, without gap or overlap", ends[at]);
            return Err(wrong(INTERVALS, line, "start_tick", &row.start_tick.to_string(), &fix));
        }
        total = total.saturating_add(u64::from(row.n_ticks));
        if row.n_ticks == 0 || total > TICKS_MAX {
            let fix = format!("write a number above 0, and {TICKS_MAX} for all traces together at the most");
            return Err(wrong(INTERVALS, line, "n_ticks", &row.n_ticks.to_string(), &fix));
        }
        ends[at] = ends[at].saturating_add(row.n_ticks);
        traces[at].runs.push(Run { ticks: row.n_ticks, available: row.available });
    }
    for (Trace { about, .. }, end) in traces.iter().zip(ends) {
        if about.n_ticks != end {
            let TraceRow { trace_id, n_ticks, .. } = about;
            let what =
                format!("{INDEX} says that {} has {n_ticks} ticks, {INTERVALS} has {end}", clean(trace_id));
            return Err(bad(what).next("get both files again, from the same place"));
        }
    }
    Ok(())
}

/// What known policies cost, each row with its line; nothing where the folder has none.
pub(crate) fn baselines(root: &Path) -> Done<Option<Vec<(u64, Baseline)>>> {
    let rows = table::<Baseline>(root, BASELINES)?;
    for (line, row) in rows.iter().flatten() {
        let numbers = [("cost_usd", row.cost_usd), ("bound_usd", row.bound_usd)];
        if let Some((field, found)) = numbers.into_iter().find(|(_, n)| !n.is_finite() || *n < 0.0) {
            return Err(wrong(BASELINES, *line, field, &found.to_string(), "write a number from 0"));
        }
    }
    Ok(rows)
}

/// All lifetimes; nothing where the folder has none.
pub(crate) fn lifetimes(root: &Path) -> Done<Option<Vec<Lifetime>>> {
    Ok(table(root, LIFETIMES)?.map(without_lines))
}

/// All price changes; nothing where the folder has none.
pub(crate) fn prices(root: &Path) -> Done<Option<Vec<PriceChange>>> {
    Ok(table(root, PRICES)?.map(without_lines))
}

/// A time as these files write it, or a day alone; the epoch for an empty text, nothing for another text.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    if text.is_empty() {
        return Some(Timestamp(0));
    }
    let day = text.len() == "2023-02-15".len();
    let moment = if day { format!("{text}T00:00:00") } else { text.strip_suffix('Z')?.to_owned() };
    format!("{moment}.000Z").parse().ok()
}

fn without_lines<T>(rows: Vec<(u64, T)>) -> Vec<T> {
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The rows of a file, each with its line; nothing when there is no such file.
fn table<T: DeserializeOwned>(root: &Path, name: &str) -> Done<Option<Vec<(u64, T)>>> {
    let path = root.join(name);
    if !path.exists() {
        return Ok(None);
    }
    let file = BufReader::new(File::open(&path).with_context(|| format!("open {}", path.display()))?);
    let plain: Box<dyn Read> =
        if name.ends_with(".gz") { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut reader = csv::Reader::from_reader(Bounded { plain, left: FILE_MAX });
    let header = reader.headers().map_err(|error| unreadable(name, None, &error))?.clone();
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| unreadable(name, None, &error))? {
        let line = record.position().map_or(0, csv::Position::line);
        let row =
            record.deserialize(Some(&header)).map_err(|error| unreadable(name, Some(&header), &error))?;
        rows.push((line, row));
    }
    Ok(Some(rows))
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

fn unreadable(name: &str, header: Option<&csv::StringRecord>, error: &csv::Error) -> Failure {
    let line = error.position().map_or(0, csv::Position::line);
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
        return bad(format!("{name} cannot be read")).why(error).next("mend the file, or leave it out");
    };
    let field = err.field().and_then(|field| header?.get(usize::try_from(field).ok()?));
    let at = field.map_or(String::new(), |field| format!(", field `{field}`"));
    bad(format!("{name}, line {line}{at}: {}", err.kind()))
        .next("write what the data's README says of this field, or leave the file out")
}

fn wrong(name: &str, line: u64, field: &str, found: &str, fix: &str) -> Failure {
    bad(format!("{name}, line {line}, field `{field}`: `{}` does not fit", clean(found))).next(fix)
}

/// The folder cannot be measured on.
pub(crate) fn bad(message: String) -> Failure {
    Failure::new(Exit::Usage, "traces_unreadable", message)
}

impl Trace {
    /// Whether all nodes asked for are there, tick by tick.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = bool> + '_ {
        self.runs
            .iter()
            .flat_map(|run| std::iter::repeat_n(run.available >= self.about.capacity, run.ticks as usize))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const INDEX_HEAD: &str =
        "trace_id,provider,zone,instance_type,gpu,kind,start_utc,gap_seconds,capacity,n_ticks\n";
    const RUNS_HEAD: &str = "trace_id,start_tick,n_ticks,available\n";

    /// A folder with one trace `a` of two nodes and these rows of ticks.
    fn folder(index: &str, runs: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("public/spot")).unwrap();
        let at = folder.path().join("public");
        std::fs::write(at.join(INDEX), format!("{INDEX_HEAD}{index}")).unwrap();
        let mut gz = GzEncoder::new(File::create(at.join(INTERVALS)).unwrap(), Compression::fast());
        gz.write_all(format!("{RUNS_HEAD}{runs}").as_bytes()).unwrap();
        gz.finish().unwrap();
        folder
    }

    const ROW: &str = "a,aws,z,p3,V100,availability,2023-02-15T00:00:00Z,600,2,4\n";

    fn read(index: &str, runs: &str) -> Done<Vec<Trace>> {
        let folder = folder(index, runs);
        Ok(traces(&root(folder.path())?)?.unwrap())
    }

    fn refused(index: &str, runs: &str) -> String {
        let body = read(index, runs).unwrap_err().body;
        assert_eq!(body.code, "traces_unreadable");
        assert!(body.next.is_some());
        body.message
    }

    #[test]
    fn a_trace_is_up_while_all_its_nodes_are_there() {
        let traces = read(ROW, "a,0,2,2\na,2,1,1\na,3,1,0\n").unwrap();
        assert_eq!(traces[0].ticks().collect::<Vec<_>>(), [true, true, false, false]);
        assert_eq!(traces[0].start, Timestamp(1_676_419_200_000));
        assert_eq!(time("2023-02-15"), Some(traces[0].start));
    }

    #[test]
    fn what_does_not_fit_is_named_by_file_line_and_field() {
        let message = refused(ROW, "a,0,2,2\na,2,many,1\n");
        assert!(message.starts_with("spot/intervals.csv.gz, line 3, field `n_ticks`"), "{message}");
        let message = refused(ROW, "a,0,2,2\na,3,1,1\n");
        assert!(message.starts_with("spot/intervals.csv.gz, line 3, field `start_tick`: `3`"), "{message}");
        let message = refused(ROW, "b,0,2,2\n");
        assert!(message.contains("line 2, field `trace_id`: `b`"), "{message}");
        let message = refused(&ROW.replace("2023-02-15T00:00:00Z", "yesterday"), "");
        assert!(message.contains("spot/index.csv, line 2, field `start_utc`"), "{message}");
        let message = refused(&ROW.replace("600", "0"), "");
        assert!(message.contains("gap_seconds"), "{message}");
        let message = refused(ROW, "a,0,2,2\na,2,0,1\n");
        assert!(message.contains("line 3, field `n_ticks`: `0`"), "{message}");
        let message = refused(&[ROW, ROW].concat(), "");
        assert!(message.contains("spot/index.csv, line 3, field `trace_id`: `a`"), "{message}");
        let message = refused(ROW, "a,0,3,2\n");
        assert!(message.contains("says that a has 4 ticks, spot/intervals.csv.gz has 3"), "{message}");
        let wrong = folder(ROW, "a,0,4,2\n");
        let head = "policy,trace_id,start_tick,work_h,deadline_h,delay_h,cost_usd,late,bound_usd\n";
        let at = root(wrong.path()).unwrap();
        std::fs::write(at.join(BASELINES), format!("{head}greedy,a,0,48,53,0.2,NaN,0,1\n")).unwrap();
        let message = baselines(&at).unwrap_err().body.message;
        assert!(message.starts_with("baselines_spot.csv, line 2, field `cost_usd`: `NaN`"), "{message}");
    }

    #[test]
    fn a_missing_part_is_none_and_a_folder_without_any_is_refused() {
        let folder = folder(ROW, "a,0,4,2\n");
        let at = root(folder.path()).unwrap();
        assert!(prices(&at).unwrap().is_none() && lifetimes(&at).unwrap().is_none());
        assert!(baselines(&at).unwrap().is_none());
        std::fs::remove_file(at.join(INTERVALS)).unwrap();
        assert!(traces(&at).unwrap().is_none());
        assert!(root(tempfile::tempdir().unwrap().path()).is_err());
    }
}
