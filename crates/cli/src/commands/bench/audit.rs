//! The audit log: how fast rows become records of it on this disk, and how long the proof that a record stands in a log of a
//! million takes.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use custody::{Keystore, OsEntropy};
use domain::{Clock, NoProbe};
use engine::{Config, Engine, Parts};
use evidence::log::{Growing, Reader, includes, leaf_hash};
use market::Registry;
use store::Store;

use crate::commands::audit::verified;
use crate::failure::{Done, Exit, Failure};
use crate::plane::SystemClock;

const RECORDS: u32 = 20_000;
const LOG_RECORDS: u64 = 1_000_000;
/// Spread over the log: a prime step meets every part of it.
const PROOFS: u64 = 1_000;
const STEP: u64 = 611_953;

/// Records published a second, each batch synced; the whole log is verified afterwards.
pub(super) async fn records_per_s(folder: &Path) -> Done<f64> {
    let store = Store::open(folder, "bench").await.context("open a data store")?;
    let keys = Keystore::open(&folder.join("keys"), &OsEntropy).context("make keys")?;
    let clock = Arc::new(SystemClock);
    let mut tx = store.begin().await.context("write rows")?;
    for n in 0..RECORDS {
        let body = format!("{{\"execution\":\"x_{n}\",\"network\":\"bench\",\"hold_usd\":\"1.00\"}}");
        tx.outbox_add(clock.now(), "lease.intended", "l_bench", &body).await.context("write rows")?;
    }
    tx.commit().await.context("write rows")?;
    let engine = Engine::new(Parts {
        store: store.clone(),
        registry: Registry::new([]),
        keys: Arc::new(keys),
        clock,
        entropy: Arc::new(OsEntropy),
        probe: Arc::new(NoProbe),
        config: Config::default(),
        agent_url: String::new(),
    });
    let started = Instant::now();
    engine.audit_publish().await.context("publish the audit log")?;
    let took = started.elapsed();
    let records = verified(&engine, folder).await?;
    store.close().await;
    if records != u64::from(RECORDS) {
        return Err(Failure::new(Exit::Failed, "bench_stuck", format!("{records} records were published")));
    }
    Ok(f64::from(RECORDS) / took.as_secs_f64())
}

/// Microseconds for one proof of inclusion from tiles in memory, at a million records; each is checked.
pub(super) fn inclusion_proof_us() -> Done<f64> {
    let (mut log, mut tiles) = (Growing::default(), HashMap::new());
    let entry = |n: u64| format!("{{\"n\":{n}}}");
    for n in 0..LOG_RECORDS {
        log.push(entry(n).as_bytes()).context("grow a log")?;
        if n % 65_536 == 0 || n + 1 == LOG_RECORDS {
            let files = log.take_files().into_iter().filter(|(tile, _)| tile.level.is_some());
            tiles.extend(files.map(|(tile, bytes)| (tile.to_string(), bytes)));
        }
    }
    let (root, mut spent) = (log.root(), std::time::Duration::ZERO);
    for n in 0..PROOFS {
        let index = n * STEP % LOG_RECORDS;
        let started = Instant::now();
        let mut reader = Reader::new(LOG_RECORDS, |path: &str| Ok(tiles.get(path).cloned()));
        let proof = reader.inclusion(index, LOG_RECORDS).context("prove inclusion")?;
        spent += started.elapsed();
        if !includes(&leaf_hash(entry(index).as_bytes()), index, LOG_RECORDS, &root, &proof) {
            return Err(Failure::new(
                Exit::Failed,
                "bench_stuck",
                format!("the proof of {index} does not hold"),
            ));
        }
    }
    Ok(spent.as_secs_f64() * 1e6 / PROOFS as f64)
}
