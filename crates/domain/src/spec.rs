//! What the user asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::{Level, Millis, NetworkName, Region, Requirement, Timestamp, Usd, UsdPerHour};

/// A value that no job can have, with the field it stands in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SpecError {
    /// The field's path in the job file, e.g. `waag.verify.segments`.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// A job's name: 1 to 63 lower-case letters, digits and `-`, so that it can be part of a host name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(String);

impl JobName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for JobName {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty()
            || text.len() > 63
            || !text.bytes().all(fits)
            || text.starts_with('-')
            || text.ends_with('-')
        {
            let problem =
                "a name has 1 to 63 lower-case letters, digits and `-`, and no `-` at its ends".to_owned();
            return Err(SpecError { field: "name", problem });
        }
        Ok(Self(text.to_owned()))
    }
}

/// What the user asked for, as read from the job file and checked. Secret values are not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSpec {
    /// The job's name.
    pub name: JobName,
    /// Hardware.
    pub resources: Requirement,
    /// Only machines that may be taken away, or only those that stay; both where it is not said.
    pub use_spot: Option<bool>,
    /// Networks it may be bought on (`resources.infra`).
    pub infra: Targets,
    /// The dearest price per hour: the lower of `resources.max_hourly_cost` and `waag.budget.max_hourly_usd`.
    pub max_hourly: Option<UsdPerHour>,
    /// Environment of the workload.
    pub envs: BTreeMap<String, String>,
    /// Names of secrets; the values travel only in the sealed bundle.
    pub secrets: BTreeSet<String>,
    /// A folder of the user's machine that becomes the workload's working directory.
    pub workdir: Option<String>,
    /// Folders and files of the user's machine and where they appear, in the order of the inside paths.
    pub file_mounts: Vec<FileMount>,
    /// Shell text that runs before `run`.
    pub setup: Option<String>,
    /// Shell text: the workload.
    pub run: String,
    /// What it demands of whoever runs it.
    pub level: Level,
    /// How much it may cost.
    pub budget: Budget,
    /// From the opening of its window, which is its admission where it names none, to the end.
    pub deadline: Millis,
    /// How long the whole job runs, as far as its owner knows.
    pub expected_run: Option<Millis>,
    /// When it may run.
    pub window: Window,
    /// Where it may run; empty is anywhere.
    pub regions: BTreeSet<Region>,
    /// Where the workload keeps its states, inside.
    pub checkpoint_path: Option<String>,
    /// Where the workload leaves its outputs, inside.
    pub outputs_path: Option<String>,
    /// What a wrong result could cost; zero means the price of the job.
    pub value_at_risk: Usd,
    /// Whether the workload may reach a network.
    pub network: bool,
    /// How its result is checked.
    pub verify: Verify,
    /// What happens when a provider is lost.
    pub failover: FailoverRule,
    /// The least chance that a provider keeps its promise, as a lower bound, in ten-thousandths; zero asks for none.
    pub availability_bps: u32,
    /// What kind of work it is.
    pub class: Option<WorkClass>,
}

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkClass {
    /// Answers requests while somebody waits.
    Inference,
    /// Trains a model.
    Training,
    /// Anything whose time is flexible.
    Batch,
    /// Prepares data, mostly on processors.
    Preprocessing,
    /// Makes images.
    Rendering,
}

impl WorkClass {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Inference, Self::Training, Self::Batch, Self::Preprocessing, Self::Rendering];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::Training => "training",
            Self::Batch => "batch",
            Self::Preprocessing => "preprocessing",
            Self::Rendering => "rendering",
        }
    }

    /// The class with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }
}

/// A folder or file of the user's machine and where it appears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMount {
    /// Absolute path inside.
    pub inside: String,
    /// Path on the user's machine, relative to the job file.
    pub source: String,
}

/// When a job may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Nothing is bought before.
    pub start_after: Option<Timestamp>,
    /// It ends by then, whatever its deadline leaves.
    pub finish_by: Option<Timestamp>,
}

impl Window {
    /// When a job that is taken at `admitted` may begin.
    pub fn opens(&self, admitted: Timestamp) -> Timestamp {
        self.start_after.map_or(admitted, |after| after.max(admitted))
    }
}

/// Caps on cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The whole job, fees included.
    pub max_total: Usd,
}

/// A set of networks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Targets {
    /// Every connected network.
    #[default]
    Any,
    /// These only.
    Only(BTreeSet<NetworkName>),
}

impl Targets {
    /// Whether the network is in the set.
    pub fn admits(&self, network: &NetworkName) -> bool {
        match self {
            Self::Any => true,
            Self::Only(names) => names.contains(network),
        }
    }
}

/// How a job's result is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verify {
    /// By which method.
    pub method: VerifyMethod,
    /// How many segments the work has, 1 to 65,536.
    pub segments: u32,
    /// How many of them are drawn for replay, at most `segments`.
    pub sample: u32,
}

/// A way to check a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyMethod {
    /// Drawn segments are run again.
    #[default]
    Replay,
    /// Nothing is checked; the receipt says so.
    None,
}

/// What happens when a provider is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailoverRule {
    /// How many further executions may be started, 0 to 20.
    pub attempts: u32,
    /// On which networks.
    pub to: Targets,
}

/// A stretch of work, half-open: `from` is done next, `to` is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentRange {
    /// The first segment.
    pub from: u32,
    /// One past the last segment.
    pub to: u32,
}

/// A range whose end lies before its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("segments {from}..{to} run backwards")]
pub struct SegmentRangeError {
    from: u32,
    to: u32,
}

impl SegmentRange {
    /// The range, which may be empty.
    ///
    /// # Errors
    /// `to` lies before `from`.
    pub fn new(from: u32, to: u32) -> Result<Self, SegmentRangeError> {
        if to < from { Err(SegmentRangeError { from, to }) } else { Ok(Self { from, to }) }
    }
}

impl JobSpec {
    /// When a job that is taken at `admitted` must have ended.
    pub fn deadline_at(&self, admitted: Timestamp) -> Timestamp {
        let end = self.window.opens(admitted) + self.deadline;
        self.window.finish_by.map_or(end, |by| by.min(end))
    }

    /// Checks what no single field can show.
    ///
    /// # Errors
    /// The first field whose value no job can have.
    pub fn check(&self) -> Result<(), SpecError> {
        let wrong = |field, problem: &str| Err(SpecError { field, problem: problem.to_owned() });
        if self.run.trim().is_empty() {
            return wrong("run", "there is nothing to run: write a shell command");
        }
        if self.budget.max_total <= Usd::ZERO {
            return wrong("waag.budget.max_total_usd", "a budget is more than nothing, for example 2.00");
        }
        if self.max_hourly.is_some_and(|price| price.per_hour() <= Usd::ZERO) {
            return wrong("waag.budget.max_hourly_usd", "a price cap is more than nothing, for example 2.50");
        }
        if self.deadline == Millis::ZERO || self.deadline > Millis::HOUR.times(24 * 365) {
            return wrong("waag.deadline", "a deadline is between 1ms and 365 days, for example 2h");
        }
        if self.expected_run == Some(Millis::ZERO) {
            return wrong("waag.expected_run", "a run takes more than no time, for example 6h");
        }
        if let Window { start_after: Some(after), finish_by: Some(by) } = self.window
            && by <= after
        {
            return wrong("waag.window.finish_by", "a window closes after it opens");
        }
        if self.verify.segments == 0 || self.verify.segments > 65_536 {
            return wrong("waag.verify.segments", "the work has 1 to 65536 segments");
        }
        if self.verify.sample > self.verify.segments {
            return wrong("waag.verify.sample", "no more segments can be drawn than there are");
        }
        if self.failover.attempts > 20 {
            return wrong("waag.failover.attempts", "at most 20 further attempts");
        }
        if self.availability_bps >= 10_000 {
            return wrong(
                "waag.availability",
                "a floor is below 1: no provider is certain, for example 0.95",
            );
        }
        if self.value_at_risk.is_negative() {
            return wrong("waag.value_at_risk_usd", "a value at risk is not negative");
        }
        Ok(())
    }
}
