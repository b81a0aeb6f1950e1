//! What the job's folders take on the host's disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Files counted before the answer is "too much": a job with more is over any limit worth the scan.
const ENTRIES_MAX: usize = 10_000_000;
const BLOCK_BYTES: u64 = 512;

/// Bytes allocated below a folder, links not followed; stops counting beyond `max`, and answers `u64::MAX` beyond ten
/// million entries. Folders that cannot be read count as nothing, since the workload may change them meanwhile.
pub fn disk_usage(folder: &Path, max: u64) -> u64 {
    let mut total = 0u64;
    let mut folders = vec![folder.to_owned()];
    let mut entries_seen = 0usize;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            entries_seen += 1;
            if entries_seen > ENTRIES_MAX {
                return u64::MAX;
            }
            let Ok(meta) = entry.metadata() else { continue };
            total = total.saturating_add(meta.blocks().saturating_mul(BLOCK_BYTES));
            if meta.is_dir() {
                folders.push(entry.path());
            }
            if total > max {
                return total;
            }
        }
    }
    total
}
