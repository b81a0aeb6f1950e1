//! `waag audit show`: the newest records.

use evidence::log::{Tile, Wrong, entries_of, tiles_of};
use serde::Serialize;
use wire::audit::Record;

use super::folder::Folder;
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;
use crate::show::table::{Side, Table};
use crate::show::text::clean;

#[derive(Debug, Serialize)]
struct RecordsDoc {
    origin: String,
    /// In the whole log.
    size: u64,
    /// Newest first.
    records: Vec<Record>,
}

pub(super) fn run(log: &Folder, limit: u64, out: &Out) -> Done {
    let key = log.key(None)?;
    let head = log.head(&key)?;
    let bundles: Vec<Tile> = tiles_of(head.size).take_while(|tile| tile.level.is_none()).collect();
    let (mut reader, mut records, mut next) = (log.reader(head.size), Vec::new(), head.size);
    for bundle in bundles.into_iter().rev() {
        if head.size - next >= limit {
            break;
        }
        let bytes = reader.bundle(bundle).map_err(|wrong| log.wrong(&wrong))?;
        for entry in entries_of(bundle, &bytes).map_err(|wrong: Wrong| log.wrong(&wrong))?.into_iter().rev() {
            if head.size - next >= limit {
                break;
            }
            next -= 1;
            let record = wire::audit::read(&head.origin, next, entry).map_err(|e| {
                let said = format!("{}: record {next} is not as it must be", log.path.display());
                Failure::new(Exit::NotProven, "audit_record", said).why(clean(&domain::chain(&e)))
            })?;
            records.push(record);
        }
    }
    let doc = RecordsDoc { origin: head.origin, size: head.size, records };
    out.either(&doc, || text(&doc));
    Ok(())
}

fn text(doc: &RecordsDoc) -> String {
    let mut table = Table::new(&[
        ("record", Side::Right),
        ("time", Side::Left),
        ("type", Side::Left),
        ("subject", Side::Left),
        ("data", Side::Left),
    ]);
    for record in &doc.records {
        let cells = [&record.id, &record.time, &record.kind, &record.subject, &record.data.to_string()];
        table.row(cells.map(|cell| clean(cell)));
    }
    format!("{}\n{} of {} records of {}", table.text(), doc.records.len(), doc.size, doc.origin)
}
