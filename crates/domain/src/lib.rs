#![doc = include_str!("../README.md")]

mod chain;
mod clock;
mod execution;
mod gpu;
mod hardware;
mod id;
mod job;
mod lease;
mod lease_record;
mod level;
mod money;
mod network;
mod offer;
mod placement;
mod probe;
mod proof;
mod region;
mod retry;
mod settlement;
mod spec;
mod text;
mod time;

pub use chain::chain;
pub use clock::{Clock, Entropy};
pub use execution::{ExecutionEvent, ExecutionState, FailReason, LossReason};
pub use gpu::{Gpu, GpuBoard, GpuModel, GpuVendor, Interconnect};
pub use hardware::{Accelerators, Hardware, HardwareGap, Need, Requirement};
pub use id::{AccountId, ExecutionId, HoldId, IdError, JobId, LeaseId, ObjectId, PlacementId};
pub use job::{JobEvent, JobState, Outcome};
pub use lease::{EndReason, LeaseEvent, LeaseState};
pub use lease_record::LeaseRecord;
pub use level::{Assurance, Level};
pub use money::{MoneyError, Usd, UsdPerHour};
pub use network::{Label, NameError, NetworkName, ProviderName};
pub use offer::{Billing, Conversion, Firmness, Offer, OfferRef, Quote};
pub use placement::{Estimate, Placement, PlacementCause, Ranked, Refusal, RefusalCounts, Refused, Terms};
pub use probe::{Interrupted, NoProbe, Probe};
pub use proof::{Finding, ProofState, Unchecked, Verdict};
pub use region::{Region, RegionError};
pub use retry::RetryStatus;
pub use settlement::{CloudComparison, Settlement};
pub use spec::{
    Budget, FailoverRule, FileMount, JobName, JobSpec, SegmentRange, SegmentRangeError, SpecError, Targets,
    Verify, VerifyMethod, Window, WorkClass,
};
pub use time::{Millis, TimeError, Timestamp, TimestampError};

/// A state machine refused an event; both are named so that the reader can see what was attempted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {noun} that is {state} cannot take the event {event}")]
pub struct Illegal {
    /// The noun whose state it is, e.g. `lease`.
    pub noun: &'static str,
    /// The state it was in.
    pub state: String,
    /// The event that does not fit.
    pub event: String,
}
