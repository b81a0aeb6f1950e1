//! `waag audit export`: a copy of the log that stands alone.

use std::path::Path;

use anyhow::Context;
use evidence::log::{CHECKPOINT, Tile, Wrong, tiles_of};
use serde::Serialize;

use super::folder::{Folder, KEY_FILE, RECEIPTS_FILE};
use crate::failure::{Done, Exit, Failure};
use crate::show::Out;

#[derive(Debug, Serialize)]
struct ExportDoc {
    folder: String,
    origin: String,
    key: String,
    records: u64,
    files: usize,
}

pub(super) fn run(log: &Folder, to: &Path, out: &Out) -> Done {
    let key = log.key(None)?;
    // The head first: what is published while we copy belongs to a later one.
    let head_bytes = log.head_bytes()?;
    let head = log.head(&key)?;
    make_empty(to)?;
    let mut reader = log.reader(head.size);
    let mut files = 0;
    for tile in tiles_of(head.size) {
        let bytes = bytes(&mut reader, tile).map_err(|wrong| log.wrong(&wrong))?;
        write(to, &tile.to_string(), &bytes)?;
        files += 1;
    }
    for name in [KEY_FILE, RECEIPTS_FILE] {
        if let Some(bytes) = log.read(name).map_err(|wrong| log.wrong(&wrong))? {
            write(to, name, &bytes)?;
            files += 1;
        }
    }
    write(to, CHECKPOINT, &head_bytes)?;
    let doc = ExportDoc {
        folder: to.display().to_string(),
        origin: head.origin,
        key: key.to_string(),
        records: head.size,
        files: files + 1,
    };
    out.either(&doc, || {
        format!("{} records of {} in {}\nkey  {}", doc.records, doc.origin, doc.folder, doc.key)
    });
    out.next(&format!("waag audit verify {}", to.display()));
    Ok(())
}

fn bytes<R>(reader: &mut evidence::log::Reader<R>, tile: Tile) -> Result<Vec<u8>, Wrong>
where
    R: FnMut(&str) -> Result<Option<Vec<u8>>, Wrong>,
{
    match tile.level {
        Some(_) => Ok(reader.hashes(tile)?.concat()),
        None => reader.bundle(tile),
    }
}

fn make_empty(to: &Path) -> Done {
    std::fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    let mut there = std::fs::read_dir(to).with_context(|| format!("look into {}", to.display()))?;
    if there.next().is_some() {
        let said = format!("{} is not empty", to.display());
        return Err(Failure::new(Exit::Usage, "folder_not_empty", said)
            .next("name a new folder, so that nothing of another log is left in it"));
    }
    Ok(())
}

fn write(to: &Path, name: &str, bytes: &[u8]) -> Done {
    let path = to.join(name);
    let parent = path.parent().unwrap_or(to);
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(&path, bytes))
        .with_context(|| format!("write {}", path.display()))?;
    Ok(())
}
