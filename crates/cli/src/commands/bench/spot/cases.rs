//! Which jobs are played on which traces.

use std::collections::BTreeMap;

use crate::traces::{self, TraceRow};

/// Hours of record that a job needs: the longest deadline, and time for a policy that is late.
const RECORD_H: f64 = 93.0;

/// A trace, tick by tick.
pub(super) struct Record {
    pub(super) about: TraceRow,
    pub(super) tick_s: f64,
    /// For every tick, whether all nodes are to be had.
    pub(super) up: Vec<bool>,
}

impl From<traces::Trace> for Record {
    fn from(trace: traces::Trace) -> Self {
        let up = trace.ticks().collect();
        Self { tick_s: f64::from(trace.about.gap_seconds), up, about: trace.about }
    }
}

/// Jobs that count together in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// One node in one zone.
    OneZone,
    /// All of several nodes or none.
    Gang,
    /// Several zones, tried in the order of their average availability, which nobody knows beforehand; moves are free.
    Hindsight { zones: usize },
    /// Several zones, tried in the order of their names; a move has its price.
    Zones { zones: usize },
}

impl Kind {
    pub(super) fn name(self) -> String {
        match self {
            Self::OneZone => "one_zone".to_owned(),
            Self::Gang => "gang".to_owned(),
            Self::Hindsight { zones } => format!("{zones}_zones_hindsight_free_moves"),
            Self::Zones { zones } => format!("{zones}_zones"),
        }
    }

    pub(super) const fn moves_cost(self) -> bool {
        matches!(self, Self::Zones { .. })
    }
}

/// One job's zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) kind: Kind,
    /// Places in the list of traces, in the order in which zones are tried.
    pub(super) zones: Vec<usize>,
}

/// Ticks of record that a job needs.
pub(super) fn ticks_needed(tick_s: f64) -> usize {
    // A few thousand at the most, as a tick is a second or more.
    (RECORD_H * 3600.0 / tick_s).ceil() as usize + 5
}

/// Whether jobs are played on a trace: the prices are those of a GPU, a fleet's size says nothing about one launch, and a
/// record must be long enough.
pub(super) fn is_used(trace: &Record) -> bool {
    !trace.about.gpu.is_empty() && trace.about.kind != "fleet" && trace.up.len() >= ticks_needed(trace.tick_s)
}

/// All cases: each trace alone, and zones whose records are of one kind and begin together.
pub(super) fn of(traces: &[Record]) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, trace) in traces.iter().enumerate().filter(|(_, trace)| is_used(trace)) {
        let kind = if trace.about.capacity > 1 { Kind::Gang } else { Kind::OneZone };
        cases.push(Case { kind, zones: vec![at] });
        if trace.about.capacity == 1 {
            let TraceRow { provider, instance_type, gpu, start_utc, kind, .. } = &trace.about;
            let tick = trace.tick_s.to_bits();
            groups.entry((provider, instance_type, gpu, start_utc, kind, tick)).or_default().push(at);
        }
    }
    let share = |at: &usize| {
        traces.get(*at).map_or(0.0, |trace| {
            trace.up.iter().filter(|up| **up).count() as f64 / trace.up.len().max(1) as f64
        })
    };
    for mut zones in groups.into_values().filter(|zones| zones.len() > 1) {
        zones.sort_by(|one, other| share(other).total_cmp(&share(one)));
        cases.push(Case { kind: Kind::Hindsight { zones: zones.len() }, zones: zones.clone() });
        let name = |at: &usize| traces.get(*at).map(|trace| (&trace.about.zone, &trace.about.trace_id));
        zones.sort_by(|one, other| name(one).cmp(&name(other)));
        cases.push(Case { kind: Kind::Zones { zones: zones.len() }, zones });
    }
    cases
}

/// First ticks of so many jobs, at even distances over what the shortest record leaves.
pub(super) fn starts(traces: &[&Record], jobs: u32) -> Vec<usize> {
    let shortest = traces.iter().map(|trace| trace.up.len()).min().unwrap_or(0);
    let needed = traces.first().map_or(0, |trace| ticks_needed(trace.tick_s));
    let last = shortest.saturating_sub(needed) as f64;
    let even = |job: u32| (f64::from(job) * last / f64::from(jobs.max(2) - 1)).round_ties_even() as usize;
    (0..jobs).map(even).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(id: &str, zone: &str, capacity: u32, share: usize) -> Record {
        Record {
            about: TraceRow {
                trace_id: id.to_owned(),
                provider: "aws".to_owned(),
                zone: zone.to_owned(),
                instance_type: "p3.2xlarge".to_owned(),
                gpus_per_node: 1,
                gpu: "V100".to_owned(),
                kind: "availability".to_owned(),
                start_utc: "2023-02-15T00:00:00Z".to_owned(),
                gap_seconds: 600,
                capacity,
                n_ticks: 1000,
            },
            tick_s: 600.0,
            up: (0..1000).map(|tick| tick % 10 < share).collect(),
        }
    }

    #[test]
    fn zones_that_begin_together_make_a_group_in_both_orders() {
        let mut fleet = trace("f", "d", 1, 5);
        fleet.about.kind = "fleet".to_owned();
        let mut cpu = trace("c", "d", 1, 5);
        cpu.about.gpu = String::new();
        let traces = [trace("x", "a", 1, 3), trace("y", "b", 1, 7), trace("z", "a", 4, 5), fleet, cpu];
        let cases = of(&traces);
        let zones: Vec<_> = cases.iter().map(|case| (case.kind, case.zones.as_slice())).collect();
        assert_eq!(
            zones,
            [
                (Kind::OneZone, [0].as_slice()),
                (Kind::OneZone, [1].as_slice()),
                (Kind::Gang, [2].as_slice()),
                (Kind::Hindsight { zones: 2 }, [1, 0].as_slice()),
                (Kind::Zones { zones: 2 }, [0, 1].as_slice()),
            ]
        );
    }

    #[test]
    fn starts_reach_from_the_first_tick_to_the_last_that_leaves_room() {
        let trace = trace("x", "a", 1, 3);
        assert_eq!(ticks_needed(600.0), 563);
        assert_eq!(starts(&[&trace], 3), [0, 218, 437]);
        assert_eq!(starts(&[&trace], 1), [0]);
    }
}
