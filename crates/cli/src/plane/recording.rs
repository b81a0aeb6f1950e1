//! Recorded spot capacity, as a simulated network plays it.

use std::path::Path;

use domain::{Accelerators, Millis};
use market::sim::{RecordedZone, Recording};

use crate::failure::Done;
use crate::traces::{self, Trace, bad};

/// The size of a fleet is not what a launch would find.
const FLEET: &str = "fleet";

/// All zones of a folder of traces.
pub(super) fn of(folder: &Path, pace: u32) -> Done<Recording> {
    let root = traces::root(folder)?;
    let traces = traces::traces(&root)?.ok_or_else(|| {
        bad(format!("{} holds no record of spot capacity", root.display()))
            .why("spot/index.csv and spot/intervals.csv.gz are both needed")
            .next("name another folder with --trace")
    })?;
    let zones = traces.into_iter().filter(|trace| trace.about.kind != FLEET).map(zone).collect();
    Recording::new(zones, pace)
        .map_err(|error| bad("the record cannot be played".to_owned()).why(error).next("mend the record"))
}

fn zone(trace: Trace) -> RecordedZone {
    let about = trace.about;
    let model = (!about.gpu.is_empty()).then_some(about.gpu);
    RecordedZone {
        region: wire::catalog::place_of(&about.provider, &about.zone),
        accelerators: model.map(|model| Accelerators { model, count: about.gpus_per_node.max(1) }),
        tick: Millis::from_secs(u64::from(about.gap_seconds)),
        runs: trace.runs.iter().map(|run| (run.ticks, run.available)).collect(),
        name: about.trace_id,
    }
}
