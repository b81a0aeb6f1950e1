//! One row at a time, in memory that no file can make grow.

use std::io::BufRead;

use csv_core::{ReadRecordResult, Reader};

use super::CatalogError;

/// The bytes of a row's fields; a row of a catalogue has a few hundred.
const ROW_BYTES_MAX: usize = 64 * 1024;
const FIELDS_MAX: usize = 256;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Fields(Vec<String>),
    /// More than a row may have, for example because a quotation mark is never closed.
    TooLong,
    NotUtf8,
}

pub(super) struct Lines<R> {
    input: R,
    reader: Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    line: u64,
    /// Line breaks that were read.
    breaks: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        let (bytes, ends) = (vec![0; ROW_BYTES_MAX], vec![0; FIELDS_MAX]);
        Self { input, reader: Reader::new(), bytes, ends, line: 0, breaks: 0 }
    }

    /// The line on which the last row ended.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn next(&mut self) -> Result<Option<Line>, CatalogError> {
        let (mut filled, mut ended, mut too_long) = (0, 0, false);
        loop {
            let line = self.line;
            let input = self.input.fill_buf().map_err(|source| CatalogError::Read { line, source })?;
            let (result, used, written, ends) =
                self.reader.read_record(input, &mut self.bytes[filled..], &mut self.ends[ended..]);
            let breaks = input[..used].iter().filter(|byte| **byte == b'\n').count();
            self.breaks += breaks as u64;
            // A row may end before its line break does.
            let ended_line = used > 0 && input[used - 1] == b'\n';
            self.input.consume(used);
            (filled, ended) = (filled + written, ended + ends);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    // The rest of the row is read over what there is of it.
                    (filled, ended, too_long) = (0, 0, true);
                }
                ReadRecordResult::End => return Ok(None),
                ReadRecordResult::Record => {
                    self.line = self.breaks + u64::from(!ended_line);
                    return Ok(Some(if too_long { Line::TooLong } else { self.fields(ended) }));
                }
            }
        }
    }

    fn fields(&self, ended: usize) -> Line {
        let mut from = 0;
        let mut fields = Vec::with_capacity(ended);
        for end in self.ends.iter().take(ended) {
            let Ok(field) = std::str::from_utf8(&self.bytes[from..*end]) else { return Line::NotUtf8 };
            fields.push(field.trim().to_owned());
            from = *end;
        }
        Line::Fields(fields)
    }
}
