//! `waag audit verify`: a whole log, from its bytes and a public key.

use std::collections::BTreeMap;
use std::path::Path;

use custody::note_verify;
use evidence::log::{Checkpoint, Key, Wrong, check, consistent};
use serde::Serialize;
use wire::audit::RecordError;

use super::folder::{Folder, failed};
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;
use crate::show::table::{Side, Table};
use crate::show::text::clean;

/// A log that was verified, and what is in it.
pub(super) struct Verified {
    pub(super) head: Checkpoint,
    first: Option<String>,
    last: Option<String>,
    kinds: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct VerifiedDoc {
    verified: bool,
    origin: String,
    records: u64,
    /// Hex.
    root: String,
    key: String,
    /// Whether the key came from the folder itself, which proves less.
    key_from_folder: bool,
    /// Size of the older checkpoint that it continues.
    continues: Option<u64>,
    first: Option<String>,
    last: Option<String>,
    /// Records by type.
    kinds: BTreeMap<String, u64>,
}

/// What stops a walk over the records.
enum Stop {
    Log(Wrong),
    Record(u64, RecordError),
}

impl From<Wrong> for Stop {
    fn from(wrong: Wrong) -> Self {
        Self::Log(wrong)
    }
}

pub(super) fn run(folder: &Folder, key_file: Option<&Path>, from: Option<&Path>, out: &Out) -> Done {
    let key = folder.key(key_file)?;
    let verified = whole(folder, &key)?;
    let continues = from.map(|from| continues(folder, &key, &verified.head, from)).transpose()?;
    let doc = VerifiedDoc {
        verified: true,
        origin: verified.head.origin,
        records: verified.head.size,
        root: hex::encode(verified.head.root),
        key: key.to_string(),
        key_from_folder: key_file.is_none(),
        continues,
        first: verified.first,
        last: verified.last,
        kinds: verified.kinds,
    };
    out.either(&doc, || text(&doc));
    if doc.key_from_folder {
        out.next("compare the key with the one you were given another way, or name that with --key");
    }
    Ok(())
}

/// Verifies signature, tree and records.
pub(super) fn whole(folder: &Folder, key: &Key) -> Done<Verified> {
    let head = folder.head(key)?;
    let (mut first, mut last, mut kinds) = (None, None, BTreeMap::new());
    let walked = check(&mut folder.reader(head.size), &head, |index, bytes| {
        let record = wire::audit::read(&head.origin, index, bytes).map_err(|e| Stop::Record(index, e))?;
        *kinds.entry(record.kind).or_insert(0) += 1;
        if index == 0 {
            first = Some(record.time.clone());
        }
        last = Some(record.time);
        Ok(())
    });
    match walked {
        Ok(()) => Ok(Verified { head, first, last, kinds }),
        Err(Stop::Log(wrong)) => Err(folder.wrong(&wrong)),
        Err(Stop::Record(index, error)) => {
            let said = format!("{}: record {index} is not as it must be", folder.path.display());
            Err(Failure::new(Exit::NotProven, "audit_record", said)
                .why(clean(&domain::chain(&error)))
                .next("it was signed so: whoever signed it is to explain it"))
        }
    }
}

/// Whether the log continues an older checkpoint; gives the size of that.
fn continues(folder: &Folder, key: &Key, head: &Checkpoint, from: &Path) -> Done<u64> {
    let bytes = std::fs::read(from).map_err(|e| {
        failed(&Wrong::Unreadable { path: "the checkpoint".to_owned(), why: e.to_string() }, from)
    })?;
    let older = Checkpoint::open(&bytes, key, &note_verify).map_err(|wrong| failed(&wrong, from))?;
    if older.size > head.size {
        return Err(folder.wrong(&Wrong::Smaller { found: head.size, known: older.size }));
    }
    if !continued(folder, &older, head).map_err(|wrong| folder.wrong(&wrong))? {
        return Err(folder.wrong(&Wrong::Inconsistent { from: older.size, to: head.size }));
    }
    Ok(older.size)
}

/// Whether the folder has the proof that the newer head continues the older one.
pub(super) fn continued(folder: &Folder, older: &Checkpoint, newer: &Checkpoint) -> Result<bool, Wrong> {
    let proof = folder.reader(newer.size).consistency(older.size, newer.size)?;
    Ok(consistent((older.size, &older.root), (newer.size, &newer.root), &proof))
}

fn text(doc: &VerifiedDoc) -> String {
    let span = match (&doc.first, &doc.last) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    let continues = doc.continues.map_or_else(String::new, |size| {
        format!("\ncontinues  the checkpoint of {size} records: nothing before it was changed")
    });
    let from = if doc.key_from_folder { " (from the folder itself)" } else { "" };
    let mut table = Table::new(&[("type", Side::Left), ("records", Side::Right)]);
    for (kind, count) in &doc.kinds {
        table.row([clean(kind), count.to_string()]);
    }
    format!(
        "verified   {} records of {}{span}\nroot       {}\nkey        {}{from}{continues}\n\n{}",
        doc.records,
        doc.origin,
        doc.root,
        doc.key,
        table.text()
    )
}
