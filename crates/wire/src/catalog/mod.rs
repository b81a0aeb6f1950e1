//! A price catalogue: CSV, plain or gzipped, with one row per kind of machine and place. Read row by row in bounded memory;
//! what cannot be relied on is held back with a reason, never guessed.
//!
//! - `lines.rs`: fields of one row at a time, however long the file or the row.
//! - `columns.rs`: which columns there must be, and where they are.
//! - `listing.rs`: a row, checked, as listings: one on demand, one on spot.
//! - `regions/`: where clouds' region names are.

mod columns;
mod lines;
mod listing;
mod regions;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::BufRead;

use domain::{GpuModel, UsdPerHour};

use self::columns::Columns;
use self::lines::{Line, Lines};
pub use self::listing::{Held, Listing, Reason};
pub use self::regions::place_of;

/// Beyond so many different listings, repeated ones are no longer noticed: what is remembered of each must fit in memory.
pub const DUPLICATES_MAX: usize = 4_000_000;
/// So many different names of accelerators that nobody knows are kept; the rest is counted.
pub const UNKNOWN_GPUS_MAX: usize = 1_000;

/// A catalogue cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file breaks off, is no gzip file although it begins like one, or the disk fails.
    #[error("the catalogue cannot be read on, after line {line}")]
    Read {
        /// The last line that was read.
        line: u64,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It has no first line.
    #[error("the catalogue is empty: its first line must name the columns")]
    Empty,
    /// Its first line is no list of columns.
    #[error("the first line of the catalogue is no list of columns: {0}")]
    Header(&'static str),
    /// A column that decides about money or place is missing.
    #[error("the catalogue has no column {}", .0.join(", "))]
    Columns(Vec<&'static str>),
    /// Two columns have one name.
    #[error("the catalogue has two columns {0}")]
    Twice(&'static str),
}

/// What was in a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Rows below the first line.
    pub rows: u64,
    /// Listings that can be relied on; a row has one on demand, one on spot, or both.
    pub listings: u64,
    /// Rows and prices held back, by reason.
    pub held: BTreeMap<Reason, u64>,
    /// Names of accelerators that could not be read, at most [`UNKNOWN_GPUS_MAX`].
    pub unknown_gpus: BTreeSet<String>,
    /// Listings per model, by its canonical name; those without accelerator are not counted.
    pub models: BTreeMap<&'static str, u64>,
    /// Listings whose region is nowhere we know.
    pub places_unknown: u64,
    /// Whether all repeated listings were noticed.
    pub duplicates_complete: bool,
}

/// What comes out of a catalogue, in its order.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// It can be relied on.
    Listing(Box<Listing>),
    /// It cannot.
    Held(Held),
}

/// Reads a catalogue to its end. `plausible` tells whether a price per accelerator and hour can be that of a model; `sink` takes
/// every listing and every row held back, and ends the reading with `false`.
///
/// # Errors
/// The catalogue cannot be read, or decides nothing for lack of columns.
pub fn read(
    input: impl BufRead,
    plausible: &dyn Fn(GpuModel, UsdPerHour) -> bool,
    sink: &mut dyn FnMut(Entry) -> bool,
) -> Result<Summary, CatalogError> {
    let mut lines = Lines::new(input);
    let columns = match lines.next()? {
        None => return Err(CatalogError::Empty),
        Some(Line::Fields(fields)) => Columns::of(&fields)?,
        Some(Line::TooLong) => return Err(CatalogError::Header("it is too long")),
        Some(Line::NotUtf8) => return Err(CatalogError::Header("it is not UTF-8 text")),
    };
    let mut reading = Reading::new(plausible);
    while let Some(line) = lines.next()? {
        reading.summary.rows += 1;
        for entry in reading.entries(&columns, &line, lines.line()) {
            reading.count(&entry);
            if !sink(entry) {
                return Ok(reading.summary);
            }
        }
    }
    Ok(reading.summary)
}

/// Opens what may be gzipped.
///
/// # Errors
/// The first bytes cannot be read.
pub fn unzipped<'a>(mut input: impl BufRead + 'a) -> std::io::Result<Box<dyn BufRead + 'a>> {
    if input.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(std::io::BufReader::new(flate2::bufread::MultiGzDecoder::new(input))));
    }
    Ok(Box::new(input))
}

struct Reading<'a> {
    plausible: &'a dyn Fn(GpuModel, UsdPerHour) -> bool,
    summary: Summary,
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl<'a> Reading<'a> {
    fn new(plausible: &'a dyn Fn(GpuModel, UsdPerHour) -> bool) -> Self {
        let summary = Summary { duplicates_complete: true, ..Summary::default() };
        Self { plausible, summary, seen: HashSet::new(), hasher: RandomState::new() }
    }

    fn entries(&mut self, columns: &Columns, line: &Line, at: u64) -> Vec<Entry> {
        let held = |reason| vec![Entry::Held(Held { line: at, reason, what: String::new() })];
        let fields = match line {
            Line::Fields(fields) => fields,
            Line::TooLong => return held(Reason::RowTooLong),
            Line::NotUtf8 => return held(Reason::NotUtf8),
        };
        let listed = match listing::read(columns, fields, at) {
            Ok(listed) => listed,
            Err(one) => return vec![Entry::Held(one)],
        };
        listed.into_iter().map(|one| self.checked(one, at)).collect()
    }

    /// What only a second look shows: repeated listings, and prices that nobody asks.
    fn checked(&mut self, one: Result<Listing, Held>, line: u64) -> Entry {
        let listing = match one {
            Ok(listing) => listing,
            Err(held) => return Entry::Held(held),
        };
        let per_gpu = UsdPerHour::new(listing.price.per_hour().share(listing.gpu_count));
        if !(self.plausible)(listing.gpu.model(), per_gpu) {
            let what = format!("${per_gpu} per {} and hour", listing.gpu.model().name());
            return Entry::Held(Held { line, reason: Reason::AbsurdPrice, what });
        }
        let name = listing.reference();
        let key = self.hasher.hash_one((listing.provider.as_str(), &name, &listing.as_of));
        if self.seen.len() >= DUPLICATES_MAX {
            self.summary.duplicates_complete = false;
        } else if !self.seen.insert(key) {
            return Entry::Held(Held { line, reason: Reason::Duplicate, what: name });
        }
        Entry::Listing(Box::new(listing))
    }

    fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::Listing(listing) => {
                self.summary.listings += 1;
                *self.summary.models.entry(listing.gpu.model().name()).or_default() += 1;
                self.summary.places_unknown += u64::from(listing.place.is_none());
            }
            Entry::Held(held) => {
                *self.summary.held.entry(held.reason).or_default() += 1;
                if held.reason == Reason::UnknownGpu && self.summary.unknown_gpus.len() < UNKNOWN_GPUS_MAX {
                    self.summary.unknown_gpus.insert(held.what.clone());
                }
            }
        }
    }
}
